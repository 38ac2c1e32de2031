/**
 * Accounts in a file, in one of two shapes. Pure.
 *
 * - lines `0x…[+subs][=alias]`, empty ones and `#` comments aside;
 * - CSV with a header that names `address` and any of `alias`, `tags` (words parted by spaces or semicolons), `wish`
 *   (`stream` or `poll`), `since` (a date).
 *
 * Guarantees: what does not fit is a `ConfigError` that names the place; nothing is guessed.
 */
import { accountParts, dateMs } from "../config.ts";
import { ConfigError } from "../errors.ts";
import { isAddress } from "../protocol/schemas.ts";
import type { RosterChange } from "../store/roster.ts";
import { readCsv } from "../sync/legacy/csv.ts";

const COLUMNS = ["address", "alias", "tags", "wish", "since"] as const;
type Said = Partial<Record<(typeof COLUMNS)[number], string>>;

export function accountsOfFile(text: string, path: string): RosterChange[] {
  const refuse = (place: string, why: string): never => {
    throw new ConfigError(`${path}, ${place}: ${why}`);
  };
  const [header = ""] = text.split(/\r?\n/, 1);
  const isTable = /(^|,)"?\s*address\s*"?(,|$)/i.test(header.replace(/^\uFEFF/, ""));
  const rows = isTable ? rowsOf(text, (why) => refuse("header", why)) : linesOf(text);
  if (rows.length === 0) throw new ConfigError(`${path}: no account in it`);
  return rows.map(({ place, said }) => changeOf(said, (why) => refuse(place, why)));
}

function rowsOf(text: string, refuse: (why: string) => never): { place: string; said: Said }[] {
  const { columns, rows } = readCsv(text);
  for (const column of columns)
    if (!(COLUMNS as readonly string[]).includes(column.toLowerCase()))
      refuse(`unknown column ${JSON.stringify(column)}: expected ${COLUMNS.join(", ")}`);
  return rows.map((row, index) => ({
    place: `row ${index + 1}`,
    said: Object.fromEntries(
      Object.entries(row).map(([column, value]) => [column.toLowerCase(), String(value ?? "")]),
    ),
  }));
}

const linesOf = (text: string): { place: string; said: Said }[] =>
  text.split(/\r?\n/).flatMap((line, index) => {
    const [address = "", alias = ""] = line.trim().split("=", 2);
    return address === "" || address.startsWith("#")
      ? []
      : [{ place: `line ${index + 1}`, said: { address, alias } }];
  });

function changeOf(said: Said, refuse: (why: string) => never): RosterChange {
  const { tags = "" } = said;
  const cells = [said.address, said.alias, said.wish, said.since];
  const [address = "", alias = "", wish = "", since = ""] = cells.map((cell) => cell?.trim());
  const { named, withSubs } = accountParts(address);
  if (!isAddress(named)) return refuse(`${JSON.stringify(address)} is no address (0x and 40 hex digits)`);
  if (wish !== "" && wish !== "stream" && wish !== "poll")
    return refuse(`wish ${JSON.stringify(wish)}: expected stream or poll`);
  const sinceMs = since === "" ? undefined : dateMs(since);
  if (sinceMs !== undefined && !(sinceMs >= 0)) return refuse(`since ${JSON.stringify(since)} is no date`);
  return {
    address: named.toLowerCase(),
    alias: alias || undefined,
    tags: tags === "" ? undefined : tags.split(/[\s;]+/).filter((tag) => tag !== ""),
    wish: wish === "" ? undefined : wish,
    sinceMs,
    ...(withSubs ? { withSubs } : {}),
  };
}
