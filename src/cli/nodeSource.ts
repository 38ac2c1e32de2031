/** Which of a node's files a command reads: by where they lie, and by the hours that are wanted. */
import { ConfigError } from "../errors.ts";
import type { Context } from "./command.ts";
import { findInBucket, isBucket } from "./nodeBucket.ts";
import { findNodeFiles, type NodeFile } from "./nodeFolder.ts";

/** Throws `ConfigError` where no hour can be wanted. */
export function requireSpan({ options: { from, to } }: Pick<Context, "options">): void {
  if (from !== null && to !== null && from >= to) throw new ConfigError("--from must be before --to");
}

/** What is wanted of all time: [fromMs, toMs). */
export const spanOf = ({ options: { from, to } }: Pick<Context, "options">) => ({
  fromMs: from ?? 0,
  toMs: to ?? Number.POSITIVE_INFINITY,
});

/** The files whose hour is wanted; one whose path tells no hour always is. */
export async function chosenFiles(
  path: string,
  context: Context,
): Promise<{ files: NodeFile[]; others: number }> {
  const { fromMs, toMs } = spanOf(context);
  const { files, others } = isBucket(path) ? await findInBucket(path, context) : await findNodeFiles(path);
  if (files.length === 0)
    throw new ConfigError(`${path}: no file of a node in it (node_fills_by_block/hourly/20260401/7.lz4, …)`);
  const chosen = files.filter(({ hour }) => hour === null || (hour.toMs >= fromMs && hour.fromMs < toMs));
  if (chosen.length === 0) throw new ConfigError(`${path}: no file of the hours from --from to --to`);
  return { files: chosen, others };
}
