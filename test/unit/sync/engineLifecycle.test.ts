import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TransportError } from "../../../src/errors.ts";
import { type Subscription, subscriptionKey } from "../../../src/protocol/channels.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import {
  Engine,
  type EngineConfig,
  type EngineDeps,
  type FollowedAccount,
} from "../../../src/sync/engine.ts";
import type { Fleet, RosterEntry, StreamHandler } from "../../../src/sync/ports.ts";
import { type Batch, type CoverageRow, TRACKED_STREAMS } from "../../../src/sync/rows.ts";
import { followDuty } from "../../../src/sync/standby.ts";
import { emptyStore } from "../../support/emptyStore.ts";
import { HandClock, settle } from "../connection/handClock.ts";
import { type Answers, NOTHING, NOW, streamIn, venue } from "./account/rig.ts";
import { fill } from "./rows.ts";

const user = (digit: string): string => `0x${digit.repeat(40)}`;
const NO_STREAM = streamIn("live");

interface Opened {
  subscriptions: Subscription[];
  handler: StreamHandler;
  isStopped: boolean;
}

/** An engine before a venue that is answered for by hand, with sockets that say nothing. */
function engine(
  accounts: string[],
  config: Partial<EngineConfig> = {},
  { answers = {}, deps = {} }: { answers?: Answers; deps?: Partial<EngineDeps> } = {},
) {
  const clock = new HandClock(NOW);
  const at = venue(clock, { ...NOTHING, ...answers });
  const opened: Opened[] = [];
  const noted: [string, number | null][] = [];
  const made = new Engine(
    {
      clock,
      info: at.info,
      store: { ...emptyStore(), noteFollowed: async (account, pollMs) => void noted.push([account, pollMs]) },
      openStream: (subscriptions, handler) => {
        const one: Opened = { subscriptions: [...subscriptions], handler, isStopped: false };
        opened.push(one);
        return {
          subscribe: (subscription) => void one.subscriptions.push(subscription),
          unsubscribe() {},
          status: () => NO_STREAM,
          stop: async () => {
            one.isStopped = true;
          },
        };
      },
      random: { next: () => 0.5 },
      log: silentLog,
      publish() {},
      onFatal: (error) => assert.fail(String(error)),
      ...deps,
    },
    {
      accounts: accounts.map((address) => ({ address, alias: null })),
      sinceMs: null,
      market: null,
      webData2: false,
      ...config,
    },
  );
  return { ...at, clock, engine: made, opened, noted };
}

const usersOf = (opened: Opened[]) => opened.map(({ subscriptions }) => subscriptions[0]?.user);

describe("the engine", () => {
  it("streams as many accounts as the venue serves, each on a socket of its own, and polls the others", async () => {
    const { engine: made, opened, noted, clock } = engine([user("1"), user("2"), user("3")], { usersMax: 2 });
    await made.start();
    assert.deepEqual(usersOf(opened), [user("1"), user("2")]);
    assert.deepEqual(
      made.status().accounts.map(({ mode, pollMs, role }) => [mode, pollMs, role]),
      [
        ["stream", null, "active"],
        ["stream", null, "active"],
        ["poll", 15_000, "active"],
      ],
    );
    assert.deepEqual(
      noted.map(([, pollMs]) => pollMs),
      [null, null, 15_000],
    );
    await made.stop();
    assert.ok(opened.every(({ isStopped }) => isStopped));
    assert.equal(clock.timers, 0);
  });

  it("closes the old gaps of an account that it polls, without holding up its turns", async () => {
    const sinceMs = NOW - 7 * 86_400_000;
    const provenToMs = NOW - 3 * 3_600_000;
    const known = TRACKED_STREAMS.map((stream): CoverageRow => {
      const claim = { account: user("1"), grade: "proven", fromMs: sinceMs, toMs: provenToMs } as const;
      return { ...claim, stream, reason: null };
    });
    const openAccount = async () => ({
      sinceMs,
      doubtedMs: null,
      coverage: known,
      openOrders: [],
      positions: [],
    });
    const store = { ...emptyStore(), openAccount, coverage: async () => known };
    const apply = async (batch: Batch) => {
      known.push(...(batch.coverage ?? []));
      return store.apply(batch);
    };
    const deps = { store: { ...store, apply } };
    const { engine: made, asked, clock } = engine([user("1")], { usersMax: 0, sinceMs }, { deps });
    await made.start();
    await clock.advance(60_000);
    const read = asked.flatMap(({ type, params }) => (type === "userFillsByTime" ? [params] : []));
    const turns = asked.filter(({ type }) => type === "clearinghouseState").length;
    assert.ok(turns >= 4, `${turns} turns`);
    assert.ok(
      read.some(({ startTime }) => Number(startTime) <= provenToMs + 1),
      JSON.stringify(read.slice(0, 3)),
    );
    const older = read.filter(({ startTime }) => Number(startTime) < NOW - 2 * 3_600_000);
    assert.equal(older.length, 1, "once");
    await made.stop();
    assert.equal(clock.timers, 0);
  });

  it("leaves a connection to market data", async () => {
    const ten = Array.from({ length: 11 }, (_, index) => `0x${String(index).padStart(40, "0")}`);
    const market = { coins: ["BTC"], streams: ["trades"] };
    for (const [choice, streamed] of [
      [null, 10],
      [market, 9],
    ] as const) {
      const { engine: made } = engine(ten, { market: choice });
      assert.equal(made.status().accounts.filter(({ mode }) => mode === "stream").length, streamed);
    }
  });

  it("asks for webData2 where that is wanted", async () => {
    for (const webData2 of [true, false]) {
      const { engine: made, opened } = engine([user("1")], { webData2 });
      await made.start();
      const types = opened[0]!.subscriptions.map(({ type }) => type);
      assert.equal(types.includes("webData2"), webData2);
      await made.stop();
    }
  });

  it("streams a dex that a row names for the first time, on the sockets that are open", async () => {
    const listed: ({ name: string } | null)[] = [null];
    const { engine: made, opened, asked } = engine([user("1")], {}, { answers: { perpDexs: () => listed } });
    await made.start();
    const { handler, subscriptions } = opened[0]!;
    handler.onConnected(NOW);
    // The catch-up must have begun: what it reads with is what the list is asked with.
    for (let turns = 0; turns < 100 && !asked.some(({ type }) => type === "historicalOrders"); turns++)
      await settle();
    listed.push({ name: "xyz" });
    await made.accounts()[0]!.commit({ fills: [fill({ timeMs: NOW, coin: "xyz:AAPL" })] }, NOW);
    await settle();
    assert.deepEqual(
      subscriptions.filter(({ dex }) => dex === "xyz").map(({ type }) => type),
      ["clearinghouseState", "openOrders"],
    );
    assert.equal(new Set(subscriptions.map(subscriptionKey)).size, subscriptions.length);
    await made.stop();
  });

  it("does not start where the venue or the database cannot be reached", async () => {
    const away = engine([user("1")], {}, { answers: { perpDexs: new TransportError("away") } });
    await assert.rejects(away.engine.start(), /away/);
    await away.engine.stop();
    assert.equal(away.clock.timers, 0);
    assert.deepEqual(away.opened, []);
  });

  it("gives up what it is starting when it is stopped", async () => {
    const { engine: made, opened, clock } = engine([user("1")]);
    const starting = made.start();
    const stopping = made.stop();
    await assert.rejects(starting, /stopped/);
    await stopping;
    await settle();
    assert.ok(opened.every(({ isStopped }) => isStopped));
    assert.equal(clock.timers, 0);
  });

  it("follows only what no other process follows, and says who does", async () => {
    const other = followDuty(user("2"));
    const shared: Fleet = {
      name: "this one",
      attend: async ({ wants }) => ({
        held: wants.flatMap((duty) => (duty === other ? [] : [{ duty, token: 1, isGiven: false }])),
        others: new Map([[other, "another"]]),
        share: { slots: 10, weight: 1_200, dials: 29, subscriptions: 1_000, workers: 1 },
        present: 2,
        wentBack: false,
      }),
      giveBack: async () => {},
      dismiss: async () => {},
    };
    const {
      engine: made,
      opened,
      clock,
    } = engine(
      [user("1"), user("2")],
      {},
      {
        deps: { shared },
      },
    );
    await made.start();
    await settle();
    assert.deepEqual(usersOf(opened), [user("1")]);
    assert.deepEqual(
      made.status().accounts.map(({ role, holder }) => [role, holder]),
      [
        ["active", "this one"],
        ["standby", "another"],
      ],
    );
    assert.equal(made.accounts().length, 1);
    await made.stop();
    assert.equal(clock.timers, 0);
  });

  it("streams as many as its egress leaves it, the liveliest of what is its own, and closes before it opens", async () => {
    const ours = ["1", "2", "3"].map(user);
    let slots = 1;
    let events: { account: string; timeMs: number }[] = [];
    const shared: Fleet = {
      name: "this one",
      attend: async () => ({
        held: ours.map((address) => ({ duty: followDuty(address), token: 1, isGiven: false })),
        others: new Map(),
        share: { slots, weight: 100, dials: 14, subscriptions: 500, workers: 2 },
        present: 2,
        wentBack: false,
      }),
      giveBack: async () => {},
      dismiss: async () => {},
    };
    const told: number[] = [];
    const noted = new Map<string, number | null>();
    const store = {
      ...emptyStore(),
      apply: async () => ({ events: events as never, written: {}, known: {} }),
      noteFollowed: async (account: string, pollMs: number | null) => void noted.set(account, pollMs),
    };
    const onShare = ({ weight }: { weight: number }) => void told.push(weight);
    const { engine: made, clock, opened } = engine(ours, {}, { deps: { shared, onShare, store } });
    const open = () => usersOf(opened.filter(({ isStopped }) => !isStopped));
    const turns = async (seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        await clock.advance(1_000);
        for (let n = 0; n < 20; n++) await settle();
        assert.ok(open().length <= Math.max(1, slots), `${open().length} streams`);
        // Age is judged alike here and in the database, also while the way of following changes.
        for (const { address, pollMs, mode } of made.status().accounts)
          assert.deepEqual([pollMs, mode], [noted.get(address), pollMs === null ? "stream" : "poll"]);
      }
    };
    await made.start();
    assert.deepEqual([open(), told[0]], [[user("1")], 100]);
    slots = 2;
    await turns(4);
    assert.deepEqual(open(), [user("1"), user("2")]);
    events = Array.from({ length: 9 }, () => ({ account: user("3"), timeMs: clock.now() }));
    await made.accounts()[2]!.commit({ fills: [fill({ timeMs: clock.now() })] }, clock.now());
    events = [];
    await turns(40);
    assert.deepEqual(open(), [user("1"), user("3")]);
    slots = 0;
    await turns(4);
    assert.deepEqual(open(), []);
    await made.stop();
  });

  it("follows what the roster says from one look to the next, beside what it was given", async () => {
    let entries: RosterEntry[] | null = [entry("2"), entry("3", { paused: true })];
    const roster = {
      changed: async () => {
        const told = entries;
        entries = null;
        return told;
      },
    };
    const told: string[][] = [];
    const onAccounts = (accounts: readonly FollowedAccount[]) =>
      void told.push(accounts.map(({ address, alias }) => alias ?? address));
    const {
      engine: made,
      clock,
      opened,
    } = engine([user("1")], { usersMax: 2 }, { deps: { roster, onAccounts } });
    const turn = async () => {
      await clock.advance(2_000);
      for (let turns = 0; turns < 20; turns++) await settle();
    };
    await made.start();
    const seen = () =>
      made.status().accounts.map(({ address, mode, role }) => [address[2], mode, role].join(" "));
    assert.deepEqual(seen(), ["2 stream active", "1 stream active"]);
    entries = [entry("2", { alias: "desk" }), entry("3"), entry("4", { wish: "poll" })];
    await turn();
    assert.deepEqual(seen(), ["2 stream active", "3 poll active", "4 poll active", "1 stream active"]);
    entries = [entry("3"), entry("4", { wish: "poll" })];
    await turn();
    await turn();
    assert.deepEqual(seen(), ["3 stream active", "4 poll active", "1 stream active"]);
    assert.equal(opened.filter(({ isStopped }) => !isStopped).length, 2);
    assert.ok(opened.find(({ subscriptions }) => subscriptions[0]?.user === user("2"))?.isStopped);
    assert.deepEqual(told.at(2), ["desk", user("3"), user("4"), user("1")]);
    await made.stop();
    assert.equal(clock.timers, 0);
  });
});

const entry = (digit: string, said: Partial<RosterEntry> = {}): RosterEntry => ({
  address: user(digit),
  alias: null,
  wish: "stream",
  sinceMs: null,
  paused: false,
  ...said,
});
