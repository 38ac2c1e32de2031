/** The API over a real database and a real socket: exact digits, pages without holes, bad questions, the event stream. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Telemetry } from "../../../src/outputs/metrics/telemetry.ts";
import { readOutputFigures } from "../../../src/outputs/observation/outputFigures.ts";
import type { Status } from "../../../src/outputs/observation/status.ts";
import type { OutboxEvent } from "../../../src/outputs/outbox.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { openPostgres } from "../../../src/store/postgres.ts";
import type { ChangeEvent } from "../../../src/sync/rows.ts";
import { ledgerOf } from "../../contract/rows.ts";
import { ACCOUNT, type MadeAccount, makeAccount } from "../../e2e/dashboardAccount.ts";
import { type HandServer, startHandServer } from "../../e2e/dashboardServer.ts";
import { startServer, type TestDatabase, type TestServer } from "../../support/postgres.ts";
import { HandClock } from "../connection/handClock.ts";

const FILLS = 3_000;

describe("the API", () => {
  let postgres: TestServer;
  let target: TestDatabase;
  let made: MadeAccount;
  let server: HandServer;

  before(async () => {
    postgres = await startServer("embedded");
    target = await postgres.newDatabase();
    made = await makeAccount(target.store, { fills: FILLS, nowMs: Date.now(), seed: 3 });
    server = await startHandServer(target.store, made);
  });
  after(async () => {
    await server?.stop();
    await target?.close();
    await postgres?.stop();
  });

  // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
  const get = async (path: string): Promise<{ status: number; body: any }> => {
    const answer = await fetch(server.url + path);
    return { status: answer.status, body: await answer.json() };
  };

  it("answers with the digits that are stored, as strings", async () => {
    const { body } = await get("/api/fills?limit=1");
    const [row] = await target.database.query<Record<string, string>>(
      `select price::text, size::text, hl_fills.value::text, fee::text, closed_pnl::text, start_position
       from hl_fills where account_address = $1 and trade_id = $2`,
      [ACCOUNT, body.rows[0].trade_id],
    );
    for (const [name, text] of Object.entries(row!)) assert.strictEqual(body.rows[0][name], text, name);
    for (const path of ["overview", "positions", "orders", "balances", "equity", "pnl", "statistics"]) {
      const answer = await get(`/api/${path}`);
      assert.equal(answer.status, 200, path);
      const floats = JSON.stringify(answer.body).match(/:-?\d+\.\d+/g);
      assert.equal(floats, null, `${path} has numbers that are not whole: ${floats?.slice(0, 3)}`);
    }
  });

  it("tells today whole and by coin in one reading, as the daily views have it", async () => {
    await server.commit({ fills: [made.nextFill(Date.now()), made.nextFill(Date.now())] });
    const { body } = await get("/api/overview");
    const day = new Date(body.day_start_ms).toISOString().slice(0, 10);
    const sql = (view: string, extra: string) =>
      target.database.query<Record<string, string>>(
        `select ${extra} fills::int as fills, volume::text, closed_pnl::text, fees::text, funding::text, net_pnl::text,
           unpriced_fees::int as unpriced_fees
         from ${view} where account_address = $1 and day = $2::date`,
        [ACCOUNT, day],
      );
    const coins = await sql("hl_net_pnl_daily_by_coin", "coin,");
    const byCoin = (a: { coin: string }, b: { coin: string }) => (a.coin < b.coin ? -1 : 1);
    assert.ok(coins.length > 0);
    assert.deepEqual(body.day_coins.toSorted(byCoin), (coins as never[]).toSorted(byCoin));
    const [whole] = await sql("hl_net_pnl_daily", "");
    assert.deepEqual(
      [body.day_fills, body.day_gross, body.day_fees, body.day_funding, body.day_net, body.day_volume],
      [whole!.fills, whole!.closed_pnl, whole!.fees, whole!.funding, whole!.net_pnl, whole!.volume],
    );
  });

  it("pages through a history without a hole and without a repetition, many rows in one millisecond", async () => {
    const crowdMs = Date.now() - 60_000;
    const crowd = Array.from({ length: 37 }, () => made.nextFill(crowdMs));
    await server.commit({ fills: crowd });
    const seen: number[] = [];
    let before = "";
    for (let more = true; more; ) {
      const { body } = await get(`/api/fills?limit=250${before}`);
      seen.push(...body.rows.map((row: { trade_id: number }) => row.trade_id));
      before = `&before=${body.rows.at(-1)?.fill_time_ms}`;
      more = body.more;
    }
    const [{ n } = { n: 0 }] = await target.database.query<{ n: number }>(
      "select count(*) as n from hl_fills",
    );
    assert.deepEqual([seen.length, new Set(seen).size], [n, n]);
    const since = await get(`/api/fills?from=${crowdMs}&before=${crowdMs + 1}&limit=5`);
    assert.equal(since.body.rows.length, 37);
  });

  it("hands out the file of a tax program", async () => {
    const answer = await fetch(`${server.url}/api/tax?format=koinly&year=${new Date().getUTCFullYear()}`);
    assert.equal(answer.headers.get("content-type"), "text/csv; charset=utf-8");
    assert.match(
      answer.headers.get("content-disposition")!,
      /^attachment; filename="hyperliquid-koinly-20\d\d-0x/,
    );
    const [head, first] = (await answer.text()).split("\r\n");
    assert.match(head!, /^Date,Sent Amount,/);
    assert.match(first!, /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC,/);
  });

  it("says which parameter makes no sense", async () => {
    for (const [path, error] of [
      ["/api/fills?limit=0", "limit: expected a whole number from 1 to 5000"],
      ["/api/fills?limit=1e9", "limit: expected a whole number from 1 to 5000"],
      ["/api/fills?before=yesterday", "before: expected a whole number from 0 to 253402300799999"],
      [
        "/api/fills?account=nobody",
        "account: expected 0x and 40 hex digits, or the alias of a followed account",
      ],
      ["/api/pnl?by=hour", "by: expected one of day, coin"],
      ["/api/tax?format=elster", "format: expected one of koinly, cointracking"],
      ["/api/tax?year=26", "year: expected a whole number from 2020 to 2999"],
      ["/api/candles?coin=BTC;drop", "coin: expected a market, for example BTC"],
      ["/api/candles?coin=BTC&interval=7m", /^interval: expected one of 1m, /],
      ["/api/events?after=now", "Last-Event-ID: expected the id of an event"],
    ] as const) {
      const { status, body } = await get(path);
      assert.equal(status, 400, path);
      if (typeof error === "string") assert.equal(body.error, error);
      else assert.match(body.error, error);
    }
    const { status } = await get(`/api/fills?account=0x${"9".repeat(40)}`);
    assert.equal(status, 200, "an account that is not followed has no rows, which is no error");
  });

  it("takes painted lags that can be, and nothing else", async () => {
    const post = async (body: string) =>
      (await fetch(`${server.url}/api/painted`, { method: "POST", body })).status;
    assert.equal(await post(JSON.stringify({ lags_ms: [3, 9] })), 204);
    for (const body of [
      "",
      "[]",
      '{"lags_ms":[-1]}',
      '{"lags_ms":["3"]}',
      '{"lags_ms":[1e12]}',
      `{"lags_ms":[${"1,".repeat(1_000)}1]}`,
    ]) {
      assert.equal(await post(body), 400, body.slice(0, 40));
    }
  });

  it("streams a commit as it happens, and again from a Last-Event-ID", async () => {
    const listen = async (lastId: string | null, until: (text: string) => boolean): Promise<string> => {
      const abort = new AbortController();
      const answer = await fetch(`${server.url}/api/events?account=main`, {
        signal: abort.signal,
        ...(lastId === null ? {} : { headers: { "last-event-id": lastId } }),
      });
      assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
      let text = "";
      const decoder = new TextDecoder();
      for await (const part of answer.body!) {
        const isFirst = text === "";
        text += decoder.decode(part as Uint8Array, { stream: true });
        if (isFirst && lastId === null) await server.commit({ fills: [made.nextFill(Date.now())] });
        if (until(text)) break;
      }
      abort.abort();
      return text;
    };
    const live = await listen(null, (text) => /event: change[\s\S]*\n\n/.test(text));
    const reset = /id: (\S+)\nevent: reset/.exec(live)![1]!;
    const [, id, data] = /id: (\S+)\nevent: change\ndata: (.*)\n\n/.exec(live)!;
    const change = JSON.parse(data!);
    assert.equal(change.type, "fill.created");
    assert.ok(change.committed_ms >= change.received_ms && change.published_ms >= change.committed_ms);
    assert.notEqual(id, reset);
    const again = await listen(reset, (text) => text.includes(`id: ${id}\n`));
    assert.ok(again.includes(`id: ${id}\nevent: change`));
    assert.doesNotMatch(again, /event: reset/);
  });

  it("sends its status every second, also while the state cannot be read", async () => {
    const other = openPostgres(target.url, { maxConnections: 1 });
    await other.query("begin");
    await other.query("lock table public.hl_positions in access exclusive mode");
    const abort = new AbortController();
    const answer = await fetch(`${server.url}/api/events?account=main`, { signal: abort.signal });
    let text = "";
    const decoder = new TextDecoder();
    for await (const part of answer.body!) {
      text += decoder.decode(part as Uint8Array, { stream: true });
      if (text.split("event: status").length > 4) break;
    }
    abort.abort();
    await other.query("rollback");
    await other.close();
    assert.doesNotMatch(text, /event: state\n/);
  });

  it("counts a history when it is asked to", async () => {
    const { body } = await get("/api/fills?limit=2&total=1");
    const [{ n } = { n: 0 }] = await target.database.query<{ n: number }>(
      "select count(*) as n from hl_fills",
    );
    assert.equal(body.total, n);
    const fromMs = body.rows[1].fill_time_ms;
    const [{ n: later } = { n: 0 }] = await target.database.query<{ n: number }>(
      "select count(*) as n from hl_fills where fill_time_ms >= $1",
      [fromMs],
    );
    assert.equal((await get(`/api/fills?limit=1&total=1&from=${fromMs}`)).body.total, later);
    assert.equal("total" in (await get("/api/fills?limit=2")).body, false);
  });

  it("counts the rows of one market or order, and not those of others", async () => {
    const { order_id: orderId } = (await get("/api/fills?limit=1")).body.rows[0];
    for (const filter of ["coin=BTC", `order_id=${orderId}`, "coin=NONE"]) {
      const whole = (await get(`/api/fills?limit=5000&total=1&${filter}`)).body;
      const [, column, value] = /^(\w+)=(\w+)$/.exec(filter)!;
      const [{ n } = { n: 0 }] = await target.database.query<{ n: number }>(
        `select count(*) as n from hl_fills where ${column}::text = $1`,
        [value],
      );
      assert.deepEqual([whole.total, whole.rows.length], [n, n], filter);
    }
    const newest = (await get("/api/fills?limit=1&total=1&coin=BTC")).body;
    assert.deepEqual([newest.more, newest.total], [true, null], "not counted");
    const older = `before=${newest.rows[0].fill_time_ms}`;
    assert.equal((await get(`/api/fills?limit=5000&total=1&coin=BTC&${older}`)).body.total, null);
    assert.ok((await get(`/api/fills?limit=1&total=1&${older}`)).body.total > 1);
  });

  it("tells the flows of the span that is asked for, also where it ends before the first snapshot", async () => {
    const { body } = await get("/api/equity");
    const firstMs = body.captured_since_ms;
    await server.commit({
      ledger: [1, 2, 3].map((hours) =>
        ledgerOf({ account: ACCOUNT, hash: `0x0${hours}`, timeMs: firstMs - hours * 3_600_000 }),
      ),
    });
    const flowTimes = async (fromMs: number, toMs: number) =>
      (await get(`/api/equity?from=${fromMs}&to=${toMs}`)).body.flows.map(
        (row: { ledger_time_ms: number }) => row.ledger_time_ms,
      );
    const [third, second, first] = [3, 2, 1].map((hours) => firstMs - hours * 3_600_000);
    assert.deepEqual(await flowTimes(third!, second!), [third, second]);
    assert.deepEqual(await flowTimes(third!, first!), [third, second, first]);
    assert.deepEqual(await flowTimes(second!, third!), [], "a span that ends before it begins");
  });

  it("shows no secret in its health", async () => {
    const { status, body } = await get("/healthz");
    assert.equal(status, 200);
    assert.deepEqual(body.reasons, []);
    const password = new URL(target.url).password;
    assert.ok(password.length > 8 && !JSON.stringify(body).includes(password));
    assert.match(body.database.description, /:\*\*\*@/);
  });

  it("counts what outputs have before them", async () => {
    const { database } = target;
    await server.commit({ fills: [made.nextFill(Date.now())] });
    await database.query(
      `insert into hl_internal.webhook_endpoints (id, url, format, events, accounts, since_ms, state, failing_since_ms)
       values ('bot', 'https://x.example', 'standard', '{*}', null, 0, 'enabled', 7000),
         ('gone', 'https://x.example', 'standard', '{*}', null, 0, 'disabled', null),
         ('other', 'https://x.example', 'standard', '{*}', '{0xbb}', 0, 'enabled', null),
         ('former', null, 'telegram', '{*}', null, 0, 'enabled', null),
         ('channel', null, 'telegram', '{*}', null, 0, 'enabled', null)`,
    );
    await database.query(
      `insert into hl_internal.leases (name, holder, token, expires_at)
       values ('webhook:channel', 'one', 1, now()), ('webhook:former', 'one', 1, now() - interval '2 hours')`,
    );
    await database.query(
      `insert into hl_internal.webhook_lanes (endpoint_id, account_address, cursor_id)
       select id, $1, (select max(id) - 1 from hl_internal.outbox) from hl_internal.webhook_endpoints`,
      [ACCOUNT],
    );
    await database.query(
      `insert into hl_internal.webhook_deliveries (endpoint_id, webhook_id, outbox_id, account_address, type,
         event_time_ms, status, attempts, first_attempt_ms, last_attempt_ms)
       select 'bot', n, n, $1, 'fill.created', 0, case n when 9 then 'dead' else 'delivered' end, 1, 0, 1000 * n
       from generate_series(1, 9) as n`,
      [ACCOUNT],
    );
    await database.query(
      `insert into hl_alerts (key, rule, state, severity, message, started_at)
       values ('k', 'margin', 'firing', 'crit', 'm', now())`,
    );
    const found = { account: ACCOUNT, stream: "fills", cause: "chain", foundAtMs: Date.now() };
    await target.store.apply({
      drift: [
        { ...found, detail: 1, repairedAtMs: null },
        { ...found, detail: 2, repairedAtMs: Date.now() },
        { ...found, detail: 3, repairedAtMs: null, foundAtMs: Date.now() - 2 * 86_400_000 },
      ],
      quarantine: Array.from({ length: 60 }, (_, n) => ({
        account: null,
        reason: "no",
        seenAtMs: Date.now(),
        raw: String(n),
        subject: n < 9 ? "userFills" : `subject ${n}`,
      })),
    });
    const figures = await readOutputFigures(database, 5_000);
    const { pending, deliveries, alerts } = figures;
    // A fill and three drifts. Neither what is disabled nor a channel that nobody has any more.
    assert.deepEqual(pending, [
      { consumer: "bot", events: 4 },
      { consumer: "channel", events: 4 },
      { consumer: "other", events: 0 },
    ]);
    assert.deepEqual(figures.endpoints, [
      { endpoint: "bot", enabled: true, failingSinceMs: 7_000 },
      { endpoint: "channel", enabled: true, failingSinceMs: null },
      { endpoint: "gone", enabled: false, failingSinceMs: null },
      { endpoint: "other", enabled: true, failingSinceMs: null },
    ]);
    assert.deepEqual(
      figures.drift?.filter(({ address }) => address === ACCOUNT),
      [{ address: ACCOUNT, unrepaired: 1 }],
    );
    assert.equal(figures.quarantine?.length, 51);
    assert.deepEqual(
      figures.quarantine?.filter(({ subject }) => ["userFills", "other"].includes(subject)),
      [
        { subject: "other", messages: 2 },
        { subject: "userFills", messages: 9 },
      ],
    );
    assert.deepEqual(deliveries, [
      { endpoint: "bot", state: "dead", count: 1 },
      { endpoint: "bot", state: "delivered", count: 4 },
    ]);
    assert.deepEqual(
      alerts?.filter(({ rule }) => rule === "margin"),
      [{ rule: "margin", state: "firing", count: 1 }],
    );
  });

  it("counts attempts to deliver, and measures how long live changes waited for a webhook", () => {
    const telemetry = new Telemetry({
      clock: systemClock,
      log: silentLog,
      instance: "test",
      version: "1",
      measuredOffset: () => null,
      measure: async () => {},
      db: { query: async () => [] },
    });
    const event = (type: string, source = "stream"): OutboxEvent => ({
      id: 1,
      key: "k",
      type,
      account: ACCOUNT,
      timeMs: 0,
      source,
      committedAtMs: 0,
      data: {},
    });
    for (const [outcome, lagMs, what] of [
      ["failed", null, event("fill.created")],
      ["delivered", 40, event("fill.created")],
      ["delivered", 70, event("order.updated")],
      // Found late, or made by hlsync itself: no live change.
      ["delivered", 3_600_000, event("fill.created", "repair")],
      ["delivered", 500, event("alert.fired")],
    ] as const)
      telemetry.attempted({ endpoint: "bot", outcome, event: what, lagMs });
    const { summary } = telemetry.latency().delivered;
    assert.deepEqual(summary, { samples: 2, p50: 40, p90: 70, p99: 70, max: 70 });
    const none = { pending: null, deliveries: null, alerts: null, quarantine: null };
    const health = { database: {}, venue: {}, accounts: [] } as unknown as Status;
    const endpoints = [
      { endpoint: "bot", enabled: true, failingSinceMs: 1_500 },
      { endpoint: "gone", enabled: false, failingSinceMs: null },
    ];
    const text = telemetry.scrape(health, () => null, { ...none, drift: null, endpoints });
    for (const line of [
      'hlsync_webhook_attempts_total{endpoint="bot",outcome="failed"} 1',
      'hlsync_webhook_attempts_total{endpoint="bot",outcome="delivered"} 4',
      'hlsync_hop_seconds_count{hop="delivered"} 2',
      'hlsync_hop_seconds_bucket{hop="delivered",le="0.05"} 1',
      'hlsync_webhook_enabled{endpoint="gone"} 0',
      'hlsync_webhook_failing_since_timestamp_seconds{endpoint="bot"} 1.5',
    ])
      assert.ok(text.split("\n").includes(line), line);
    const mended = endpoints.map((one) => ({ ...one, failingSinceMs: null }));
    const later = telemetry.scrape(health, () => null, { ...none, drift: null, endpoints: mended });
    assert.doesNotMatch(later, /failing_since_timestamp_seconds\{/);
  });

  it("keeps each minute's latency in the database, later when it is away", async () => {
    const clock = new HandClock(1_790_000_040_000);
    let isAway = true;
    const telemetry = new Telemetry({
      clock,
      log: silentLog,
      instance: "test",
      version: "1",
      measuredOffset: () => null,
      measure: async () => {},
      db: {
        query: async (sql, params) => {
          if (isAway) throw new Error("away");
          return target.database.query(sql, params);
        },
      },
    });
    telemetry.start();
    const event = (timeMs: number): ChangeEvent => ({
      id: "1",
      key: "k",
      type: "fill.created",
      account: ACCOUNT,
      timeMs,
      data: {},
      source: "stream",
    });
    const commit = () => {
      const nowMs = clock.now();
      const applied = { events: [event(nowMs - 90)], written: {}, known: {} };
      telemetry.committed({ applied, sources: {}, receivedAtMs: nowMs - 5, committedAtMs: nowMs });
    };
    commit();
    await clock.advance(61_000);
    commit();
    isAway = false;
    await clock.advance(15_000);
    const minutes = () =>
      target.database.query("select * from hl_latency where instance = 'test' order by hop, minute_ms");
    while ((await minutes()).length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      (await minutes()).map(({ hop, minute_ms, samples, p50_ms }) => [hop, minute_ms, samples, p50_ms]),
      [
        ["committed", 1_790_000_040_000, 1, 5],
        ["received", 1_790_000_040_000, 1, 85],
      ],
    );
    await telemetry.stop();
  });
});
