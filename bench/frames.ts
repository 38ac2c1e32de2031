/**
 * Frames a second on one connection: `userFills` frames of one fill through reading, validating and normalizing, against
 * nothing but `JSON.parse` of the same texts, in turns in one run. Prints frames/s and the ratio.
 *
 *   node bench/frames.ts
 */
import { readFrame } from "../src/protocol/channels.ts";
import { fillRow } from "../src/sync/normalize.ts";
import { fillFrame, USER } from "./fillFrames.ts";

const FRAMES = 200_000;
const ROUNDS = 5;
const texts = Array.from({ length: 1_000 }, (_, i) => fillFrame(i, 1));

function perSecond(work: (text: string) => void): number {
  const beganMs = performance.now();
  for (let i = 0; i < FRAMES; i++) work(texts[i % texts.length]!);
  return FRAMES / ((performance.now() - beganMs) / 1000);
}

let kept = 0;
const origin = { account: USER, source: "stream", seenAtMs: 0 } as const;
const ours = (text: string) => {
  const frame = readFrame(text);
  if (frame.type !== "data" || frame.reading.content.type !== "fills") throw new Error("not read");
  for (const row of frame.reading.content.rows) kept += fillRow(origin, row).timeMs & 1;
};
const parse = (text: string) => {
  kept += (JSON.parse(text) as { data: { fills: unknown[] } }).data.fills.length;
};

const results = { ours: [] as number[], parse: [] as number[] };
for (let round = 0; round <= ROUNDS; round++) {
  const [a, b] = [perSecond(ours), perSecond(parse)];
  // The first round warms up.
  if (round > 0) {
    results.ours.push(a);
    results.parse.push(b);
  }
}
const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const [a, b] = [median(results.ours), median(results.parse)];
console.log(
  `read, validated, normalized: ${Math.round(a / 1000)} k frames/s; JSON.parse alone: ${Math.round(b / 1000)} k frames/s; ratio ${(a / b).toFixed(2)}`,
);
if (kept < 0) console.log(kept);
