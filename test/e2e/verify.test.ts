/** `verify` through the real program: what differs, and what cannot be read, ends with exit 4 and a line that names it. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { JsonObject } from "../../src/simulator/contract.ts";
import type { RecordedAccount } from "../../src/simulator/exchange/recorded.ts";
import { createVenue } from "../../src/simulator/exchange/venue.ts";
import { type Simulator, startSimulator } from "../../src/simulator/server/server.ts";
import { hlsyncHere } from "../support/inProcess.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import * as wires from "../support/wires.ts";

const USER = `0x${"c".repeat(40)}`;
const MINUTE = 60_000;

const position = (coin: string, szi: string): JsonObject => wires.position(coin, { szi });
const stateAt = (time: number, ...assetPositions: JsonObject[]): JsonObject =>
  wires.perpState(assetPositions, { time }) as JsonObject;
const fill = (coin: string, side: "A" | "B", startPosition: string, time: number, id: number) =>
  wires.fill({ coin, sz: "0.1", side, time, startPosition, oid: id, tid: id });
const filled = (oid: number, time: number, over: object = {}) =>
  wires.transition(
    { status: "filled", statusTimestamp: time + 6 },
    { sz: "0.0", origSz: "0.1", oid, timestamp: time, orderType: "Market", tif: null, cloid: null, ...over },
  );
const balance = (coin: string, total: string) => wires.balance(coin, { total, entryNtl: "0.0" });

describe("verify, by the real program", () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Simulator;
  const venue = createVenue({ startMs: Date.now() });

  before(async () => {
    server = await startServer("real");
    exchange = await startSimulator({ venue, limits: { weightPerMinute: 100_000 } });
  });
  beforeEach(async () => {
    await target?.close();
    target = await server.newDatabase({ migrated: false });
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await server?.stop();
  });

  const serve = (account: RecordedAccount) => venue.setRecorded(USER, account);
  const run = (...args: string[]) =>
    hlsyncHere([
      ...[...args, "--api-url", exchange.url, "--database", target.url, "--account", USER],
      ...["--log-level", "warn", "--weight", "100000"],
    ]);
  const sync = async () => {
    const { code, stderr } = await run("sync", "--once");
    assert.equal(code, 0, stderr);
  };
  const verified = async (code: number, ...lines: RegExp[]) => {
    const done = await run("verify");
    assert.equal(done.code, code, done.stdout + done.stderr);
    for (const line of lines) assert.match(done.stdout, line);
    return done.stdout;
  };

  it("names a position that was closed since, and none after the next sync (case 01)", async () => {
    const now = Date.now();
    const opened = [
      fill("BTC", "B", "0.0", now - 9 * MINUTE, 1),
      fill("TON", "B", "0.0", now - 9 * MINUTE, 2),
    ];
    serve({
      fills: opened,
      clearinghouseState: {
        "": stateAt(now - 5 * MINUTE, position("BTC", "0.1"), position("TON", "0.1")),
      },
    });
    await sync();
    await verified(0);
    const closed = fill("TON", "A", "0.1", now - 2 * MINUTE, 3);
    serve({
      fills: [...opened, closed],
      clearinghouseState: { "": stateAt(now - MINUTE, position("BTC", "0.1")) },
    });
    await verified(4, /extra +hl_positions \|TON: venue flat, database long 0.1/, /missing +hl_fills .*TON/);
    await sync();
    await verified(0);
    await target.database.query("update hl_positions set size = 0.3 where coin = 'BTC'");
    await verified(4, /changed +hl_positions \|BTC: venue long 0.1, database long 0.3/);
    // The row is as young as the venue's state, which does not move: doubted, it gives way to the same state.
    await sync();
    await verified(0);
  });

  it("names balances that left the list, and a row from the future, which the next sync puts right (case 02)", async () => {
    serve({
      spotClearinghouseState: { balances: [balance("USDC", "100.0"), balance("HYPE", "10.0")] },
    });
    await sync();
    serve({ spotClearinghouseState: { balances: [balance("USDC", "125.0"), balance("o9130", "0.0")] } });
    await verified(4, /changed +hl_balances USDC: venue 125/, /extra +hl_balances HYPE: venue 0/);
    await target.database.query(
      "update hl_balances set as_of_ms = as_of_ms + 7200000, total = 7 where coin = 'USDC'",
    );
    await verified(4, /future +hl_balances USDC/);
    await sync();
    await sync();
    await verified(0);
  });

  it("names orders that are only in quarantine, in both lists (case 08)", async () => {
    const now = Date.now();
    serve({
      historicalOrders: [filled(1, now - 5 * MINUTE), filled(2, now - 4 * MINUTE, { limitPx: null })],
    });
    await sync();
    const text = await verified(4, /unread +hl_orders .*"oid":2/, /^quarantine historicalOrders 1$/m);
    assert.match(text, /unprovable +orders .*could not be understood/);
    serve({ frontendOpenOrders: [{ ...filled(2, now - 4 * MINUTE).order, limitPx: null }] });
    await sync();
    await verified(4, /unread +hl_orders .*"oid":2.*frontendOpenOrders/);
    // Gone from the lists, it is still in no table.
    serve({});
    await verified(4, /quarantined hl_orders 2: in quarantine only/);
  });

  it("passes of an account that has nothing once that was read, and not before", async () => {
    serve({});
    await sync();
    await verified(0);
    await target.database.query("delete from hl_internal.coverage");
    await target.database.query("update hl_internal.accounts set since_ms = $1, read_since_ms = $1", [
      Date.now() + 60 * MINUTE,
    ]);
    await verified(4, /gap +fills .*: nothing of fills is proven yet: sync --once, then verify again/);
    await sync();
    await verified(0);
  });

  it("takes every row of a list that came empty for extra", async () => {
    const now = Date.now();
    const ledger = [1, 2].map((id) => ({
      time: now - id * MINUTE,
      hash: `0x${`${id}`.repeat(64)}`,
      delta: { type: "deposit", usdc: `${id}.0` },
    }));
    serve({ ledger, fills: [fill("@1", "B", "0.0", now - 9 * MINUTE, 1)] });
    await sync();
    await verified(0);
    serve({});
    const text = await verified(4);
    assert.equal(text.match(/^extra +hl_ledger/gm)?.length, 2, text);
    assert.equal(text.match(/^extra +hl_fills/gm)?.length, 1, text);
  });

  it("names vaults, stake, TWAPs, rewards, interest and curves that differ, and the next sync puts them right", async () => {
    const now = Date.now();
    const vaultAddress = `0x${"1".repeat(40)}`;
    const time = now - 60 * MINUTE;
    const twap = {
      ...{
        coin: "BTC",
        side: "B",
        sz: "2.0",
        executedSz: "2.0",
        executedNtl: "200.0",
        minutes: 30,
        user: USER,
      },
      ...{ randomize: false, reduceOnly: false, stopPx: null, trigger: null, timestamp: time - MINUTE },
    };
    const curve = { accountValueHistory: [[time, "100.0"]], pnlHistory: [[time, "5.0"]], vlm: "1.0" };
    serve({
      twapHistory: [
        { time: Math.floor(time / 1000), state: twap, status: { status: "finished" }, twapId: 7 },
      ] as JsonObject[],
      answers: {
        userVaultEquities: [{ vaultAddress, equity: "1000.0", lockedUntilTimestamp: now }],
        delegatorSummary: { delegated: "9.0", undelegated: "1.0", totalPendingWithdrawal: "0.0" },
        delegations: [{ validator: vaultAddress, amount: "9.0", lockedUntilTimestamp: now }],
        delegatorRewards: [{ time, source: "delegation", totalAmount: "0.5" }],
        userBorrowLendInterest: [
          { time: time - MINUTE, token: "USDC", borrow: "0.1", supply: "0.0" },
          { time, token: "USDC", borrow: "0.2", supply: "0.0" },
        ],
        portfolio: [["allTime", curve]] as never,
      },
    });
    await sync();
    await verified(0);
    const spoilt: [string, RegExp][] = [
      [
        `update hl_account_facts set value = '[]', as_of_ms = as_of_ms + 7200000 where fact = 'vaults'`,
        /missing +hl_vault_equities 0x1/,
      ],
      [
        `update hl_account_facts set value = jsonb_set(value, '{delegated}', '"90"') where fact = 'stake'`,
        /changed +hl_account_facts stake: delegated: venue 9.0, database 90 as of/,
      ],
      [
        `update hl_account_facts set value = jsonb_set(value, '{0,amount}', '"8"') where fact = 'delegations'`,
        /changed +hl_delegations 0x1.*amount: venue 9.0, database 8/,
      ],
      ["update hl_twaps set executed_size = 3", /changed +hl_twaps 7: executedSize: venue 2.0, database 3/],
      [
        "update hl_staking_rewards set amount = 50",
        /changed +hl_staking_rewards .*amount: venue 0.5, database 50/,
      ],
      [`delete from hl_lending_interest where time_ms = ${time - MINUTE}`, /missing +hl_lending_interest/],
      ["update hl_portfolio set account_value = 900", /changed +hl_portfolio all.*venue 100.0, database 900/],
    ];
    for (const [sql] of spoilt) await target.database.query(sql);
    await verified(4, ...spoilt.map(([, line]) => line));
    await sync();
    await verified(0);
  });

  it("names an old row that one sync --once was not given; a young one, and any order, is read by the next", async () => {
    const now = Date.now();
    const given = (rows: readonly number[]) =>
      rows.map((agoS) => fill("@1", "B", "0.0", now - agoS * 1_000, agoS));
    const orders = (ids: readonly number[]) => ids.map((id) => filled(id, now - 10 * MINUTE));
    serve({ fills: given([600, 30]), historicalOrders: orders([8]) });
    await sync();
    serve({ fills: given([600, 300, 30, 20]), historicalOrders: orders([9, 8]) });
    await sync();
    const stored = async (table: string) =>
      Number((await target.database.query<{ n: number }>(`select count(*) as n from ${table}`))[0]!.n);
    assert.deepEqual([await stored("hl_fills"), await stored("hl_orders")], [3, 2]);
    await verified(4, /missing +hl_fills .*@1/);
    await sync();
    assert.equal(await stored("hl_fills"), 4);
    await verified(0);
  });
});
