/**
 * Frames read from their text by regular expressions made from the schemas, in half the time of `JSON.parse`: an expression
 * checks every field, and what it finds is the value. The venue writes the keys of an object in one order, without spaces.
 *
 * Guarantees: what is read is what the schema reads of the parsed text, absent fields being null; texts with escapes, keys
 * in another order or twice, and whatever else is not seen every day is declined. Linear: each part of an expression
 * begins with a character of its own.
 */
import type { z } from "zod";
import { DECIMAL } from "../runtime/decimal.ts";
import { JsonText } from "../runtime/jsonText.ts";
import { VALUE_LIMITS } from "./limits.ts";
import { defOf, meaningOf, type Read } from "./tolerance.ts";

/** Without escapes: what stands between the quotes is the text. Surrogates, which may be halves, are escaped when written. */
export const TEXT = String.raw`[^"\\\x00-\x1f\ud800-\udfff]*`;
export const NUMERAL = DECIMAL.source.slice(1, -1).replaceAll("(", "(?:");
const INTEGER = String.raw`0|-?[1-9]\d*`;

/** Any value, nested so often. Its numbers are exact. */
function valueSource(depth: number): string {
  const plain = String.raw`"${TEXT}"|0|-?[1-9]\d{0,14}(?!\d)|true|false|null`;
  if (depth === 0) return String.raw`(?:${plain}|\[\])`;
  const inner = valueSource(depth - 1);
  const member = String.raw`"[A-Za-z]\w*":${inner}`;
  return String.raw`(?:${plain}|\[(?:${inner}(?:,${inner})*)?\]|\{(?:${member}(?:,${member})*)?\})`;
}
/** An order may have children, whose own are none. */
const VALUE = valueSource(2);

interface Part {
  source: string;
  /** JavaScript of what was found. */
  value: string;
}

/** Makes the expression of a schema, and the JavaScript that makes the value of a match. */
class PatternCode {
  #groups = 0;
  readonly #lines: string[] = [];

  assemble<T>(value: string): (match: RegExpExecArray) => T | null {
    const body = `"use strict"; return (m) => { ${this.#lines.join(" ")} return ${value}; };`;
    return new Function("integerOf", body)(integerOf);
  }

  /** The members of an object, in the order of its schema; others may follow where `isWhole`. None where it lacks. */
  members(schema: z.core.$ZodType, isWhole: boolean, mayLack = false): Part {
    const def = defOf(schema);
    const meaning = meaningOf(schema);
    if (def.type !== "object" || meaning?.is !== "object") throw new TypeError(`no object: ${def.type}`);
    const { order } = meaning;
    const isOptional = (key: string) =>
      def.shape[key] === undefined || defOf(def.shape[key]).type === "optional";
    const first = Math.max(
      0,
      order.findIndex((key) => !isOptional(key)),
    );
    const values: string[] = [];
    const sources = order.map((key, index) => {
      const { source, value } = def.shape[key]
        ? this.#member(def.shape[key], mayLack)
        : { source: VALUE, value: null };
      if (value !== null) values.push(`${key}: ${value}`);
      const named = index < first ? `"${key}":${source},` : `${index > first ? "," : ""}"${key}":${source}`;
      return index !== first && isOptional(key) ? `(?:${named})?` : named;
    });
    const others = String.raw`(?:,"(?!(?:${order.join("|")})")[A-Za-z]\w*":${VALUE})*`;
    return { source: sources.join("") + (isWhole ? others : ""), value: `{ ${values.join(", ")} }` };
  }

  #member(schema: z.core.$ZodType, mayLack: boolean): Part {
    const meaning = meaningOf(schema);
    if (meaning?.is === "summary") return this.#member(meaning.inner, mayLack);
    const def = defOf(schema);
    if (def.type === "optional") return this.#member(def.innerType, true);
    if (def.type === "nullable") {
      const { source, value } = this.#member(def.innerType, true);
      return { source: `(?:null|${source})`, value };
    }
    if (def.type === "object") {
      if (!mayLack) {
        const { source, value } = this.members(schema, true);
        return { source: String.raw`\{${source}\}`, value };
      }
      // Of one whose keys are not known the whole counts: it is read when it lacks.
      if (Object.keys(def.shape).length === 0) return { source: "null", value: "null" };
      this.#groups += 1;
      const found = `m[${this.#groups}]`;
      const { source, value } = this.members(schema, true, true);
      return { source: String.raw`(\{${source}\})`, value: `${found} === undefined ? null : ${value}` };
    }
    this.#groups += 1;
    return this.#scalar(def, `m[${this.#groups}]`, `v${this.#groups}`, mayLack);
  }

  #scalar(def: z.core.$ZodTypes["_zod"]["def"], found: string, name: string, mayLack: boolean): Part {
    const line = (made: string) => {
      this.#lines.push(`const ${name} = ${mayLack ? `${found} === undefined ? null : ` : ""}${made};`);
    };
    const refuse = (condition: string) => {
      this.#lines.push(`if (${mayLack ? `${name} !== null && ` : ""}(${condition})) return null;`);
    };
    switch (def.type) {
      case "boolean":
        line(`${found} === "true"`);
        return { source: "(true|false)", value: name };
      case "enum":
        line(found);
        return { source: `"(${oneOf(Object.values(def.entries).map(String))})"`, value: name };
      case "string": {
        const [check, ...more] = def.checks ?? [];
        const isDecimal =
          check !== undefined && "pattern" in check._zod.def && check._zod.def.pattern === DECIMAL;
        if (more.length > 0 || (check !== undefined && !isDecimal))
          throw new TypeError("a text with a check");
        line(found);
        refuse(`${name}.length > ${VALUE_LIMITS.textLength}`);
        return { source: `"(${isDecimal ? NUMERAL : TEXT})"`, value: name };
      }
      case "number": {
        line(`integerOf(${found})`);
        const [from, to] = rangeOf(def as z.core.$ZodNumberFormatDef);
        refuse(`${name} < ${from} || ${name} > ${to}`);
        return { source: `(${INTEGER})`, value: name };
      }
    }
    throw new TypeError(`a part without a pattern: ${def.type}`);
  }
}

const oneOf = (words: readonly string[]): string =>
  words.every((word) => /^\w$/.test(word)) ? `[${words.join("")}]` : words.join("|");

/** Of integers that are exact. */
function rangeOf({ format, checks = [] }: z.core.$ZodNumberFormatDef): [number, number] {
  const limit = format === "int32" ? VALUE_LIMITS.int32 : Number.MAX_SAFE_INTEGER;
  let [from, to] = [format === "int32" ? -limit - 1 : -limit, limit];
  for (const check of checks) {
    const { def } = (check as unknown as z.core.$ZodChecks)._zod;
    if (def.check === "greater_than" && def.inclusive) from = Math.max(from, Number(def.value));
    else if (def.check === "less_than" && def.inclusive) to = Math.min(to, Number(def.value));
    else throw new TypeError(`a number with a check: ${def.check}`);
  }
  return [from, to];
}

const literal = (text: string): string => text.replace(/[[{}]/g, String.raw`\$&`);

/** Where an object of a schema stands, or some members of a larger one. */
export class TextPattern<T> {
  readonly #pattern: RegExp;
  readonly #make: (match: RegExpExecArray) => T | null;
  /** What was read last, and where it ends. */
  text = "";
  end = 0;

  /** `end`: what follows the members instead of the brace, where the object goes on; `begin`: what stands before them. */
  constructor(schema: z.ZodType<T>, { begin = "{", end = "}" } = {}) {
    const code = new PatternCode();
    const { source, value } = code.members(schema, end === "}" && begin === "{");
    this.#pattern = new RegExp(literal(begin) + source + literal(end), "y");
    this.#make = code.assemble(value);
  }

  read(text: string, at: number): T | null {
    this.#pattern.lastIndex = at;
    const match = this.#pattern.exec(text);
    if (match === null) return null;
    this.text = match[0];
    this.end = at + this.text.length;
    return this.text.length > VALUE_LIMITS.rawLength ? null : this.#make(match);
  }
}

/** A text that is read from left to right. */
export class TextScan {
  readonly text: string;
  #at: number;

  constructor(text: string, at: number) {
    this.text = text;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  /** Whether `literal` comes next; then it is passed. */
  skip(literal: string): boolean {
    if (!this.text.startsWith(literal, this.#at)) return false;
    this.#at += literal.length;
    return true;
  }

  /** Whether `literal` is all that is left. */
  endsWith(literal: string): boolean {
    return this.skip(literal) && this.#at === this.text.length;
  }

  value<T>(pattern: TextPattern<T>): T | null {
    const value = pattern.read(this.text, this.#at);
    if (value !== null) this.#at = pattern.end;
    return value;
  }

  one<T>(pattern: TextPattern<T>): Read<T> | null {
    const value = this.value(pattern);
    return value === null ? null : { value, raw: new JsonText(pattern.text) };
  }

  /** The groups of a sticky expression. */
  match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const match = expression.exec(this.text);
    if (match !== null) this.#at += match[0].length;
    return match;
  }

  /** A list behind its bracket, which is passed at the end. */
  rows<T>(pattern: TextPattern<T>): Read<T>[] | null {
    return this.list(() => this.one(pattern));
  }

  /** The same, where what the venue wrote is of no use. */
  values<T>(pattern: TextPattern<T>): T[] | null {
    return this.list(() => this.value(pattern));
  }

  /** The same, each read by `next`, which says null for one that it cannot read. */
  list<R>(next: () => R | null): R[] | null {
    const rows: R[] = [];
    if (this.skip("]")) return rows;
    for (;;) {
      const row = next();
      if (row === null || rows.length === VALUE_LIMITS.rows) return null;
      rows.push(row);
      const code = this.text.charCodeAt(this.#at++);
      if (code === CLOSING) return rows;
      if (code !== COMMA) return null;
    }
  }
}

const [COMMA, MINUS, ZERO, CLOSING] = [44, 45, 48, 93];

/** In a fraction of the time of `Number`. Inexact beyond what is exact, which is refused then. */
function integerOf(digits: string): number {
  const isNegative = digits.charCodeAt(0) === MINUS;
  let integer = 0;
  for (let at = isNegative ? 1 : 0; at < digits.length; at++)
    integer = integer * 10 + (digits.charCodeAt(at) - ZERO);
  return isNegative ? -integer : integer;
}
