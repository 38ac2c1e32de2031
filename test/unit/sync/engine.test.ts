/** Following more accounts than the venue streams to one address: the engine over the simulated venue in virtual time. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createInfoClient } from "../../../src/connection/infoClient.ts";
import { createStreams } from "../../../src/connection/liveSocket.ts";
import { RateLimiter } from "../../../src/connection/rateLimiter.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import type { HttpAnswer } from "../../../src/runtime/net.ts";
import { seededRandom } from "../../../src/runtime/random.ts";
import { createVenue } from "../../../src/simulator/exchange/venue.ts";
import { createWorld, VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import { Engine } from "../../../src/sync/engine.ts";
import type { Batch } from "../../../src/sync/rows.ts";
import { emptyStore } from "../../support/emptyStore.ts";

const START_MS = 1_790_359_200_000;
const POLL_MS = 20_000;
const accounts = ["a", "b", "c"].map((letter) => `0x${letter.repeat(40)}`);
const [streamed, polled, failing] = accounts as [string, string, string];

type Spoil = (body: { type: string; user: string; endTime?: number }, answer: HttpAnswer) => HttpAnswer;

/** Two of three are polled; what the third is asked fails when `isRefused`. */
function follow(isRefused: boolean, spoil: Spoil = (_body, answer) => answer) {
  const clock = new VirtualClock(START_MS);
  const venue = createVenue({
    startMs: START_MS,
    traders: { coins: ["BTC"] },
    activeAccounts: accounts.map((user) => ({ user, fillsPerSecond: 0.5, coins: ["BTC"] })),
  });
  const faults = isRefused ? [{ fault: "http500", user: failing } as const] : [];
  const world = createWorld({ venue, clock, seed: 1, faults });
  const { connect, post } = world.network();
  const random = seededRandom(1);
  const shared = { clock, random, log: silentLog };
  const asked: { type: string; user: string; atMs: number }[] = [];
  const written: Batch[] = [];
  const fatal: unknown[] = [];
  const engine = new Engine(
    {
      ...shared,
      store: {
        ...emptyStore(),
        apply: async (batch) => {
          written.push(batch);
          return { events: [], written: {}, known: {} };
        },
      },
      info: createInfoClient({
        ...shared,
        apiUrl: world.apiUrl,
        limiter: new RateLimiter(clock),
        post: async (url, body, signal) => {
          const parsed = JSON.parse(body);
          asked.push({ ...parsed, atMs: clock.now() - START_MS });
          return spoil(parsed, await post(url, body, signal));
        },
      }),
      openStream: createStreams({ ...shared, wsUrl: world.wsUrl, socketFactory: connect }),
      publish: () => {},
      onFatal: (error) => fatal.push(error),
    },
    {
      accounts: accounts.map((address) => ({ address, alias: null })),
      sinceMs: START_MS,
      market: null,
      webData2: false,
      usersMax: 1,
      lane: { pollMs: POLL_MS },
    },
  );
  const tidsOf = (account: string) =>
    new Set(
      written.flatMap(({ fills = [] }) =>
        fills.flatMap((fill) => (fill.account === account ? fill.tradeId : [])),
      ),
    );
  const fillsOf = (account: string) => tidsOf(account).size;
  const pollsOf = (account: string) =>
    asked.filter(({ type, user }) => type === "userFillsByTime" && user === account).map(({ atMs }) => atMs);
  const driftOf = () => written.flatMap(({ drift = [] }) => drift);
  return { clock, venue, world, engine, fatal, tidsOf, fillsOf, pollsOf, driftOf };
}

/** `step` and the time that it takes. */
async function within<T>(clock: VirtualClock, step: Promise<T>): Promise<T> {
  let isDone = false;
  const done = () => {
    isDone = true;
  };
  step.then(done, done);
  await clock.runUntil(() => isDone, clock.now() + 60_000);
  return step;
}

describe("accounts beyond those that are streamed", () => {
  it("are read in turn, each once in pollMs, and say so", async () => {
    const { clock, venue, engine, fatal, fillsOf, pollsOf } = follow(false);
    await within(clock, engine.start());
    await clock.advanceBy(5 * POLL_MS);
    assert.deepEqual(
      engine.status().accounts.map(({ mode, pollMs, lane }) => [mode, pollMs, lane !== null]),
      [
        ["stream", null, true],
        ["poll", POLL_MS, false],
        ["poll", POLL_MS, false],
      ],
    );
    for (const account of [polled, failing]) {
      const polls = pollsOf(account);
      assert.ok(polls.length >= 5 && polls.length <= 7, `${polls}`);
    }
    await within(clock, engine.stop());
    for (const account of accounts) {
      const happened = venue.truth(account).fills.length;
      // What came after the last turn is not there yet.
      assert.ok(fillsOf(account) >= happened * 0.5, `${account}: ${fillsOf(account)} of ${happened}`);
    }
    assert.deepEqual(fatal, []);
  });

  it("go on when one of them cannot be read, which is asked again no later than in its next turn", async () => {
    const { clock, engine, fatal, fillsOf, pollsOf, world } = follow(true);
    await within(clock, engine.start());
    await clock.advanceBy(5 * POLL_MS);
    assert.ok(pollsOf(polled).length >= 4, `${pollsOf(polled)}`);
    assert.ok(fillsOf(polled) > 0 && fillsOf(streamed) > 0);
    assert.equal(fillsOf(failing), 0);
    world.gateway.faults.clear();
    const clearedMs = clock.now() - START_MS;
    await clock.advanceBy(3 * POLL_MS);
    assert.ok(fillsOf(failing) > 0, `asked at ${pollsOf(failing)}, could be read from ${clearedMs} on`);
    await within(clock, engine.stop());
    assert.deepEqual(fatal, []);
  });

  it("get a loss repaired that two readings in a row leave contradicted, and call nothing lost that was read a moment early", async () => {
    const lost: { tid: number; time: number }[] = [];
    const spoil: Spoil = ({ type, user, endTime = 0 }, answer) => {
      // What asks up to the present lacks one fill, again and again.
      if (user !== polled || type !== "userFillsByTime" || endTime < clock.now()) return answer;
      const rows = JSON.parse(answer.text) as { tid: number; time: number }[];
      const one = rows.find(({ time }) => time > START_MS + POLL_MS && time < clock.now() - 5_000);
      if (one && lost.length === 0) lost.push(one);
      return { ...answer, text: JSON.stringify(rows.filter(({ tid }) => tid !== lost[0]?.tid)) };
    };
    const { clock, engine, fatal, tidsOf, pollsOf, driftOf } = follow(false, spoil);
    await within(clock, engine.start());
    await clock.runUntil(() => lost.length > 0, clock.now() + 10 * POLL_MS);
    const before = pollsOf(polled).length;
    await clock.runUntil(() => driftOf().length > 0, clock.now() + 10 * POLL_MS);
    assert.ok(pollsOf(polled).length > before, "what one reading leaves open may be on its way");
    assert.ok(tidsOf(polled).has(lost[0]!.tid));
    await clock.advanceBy(5 * POLL_MS);
    await within(clock, engine.stop());
    const drift = driftOf().map(({ cause, repairedAtMs }) => [cause, repairedAtMs !== null]);
    assert.deepEqual(drift, [["chain", true]]);
    assert.deepEqual(fatal, []);
  });
});
