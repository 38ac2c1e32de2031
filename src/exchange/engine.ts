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
  /** Whole lines of text into the only column of a table, blank ones left out. Rejects with `Refused` when one of them cannot be read. */
  insertLines(table: string, lines: Buffer): Promise<void>;
  /** Objects into a table, by the names of its columns. */
  insertRows(table: string, rows: readonly object[]): Promise<void>;
  /** What a query answers, in a format of ClickHouse. */
  read(sql: string, format: string): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

const [TAB, BREAK, RETURN, BLANK, BACKSLASH] = [9, 10, 13, 32, 0x5c];

/** Lines but for those that hold nothing. ClickHouse in a folder ends the data at an empty one, and runs what follows as SQL. */
export function withoutBlankLines(lines: Buffer): Buffer {
  const kept: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf(BREAK, at);
    const next = end < 0 ? lines.length : end + 1;
    if (isBlank(lines, at, next)) {
      kept.push(lines.subarray(from, at));
      from = next;
    }
    at = next;
  }
  return from === 0 ? lines : Buffer.concat([...kept, lines.subarray(from)]);
}

function isBlank(lines: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = lines[at];
    if (byte !== BLANK && byte !== TAB && byte !== RETURN && byte !== BREAK) return false;
  }
  return true;
}

/**
 * Lines as ClickHouse's TabSeparated has them, the only way into an insert of lines, so without blank ones: JSON holds neither
 * tabs nor breaks, but it may hold backslashes.
 */
export function tabSeparated(content: Buffer): Buffer {
  const lines = withoutBlankLines(content);
  if (!lines.includes(BACKSLASH) && !lines.includes(TAB)) return lines;
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
