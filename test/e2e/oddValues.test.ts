/** One odd value in an answer of the venue costs that value: neighbours, history and money are as if it were not there. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { JsonObject } from "../../src/simulator/contract.ts";
import type { RecordedAccount } from "../../src/simulator/exchange/recorded.ts";
import { createVenue } from "../../src/simulator/exchange/venue.ts";
import { type Simulator, startSimulator } from "../../src/simulator/server/server.ts";
import { hlsyncHere } from "../support/inProcess.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { SpoilingProxy } from "../support/spoilingProxy.ts";
import { balance, fill, perpState, position } from "../support/wires.ts";

const USER = `0x${"c".repeat(40)}`;
const MINUTE = 60_000;

describe("odd values, by the real program", () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Simulator;
  let proxy: SpoilingProxy;
  const venue = createVenue({ startMs: Date.now() });

  before(async () => {
    server = await startServer("real");
    exchange = await startSimulator({ venue, limits: { weightPerMinute: 100_000 } });
    proxy = new SpoilingProxy(exchange.url);
    await proxy.start();
  });
  beforeEach(async () => {
    await target?.close();
    target = await server.newDatabase({ migrated: false });
    proxy.spoil = (_request, answer) => answer;
  });
  after(async () => {
    await proxy?.stop();
    await exchange?.stop();
    await target?.close();
    await server?.stop();
  });

  const serve = (account: unknown) => venue.setRecorded(USER, account as RecordedAccount);
  const sync = async () => {
    const { code, stderr } = await hlsyncHere([
      ...["sync", "--once", "--api-url", proxy.url, "--database", target.url, "--account", USER],
      ...["--log-level", "warn", "--weight", "100000"],
    ]);
    assert.equal(code, 0, stderr);
    return stderr;
  };
  const rows = (sql: string) => target.database.query<JsonObject>(sql);
  const history = (now: number) => ({ fills: [fill({ time: now - 9 * MINUTE, coin: "@1" })] });

  it("a display field of one position (case 05)", async () => {
    const now = Date.now();
    for (const [i, over] of [
      { liquidationPx: "" },
      { liquidationPx: "NaN", returnOnEquity: "NaN" },
      { leverage: 5 },
      { leverage: { type: "cross", value: "20" }, maxLeverage: 2.5 },
    ].entries()) {
      const state = perpState([position("BTC", over), position("ETH")], { time: now - 5 * MINUTE + i });
      serve({ ...history(now), clearinghouseState: { "": state } });
      assert.match(await sync(), /kept in quarantine/);
      const held = await rows(
        "select coin, size, liquidation_price, leverage_value, as_of_ms::text from hl_positions order by coin",
      );
      const leverage = "leverage" in over ? null : 20;
      assert.deepEqual(held, [
        {
          coin: "BTC",
          size: "0.1",
          liquidation_price: null,
          leverage_value: leverage,
          as_of_ms: `${state.time}`,
        },
        { coin: "ETH", size: "0.1", liquidation_price: null, leverage_value: 20, as_of_ms: `${state.time}` },
      ]);
      const [snapshot] = await rows("select account_value from hl_dashboard order by as_of desc limit 1");
      assert.equal(snapshot?.account_value, "5000");
    }
    assert.equal((await rows("select 1 from hl_fills")).length, 1);
    assert.equal(
      (await rows("select 1 from hl_internal.quarantine where subject = 'clearinghouseState'")).length,
      6,
    );
  });

  it("a position or balance that cannot be read: it stays as it was, its neighbours go on", async () => {
    const now = Date.now();
    const at = (minutes: number, over: object, szi: string, spot: object, total: string) =>
      serve({
        ...history(now),
        clearinghouseState: {
          "": perpState([position("BTC", over), position("ETH", { szi })], { time: now - minutes * MINUTE }),
        },
        spotClearinghouseState: { balances: [balance("USDC", { total }), balance("X", spot)] },
      });
    at(5, {}, "0.1", {}, "7.0");
    await sync();
    for (const minutes of [4, 3, 2]) {
      at(minutes, { szi: null }, `0.${minutes}`, { total: null }, `${minutes}.0`);
      await sync();
    }
    assert.deepEqual(await rows("select coin, side, size from hl_positions order by coin"), [
      { coin: "BTC", side: "long", size: "0.1" },
      { coin: "ETH", side: "long", size: "0.2" },
    ]);
    assert.deepEqual(await rows("select coin, total from hl_balances order by coin"), [
      { coin: "USDC", total: "2.0" },
      { coin: "X", total: "5.0" },
    ]);
    at(1, {}, "0.1", {}, "7.0");
    await sync();
    const [{ asOf } = {}] = await rows(
      `select (as_of_ms = ${now - MINUTE})::text as "asOf" from hl_positions where coin = 'BTC'`,
    );
    assert.equal(asOf, "true");
  });

  it("totals that cannot be read cost the snapshot, not the positions", async () => {
    const now = Date.now();
    const state = perpState([position("BTC")], {
      time: now - MINUTE,
      marginSummary: { accountValue: "NaN" },
    });
    serve({ ...history(now), clearinghouseState: { "": state } });
    await sync();
    assert.equal((await rows("select 1 from hl_positions")).length, 1);
    assert.equal((await rows("select 1 from hl_dashboard")).length, 0, "no smaller number");
  });

  it("an odd price costs that price; without a price there is no equity (case 11)", async () => {
    const now = Date.now();
    serve({
      ...history(now),
      clearinghouseState: { "": perpState([], { time: now - MINUTE }) },
      spotClearinghouseState: {
        balances: [
          balance("USDC", { total: "130.0", token: 0, ltv: "0.0" }),
          balance("HYPE", { total: "72.0", token: 2, ltv: "0.5" }),
        ],
        portfolioMarginEnabled: true,
        portfolioMarginRatio: "0.0",
      },
    });
    const price = (mids: unknown, status = 200) => {
      proxy.spoil = ({ type }, answer) => (type === "allMids" ? { status, body: mids } : answer);
    };
    const equities = async () =>
      (await rows("select distinct account_value from hl_dashboard")).map((row) => row.account_value);
    price({ HYPE: "40.0", BTC: "100000.0" });
    await sync();
    assert.deepEqual(await equities(), ["3010"]);
    for (const odd of [{ XYZ: null }, { ETH: "NaN" }, { XYZ: {}, ETH: "" }]) {
      price({ HYPE: "40.0", BTC: "100000.0", ...odd });
      await sync();
      assert.deepEqual(await equities(), ["3010"]);
    }
    assert.ok((await rows("select 1 from hl_internal.quarantine where subject = 'allMids'")).length >= 3);
    for (const [mids, status] of [
      [null, 500],
      [{ HYPE: null }, 200],
      [{}, 200],
    ] as const) {
      price(mids, status);
      await sync();
      assert.deepEqual(await equities(), ["3010"], "never a smaller one");
    }
  });

  it("an odd order, fill, payment, ledger update, dex: the others and the proof of the rest", async () => {
    const now = Date.now();
    serve({});
    const spoilt: Record<string, (body: unknown) => unknown> = {
      perpDexs: (body) => [...(body as unknown[]), { name: 5 }, "x", { name: "n".repeat(6_000) }],
      userFillsByTime: () => [
        fill({ time: now - 5 * MINUTE, tid: 1 }),
        fill({ time: now - 4 * MINUTE, tid: 2, px: "9".repeat(140_000) }),
        fill({ time: now - 3 * MINUTE, tid: 3, coin: "x".repeat(6_000) }),
        fill({ time: now - 2 * MINUTE, tid: 4, dir: {}, cloid: 5 }),
      ],
      userFunding: () => [
        ...[1, 2].map((hours) => ({
          time: now - hours * MINUTE,
          hash: "0x0",
          delta: { type: "funding", coin: "BTC", usdc: "-1.0", szi: "1", fundingRate: "0.1", nSamples: 5e9 },
        })),
        {
          time: 0,
          hash: "0x0",
          delta: { type: "funding", coin: "BTC", usdc: "-1.0", szi: "1", fundingRate: "0.1" },
        },
      ],
    };
    proxy.spoil = ({ type }, answer) => ({ ...answer, body: spoilt[type]?.(answer.body) ?? answer.body });
    await sync();
    assert.deepEqual(await rows("select trade_id::int, direction, cloid from hl_fills order by 1"), [
      { trade_id: 1, direction: "Open Long", cloid: null },
      { trade_id: 4, direction: "", cloid: null },
    ]);
    assert.equal((await rows("select 1 from hl_funding where samples is null")).length, 2);
    const unproven = await rows(
      `select from_ms::text, to_ms::text from hl_coverage where stream = 'fills' and grade = 'unprovable' order by 1`,
    );
    assert.deepEqual(
      unproven,
      [4, 3].map((minutes) => ({ from_ms: `${now - minutes * MINUTE}`, to_ms: `${now - minutes * MINUTE}` })),
    );
    const proven = await rows(
      "select from_ms::text from hl_coverage where stream = 'funding' and grade = 'proven'",
    );
    assert.ok(
      proven.every((row) => Number(row.from_ms) >= now - 2 * MINUTE),
      "a row whose time cannot be read may be of any time behind its neighbour",
    );
  });

  it("a row that a user's own CHECK refuses: the pages behind it, its proof, verify, and what heals it", async () => {
    const now = Date.now();
    const run = (...args: string[]) =>
      hlsyncHere([
        ...[...args, "--database", target.url, "--log-level", "warn"],
        ...(args[0] === "quarantine"
          ? []
          : ["--api-url", proxy.url, "--account", USER, "--weight", "100000"]),
      ]);
    const migrated = await hlsyncHere(["migrate", "--database", target.url]);
    assert.equal(migrated.code, 0, migrated.stderr);
    await rows("alter table hl_fills add constraint mine check (price < 1000000)");
    const many = Array.from({ length: 2_500 }, (_, i) =>
      fill({
        time: now - 60 * MINUTE + i,
        tid: i,
        oid: i,
        coin: "@1",
        ...(i === 1_000 ? { px: "5000000.0" } : {}),
      }),
    );
    serve({ fills: many });
    assert.match(await sync(), /refused rows by their content/);
    assert.equal((await rows("select 1 from hl_fills")).length, 2_499);
    const [message] = await rows("select reason from hl_internal.quarantine where subject = 'hl_fills'");
    assert.match(String(message?.reason), /^refused by the database: .*check constraint "mine"/);
    const unproven =
      "select from_ms::text, to_ms::text from hl_coverage where stream = 'fills' and grade = 'unprovable'";
    const refusedMs = `${now - 60 * MINUTE + 1_000}`;
    assert.deepEqual(await rows(unproven), [{ from_ms: refusedMs, to_ms: refusedMs }]);
    const verified = await run("verify");
    assert.equal(verified.code, 4);
    assert.match(verified.stdout, /missing +hl_fills .*\|1000\|/);
    assert.match((await run("quarantine", "replay")).stdout, /0 applied, 1 still not understood/);
    await rows("alter table hl_fills drop constraint mine");
    assert.match((await run("quarantine", "replay")).stdout, /1 applied, 0 still not understood/);
    await sync();
    assert.equal((await rows("select 1 from hl_fills")).length, 2_500);
    assert.deepEqual(await rows(unproven), []);
    assert.equal((await run("verify")).code, 0);
  });
});
