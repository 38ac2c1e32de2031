/**
 * A node's folder, read as it is written. Guarantees: every file that is not read yet is read from its beginning, several at a time;
 * bytes that are appended are read within a second, whole lines only; a file is over when a later hour of its kind exists and
 * nothing was appended for `OVER_AFTER_MS` (nodes write through buffers), one that grows after that is read again; then it counts
 * as read. A file that cannot be read is reported, and tried again.
 */
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { errorText } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { NodeFile } from "./nodeFolder.ts";

/** What was appended is looked for this often. */
const READ_MS = 500;
/** New files are looked for this often. */
const LOOK_MS = 2_000;
const OVER_AFTER_MS = 30_000;
const READ_BYTES = 1024 * 1024;
/** Beyond that the oldest go first: a folder that holds days is not read all at once. */
const FILES_AT_ONCE = 8;

interface FollowDeps {
  find(): Promise<readonly NodeFile[]>;
  /** Reads one file to its end; an empty piece says that nothing more is there for now. */
  read(file: NodeFile, content: AsyncIterable<Buffer>): Promise<void>;
  /** Some files are over, and none is being caught up on: what they prove can be claimed. One call at a time. */
  onOver(): Promise<void>;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  overAfterMs?: number;
}

/** Until the signal aborts. */
export async function followFolder(deps: FollowDeps): Promise<void> {
  const { find, onOver, clock, log, signal, overAfterMs = OVER_AFTER_MS } = deps;
  /** Paths that are read now. `isLast`: of its kind, so more may come. */
  const reading = new Map<string, { done: Promise<void>; isLast(): boolean }>();
  /** Sizes of files that are over. */
  const over = new Map<string, number>();
  /** The newest hour of each folder of hours. */
  let newest = new Map<string, number>();
  let files: readonly NodeFile[] = [];
  let hasEnded = false;
  /** It may take minutes: what the node writes is read meanwhile. */
  let proving: Promise<void> | null = null;
  try {
    while (!signal.aborted) {
      files = await find().catch((error: unknown) => {
        if (!signal.aborted)
          log.error(`the folder could not be read: ${errorText(error)}; it is tried again`);
        return files;
      });
      newest = newestHours(files);
      const unread = files.filter(({ path, size }) => !reading.has(path) && over.get(path) !== size);
      for (const file of unread.slice(0, FILES_AT_ONCE - reading.size)) {
        const { path } = file;
        const isLast = () => (file.hour?.fromMs ?? 0) >= (newest.get(folderOf(path)) ?? 0);
        const sizes = { read: 0 };
        const content = growing(path, { clock, signal, isLast, overAfterMs, sizes });
        const done = deps.read(file, content).then(
          () => {
            // One that was read before is not opened.
            over.set(path, sizes.read || file.size);
            hasEnded = true;
          },
          (error: unknown) => {
            if (!signal.aborted) log.error(`${path}: ${errorText(error)}; it is tried again`);
          },
        );
        reading.set(path, { done, isLast });
        void done.finally(() => reading.delete(path));
      }
      // A file that is still read is no hole.
      const isCaughtUp = unread.length === 0 && [...reading.values()].every(({ isLast }) => isLast());
      if (hasEnded && isCaughtUp && proving === null) {
        hasEnded = false;
        proving = onOver().finally(() => {
          proving = null;
        });
        proving.catch((error: unknown) => {
          if (!signal.aborted) log.error(`what is complete could not be proven: ${errorText(error)}`);
        });
      }
      await clock.sleep(LOOK_MS, signal).catch(() => {});
    }
  } finally {
    await Promise.all([...reading.values()].map(({ done }) => done));
    await (proving as Promise<void> | null)?.catch(() => {});
  }
}

/** `…/hourly`, above the folders of days. */
const folderOf = (path: string): string => dirname(dirname(path));

function newestHours(files: readonly NodeFile[]): Map<string, number> {
  const newest = new Map<string, number>();
  for (const { path, hour } of files) {
    const folder = folderOf(path);
    newest.set(folder, Math.max(newest.get(folder) ?? 0, hour?.fromMs ?? 0));
  }
  return newest;
}

interface Growing {
  clock: Clock;
  signal: AbortSignal;
  /** No later file of its kind is there: more may come. */
  isLast(): boolean;
  overAfterMs: number;
  sizes: { read: number };
}

async function* growing(
  path: string,
  { clock, signal, isLast, overAfterMs, sizes }: Growing,
): AsyncGenerator<Buffer> {
  const handle = await open(path);
  try {
    while (!signal.aborted) {
      const piece = Buffer.allocUnsafe(READ_BYTES);
      const { bytesRead } = await handle.read(piece, 0, READ_BYTES, sizes.read);
      if (bytesRead > 0) {
        sizes.read += bytesRead;
        yield piece.subarray(0, bytesRead);
        continue;
      }
      yield Buffer.alloc(0);
      if (!isLast() && clock.now() - (await handle.stat()).mtimeMs >= overAfterMs) return;
      await clock.sleep(READ_MS, signal).catch(() => {});
    }
  } finally {
    await handle.close();
  }
  signal.throwIfAborted();
}
