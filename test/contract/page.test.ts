/**
 * What the page of a Supabase project reads: the paths of the server, answered without one by `hl_page` as a signed-in user
 * (src/outputs/http/questions.ts). A member's answers are the server's, digit by digit; of accounts that are not his there is nothing.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { json } from "../../src/outputs/http/answer.ts";
import { questioner } from "../../src/outputs/http/questions.ts";
import { readRoutes } from "../../src/outputs/http/readRoutes.ts";
import { readAccounts } from "../../src/outputs/http/reads.ts";
import { readKnowledge } from "../../src/outputs/observation/knowledge.ts";
import type { Queryable, Row } from "../../src/store/database.ts";
import { ACCOUNT, makeAccount } from "../e2e/dashboardAccount.ts";
import type { TestDatabase, TestServer } from "../support/postgres.ts";
import { MEMBER, makeProject, noPresets, STRANGER, startProjectServer } from "../support/supabase.ts";

const NOW_MS = 1_790_000_000_000;
const DAY_MS = 86_400_000;
const HIS = `0x${"77".repeat(20)}`;
const NOBODYS = `0x${"00".repeat(20)}`;

const PATHS = [
  "/api/overview",
  "/api/overview?zone=Asia/Tokyo",
  "/api/positions",
  "/api/orders",
  "/api/balances",
  "/api/particulars",
  "/api/coverage",
  "/api/drift",
  "/api/alerts",
  "/api/statistics",
  ...["fills", "orders/history", "funding", "ledger"].flatMap((name) => [
    `/api/${name}?limit=20&total=1`,
    `/api/${name}?limit=5&before=${NOW_MS - DAY_MS}&total=1&from=${NOW_MS - 9 * DAY_MS}`,
    `/api/${name}?limit=3&raw=1&coin=BTC`,
  ]),
  "/api/orders/history?order_id=ORDER",
  "/api/fills?order_id=ORDER",
  "/api/orders/events?order_id=ORDER",
  `/api/round-trips?from=${NOW_MS - 3 * DAY_MS}`,
  "/api/trade?coin=BTC",
  ...["all", "coin", "weekday"].map((by) => `/api/statistics?by=${by}&from=${NOW_MS - 3 * DAY_MS}`),
  "/api/portfolio?scope=perp",
  "/api/equity?points=50",
  `/api/equity?from=${NOW_MS - 3 * 3_600_000}&points=400`,
  ...["day", "coin"].flatMap((by) => [`/api/pnl?by=${by}`, `/api/pnl?by=${by}&zone=America/New_York`]),
];

describe("a page without a server", { skip: noPresets }, () => {
  let server: TestServer;
  let db: TestDatabase;
  let order: number;
  before(async () => {
    server = await startProjectServer();
    db = await server.newDatabase({ maxConnections: 2 });
    await makeProject(db.database, "new");
    await makeAccount(db.store, { fills: 120, nowMs: NOW_MS, seed: 3, spacingMs: 7_200_000 });
    await makeAccount(db.store, {
      fills: 60,
      nowMs: NOW_MS,
      seed: 4,
      spacingMs: 14_400_000,
      account: HIS,
      alias: "his",
    });
    await db.database.query(
      `insert into hl_alerts (key, rule, account_address, state, severity, message, value, started_at, fired_at, updated_at)
       select 'k' || a, 'drawdown', a, 'firing', 'warn', 'deep', 1.50, now(), now(), now() from unnest($1::text[]) a`,
      [[ACCOUNT, HIS]],
    );
    await db.database.query("select hl_internal.set_access('members')");
    await db.database.query("insert into hl_members values ($1, $2), ($3, $4)", [
      MEMBER,
      ACCOUNT,
      STRANGER,
      HIS,
    ]);
    [{ order_id: order }] = (await db.database.query(
      "select order_id from hl_fills where account_address = $1 order by fill_time desc limit 1",
      [ACCOUNT],
    )) as [{ order_id: number }];
  });
  after(() => server?.stop());

  /** As PostgREST asks: one transaction with the role and the claims of the token. */
  const asUser = (user: string, isAnonymous = false): Promise<Queryable> =>
    questioner(async (question, args) => {
      const claims = JSON.stringify({ role: "authenticated", sub: user, is_anonymous: isAnonymous });
      const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
      const [row] = await db.database.query<{ rows: Row[] }>(
        `set local role authenticated; select set_config('request.jwt.claims', ${literal(claims)}, true);
         select public.hl_page(${literal(question)}, ${literal(JSON.stringify(args))}) as rows`,
      );
      return row!.rows;
    });

  const answersOf = async (reads: Queryable, account: string): Promise<Record<string, unknown>> => {
    const routes = new Map(readRoutes({ reads, clock: { now: () => NOW_MS }, followed: () => [] }));
    const answers: Record<string, unknown> = {};
    for (const path of PATHS) {
      const { pathname, searchParams: query } = new URL(path.replace("ORDER", String(order)), "http://page");
      query.set("account", account);
      const request = { path: pathname, query, headers: {}, body: "", signal: AbortSignal.timeout(60_000) };
      const { body } = await routes.get(`GET ${pathname}`)!(request);
      answers[path] = JSON.parse(String(body));
    }
    return answers;
  };
  const asTold = (value: unknown): unknown => JSON.parse(String(json(value).body));

  it("gives a member what the server gives, every digit of it", async () => {
    const [hers, servers] = [
      await answersOf(await asUser(MEMBER), ACCOUNT),
      await answersOf(db.database, ACCOUNT),
    ];
    for (const path of PATHS) assert.deepEqual(hers[path], servers[path], path);
    const rowsOf = (path: string) => (hers[path] as { rows: Row[] }).rows;
    for (const path of PATHS.filter((one) =>
      /fills|history|funding|ledger\?limit=20|trips|equity|pnl/.test(one),
    ))
      assert.ok(rowsOf(path).length > 0, `${path} is empty: it shows nothing`);
    assert.match(String(rowsOf("/api/fills?limit=20&total=1")[0]!.size), /^\d+\.\d+$/);
  });

  it("gives nobody a row of an account that is not his", async () => {
    const reads = await asUser(STRANGER);
    const text = JSON.stringify(await answersOf(reads, ACCOUNT));
    const nothing = JSON.stringify(await answersOf(reads, NOBODYS));
    assert.equal(text.replaceAll(ACCOUNT, NOBODYS), nothing);
    const accounts = async (asked: Queryable) =>
      (await readAccounts(asked)).map(({ account_address: address }) => address);
    assert.deepEqual(await accounts(reads), [HIS]);
    assert.deepEqual(
      (await readKnowledge(reads, NOW_MS)).map(({ account }) => account),
      [HIS],
    );
    assert.deepEqual(
      asTold(await readKnowledge(reads, NOW_MS)),
      asTold((await readKnowledge(db.database, NOW_MS)).filter(({ account }) => account === HIS)),
    );
    await db.database.query("select hl_internal.set_access('single-user')");
    try {
      assert.equal((await accounts(reads)).length, 2);
      assert.deepEqual(await accounts(await asUser(STRANGER, true)), []);
      await assert.rejects(
        db.database.query("set local role anon; select public.hl_page('accounts')"),
        /permission denied for function hl_page/,
      );
      await db.database.query("select hl_internal.set_access('off')");
      await assert.rejects(readAccounts(reads), /permission denied for function hl_page/);
    } finally {
      await db.database.query("select hl_internal.set_access('members')");
    }
  });

  it("refuses a statement that is the server's own", async () => {
    const reads = await asUser(MEMBER);
    await assert.rejects(reads.query("select * from hl_internal.webhooks"), /hlsync's own server only/);
  });
});
