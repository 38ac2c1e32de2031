/**
 * Files as a venue's node writes them, made of what the venue tells: the lines' shape is that of the real ones. `lz4` of
 * the machine packs them, so that our reading is held against another's writing; tests of archives are skipped without it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const withoutLz4: false | string = existsSync("/usr/bin/lz4") ? false : "no lz4 on this machine";

/** `-BD`: blocks refer to the ones before. `-BI`: they do not. */
export const packed = (content: string | Buffer, ...options: string[]): Buffer =>
  execFileSync("lz4", ["-c", "-q", ...options, "-"], { input: content, maxBuffer: 2 ** 31 });

export type Wire = Record<string, unknown>;
export type UserFill = [user: string, fill: Wire & { time: number }];

/** Nanoseconds, UTC, no zone. */
export const nodeTime = (ms: number): string => new Date(ms).toISOString().replace("Z", "939163");

export const blockLine = (block: number, timeMs: number, events: readonly unknown[]): string =>
  `${JSON.stringify({ local_time: nodeTime(timeMs + 142), block_time: nodeTime(timeMs), block_number: block, events })}\n`;

const HOUR_MS = 3_600_000;

/** `20260401/7` of a time. */
export const hourPath = (ms: number): string => {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10).replaceAll("-", "")}/${Number(iso.slice(11, 13))}`;
};

/**
 * `node_fills_by_block` of [fromMs, toMs) in blocks of `blockMs`, an hour a file; a fill lies in the block of its time. Answers
 * the texts by path.
 */
export function fillHours(
  fills: readonly UserFill[],
  {
    fromMs,
    toMs,
    blockMs = 1_000,
    firstBlock = 941_000_000,
  }: { fromMs: number; toMs: number; blockMs?: number; firstBlock?: number },
): Map<string, string> {
  const byTime = Map.groupBy(fills, ([, { time }]) => time);
  // Every time at which something happened is a block, and so are the quiet ones in between.
  const times = new Set(byTime.keys());
  for (let ms = fromMs; ms < toMs; ms += blockMs) times.add(ms);
  const hours = new Map<string, string[]>();
  let block = firstBlock;
  for (const ms of [...times].filter((one) => one >= fromMs && one < toMs).sort((a, b) => a - b)) {
    const path = `node_fills_by_block/hourly/${hourPath(ms)}`;
    const lines = hours.get(path) ?? [];
    if (lines.length === 0) hours.set(path, lines);
    lines.push(blockLine(block++, ms, byTime.get(ms) ?? []));
  }
  return new Map([...hours].map(([path, lines]) => [path, lines.join("")]));
}

export function writeFiles(folder: string, files: ReadonlyMap<string, string | Buffer>): void {
  for (const [path, content] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

export const floorHour = (ms: number): number => Math.floor(ms / HOUR_MS) * HOUR_MS;
