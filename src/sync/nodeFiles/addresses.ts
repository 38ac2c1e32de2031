/**
 * Which of many addresses stand in raw bytes, before anything is parsed. Pure. Guarantees: finds every `0x` and 40 hex digits,
 * in either case, that is in the set, however the text around it is written; the cost does not depend on the number of
 * addresses. An address is a run of exactly 40 hex digits: so it is enough to look at every fortieth byte.
 */
import type { Address } from "../events.ts";

const DIGITS = 40;
const X = "x".charCodeAt(0);
const ZERO = "0".charCodeAt(0);

/** Value of a hex digit by its code; -1 for what is none. */
const HEX = new Int8Array(256).fill(-1);
for (const [value, digit] of [..."0123456789abcdef"].entries()) {
  HEX[digit.charCodeAt(0)] = value;
  HEX[digit.toUpperCase().charCodeAt(0)] = value;
}

export interface Sighting {
  address: Address;
  /** Where its `0x` stands. */
  at: number;
}

export class Addresses {
  /** By the first seven digits: 28 bits. */
  readonly #known = new Map<number, Address[]>();
  /** One bit for each of the low 16 bits of that: most strangers are told by it alone. */
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

  /** In the order in which they stand. */
  find(bytes: Buffer): Sighting[] {
    const found: Sighting[] = [];
    const length = bytes.length;
    // The last byte that the next run of 40 digits can begin before or at is looked at first, then backwards.
    let end = DIGITS + 1;
    let begin = 2;
    while (end < length) {
      let at = end;
      while (at >= begin && HEX[bytes[at]!]! >= 0) at -= 1;
      if (at >= begin) {
        // No run of 40 can hold this byte.
        begin = at + 1;
        end = at + DIGITS;
        continue;
      }
      // Digits from `begin` to `end`.
      let after = end + 1;
      while (after < length && HEX[bytes[after]!]! >= 0) after += 1;
      const isAddress = after - begin === DIGITS && bytes[begin - 1] === X && bytes[begin - 2] === ZERO;
      if (isAddress) {
        const address = this.#at(bytes, begin);
        if (address !== null) found.push({ address, at: begin - 2 });
      }
      begin = after + 1;
      end = after + DIGITS;
    }
    return found;
  }

  #at(bytes: Buffer, begin: number): Address | null {
    const key = keyAt(bytes, begin);
    if (this.#maybe[key & 0xffff] === 0) return null;
    const same = this.#known.get(key);
    if (same === undefined) return null;
    const text = `0x${bytes.toString("latin1", begin, begin + DIGITS).toLowerCase()}`;
    return same.includes(text) ? text : null;
  }
}

function keyAt(bytes: Uint8Array, begin: number): number {
  let key = 0;
  for (let at = begin; at < begin + 7; at++) key = (key << 4) | HEX[bytes[at]!]!;
  return key;
}
