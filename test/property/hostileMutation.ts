/**
 * Spoils a JSON value the way a venue might: seeded, aware of structure. Values that no stringifier takes (nesting, digits by the
 * thousand) are written as marks and expanded in the text.
 */
import type { Random } from "../../src/runtime/random.ts";
import type { Any } from "../captures/captures.ts";

const DEEP = /"@deep:(\d+)@"/g;
const DIGITS = /@digits:(\d+)@/g;
const LETTERS = /@letters:(\d+)@/g;

/** The text of a value with its marks expanded. */
export const textOf = (value: unknown): string =>
  (JSON.stringify(value) ?? "null")
    .replace(DEEP, (_, levels) => `${"[".repeat(Number(levels))}1${"]".repeat(Number(levels))}`)
    .replace(DIGITS, (_, length) => "9".repeat(Number(length)))
    .replace(LETTERS, (_, length) => "x".repeat(Number(length)))
    .replaceAll('"@infinity@"', "1e400");

/** A direction that the fuzzer's database refuses, by a CHECK as a user might have it. */
export const REFUSED = "Refused";

const TEXTS = [
  ...[
    "NaN",
    "Infinity",
    "-Infinity",
    "",
    "null",
    "1e5",
    " 1",
    "+1",
    "0x10",
    "-0",
    "00.10",
    "1.",
    ".5",
    "1,5",
    "--1",
  ],
  ...[
    "\u0661\u0662",
    "\u0000",
    "B\u0000TC",
    "\ud800",
    "\udc00x",
    "\u001b[31m",
    "\r\n",
    "\u202e",
    "\ufffd",
    "'; drop table",
    REFUSED,
  ],
  ...["@digits:31@", "@digits:128@", "@digits:129@", "@digits:9000@", "1.@digits:9000@", "-@digits:20000@.5"],
  ...["@letters:127@", "@letters:129@", "@letters:6000@", "@letters:70000@"],
];
const NUMBERS = [
  ...[0, -0, -1, 1, 2.5, 1e21, 2 ** 31, 5e9, 2 ** 53 - 1, 2 ** 53, -(2 ** 53)],
  ...[1_790_000_000, 1_790_000_000_000_000, 1_672_531_199_999, 4_102_444_800_000, 253_402_300_800_000],
  ...["@infinity@", 1_790_000_000_000, 0.1],
];
const ODD = [
  ...[
    null,
    true,
    false,
    [],
    [[]],
    {},
    [null],
    { a: 1 },
    "@deep:40@",
    "@deep:70@",
    "@deep:300@",
    "@deep:6000@",
  ],
  ...[{ coin: "BTC" }, [1, 2, 3]],
];
const KEYS = [
  "zz",
  "constructor",
  "toString",
  "__proto__",
  "toJSON",
  "then",
  "",
  "raw",
  "@letters:5000@",
  "\u0000",
];

type Step = { owner: Any; key: string | number };

/** Every place of a value. */
function places(value: unknown, found: Step[] = []): Step[] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
    found.push({ owner: value, key });
    places((value as Any)[key], found);
  }
  return found;
}

/** Spoils `root.value` in one to three places; says what was done. */
export function spoil(root: { value: unknown }, random: Random): string[] {
  const draw = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)]!;
  const done: string[] = [];
  const times = 1 + Math.floor(random.next() ** 2 * 3);
  for (let i = 0; i < times; i++) {
    const all = places(root);
    if (all.length === 0) break;
    // Leaves are many: what holds them gets its share.
    const inner = all.filter(({ owner, key }) => typeof owner[key] === "object" && owner[key] !== null);
    const { owner, key } = draw(inner.length > 0 && random.next() < 0.25 ? inner : all);
    done.push(`${alter(owner, key, draw, random)} at ${String(key)}`);
  }
  return done;
}

function alter(owner: Any, key: string | number, draw: <T>(list: readonly T[]) => T, random: Random): string {
  const value = owner[key];
  const isList = Array.isArray(value);
  const what = draw([
    "drop",
    "null",
    "duplicate",
    "type",
    "text",
    "number",
    "odd",
    "key",
    "order",
    "own",
  ] as const);
  switch (what) {
    case "drop":
      if (Array.isArray(owner)) owner.splice(Number(key), 1);
      else delete owner[key];
      return what;
    case "null":
      owner[key] = null;
      return what;
    case "duplicate":
      if (Array.isArray(owner))
        owner.splice(Math.floor(random.next() * owner.length), 0, structuredClone(value));
      else owner[`${String(key)}2`] = structuredClone(value);
      return what;
    case "type":
      owner[key] = otherType(value, random);
      return what;
    case "text":
      owner[key] = draw(TEXTS);
      return `${what} ${JSON.stringify(owner[key]).slice(0, 30)}`;
    case "number":
      owner[key] = draw(NUMBERS);
      return `${what} ${owner[key]}`;
    case "odd":
      owner[key] = structuredClone(draw(ODD));
      return `${what} ${JSON.stringify(owner[key])}`;
    case "key": {
      const target = typeof value === "object" && value !== null && !isList ? value : owner;
      if (Array.isArray(target)) target.push(structuredClone(draw(ODD)));
      else define(target, draw(KEYS), draw<unknown>([...ODD, ...TEXTS, ...NUMBERS]));
      return what;
    }
    case "order":
      if (isList) value.sort(() => random.next() - 0.5);
      else if (isList === false && typeof value === "number")
        owner[key] = value + draw([1, -1, 1_000, -60_000]);
      return what;
    case "own":
      // What the user's database refuses.
      if (typeof value === "object" && value !== null && "dir" in value) value.dir = REFUSED;
      else if ("dir" in owner) owner.dir = REFUSED;
      return what;
  }
}

/** As JSON does it: also for names that objects have anyway. */
const define = (target: object, key: string, value: unknown) =>
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });

function otherType(value: unknown, random: Random): unknown {
  if (typeof value === "string") return random.next() < 0.5 ? Number(value) || 0 : [value];
  if (typeof value === "number") return random.next() < 0.5 ? String(value) : value + 0.5;
  if (typeof value === "boolean") return value ? "true" : 0;
  if (Array.isArray(value)) return random.next() < 0.5 ? { ...value } : (value[0] ?? "[]");
  if (typeof value === "object" && value !== null)
    return random.next() < 0.5 ? Object.values(value) : [value];
  return {};
}
