/** The tables that `src/sync/tables.ts` describes: the description is the table, and every write is a join. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EXPORTS, exportedColumns, exportedRows } from "../../src/outputs/exports.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { readersColumns, rowColumns, standsAt } from "../../src/store/columns.ts";
import type { Batch } from "../../src/sync/rows.ts";
import { columnOf, described, JOINED_NAMES, TABLE_NAMES, type TableName } from "../../src/sync/tables.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, T } from "./rows.ts";

const db = useDatabase("all");

const TYPES: Record<string, string> = {
  account: "text",
  text: "text",
  decimal: "numeric",
  integer: "integer",
  id: "bigint",
  ms: "bigint",
  boolean: "boolean",
  json: "jsonb",
};

/** What columns take that take few words only. */
const WORDS: Record<string, string[]> = {
  kind: ["perp", "spot", "outcome"],
  scope: ["all", "perp", "all"],
  side: ["buy", "sell", "buy"],
};

/** A value of a column that a small number chooses; keys and times take few values, so that rows meet. */
function cellOf(kind: string, name: string, n: number): unknown {
  if (kind.endsWith("?") && n % 5 === 0) return null;
  switch (kind.replace("?", "")) {
    case "account":
      return ACCOUNT;
    case "decimal":
      return ["1.0", "1.00", "-0.5", "7"][n % 4];
    case "integer":
    case "id":
      return n % 3;
    case "ms":
      return T + (n % 3);
    case "boolean":
      return n % 2 === 0;
    case "json":
      return { n: n % 4 };
    default:
      return (WORDS[name] ?? ["a", "b", "A"])[n % 3];
  }
}

function rowsOf(name: TableName, seed: string, count: number): Record<string, unknown>[] {
  const random = seededRandom(seed);
  const { columns } = described(name);
  return Array.from({ length: count }, () =>
    Object.fromEntries(
      Object.entries(columns).map(([column, kind]) => [
        column,
        cellOf(kind, column, Math.floor(random.next() * 60)),
      ]),
    ),
  );
}

const contentOf = (name: TableName) =>
  db.database.query(
    `select to_jsonb(t)::text as row from public.${described(name).table} t order by 1`,
  ) as Promise<{ row: string }[]>;
const put = (name: TableName, rows: readonly unknown[]) => db.store.apply({ [name]: rows } as Batch);

interface Column extends Record<string, unknown> {
  name: string;
  type: string;
  nullable: boolean;
  made: boolean;
  key: boolean;
  words: string | null;
}
const storedColumns = (table: string) =>
  db.database.query<Column>(
    `select a.attname as name, format_type(a.atttypid, null) as type, not a.attnotnull as nullable,
       a.attgenerated <> '' as made, a.attnum = any (i.indkey) as key, col_description(a.attrelid, a.attnum) as words
     from pg_attribute a join pg_index i on i.indrelid = a.attrelid and i.indisprimary
     where a.attrelid = 'public.${table}'::regclass and a.attnum > 0 and not a.attisdropped`,
  );

for (const name of JOINED_NAMES) {
  const { table, columns, key, time, index, readers } = described(name);
  it(`${table} has the columns and the key that are described`, async () => {
    const stored = new Map((await storedColumns(table)).map((column) => [column.name, column]));
    for (const [member, kind] of Object.entries(columns)) {
      const at = standsAt(name, member);
      // Made of other columns.
      if (!/^\w+$/.test(at)) continue;
      const column = stored.get(at);
      assert.equal(column?.type, TYPES[kind.replace("?", "")], at);
      assert.equal(column?.nullable, kind.endsWith("?"), at);
    }
    for (const column of readers?.with ?? []) assert.ok(stored.has(column), column);
    if (index !== undefined) assert.equal(stored.get(index)?.type, "timestamp with time zone");
    const keys = [...stored.values()].filter((column) => column.key).map((column) => column.name);
    const given = key.map((member) => standsAt(name, member));
    const asKept = (column: string) => (column === index ? standsAt(name, time!) : column);
    assert.deepEqual(keys.map(asKept).sort(), given.sort());
    await db.database.query(`select ${rowColumns(name)} from public.${table}`);
    await db.database.query(`select ${readersColumns(name)} from public.${table}`);
  });
}

for (const name of TABLE_NAMES) {
  const { table, columns, key, time } = described(name);
  describe(table, () => {
    it("has the columns and the key that are described, with a comment on each", async () => {
      const stored = await storedColumns(table);
      assert.deepEqual(
        stored.filter(({ words }) => words === null),
        [],
      );
      const given = stored.filter(({ made }) => !made);
      assert.deepEqual(
        given.map(({ name, type, nullable }) => `${name} ${type}${nullable ? "?" : ""}`).sort(),
        Object.entries(columns)
          .map(([column, kind]) => {
            const type = TYPES[kind.replace("?", "")];
            // The venue's own object may go one day (a role that may not read it, a table that is thinned out).
            return `${columnOf(column)} ${type}${kind.endsWith("?") || column === "raw" ? "?" : ""}`;
          })
          .sort(),
      );
      const keys = stored.filter((column) => column.key).map((column) => column.name);
      assert.deepEqual(keys.sort(), key.map(columnOf).sort());
      assert.ok(time === undefined || time in columns);
    });

    it("keeps one version of each row, whatever the order, cut and repetition of batches", async () => {
      const rows = rowsOf(name, table, 60);
      await put(name, rows);
      const kept = await contentOf(name);
      assert.ok(kept.length > 0 && kept.length < rows.length);
      assert.equal((await put(name, rows)).written[table], 0, "what is there is not written again");
      const random = seededRandom(`${table} order`);
      for (let round = 0; round < 4; round++) {
        await db.database.query(`truncate public.${table}`);
        const shuffled = rows
          .map((row) => ({ row, at: random.next() }))
          .sort((a, b) => a.at - b.at)
          .map(({ row }) => row);
        const size = [1, 7, 20, 60][round]!;
        for (let from = 0; from < shuffled.length; from += size)
          await put(name, shuffled.slice(from, from + size));
        assert.deepEqual(await contentOf(name), kept);
      }
    });

    it("is counted, and exported where it is of an account", async () => {
      const counted = (await db.store.counts()).find((one) => one.table === table);
      assert.equal(counted?.rows, (await contentOf(name)).length);
      const exported = Object.keys(EXPORTS).find((one) => EXPORTS[one]!.view === table);
      if (exported === undefined) return;
      const names = await exportedColumns(db.database, exported);
      assert.ok(!names.includes("raw"));
      let rows = 0;
      for await (const page of exportedRows(db.database, exported, names, ACCOUNT, null)) rows += page.length;
      assert.equal(rows, counted?.rows);
    });
  });
}
