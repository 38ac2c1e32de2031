/**
 * A folder for a database that lives as long as its process: `--no-db`. Guarantees: its name holds the process's number,
 * so the next one that is made removes those of processes that were killed, with the servers they left.
 */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import { isAlive, layoutOf } from "./embeddedFolder.ts";

const PREFIX = "hlsync-no-db-";
const NAME = /^hlsync-no-db-(\d+)-/;
/** A server that is stopped immediately is gone within this time. */
const GONE_WITHIN_MS = 5_000;
const POLL_MS = 20;

/** A new empty folder; what dead processes left in the same place is removed first. */
export async function makeTemporaryFolder({ clock, log }: { clock: Clock; log: Log }): Promise<string> {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(NAME.exec(name)?.[1]);
    // In containers every process has the same number: ours has made none yet.
    if (!(pid > 0) || (pid !== process.pid && isAlive(pid))) continue;
    await removeLeft(join(tmpdir(), name), clock).catch((error: unknown) =>
      log.debug("a temporary database could not be removed", { name, error }),
    );
  }
  return mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });

async function removeLeft(folder: string, clock: Clock): Promise<void> {
  const { data, pidFile } = layoutOf(folder);
  const pid = serverIn(data, pidFile);
  if (pid !== null) {
    process.kill(pid, "SIGQUIT");
    const untilMs = clock.now() + GONE_WITHIN_MS;
    while (isAlive(pid) && clock.now() < untilMs) await clock.sleep(POLL_MS);
  }
  removeFolder(folder);
}

/** The server that runs in this very folder: its number may be another process's by now. */
function serverIn(data: string, pidFile: string): number | null {
  try {
    const pid = Number(readFileSync(pidFile, "utf8").split("\n")[0]);
    return realpathSync(readlinkSync(`/proc/${pid}/cwd`)) === realpathSync(data) ? pid : null;
  } catch {
    return null;
  }
}
