/** Candles for the chart: asked of the venue, so within its budget, and never in the way of stopping. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest, Reply, RequestError } from "../../../src/outputs/http/answer.ts";
import { type ApiDeps, apiRoutes } from "../../../src/outputs/http/api.ts";
import { VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import type { InfoOptions } from "../../../src/sync/ports.ts";

const START = 1_790_000_000_000;

type Stored = [number, string, string, string, string, string];

function chart(answer: (options: InfoOptions) => Promise<unknown>, stored: Stored[] = []) {
  const clock = new VirtualClock(START);
  const stopping = new AbortController();
  const asked: InfoOptions[] = [];
  const info = {
    request: (_row: unknown, _params: unknown, options: InfoOptions) => {
      asked.push(options);
      return answer(options);
    },
  };
  const reads = { query: async () => stored.map((candle) => ({ candle })) };
  const deps = { clock, info, reads, stopping: stopping.signal, followed: () => [] } as unknown as ApiDeps;
  const [, handler] = apiRoutes(deps).find(([route]) => route === "GET /api/candles")!;
  const { signal } = new AbortController();
  const ask = async (coin: string, count = "300") =>
    (await handler({
      query: new URLSearchParams({ coin, interval: "1m", count }),
      signal,
    } as HttpRequest)) as Reply;
  return { clock, stopping, asked, ask };
}

const one = { t: 1, o: "1", h: "2", l: "0.5", c: "1.5", v: "7" };
const answered = async () => ({ result: { rows: [{ value: one }] } });
/** As the budget does: waits until it is told not to. */
const waiting = ({ signal }: InfoOptions) =>
  new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
const refusal = (status: number, text: RegExp) => (error: RequestError) =>
  error.status === status && text.test(error.message);

test("a few questions a minute go before backfill, further ones take what is left", async () => {
  const { clock, asked, ask } = chart(answered);
  for (const coin of ["BTC", "ETH", "SOL", "HYPE", "AVAX", "DOGE"]) await ask(coin);
  assert.deepEqual(
    asked.map(({ priority }) => priority),
    ["reconcile", "reconcile", "reconcile", "reconcile", "niceToHave", "niceToHave"],
  );
  await clock.advanceBy(60_000);
  await ask("BNB");
  assert.equal(asked.at(-1)!.priority, "reconcile");
});

test("candles that are streamed here are not asked for, unless the table does not reach back or stands still", async () => {
  const minutes = (count: number, behind = 0): Stored[] =>
    Array.from({ length: count }, (_, i) => [
      START - (START % 60_000) - (count - 1 - i + behind) * 60_000,
      ...(["1", "2", "0.5", "1.5", "7"] as const),
    ]);
  for (const [stored, requests] of [
    [minutes(10), 0],
    [minutes(9), 0],
    [minutes(8), 1],
    [minutes(10, 2), 1],
    [[], 1],
  ] as const) {
    const { asked, ask } = chart(answered, [...stored]);
    const { rows } = JSON.parse(String((await ask("BTC", "10")).body));
    assert.equal(asked.length, requests, `${stored.length} stored`);
    if (requests === 0) assert.deepEqual(rows, stored);
  }
});

test("one answer serves everybody who looks for twenty seconds", async () => {
  const { clock, asked, ask } = chart(answered);
  assert.equal((await ask("BTC")).body, '{"rows":[[1,"1","2","0.5","1.5","7"]]}');
  await clock.advanceBy(19_999);
  await ask("BTC");
  assert.equal(asked.length, 1);
  await clock.advanceBy(1);
  await ask("BTC");
  assert.equal(asked.length, 2);
});

test("whoever looks is told after ten seconds that there is no room, and nobody waits when the server stops", async () => {
  const { clock, stopping, ask } = chart(waiting);
  const late = assert.rejects(ask("BTC"), refusal(502, /no room in the request budget/));
  await clock.advanceBy(10_000);
  await late;
  const stopped = assert.rejects(ask("ETH"), refusal(502, /stopping/));
  stopping.abort(new Error("stopping"));
  await stopped;
});
