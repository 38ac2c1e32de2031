/** Ready or not, and why, in words. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HealthFacts, status } from "../../../src/outputs/observation/status.ts";
import type { EngineStatus } from "../../../src/sync/engine.ts";

const NOW = 1_790_000_000_000;
const ADDRESS = `0x${"a".repeat(40)}`;

const subscription = (type: string, ageMs: number | null, stale = false) => ({
  subscription: { type, user: ADDRESS },
  state: "confirmed" as const,
  lastDataMs: ageMs === null ? null : NOW - ageMs,
  stale,
});
type Account = EngineStatus["accounts"][number];
type LaneStatus = NonNullable<Account["lane"]>;

const account = (lane: Partial<LaneStatus> = {}, stream: Partial<LaneStatus["stream"]> = {}): Account =>
  ({
    address: ADDRESS,
    alias: "main",
    mode: "stream",
    pollMs: null,
    role: "active",
    holder: null,
    lane: {
      phase: "live",
      queued: 0,
      dropped: 0,
      lastCatchUpMs: NOW - 60_000,
      lastCatchUpError: null,
      healed: 2,
      unexplained: 0,
      ...lane,
      stream: {
        state: "live",
        connectedSinceMs: NOW - 100_000,
        reconnects: 1,
        lastReceivedMs: NOW - 100,
        lastEnd: null,
        nextAttemptMs: null,
        roundTripMs: 80,
        subscriptions: [subscription("userFills", 50_000), subscription("clearinghouseState", 900)],
        ...stream,
      },
    },
  }) as Account;

const facts = (engine: Account[], rest: Partial<HealthFacts> = {}): HealthFacts => ({
  nowMs: NOW,
  startedMs: NOW - 200_000,
  version: "1.2.3",
  database: "postgres://user:***@host/db",
  probe: { up: true, latencyMs: 2, answeredMs: NOW - 1_000, error: null, outboxHead: 77 },
  engine: { accounts: engine, writesRefused: null },
  limiter: { usedLastMinute: 10, weightPerMinute: 1200, waiting: 0, inflight: 0, throttled429: 0 },
  clockOffsetMs: 3,
  eventStreams: 1,
  alerting: null,
  knowledge: () => [],
  heard: () => null,
  fleet: [],
  holderOf: () => null,
  ...rest,
});

describe("readiness", () => {
  it("is given when every account is subscribed, caught up and fresh", () => {
    const { ready, reasons, accounts } = status(facts([account()]));
    assert.deepEqual([ready, reasons], [true, []]);
    // A quiet channel says nothing: the newest data of any counts.
    assert.equal(accounts[0]!.last_data_ms, NOW - 900);
  });

  it("is refused with one reason for each thing that is missing", () => {
    const cases: [string, Account, RegExp][] = [
      ["not subscribed", account({}, { state: "subscribing" }), /^main: not subscribed \(subscribing\)$/],
      ["not caught up", account({ lastCatchUpMs: null }), /^main: not caught up yet$/],
      ["catching up", account({ phase: "catching_up" }), /^main: catching up$/],
      [
        "a silent channel",
        account(
          {},
          { subscriptions: [subscription("clearinghouseState", 900), subscription("spotState", 900, true)] },
        ),
        /^main: silent: spotState$/,
      ],
      [
        "connected but not fresh",
        account({}, { subscriptions: [subscription("clearinghouseState", 40_000)] }),
        /^main: no data for 40 s$/,
      ],
      [
        "nothing yet",
        account({}, { subscriptions: [subscription("clearinghouseState", null)] }),
        /no data yet$/,
      ],
    ];
    for (const [what, one, reason] of cases) {
      const { ready, reasons } = status(facts([one]));
      assert.equal(ready, false, what);
      assert.equal(reasons.length, 1, `${what}: ${reasons.join("; ")}`);
      assert.match(reasons[0]!, reason);
    }
  });

  it("is refused when the database does not answer, or has not for a while", () => {
    const probe = facts([]).probe;
    const down = status(facts([account()], { probe: { ...probe, up: false, error: "connection refused" } }));
    assert.deepEqual(down.reasons, ["the database does not answer: connection refused"]);
    const old = status(facts([account()], { probe: { ...probe, answeredMs: NOW - 30_000 } }));
    assert.deepEqual(old.reasons, ["the database has not answered for 30 s"]);
    const none = status(facts([account()], { database: null, probe: { ...probe, up: false } }));
    assert.equal(none.ready, true);
  });

  it("is refused while the database answers and takes no writes, in its own words", () => {
    const refusing = (ageMs: number) => ({
      accounts: [account()],
      writesRefused: {
        sinceMs: NOW - ageMs,
        reason: "could not extend file: No space left on device (53100)",
      },
    });
    const full = status(facts([], { engine: refusing(7_000) }));
    assert.deepEqual(full.reasons, [
      "the database takes no writes for 7 s: could not extend file: No space left on device (53100)",
    ]);
    assert.equal(full.database.writes_refused_since_ms, NOW - 7_000);
    assert.equal(status(facts([], { engine: refusing(100) })).ready, true, "two writers met");
  });

  const heard =
    (ageMs: number, pollMs: number | null = null) =>
    () => ({ atMs: NOW - ageMs, pollMs });

  it("is given on standby, while the other process keeps the account fresh", () => {
    const standby = { ...account(), role: "standby", holder: "other", lane: null } as Account;
    const { ready, accounts } = status(facts([standby], { heard: heard(20_000) }));
    assert.deepEqual([ready, accounts[0]!.mode, accounts[0]!.holder], [true, "standby", "other"]);
    // It is as fresh as the way in which the other follows it lets it be.
    assert.equal(status(facts([standby], { heard: heard(60_000) })).ready, false);
    assert.equal(status(facts([standby], { heard: heard(60_000, 15_000) })).ready, true);
  });

  it("of a polled account rests on the last reading of its states", () => {
    const polled = { ...account(), mode: "poll", pollMs: 15_000, lane: null } as Account;
    assert.equal(status(facts([polled], { heard: heard(60_000) })).ready, true);
    assert.match(status(facts([polled], { heard: heard(600_000) })).reasons[0]!, /no data for 600 s/);
    assert.match(status(facts([polled])).reasons[0]!, /no data yet/);
    // Three rounds, where those take longer.
    const slowly = { ...polled, pollMs: 300_000 } as Account;
    const [about] = status(facts([slowly], { heard: heard(600_000) })).accounts;
    assert.deepEqual(
      [about!.fresh, about!.delayed_after_ms, about!.stale_after_ms],
      [true, 450_000, 900_000],
    );
  });

  it("of a streamed account whose stream is away is as fresh as what is read over REST meanwhile", () => {
    const away = account({}, { state: "connecting", subscriptions: [subscription("spotState", 90_000)] });
    const [about] = status(facts([away], { heard: heard(12_000) })).accounts;
    assert.deepEqual([about!.fresh, about!.last_data_ms], [true, NOW - 12_000]);
    assert.equal(status(facts([away], { heard: heard(31_000) })).accounts[0]!.fresh, false);
  });
});
