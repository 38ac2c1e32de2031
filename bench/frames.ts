/**
 * Frames a second on one connection: `userFills` frames of one fill through reading, validating and normalizing, against
 * nothing but `JSON.parse` of the same texts, in turns in one run. Prints frames/s and the ratio.
 *
 *   node bench/frames.ts
 */
import { readFrame } from "../src/protocol/channels.ts";
import { fillRow } from "../src/sync/normalize.ts";

const FRAMES = 200_000;
const ROUNDS = 5;
const user = `0x${"1".repeat(40)}`;

const texts = Array.from({ length: 1_000 }, (_, i) =>
  JSON.stringify({
    channel: "userFills",
    data: {
      user,
      fills: [
        {
          ...{
            coin: "BTC",
            px: "66653.0",
            sz: "0.001",
            side: "A",
            time: 1781528065899 + i,
            startPosition: "-0.0213",
          },
          ...{
            dir: "Open Short",
            closedPnl: "0.0",
            hash: `0x${"e2".repeat(32)}`,
            oid: 55030848197 + i,
            crossed: false,
          },
          ...{ fee: "0.009997", tid: 745210434703679 + i, feeToken: "USDC", twapId: null },
        },
      ],
    },
  }),
);

function perSecond(work: (text: string) => void): number {
  const beganMs = performance.now();
  for (let i = 0; i < FRAMES; i++) work(texts[i % texts.length]!);
  return FRAMES / ((performance.now() - beganMs) / 1000);
}

let kept = 0;
const origin = { account: user, source: "stream", seenAtMs: 0 } as const;
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
