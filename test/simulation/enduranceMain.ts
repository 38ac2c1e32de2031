/**
 * `npm run endurance [-- --hours N --fills-per-second N --accounts N]`: virtual hours of following, and what stays in memory.
 * Exits with 1 when rows are missing, anything is left after stopping, or the memory grew.
 */
import { parseArgs } from "node:util";
import { startServer } from "../support/postgres.ts";
import { endure, type Load, listenOnly } from "./endurance.ts";

/** Growth of what hlsync holds, from the first quarter of the hours to the last, that counts as none. */
const FLAT_MB = 5;
const SEED = 24;

const { values } = parseArgs({
  options: {
    hours: { type: "string", default: "24" },
    "fills-per-second": { type: "string", default: "0.2" },
    accounts: { type: "string", default: "1" },
  },
});
const hours = Number(values.hours);
const load: Load = {
  seed: SEED,
  hours,
  fillsPerSecond: Number(values["fills-per-second"]),
  accounts: Number(values.accounts),
};

const megabytes = (bytes: number): number => Math.round((bytes / 1e6) * 10) / 10;
const mean = (list: number[]): number => list.reduce((sum, one) => sum + one, 0) / list.length;

const server = await startServer();
const { database } = await server.newDatabase();
const beganMs = performance.now();
const base = await listenOnly(load);
const endured = await endure(load, database);
await server.stop();

console.log("hour  heap of all MB  of the venue MB  held by hlsync MB  timers  sockets");
const held = endured.hours.map(({ hour, heapBytes, timers, sockets }, index) => {
  const own = heapBytes - base[index]!;
  const cells = [hour, megabytes(heapBytes), megabytes(base[index]!), megabytes(own), timers, sockets];
  console.log(cells.map((cell, column) => String(cell).padStart([4, 16, 17, 19, 8, 9][column]!)).join(""));
  return own;
});
const quarter = Math.max(1, hours >> 2);
const grownMb = megabytes(mean(held.slice(-quarter)) - mean(held.slice(0, quarter)));
const { fills, stored, commits, left } = endured;
console.log(
  `${hours} virtual hours in ${Math.round((performance.now() - beganMs) / 1000)} s: ${fills} fills, ${stored} stored, ` +
    `${commits} commits; grown by ${grownMb} MB; after stopping ${left.timers} timers, ${left.sockets} sockets`,
);
const isGood = fills === stored && left.timers + left.sockets === 0 && grownMb < FLAT_MB;
process.exitCode = isGood ? 0 : 1;
