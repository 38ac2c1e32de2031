/**
 * LZ4 frames as a stream: headers are read here, blocks are decoded by `lz4-napi` (ADR 0014). Guarantees: memory is bounded by a
 * few blocks of at most 4 MiB, whatever the archive's size; every whole block is handed over before an archive that is cut or
 * broken is reported as `BrokenArchive`. Several frames in a row are one archive; skippable frames are skipped. Checksums are held
 * against what they are of; that of a frame's content comes behind it, when all of it was handed over.
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
import { uncompressSync } from "lz4-napi";
import xxhash, { type XXHashAPI } from "xxhash-wasm";

/** An archive that ends early, or is none. */
export class BrokenArchive extends Error {}

const FRAME = 0x184d2204;
const SKIPPABLE = 0x184d2a50;
/** Bits of the first descriptor byte. */
const FLAG = { dictionary: 1, contentChecksum: 4, contentSize: 8, blockChecksum: 16, independent: 32 };
const VERSION = 1;
/** Block sizes by the descriptor's code. */
const BLOCK_BYTES: Record<number, number> = { 4: 65_536, 5: 262_144, 6: 1_048_576, 7: 4_194_304 };
/** A block that refers back does so this far. */
const WINDOW_BYTES = 65_536;
const STORED = 0x8000_0000;
/** Of a block. */
const HEADER_BYTES = 4;

/** The decoded content, block by block; a block is the caller's until the next is asked for, then its memory is given back. */
export async function* lz4Content(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const bytes = new Bytes(source);
  try {
    yield* framesOf(bytes, await xxhash());
  } finally {
    await bytes.close();
  }
}

async function* framesOf(bytes: Bytes, sums: XXHashAPI): AsyncGenerator<Buffer> {
  let isFirst = true;
  for (;;) {
    const start = await bytes.take(4, isFirst ? "it is empty" : null);
    if (start === null) return;
    isFirst = false;
    const magic = start.readUInt32LE();
    if ((magic & 0xffff_fff0) >>> 0 === SKIPPABLE) await bytes.skip((await bytes.need(4)).readUInt32LE());
    else if (magic === FRAME) yield* frameContent(bytes, sums);
    else throw new BrokenArchive("it is no LZ4 frame");
  }
}

interface Frame {
  maxBytes: number;
  isIndependent: boolean;
  hasBlockChecksum: boolean;
  hasContentChecksum: boolean;
}

async function frameHeader(bytes: Bytes, sums: XXHashAPI): Promise<Frame> {
  const [flags = 0, size = 0] = await bytes.need(2);
  const maxBytes = BLOCK_BYTES[(size >> 4) & 7];
  if (flags >> 6 !== VERSION || maxBytes === undefined)
    throw new BrokenArchive("its frame header cannot be read");
  if (flags & FLAG.dictionary) throw new BrokenArchive("it was made with a dictionary of its own");
  const sizeBytes = flags & FLAG.contentSize ? 8 : 0;
  const header = await bytes.need(sizeBytes + 1, 2);
  const sum = (sums.h32Raw(header.subarray(0, -1)) >>> 8) & 0xff;
  if (sum !== header.at(-1)) throw new BrokenArchive("a frame header is damaged");
  return {
    maxBytes,
    isIndependent: (flags & FLAG.independent) !== 0,
    hasBlockChecksum: (flags & FLAG.blockChecksum) !== 0,
    hasContentChecksum: (flags & FLAG.contentChecksum) !== 0,
  };
}

async function* frameContent(bytes: Bytes, sums: XXHashAPI): AsyncGenerator<Buffer> {
  const frame = await frameHeader(bytes, sums);
  const content = frame.hasContentChecksum ? sums.create32() : null;
  let window: Buffer | null = null;
  let last: Buffer | null = null;
  for (;;) {
    const block = await nextBlock(bytes, frame, window, sums);
    if (block !== null && !frame.isIndependent) window = windowAfter(window, block);
    if (last !== null) release(last);
    if (block === null) break;
    last = block;
    content?.update(block);
    yield block;
  }
  if (content !== null && content.digest() >>> 0 !== (await bytes.need(4)).readUInt32LE())
    throw new BrokenArchive("its content is damaged");
}

/** Memory outside of the heap is collected late, and a collection for every few blocks costs as much as searching them. */
function release({ buffer, length }: Buffer): void {
  // One that is a part of something else's is left alone.
  if (buffer.byteLength === length) (buffer as ArrayBuffer).transfer(0);
}

/** Null at the end of the frame. */
async function nextBlock(
  bytes: Bytes,
  frame: Frame,
  window: Buffer | null,
  sums: XXHashAPI,
): Promise<Buffer | null> {
  const header = (await bytes.need(HEADER_BYTES)).readUInt32LE();
  if (header === 0) return null;
  const length = header & ~STORED;
  if (length > frame.maxBytes) throw new BrokenArchive("a block is longer than its frame allows");
  // The decoder takes the room it may need from four bytes before the block: where its header stood.
  const sized = await bytes.need(length, HEADER_BYTES);
  const sum = frame.hasBlockChecksum ? sums.h32Raw(sized.subarray(HEADER_BYTES)) >>> 0 : null;
  const block =
    header >>> 31 === 1 ? Buffer.from(sized.subarray(HEADER_BYTES)) : decoded(sized, frame, window);
  if (sum !== null && sum !== (await bytes.need(4)).readUInt32LE())
    throw new BrokenArchive("a block is damaged");
  return block;
}

function decoded(sized: Buffer, { maxBytes }: Frame, window: Buffer | null): Buffer {
  sized.writeUInt32LE(maxBytes);
  try {
    return uncompressSync(sized, window);
  } catch (cause) {
    throw new BrokenArchive("a block cannot be decoded", { cause });
  }
}

function windowAfter(window: Buffer | null, block: Buffer): Buffer {
  if (block.length >= WINDOW_BYTES || window === null) return block.subarray(-WINDOW_BYTES);
  return Buffer.concat([window, block]).subarray(-WINDOW_BYTES);
}

/** A source read by the number of bytes; what is handed out is the caller's until more is asked for. */
class Bytes {
  readonly #source: AsyncIterator<Uint8Array>;
  #held = Buffer.alloc(0);
  #from = 0;
  #to = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The source is let go, also before its end. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  /** So many bytes, and before them so many of those handed out last; or `BrokenArchive`. */
  async need(count: number, again = 0): Promise<Buffer> {
    return (await this.take(count, "it ends in the middle", again))!;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; left -= WINDOW_BYTES) await this.need(Math.min(left, WINDOW_BYTES));
  }

  /** The same; where nothing at all is left and `why` is null: null. */
  async take(count: number, why: string | null, again = 0): Promise<Buffer | null> {
    this.#from -= again;
    while (this.#to - this.#from < again + count) {
      const { value, done } = await this.#source.next();
      if (!done) this.#hold(value);
      else if (this.#to === this.#from && why === null) return null;
      else throw new BrokenArchive(why ?? "it ends in the middle");
    }
    const begin = this.#from;
    this.#from += again + count;
    return this.#held.subarray(begin, this.#from);
  }

  #hold(piece: Uint8Array): void {
    const rest = this.#to - this.#from;
    if (this.#to + piece.length > this.#held.length) {
      const room = Math.max(this.#held.length, 2 * (rest + piece.length));
      const held = rest + piece.length > this.#held.length ? Buffer.allocUnsafe(room) : this.#held;
      this.#held.copy(held, 0, this.#from, this.#to);
      this.#held = held;
      this.#from = 0;
      this.#to = rest;
    }
    this.#held.set(piece, this.#to);
    this.#to += piece.length;
  }
}
