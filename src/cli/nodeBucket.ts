/**
 * A node's files in a bucket of S3. Guarantees: nothing is downloaded before it was said how much it is and what it costs at most,
 * and somebody agreed; an object is the same file as long as its name, size and tag are.
 */
import { createHash } from "node:crypto";
import { S3Bucket, s3Place } from "../connection/s3.ts";
import { ConfigError } from "../errors.ts";
import { systemRandom } from "../runtime/random.ts";
import { lz4Content } from "../sync/nodeFiles/lz4Frames.ts";
import type { Context } from "./command.ts";
import { byKindAndTime, type NodeFile, namedFile } from "./nodeFolder.ts";
import { answerTo } from "./prompt.ts";

/** Dollars a GB out of Asia Pacific (Tokyo), the dearest step, on 2026-11-28; nothing within the region. */
const DOLLARS_PER_GB = 0.114;
const GB = 1e9;

export const isBucket = (path: string): boolean => s3Place(path) !== null;

export async function findInBucket(
  path: string,
  { clock, signal }: Context,
): Promise<{ files: NodeFile[]; others: number }> {
  const { bucket: name, prefix } = s3Place(path)!;
  const bucket = new S3Bucket(name, {
    send: globalThis.fetch,
    env: process.env,
    clock,
    random: systemRandom,
    signal,
  });
  const files: NodeFile[] = [];
  let others = 0;
  for (const object of await bucket.list(prefix)) {
    const { key, size, etag } = object;
    const named = namedFile(key);
    if (named === null || named.kind === "trade" || size === 0) {
      others += 1;
      continue;
    }
    const digest = createHash("sha256").update(`${name} ${key} ${etag} ${size}`).digest("hex").slice(0, 32);
    const content = () => (key.endsWith(".lz4") ? lz4Content(bucket.read(object)) : bucket.read(object));
    files.push({
      path: `s3://${name}/${key}`,
      size,
      ...named,
      open: async () => ({ digest, tellsAll: true, content }),
    });
  }
  return { files: files.sort(byKindAndTime), others };
}

/** Whether these may be downloaded. */
export async function isAgreed(
  files: readonly NodeFile[],
  { options, print, signal }: Context,
): Promise<boolean> {
  if (files.length === 0) return true;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const gigabytes = (bytes / GB).toFixed(bytes < GB ? 3 : 1);
  const dollars = ((bytes / GB) * DOLLARS_PER_GB).toFixed(2);
  const what = `${files.length} files, ${gigabytes} GB: at most about $${dollars} of transfer, charged to your AWS account`;
  if (options.json) print(JSON.stringify({ type: "import.cost", files: files.length, bytes, dollars }));
  else print(what);
  if (options.yes) return true;
  if (!process.stdin.isTTY) throw new ConfigError(`${what}: run it in a terminal to be asked, or add --yes`);
  return /^y(es)?$/i.test(await answerTo("Download them? [y/N] ", signal));
}
