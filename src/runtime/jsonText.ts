/**
 * A JSON value that is kept as the text it came as, to be written down again without having been parsed. Guarantees: stringifies
 * like the value itself; `stringify` copies the text as it is.
 */

/** Where a text belongs, while `stringify` collects them. */
const MARK = "\u0001json text\u0001";
const WRITTEN_MARK = JSON.stringify(MARK);
let collected: string[] | null = null;

export class JsonText {
  /** Valid JSON without needless spaces or escapes, each key once. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): unknown {
    if (collected === null) return JSON.parse(this.text);
    collected.push(this.text);
    return MARK;
  }
}

/** The value behind a text; any other value is itself. */
export const parsed = (value: unknown): unknown =>
  value instanceof JsonText ? JSON.parse(value.text) : value;

/** `JSON.stringify`, with the texts in it copied. */
export function stringify(value: unknown): string {
  if (value instanceof JsonText) return value.text;
  let written: string;
  const texts: string[] = [];
  collected = texts;
  try {
    written = JSON.stringify(value);
  } finally {
    collected = null;
  }
  if (texts.length === 0) return written;
  const parts = written.split(WRITTEN_MARK);
  // Somebody's text looks like our mark.
  if (parts.length !== texts.length + 1) return JSON.stringify(value);
  return parts.map((part, index) => part + (texts[index] ?? "")).join("");
}
