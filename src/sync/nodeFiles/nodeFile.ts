/**
 * One file of a node, read as its bytes come: rows of the accounts that are wanted, and which blocks it holds. Pure.
 * Guarantees: nothing is parsed that no wanted address stands in, but for the head of each line; a line that cannot be read
 * costs itself, ends the run of blocks, and is reported; a last line without an end is not read, unless it is whole.
 * What a file holds follows from its lines; `name` helps only where these are empty.
 *
 * Lines are `{"local_time","block_time","block_number","events":[…]}`, or one event each (files without a block's number).
 */
import { isObject, readJson } from "../../protocol/decode.ts";
import { VALUE_LIMITS } from "../../protocol/limits.ts";
import type { Batch, FillRow } from "../rows.ts";
import { toldTimesMs } from "../windowReader.ts";
import type { Addresses, Sighting } from "./addresses.ts";
import { BlockRuns } from "./blocks.ts";
import { eachElement } from "./elements.ts";
import { Lines } from "./lines.ts";
import { blockMs, type EventKind, fillFromText, type LostEvent, type RowSink, readEvent } from "./rows.ts";

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

interface Reading {
  addresses: Addresses;
  now(): number;
  onRows(batch: Batch): void;
  onLost(event: LostEvent): void;
}

/** How far the head of a line can reach: everything before its events. */
const HEAD_MAX = 1_024;
const EVENTS = Buffer.from('"events"');
const [OPEN_OBJECT, OPEN_LIST, BREAK] = ["{".charCodeAt(0), "[".charCodeAt(0), 10];
/** A line ends with two brackets, and perhaps a few blanks. */
const CLOSED_WITHIN = 16;
/** What a line is called in quarantine of which no table is known. */
const LINE = "node";

interface Head {
  block: number;
  timeMs: number;
  /** Behind the `[` of the events. */
  eventsFrom: number;
}

export class NodeFileReader {
  readonly result: NodeFileResult;
  readonly #reading: Reading;
  readonly #sink: RowSink;
  readonly #lines: Lines;
  /** An event of the present line could not be read, and does not say when it happened. */
  #isTimeLost = false;

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
        if (toldTimesMs([event]).length === 0) this.#isTimeLost = true;
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
      if (to > from) this.#line(bytes.subarray(from, to));
      from = to + 1;
    }
  }

  #line(line: Buffer): void {
    this.result.lines += 1;
    this.#isTimeLost = false;
    const head = line[0] === OPEN_OBJECT ? headOf(line) : null;
    if (head !== null) {
      if (!this.#events(line, head.eventsFrom) || !isClosed(line))
        this.#bad("a line that does not end", line);
      else if (this.#isTimeLost) this.result.blocks.break();
      else this.result.blocks.note(head.block, head.timeMs);
      return;
    }
    // Among blocks every line has a head.
    const isEvent =
      this.result.blocks.runs.length === 0 && (line[0] === OPEN_OBJECT || line[0] === OPEN_LIST);
    if (!isEvent || !this.#alone(line)) this.#bad("a line that is no event and no block", line);
  }

  /** An event without a block is read where an address stands in it, and once to see what it is; false when it is no JSON. */
  #alone(line: Buffer): boolean {
    const { addresses } = this.#reading;
    const owners = line[0] === OPEN_LIST ? addresses.firstInLists(line, 0) : null;
    const isFill = owners?.[0]?.at === 0 && line.indexOf(CLOSE_LIST) === line.length - 1;
    if (isFill && this.#areFills(line, owners)) return true;
    const isSeen = (owners ?? addresses.find(line)).length > 0;
    return (!isSeen && this.result.kind !== null) || this.#event(line);
  }

  /** Reads those events in which addresses stand; false where the line does not end, or one of them is no JSON. */
  #events(line: Buffer, eventsFrom: number): boolean {
    const { addresses } = this.#reading;
    const owners = line[eventsFrom] === OPEN_LIST ? addresses.firstInLists(line, eventsFrom) : null;
    if (owners !== null && this.#areFills(line, owners)) return true;
    const sightings = addresses.find(line);
    if (sightings.length === 0) return true;
    let next = 0;
    let areRead = true;
    const end = eachElement(line, eventsFrom, (from, to) => {
      const first = next;
      while (next < sightings.length && sightings[next]!.at < to) next += 1;
      if (next > first && !this.#event(line.subarray(from, to))) areRead = false;
    });
    return end >= 0 && areRead;
  }

  /** Takes the fills of these, where all of them are of everyday shape: whatever else a fill names is not looked for. */
  #areFills(line: Buffer, owners: readonly Sighting[]): boolean {
    const fills: FillRow[] = [];
    for (const { at } of owners) {
      const end = line.indexOf(CLOSE_LIST, at) + 1;
      const fill = fillFromText(line.toString("utf8", at, end), this.#sink);
      if (fill === null) return false;
      fills.push(fill);
    }
    if (fills.length > 0) {
      this.result.kind = "fill";
      this.#sink.rows({ fills });
    }
    return true;
  }

  /** False when it is no JSON. */
  #event(bytes: Buffer): boolean {
    const read = readJson(bytes.toString("utf8"));
    if (!("value" in read)) return false;
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

const [CLOSE_LIST, CLOSE_OBJECT] = ["]".charCodeAt(0), "}".charCodeAt(0)];

/** `…]}`. */
const isClosed = (line: Buffer): boolean =>
  (line[line.length - 1] === CLOSE_OBJECT && line[line.length - 2] === CLOSE_LIST) ||
  /\]\s*\}\s*$/.test(line.toString("latin1", Math.max(0, line.length - CLOSED_WITHIN)));

/** As nodes write it; in another order, or with blanks, it is parsed. */
const USUAL_HEAD = /^\{"local_time":"[^"]*","block_time":"([^"]*)","block_number":(\d{1,15}),"events":\[/;
/** Longer than any of these. */
const USUAL_HEAD_MAX = 192;

/** What stands before the events of a block; null for a line of another kind. */
function headOf(line: Buffer): Head | null {
  const usual = USUAL_HEAD.exec(line.toString("latin1", 0, USUAL_HEAD_MAX));
  if (usual !== null) {
    const timeMs = blockMs(usual[1]);
    return timeMs === null ? null : { block: Number(usual[2]), timeMs, eventsFrom: usual[0].length };
  }
  const at = line.subarray(0, HEAD_MAX).indexOf(EVENTS);
  const open = at < 0 ? -1 : line.indexOf(OPEN_LIST, at + EVENTS.length);
  if (open < 0) return null;
  const read = readJson(`${line.toString("utf8", 0, open)}[]}`);
  if (!("value" in read) || !isObject(read.value)) return null;
  const { block_number: block, block_time: time } = read.value;
  const timeMs = blockMs(time);
  return Number.isSafeInteger(block) && timeMs !== null
    ? { block: block as number, timeMs, eventsFrom: open + 1 }
    : null;
}
