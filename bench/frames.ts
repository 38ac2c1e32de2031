/**
 * Reading alone, without a socket: frames of each channel read, checked and made to rows, against nothing but `JSON.parse` of
 * the same texts. CPU time of this process, in short turns, so that a busy moment hits both alike; the median of the
 * rounds' ratios, and the middle half of them.
 *
 *   node bench/frames.ts [channel …]
 */
import { loadavg } from "node:os";
import { readFrame } from "../src/protocol/channels.ts";
import { rowsOf } from "./contentRows.ts";
import { FRAMES, fillFrame, frameOf } from "./venueFrames.ts";

const ROUNDS = 40;
const TURN_MS = 25;
const TEXTS = 500_000;

let kept = 0;
function ours(text: string): void {
  const frame = readFrame(text);
  if (frame.type !== "data" || frame.reading.unread.length > 0) throw new Error("not read");
  kept += rowsOf(frame.reading.content);
}
function parse(text: string): void {
  kept += (JSON.parse(text) as { data: object }).data === null ? 0 : 1;
}

/** CPU microseconds of one frame. */
function turn(work: (text: string) => void, texts: readonly string[]): number {
  const began = process.cpuUsage();
  let count = 0;
  for (const endMs = performance.now() + TURN_MS; performance.now() < endMs; ) {
    for (let i = 0; i < 20; i++) work(texts[count++ % texts.length]!);
  }
  const { user, system } = process.cpuUsage(began);
  return (user + system) / count;
}

const quantile = (values: number[], q: number) =>
  [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;

function compare(name: string, make: (n: number) => string): void {
  const length = make(0).length;
  const texts = Array.from({ length: Math.max(3, Math.min(1_000, Math.ceil(TEXTS / length))) }, (_, n) =>
    // Through bytes, as from a socket: one flat string.
    Buffer.from(make(n)).toString(),
  );
  const turns = { ours: [] as number[], parse: [] as number[] };
  for (let round = -5; round < ROUNDS; round++) {
    const [a, b] = [turn(ours, texts), turn(parse, texts)];
    if (round < 0) continue;
    turns.ours.push(a);
    turns.parse.push(b);
  }
  const ratios = turns.ours.map((one, i) => turns.parse[i]! / one);
  const cells = [
    name,
    length,
    quantile(turns.parse, 0.5).toFixed(2),
    quantile(turns.ours, 0.5).toFixed(2),
    `${quantile(ratios, 0.5).toFixed(2)} (${quantile(ratios, 0.25).toFixed(2)}–${quantile(ratios, 0.75).toFixed(2)})`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

const wanted = process.argv.slice(2);
console.log(`${ROUNDS} rounds; Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}\n`);
console.log("| frame | characters | JSON.parse, µs | read to rows, µs | ratio (middle half) |");
console.log("|---|---|---|---|---|");
for (const fills of [1, 10, 30, 2_000]) {
  if (wanted.length === 0 || wanted.includes("userFills"))
    compare(`userFills, ${fills}`, (n) => fillFrame(n, fills));
}
for (const channel of Object.keys(FRAMES)) {
  if (wanted.length === 0 || wanted.includes(channel)) compare(channel, (n) => frameOf(channel, n));
}
if (kept < 0) console.log(kept);
