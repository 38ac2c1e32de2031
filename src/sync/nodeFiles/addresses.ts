/**
 * Which of many addresses stand in raw bytes, before anything is parsed. Pure. Guarantees: finds every `0x` and 40 hex digits,
 * in either case, that is in the set, however the text around it is written; the cost does not depend on the number of
 * addresses. An address is `0x` and a run of exactly 40 hex digits: so it is enough to look at every fortieth byte or so. Where
 * only the first of a list is asked for, the brackets are enough, which the runtime finds many bytes at a time.
 */
import type { Address } from "../rows.ts";

const DIGITS = 40;
const X = "x".charCodeAt(0);
const ZERO = "0".charCodeAt(0);
const [QUOTE, COLON, COMMA, OPEN_LIST] = ['"', ":", ",", "["].map((one) => one.charCodeAt(0));
const BLANKS = new Set([" ", "\t", "\r", "\n"].map((one) => one.charCodeAt(0)));

/** -1 for the code of what is no hex digit. */
const HEX = new Int8Array(256).fill(-1);
for (const digit of "0123456789abcdefABCDEF") HEX[digit.charCodeAt(0)] = 0;

export interface Sighting {
  address: Address;
  /** Where its `0x` stands. */
  at: number;
}

export class Addresses {
  /** By the first seven digits: 28 bits. */
  readonly #known = new Map<number, Address[]>();
  /** One for each of the low 16 bits of that, the last four digits: it alone rules out most strangers. */
  readonly #maybe = new Uint8Array(0x1_0000);

  constructor(addresses: Iterable<Address>) {
    for (const address of addresses) {
      const key = keyAt(Buffer.from(address, "latin1"), 2);
      this.#maybe[key & 0xffff] = 1;
      const same = this.#known.get(key);
      if (same) same.push(address);
      else this.#known.set(key, [address]);
    }
  }

  has(address: Address): boolean {
    return this.#known.get(keyAt(Buffer.from(address, "latin1"), 2))?.includes(address) ?? false;
  }

  /** In the order in which they stand. Each byte that is looked at is one that the last digit of a run cannot lie before. */
  find(bytes: Buffer): Sighting[] {
    const found: Sighting[] = [];
    const length = bytes.length;
    let seen = 1;
    for (let at = DIGITS + 1; at < length; ) {
      if (HEX[bytes[at]!]! < 0) {
        seen = at;
        at += bytes[at] === X ? DIGITS : DIGITS + 2;
        continue;
      }
      // Back to where this run begins; one that holds the byte seen last has been judged.
      let before = at - 1;
      while (before > seen && HEX[bytes[before]!]! >= 0) before -= 1;
      const begin = before + 1;
      seen = at;
      const isAddress =
        bytes[before] === X &&
        bytes[before - 1] === ZERO &&
        HEX[bytes[begin + DIGITS - 1] ?? 0]! >= 0 &&
        HEX[bytes[begin + DIGITS] ?? 0]! < 0;
      const address = isAddress ? this.#at(bytes, begin) : null;
      if (address !== null) found.push({ address, at: begin - 2 });
      at += DIGITS + 1;
    }
    return found;
  }

  /**
   * Those before `to` that stand first in a list which is itself an element of one: `["0x…"` behind `[` or `,`, or where `from` is.
   * `at` is where that list begins. Null where something is written in another way, with blanks: then only `find` finds all.
   */
  firstInLists(bytes: Buffer, from: number, to: number): Sighting[] | null {
    const found: Sighting[] = [];
    for (
      let at = bytes.indexOf(OPEN_LIST!, from);
      at >= 0 && at < to;
      at = bytes.indexOf(OPEN_LIST!, at + 1)
    ) {
      const next = bytes[at + 1]!;
      if (next !== QUOTE) {
        if (BLANKS.has(next)) return null;
        continue;
      }
      if (bytes[at + 3] !== X || bytes[at + 2] !== ZERO) continue;
      const address = this.#at(bytes, at + 4);
      if (address === null || bytes[at + 4 + DIGITS] !== QUOTE) continue;
      const before = at === from ? COMMA : bytes[at - 1];
      if (before === COMMA || before === OPEN_LIST) found.push({ address, at });
      else if (before !== COLON) return null;
    }
    return found;
  }

  #at(bytes: Buffer, begin: number): Address | null {
    // Without a loop: this is asked of every event.
    const low =
      (digitOf(bytes[begin + 3]!) << 12) |
      (digitOf(bytes[begin + 4]!) << 8) |
      (digitOf(bytes[begin + 5]!) << 4) |
      digitOf(bytes[begin + 6]!);
    if (this.#maybe[low] !== 1) return null;
    const same = this.#known.get(keyAt(bytes, begin));
    if (same === undefined) return null;
    const text = `0x${bytes.toString("latin1", begin, begin + DIGITS).toLowerCase()}`;
    return same.includes(text) ? text : null;
  }
}

/** Value of a hex digit by its code, faster than by a table; of what is none, some number of four bits. */
const digitOf = (code: number): number => ((code & 15) + (code >> 6) * 9) & 15;

function keyAt(bytes: Uint8Array, begin: number): number {
  let key = 0;
  for (let at = begin; at < begin + 7; at++) key = (key << 4) | digitOf(bytes[at]!);
  return key;
}
