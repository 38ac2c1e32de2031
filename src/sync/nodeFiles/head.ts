/**
 * What stands before the events of a block's line. Pure. Guarantees: a head in any order of its keys, or with blanks, is read as
 * well; as nodes write it, it is read from its bytes, since every line has one and few hold anything else that is wanted.
 */
import { isObject, readJson } from "../../protocol/decode.ts";
import { blockMs } from "./rows.ts";

interface Head {
  block: number;
  timeMs: number;
  /** Behind the `[` of the events. */
  eventsFrom: number;
}

/** How far a head can reach. */
const HEAD_MAX = 1_024;
const EVENTS = Buffer.from('"events"');
const [ZERO, NINE, OPEN_LIST] = ["0", "9", "["].map((one) => one.charCodeAt(0));
/** What stands around the values of one as nodes write it. */
const [LOCAL, TIME, NUMBER, LIST] = [
  '{"local_time":"',
  '","block_time":"',
  '","block_number":',
  ',"events":[',
].map((text) => Buffer.from(text));
const TIME_LENGTH = "2026-03-31T23:59:59.923939163".length;
const SECOND_LENGTH = "2026-03-31T23:59:59.".length;
/** Digits of a number that is exact. */
const DIGITS_MAX = 15;

/** Of the line at [from, to); null for a line of another kind. */
export function headOf(bytes: Buffer, from: number, to: number): Head | null {
  return usualHead(bytes, from) ?? parsedHead(bytes.subarray(from, to), from);
}

function usualHead(bytes: Buffer, from: number): Head | null {
  const local = from + LOCAL!.length;
  const time = local + TIME_LENGTH + TIME!.length;
  let at = time + TIME_LENGTH + NUMBER!.length;
  if (!stands(LOCAL!, bytes, from) || !stands(TIME!, bytes, time - TIME!.length)) return null;
  if (!stands(NUMBER!, bytes, at - NUMBER!.length)) return null;
  let block = 0;
  const digits = at;
  for (; bytes[at]! >= ZERO! && bytes[at]! <= NINE!; at++) block = block * 10 + bytes[at]! - ZERO!;
  const length = at - digits;
  const isNumber = length > 0 && length <= DIGITS_MAX && (length === 1 || bytes[digits] !== ZERO);
  if (!isNumber || !stands(LIST!, bytes, at)) return null;
  const timeMs = msAt(bytes, time);
  return timeMs === null ? null : { block, timeMs, eventsFrom: at + LIST!.length };
}

function stands(text: Buffer, bytes: Buffer, at: number): boolean {
  for (let n = 0; n < text.length; n++) if (bytes[at + n] !== text[n]) return false;
  return true;
}

/** The second that was read last: the lines of a file repeat it. */
const lastSecond = { text: Buffer.alloc(SECOND_LENGTH), ms: 0 };

function msAt(bytes: Buffer, at: number): number | null {
  const fraction = at + SECOND_LENGTH;
  let ms = 0;
  for (let n = 0; n < TIME_LENGTH - SECOND_LENGTH; n++) {
    const digit = bytes[fraction + n]! - ZERO!;
    if (!(digit >= 0 && digit <= 9)) return null;
    if (n < 3) ms = ms * 10 + digit;
  }
  if (!stands(lastSecond.text, bytes, at)) {
    const told = blockMs(bytes.toString("latin1", at, at + TIME_LENGTH));
    if (told === null) return null;
    bytes.copy(lastSecond.text, 0, at, fraction);
    lastSecond.ms = told - ms;
  }
  return lastSecond.ms + ms;
}

function parsedHead(line: Buffer, from: number): Head | null {
  const at = line.subarray(0, HEAD_MAX).indexOf(EVENTS);
  const open = at < 0 ? -1 : line.indexOf(OPEN_LIST!, at + EVENTS.length);
  if (open < 0) return null;
  const read = readJson(`${line.toString("utf8", 0, open)}[]}`);
  if (!("value" in read) || !isObject(read.value)) return null;
  const { block_number: block, block_time: time } = read.value;
  const timeMs = blockMs(time);
  return Number.isSafeInteger(block) && timeMs !== null
    ? { block: block as number, timeMs, eventsFrom: from + open + 1 }
    : null;
}
