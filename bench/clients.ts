/**
 * Decoding and dispatch of `userFills` frames on one connection, by client: a process that only sends, and one process
 * for each client, in turns; every client gets the same bytes over a real socket on this machine. Prints a table of
 * medians; `ratio` is against nothing but the socket and `JSON.parse`, in the same round.
 *
 * The other channels that come often are read by the first two alone.
 *
 *   node bench/clients.ts [rounds]
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import type { Measured, Order } from "./receive.ts";
import { FRAMES, USER } from "./venueFrames.ts";

const ROUNDS = Number(process.argv[2] ?? 5);

interface Client {
  name: string;
  /** Whose version is shown. */
  package: string | null;
  /** Frames of one fill a turn, so that a turn takes about half a second; a fifth of them of ten fills. */
  frames: number;
}
const BASELINE = "ws + JSON.parse";
const CLIENTS: readonly Client[] = [
  { name: BASELINE, package: "ws", frames: 60_000 },
  { name: "hlsync", package: null, frames: 60_000 },
  { name: "@nktkas/hyperliquid", package: "@nktkas/hyperliquid", frames: 60_000 },
  { name: "hyperliquid (nomeida)", package: "hyperliquid", frames: 10_000 },
  { name: "ccxt pro", package: "ccxt", frames: 5_000 },
];

const children: ChildProcess[] = [];
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
function start(file: string, ...args: string[]): ChildProcess {
  const path = new URL(file, import.meta.url).pathname;
  const child = fork(path, args, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  children.push(child);
  return child;
}
const answer = async <T>(child: ChildProcess): Promise<T> => (await once(child, "message"))[0] as T;

const venue = start("blast.ts");
const port = await answer<number>(venue);
const processes = new Map(CLIENTS.map(({ name }) => [name, start("receive.ts", name)]));

interface Turn {
  framesPerSecond: number;
  cpuMicrosPerFrame: number;
  deliveredShare: number;
}

/** Frames of other channels a turn; the longer ones fewer. */
const FRAMES_PER_TURN = { openOrders: 4_000, allMids: 3_000, clearinghouseState: 3_000 } as Record<
  string,
  number
>;

async function turn({ name, frames }: Client, channel: string, fillsPerFrame: number): Promise<Turn> {
  const perTurn = { 1: frames, 10: frames / 5, 30: frames / 15, 2000: frames / 600 }[fillsPerFrame] ?? frames;
  const count = Math.ceil(channel === "userFills" ? perTurn : (FRAMES_PER_TURN[channel] ?? 20_000));
  const host = `127.0.0.1:${port}`;
  const wsUrl = `ws://${host}/ws?frames=${count}&fills=${fillsPerFrame}`;
  const order: Order = {
    do: "measure",
    venue: { apiUrl: `http://${host}`, wsUrl, user: USER },
    channel,
    fills: count * fillsPerFrame,
  };
  const child = processes.get(name)!;
  child.send(order);
  const { delivered, tookMs, cpuMs } = await answer<Measured>(child);
  return {
    framesPerSecond: (count * 1_000) / tookMs,
    cpuMicrosPerFrame: (cpuMs * 1_000) / count,
    deliveredShare: delivered / order.fills,
  };
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const ratioText = (ratios: number[]): string =>
  `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
const version = (name: string): string =>
  JSON.parse(readFileSync(new URL(`../test/node_modules/${name}/package.json`, import.meta.url), "utf8"))
    .version;

async function compare(channel: string, fillsPerFrame: number, clients = CLIENTS): Promise<void> {
  const turns = new Map<string, Turn[]>(clients.map(({ name }) => [name, []]));
  // The first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const client of clients) {
      const result = await turn(client, channel, fillsPerFrame);
      if (round > 0) turns.get(client.name)!.push(result);
    }
  }
  const baseline = turns.get(BASELINE)!;
  for (const client of clients) {
    const own = turns.get(client.name)!;
    const of = (figure: (turn: Turn, round: number) => number) => median(own.map(figure));
    const cells = [
      client.package === null ? client.name : `${client.name} ${version(client.package)}`,
      channel === "userFills" ? `userFills, ${fillsPerFrame}` : channel,
      Math.round(of((one) => one.framesPerSecond)),
      of((one, round) => one.framesPerSecond / baseline[round]!.framesPerSecond).toFixed(2),
      of((one) => one.cpuMicrosPerFrame).toFixed(1),
      ratioText(own.map((one, round) => baseline[round]!.cpuMicrosPerFrame / one.cpuMicrosPerFrame)),
      `${(of((one) => one.deliveredShare) * 100).toFixed(1)} %`,
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

console.log(`${ROUNDS} rounds, medians; Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}\n`);
console.log("| client | frame | frames/s | ratio | CPU µs/frame | ratio by CPU (least–most) | delivered |");
console.log("|---|---|---|---|---|---|---|");
/** The slowest are told by two. */
const quick = CLIENTS.slice(0, 3);
await compare("userFills", 1);
await compare("userFills", 10);
await compare("userFills", 30, quick);
await compare("userFills", 2_000, quick);
for (const channel of Object.keys(FRAMES)) await compare(channel, 1, CLIENTS.slice(0, 2));
process.exit();
