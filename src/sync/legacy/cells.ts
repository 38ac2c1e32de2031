/**
 * Values as an older program's table or a file has them: text of any make. Pure. Guarantees: a value is taken exactly or not
 * at all; nothing is guessed. What cannot be read throws `Unread`, whose message says why in words for people.
 */
import { VALUE_LIMITS } from "../../protocol/limits.ts";
import { type Decimal, fromNumeral } from "../../runtime/decimal.ts";

/** Each column as text, null where it is null. */
export type LegacyRow = Readonly<Record<string, string | null>>;

export class Unread extends Error {}

/** What programs write where there is nothing. */
const EMPTY = /^(|nan|none|null|nat|n\/a|undefined)$/i;

/** The first of these columns that holds something. */
export function cell(row: LegacyRow, ...names: string[]): string | null {
  for (const name of names) {
    const value = row[name]?.trim();
    if (value !== undefined && !EMPTY.test(value)) return value;
  }
  return null;
}

const required = <T>(value: T | null, [name]: string[]): T => {
  if (value === null) throw new Unread(`no ${name}`);
  return value;
};

export const needed = (row: LegacyRow, ...names: string[]): string => required(cell(row, ...names), names);

export function word(row: LegacyRow, ...names: string[]): string | null {
  const value = cell(row, ...names);
  if (value !== null && value.length > VALUE_LIMITS.textLength) throw new Unread(`${names[0]} is too long`);
  return value;
}

/** Null where there is nothing; throws where there is something that is no number. */
export function decimal(row: LegacyRow, ...names: string[]): Decimal | null {
  const value = cell(row, ...names);
  if (value === null) return null;
  const read = fromNumeral(value);
  if (read === null) throw new Unread(`${names[0]} is no number`);
  return read;
}

export const neededDecimal = (row: LegacyRow, ...names: string[]): Decimal =>
  required(decimal(row, ...names), names);

/** `1058238905423571`, also as a table of floats has it (`….0`), but with all of its digits. */
export function id(row: LegacyRow, ...names: string[]): number | null {
  const value = cell(row, ...names);
  if (value === null) return null;
  const number = /^-?\d+(\.0+)?$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new Unread(`${names[0]} is no id with all its digits`);
  return number;
}

export const neededId = (row: LegacyRow, ...names: string[]): number => required(id(row, ...names), names);

export function truth(row: LegacyRow, ...names: string[]): boolean | null {
  const value = cell(row, ...names)?.toLowerCase() ?? null;
  if (value === null) return null;
  if (["true", "t", "1", "yes"].includes(value)) return true;
  if (["false", "f", "0", "no"].includes(value)) return false;
  throw new Unread(`${names[0]} is neither true nor false`);
}

interface LegacyTime {
  ms: number;
  /** Whether it stands at a whole second, as a truncated time does. */
  isWhole: boolean;
  /** The column that told it. */
  column: string;
}

/** Seconds, milliseconds or microseconds since 1970, or a date; a date without an offset is UTC. */
export function time(row: LegacyRow, ...names: string[]): LegacyTime | null {
  const column = names.find((name) => cell(row, name) !== null);
  if (column === undefined) return null;
  const value = cell(row, column)!;
  // Its name promises more than it holds.
  if (column.endsWith("_ms") && SECONDS.test(value)) throw new Unread(`${column} is not in milliseconds`);
  const ms = Math.round(epochMs(value) ?? dateMs(value) ?? Number.NaN);
  if (!(ms >= VALUE_LIMITS.fromMs && ms < VALUE_LIMITS.toMs))
    throw new Unread(`${column} is no time since 2023`);
  return { ms, isWhole: ms % 1000 === 0, column };
}

/** Since 1970. */
const SECONDS = /^\d{1,10}(\.\d+)?$/;

function epochMs(text: string): number | null {
  const digits = /^(\d+)(\.\d+)?$/.exec(text)?.[1]?.length;
  if (digits === undefined) return null;
  if (SECONDS.test(text)) return Number(text) * 1000;
  return digits <= 13 ? Number(text) : Number(text) / 1000;
}

const DATE = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?)(?: ?(Z|[+-]\d{2}(?::?\d{2})?))?$/i;

function dateMs(text: string): number | null {
  const [, day, clock, zone = "Z"] = DATE.exec(text) ?? [];
  if (day === undefined || clock === undefined) return null;
  const offset = /^z$/i.test(zone)
    ? "Z"
    : zone.replace(/^(.\d{2}):?(\d{2})?$/, (_, h, m) => `${h}:${m ?? "00"}`);
  // Microseconds first: a float that was cut at one below is the millisecond above.
  const [seconds, fraction = ""] = clock.replace(",", ".").split(".");
  return Date.parse(`${day}T${seconds}${offset}`) + Number(`0.${fraction || "0"}`) * 1000;
}

/** The venue's object as the program kept it: JSON, perhaps as text in JSON; null when it kept none. */
export function rawObject(row: LegacyRow, ...names: string[]): Record<string, unknown> | null {
  const value = cell(row, ...names);
  if (value === null) return null;
  try {
    const parsed: unknown = JSON.parse(value);
    const object: unknown = typeof parsed === "string" ? JSON.parse(parsed) : parsed;
    if (typeof object === "object" && object !== null && !Array.isArray(object))
      return object as Record<string, unknown>;
  } catch {
    // A Python dict printed as text, or a cut one: the columns have what it said.
  }
  return null;
}
