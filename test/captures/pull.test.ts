/** Real payloads through the whole program: served by `simulate`, pulled by `sync --once`, read back from PostgreSQL. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { hlsync, type Running, simulate } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { type Any, cassette, readCapture, readLines, withoutCaptures } from "./captures.ts";

const TESTNET_USER = `0x${"7".repeat(40)}`;
const NODE_USER = `0x${"8".repeat(40)}`;

/** Everything captured, as recorded accounts by address. */
function recordedAccounts(): Record<string, Any> {
  const accounts: Record<string, Any> = {};
  const put = (user: string, rows: Any) => {
    const address = user.toLowerCase();
    accounts[address] = { ...accounts[address], ...rows };
  };
  const from = (name: string, key: string) => {
    const { request, response } = cassette(name);
    put(request.user, { [key]: response });
  };
  from("user_fills.0.userFills", "fills");
  from("historical_orders.0.historicalOrders", "historicalOrders");
  from("user_funding_history_without_end_time.0.userFunding", "funding");
  from("user_non_funding_ledger_updates_without_end_time.0.userNonFundingLedgerUpdates", "ledger");
  from("frontend_open_orders.0.frontendOpenOrders", "frontendOpenOrders");
  const state = cassette("user_state.0.clearinghouseState");
  put(state.request.user, { clearinghouseState: { "": state.response } });
  const open = cassette("open_orders.0.openOrders");
  put(open.request.user, { frontendOpenOrders: open.response });
  put(TESTNET_USER, {
    fills: readCapture("hyperliquid-mobile/userFills_testnet_selected.json"),
    twapSliceFills: readCapture("hyperliquid-mobile/userTwapSliceFills_testnet.json"),
    clearinghouseState: { "": readCapture("gareth0712/info/clearinghouseState.json") },
    spotClearinghouseState: readCapture("nautilus/http_spot_clearinghouse_state.json"),
  });
  // Rows of many users, buyer and seller: together they are like one account that trades with itself.
  put(NODE_USER, {
    fills: readLines("gareth0712/node/20250716.node_fills.ndjson").map(([, fill]: Any) => fill),
  });
  return accounts;
}

describe("captured accounts pulled into PostgreSQL", { skip: withoutCaptures }, () => {
  const folder = temporaryFolder();
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };
  let accounts: Record<string, Any>;
  let users: string[];

  before(async () => {
    accounts = recordedAccounts();
    users = Object.keys(accounts);
    const file = join(folder.path, "recorded.json");
    writeFileSync(file, JSON.stringify(accounts));
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    exchange = await simulate("--recorded", file, "--weight", "1000000");
    const { code, stderr } = await sync();
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await server?.stop();
    folder.remove();
  });

  const sync = () =>
    hlsync([
      ...["sync", "--once", "--json", "--log-level", "warn", "--weight", "1000000"],
      ...["--api-url", exchange.apiUrl, "--database", target.url, "--account", users.join(",")],
    ]);
  const rows = (sql: string) => target.database.query<Any>(sql);
  const wires = (key: string): Any[] =>
    users.flatMap((user) => (accounts[user][key] ?? []).map((row: Any) => ({ user, row })));
  const sorted = (list: string[]) => [...list].sort();

  it("stores every fill and TWAP slice once, every decimal as it was sent", async () => {
    const stored = await rows(`
      select account_address, coin, fill_time_ms, order_id, side, price::text, size::text, fee::text, start_position,
             closed_pnl::text, direction, hash, crossed, fee_token, twap_id
      from hl_fills`);
    const expected = [
      ...wires("fills").map(({ user, row }) => ({ user, fill: row, twapId: row.twapId ?? null })),
      ...wires("twapSliceFills").map(({ user, row }) => ({ user, fill: row.fill, twapId: row.twapId })),
    ];
    assert.ok(expected.length > 540);
    assert.deepEqual(
      sorted(stored.map((row) => JSON.stringify(Object.values(row)))),
      sorted(
        expected.map(({ user, fill: f, twapId }) =>
          JSON.stringify([
            ...[
              user,
              f.coin,
              f.time,
              f.oid,
              f.side === "B" ? "buy" : "sell",
              f.px,
              f.sz,
              f.fee,
              f.startPosition,
            ],
            ...[f.closedPnl, f.dir, f.hash, f.crossed, f.feeToken ?? null, twapId],
          ]),
        ),
      ),
    );
  });

  it("stores every funding payment and ledger update", async () => {
    const funding = await rows(
      "select account_address, coin, funding_time_ms, usdc::text, size::text, funding_rate::text from hl_funding",
    );
    assert.deepEqual(
      sorted(funding.map((row) => JSON.stringify(Object.values(row)))),
      sorted(
        wires("funding").map(({ user, row: { time, delta: d } }) =>
          JSON.stringify([user, d.coin, time, d.usdc, d.szi, d.fundingRate]),
        ),
      ),
    );
    const ledger = await rows(
      "select account_address, ledger_time_ms, hash, type, raw_ledger from hl_ledger",
    );
    assert.deepEqual(
      sorted(ledger.map((row) => [row.account_address, row.ledger_time_ms, row.hash, row.type].join())),
      sorted(wires("ledger").map(({ user, row }) => [user, row.time, row.hash, row.delta.type].join())),
    );
    for (const { raw_ledger } of ledger) {
      assert.ok(
        wires("ledger").some(
          ({ row }) => JSON.stringify(row.delta) === JSON.stringify(sortedLike(raw_ledger.delta, row.delta)),
        ),
      );
    }
  });

  it("stores open and historical orders with size, price and status", async () => {
    const stored = new Map(
      (
        await rows(
          "select order_id, coin, side, size::text, limit_price::text, venue_status, order_type from hl_orders",
        )
      ).map((row) => [row.order_id, row]),
    );
    const open = wires("frontendOpenOrders");
    assert.equal(new Set(open.map(({ row }) => row.oid)).size, open.length);
    for (const { row } of open) {
      const own = stored.get(row.oid);
      const expected = [row.coin, row.origSz ?? row.sz, row.limitPx, "open", row.orderType ?? null];
      assert.deepEqual(
        [own?.coin, own?.size, own?.limit_price, own?.venue_status, own?.order_type],
        expected,
      );
    }
    for (const { row } of wires("historicalOrders")) {
      assert.equal(stored.get(row.order.oid)?.coin, row.order.coin);
      assert.equal(stored.get(row.order.oid)?.limit_price, row.order.limitPx);
    }
  });

  it("stores positions and balances", async () => {
    const positions = await rows(
      "select account_address, coin, case side when 'short' then '-' else '' end || size as szi, entry_price::text, unrealized_pnl::text from hl_positions",
    );
    const expected = users.flatMap((user) =>
      (accounts[user].clearinghouseState?.[""].assetPositions ?? []).map(({ position: p }: Any) =>
        JSON.stringify([user, p.coin, p.szi, p.entryPx, p.unrealizedPnl]),
      ),
    );
    assert.deepEqual(sorted(positions.map((row) => JSON.stringify(Object.values(row)))), sorted(expected));
    const balances = await rows(
      "select coin, total::text, hold::text from hl_balances where account_address = '0x7777777777777777777777777777777777777777'",
    );
    assert.deepEqual(
      sorted(balances.map((row) => JSON.stringify(Object.values(row)))),
      sorted(
        accounts[TESTNET_USER].spotClearinghouseState.balances.map((b: Any) =>
          JSON.stringify([b.coin, b.total, b.hold]),
        ),
      ),
    );
  });

  it("changes nothing when it is pulled again", async () => {
    const digest = () =>
      rows(`select md5(string_agg(f::text, '|' order by f::text)) as fills,
              (select md5(string_agg(e::text, '|' order by e::text)) from hl_order_events e) as events,
              (select md5(string_agg(o::text, '|' order by o::text)) from hl_orders o) as orders,
              (select md5(string_agg(g::text, '|' order by g::text)) from hl_funding g) as funding,
              (select md5(string_agg(l::text, '|' order by l::text)) from hl_ledger l) as ledger
            from hl_fills f`);
    const before = await digest();
    const { code, stderr } = await sync();
    assert.equal(code, 0, stderr);
    assert.deepEqual(await digest(), before);
  });
});

/** The keys of `value` in the order of `model`: jsonb does not keep it. */
const sortedLike = (value: Any, model: Any): Any =>
  Object.fromEntries(Object.keys(model).map((key) => [key, value[key]]));
