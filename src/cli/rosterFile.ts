/**
 * Accounts in a file, in one of three shapes. Pure.
 *
 * - lines `0x…[+subs][=alias]`, empty ones and `#` comments aside;
 * - CSV with a header that names `address` and any of `alias`, `tags` (words parted by spaces or semicolons), `wish`
 *   (`stream` or `poll`), `since` (a date, not in the future);
 * - a JSON object in each line, as `accounts list --json` prints them.
 *
 * Guarantees: what does not fit is a `ConfigError` that names the place; nothing is guessed.
 */
import { accountParts, aliasOf, dateMs, futureRefusal } from "../config.ts";
import { ConfigError, errorText } from "../errors.ts";
import { isAddress } from "../protocol/address.ts";
import { isObject } from "../protocol/decode.ts";
import type { RosterChange } from "../store/roster.ts";
import { readCsv } from "../sync/legacy/csv.ts";

const COLUMNS = ["address", "alias", "tags", "wish", "since"] as const;
type Said = Partial<Record<(typeof COLUMNS)[number], string>>;

export function accountsOfFile(text: string, path: string, nowMs: number): RosterChange[] {
  const refuse = (place: string, why: string): never => {
    throw new ConfigError(`${path}, ${place}: ${why}`);
  };
  const [header = ""] = text.split(/\r?\n/, 1);
  const isTable = /(^|,)"?\s*address\s*"?(,|$)/i.test(header.replace(/^\uFEFF/, ""));
  const rows = isTable
    ? rowsOf(text, (why) => refuse("header", why))
    : /^\uFEFF?\s*\{/.test(text)
      ? objectsOf(text, refuse)
      : linesOf(text);
  if (rows.length === 0) throw new ConfigError(`${path}: no account in it`);
  return rows.map(({ place, said }) => changeOf(said, nowMs, (why) => refuse(place, why)));
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

/** What the list tells of an account and a file cannot say is passed over: when it was added; that it is paused is refused. */
function objectsOf(
  text: string,
  refuse: (place: string, why: string) => never,
): { place: string; said: Said }[] {
  return linesIn(text).map(({ place, line }) => {
    let told: unknown;
    try {
      told = JSON.parse(line);
    } catch {
      return refuse(place, "no JSON object");
    }
    if (!isObject(told)) return refuse(place, "no JSON object");
    const { type: _type, addedAtMs: _addedAtMs, paused, withSubs, sinceMs, tags, ...rest } = told;
    if (paused === true) return refuse(place, "paused: import it without, then hlsync accounts pause");
    for (const name of Object.keys(rest))
      if (!(COLUMNS as readonly string[]).includes(name))
        refuse(place, `unknown field ${JSON.stringify(name)}: expected ${COLUMNS.join(", ")}`);
    const listed = typeof sinceMs === "number" ? new Date(sinceMs) : null;
    const since =
      listed === null ? rest.since : Number.isNaN(listed.getTime()) ? sinceMs : listed.toISOString();
    const given = {
      ...rest,
      address: `${rest.address ?? ""}${withSubs === true ? "+subs" : ""}`,
      since,
      tags: Array.isArray(tags) ? tags.join(" ") : tags,
    };
    const cells = Object.entries(given).map(([name, value]) => [name, String(value ?? "")]);
    return { place, said: Object.fromEntries(cells) as Said };
  });
}

const linesIn = (text: string): { place: string; line: string }[] =>
  text
    .split(/\r?\n/)
    .map((line, index) => ({ place: `line ${index + 1}`, line: line.trim() }))
    .filter(({ line }) => line !== "");

const linesOf = (text: string): { place: string; said: Said }[] =>
  linesIn(text).flatMap(({ place, line }) =>
    line.startsWith("#") ? [] : [{ place, said: { address: line } }],
  );

function partsOf(
  address: string,
  alias: string,
  refuse: (why: string) => never,
): ReturnType<typeof accountParts> {
  try {
    const parts = accountParts(address);
    return { ...parts, alias: aliasOf(alias) ?? parts.alias };
  } catch (error) {
    return refuse(errorText(error));
  }
}

function changeOf(said: Said, nowMs: number, refuse: (why: string) => never): RosterChange {
  const { tags = "" } = said;
  const cells = [said.address, said.alias, said.wish, said.since];
  const [address = "", alias = "", wish = "", since = ""] = cells.map((cell) => cell?.trim());
  const { named, withSubs, ...parts } = partsOf(address, alias, refuse);
  if (!isAddress(named)) return refuse(`${JSON.stringify(address)} is no address (0x and 40 hex digits)`);
  if (wish !== "" && wish !== "stream" && wish !== "poll")
    return refuse(`wish ${JSON.stringify(wish)}: expected stream or poll`);
  const sinceMs = since === "" ? undefined : dateMs(since);
  if (sinceMs !== undefined && !(sinceMs >= 0)) return refuse(`since ${JSON.stringify(since)} is no date`);
  const refusal = sinceMs === undefined ? null : futureRefusal(sinceMs, nowMs);
  if (refusal !== null) return refuse(`since ${JSON.stringify(since)} ${refusal}`);
  return {
    address: named.toLowerCase(),
    alias: parts.alias,
    tags: tags === "" ? undefined : tags.split(/[\s;]+/).filter((tag) => tag !== ""),
    wish: wish === "" ? undefined : wish,
    sinceMs,
    ...(withSubs ? { withSubs } : {}),
  };
}
