/**
 * Reading request bodies and wording answers. Guarantees: a wrong shape always ends as the venue's 422 text, never as
 * an exception of ours.
 */
import { isAddress } from "../../protocol/address.ts";
import { isDecimal } from "../../runtime/decimal.ts";
import type { Answer, Json, JsonObject } from "../contract.ts";
import { type Fixed, parseFixed } from "./fixed.ts";

const DESERIALIZE_TEXT = "Failed to deserialize the JSON body into the target type";
export const malformed = (): Answer => ({ status: 422, body: DESERIALIZE_TEXT });
export const failed = (text: string): Answer => ({ status: 200, body: { status: "err", response: text } });
export const done = (response: JsonObject): Answer => ({ status: 200, body: { status: "ok", response } });
export const defaultAnswer = (): Answer => done({ type: "default" });

/** Thrown by the readers below when the body has the wrong shape; caught where the request entered. */
export class Malformed extends Error {}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A non-negative decimal; `tooPrecise` stands for one with more than eight decimals, which is else a shape error. */
export function decimal(value: Json | undefined, tooPrecise: Fixed | null = null): Fixed {
  const parsed = typeof value === "string" ? parseFixed(value) : null;
  if (parsed === null && tooPrecise !== null && isDecimal(value)) return tooPrecise;
  if (parsed === null || parsed < 0n) throw new Malformed();
  return parsed;
}
export function boolean(value: Json | undefined): boolean {
  if (typeof value !== "boolean") throw new Malformed();
  return value;
}
export function integer(value: Json | undefined): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw new Malformed();
  return value;
}
export function natural(value: Json | undefined): number {
  const read = integer(value);
  if (read < 0) throw new Malformed();
  return read;
}
export function object(value: Json | undefined): JsonObject {
  if (!isObject(value)) throw new Malformed();
  return value;
}
export function list(value: Json | undefined): JsonObject[] {
  if (!Array.isArray(value)) throw new Malformed();
  return value.map(object);
}
const CLOID = /^0x[0-9a-f]{32}$/i;
export function cloid(value: Json | undefined): string {
  if (typeof value !== "string" || !CLOID.test(value)) throw new Malformed();
  return value.toLowerCase();
}

/** Requests are case-insensitive; the venue answers in lower case. */
export function address(value: Json | undefined): string {
  if (typeof value !== "string" || !isAddress(value)) throw new Malformed();
  return value.toLowerCase();
}
export function text(value: Json | undefined): string {
  if (typeof value !== "string") throw new Malformed();
  return value;
}
