/**
 * Reading without trust. Guarantees: never throws for any input; rows that fit are kept with the object they came
 * from, rows that do not are handed back with the reason; one object where a list is usual, and a list of one where an
 * object is usual, are accepted. What does not fit costs what `tolerance.ts` says, and the compiled check of `strict.ts`
 * comes first, so that what fits is neither copied nor looked at twice.
 */
import type { z } from "zod";
import { VALUE_LIMITS } from "./limits.ts";
import { strictly } from "./strict.ts";
import { mend, type Read, type ReadParts, type Unread } from "./tolerance.ts";

export type { Read, ReadParts, Unread };

export interface ReadRows<T> {
  rows: Read<T>[];
  unread: Unread[];
}

/** The first complaint of a schema, in one line. */
export function complaint(error: z.ZodError): string {
  const issue = error.issues[0];
  if (!issue) return "does not fit";
  const path = issue.path.join(".");
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

const lostRow = (raw: unknown, reason: string): Unread => ({ kind: "row", raw, reason });

export function readRows<T>(schema: z.ZodType<T>, data: unknown): ReadRows<T> {
  const result: ReadRows<T> = { rows: [], unread: [] };
  if (data === null || data === undefined) {
    result.unread.push(lostRow(null, "a list is missing"));
    return result;
  }
  const list = Array.isArray(data) ? data : [data];
  const strict = strictly(schema);
  const count = Math.min(list.length, VALUE_LIMITS.rows);
  for (let index = 0; index < count; index++) {
    const raw = list[index];
    const value = strict(raw);
    if (value !== undefined) {
      result.rows.push({ value, raw });
      continue;
    }
    const parsed = schema.safeParse(raw);
    if (parsed.success) {
      result.rows.push({ value: parsed.data, raw });
      continue;
    }
    const mended = mend(schema, raw, parsed.error, false);
    if (mended === null) result.unread.push({ ...lostRow(raw, complaint(parsed.error)), index });
    else {
      result.rows.push({ value: mended.value, raw: mended.raw });
      result.unread.push(...mended.unread);
    }
  }
  const left = list.length - VALUE_LIMITS.rows;
  if (left > 0)
    result.unread.push(lostRow(left, `more than ${VALUE_LIMITS.rows} rows: the rest was not read`));
  return result;
}

/** One object, with the parts of it that fit. */
export function readParts<T>(schema: z.ZodType<T>, data: unknown): ReadParts<T> | Unread {
  const strict = readOne(schema, data);
  if (isRead(strict)) return { ...strict, unread: [] };
  const raw = Array.isArray(data) && data.length === 1 ? data[0] : data;
  const parsed = schema.safeParse(raw);
  return (parsed.success ? null : mend(schema, raw, parsed.error)) ?? strict;
}

/** One object that fits as a whole. */
export function readOne<T>(schema: z.ZodType<T>, data: unknown): Read<T> | Unread {
  const value = strictly(schema)(data);
  if (value !== undefined) return { value, raw: data };
  const parsed = schema.safeParse(data);
  if (parsed.success) return { value: parsed.data, raw: data };
  if (Array.isArray(data) && data.length === 1) {
    const inner = schema.safeParse(data[0]);
    if (inner.success) return { value: inner.data, raw: data[0] };
  }
  return lostRow(data, complaint(parsed.error));
}

export const isRead = <T>(result: Read<T> | Unread): result is Read<T> => "value" in result;

/** Those that make a list incomplete. */
export const lostRows = (unread: readonly Unread[]): Unread[] => unread.filter(({ kind }) => kind === "row");

/** Whether nothing of a list is missing, so that absence from it proves something. */
export const isWhole = (unread: readonly Unread[]): boolean => unread.every(({ kind }) => kind !== "row");

/** JSON text to a value, or why not. Keys named `__proto__`, which schemas do not see, are left out. */
export function readJson(text: string): Read<unknown> | Unread {
  const excess = text.includes(MANY_OPEN) ? excessOfText(text, Infinity) : null;
  if (excess !== null) return lostRow(text, excess);
  try {
    const value: unknown = JSON.parse(text);
    if (text.includes("__proto__") || text.includes("\\u00")) removeProto(value);
    return { value, raw: value };
  } catch {
    return lostRow(text, NOT_JSON);
  }
}

/** A frame or an answer of the venue: as `readJson`, and never more values at once than the largest list that is read has. */
export function readMessage(text: string): Read<unknown> | Unread {
  // Each value takes two characters at least.
  const isLong = text.length > 2 * VALUE_LIMITS.values;
  const excess = isLong ? excessOfText(text, VALUE_LIMITS.values) : null;
  return excess === null ? readJson(text) : lostRow(text, excess);
}

/** Why `readJson` gives up on what was cut off, or is no JSON at all. */
export const NOT_JSON = "not JSON";

/**
 * The deepest answer that was captured has nine, and what is too deep for a row costs no more than that row. A million take the
 * parser and the collector a second, which holds everything up.
 */
const DEPTH_MAX = 10_000;
/** Only what has so many in a row is looked through: finding them costs nothing. */
const MANY_OPEN = "[".repeat(16);
const [QUOTE, ESCAPE, COMMA] = ['"', "\\", ","].map((sign) => sign.charCodeAt(0)) as [number, number, number];

/** Why a text is not parsed, or null: brackets and commas outside of strings. */
function excessOfText(json: string, valuesMax: number): string | null {
  let depth = 0;
  let values = 1;
  let isText = false;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) isText = !isText;
    else if (isText) at += code === ESCAPE ? 1 : 0;
    else if (code === COMMA) values += 1;
    // `[` and `{`, `]` and `}` differ in one bit.
    else if ((code | 0x20) === 0x7b) {
      values += 1;
      if (++depth > DEPTH_MAX) return "too deep";
    } else if ((code | 0x20) === 0x7d) depth -= 1;
    if (values > valuesMax) return `more than ${valuesMax} values`;
  }
  return null;
}

function removeProto(value: unknown): void {
  const stack = [value];
  while (stack.length > 0) {
    const next = stack.pop();
    if (typeof next !== "object" || next === null) continue;
    if (Object.hasOwn(next, "__proto__")) Reflect.deleteProperty(next, "__proto__");
    for (const inner of Object.values(next)) stack.push(inner);
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
