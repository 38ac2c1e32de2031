/**
 * Real payloads and how to compare the model's with them: every row of a captured list against those of ours, same keys,
 * same types. Skips a test, with a clear message, where the captures are absent.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { Json, JsonObject } from "../../../src/simulator/contract.ts";

const FOLDER = new URL("../../../../shared/captures/", import.meta.url);
const present = existsSync(FOLDER);

export function captureTest(name: string, run: (t: TestContext) => void): void {
  test(name, { skip: present ? false : "no captures: ../shared/captures is not here" }, run);
}

export const read = (path: string): Json => JSON.parse(readFileSync(new URL(path, FOLDER), "utf8"));
export const lines = (path: string): Json[] =>
  readFileSync(new URL(path, FOLDER), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
export const cassette = (name: string): Json =>
  (read(`python-sdk-cassettes/${name}.json`) as JsonObject).response as Json;
export const at = (json: Json, ...path: (string | number)[]): Json =>
  path.reduce<Json>((value, key) => (value as Record<string | number, Json>)[key] as Json, json);

const DECIMAL = /^-?\d+\.\d+$/;
/** Long digits are floats of the venue's own sums; we write exact ones. */
const kind = (value: Json): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "string") return DECIMAL.test(value) ? "decimal" : "text";
  return typeof value;
};

export interface Allowance {
  /** Keys only we have, or only the capture has, by name; `null` on one side may be anything on the other. */
  ours?: string[];
  theirs?: string[];
  nullable?: string[];
}

export function sameShape(theirs: Json, ours: Json, allow: Allowance = {}, path = "$"): void {
  const name = path.slice(path.lastIndexOf(".") + 1).replace(/\[.*$/, "");
  if (allow.nullable?.includes(name) && (theirs === null || ours === null)) return;
  assert.equal(
    kind(ours),
    kind(theirs),
    `${path}: ${JSON.stringify(ours)} against ${JSON.stringify(theirs)}`,
  );
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    if (isPair(theirs) && isPair(ours)) {
      for (const place of [0, 1])
        sameShape(theirs[place] as Json, ours[place] as Json, allow, `${path}[${place}]`);
    } else if (ours.length > 0) {
      for (const [index, row] of theirs.entries()) likeSome(row, ours, allow, `${path}[${index}]`);
    }
    return;
  }
  if (kind(theirs) !== "object") return;
  const [a, b] = [theirs as JsonObject, ours as JsonObject];
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (!(key in a) && allow.ours?.includes(key)) continue;
    if (!(key in b) && allow.theirs?.includes(key)) continue;
    assert.ok(key in a, `${path}.${key} is only ours`);
    assert.ok(key in b, `${path}.${key} is only in the capture`);
    sameShape(a[key] as Json, b[key] as Json, allow, `${path}.${key}`);
  }
}

/** Pairs such as [id, table] have a shape of their own in each place. */
const isPair = (list: Json[]): boolean =>
  list.length === 2 && kind(list[0] as Json) !== kind(list[1] as Json);

/** A captured row is like at least one of ours: what the rows are about decides which keys they have. */
function likeSome(theirs: Json, ours: Json[], allow: Allowance, path: string): void {
  let first: unknown = null;
  for (const row of ours) {
    try {
      sameShape(theirs, row, allow, path);
      return;
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}
