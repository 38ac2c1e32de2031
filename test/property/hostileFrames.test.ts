/** A few thousand spoilt frames and answers in every run; `npm run hostile -- --count 100000` for more. */
import { before, describe, it } from "node:test";
import { withoutCaptures } from "../captures/captures.ts";
import { useDatabase } from "../support/postgres.ts";
import { hostileCorpus, type Sample } from "./hostileCorpus.ts";
import { runHostile } from "./hostileRun.ts";

const COUNT = Number(process.env.HLSYNC_HOSTILE_COUNT ?? 3_000);
/** Any other stretch: `HLSYNC_HOSTILE_FROM`. */
const FROM = Number(process.env.HLSYNC_HOSTILE_FROM ?? 1);

describe("spoilt frames and answers", () => {
  const target = useDatabase("all");
  let corpus: Sample[];
  before(async () => {
    corpus = await hostileCorpus();
  });

  it(`cost what is spoilt: ${COUNT} from ${FROM}, of the simulator${withoutCaptures ? ` (${withoutCaptures})` : " and of captures"}`, async () => {
    await runHostile(corpus, target, FROM, COUNT);
  });
});
