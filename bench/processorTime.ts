/** Processor time on this Linux, of processes that are not ours: the machine may be busy with other work. */
import { readdirSync, readFileSync } from "node:fs";
import type { Database } from "../src/store/database.ts";

/** A clock tick of /proc. */
const TICK_MS = 10;

/** Parent, and milliseconds used so far; null when the process is gone. */
function statOf(pid: number): { parent: number; usedMs: number } | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return { parent: Number(fields[1]), usedMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS };
  } catch {
    return null;
  }
}

/** Of a process with a single thread, as the servers' are: to the nanosecond. */
function singleMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0;
  }
}

export const usedMsOf = (pid: number): number => statOf(pid)?.usedMs ?? 0;

/** Milliseconds that the server behind `database` has used so far, all of its processes that live. */
export async function serverMeter(database: Database): Promise<() => number> {
  const [row] = await database.query<{ pid: number }>("select pg_backend_pid() as pid");
  const server = statOf(row!.pid)?.parent;
  return () => {
    let sum = 0;
    for (const name of readdirSync("/proc")) {
      const stat = /^\d+$/.test(name) ? statOf(Number(name)) : null;
      if (stat && (stat.parent === server || Number(name) === server)) sum += singleMs(Number(name));
    }
    return sum;
  };
}

export const ownMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};
