/**
 * The strict reading of a schema, compiled: whether a value fits as it is, without a copy of it. The code is made from the
 * schema, which stays the only description of a shape.
 *
 * Guarantees: accepts nothing that the schema refuses, and nothing that it would change but by a transform of the whole, which
 * is applied. What is not accepted here may still fit: zod has the last word. A schema with a part that is not known here
 * accepts nothing.
 */
import type { z } from "zod";
import { DECIMAL, isDecimal } from "../runtime/decimal.ts";
import { VALUE_LIMITS } from "./limits.ts";
import { defOf, excessOf, meaningOf } from "./tolerance.ts";

/** What the schema makes of a value that fits; undefined otherwise. */
type Strict<T> = (data: unknown) => T | undefined;

const compiled = new WeakMap<z.core.$ZodType, Strict<unknown>>();

export function strictly<T>(schema: z.ZodType<T>): Strict<T> {
  let strict = compiled.get(schema);
  if (strict === undefined) {
    strict = compile(schema);
    compiled.set(schema, strict);
  }
  return strict as Strict<T>;
}

function compile(schema: z.core.$ZodType): Strict<unknown> {
  const def = defOf(schema);
  const outer = def.type === "pipe" && meaningOf(schema) === undefined ? defOf(def.out) : null;
  const transform = outer?.type === "transform" ? outer.transform : null;
  const code = new Code();
  try {
    const fits = code.assemble(code.check(def.type === "pipe" && transform ? def.in : schema, "data"));
    if (transform === null) return (data) => (fits(data) ? data : undefined);
    return (data) => (fits(data) ? transform(data, { value: data, issues: [] }) : undefined);
  } catch (error) {
    if (error instanceof UnknownPart) return () => undefined;
    throw error;
  }
}

/** The schema has a part whose meaning is not known here. */
class UnknownPart extends Error {}

/** JavaScript that leaves with `return false` where a value does not fit. */
class Code {
  /** What the code refers to, by name. */
  readonly #given = new Map<string, unknown>([
    ["isDecimal", isDecimal],
    ["excessOf", excessOf],
  ]);
  #names = 0;

  assemble(body: string): (data: unknown) => boolean {
    const make = new Function(
      ...this.#given.keys(),
      `"use strict"; return (data) => { ${body} return true; };`,
    );
    return make(...this.#given.values());
  }

  check(schema: z.core.$ZodType, value: string): string {
    const meaning = meaningOf(schema);
    if (meaning?.is === "summary") return this.check(meaning.inner, value);
    if (meaning?.is === "anything") return refuse(`excessOf(${value}) !== null`);
    if (meaning?.is === "entries") return this.#entries(meaning, value);
    const def = defOf(schema);
    switch (def.type) {
      case "unknown":
        return "";
      case "boolean":
        return refuse(`typeof ${value} !== "boolean"`);
      case "enum":
        return refuse(
          Object.values(def.entries)
            .map((one) => `${value} !== ${JSON.stringify(one)}`)
            .join(" && "),
        );
      case "string":
        return refuse(`typeof ${value} !== "string"`) + this.#checks(def.checks, value);
      case "number":
        return this.#number(def as z.core.$ZodNumberFormatDef, value) + this.#checks(def.checks, value);
      case "optional":
      case "nullable": {
        const absent = def.type === "optional" ? "undefined" : "null";
        return `if (${value} !== ${absent}) { ${this.check(def.innerType, value)} }`;
      }
      case "pipe":
        return this.check(def.in, value) + this.check(def.out, value);
      case "array":
        return this.#array(def.element, value) + this.#checks(def.checks, value);
      case "tuple":
        return this.#tuple(def.items, def.rest, value);
      case "object":
        if (meaning?.is === "object") return this.#object(def.shape, value);
    }
    throw new UnknownPart(def.type);
  }

  #number({ format }: z.core.$ZodNumberFormatDef, value: string): string {
    if (format === "safeint") return refuse(`!Number.isSafeInteger(${value})`);
    if (format === "int32") return refuse(`typeof ${value} !== "number" || (${value} | 0) !== ${value}`);
    throw new UnknownPart(format);
  }

  #checks(checks: readonly z.core.$ZodCheck<never>[] | undefined, value: string): string {
    return (checks ?? [])
      .map((check) => this.#limit((check as unknown as z.core.$ZodChecks)._zod.def, value))
      .join("");
  }

  #limit(def: z.core.$ZodChecks["_zod"]["def"], value: string): string {
    if (def.check === "greater_than" && def.inclusive) return refuse(`${value} < ${def.value}`);
    if (def.check === "less_than" && def.inclusive) return refuse(`${value} > ${def.value}`);
    if (def.check === "max_length") return refuse(`${value}.length > ${def.maximum}`);
    if (def.check === "min_length") return refuse(`${value}.length < ${def.minimum}`);
    if (def.check === "string_format" && def.format === "regex" && "pattern" in def && def.pattern) {
      if (def.pattern === DECIMAL) return refuse(`!isDecimal(${value})`);
      return refuse(`!${this.#give(def.pattern)}.test(${value})`);
    }
    throw new UnknownPart(def.check);
  }

  #array(element: z.core.$ZodType, value: string): string {
    const [index, inner] = [this.#name("i"), this.#name("e")];
    const body = this.check(element, inner);
    const each = `for (let ${index} = 0; ${index} < ${value}.length; ${index}++) { const ${inner} = ${value}[${index}]; ${body} }`;
    return refuse(`!Array.isArray(${value})`) + (body === "" ? "" : each);
  }

  #tuple(items: readonly z.core.$ZodType[], rest: z.core.$ZodType | null, value: string): string {
    if (rest !== null && defOf(rest).type !== "unknown") throw new UnknownPart("rest");
    const wrong = rest === null ? "!==" : "<";
    const parts = items.map((item, index) => this.#inner(item, `${value}[${index}]`));
    return refuse(`!Array.isArray(${value}) || ${value}.length ${wrong} ${items.length}`) + parts.join("");
  }

  /** As `object` of `tolerance.ts` says. */
  #object(shape: Readonly<Record<string, z.core.$ZodType>>, value: string): string {
    const known = this.#give(shape);
    const [key, inner, length] = [this.#name("k"), this.#name("v"), this.#name("l")];
    const { textLength, rawLength } = VALUE_LIMITS;
    const parts = Object.entries(shape).map(([name, part]) =>
      this.#inner(part, `${value}[${JSON.stringify(name)}]`),
    );
    return [
      refuse(`typeof ${value} !== "object" || ${value} === null || Array.isArray(${value})`),
      ...parts,
      `let ${length} = 0;`,
      `for (const ${key} in ${value}) { const ${inner} = ${value}[${key}]; ${length} += ${key}.length;`,
      `if (typeof ${inner} === "string") { ${length} += ${inner}.length;`,
      refuse(`${inner}.length > ${textLength} && Object.hasOwn(${known}, ${key})`),
      `} else if (typeof ${inner} === "object" && ${inner} !== null) {`,
      refuse(`!Object.hasOwn(${known}, ${key}) && excessOf(${inner}) !== null`),
      "} }",
      refuse(`${length} > ${rawLength}`),
    ].join(" ");
  }

  #entries({ name, value: one }: { name: z.core.$ZodType; value: z.core.$ZodType }, value: string): string {
    const [key, inner, count] = [this.#name("k"), this.#name("v"), this.#name("n")];
    return [
      refuse(`typeof ${value} !== "object" || ${value} === null || Array.isArray(${value})`),
      `let ${count} = 0;`,
      `for (const ${key} in ${value}) { const ${inner} = ${value}[${key}]; ${count}++;`,
      this.check(name, key),
      this.check(one, inner),
      "}",
      refuse(`${count} > ${VALUE_LIMITS.rows}`),
    ].join(" ");
  }

  #inner(schema: z.core.$ZodType, expression: string): string {
    const name = this.#name("v");
    const body = this.check(schema, name);
    return body === "" ? "" : `{ const ${name} = ${expression}; ${body} }`;
  }

  #give(value: unknown): string {
    const name = this.#name("given");
    this.#given.set(name, value);
    return name;
  }

  #name(letter: string): string {
    this.#names += 1;
    return `${letter}${this.#names}`;
  }
}

const refuse = (condition: string): string => `if (${condition}) return false; `;
