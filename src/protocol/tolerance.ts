/**
 * What a value that does not fit costs. Schemas mark it where they name the field; the marks are read only after a strict
 * parse failed, so that what fits pays nothing.
 *
 * | the value that does not fit is | costs                                               | reported as |
 * |--------------------------------|-----------------------------------------------------|-------------|
 * | `display(…)`                   | itself: absent                                      | field       |
 * | `summary(…)`                   | itself: null                                        | summary     |
 * | a key that no schema names     | itself, when it is nested too deep or too long      | field       |
 * | an entry of a record           | that entry                                          | row         |
 * | a row of a list                | that row; null keeps its place where rows may be null | row       |
 * | a whole `list(…)`              | all its rows                                        | row         |
 * | anything else                  | what it is in: the row, or the whole object         |             |
 *
 * Guarantees: `mend` never throws; the smallest thing that can be given up is given up; what it returns fits the schema.
 */
import * as z from "zod";
import { VALUE_LIMITS } from "./limits.ts";

/** A value that fits its schema, beside the venue's own object. */
export interface Read<T> {
  value: T;
  raw: unknown;
}
/** Something that could not be understood: kept for quarantine. */
export interface Unread {
  /**
   * A lost row makes its list incomplete: absence from it proves nothing. Without its summary an object says nothing in
   * total, but its lists are whole. A lost field of either is just not told.
   */
  kind: "row" | "summary" | "field";
  /** Place of a lost row in its list, where it was in one. */
  index?: number;
  raw: unknown;
  reason: string;
}
/** An object of which parts may be lost: they are in `unread`. */
export interface ReadParts<T> extends Read<T> {
  unread: Unread[];
}

/** What stands where something was lost. */
type Loss = "absent" | "lost" | "empty" | "null" | "gone";

const KINDS = { absent: "field", lost: "summary", empty: "row", null: "row", gone: "row" } as const;
const LOSSES = new WeakMap<z.core.$ZodType, Loss>();

function lossOf<S extends z.core.$ZodType>(schema: S, loss: Loss): S {
  LOSSES.set(schema, loss);
  return schema;
}

export const defOf = (schema: z.core.$ZodType) => (schema as z.core.$ZodTypes)._zod.def;

/** What the schemas made here stand for, which zod does not tell. */
type Meaning =
  | { is: "anything" }
  /** `order`: of the keys as the venue writes them, also of such that no schema names. */
  | { is: "object"; order: readonly string[] }
  | { is: "summary"; inner: z.core.$ZodType }
  | { is: "entries"; name: z.core.$ZodType; value: z.core.$ZodType };

const MEANINGS = new WeakMap<z.core.$ZodType, Meaning>();
export const meaningOf = (schema: z.core.$ZodType): Meaning | undefined => MEANINGS.get(schema);

function meaning<S extends z.core.$ZodType>(schema: S, means: Meaning): S {
  MEANINGS.set(schema, means);
  return schema;
}

/** Shown to people, but neither money nor identity. */
export const display = <S extends z.ZodType>(schema: S) => lossOf(schema.nullish(), "absent");

/** What stands for a lost summary until it is null: a null of the venue does not fit either. */
const LOST = Symbol("lost");

/** A part of an object that its lists do not need. */
export const summary = <S extends z.ZodType>(schema: S) =>
  lossOf(
    meaning(
      z.unknown().transform((value, context): z.infer<S> | null => {
        if (value === LOST) return null;
        const parsed = schema.safeParse(value);
        if (parsed.success) return parsed.data;
        for (const { path, message } of parsed.error.issues)
          context.addIssue({ code: "custom", path, message });
        return z.NEVER;
      }),
      { is: "summary", inner: schema },
    ),
    "lost",
  );

/** Rows that are read one by one. */
export const list = <S extends z.ZodType>(row: S) =>
  lossOf(z.array(z.unknown()).max(VALUE_LIMITS.rows, tooMany).pipe(z.array(row)), "empty");

const tooMany = { error: `more than ${VALUE_LIMITS.rows} rows` };

/** Values by name. */
export const entries = <S extends z.ZodType>(name: z.ZodString, value: S) =>
  meaning(
    z
      .unknown()
      .refine(
        (object) =>
          typeof object !== "object" || object === null || Object.keys(object).length <= VALUE_LIMITS.rows,
        tooMany,
      )
      .pipe(z.record(name, value)),
    { is: "entries", name, value },
  );

/** Why a value is more than is carried along, or null. Iterative: what it looks at may be nested ever so deep. */
export function excessOf(value: unknown): string | null {
  let length = 0;
  const stack: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (typeof next.value === "string") length += next.value.length;
    else if (typeof next.value === "object" && next.value !== null) {
      if (next.depth > VALUE_LIMITS.depth) return `nested deeper than ${VALUE_LIMITS.depth} levels`;
      const depth = next.depth + 1;
      if (Array.isArray(next.value) && next.value.length > VALUE_LIMITS.rawLength)
        return tooLong(VALUE_LIMITS.rawLength);
      for (const [key, inner] of Object.entries(next.value)) {
        length += key.length + 1;
        stack.push({ value: inner, depth });
      }
    }
    if (length > VALUE_LIMITS.rawLength) return tooLong(VALUE_LIMITS.rawLength);
  }
  return null;
}

const tooLong = (length: number): string => `longer than ${length} characters`;

/** Refuses what is too long, and what is nested too deep under keys that `known` does not name. */
function refuseExcess(known: object) {
  const refuse = (payload: z.core.ParsePayload, message: string, path: PropertyKey[]) =>
    payload.issues.push({ code: "custom", input: payload.value, message, path });
  return (payload: z.core.ParsePayload): void => {
    const value = payload.value as Record<string, unknown>;
    let length = 0;
    for (const key in value) {
      const inner = value[key];
      if (typeof inner === "string") {
        length += inner.length;
        if (inner.length > VALUE_LIMITS.textLength && Object.hasOwn(known, key))
          refuse(payload, tooLong(VALUE_LIMITS.textLength), [key]);
        else if (inner.length > VALUE_LIMITS.rawLength)
          refuse(payload, tooLong(VALUE_LIMITS.rawLength), [key]);
      } else if (typeof inner === "object" && inner !== null && !Object.hasOwn(known, key)) {
        const message = excessOf(inner);
        if (message !== null) refuse(payload, message, [key]);
      }
      length += key.length;
    }
    if (length > VALUE_LIMITS.rawLength && payload.issues.length === 0)
      refuse(payload, tooLong(VALUE_LIMITS.rawLength), []);
  };
}

/** Anything, within limits. */
export const anything = meaning(
  z.unknown().superRefine((value, context) => {
    const message = excessOf(value);
    if (message !== null) context.addIssue({ code: "custom", message });
  }),
  { is: "anything" },
);

/**
 * An object as the venue sends it: keys that the schema does not name are kept, within limits. `order` is that in which the
 * venue writes the keys, where it is another one.
 */
export const object = <S extends z.ZodRawShape>(shape: S, order: readonly string[] = Object.keys(shape)) =>
  meaning(z.looseObject(shape).check(refuseExcess(shape)), { is: "object", order });

// --- what did not fit -----------------------------------------------------------------------------------------------

type Path = readonly PropertyKey[];
interface Lost {
  path: Path;
  loss: Loss;
  kind: Unread["kind"];
  message: string;
}

/** Parts that show what is wrong only when others are gone. */
const PASSES = 4;

/**
 * `raw` without what does not fit, or null when nothing else is left. `excerpt` names in a lost field's report what the
 * field was of, so that a state that is pushed every few seconds is the same report every time.
 */
export function mend<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  error: z.ZodError,
  excerpt = true,
): ReadParts<T> | null {
  const unread: Unread[] = [];
  let value = raw;
  let issues: readonly z.core.$ZodIssue[] = error.issues;
  for (let pass = 0; pass < PASSES; pass++) {
    const lost = lostBy(schema, issues);
    if (lost === null) return null;
    for (const { path, kind, message } of lost) {
      unread.push({
        kind,
        raw: kind !== "row" && !excerpt ? raw : quoted(value, path, kind),
        reason: message,
      });
    }
    value = without(value, lost);
    const parsed = schema.safeParse(value);
    // The venue's own object, unless it holds more than is carried along.
    if (parsed.success) return { value: parsed.data, raw: excessOf(raw) === null ? raw : value, unread };
    issues = parsed.error.issues;
  }
  return null;
}

/** What the issues cost, each part once and nothing inside a row that is lost; null when they cost the whole. */
function lostBy(schema: z.core.$ZodType, issues: readonly z.core.$ZodIssue[]): Lost[] | null {
  const lost = new Map<string, Lost>();
  for (const issue of issues) {
    const found = lossAt(schema, issue.path);
    if (found === null) return null;
    const key = JSON.stringify(found.path);
    if (lost.has(key)) continue;
    const row = found.path.findLastIndex((part) => typeof part === "number") + 1;
    const where = issue.path.slice(row).join(".");
    lost.set(key, {
      ...found,
      message: where === "" ? issue.message : `${where}: ${issue.message}`,
    });
  }
  const isInside = ({ path }: Lost): boolean =>
    path.some((_, length) => length > 0 && lost.has(JSON.stringify(path.slice(0, length))));
  return [...lost.values()].filter((one) => !isInside(one));
}

/** The smallest part around `path` that can be given up. */
function lossAt(root: z.core.$ZodType, path: Path): Pick<Lost, "path" | "loss" | "kind"> | null {
  let schema = root;
  let found: Pick<Lost, "path" | "loss" | "kind"> | null = null;
  for (let at = 0; ; at++) {
    for (let inner: z.core.$ZodType | null = schema; inner !== null; inner = insideOf(inner)) {
      schema = inner;
      const loss = LOSSES.get(inner);
      if (loss) found = { path: path.slice(0, at), loss, kind: KINDS[loss] };
    }
    if (at === path.length) return found;
    const next = path.slice(0, at + 1);
    const def = defOf(schema);
    if (def.type === "object") {
      const key = String(path[at]);
      const inner = Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
      if (inner === undefined) return { path: next, loss: "absent", kind: "field" };
      schema = inner;
    } else if (def.type === "array") {
      found = { path: next, loss: isNullable(def.element) ? "null" : "gone", kind: "row" };
      schema = def.element;
    } else if (def.type === "record") return { path: next, loss: "absent", kind: "row" };
    else if (def.type === "tuple") {
      const inner = def.items[Number(path[at])] ?? def.rest;
      if (!inner) return found;
      schema = inner;
    } else return found;
  }
}

const isNullable = (schema: z.core.$ZodType): boolean => defOf(schema).type === "nullable";

/** What a schema wraps; null when it wraps nothing. */
function insideOf(schema: z.core.$ZodType): z.core.$ZodType | null {
  const def = defOf(schema);
  if (def.type === "optional" || def.type === "nullable") return def.innerType;
  if (def.type !== "pipe") return null;
  return defOf(def.out).type === "transform" ? def.in : def.out;
}

type Container = Record<PropertyKey, unknown>;
const isContainer = (value: unknown): value is Container => typeof value === "object" && value !== null;

const partAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, key) => (isContainer(inner) ? inner[key] : undefined), value);

/** What was lost, as it is reported: a row, or a field and whose it was. */
function quoted(value: unknown, path: Path, kind: Unread["kind"]): unknown {
  const key = path.at(-1);
  if (kind === "row" && typeof key === "number") return partAt(value, path);
  const owner = partAt(value, path.slice(0, -1));
  const { coin, name } = isContainer(owner) ? owner : {};
  const named = typeof coin === "string" ? { coin } : typeof name === "string" ? { name } : {};
  return { ...named, [String(key)]: partAt(value, path) };
}

const GONE = Symbol("gone");

/** A copy without these parts; what is not on their paths is shared. */
function without(value: unknown, lost: readonly Lost[]): unknown {
  const copies = new Set<unknown>();
  const copyOf = (inner: unknown): unknown => {
    if (!isContainer(inner) || copies.has(inner)) return inner;
    const copy = Array.isArray(inner) ? [...inner] : { ...inner };
    copies.add(copy);
    return copy;
  };
  const root = { value: copyOf(value) };
  for (const { path, loss } of lost) {
    let owner: unknown = root;
    for (const key of ["value", ...path.slice(0, -1)]) {
      if (!isContainer(owner)) break;
      owner[key] = copyOf(owner[key]);
      owner = owner[key];
    }
    if (!isContainer(owner)) continue;
    const key = path.at(-1)!;
    if (loss === "absent") delete owner[key];
    else owner[key] = { lost: LOST, empty: [], null: null, gone: GONE }[loss];
  }
  for (const copy of copies) {
    if (!Array.isArray(copy)) continue;
    const kept = copy.filter((row) => row !== GONE);
    if (kept.length < copy.length) copy.splice(0, copy.length, ...kept);
  }
  return root.value;
}
