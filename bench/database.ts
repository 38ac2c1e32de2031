/** The database of a benchmark: the one that is named, else an embedded one in a folder that is gone afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/runtime/clock.ts";
import { silentLog } from "../src/runtime/log.ts";
import { openEmbedded } from "../src/store/embedded.ts";

export async function onDatabase(
  named: string | undefined,
  run: (url: string) => Promise<void>,
): Promise<void> {
  if (named) return run(named);
  const folder = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
  const embedded = await openEmbedded(folder, { clock: systemClock, log: silentLog });
  await run(embedded.url);
  await embedded.release();
  rmSync(folder, { recursive: true });
}
