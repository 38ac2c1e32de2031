/** How the progress of a history that is being read is said. Pure. */
import type { LimiterStats } from "../connection/rateLimiter.ts";
import type { Progress } from "../sync/account/account.ts";

/** `fills  2026-01-01 00:00:00 … 2026-02-03 10:11:12  2000 rows, weight 140 of 1200 this minute` */
export function progressLine({ stream, fromMs, toMs, rows }: Progress, used: LimiterStats): string {
  const at = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
  const weight = `weight ${Math.round(used.usedLastMinute)} of ${used.weightPerMinute} this minute`;
  return `${stream.padEnd(9)} ${at(fromMs)} … ${at(toMs)}  ${rows} ${rows === 1 ? "row" : "rows"}, ${weight}`;
}
