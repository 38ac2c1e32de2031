/** The bridge on a real database: order, retries, leases, dead letters, replays. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { OPTIONS } from "../../../src/config.ts";
import {
  BRIDGE_DEFAULTS,
  type BridgeOptions,
  type DeliveryAttempt,
  DeliveryBridge,
} from "../../../src/outputs/delivery/bridge.ts";
import {
  addEndpoint,
  disableEndpoint,
  enableEndpoint,
  type NewEndpoint,
  readDeliveries,
  readEndpoints,
  removeEndpoint,
  rewind,
  rotateSecret,
  summarizeEndpoints,
} from "../../../src/outputs/delivery/endpoints.ts";
import { createHttpSend, type HttpSend } from "../../../src/outputs/delivery/httpSend.ts";
import { ATTEMPT_TIMEOUT_MS } from "../../../src/outputs/delivery/httpVerdict.ts";
import { Secret } from "../../../src/outputs/delivery/secret.ts";
import { deliveryId } from "../../../src/outputs/delivery/sink.ts";
import { openSink } from "../../../src/outputs/delivery/sinks.ts";
import { type Clock, systemClock } from "../../../src/runtime/clock.ts";
import { createLog, silentLog } from "../../../src/runtime/log.ts";
import { seededRandom } from "../../../src/runtime/random.ts";
import type { Queryable } from "../../../src/store/database.ts";
import type { FillRow } from "../../../src/sync/rows.ts";
import { fillOf } from "../../contract/rows.ts";
import { startServer, type TestDatabase, type TestServer } from "../../support/postgres.ts";
import { eventually } from "../../support/until.ts";
import { type Answer, type Receiver, startReceiver } from "./receiver.ts";

const ACCOUNTS = ["a", "b", "c"].map((digit) => `0x${digit.repeat(40)}`);
/** By default. */
const SHIPPED_MS = OPTIONS.webhookRetry.parse(OPTIONS.webhookRetry.fallback);
/** Quick, and many. */
const DELAYS_MS = [0, ...Array<number>(60).fill(15)];

describe("the webhook bridge", () => {
  let server: TestServer;
  let target: TestDatabase;
  let db: Queryable;
  let receiver: Receiver;
  let http: HttpSend;
  const bridges = new Set<DeliveryBridge>();

  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());
  beforeEach(async () => {
    target = await server.newDatabase();
    db = target.database;
    receiver = await startReceiver();
    http = createHttpSend({ clock: systemClock });
  });
  afterEach(async () => {
    for (const bridge of bridges) await bridge.stop();
    bridges.clear();
    http.close();
    await receiver.close();
    await target.close();
  });

  interface BridgeChange {
    options?: Partial<BridgeOptions>;
    delaysMs?: readonly number[];
    timeoutMs?: number;
    holder?: string;
    clock?: Clock;
    log?: (line: string) => void;
    onAttempt?: (attempt: DeliveryAttempt) => void;
  }

  function startBridge(change: BridgeChange = {}): DeliveryBridge {
    const clock = change.clock ?? systemClock;
    const deps = { http, clock, aliases: new Map(), timeoutMs: change.timeoutMs ?? 5_000 };
    const bridge = new DeliveryBridge({
      db,
      clock,
      random: seededRandom(1),
      channels: [],
      log: change.log ? createLog({ level: "debug", json: false, clock, sink: change.log }) : silentLog,
      holder: change.holder ?? "one",
      onNews: () => () => {},
      onAttempt: change.onAttempt ?? (() => {}),
      sinkOf: (endpoint, secrets) => openSink(deps, endpoint, secrets),
      delaysMs: change.delaysMs ?? DELAYS_MS,
      options: { ...BRIDGE_DEFAULTS, pollMs: 20, ...change.options },
    }).start();
    bridges.add(bridge);
    return bridge;
  }

  const add = async (change: Partial<NewEndpoint> = {}): Promise<string> => {
    const id = change.id ?? "wh_1";
    const secret = await addEndpoint(db, {
      id,
      url: new Secret(receiver.url),
      format: "standard",
      events: ["fill.*"],
      accounts: null,
      description: null,
      allowPrivate: true,
      maxAgeMs: null,
      sinceMs: 0,
      ...change,
    });
    receiver.secret ??= secret!.reveal();
    return id;
  };

  let trade = 0;
  const fill = (change: Partial<FillRow> = {}): FillRow => {
    trade += 1;
    const nowMs = Date.now();
    return fillOf({ tradeId: trade, timeMs: nowMs, seenAtMs: nowMs, account: ACCOUNTS[0]!, ...change });
  };
  const commit = (...fills: FillRow[]) => target.store.apply({ fills });

  /** What the outbox holds, by account, in its order. */
  const expected = async (type = "fill.created"): Promise<Map<string, string[]>> => {
    const rows = await db.query<{ account: string; key: string }>(
      "select account_address as account, event_key as key from hl_internal.outbox where type = $1 order by id",
      [type],
    );
    const byAccount = new Map<string, string[]>();
    for (const { account, key } of rows)
      byAccount.set(account, [...(byAccount.get(account) ?? []), deliveryId(key)]);
    return byAccount;
  };
  const accepted = (account: string): string[] =>
    receiver.accepted.filter((delivery) => delivery.account === account).map(({ id }) => id);

  /** Asks until it is so. */
  const until = (good: () => Promise<boolean>) => eventually("it to be so", good, Boolean, 20_000);
  const deliveries = (status: string | null = null) => readDeliveries(db, null, status, 1_000);

  it("delivers everything once, in order per account, to a receiver that fails at random, hangs, throttles and dies for a while", async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    let dead = false;
    let throttled = 0;
    receiver.answer = () => {
      if (dead) return 503;
      const draw = random.next();
      if (draw < 0.2) return 500;
      if (draw < 0.215) return "hang";
      if (draw < 0.24 && throttled++ < 3) return { status: 429, headers: { "retry-after": "1" } };
      return 200;
    };
    await add();
    startBridge({ timeoutMs: 60 });
    const rounds = 40;
    for (let round = 0; round < rounds; round++) {
      if (round === 10) dead = true;
      if (round === 20) dead = false;
      await commit(...ACCOUNTS.flatMap((account) => [fill({ account }), fill({ account })]));
    }
    await receiver.until(() => new Set(receiver.accepted.map(({ id }) => id)).size === rounds * 6);
    const ids = await expected();
    // At least once, exactly once by id: an answer that comes after the time-out is asked for again under its id.
    for (const account of ACCOUNTS) assert.deepEqual([...new Set(accepted(account))], ids.get(account));
    assert.deepEqual(receiver.forged, []);
    assert.ok(receiver.seen.length > receiver.accepted.length, "nothing failed");
    await until(async () => (await summarizeEndpoints(db))[0]!.pending === 0);
    assert.equal((await deliveries("delivered")).length, rounds * 6);
    assert.equal((await readEndpoints(db))[0]!.failingSinceMs, null);
  });

  it("does so by the schedule that is shipped, through a minute of refused connections, in time that runs 300 times faster", async (t) => {
    const SPEED = 300;
    const startMs = Date.now();
    const realMs = performance.now();
    const clock: Clock = {
      now: () => startMs + Math.floor((performance.now() - realMs) * SPEED),
      sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
      after: (ms, run) => systemClock.after(ms / SPEED, run),
    };
    http.close();
    http = createHttpSend({ clock });
    const seed = Math.floor(Math.random() * 2 ** 32);
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    let isRevived = false;
    /** When each delivery was seen, and what it was asked to wait for. */
    const tries = new Map<string, { atMs: number; waitMs: number }[]>();
    receiver.answer = ({ id }) => {
      const before = tries.get(id) ?? [];
      const tried = { atMs: clock.now(), waitMs: 0 };
      tries.set(id, [...before, tried]);
      // Three failures in a row would only make the test wait: the schedule goes on to days.
      if (before.length >= 2 || isRevived) return 200;
      if (random.next() < 0.2) return 500;
      if (receiver.seen.length % 40 === 0) return "hang";
      if (receiver.seen.length % 25 !== 0) return 200;
      tried.waitMs = 30_000;
      return { status: 429, headers: { "retry-after": "30" } };
    };
    await add();
    // The receiver's clock is not this fast: signatures would be from the future. Other tests verify them.
    receiver.secret = null;
    const outcomes = new Map<string, number>();
    startBridge({
      clock,
      delaysMs: SHIPPED_MS,
      timeoutMs: ATTEMPT_TIMEOUT_MS,
      options: { pollMs: 10_000, leaseMs: 6_000_000 },
      onAttempt: ({ outcome }) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1),
    });
    const round = () => commit(...ACCOUNTS.map((account) => fill({ account })));
    for (let n = 0; n < 40; n++) await round();
    await receiver.until(() => receiver.accepted.length >= 100);
    await receiver.die();
    const diedMs = clock.now();
    const before = outcomes.get("unanswered") ?? 0;
    await round();
    await until(
      async () => clock.now() - diedMs >= 60_000 && (outcomes.get("unanswered") ?? 0) >= before + 3,
    );
    isRevived = true;
    await receiver.live();
    await receiver.until(() => new Set(receiver.accepted.map(({ id }) => id)).size === 123, 90_000);
    const ids = await expected();
    for (const account of ACCOUNTS) assert.deepEqual([...new Set(accepted(account))], ids.get(account));
    await until(async () => (await deliveries("delivered")).length === 123);
    for (const seen of tries.values()) {
      for (const [index, { atMs }] of seen.entries()) {
        const former = seen[index - 1];
        // A hanging one is given up 15 s later; the answer to it was never sent. Clocks are read a moment apart.
        if (former) assert.ok(atMs - former.atMs >= Math.max(SHIPPED_MS[index]!, former.waitMs) - 1_000);
      }
    }
    t.diagnostic(JSON.stringify(Object.fromEntries(outcomes)));
    assert.ok(
      outcomes.get("failed")! >= 5 && outcomes.get("throttled")! >= 1 && outcomes.get("delivered")! >= 123,
    );
  });

  it("takes a redirect for a failure, and never goes where it points", async () => {
    const inside = await startReceiver();
    try {
      receiver.answer = () => ({ status: 307, headers: { location: inside.url } });
      await add();
      startBridge({ delaysMs: [0, 5] });
      await commit(fill());
      await until(async () => (await deliveries("dead")).length === 1);
      const [dead] = await deliveries("dead");
      assert.deepEqual(
        [dead!.attempts, dead!.statusCode, dead!.error],
        [2, 307, "answered 307: redirects are not followed"],
      );
      assert.deepEqual(inside.seen, []);
    } finally {
      await inside.close();
    }
  });

  it("sends nothing to a name that turns private after it was added", async () => {
    const names: string[] = [];
    http.close();
    http = createHttpSend({
      clock: systemClock,
      lookup: async (host) => {
        names.push(host);
        return [{ address: "169.254.169.254", family: 4 }];
      },
    });
    await add({ url: new Secret("https://rebound.example/secret-path"), allowPrivate: false });
    const attempts: DeliveryAttempt[] = [];
    startBridge({ delaysMs: [0, 5], onAttempt: (attempt) => attempts.push(attempt) });
    await commit(fill());
    await until(async () => (await deliveries("dead")).length === 1);
    const [dead] = await deliveries("dead");
    assert.equal(
      dead!.error,
      "rebound.example resolves to 169.254.169.254: private addresses are refused unless allowed",
    );
    assert.deepEqual(
      attempts.map(({ outcome }) => outcome),
      ["unanswered", "unanswered"],
    );
    assert.deepEqual(names, ["rebound.example", "rebound.example"]);
  });

  it("waits for Retry-After, and repeats with the same id and a new time", async () => {
    receiver.answer = () =>
      receiver.seen.length === 1 ? { status: 429, headers: { "retry-after": "1" } } : 200;
    await add();
    startBridge();
    const startMs = performance.now();
    await commit(fill());
    await receiver.until(() => receiver.accepted.length === 1);
    assert.ok(performance.now() - startMs >= 990);
    const [first, second] = receiver.seen;
    assert.equal(first!.id, second!.id);
    assert.deepEqual(first!.body, second!.body);
    assert.ok(Number(second!.headers["webhook-timestamp"]) > Number(first!.headers["webhook-timestamp"]) - 1);
  });

  it("gives one id and one delivery to a fill found by stream, repair and backfill", async () => {
    await add();
    startBridge();
    const row = fill();
    await commit(row);
    for (const source of ["repair", "backfill"] as const)
      await commit({ ...row, source, seenAtMs: Date.now() });
    // The same identity once more in the outbox, as if the row had been deleted by hand and found again.
    await db.query("delete from public.hl_fills where trade_id = $1", [row.tradeId]);
    await commit({ ...row, source: "reconcile" });
    const last = fill();
    await commit(last);
    await receiver.until(() => receiver.accepted.some(({ body }) => body.data.trade_id === last.tradeId));
    const ofRow = receiver.accepted.filter(({ body }) => body.data.trade_id === row.tradeId);
    assert.equal(ofRow.length, 1);
    const { account, coin, timeMs, orderId, tradeId, side } = row;
    assert.equal(ofRow[0]!.id, deliveryId(["fill", account, coin, timeMs, orderId, tradeId, side].join(":")));
  });

  it("is done once by two processes at the same time, and by the second when the first is gone", async () => {
    await add();
    await add({ id: "wh_2" });
    receiver.secret = null;
    const one = startBridge({ holder: "one", options: { leaseMs: 3_000 } });
    startBridge({ holder: "two", options: { leaseMs: 3_000 } });
    for (let round = 0; round < 20; round++) await commit(...ACCOUNTS.map((account) => fill({ account })));
    await receiver.until(() => receiver.accepted.length >= 120);
    await one.stop();
    for (let round = 0; round < 20; round++) await commit(...ACCOUNTS.map((account) => fill({ account })));
    await receiver.until(() => receiver.accepted.length >= 240);
    await until(async () => (await summarizeEndpoints(db)).every(({ pending }) => pending === 0));
    const counts = new Map<string, number>();
    for (const { id } of receiver.accepted) counts.set(id, (counts.get(id) ?? 0) + 1);
    // Two endpoints: every id exactly twice.
    assert.equal(counts.size, 120);
    assert.deepEqual(new Set(counts.values()), new Set([2]));
  });

  it("writes nothing for a holder whose lease another has taken", async () => {
    await add();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    receiver.answer = () => 200;
    const slow = {
      ...http,
      send: async (...args: Parameters<HttpSend["send"]>) => {
        const reply = await http.send(...args);
        await held;
        return reply;
      },
    };
    const kept = http;
    http = slow;
    const one = startBridge({ holder: "one", options: { leaseMs: 60_000 } });
    http = kept;
    await commit(fill());
    await receiver.until(() => receiver.accepted.length === 1);
    await db.query("update hl_internal.leases set holder = 'two', token = token + 1");
    release();
    await one.stop();
    assert.deepEqual(await deliveries(), []);
    const [sequence] = await db.query<{ cursor: number }>(
      "select coalesce(max(cursor_id), 0)::bigint as cursor from hl_internal.webhook_lanes",
    );
    assert.equal(sequence!.cursor, 0);
  });

  it("makes a dead letter of what is never taken, keeps it whole, and goes on", async () => {
    const poison = fill();
    receiver.answer = ({ body }) => (body.data.trade_id === poison.tradeId ? 500 : 200);
    await add();
    startBridge({ delaysMs: [0, 5, 5] });
    await commit(poison, fill());
    await receiver.until(() => receiver.accepted.length === 1);
    await until(async () => (await deliveries("delivered")).length === 1);
    const [dead] = await deliveries("dead");
    assert.deepEqual([dead!.attempts, dead!.statusCode, dead!.error], [3, 500, "answered 500"]);
    const [kept] = await db.query<{ event: { data: { trade_id: number } } }>(
      "select event from hl_internal.webhook_deliveries where status = 'dead'",
    );
    assert.equal(kept!.event.data.trade_id, poison.tradeId);
  });

  it("stops at 410, tells the other endpoints, and goes on where it stopped when enabled again", async () => {
    receiver.answer = ({ path, type }) => (path === "/gone" && type === "fill.created" ? 410 : 200);
    await add({ id: "wh_gone", url: new Secret(receiver.url.replace("/hook", "/gone")) });
    await add({ id: "wh_other", events: ["webhook.*"] });
    receiver.secret = null;
    startBridge();
    const [first, second] = [fill(), fill()];
    await commit(first);
    await receiver.until(() => receiver.accepted.length === 1);
    const [told] = receiver.accepted;
    assert.deepEqual([told!.type, told!.path], ["webhook.disabled", "/hook"]);
    assert.equal(told!.body.data.endpoint, "wh_gone");
    await commit(second);
    await until(async () => (await readEndpoints(db)).some(({ state }) => state === "disabled"));
    receiver.answer = () => 200;
    await enableEndpoint(db, "wh_gone");
    await receiver.until(() => receiver.accepted.length === 3);
    const trades = receiver.accepted.slice(1).map(({ body }) => body.data.trade_id);
    assert.deepEqual(trades, [first.tradeId, second.tradeId]);
  });

  it("disables an endpoint that failed for days", async () => {
    receiver.answer = () => 500;
    await add();
    // What a sequence had heard before another delivered.
    assert.equal(await disableEndpoint(db, "wh_1", "late", Date.now(), 1), false);
    assert.equal((await readEndpoints(db))[0]!.state, "enabled");
    startBridge({ options: { disableAfterMs: 150 } });
    await commit(fill());
    await until(async () => (await readEndpoints(db))[0]!.state === "disabled");
    const [endpoint] = await readEndpoints(db);
    assert.match(endpoint!.disabledReason!, /nothing was delivered for 0 days: answered 500/);
    const [event] = await db.query<{ type: string; account_address: string }>(
      "select type, account_address from hl_internal.outbox order by id desc limit 1",
    );
    assert.deepEqual(event, { type: "webhook.disabled", account_address: "" });
    const before = receiver.seen.length;
    await commit(fill());
    await until(async () => (await summarizeEndpoints(db))[0]!.pending === 2);
    assert.ok(receiver.seen.length <= before + 1);
  });

  it("lets events expire that grew too old while the receiver was away, and never sends history that was too old", async () => {
    receiver.answer = () => 503;
    await add({ maxAgeMs: 400 });
    startBridge({ delaysMs: DELAYS_MS });
    await commit(fill({ timeMs: Date.now() - 3_600_000 }), fill());
    await until(async () => (await deliveries("expired")).length === 1);
    receiver.answer = () => 200;
    const young = fill();
    await commit(young);
    await receiver.until(() => receiver.accepted.length === 1);
    assert.equal(receiver.accepted[0]!.body.data.trade_id, young.tradeId);
    await until(async () => (await deliveries("delivered")).length === 1);
    assert.equal((await deliveries()).length, 2);
  });

  it("tells a new endpoint of what happens from then on, also of accounts that come later", async () => {
    await commit(fill());
    await add({ sinceMs: Date.now() - 1_000 });
    startBridge();
    const late = fill({ account: ACCOUNTS[1]!, timeMs: Date.now() - 500, source: "backfill" });
    const past = fill({ account: ACCOUNTS[1]!, timeMs: Date.now() - 86_400_000, source: "backfill" });
    const news = fill();
    await commit(past, late);
    await commit(news);
    await receiver.until(() => receiver.accepted.length === 2);
    const trades = receiver.accepted.map(({ body }) => body.data.trade_id as number).sort((a, b) => a - b);
    assert.deepEqual(
      trades,
      [late.tradeId, news.tradeId].sort((a, b) => a - b),
    );
  });

  it("filters by event and account", async () => {
    await add({ events: ["order.*"] });
    await add({ id: "wh_2", events: ["fill.created"], accounts: [ACCOUNTS[1]!] });
    receiver.secret = null;
    startBridge();
    const wanted = fill({ account: ACCOUNTS[1]! });
    await commit(fill(), wanted);
    await receiver.until(() => receiver.accepted.length === 1);
    await until(async () => (await summarizeEndpoints(db)).every(({ pending }) => pending === 0));
    assert.deepEqual(
      receiver.accepted.map(({ body }) => body.data.trade_id),
      [wanted.tradeId],
    );
  });

  it("replays from a time on, in order, with the ids that were", async () => {
    await add();
    startBridge();
    const startMs = Date.now() - 10_000;
    const rows = [1, 2, 3].map((second) => fill({ timeMs: startMs + 1_000 * second }));
    for (const row of rows) await commit(row);
    await receiver.until(() => receiver.accepted.length === 3);
    await until(async () => (await deliveries("delivered")).length === 3);
    assert.equal(await rewind(db, "wh_1", rows[1]!.timeMs), 2);
    await receiver.until(() => receiver.accepted.length === 5);
    const ids = receiver.accepted.map(({ id }) => id);
    assert.deepEqual(ids.slice(3), ids.slice(1, 3));
    await until(async () => (await summarizeEndpoints(db))[0]!.pending === 0);
    assert.equal((await deliveries("delivered")).length, 3);
  });

  it("replays what is older than the endpoint's max age, and leaves delivered what was delivered when a replay of it fails", async () => {
    await add({ maxAgeMs: 60_000 });
    const nowMs = Date.now();
    let aheadMs = 0;
    startBridge({ delaysMs: [0, 5], clock: { ...systemClock, now: () => Date.now() + aheadMs } });
    // The second was too old when it was found.
    await commit(fill({ timeMs: nowMs }));
    await commit(fill({ timeMs: nowMs - 3_600_000, source: "backfill" }));
    await until(async () => (await deliveries("delivered")).length === 1);
    aheadMs = 7_200_000;
    // Signatures are from the future now.
    receiver.secret = null;
    receiver.answer = () => (receiver.seen.length < 4 ? 500 : 200);
    await rewind(db, "wh_1", nowMs - 7_200_000);
    await until(async () => (await summarizeEndpoints(db))[0]!.pending === 0);
    const statuses = (await deliveries()).map(({ status }) => status);
    assert.deepEqual(statuses, ["delivered", "delivered"]);
    assert.equal((await readEndpoints(db))[0]!.failingSinceMs, null);
    // What comes after it is subject to the max age again.
    await commit(fill());
    await until(async () => (await deliveries("expired")).length === 1);
  });

  it("fails since its first failed attempt; what expired untried is no failure", async () => {
    await add({ maxAgeMs: 60_000 });
    await commit(fill());
    const clock: Clock = { ...systemClock, now: () => Date.now() + 7_200_000 };
    startBridge({ clock });
    await until(async () => (await deliveries("expired")).length === 1);
    assert.equal((await readEndpoints(db))[0]!.failingSinceMs, null);
    receiver.answer = () => 500;
    await commit(fill({ timeMs: clock.now() }));
    await until(async () => (await readEndpoints(db))[0]!.failingSinceMs !== null);
  });

  it("signs with both secrets while one replaces the other, then with the new one alone", async () => {
    await add();
    const old = receiver.secret!;
    const untilMs = Date.now() + 1_000;
    const young = (await rotateSecret(db, "wh_1", untilMs)).reveal();
    startBridge();
    for (const secret of [old, young]) {
      receiver.secret = secret;
      const before = receiver.accepted.length;
      await commit(fill());
      await receiver.until(() => receiver.accepted.length === before + 1);
    }
    await until(async () => Date.now() > untilMs + 50);
    await commit(fill());
    await receiver.until(() => receiver.accepted.length === 3);
    assert.equal(receiver.accepted.at(-1)!.headers["webhook-signature"]!.toString().split(" ").length, 1);
    assert.deepEqual(receiver.forged, []);
  });

  it("stops in the middle of a backlog when the endpoint is disabled or removed", async () => {
    await add();
    const lines: string[] = [];
    receiver.answer = () => "hang";
    startBridge({ timeoutMs: 200, log: (line) => lines.push(line) });
    await commit(...Array.from({ length: 500 }, () => fill()));
    await receiver.until(() => receiver.seen.length > 0);
    receiver.answer = () => 200;
    await receiver.until(() => receiver.accepted.length > 5);
    await disableEndpoint(db, "wh_1", "disabled by the user", Date.now());
    const [before] = await summarizeEndpoints(db);
    assert.ok(before!.pending > 0 || receiver.accepted.length === 500);
    await until(async () => {
      const sent = receiver.seen.length;
      await new Promise((resolve) => setTimeout(resolve, 150));
      return receiver.seen.length === sent;
    });
    await enableEndpoint(db, "wh_1");
    await receiver.until(() => receiver.accepted.length > 20);
    await removeEndpoint(db, "wh_1");
    await until(async () => {
      const sent = receiver.seen.length;
      await new Promise((resolve) => setTimeout(resolve, 150));
      return receiver.seen.length === sent;
    });
    assert.deepEqual(
      lines.filter((line) => / error /.test(line)),
      [],
    );
  });

  it("tells what came of every attempt, and how long a change waited, though the database's clock is not ours", async () => {
    const slow: Clock = { ...systemClock, now: () => Date.now() - 120_000 };
    const answers: Answer[] = [500, { status: 429, headers: { "retry-after": "0" } }, "hang", 404, 200];
    receiver.answer = () => answers[receiver.seen.length - 1] ?? 200;
    const history = fill();
    await commit(history);
    await add({ sinceMs: history.timeMs });
    await rewind(db, "wh_1", history.timeMs);
    const attempts: DeliveryAttempt[] = [];
    startBridge({ clock: slow, timeoutMs: 60, onAttempt: (attempt) => attempts.push(attempt) });
    await until(async () => (await deliveries("delivered")).length === 1);
    assert.deepEqual(
      attempts.map(({ endpoint, outcome, lagMs }) => [endpoint, outcome, lagMs]),
      // It was there before the endpoint: it waited for nobody.
      ["failed", "throttled", "unanswered", "refused", "delivered"].map((outcome) => ["wh_1", outcome, null]),
    );
    const startMs = performance.now();
    answers.push(503, 503, 200);
    await commit(fill());
    await until(async () => (await deliveries("delivered")).length === 2);
    const waitedMs = performance.now() - startMs;
    const last = attempts.at(-1)!;
    assert.equal(attempts.length, 8);
    // Two repetitions after 15 ms each; a poll and two questions of the database at most besides.
    assert.ok(last.lagMs !== null && last.lagMs >= 30 && last.lagMs <= waitedMs + 50, `${last.lagMs}`);
    await rewind(db, "wh_1", 0);
    await until(async () => attempts.length === 10);
    assert.deepEqual(
      attempts.slice(8).map(({ outcome, lagMs }) => [outcome, lagMs]),
      [
        ["delivered", null],
        ["delivered", null],
      ],
    );
  });

  it("logs no secret, no path and no answer of the receiver", async () => {
    const lines: string[] = [];
    receiver.answer = () => (receiver.seen.length < 4 ? 500 : 410);
    await add({ url: new Secret(`${receiver.url}/very-secret-path?token=very-secret-token`) });
    startBridge({ log: (line) => lines.push(line) });
    await commit(fill());
    await until(async () => (await readEndpoints(db))[0]!.state === "disabled");
    const text = lines.join("\n");
    assert.match(text, /webhook not delivered/);
    for (const secret of ["very-secret", receiver.secret!.slice(6, 20)])
      assert.ok(!text.includes(secret), text);
    const shown = JSON.stringify([await deliveries(), await readEndpoints(db)]);
    for (const secret of ["very-secret", receiver.secret!.slice(6, 20)])
      assert.ok(!shown.includes(secret), shown);
  });
});
