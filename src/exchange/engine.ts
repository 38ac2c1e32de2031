/** ClickHouse as the loader sees it: a server by URL, or the one inside an npm package. */

/**
 * ClickHouse's numbers of errors that a value causes: it cannot be parsed, is out of bounds, or a view threw. Others (no space, no
 * table, no right) are about no line.
 */
const OF_VALUES = new Set([6, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 321, 349, 395, 407]);

/** The engine refused what it was told. What passes by itself was tried again before. */
export class Refused extends Error {
  override readonly name = "Refused";
  /** A value in what was inserted is the reason. */
  readonly isOfValue: boolean;

  constructor(message: string, code: number | null, options?: ErrorOptions) {
    super(message, options);
    this.isOfValue = code !== null && OF_VALUES.has(code);
  }
}

/** As every message of ClickHouse begins. */
export function codeIn(message: string): number | null {
  const code = /\bCode: (\d+)\b/.exec(message)?.[1];
  return code === undefined ? null : Number(code);
}

export interface ClickHouse {
  /** Runs a statement that answers nothing. */
  run(sql: string): Promise<void>;
  rows<T>(sql: string): Promise<T[]>;
  /** Whole lines of text into the only column of a table. Rejects with `Refused` when one of them cannot be read. */
  insertLines(table: string, lines: Buffer): Promise<void>;
  /** Objects into a table, by the names of its columns. */
  insertRows(table: string, rows: readonly object[]): Promise<void>;
  /** What a query answers, in a format of ClickHouse. */
  read(sql: string, format: string): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

const BACKSLASH = 0x5c;

/** Lines as ClickHouse's TabSeparated has them: JSON holds neither tabs nor breaks, but it may hold backslashes. */
export function tabSeparated(lines: Buffer): Buffer {
  if (!lines.includes(BACKSLASH) && !lines.includes(9)) return lines;
  const text = lines.toString("latin1").replaceAll("\\", "\\\\").replaceAll("\t", "\\t");
  return Buffer.from(text, "latin1");
}

export const jsonLines = (rows: readonly object[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** What `JSONEachRow` answers, as objects. */
export const rowsOfLines = <T>(text: string): T[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
