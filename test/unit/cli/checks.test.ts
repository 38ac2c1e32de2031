/** Checks of `doctor` that need no process: what each makes of what it is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkAccount } from "../../../src/cli/checks/accounts.ts";
import { budgetFinding } from "../../../src/cli/checks/budget.ts";
import { checkDatabase, tlsFinding } from "../../../src/cli/checks/database.ts";
import { fail, note, ok, worstExit } from "../../../src/cli/checks/finding.ts";
import { coinNamed } from "../../../src/cli/checks/markets.ts";
import { clockFinding, endpointsFinding } from "../../../src/cli/checks/venue.ts";
import { EXIT } from "../../../src/cli/command.ts";
import { ProtocolError, StoreError } from "../../../src/errors.ts";
import { NETWORKS } from "../../../src/protocol/limits.ts";
import type { Database } from "../../../src/store/database.ts";
import type { VenueInfo } from "../../../src/sync/ports.ts";
import { fill } from "../../support/wires.ts";
import { HandClock } from "../connection/handClock.ts";

const ACCOUNT = `0x${"a".repeat(40)}`;
const MASTER = `0x${"b".repeat(40)}`;

/** A venue that answers each request type with a value, or fails with it. */
const venueOf = (answers: Record<string, unknown>): VenueInfo => ({
  request: (async ({ type, read }: { type: string; read(body: unknown): unknown }) => {
    const answer = answers[type];
    if (answer instanceof Error) throw answer;
    return { result: read(answer), sentAtMs: 0, receivedAtMs: 1, weight: 20 };
  }) as VenueInfo["request"],
  clockOffset: () => null,
  reserve: () => () => {},
});

const examine = (answers: Record<string, unknown>, elsewhere?: Record<string, unknown>) =>
  checkAccount(
    {
      info: venueOf({ userAbstraction: "default", userFillsByTime: [], ...answers }),
      account: ACCOUNT,
      ask: { priority: "reconcile" },
      elsewhere: elsewhere ? { network: "testnet", info: venueOf(elsewhere) } : null,
    },
    null,
  );

const fillAt = (i: number, change: object = {}) =>
  fill({ sz: "1.0", time: 1_780_000_000_000 + i, startPosition: `${i}.0`, oid: i, tid: i, ...change });

test("every role of an address is told, and an agent is told for whom", async () => {
  const [agent] = await examine({ userRole: { role: "agent", data: { user: MASTER } } });
  assert.equal(agent?.status, "fail");
  assert.equal(agent?.exit, EXIT.usage);
  assert.equal(agent?.fix, `--account ${MASTER}`);
  const [sub] = await examine({ userRole: { role: "subAccount", data: { master: MASTER } } });
  assert.match(sub!.says, new RegExp(`sub-account of ${MASTER}`));
  const [vault] = await examine({ userRole: { role: "vault" } });
  assert.equal(vault?.status, "ok");
});

test("an address that only the other network knows is a mix-up", async () => {
  const [mixed] = await examine({ userRole: { role: "missing" } }, { userRole: { role: "user" } });
  assert.equal(mixed?.status, "fail");
  assert.match(mixed!.fix!, /^--network testnet/);
  const [nowhere] = await examine({ userRole: { role: "missing" } }, { userRole: { role: "missing" } });
  assert.match(nowhere!.fix!, /check the address/);
  const [cannotAsk] = await examine(
    { userRole: { role: "missing" } },
    { userRole: new ProtocolError("no", "") },
  );
  assert.match(cannotAsk!.fix!, /check the address/);
});

test("an endpoint that does not know the questions is no failure", async () => {
  const unknown = new ProtocolError("userRole: refused as malformed", "");
  const findings = await examine({ userRole: unknown, userAbstraction: unknown, userFillsByTime: unknown });
  assert.deepEqual(
    findings.map(({ check, status }) => `${check} ${status}`),
    ["account note", "mode note", "history note"],
  );
});

test("account modes are named, an unknown one too", async () => {
  const user = { userRole: { role: "user" } };
  const modeOf = async (mode: string) => (await examine({ ...user, userAbstraction: mode }))[1]!;
  assert.match((await modeOf("unifiedAccount")).says, /unified/);
  assert.match((await modeOf("portfolioMargin")).says, /portfolio margin/);
  const odd = await modeOf("quantumMargin");
  assert.equal(odd.status, "note");
  assert.match(odd.says, /"quantumMargin"/);
});

test("a history that begins in the middle of a position is beyond the horizon", async () => {
  const user = { userRole: { role: "user" } };
  const historyOf = async (fills: object[]) => (await examine({ ...user, userFillsByTime: fills }))[2]!;
  const whole = Array.from({ length: 600 }, (_, i) => fillAt(i));
  assert.equal((await historyOf(whole)).status, "ok");
  const cut = await historyOf(whole.slice(50));
  assert.equal(cut.status, "note");
  assert.match(cut.says, /2026-.* only: BTC already stood at 50\.0/);
  // Too few to be cut, and spot balances come from elsewhere too.
  assert.equal((await historyOf(whole.slice(590))).status, "ok");
  assert.equal((await historyOf(whole.map((fill) => ({ ...fill, coin: "@107" })).slice(50))).status, "ok");
});

test("endpoints of two networks, or not of the one named, are a mix-up", () => {
  const { mainnet, testnet } = NETWORKS;
  const of = (network: "mainnet" | "testnet", apiUrl: string, wsUrl: string) =>
    endpointsFinding({ network, apiUrl, wsUrl });
  assert.equal(of("mainnet", mainnet.apiUrl, mainnet.wsUrl).status, "ok");
  assert.equal(of("testnet", testnet.apiUrl, testnet.wsUrl).status, "ok");
  assert.match(of("mainnet", testnet.apiUrl, testnet.wsUrl).fix!, /--network testnet/);
  assert.equal(of("mainnet", mainnet.apiUrl, testnet.wsUrl).exit, EXIT.usage);
  assert.equal(of("mainnet", "http://localhost:3001", mainnet.wsUrl).status, "warn");
  assert.equal(of("mainnet", "http://localhost:3001", "ws://localhost:3001/ws").status, "ok");
});

test("a clock is judged beyond what the round trip leaves open", () => {
  const of = (offsetMs: number, uncertaintyMs = 50) =>
    clockFinding({ offsetMs, uncertaintyMs, measuredAtMs: 0 }, NETWORKS.mainnet.apiUrl);
  assert.equal(of(-900).status, "ok");
  assert.equal(of(3_000, 2_500).status, "ok");
  assert.match(of(5_000).says, /5\.0 s behind the venue's/);
  assert.match(of(-5_000).says, /5\.0 s ahead of the venue's/);
  assert.equal(of(45_000).exit, EXIT.usage);
});

test("the connection's secrecy is judged by the URL and the distance", () => {
  const of = (url: string) => tlsFinding(`postgres://me:pw@${url}`).status;
  assert.equal(of("localhost/db"), "ok");
  assert.equal(of("[::1]/db"), "ok");
  assert.equal(of("db:5432/db"), "note");
  assert.equal(of("10.1.2.3/db"), "note");
  assert.equal(of("db.example.com/db"), "warn");
  assert.equal(of("db.example.com/db?sslmode=disable"), "warn");
  assert.equal(of("db.example.com/db?sslmode=require"), "note");
  assert.equal(of("db.example.com/db?sslmode=verify-full"), "ok");
  assert.equal(of("db.abcdefgh.supabase.co/postgres"), "note");
  assert.equal(of("db.abcdefgh.supabase.co/postgres?sslmode=disable"), "warn");
});

test("what a Supabase project's URL lacks is said", async () => {
  const remedyOf = async (message: string, described: string) => {
    const database: Database = {
      query: () => Promise.reject(new StoreError(message, { transient: true })),
      close: async () => {},
      describe: () => described,
    };
    const [finding] = await checkDatabase({ database, clock: new HandClock(), accounts: [] });
    assert.equal(finding?.exit, EXIT.database);
    return finding!.fix!;
  };
  const direct = "postgres://postgres:***@db.abcdefgh.supabase.co:5432/postgres";
  assert.match(await remedyOf(`cannot reach PostgreSQL at …: no such host`, direct), /postgres\.abcdefgh/);
  const pooler = "postgres://postgres:***@aws-0-eu.pooler.supabase.com:6543/postgres";
  assert.match(
    await remedyOf("refused: Tenant or user not found (XX000)", pooler),
    /postgres\.<project ref>/,
  );
});

test("the interval that is advised suffices, and accounts beyond the stream are told of", () => {
  const accounts = (n: number) =>
    Array.from({ length: n }, (_, i) => ({ address: `0x${String(i).padStart(40, "0")}`, alias: null }));
  const of = (n: number, interval: number) =>
    budgetFinding({ account: accounts(n), markets: [], streams: [], weight: 1_200, interval });
  assert.equal(of(10, 300_000).status, "ok");
  const tight = of(10, 60_000);
  const advised = Number(/--interval (\d+)/.exec(tight.fix!)![1]);
  assert.equal(of(10, advised * 1_000).status, "ok");
  assert.equal(of(10, (advised - 2) * 1_000).status, "warn");
  assert.match(of(25, 300_000).says, /15 of 25 accounts are polled, each about every \d+ s/);
});

test("the exit code is that of the failure to be mended first", () => {
  const failing = (exit: number) => fail("x", exit, "", "", "");
  assert.equal(worstExit([ok("x", ""), note("x", "", "")]), 0);
  assert.equal(worstExit([failing(EXIT.venue), failing(EXIT.database)]), EXIT.database);
  assert.equal(worstExit([failing(EXIT.migration), failing(EXIT.usage)]), EXIT.usage);
  assert.equal(worstExit([failing(EXIT.migration), ok("x", "")]), EXIT.migration);
});

test("a coin of --markets may be named as people call it; a name of none or of two is refused", () => {
  const listed = [
    { coin: "BTC", name: "BTC" },
    { coin: "@107", name: "HYPE/USDC" },
    { coin: "@1", name: "TWIN/USDC" },
    { coin: "@2", name: "TWIN/USDC" },
  ];
  assert.equal(coinNamed("BTC", listed), "BTC");
  assert.equal(coinNamed("@1", listed), "@1");
  assert.equal(coinNamed("HYPE/USDC", listed), "@107");
  assert.throws(
    () => coinNamed("hype/usdc", listed),
    /--markets "hype\/usdc": the venue lists no such coin, but HYPE\/USDC/,
  );
  assert.throws(() => coinNamed("TWIN/USDC", listed), /lists @1, @2 by this name/);
  assert.throws(() => coinNamed("NOPE", listed), /lists no such coin$/);
});
