/**
 * Reading without trust. Guarantees: never throws for any input; rows that fit are kept with the object they came
 * from, rows that do not are handed back with the reason; one object where a list is usual, and a list of one where an
 * object is usual, are accepted.
 */
import type { z } from "zod";

/** A value that fits its schema, beside the venue's own object. */
export interface Read<T> {
  value: T;
  raw: unknown;
}
/** Something that could not be understood: kept for quarantine. */
export interface Unread {
  raw: unknown;
  reason: string;
}
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

export function readRows<T>(schema: z.ZodType<T>, data: unknown): ReadRows<T> {
  const result: ReadRows<T> = { rows: [], unread: [] };
  if (data === null || data === undefined) {
    result.unread.push({ raw: data ?? null, reason: "a list is missing" });
    return result;
  }
  for (const raw of Array.isArray(data) ? data : [data]) {
    const parsed = schema.safeParse(raw);
    if (parsed.success) result.rows.push({ value: parsed.data, raw });
    else result.unread.push({ raw, reason: complaint(parsed.error) });
  }
  return result;
}

export function readOne<T>(schema: z.ZodType<T>, data: unknown): Read<T> | Unread {
  const parsed = schema.safeParse(data);
  if (parsed.success) return { value: parsed.data, raw: data };
  if (Array.isArray(data) && data.length === 1) {
    const inner = schema.safeParse(data[0]);
    if (inner.success) return { value: inner.data, raw: data[0] };
  }
  return { raw: data, reason: complaint(parsed.error) };
}

export const isRead = <T>(result: Read<T> | Unread): result is Read<T> => "value" in result;

/** JSON text to a value, or why not. */
export function readJson(text: string): Read<unknown> | Unread {
  try {
    const value: unknown = JSON.parse(text);
    return { value, raw: value };
  } catch {
    return { raw: text, reason: "not JSON" };
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
