/**
 * One file of a node into ClickHouse. Pure but for waiting. Guarantees: lines are handed over as they came, in bounded pieces,
 * the next one read while the last is inserted; a value that cannot be read costs its own event, which is kept in `unread` with
 * the reason; a file counts as loaded only when all of it is in; loading it again doubles nothing.
 */
import { isObject, readJson } from "../protocol/decode.ts";
import { Lines } from "../sync/nodeFiles/lines.ts";
import type { EventKind } from "../sync/nodeFiles/rows.ts";
import { LINE_TABLES, type LineKind } from "./ddl.ts";
import { type ClickHouse, Refused, withoutBlankLines } from "./engine.ts";

/** Lines of one insert, about. */
const INSERT_BYTES = 16 * 1024 * 1024;
/** More than that in one file is no odd value any more. */
export const UNREAD_MAX = 1_000;
/** Of a line, and of the reason, as they are kept. */
const KEPT_LENGTH = 65_536;
const REASON_LENGTH = 500;

interface LoadedFile {
  lines: number;
  bytes: number;
  unread: number;
  /** False where there is no table for what the file holds. */
  isWanted: boolean;
}

interface LoadDeps {
  engine: ClickHouse;
  database: string;
  signal: AbortSignal;
}

/** `kind`: what the name says; null where the first line is to say it. */
export async function loadFile(
  { path, kind, content }: { path: string; kind: EventKind | null; content: AsyncIterable<Buffer> },
  deps: LoadDeps,
): Promise<LoadedFile> {
  const loader = new Loader(path, kind, deps);
  const lines = new Lines();
  for await (const chunk of content) {
    deps.signal.throwIfAborted();
    loader.bytes += chunk.length;
    const { tooLong } = lines;
    for (const whole of lines.push(chunk)) await loader.add(whole);
    if (lines.tooLong > tooLong) await loader.lose("", "a line that is too long");
    if (!loader.isWanted) break;
  }
  // A last line that only lacks its break is whole.
  const rest = lines.rest();
  if (rest !== null && "value" in readJson(rest.toString("utf8")))
    await loader.add(Buffer.concat([rest, Buffer.from("\n")]));
  await loader.flush();
  const { lines: count, bytes, unread, isWanted } = loader;
  return { lines: count, bytes, unread, isWanted };
}

const BREAK = 10;

class Loader {
  lines = 0;
  bytes = 0;
  unread = 0;
  isWanted = true;
  readonly #path: string;
  readonly #deps: LoadDeps;
  #kind: LineKind | null;
  #pending: Buffer[] = [];
  #length = 0;
  #underWay: Promise<void> = Promise.resolve();

  constructor(path: string, kind: EventKind | null, deps: LoadDeps) {
    this.#path = path;
    this.#deps = deps;
    this.#kind = kind === "fill" || kind === "misc" ? kind : null;
    this.isWanted = kind === null || this.#kind !== null;
  }

  async add(content: Buffer): Promise<void> {
    const whole = withoutBlankLines(content);
    if (whole.length === 0) return;
    if (this.#kind === null && this.isWanted) {
      this.#kind = kindOfLines(whole);
      this.isWanted = this.#kind !== null;
    }
    if (!this.isWanted) return;
    this.#pending.push(Buffer.from(whole));
    this.#length += whole.length;
    if (this.#length >= INSERT_BYTES) await this.#insertPending();
  }

  async flush(): Promise<void> {
    await this.#insertPending();
    await this.#underWay;
  }

  async #insertPending(): Promise<void> {
    const lines = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#length = 0;
    await this.#underWay;
    if (lines.length === 0) return;
    this.lines += lineStarts(lines).length;
    this.#underWay = this.#insert(lines);
    // Told when it is waited for.
    this.#underWay.catch(() => {});
  }

  /** What is refused is tried in halves, until the one event is found that is the reason. */
  async #insert(lines: Buffer): Promise<void> {
    const { engine, database, signal } = this.#deps;
    signal.throwIfAborted();
    try {
      await engine.insertLines(`${database}.${LINE_TABLES[this.#kind!]}`, lines);
    } catch (error) {
      if (!(error instanceof Refused && error.isOfValue)) throw error;
      const parts = halves(lines);
      if (parts.length === 1) await this.lose(lines.toString("utf8").trimEnd(), error.message);
      else for (const part of parts) await this.#insert(part);
    }
  }

  async lose(line: string, reason: string): Promise<void> {
    const { engine, database } = this.#deps;
    this.unread += 1;
    if (this.unread > UNREAD_MAX)
      throw new Error(
        `more than ${UNREAD_MAX} lines and events of ${this.#path} cannot be read; the last: ${reason}`,
      );
    const row = {
      kind: this.#kind ?? "",
      path: this.#path,
      line: line.slice(0, KEPT_LENGTH),
      reason: reason.slice(0, REASON_LENGTH),
    };
    await engine.insertRows(`${database}.unread`, [row]);
  }
}

function lineStarts(lines: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 0; at < lines.length; ) {
    starts.push(at);
    const end = lines.indexOf(BREAK, at);
    at = end < 0 ? lines.length : end + 1;
  }
  return starts;
}

/** Several lines as two parts, a block of several events as its events; one part where nothing is to be divided. */
function halves(lines: Buffer): Buffer[] {
  const starts = lineStarts(lines);
  if (starts.length > 1) {
    const middle = starts[Math.floor(starts.length / 2)]!;
    return [lines.subarray(0, middle), lines.subarray(middle)];
  }
  const read = readJson(lines.toString("utf8"));
  if (!("value" in read) || !isObject(read.value)) return [lines];
  const { events, ...head } = read.value;
  if (!Array.isArray(events) || events.length < 2) return [lines];
  return events.map((event) => Buffer.from(`${JSON.stringify({ ...head, events: [event] })}\n`));
}

/** By the first line that holds an event; null for what there is no table for. */
function kindOfLines(lines: Buffer): LineKind | null {
  const text = lines.toString("utf8", 0, KEPT_LENGTH);
  if (/"inner"\s*:/.test(text)) return "misc";
  return /"closedPnl"\s*:/.test(text) ? "fill" : null;
}
