/**
 * One file of a node, read as its bytes come: rows of the accounts that are wanted, and which blocks it holds. Pure.
 * Guarantees: nothing is parsed that no wanted address stands in, but for the head of each line; a line that cannot be read
 * costs itself, ends the run of blocks, and is reported; a last line without an end is not read, unless it is whole.
 * What a file holds follows from its lines; `name` helps only where these are empty.
 *
 * Lines are `{"local_time","block_time","block_number","events":[…]}`, or one event each (files without a block's number).
 */
import { readJson } from "../../protocol/decode.ts";
import { VALUE_LIMITS } from "../../protocol/limits.ts";
import type { Batch, FillRow } from "../rows.ts";
import { Addresses, type Sighting } from "./addresses.ts";
import { BlockRuns } from "./blocks.ts";
import { eachElement } from "./elements.ts";
import { headOf } from "./head.ts";
import { Lines } from "./lines.ts";
import {
  type EventKind,
  fillFromText,
  type LostEvent,
  lostFillTimesMs,
  type RowSink,
  readEvent,
} from "./rows.ts";

export interface NodeFileResult {
  lines: number;
  bytes: number;
  /** Null while no line told. */
  kind: EventKind | null;
  blocks: BlockRuns;
  /** Bytes after the last line that is whole. */
  unfinished: number;
  /** Lines that could not be read. */
  badLines: number;
  /** Events of wanted accounts for which there is no table, by their name. */
  leftOut: Record<string, number>;
}

/** Whether a content is that of a node's file, by its first lines; nothing at all may be an hour in which nothing was written. */
export async function isNodeFile(content: AsyncIterable<Buffer>): Promise<boolean> {
  const nobody = new Addresses([]);
  const reader = new NodeFileReader({ addresses: nobody, now: () => 0, onRows() {}, onLost() {} });
  for await (const piece of content) {
    reader.push(piece);
    if (reader.result.lines > 0) break;
  }
  if (reader.result.lines === 0) reader.end();
  const { lines, badLines } = reader.result;
  return badLines < lines || reader.result.bytes === 0;
}

interface Reading {
  addresses: Addresses;
  now(): number;
  onRows(batch: Batch): void;
  onLost(event: LostEvent): void;
}

const [OPEN_OBJECT, OPEN_LIST, CLOSE_LIST, CLOSE_OBJECT, COMMA] = ["{", "[", "]", "}", ","].map((one) =>
  one.charCodeAt(0),
);
const BREAK = 10;
/** Where the object stands in `["0x…",{…}]`. */
const FILL_AT = '["0x",'.length + 40;
/** A line ends with two brackets, and perhaps a few blanks. */
const CLOSED_WITHIN = 16;
/** What a line is called in quarantine of which no table is known. */
const LINE = "node";

export class NodeFileReader {
  readonly result: NodeFileResult;
  readonly #reading: Reading;
  readonly #sink: RowSink;
  readonly #lines: Lines;
  /** An event of the present line could not be read, and is no fill of which account and time are known: it may be anyone's. */
  #isOpen = false;
  /** Of the lines that are read now. */
  #fills: FillRow[] = [];

  /** `kind`: what the name says, for files without a line that says it. */
  constructor(reading: Reading, kind: EventKind | null = null, lines = new Lines()) {
    this.#reading = reading;
    this.#lines = lines;
    this.result = {
      lines: 0,
      bytes: 0,
      kind,
      unfinished: 0,
      badLines: 0,
      blocks: new BlockRuns(),
      leftOut: {},
    };
    const { addresses } = reading;
    this.#sink = {
      seenAtMs: 0,
      isWanted: (account) => addresses.has(account),
      rows: (batch) => reading.onRows(batch),
      lost: (event) => {
        if (lostFillTimesMs(event).length === 0) this.#isOpen = true;
        reading.onLost(event);
      },
      leftOut: (what) => {
        this.result.leftOut[what] = (this.result.leftOut[what] ?? 0) + 1;
      },
    };
  }

  push(chunk: Buffer): void {
    this.result.bytes += chunk.length;
    const { tooLong } = this.#lines;
    for (const whole of this.#lines.push(chunk)) this.#read(whole);
    if (this.#lines.tooLong > tooLong) this.#bad("a line that is too long", Buffer.alloc(0));
    this.result.unfinished = this.#lines.unfinished;
  }

  /** The file ends here: a last line that only lacks its break is read. */
  end(): void {
    const rest = this.#lines.rest();
    if (rest === null || !("value" in readJson(rest.toString("utf8")))) return;
    this.result.unfinished = 0;
    this.#read(rest);
  }

  #read(bytes: Buffer): void {
    this.#sink.seenAtMs = this.#reading.now();
    for (let from = 0; from < bytes.length; ) {
      const found = bytes.indexOf(BREAK, from);
      const to = found < 0 ? bytes.length : found;
      if (to > from) this.#line(bytes, from, to);
      from = to + 1;
    }
    this.#handOver();
  }

  #handOver(): void {
    if (this.#fills.length === 0) return;
    this.result.kind = "fill";
    this.#sink.rows({ fills: this.#fills });
    this.#fills = [];
  }

  /** The line at [from, to). */
  #line(bytes: Buffer, from: number, to: number): void {
    this.result.lines += 1;
    this.#isOpen = false;
    const head = bytes[from] === OPEN_OBJECT ? headOf(bytes, from, to) : null;
    if (head !== null) {
      if (!this.#events(bytes, head.eventsFrom, to) || !isClosed(bytes, from, to))
        this.#bad("a line that does not end", bytes.subarray(from, to));
      else if (this.#isOpen) this.result.blocks.break();
      else this.result.blocks.note(head.block, head.timeMs);
      return;
    }
    const line = bytes.subarray(from, to);
    // Among blocks every line has a head.
    const isEvent =
      this.result.blocks.runs.length === 0 && (line[0] === OPEN_OBJECT || line[0] === OPEN_LIST);
    if (!isEvent || !this.#alone(line)) this.#bad("a line that is no event and no block", line);
  }

  /** An event without a block is read where an address stands in it, and once to see what it is; false when it is no JSON. */
  #alone(line: Buffer): boolean {
    const { addresses } = this.#reading;
    const owners = line[0] === OPEN_LIST ? addresses.firstInLists(line, 0, line.length) : null;
    const isFill = owners?.[0]?.at === 0 && line.indexOf(CLOSE_LIST!) === line.length - 1;
    if (isFill && this.#areFills(line, owners)) return true;
    const isSeen = (owners ?? addresses.find(line)).length > 0;
    return (!isSeen && this.result.kind !== null) || this.#event(line);
  }

  /** Reads those events before `to` in which addresses stand; false where the list does not end, or one of them is no JSON. */
  #events(bytes: Buffer, eventsFrom: number, to: number): boolean {
    const { addresses } = this.#reading;
    const owners = bytes[eventsFrom] === OPEN_LIST ? addresses.firstInLists(bytes, eventsFrom, to) : null;
    if (owners !== null && this.#areFills(bytes, owners)) return true;
    const list = bytes.subarray(eventsFrom, to);
    const sightings = addresses.find(list);
    if (sightings.length === 0) return true;
    let next = 0;
    let areRead = true;
    const end = eachElement(list, 0, (begin, behind) => {
      const first = next;
      while (next < sightings.length && sightings[next]!.at < behind) next += 1;
      if (next > first && !this.#event(list.subarray(begin, behind))) areRead = false;
    });
    return end >= 0 && areRead;
  }

  /** Takes the fills of these, where all of them are of everyday shape: whatever else a fill names is not looked for. */
  #areFills(bytes: Buffer, owners: readonly Sighting[]): boolean {
    const before = this.#fills.length;
    for (const { address, at } of owners) {
      const begin = at + FILL_AT;
      const text = bytes.toString("utf8", begin, bytes.indexOf(CLOSE_LIST!, begin));
      const fill = bytes[begin - 1] === COMMA ? fillFromText(address, text, this.#sink) : null;
      if (fill === null) {
        this.#fills.length = before;
        return false;
      }
      this.#fills.push(fill);
    }
    return true;
  }

  /** False when it is no JSON. */
  #event(bytes: Buffer): boolean {
    const read = readJson(bytes.toString("utf8"));
    if (!("value" in read)) return false;
    // In the order of the file.
    this.#handOver();
    const kind = readEvent(read.value, this.#sink);
    if (kind !== "unknown") this.result.kind = kind;
    return true;
  }

  #bad(reason: string, line: Buffer): void {
    this.result.badLines += 1;
    this.result.blocks.break();
    const raw = line.toString("utf8", 0, VALUE_LIMITS.quarantineLength);
    const account = this.#reading.addresses.find(line)[0]?.address ?? null;
    this.#reading.onLost({ kind: "row", raw, reason, account, table: LINE });
  }
}

/** `…]}`. */
const isClosed = (bytes: Buffer, from: number, to: number): boolean =>
  (bytes[to - 1] === CLOSE_OBJECT && bytes[to - 2] === CLOSE_LIST) ||
  /\]\s*\}\s*$/.test(bytes.toString("latin1", Math.max(from, to - CLOSED_WITHIN), to));
