/** Finding addresses in raw bytes, held against a plain search. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seededRandom } from "../../../../src/runtime/random.ts";
import { Addresses } from "../../../../src/sync/nodeFiles/addresses.ts";

const random = seededRandom(7);
const below = (n: number): number => Math.floor(random.next() * n);
const hex = (n: number): string => Array.from({ length: n }, () => below(16).toString(16)).join("");
const [A, B] = [`0x${hex(40)}`, `0x${hex(40)}`];

const found = (text: string, ...addresses: string[]) =>
  new Addresses(addresses).find(Buffer.from(text)).map(({ address, at }) => [address, at]);

describe("addresses in raw bytes", () => {
  it("are found wherever they stand", () => {
    for (let before = 0; before < 130; before++) {
      const text = `${" ".repeat(before)}${A} ${B}`;
      assert.deepEqual(found(text, B, A), [
        [A, before],
        [B, before + 43],
      ]);
    }
  });

  it("are found in either case, and touching digits or ends", () => {
    assert.deepEqual(found(`0x${A.slice(2).toUpperCase()}`, A), [[A, 0]]);
    assert.deepEqual(found(`abc"${A}","${"f".repeat(200)}`, A), [[A, 4]]);
    assert.deepEqual(found(`${A}"${A}`, A), [
      [A, 0],
      [A, 43],
    ]);
  });

  it("are no part of a longer or shorter run, and not without 0x", () => {
    const digits = A.slice(2);
    const text = `"${A}0" "0x${"0".repeat(24)}${digits}" "${A.slice(0, -1)}" "${digits}" "1x${digits}"`;
    assert.deepEqual(found(text, A), []);
  });

  it("share their first digits with strangers", () => {
    const near = `${A.slice(0, 12)}${hex(30)}`;
    assert.deepEqual(found(`["${near}",{}],["${A}",{}]`, A), [[A, 52]]);
    assert.equal(found(`["${near}",{}],["${A}",{}]`, A, near).length, 2);
  });

  it("as a plain search finds them, in any text", () => {
    const known = Array.from({ length: 50 }, () => `0x${hex(40)}`);
    for (let round = 0; round < 200; round++) {
      const parts = Array.from({ length: 60 }, () => {
        const pick = random.next();
        if (pick < 0.3) return known[below(known.length)]!;
        if (pick < 0.5) return `0x${hex(64)}`;
        if (pick < 0.6) return `0x${hex(32 + below(12))}`;
        return pick < 0.8 ? `"px":"${below(1e6)}.5"` : `{"a":[${hex(3)}`;
      });
      const text = parts.join(['","', " ", '"', ":"][round % 4]);
      const plain = [...text.matchAll(/0x([0-9a-f]+)/g)]
        .filter(([, digits]) => digits!.length === 40 && known.includes(`0x${digits}`))
        .map((match) => [match[0], match.index]);
      assert.deepEqual(found(text, ...known), plain);
    }
  });
});
