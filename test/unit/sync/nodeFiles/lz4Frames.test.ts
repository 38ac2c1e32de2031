/** LZ4 frames, packed by the `lz4` program, unpacked by ours. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BrokenArchive, lz4Content } from "../../../../src/sync/nodeFiles/lz4Frames.ts";
import { packed, withoutLz4 } from "../../../support/nodeFiles.ts";

/** Texts that repeat over the borders of blocks, so that blocks refer to the ones before. */
const text = Array.from(
  { length: 20_000 },
  (_, i) => `${(i * 2_654_435_761).toString(36)} all the same ${i % 97}\n`,
);
const content = Buffer.from(text.join("").repeat(8));

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function unpack(bytes: Buffer, size = 65_537): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of lz4Content(pieces(bytes, size))) blocks.push(Buffer.from(block));
  return Buffer.concat(blocks);
}

/** What came before it broke off, and in which words it did. */
async function broken(bytes: Buffer): Promise<[Buffer, string]> {
  const blocks: Buffer[] = [];
  try {
    for await (const block of lz4Content(pieces(bytes, 65_537))) blocks.push(Buffer.from(block));
  } catch (error) {
    assert.ok(error instanceof BrokenArchive, String(error));
    return [Buffer.concat(blocks), error.message];
  }
  throw new Error("it did not break off");
}

const WAYS = [
  ...[["-B7"], ["-B4", "-BD"], ["-B4", "-BI"], ["-B5", "-BD", "-BX"]],
  ...[
    ["-B6", "--no-frame-crc"],
    ["-B4", "-BD", "--content-size"],
  ],
];

describe("LZ4 frames", { skip: withoutLz4 }, () => {
  for (const options of WAYS)
    it(`as lz4 ${options.join(" ")} packs them`, async () => {
      assert.ok((await unpack(packed(content, ...options))).equals(content));
    });

  it("are broken where a letter in them is another one, although they can be decoded", async () => {
    for (const [options, why] of [
      [["-B7"], "its content is damaged"],
      [["-B4", "-BX"], "a block is damaged"],
      [["-B4", "-BX", "--no-frame-crc"], "a block is damaged"],
    ] as const) {
      const spoilt = packed(content, ...options);
      const at = spoilt.indexOf("all the same");
      assert.ok(at > 0);
      spoilt[at] = "A".charCodeAt(0);
      assert.equal((await broken(spoilt))[1], why);
    }
    const header = packed(content, "-B7", "--content-size");
    header[6]! ^= 1;
    assert.deepEqual(await broken(header), [Buffer.alloc(0), "a frame header is damaged"]);
  });

  it("come in pieces of any size", async () => {
    const part = content.subarray(0, 30_000);
    const small = packed(part, "-B4", "-BD");
    for (const size of [1, 2, 3, 7, 4_096]) assert.ok((await unpack(small, size)).equals(part));
  });

  it("hold what cannot be packed as it is, nothing at all, and several frames in a row", async () => {
    let seed = 1;
    const next = () => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return seed >>> 16;
    };
    const noise = Buffer.from(Array.from({ length: 200_000 }, next));
    const [a, b] = [packed(noise), packed("")];
    assert.ok(a.length > noise.length);
    assert.ok((await unpack(a)).equals(noise));
    assert.equal((await unpack(b)).length, 0);
    const skippable = Buffer.from("542a4d1803000000aabbcc", "hex");
    const all = Buffer.concat([a, skippable, b, packed(content, "-BD")]);
    assert.ok((await unpack(all)).equals(Buffer.concat([noise, content])));
  });

  it("give what is whole before one that is cut is reported", async () => {
    const whole = packed(content, "-B4", "-BD");
    for (const part of [0.3, 0.9]) {
      const [before, why] = await broken(whole.subarray(0, Math.floor(whole.length * part)));
      assert.match(why, /in the middle/);
      assert.ok(before.length > 0 && before.equals(content.subarray(0, before.length)));
    }
    // Only the end mark and the checksum are missing.
    const [all, why] = await broken(whole.subarray(0, whole.length - 8));
    assert.ok(all.equals(content));
    assert.match(why, /in the middle/);
  });

  it("that are none, empty or spoilt are told in words", async () => {
    assert.match((await broken(Buffer.from('{"local_time":')))[1], /no LZ4 frame/);
    assert.match((await broken(Buffer.alloc(0)))[1], /empty/);
    const spoilt = Buffer.from(packed(content, "-B4"));
    spoilt.writeUInt32LE(0x7fff_ffff, 7);
    assert.match((await broken(spoilt))[1], /longer than its frame allows/);
    const other = Buffer.from(packed(content, "-B4"));
    other.fill(0xff, 20, 400);
    assert.match((await broken(other))[1], /cannot be decoded/);
  });
});
