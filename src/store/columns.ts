/** The columns of a described table (`sync/tables.ts`), as a `select` names them, and what it asks of an order. Pure. */
import { OPEN_STATUSES } from "../sync/orderStatus.ts";
import { columnOf, described, type JoinedName, type TableName } from "../sync/tables.ts";

/** The statuses of open orders, as a list in SQL. */
export const OPEN_STATUS_LIST = `(${OPEN_STATUSES.map((status) => `'${status}'`).join(", ")})`;

/** Where a member of a row stands: a column, or SQL over columns. */
export const standsAt = (name: TableName | JoinedName, member: string): string =>
  described(name).sql?.[member] ?? columnOf(member);

/** The rows as `sync` knows them. */
export const rowColumns = (name: TableName | JoinedName, without: readonly string[] = []): string =>
  Object.keys(described(name).columns)
    .filter((member) => !without.includes(member))
    .map((member) => `${standsAt(name, member)} as "${member}"`)
    .join(", ");

const isColumn = (sql: string): boolean => /^\w+$/.test(sql);

/** The rows as readers get them, under the names of the columns: without the venue's own object and when it was seen. */
export function readersColumns(name: TableName | JoinedName): string {
  const { columns, readers } = described(name);
  const hidden = ["raw", "seenAtMs", ...(readers?.without ?? [])];
  const shown = Object.keys(columns)
    .filter((member) => !hidden.includes(member))
    .map((member) => {
      const sql = standsAt(name, member);
      return isColumn(sql) ? sql : `${sql} as ${columnOf(member)}`;
    });
  return [...shown, ...(readers?.with ?? [])].join(", ");
}
