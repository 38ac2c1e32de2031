/**
 * Files of a node on this machine. Guarantees: a file is known by its path (`node_fills_by_block/hourly/20260401/7.lz4`) or,
 * when it is named itself, by its content; its digest is that of its size, its beginning and its end, so that a copy is the
 * same file and one that grew is another; it is read as far as it went when it was looked at.
 */
import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../errors.ts";
import type { Interval } from "../sync/coverage.ts";
import { lz4Content } from "../sync/nodeFiles/lz4Frames.ts";
import type { EventKind } from "../sync/nodeFiles/rows.ts";

export interface OpenedFile {
  /** What it is, wherever it lies. */
  digest: string;
  /** Whether the digest tells all of it: else it may be another by now, of the same size and ends. */
  tellsAll: boolean;
  /** A piece is the caller's until the next is asked for. */
  content(): AsyncIterable<Buffer>;
}

export interface NodeFile {
  /** A path, or the URL of an object. */
  path: string;
  size: number;
  /** What the path says; null where it says nothing. */
  kind: EventKind | null;
  /** The hour it is of, by its path. */
  hour: Interval | null;
  /** Looks what it is; reads nothing but its ends. */
  open(): Promise<OpenedFile>;
}

const HOUR_MS = 3_600_000;
/** Kinds by the words of their folders; `node_fills_by_block` and `node_fills_streaming` hold the same as `node_fills`. */
const KINDS: readonly [RegExp, EventKind][] = [
  [/node_fills/, "fill"],
  [/misc_events/, "misc"],
  [/node_order_statuses/, "order"],
  [/node_twap_statuses/, "twap"],
  [/node_trades/, "trade"],
];
/** What else a node writes, or the venue's archive holds, by the words of its folders. */
const UNREAD =
  /raw_book_diffs|oracle_updates|core_writer_actions|periodic_abci_states|replica_cmds|explorer_blocks|l2Book/;
/** Fills first: what else there is refers to them. */
const ORDER: readonly (EventKind | null)[] = ["fill", "order", "twap", "misc", null];

/** What a path says of a file; null for one that is not of a node. */
export function namedFile(path: string): Pick<NodeFile, "kind" | "hour"> | null {
  const kind = KINDS.find(([words]) => words.test(path))?.[1] ?? null;
  if (kind === null && UNREAD.test(path)) return null;
  const [, day, hour] = /(?:^|[/\\])(\d{8})[/\\](\d{1,2})(?:\.lz4)?$/.exec(path) ?? [];
  if (day === undefined) return kind === null ? null : { kind, hour: null };
  const fromMs = Date.parse(
    `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T${hour!.padStart(2, "0")}:00:00Z`,
  );
  return Number.isNaN(fromMs) ? null : { kind, hour: { fromMs, toMs: fromMs + HOUR_MS - 1 } };
}

/** The files at `path`, in the order in which they are read; `others`: how many in the folder are not of a node. */
export async function findNodeFiles(path: string): Promise<{ files: NodeFile[]; others: number }> {
  const at = await look(path);
  if (at === null) throw new ConfigError(`cannot read ${path}: no such file or folder`);
  if (!at.isDirectory()) return { files: [nodeFileAt(path, at.size)], others: 0 };
  const files: NodeFile[] = [];
  let others = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const inside = join(entry.parentPath, entry.name);
    const named = namedFile(inside);
    if (named === null || named.kind === "trade") {
      others += 1;
      continue;
    }
    const found = await look(inside);
    // A node's old hours are thrown away at any moment: what is gone since it was listed is none.
    if (found !== null) files.push(fileAt(inside, found.size, named));
  }
  return { files: files.sort(byKindAndTime), others };
}

/** A file by its own name, as far as it is this long. */
export const nodeFileAt = (path: string, size: number): NodeFile =>
  fileAt(path, size, namedFile(path) ?? { kind: null, hour: null });

const fileAt = (path: string, size: number, named: Pick<NodeFile, "kind" | "hour">): NodeFile => ({
  path,
  size,
  ...named,
  open: () => openNodeFile(path, size),
});

export const byKindAndTime = (a: NodeFile, b: NodeFile): number =>
  ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) ||
  (a.hour?.fromMs ?? 0) - (b.hour?.fromMs ?? 0) ||
  (a.path < b.path ? -1 : 1);

/** Null: nothing is there. */
async function look(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new ConfigError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** Bytes at either end that tell a file. */
const TOLD_BY_BYTES = 65_536;
const LZ4_MAGIC = Buffer.from("04224d18", "hex");
const READ_BYTES = 1024 * 1024;

async function openNodeFile(path: string, size: number): Promise<OpenedFile> {
  const handle = await open(path).catch((cause: Error) => {
    throw new ConfigError(`cannot read ${path}: ${cause.message}`, { cause });
  });
  try {
    const ends = [0, Math.max(0, size - TOLD_BY_BYTES)];
    const parts = await Promise.all(
      ends.map(async (position) => {
        const part = Buffer.alloc(Math.min(TOLD_BY_BYTES, size));
        const { bytesRead } = await handle.read(part, 0, part.length, position);
        return part.subarray(0, bytesRead);
      }),
    );
    const isPacked = parts[0]!.subarray(0, LZ4_MAGIC.length).equals(LZ4_MAGIC) || path.endsWith(".lz4");
    // An archive that is empty is broken, an empty text is an hour in which nothing was written.
    const hash = createHash("sha256").update(`${size} ${isPacked && size === 0 ? "packed" : ""}`);
    for (const part of parts) hash.update(part);
    const bytes = () => bytesOf(path, size);
    return {
      digest: hash.digest("hex").slice(0, 32),
      tellsAll: false,
      content: () => (isPacked ? lz4Content(bytes()) : bytes()),
    };
  } finally {
    await handle.close();
  }
}

/** A piece is the caller's until the next is asked for. */
async function* bytesOf(path: string, size: number): AsyncGenerator<Buffer> {
  const handle = await open(path);
  try {
    const piece = Buffer.allocUnsafe(READ_BYTES);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await handle.read(piece, 0, Math.min(READ_BYTES, size - at), at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}
