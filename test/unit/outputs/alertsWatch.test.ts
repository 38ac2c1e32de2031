/** Alerting on a real database: what is told, once, across restarts and between processes. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { StoreError } from "../../../src/errors.ts";
import { addSilence, endSilence, readAlerts } from "../../../src/outputs/alerts/alertStore.ts";
import type { Channel } from "../../../src/outputs/alerts/channels.ts";
import { type Rule, type RuleSet, ruleSet } from "../../../src/outputs/alerts/ruleSet.ts";
import type { ListedName } from "../../../src/outputs/alerts/rules/index.ts";
import {
  AlertWatch,
  type Followed,
  WATCH_DEFAULTS,
  type WatchDeps,
} from "../../../src/outputs/alerts/watch.ts";
import { disableEndpoint } from "../../../src/outputs/delivery/endpoints.ts";
import type { OutboxEvent } from "../../../src/outputs/outbox.ts";
import { type Clock, systemClock } from "../../../src/runtime/clock.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import type { Queryable } from "../../../src/store/database.ts";
import { openPostgres } from "../../../src/store/postgres.ts";
import type { DashboardRow, PositionRow } from "../../../src/sync/rows.ts";
import {
  ACCOUNT,
  dashboardOf,
  fillOf,
  fundingOf,
  ledgerOf,
  OTHER,
  orderEventOf,
  positionOf,
} from "../../contract/rows.ts";
import { startServer, type TestDatabase, type TestServer } from "../../support/postgres.ts";
import { eventually } from "../../support/until.ts";

const QUICK = { ...WATCH_DEFAULTS, eventsMs: 15, conditionsMs: 15, slowMs: 30, leaseMs: 3_000 };

describe("alerting", () => {
  let server: TestServer;
  let target: TestDatabase;
  let db: Queryable;
  let followed: Followed[];
  const watches = new Set<AlertWatch>();

  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());
  beforeEach(async () => {
    target = await server.newDatabase();
    db = target.database;
    await target.store.openAccount(ACCOUNT, "main", null);
    await db.query(
      "insert into hl_internal.claims select d, 'one', 1, null, now() from unnest($1::text[]) d",
      [[ACCOUNT, OTHER].map((account) => `follow ${account}`)],
    );
    followed = [following(ACCOUNT)];
  });
  afterEach(async () => {
    for (const watch of watches) await watch.stop();
    watches.clear();
    await target.close();
  });

  const following = (account: string): Followed => ({
    account,
    lease: { lease: `follow ${account}`, holder: "one", token: 1 },
    ...{ lastDataMs: null, streamed: false },
  });

  function startWatch(rules: RuleSet = ruleSet([]), change: Partial<WatchDeps> = {}): AlertWatch {
    const watch = new AlertWatch({
      db,
      clock: systemClock,
      log: silentLog,
      holder: "one",
      rules,
      followed: () => followed,
      clockOffsetMs: () => 0,
      channels: [],
      ping: null,
      options: QUICK,
      ...change,
    }).start();
    watches.add(watch);
    return watch;
  }

  /** The rules, with some of one changed in a way that users cannot. */
  const rulesWith = (name: ListedName, change: Partial<Rule>): RuleSet => {
    const { rules, prices } = ruleSet([]);
    return { prices, rules: new Map(rules).set(name, { ...rules.get(name)!, ...change } as Rule) };
  };

  const until = <T>(read: () => Promise<T>, good: (value: T) => boolean): Promise<T> =>
    eventually("it to be so", read, good);
  /** What was published, oldest first: `fired margin_ratio crit`. */
  const told = async (): Promise<string[]> => {
    const rows = await db.query<{ type: string; data: Record<string, unknown> }>(
      "select type, data from hl_internal.outbox where type like 'alert.%' order by id",
    );
    return rows.map(({ type, data }) => `${type.slice(6)} ${data.rule} ${data.severity}`);
  };
  const alerts = () => readAlerts(db, 1_000);
  const firing = async () => (await alerts()).filter(({ state }) => state === "firing");

  let snapshots = 0;
  const snapshot = (change: Partial<DashboardRow> = {}) => {
    snapshots += 1;
    const row = dashboardOf({ asOfMs: Date.now() + (snapshots % 500), healthScore: null, ...change });
    return target.store.apply({ dashboard: [row] });
  };
  const margin = (pct: number) =>
    snapshot({ liquidationBufferPct: String(100 - pct), healthComponents: null });
  const position = (change: Partial<PositionRow> = {}) =>
    target.store.apply({
      positions: [
        positionOf({ asOfMs: Date.now(), liquidationPrice: "60000.0", maxLeverage: 40, ...change }),
      ],
    });
  /** Every rule has been looked at since now, at least twice. */
  const judged = async (): Promise<void> => {
    let rounds = 0;
    const { query } = db;
    const counting: Queryable["query"] = (sql, params) => {
      if (sql.includes("hl_positions p")) rounds += 1;
      return query.call(target.database, sql, params) as ReturnType<Queryable["query"]> as never;
    };
    db.query = counting;
    await until(
      async () => rounds,
      (count) => count >= 3,
    );
    db.query = query;
  };

  let trade = 0;
  const fills = (count: number, change: Parameters<typeof fillOf>[0] = {}) =>
    target.store.apply({
      fills: Array.from({ length: count }, () => {
        trade += 1;
        const nowMs = Date.now();
        return fillOf({
          tradeId: trade,
          timeMs: nowMs,
          seenAtMs: nowMs,
          size: "0.01",
          value: "830.00",
          ...change,
        });
      }),
    });

  it("tells 40 partial fills of one order once, also when restarted in between", async () => {
    const first = startWatch();
    for (let n = 0; n < 4; n++) await fills(5);
    await first.stop();
    watches.delete(first);
    startWatch();
    for (let n = 0; n < 4; n++) await fills(5);
    await until(told, (lines) => lines.length === 1);
    const [alert] = await alerts();
    assert.match(
      alert!.message,
      /^INFO bought 0\.4 BTC at 83000 \(33200 USD, 40 fills, order 556696349186\)\./,
    );
    // Once more from the start: it was told.
    for (const watch of watches) await watch.stop();
    watches.clear();
    startWatch();
    await fills(1);
    await until(
      () => db.query<{ n: number }>("select count(*) as n from hl_fills"),
      ([row]) => row!.n === 41,
    );
    await fills(1, { orderId: 99, size: "1", value: "83000.00" });
    await until(told, (lines) => lines.length === 2);
    assert.deepEqual((await alerts()).map(({ subject }) => subject).sort(), [
      "order 556696349186",
      "order 99",
    ]);
  });

  it("tells nothing of 9 000 fills that a backfill brings", async () => {
    startWatch();
    const nowMs = Date.now();
    for (let page = 0; page < 9; page++) {
      await target.store.apply({
        fills: Array.from({ length: 1_000 }, (_, n) =>
          fillOf({
            tradeId: 1_000_000 + page * 1_000 + n,
            orderId: n,
            timeMs: nowMs - 600_000 - n * 1_000,
            size: "10",
            value: "830000.00",
            source: "backfill",
            seenAtMs: nowMs,
          }),
        ),
      });
    }
    // A fresh one behind them shows that they were all read.
    await fills(1, { orderId: 7, size: "1", value: "83000.00" });
    await until(told, (lines) => lines.length > 0);
    assert.deepEqual(await told(), ["fired large_fill info"]);
    assert.equal((await alerts()).length, 1);
  });

  it("tells a margin ratio that moves around its threshold once, and once that it is over, restarts included", async () => {
    let watch = startWatch();
    for (const pct of [40, 60.1, 59.8, 60.3, 55, 61, 52, 60.2]) {
      await margin(pct);
      await judged();
      if (pct !== 55) continue;
      await watch.stop();
      watches.delete(watch);
      watch = startWatch();
    }
    assert.deepEqual(await told(), ["fired margin_ratio warn"]);
    await margin(49);
    await until(firing, (rows) => rows.length === 0);
    assert.deepEqual(await told(), ["fired margin_ratio warn", "resolved margin_ratio warn"]);
    // The cooldown is remembered across restarts too.
    await watch.stop();
    watches.delete(watch);
    startWatch();
    await margin(65);
    await until(alerts, (rows) => rows.some(({ state }) => state === "pending"));
    await margin(85);
    await until(told, (lines) => lines.length === 3);
    assert.equal((await told())[2], "fired margin_ratio crit");
  });

  it("publishes the second crisis of one alert as an event of its own", async () => {
    startWatch(rulesWith("margin_ratio", { cooldownMs: 50 }));
    for (const [pct, count] of [
      [85, 1],
      [65, 1],
      [90, 2],
    ] as const) {
      await margin(pct);
      await until(told, (lines) => lines.length === count);
      await until(alerts, ([row]) => row!.severity === (pct === 65 ? "warn" : "crit"));
      await judged();
      // Longer than the cooldown.
      await judged();
    }
    const keys = await db.query<{ key: string }>(
      "select distinct event_key as key from hl_internal.outbox where type = 'alert.fired'",
    );
    assert.equal(keys.length, 2);
  });

  it("ends a margin ratio when everything was liquidated and there is no ratio any more", async () => {
    startWatch(ruleSet(["daily_loss=off"]));
    await margin(85);
    await until(firing, (rows) => rows.length === 1);
    // Not known is not over.
    await snapshot({ liquidationBufferPct: null, healthComponents: null });
    await judged();
    assert.equal((await firing()).length, 1);
    await snapshot({
      liquidationBufferPct: null,
      healthComponents: null,
      totalPositions: 0,
      accountValue: "0",
      totalNotionalPosition: "0",
      actualLeverage: null,
    });
    await until(firing, (rows) => rows.length === 0);
    assert.match((await alerts())[0]!.message, /^RESOLVED no position is open\. /);
  });

  it("uses the pools of the health score where they are known", async () => {
    startWatch();
    await snapshot({
      liquidationBufferPct: "99",
      healthComponents: {
        pools: [{ pool: "unified USDC", ratio: "0.81", threshold: "0.95" }],
        limiting: "margin",
      },
    } as never);
    await until(told, (lines) => lines.length === 1);
    const [alert] = await firing();
    assert.match(alert!.message, /^CRIT margin ratio 85\.3 % \(unified USDC\)\. Threshold 80 %\. Equity /);
  });

  it("tells how far a position is from liquidation, when it comes nearer, and when it is closed", async () => {
    startWatch();
    await position({ liquidationDistancePct: "9.1", markPrice: "66000.0" });
    await until(told, (lines) => lines.length === 1);
    const [alert] = await firing();
    assert.match(
      alert!.message,
      /^WARN BTC long 9\.1 % from liquidation \(3\.6 daily moves\)\. Threshold 10 %\. Mark 66000, liq 60000\. \d+(\.\d)? s old\.$/,
    );
    await position({ liquidationDistancePct: "3.9", markPrice: "62400.0" });
    await until(told, (lines) => lines.length === 2);
    await position({ szi: "0.0", liquidationDistancePct: null, liquidationPrice: null });
    await until(firing, (rows) => rows.length === 0);
    assert.deepEqual(await told(), [
      "fired liquidation_distance warn",
      "fired liquidation_distance crit",
      "resolved liquidation_distance crit",
    ]);
    const [over] = await alerts();
    assert.match(over!.message, /^RESOLVED BTC position is closed\./);
  });

  it("leaves values alone while the feed is stale, and tells that it is", async () => {
    followed = [{ ...following(ACCOUNT), lastDataMs: Date.now() - 40_000, streamed: true }];
    await position({ liquidationDistancePct: "3", asOfMs: Date.now() - 40_000 });
    startWatch();
    await until(told, (lines) => lines.length === 1);
    await judged();
    assert.deepEqual(await told(), ["fired feed_stale warn"]);
    followed = [{ ...following(ACCOUNT), lastDataMs: Date.now(), streamed: true }];
    await position({ liquidationDistancePct: "3" });
    await until(told, (lines) => lines.length === 3);
    assert.deepEqual((await told()).sort(), [
      "fired feed_stale warn",
      "fired liquidation_distance crit",
      "resolved feed_stale warn",
    ]);
  });

  it("judges by the venue's clock, however far it is from ours", async () => {
    startWatch(ruleSet([]), { clockOffsetMs: () => -600_000 });
    await position({ liquidationDistancePct: "3", asOfMs: Date.now() - 600_000 });
    await until(told, (lines) => lines.length === 1);
    assert.match((await firing())[0]!.message, / \d(\.\d)? s old\.$/);
    await fills(1, { orderId: 7, value: "83000.00", timeMs: Date.now() - 600_000 });
    await until(told, (lines) => lines.length === 2);
  });

  it("keeps quiet while silenced, and speaks when the silence ends", async () => {
    const id = await addSilence(db, {
      rule: null,
      account: ACCOUNT,
      coin: null,
      untilMs: Date.now() + 60_000,
    });
    startWatch(ruleSet([]), { options: { ...QUICK, leaseMs: 30 } });
    await margin(70);
    await fills(1, { orderId: 7, value: "83000.00" });
    await until(alerts, (rows) => rows.length === 2);
    assert.deepEqual(await told(), []);
    assert.ok((await alerts()).every(({ notifiedMs }) => notifiedMs === null));
    assert.ok(await endSilence(db, id));
    // The condition still holds; the fill is past.
    await until(told, (lines) => lines.length === 1);
    assert.deepEqual(await told(), ["fired margin_ratio warn"]);
  });

  it("is done by the process that follows the account, and by no other, whatever that one believes", async () => {
    let taken = false;
    startWatch(ruleSet([]), { holder: "one", options: { ...QUICK, leaseMs: 600 } });
    const lease = { lease: `follow ${ACCOUNT}`, holder: "two", token: 2 };
    startWatch(ruleSet([]), {
      ...{ holder: "two", options: { ...QUICK, leaseMs: 600 } },
      followed: () => (taken ? [{ ...following(ACCOUNT), lease }] : []),
    });
    await margin(70);
    await fills(1, { orderId: 1, value: "83000.00" });
    await until(told, (lines) => lines.length === 2);
    // The first stood still while its account was taken over, and knows nothing of it.
    await db.query("update hl_internal.claims set worker = 'two', token = 2 where duty = $1", [lease.lease]);
    taken = true;
    await margin(90);
    await fills(1, { orderId: 2, value: "83000.00" });
    await until(told, (lines) => lines.length === 4);
    assert.deepEqual((await told()).sort(), [
      "fired large_fill info",
      "fired large_fill info",
      "fired margin_ratio crit",
      "fired margin_ratio warn",
    ]);
    const [leases] = await db.query(
      "select count(*)::int as n from hl_internal.leases where name like 'alerts:%'",
    );
    assert.deepEqual(leases, { n: 1 }, "no lease for each account");
  });

  it("lists alerts by account and coin", async () => {
    followed.push(following(OTHER));
    startWatch();
    await fills(1, { account: OTHER, orderId: 1, value: "83000.00" });
    await fills(1, { orderId: 2, value: "83000.00" });
    await fills(1, { orderId: 3, value: "83000.00", coin: "ETH" });
    await until(told, (lines) => lines.length === 3);
    const subjects = async (accounts: string[] | null, coin: string | null) =>
      (await readAlerts(db, 10, { accounts, coin })).map(({ subject }) => subject).sort();
    assert.deepEqual(await subjects([ACCOUNT], null), ["order 2", "order 3"]);
    assert.deepEqual(await subjects(null, "BTC"), ["order 1", "order 2"]);
    assert.deepEqual(await subjects([ACCOUNT], "BTC"), ["order 2"]);
    assert.deepEqual(await subjects(null, null), ["order 1", "order 2", "order 3"]);
  });

  it("watches only the accounts that this process follows", async () => {
    startWatch();
    await fills(1, { account: OTHER, orderId: 1, value: "83000.00" });
    await fills(1, { orderId: 2, value: "83000.00" });
    await until(told, (lines) => lines.length === 1);
    assert.deepEqual(
      (await alerts()).map(({ account }) => account),
      [ACCOUNT],
    );
  });

  it("publishes gaps as events of their own, whatever the rule of alerts and its silences", async () => {
    await addSilence(db, { rule: null, account: null, coin: null, untilMs: Date.now() + 60_000 });
    const options = { ...QUICK, gapMs: 0 };
    const first = startWatch(ruleSet(["gap=off"]), { options });
    const nowMs = Date.now();
    await target.store.openAccount(ACCOUNT, null, nowMs - 7_200_000);
    const gaps = async () => {
      const rows = await db.query<{ type: string; stream: string }>(
        "select type, data ->> 'stream' as stream from hl_internal.outbox where type like 'gap.%' order by type, stream",
      );
      return rows.map(({ type, stream }) => `${type} ${stream}`);
    };
    const streams = ["fills", "funding", "ledger", "orders", "twapFills"] as const;
    const opened = streams.map((stream) => `gap.opened ${stream}`);
    assert.deepEqual(await until(gaps, ({ length }) => length === 5), opened);
    const [{ missing } = { missing: 0 }] = await db.query<{ missing: number }>(
      "select (data ->> 'missing_ms')::bigint as missing from hl_internal.outbox where type = 'gap.opened' limit 1",
    );
    assert.ok(missing >= 7_199_000 - 900_000, String(missing));
    await first.stop();
    watches.delete(first);
    startWatch(ruleSet([]), { options });
    await judged();
    const coverage = streams.map((stream) => ({
      account: ACCOUNT,
      stream,
      grade: "proven" as const,
      fromMs: 0,
      toMs: nowMs,
      reason: null,
    }));
    await target.store.apply({ coverage });
    assert.deepEqual(await until(gaps, ({ length }) => length === 10), [
      ...streams.map((stream) => `gap.closed ${stream}`),
      ...opened,
    ]);
    assert.deepEqual(await told(), []);
  });

  it("tells tokens that were staked, and not those that come back", async () => {
    startWatch();
    const nowMs = Date.now();
    const staking = (isDeposit: boolean) =>
      ledgerOf({
        timeMs: nowMs,
        seenAtMs: nowMs,
        type: "cStakingTransfer",
        token: "HYPE",
        amount: "12.5",
        digest: `staking ${isDeposit}`,
        raw: { delta: { type: "cStakingTransfer", isDeposit } },
      });
    await target.store.apply({ ledger: [staking(false), staking(true)] });
    await until(told, (lines) => lines.length === 1);
    await judged();
    const messages = (await alerts()).map(({ message }) => message.replace(/ [\d.]+ s old\.$/, ""));
    assert.deepEqual(messages, ["WARN 12.5 HYPE left the account (cStakingTransfer)."]);
  });

  it("tells funding that turned while nobody was there to see it", async () => {
    const nowMs = Date.now();
    const paid = (timeMs: number, usdc: string) =>
      target.store.apply({ funding: [fundingOf({ timeMs, seenAtMs: nowMs, usdc })] });
    await paid(nowMs - 7_200_000, "-1");
    await paid(nowMs - 3_600_000, "1");
    await paid(nowMs - 60_000, "-2");
    startWatch(ruleSet(["funding_flip=on"]));
    await until(told, (lines) => lines.length === 1);
    await judged();
    const messages = (await alerts()).map(({ message }) => message);
    assert.equal(messages.length, 1);
    assert.match(messages[0]!, /^INFO ETH funding is paid now: -2 USDC/);
  });

  it("tells a burst of rejections by its first, and by a summary when the cooldown is over", async () => {
    let aheadMs = 0;
    const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs };
    startWatch(ruleSet([]), { clock });
    const nowMs = Date.now();
    const rejected = (orderId: number) =>
      orderEventOf({
        orderId,
        venueStatus: "perpMarginRejected",
        statusTimeMs: nowMs,
        placedAtMs: nowMs,
        seenAtMs: nowMs,
      });
    await target.store.apply({ orderEvents: [1, 2, 3].map(rejected) });
    await until(told, (lines) => lines.length === 1);
    aheadMs = 300_000;
    await until(told, (lines) => lines.length === 2);
    const [summary] = await alerts();
    assert.match(summary!.message, /^WARN BTC order 3 rejected .* And 1 more in the last 5 min\.$/);
  });

  it("tells positions of the last minutes as they changed then, not against what they are now", async () => {
    const at = (asOfMs: number, szi: string, coin = "BTC") =>
      target.store.apply({ positions: [positionOf({ asOfMs, szi, coin, liquidationPrice: null })] });
    const nowMs = Date.now();
    await at(nowMs - 90_000, "0.5", "SOL");
    await snapshot({ accountValue: "100000", liquidationBufferPct: "99", healthComponents: null });
    // Committed in a later millisecond than the first snapshot.
    await until(
      async () => Date.now(),
      (ms) => ms > nowMs + 20,
    );
    await at(nowMs - 80_000, "0.5");
    await at(nowMs - 70_000, "0.6");
    await at(nowMs - 60_000, "0.6", "SOL");
    startWatch(ruleSet(["position=on", "exposure=off"]));
    await until(told, (lines) => lines.length === 1);
    await at(nowMs, "0");
    await until(told, (lines) => lines.length === 2);
    const messages = (await alerts()).map(({ message }) => message.replace(/\.? [\d.]+ \w+ old\.$/, ""));
    assert.deepEqual(messages.reverse(), ["INFO BTC long opened: 0.5 at 83000", "INFO BTC long closed"]);
  });

  it("starts from the sides that positions had at its cursor, not from those they have now", async () => {
    const nowMs = Date.now();
    const at = (asOfMs: number, szi: string) =>
      target.store.apply({ positions: [positionOf({ asOfMs, szi, liquidationPrice: null })] });
    await snapshot({ accountValue: "100000", liquidationBufferPct: "99", healthComponents: null });
    await at(nowMs - 600_000, "0.5");
    await db.query("update hl_internal.outbox set created_at = now() - interval '10 minutes'");
    await at(nowMs - 60_000, "0.7");
    await at(nowMs - 50_000, "-0.7");
    startWatch(ruleSet(["position=on", "exposure=off"]));
    await until(told, (lines) => lines.length === 1);
    await judged();
    const messages = (await alerts()).map(({ message }) => message.replace(/ [\d.]+ \w+ old\.$/, ""));
    assert.deepEqual(messages, ["INFO BTC flipped from long to short: 0.7 at 83000."]);
  });

  it("tells of drift and gaps", async () => {
    const { rules, prices } = rulesWith("gap", { forMs: 0 });
    const drift = { ...rules.get("drift")!, forMs: 0 } as Rule;
    startWatch({ prices, rules: new Map(rules).set("drift", drift) });
    const nowMs = Date.now();
    await target.store.openAccount(ACCOUNT, null, nowMs - 7_200_000);
    const row = {
      account: ACCOUNT,
      stream: "fills",
      cause: "chain",
      detail: { missing: "1" },
      foundAtMs: nowMs,
    };
    await target.store.apply({ drift: [{ ...row, repairedAtMs: null }] });
    // All five streams miss two hours.
    await until(firing, (rows) => rows.length === 6);
    const coverage = (["fills", "twapFills", "orders", "funding", "ledger"] as const).map((stream) => ({
      account: ACCOUNT,
      stream,
      grade: "proven" as const,
      fromMs: 0,
      toMs: nowMs,
      reason: null,
    }));
    await target.store.apply({ coverage, drift: [{ ...row, repairedAtMs: nowMs }] });
    await until(firing, (rows) => rows.length === 0);
  });

  it("says of a difference that was never repaired that it was not, when it ends after a day", async () => {
    let aheadMs = 0;
    const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs };
    startWatch(rulesWith("drift", { forMs: 0 }), { clock });
    const row = { account: ACCOUNT, stream: "fills", cause: "chain", detail: { missing: "1" } };
    await target.store.apply({ drift: [{ ...row, foundAtMs: Date.now(), repairedAtMs: null }] });
    await until(firing, (rows) => rows.length === 1);
    aheadMs = 86_401_000;
    const over = () =>
      alerts().then((rows) => rows.filter(({ rule, state }) => rule === "drift" && state === "resolved"));
    const [drift] = await until(over, (rows) => rows.length === 1);
    assert.match(
      drift!.message,
      /^RESOLVED no new difference to the venue, but 1 of more than a day ago not repaired\./,
    );
  });

  it("tells the day's loss without deposits and withdrawals", async () => {
    startWatch();
    const midnightMs = Math.floor(Date.now() / 86_400_000) * 86_400_000;
    const flat = { liquidationBufferPct: "99", healthComponents: null, accountMode: "standard" };
    const steady = { ...flat, accountValue: "10000" };
    await target.store.apply({ dashboard: [dashboardOf({ ...steady, asOfMs: midnightMs - 60_000 })] });
    // 4 000 were withdrawn, 600 were lost.
    await target.store.apply({
      ledger: [
        ledgerOf({
          timeMs: midnightMs - 1,
          type: "withdraw",
          source: "backfill",
          raw: { delta: { type: "withdraw", usdc: "3999.0", fee: "1.0" } },
        }),
      ],
    });
    await snapshot({ ...flat, accountValue: "5400" });
    await until(told, (lines) => lines.length === 1);
    const [alert] = await firing();
    assert.match(alert!.message, /^WARN 6 % lost today\. Threshold 5 %\. -600 USD, net worth 5400\./);
  });

  it("tells no loss of weeks as the day's", async () => {
    startWatch();
    const flat = { liquidationBufferPct: "99", healthComponents: null, accountMode: "standard" } as const;
    await target.store.apply({
      dashboard: [dashboardOf({ ...flat, accountValue: "10000", asOfMs: Date.now() - 21 * 86_400_000 })],
    });
    await snapshot({ ...flat, accountValue: "5400" });
    await judged();
    assert.deepEqual(await told(), []);
  });

  it("tells health, drawdown and leverage from the account's snapshot", async () => {
    startWatch(ruleSet(["leverage=20/10"]));
    const risky = {
      liquidationBufferPct: "99",
      healthScore: 35,
      healthReason: "BTC long 4 % from liquidation",
    };
    const components = { drawdown: "0.31", limiting: "liquidation", pools: [] };
    await snapshot({ ...risky, actualLeverage: "26.14", healthComponents: components } as never);
    await until(told, (lines) => lines.length === 3);
    const messages = (await firing()).map(({ message }) => message).sort();
    const age = String.raw`\d+(\.\d)? s old\.$`;
    for (const [index, text] of [
      "^CRIT net worth is 31 % below its peak\\. Threshold 30 %\\. Net worth 38252\\.7 USD\\. ",
      "^WARN health 35 of 100\\. Threshold 40\\. BTC long 4 % from liquidation\\. ",
      "^WARN leverage 26\\.1×\\. Threshold 20 ×\\. Equity 38252\\.7 USD\\. ",
    ].entries())
      assert.match(messages[index]!, new RegExp(text + age));
    // A score that nobody knows is neither good nor bad.
    await snapshot({
      healthScore: null,
      actualLeverage: "9",
      healthComponents: { ...components, drawdown: "0" },
    } as never);
    await until(firing, (rows) => rows.length === 1);
    assert.deepEqual(
      (await firing()).map(({ rule }) => rule),
      ["health_score"],
    );
  });

  it("tells a position without a stop, until one rests on the right side, and one that is too big", async () => {
    const { rules, prices } = ruleSet(["stop_missing=on", "exposure=100/80"]);
    const atOnce = { ...rules.get("stop_missing")!, forMs: 0 } as Rule;
    startWatch({ prices, rules: new Map(rules).set("stop_missing", atOnce) });
    await snapshot({ accountValue: "40000", liquidationBufferPct: "99", healthComponents: null });
    await position({ liquidationPrice: null });
    await until(told, (lines) => lines.length === 2);
    const messages = (await firing()).map(({ message }) => message).sort();
    assert.match(
      messages[0]!,
      /^WARN BTC long is 104 % of equity\. Threshold 100 %\. Value 41550 USD, equity 40000\. /,
    );
    assert.match(messages[1]!, /^WARN BTC long of 41550 USD has no stop order\. /);
    const resting = (orderId: number, side: "buy" | "sell") =>
      orderEventOf({
        orderId,
        side,
        statusTimeMs: Date.now(),
        placedAtMs: Date.now(),
        seenAtMs: Date.now(),
        triggerPrice: "70000.0",
        reduceOnly: true,
        orderType: "Stop Market",
        size: "0.5",
        remaining: "0.5",
      });
    // The wrong side adds to the position.
    await target.store.apply({ orderEvents: [resting(1, "buy")] });
    // Nor is a target a stop.
    await target.store.apply({ orderEvents: [{ ...resting(3, "sell"), orderType: "Take Profit Market" }] });
    // What is not known of the account closes no position.
    await snapshot({ accountValue: null, liquidationBufferPct: "99", healthComponents: null });
    await judged();
    assert.equal((await firing()).length, 2);
    await snapshot({ accountValue: "40000", liquidationBufferPct: "99", healthComponents: null });
    await target.store.apply({ orderEvents: [resting(2, "sell")] });
    await until(firing, (rows) => rows.length === 1);
    await position({ szi: "0.3", positionValue: "31000.0", liquidationPrice: null });
    await until(firing, (rows) => rows.length === 0);
    assert.deepEqual((await told()).sort(), [
      "fired exposure warn",
      "fired stop_missing warn",
      "resolved exposure warn",
      "resolved stop_missing warn",
    ]);
  });

  it("tells every kind of event from rows as they are stored", async () => {
    startWatch(ruleSet(["position=on", "funding_cost=3", "funding_flip=on"]));
    const nowMs = Date.now();
    const seen = { timeMs: nowMs, seenAtMs: nowMs };
    await target.store.apply({
      positions: [positionOf({ asOfMs: nowMs - 20, liquidationPrice: null })],
      funding: [fundingOf({ ...seen, timeMs: nowMs - 10, usdc: "1.5" })],
    });
    await target.store.apply({
      positions: [positionOf({ asOfMs: nowMs, szi: "-0.2", liquidationPrice: null })],
      funding: [fundingOf(seen)],
      ledger: [
        ledgerOf({
          ...seen,
          type: "withdraw",
          raw: { delta: { type: "withdraw", usdc: "250.0", fee: "1.0" } },
        }),
      ],
      orderEvents: [
        orderEventOf({
          venueStatus: "perpMarginRejected",
          statusTimeMs: nowMs,
          placedAtMs: nowMs,
          seenAtMs: nowMs,
        }),
      ],
      fills: [
        fillOf({
          ...seen,
          orderId: 3,
          size: "0.001",
          value: "83.00",
          side: "sell",
          liquidation: { liquidatedUser: ACCOUNT, markPx: "83000", method: "market" },
        }),
      ],
    });
    await until(told, (lines) => lines.length === 6);
    const messages = (await alerts()).map(
      ({ rule, message }) => `${rule}: ${message.replace(/ [\d.]+ s old\.$/, "")}`,
    );
    assert.deepEqual(messages.sort(), [
      "funding_cost: INFO ETH funding cost 3.63 USDC at 0.0000417. Threshold 3 USD.",
      "funding_flip: INFO ETH funding is paid now: -3.6253 USDC at 0.0000417.",
      `liquidation: CRIT LIQUIDATED: sold 0.001 BTC at 83000 (83 USD, 1 fill, order 3).`,
      "order_rejected: WARN BTC order 556696349186 rejected (perpMarginRejected): buy 2 at 83000, 0 filled.",
      "position: INFO BTC flipped from long to short: 0.2 at 83000.",
      "withdrawal: WARN 251 USD left the account (withdraw).",
    ]);
  });

  describe("the daily digest", () => {
    const MIDNIGHT = Math.ceil(Date.now() / 86_400_000) * 86_400_000;
    const DAY = new Date(MIDNIGHT - 1).toISOString().slice(0, 10);
    const digests = async () =>
      (await alerts()).filter(({ rule }) => rule === "daily_digest").sort((a, b) => a.id - b.id);
    const RULES = ruleSet(["daily_digest=on", "large_fill=off", "funding_cost=off"]);
    let atMs = 0;
    /** Runs from `atMs` on, whatever the time of the test. */
    const clock: Clock = { ...systemClock, now: () => atMs + Math.floor(performance.now() - sinceMs) };
    let sinceMs = 0;
    const set = (ms: number) => {
      atMs = ms;
      sinceMs = performance.now();
    };
    const stopAll = async () => {
      for (const watch of watches) await watch.stop();
      watches.clear();
    };

    it("sums the UTC day, whatever the time zone of the database, and says what SQL says", async () => {
      const fill = (timeMs: number, closedPnl: string, fee: string, feeToken = "USDC") =>
        fillOf({ tradeId: ++trade, timeMs, seenAtMs: timeMs, closedPnl, fee, feeToken, source: "backfill" });
      await target.store.apply({
        fills: [
          // The first and the last millisecond of the day, and their neighbours.
          fill(MIDNIGHT - 86_400_001, "1000", "100"),
          fill(MIDNIGHT - 86_400_000, "40.25", "1.5"),
          fill(MIDNIGHT - 3_600_000, "-10", "-0.125"),
          fill(MIDNIGHT - 1, "5.000001", "0.3"),
          fill(MIDNIGHT - 2, "0", "0.7", "HYPE"),
          fill(MIDNIGHT, "2000", "200"),
        ],
        funding: [
          fundingOf({ timeMs: MIDNIGHT - 86_400_000, usdc: "-3.625312" }),
          fundingOf({ timeMs: MIDNIGHT, usdc: "-50" }),
        ],
        dashboard: [
          dashboardOf({ asOfMs: MIDNIGHT - 30_000, accountValue: "1234.56", healthScore: null }),
          dashboardOf({ asOfMs: MIDNIGHT + 30_000, accountValue: "999", healthScore: null }),
        ],
      });
      const [{ name } = { name: "" }] = await db.query<{ name: string }>("select current_database() as name");
      await db.query(`alter database ${name} set timezone = 'Pacific/Kiritimati'`);
      const faraway = openPostgres(target.url);
      try {
        const [zone] = await faraway.query<{ zone: string }>("select current_setting('timezone') as zone");
        assert.equal(zone!.zone, "Pacific/Kiritimati");
        set(MIDNIGHT + 300_000);
        startWatch(RULES, { clock, db: faraway });
        await until(digests, (rows) => rows.length === 1);
        await stopAll();
      } finally {
        await faraway.close();
      }
      const [sums] = await db.query<
        Record<"closed" | "fees" | "funding" | "net", string> & { fills: number }
      >(
        `select fills, round(closed, 2)::text as closed, round(fees, 2)::text as fees, round(funding, 2)::text as funding,
           round(closed - fees + funding, 2)::text as net
         from (select count(*) as fills, sum(closed_pnl) as closed, sum(fee) filter (where fee_token = 'USDC') as fees
               from hl_fills where fill_time_ms between $1 and $2) f,
           (select sum(usdc) as funding from hl_funding where funding_time_ms between $1 and $2) p`,
        [MIDNIGHT - 86_400_000, MIDNIGHT - 1],
      );
      const n = (text: string) => String(Number(text));
      const [digest] = await digests();
      assert.equal(
        digest!.message,
        `INFO ${DAY}: net PnL ${n(sums!.net)} USD (closed ${n(sums!.closed)}, fees ${n(sums!.fees)}, funding ${n(sums!.funding)}), 4 fills, 1 fees not priced, net worth 1234.56 USD.`,
      );
      assert.equal(sums!.fills, 4);
      // By hand: 40.25 − 10 + 5.000001, 1.5 − 0.125 + 0.3, − 3.625312.
      assert.match(digest!.message, /net PnL 29\.95 USD \(closed 35\.25, fees 1\.68, funding -3\.63\)/);
    });

    it("waits for a day of which not all is known, and says so in the end", async () => {
      await target.store.openAccount(ACCOUNT, "main", MIDNIGHT - 3 * 86_400_000);
      const known = { account: ACCOUNT, grade: "proven", reason: null } as const;
      const [fromMs, toMs] = [MIDNIGHT - 3 * 86_400_000, MIDNIGHT - 86_400_000 - 60_000];
      await target.store.apply({
        coverage: (["fills", "funding"] as const).map((stream) => ({ ...known, stream, fromMs, toMs })),
      });
      set(MIDNIGHT + 300_000);
      startWatch(RULES, { clock });
      await judged();
      await judged();
      assert.deepEqual(await digests(), []);
      set(MIDNIGHT + 3_000_000);
      const [digest] = await until(digests, (rows) => rows.length === 1);
      assert.match(
        digest!.message,
        /^INFO [\d-]+, of which not all is known yet: no fills and no funding\.$/,
      );
      await stopAll();
    });

    it("comes once a day and account, in the first hour, also when restarted or taken over", async () => {
      await target.store.openAccount(OTHER, "other", null);
      followed.push(following(OTHER));
      const of = async () =>
        (await digests()).map(({ account, subject }) => `${account!.slice(2, 3)} ${subject}`);
      const next = new Date(MIDNIGHT + 1).toISOString().slice(0, 10);
      const rounds = async () => {
        await judged();
        await judged();
      };
      // Too early: the last hour's repairs may still come.
      set(MIDNIGHT + 1_000);
      followed = followed.slice(0, 1);
      startWatch(RULES, { clock });
      await rounds();
      assert.deepEqual(await of(), []);
      set(MIDNIGHT + 120_000);
      await until(of, (list) => list.length === 1);
      await rounds();
      assert.deepEqual(await of(), [`a ${DAY}`]);
      // An account that comes later in the hour, for example from a process that is gone.
      followed = [...followed, following(OTHER)];
      await until(of, (list) => list.length === 2);
      await stopAll();
      set(MIDNIGHT + 240_000);
      startWatch(RULES, { clock, holder: "two" });
      await rounds();
      assert.deepEqual(await of(), [`a ${DAY}`, `b ${DAY}`]);
      await stopAll();
      // Nobody was there in time.
      set(MIDNIGHT + 86_400_000 + 3_700_000);
      startWatch(RULES, { clock });
      await rounds();
      assert.deepEqual(await of(), [`a ${DAY}`, `b ${DAY}`]);
      await stopAll();
      set(MIDNIGHT + 86_400_000 + 3_500_000);
      startWatch(RULES, { clock });
      await until(of, (list) => list.length === 4);
      assert.deepEqual(await of(), [`a ${DAY}`, `b ${DAY}`, `a ${next}`, `b ${next}`]);
      assert.match((await digests())[3]!.message, /^INFO [\d-]+: no fills and no funding\.$/);
      assert.equal((await told()).filter((line) => line === "fired daily_digest info").length, 4);
    });
  });

  it("tells a price of a market that is called so, under the name it was given", async () => {
    await db.query(
      "insert into public.hl_markets (coin, kind, name, is_delisted, as_of_ms) values ('@107', 'spot', 'HYPE/USDC', false, 1)",
    );
    startWatch(ruleSet(["price=HYPE/USDC>40"]));
    await target.store.apply({ mids: [{ dex: "", coin: "@107", mid: "41.5", asOfMs: Date.now() }] });
    await until(told, (lines) => lines.length === 1);
    const [row] = await alerts();
    assert.equal(row!.coin, "HYPE/USDC");
    assert.match(row!.message, /^INFO HYPE\/USDC at 41\.5\. Threshold 40\./);
  });

  it("tells a price that is crossed, and a webhook that was disabled", async () => {
    startWatch(ruleSet(["price=BTC<70000"]));
    await position({ markPrice: "69000.0", liquidationDistancePct: null });
    await db.query(
      `insert into hl_internal.webhook_endpoints (id, url, format, events, since_ms)
       values ('wh_1', 'https://x.example', 'standard', '{*}', 0)`,
    );
    await disableEndpoint(db, "wh_1", "answered 410 Gone", Date.now());
    await until(told, (lines) => lines.length === 2);
    const messages = (await alerts()).map(({ message }) => message);
    assert.ok(
      messages.some((text) => /^INFO BTC at 69000\. Threshold 70000\./.test(text)),
      messages.join("\n"),
    );
    assert.ok(messages.some((text) => /^WARN webhook wh_1 was disabled: answered 410 Gone\./.test(text)));
  });

  it("ends what a rule that was turned off had begun, and tells so where it was told", async () => {
    const watch = startWatch();
    await margin(70);
    await until(firing, (rows) => rows.length === 1);
    await watch.stop();
    watches.delete(watch);
    startWatch(ruleSet(["margin_ratio=off"]));
    await until(firing, (rows) => rows.length === 0);
    assert.deepEqual(await told(), ["fired margin_ratio warn", "resolved margin_ratio warn"]);
    assert.match((await alerts())[0]!.message, /^RESOLVED margin_ratio is no longer watched\.$/);
  });

  /** Longer than a busy machine lets an answer wait. */
  const LONG_MS = 14_000;
  /** The database, which may be away: by a clock that its failing queries set on. */
  class Outage implements Queryable {
    isAway = false;
    asked = 0;
    #aheadMs = 0;
    readonly clock = hasty(() => Date.now() + this.#aheadMs);

    query: Queryable["query"] = (sql, params) => {
      if (!this.isAway) return target.database.query(sql, params);
      this.asked += 1;
      this.#aheadMs = Math.min(this.#aheadMs + 200, LONG_MS);
      return Promise.reject(new StoreError("connection refused", { transient: true }));
    };
  }

  it("tells channels directly when the database is away, and that it is back", async () => {
    const delivered: OutboxEvent[] = [];
    let attempts = 0;
    const channel: Channel = {
      id: "alert_test",
      kind: "test",
      label: "test",
      delaysMs: [0, 10, 10],
      async deliver(event) {
        attempts += 1;
        if (attempts === 1) return { kind: "failed", code: 500, error: "answered 500", retryAfterMs: null };
        delivered.push(event);
        return { kind: "delivered", code: 200, error: null, retryAfterMs: null };
      },
    };
    const outage = new Outage();
    const { clock } = outage;
    startWatch(ruleSet(["database_down=crit:10/1"]), { clock, db: outage, channels: [channel] });
    await margin(70);
    await until(told, (lines) => lines.length === 1);
    outage.isAway = true;
    await until(
      async () => delivered.length,
      (count) => count === 1,
    );
    outage.isAway = false;
    await until(
      async () => delivered.length,
      (count) => count === 2,
    );
    assert.deepEqual(
      delivered.map(({ type }) => type),
      ["alert.fired", "alert.resolved"],
    );
    assert.match(String(delivered[0]!.data.message), /^CRIT the database has not answered for \d+ s\./);
    assert.match(String(delivered[1]!.data.message), /^RESOLVED the database answers again\./);
    // What was known before is known again, and not repeated.
    await judged();
    assert.deepEqual(await told(), ["fired margin_ratio warn"]);
    const row = (await alerts()).find(({ rule }) => rule === "database_down");
    assert.ok(row?.state === "resolved" && row.notifiedMs !== null);
  });

  /** Delivers to `delivered`. */
  const listening = (delivered: OutboxEvent[]): Channel => ({
    id: "alert_test",
    kind: "test",
    label: "test",
    delaysMs: [0],
    async deliver(event) {
      delivered.push(event);
      return { kind: "delivered", code: 200, error: null, retryAfterMs: null };
    },
  });
  /** Looks 20 times as often as a real one. */
  const hasty = (now: () => number): Clock => ({
    ...systemClock,
    now,
    after: (ms, run) => systemClock.after(ms / 20, run),
  });

  it("takes neither a sleep of the machine nor an error of its own for a database that is away", async () => {
    const delivered: OutboxEvent[] = [];
    let aheadMs = 0;
    let looks = 0;
    let broken = false;
    const now = () => Date.now() + aheadMs;
    const clock: Clock = {
      ...hasty(now),
      after: (ms, run) => {
        looks += 1;
        return hasty(now).after(ms, run);
      },
    };
    const failing: Queryable = {
      query: (sql, params) =>
        broken && sql.includes("hl_positions p")
          ? Promise.reject(new StoreError("no such column", { transient: false, sqlState: "42703" }))
          : target.database.query(sql, params),
    };
    startWatch(ruleSet(["database_down=crit:2.5/1"]), {
      clock,
      db: failing,
      channels: [listening(delivered)],
      options: { ...QUICK, leaseMs: 60_000_000 },
    });
    for (const change of [() => (aheadMs = 3_600_000), () => (aheadMs = 0), () => (broken = true)]) {
      const before = looks;
      change();
      await until(
        async () => looks,
        (count) => count > before + 20,
      );
    }
    assert.deepEqual(delivered, []);
  });

  it("tells nobody that the database is away while that is silenced, and leaves a row when it is back", async () => {
    await addSilence(db, { rule: "database_down", account: null, coin: null, untilMs: Date.now() + 60_000 });
    const delivered: OutboxEvent[] = [];
    const outage = new Outage();
    const { clock } = outage;
    startWatch(ruleSet(["database_down=crit:10/1"]), { clock, db: outage, channels: [listening(delivered)] });
    await judged();
    outage.isAway = true;
    await until(
      async () => outage.asked,
      (count) => count > 100,
    );
    outage.isAway = false;
    const rows = await until(alerts, ({ length }) => length === 1);
    assert.deepEqual(
      [rows[0]!.rule, rows[0]!.state, rows[0]!.notifiedMs],
      ["database_down", "resolved", null],
    );
    assert.match(rows[0]!.message, /^RESOLVED the database answers again\. /);
    assert.deepEqual([delivered, await told()], [[], []]);
  });

  it("judges a polled account by its newest states: five minutes are normal, more is stale and ends the dead-man's calls", async () => {
    let aheadMs = 0;
    let pings = 0;
    const clock = hasty(() => Date.now() + aheadMs);
    const ping = async () => {
      pings += 1;
    };
    const read = (receivedAtMs: number) =>
      target.store.apply({
        states: [{ account: ACCOUNT, kind: "perp", dex: "", coins: [], asOfMs: receivedAtMs, receivedAtMs }],
      });
    await read(Date.now());
    await target.store.noteFollowed(ACCOUNT, 15_000);
    startWatch(ruleSet([]), { clock, ping, options: { ...QUICK, deadManMs: 50 } });
    await until(
      async () => pings,
      (count) => count > 0,
    );
    aheadMs = 290_000;
    await judged();
    assert.deepEqual(await told(), []);
    aheadMs = 340_000;
    await until(told, (lines) => lines.length === 1);
    const [alert] = await firing();
    assert.match(
      alert!.message,
      /^WARN newest data from the venue is 6 min old \(polled, 5 min are normal\)\. Threshold 30 s\./,
    );
    const before = pings;
    await judged();
    assert.equal(pings, before);
    await read(clock.now());
    await until(firing, (rows) => rows.length === 0);
    await until(
      async () => pings,
      (count) => count > before,
    );
  });

  it("calls the dead-man URL while all is well, and not when the feed is stale", async () => {
    let pings = 0;
    const ping = async () => {
      pings += 1;
    };
    followed = [{ ...following(ACCOUNT), lastDataMs: Date.now() - 600_000, streamed: true }];
    startWatch(ruleSet([]), { ping, options: { ...QUICK, deadManMs: 2_000 } });
    await until(told, (lines) => lines.length === 1);
    assert.equal(pings, 0);
    const keepFresh = setInterval(() => {
      followed = [{ ...following(ACCOUNT), lastDataMs: Date.now(), streamed: true }];
    }, 50);
    await until(
      async () => pings,
      (count) => count === 2,
    ).finally(() => clearInterval(keepFresh));
  });
});
