import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readFrame } from "../../src/protocol/channels.ts";
import { isRead, readOne, readRows } from "../../src/protocol/decode.ts";
import { INFO } from "../../src/protocol/infoRequests.ts";
import * as wire from "../../src/protocol/schemas.ts";
import {
  balanceRows,
  fillRow,
  fundingUpdateRow,
  openOrderRows,
  orderEventRow,
  positionRows,
} from "../../src/sync/normalize.ts";
import { type Any, cassette, readCapture, readLines, withoutCaptures } from "./captures.ts";

const origin = { account: `0x${"1".repeat(40)}`, source: "backfill", seenAtMs: 0 } as const;

/** Reads every row of a list, and gives the readings. */
function all<T>(schema: Parameters<typeof readRows<T>>[0], rows: Any) {
  const result = readRows(schema, rows);
  assert.deepEqual(result.unread, []);
  return result.rows;
}

describe("real payloads decode", { skip: withoutCaptures }, () => {
  const fillLists: Record<string, () => Any[]> = {
    "userFills 2023": () => cassette("user_fills.0.userFills").response,
    "userFillsByTime 2023": () => cassette("user_fills_by_time.0.userFillsByTime").response,
    "userFills testnet 2026": () => readCapture("hyperliquid-mobile/userFills_testnet_selected.json"),
    "userTwapSliceFills testnet 2026": () =>
      readCapture("hyperliquid-mobile/userTwapSliceFills_testnet.json").map(({ fill }: Any) => fill),
    "node fills 2025": () =>
      readLines("gareth0712/node/20250716.node_fills.ndjson").map(([, fill]: Any) => fill),
  };
  for (const [name, load] of Object.entries(fillLists)) {
    it(`${name}: every fill, its decimals byte for byte, no two with one identity`, () => {
      const wires = load();
      const rows = all(wire.WireFill, wires).map((read) => fillRow(origin, read));
      for (const [i, row] of rows.entries()) {
        const { px, sz, fee, startPosition, closedPnl, oid, time } = wires[i];
        assert.deepEqual(
          [row.price, row.size, row.fee, row.startPosition, row.closedPnl, row.orderId, row.timeMs],
          [px, sz, fee, startPosition, closedPnl, oid, time],
        );
        assert.equal(row.raw, wires[i]);
      }
      const keys = rows.map((row) => [row.coin, row.timeMs, row.orderId, row.tradeId, row.side].join("|"));
      if (!name.startsWith("node")) assert.equal(new Set(keys).size, rows.length);
    });
  }

  it("orders: short, frontend, stop limit, TP/SL children, transitions, order status, node blocks", () => {
    const open = all(wire.WireOrder, cassette("open_orders.0.openOrders").response);
    assert.equal(openOrderRows(origin, open).length, 196);
    const parents = all(wire.WireOrder, cassette("frontend_open_orders.0.frontendOpenOrders").response);
    assert.deepEqual(
      openOrderRows(origin, parents).map(({ orderType, triggerPrice }) => [orderType, triggerPrice]),
      [
        ["Take Profit Market", "10.004"],
        ["Stop Market", "9.995"],
        ["Limit", null],
      ],
    );
    all(wire.WireOrder, readCapture("hyperliquid-mobile/frontendOpenOrders_testnet.json"));
    all(wire.WireOrderTransition, cassette("historical_orders.0.historicalOrders").response);
    const small = readCapture("misc/small_payloads.json");
    all(wire.WireOrder, small.frontendOpenOrders_stop_limit.order);
    assert.ok(isRead(readOne(wire.WireOrderStatus, small.orderStatus_open.response)));
    all(wire.WireOrderTransition, small.node_order_status_block.block.events.map(timed));
    const statuses = all(
      wire.WireOrderTransition,
      readLines("gareth0712/node/20250716.node_order_statuses.ndjson").map(timed),
    );
    assert.equal(statuses.length, 10);
  });

  it("an open and its fill in one orderUpdates frame are two transitions of one order", () => {
    const { msg } = readCapture("misc/small_payloads.json").ws_orderUpdates_open_then_filled_one_frame;
    const frame = readFrame(JSON.stringify(msg));
    assert.ok(frame.type === "data" && frame.reading.content.type === "orderTransitions");
    const rows = frame.reading.content.rows.map((row) => orderEventRow(origin, row));
    assert.deepEqual(
      rows.map(({ orderId, venueStatus, remaining }) => [orderId, venueStatus, remaining]),
      [
        [166873653063, "open", "5.0"],
        [166873653063, "filled", "0.0"],
      ],
    );
  });

  it("states: 2023 without time, cross, negative raw USD, portfolio margin with negative hold", () => {
    const states = [
      cassette("user_state.0.clearinghouseState").response,
      readCapture("gareth0712/info/clearinghouseState.json"),
      readCapture("bytex/mainnet_2026-09-25.json").clearinghouseState,
      readCapture("nautilus/http_clearinghouse_state_negative_total_raw_usd.json"),
      ...readCapture("hyperliquid-mobile/subAccounts2_portfolioMargin_mainnet.json").flatMap((account: Any) =>
        account.dexToClearinghouseState.map(([, state]: Any) => state),
      ),
    ];
    for (const raw of states) {
      const read = readOne(wire.WireClearinghouseState, raw);
      assert.ok(isRead(read), JSON.stringify(read));
      const rows = positionRows(origin.account, "", read, 1);
      assert.deepEqual(
        rows.map(({ coin, szi, entryPrice, positionValue }) => [coin, szi, entryPrice, positionValue]),
        raw.assetPositions.map(({ position: p }: Any) => [p.coin, p.szi, p.entryPx ?? null, p.positionValue]),
      );
    }
    const spots = [
      readCapture("nautilus/http_spot_clearinghouse_state.json"),
      ...readCapture("hyperliquid-mobile/subAccounts2_portfolioMargin_mainnet.json").map(
        (account: Any) => account.spotState,
      ),
    ];
    for (const raw of spots) {
      const read = readOne(wire.WireSpotState, raw);
      assert.ok(isRead(read), JSON.stringify(read));
      const totals = balanceRows(origin.account, read, 1).map(({ coin, total, hold }) => [coin, total, hold]);
      assert.deepEqual(
        totals,
        raw.balances.map((b: Any) => [b.coin, b.total, b.hold]),
      );
    }
  });

  it("funding and ledger updates, from REST and from a node", () => {
    for (const name of [
      "user_funding_history_with_end_time.0.userFunding",
      "user_funding_history_without_end_time.0.userFunding",
    ]) {
      const { response } = cassette(name);
      const rows = all(wire.WireFundingUpdate, response).map((read) => fundingUpdateRow(origin, read));
      assert.deepEqual(
        rows.map(({ coin, timeMs, usdc, size, fundingRate }) => [coin, timeMs, usdc, size, fundingRate]),
        response.map(({ time, delta: d }: Any) => [d.coin, time, d.usdc, d.szi, d.fundingRate]),
      );
    }
    const { response } = cassette(
      "user_non_funding_ledger_updates_without_end_time.0.userNonFundingLedgerUpdates",
    );
    assert.equal(all(wire.WireLedgerUpdate, response).length, 5);
    const events = readLines("gareth0712/node/20250716.misc_events.ndjson").filter(
      ({ inner }) => inner.LedgerUpdate,
    );
    const updates = events.map(({ time, hash, inner }) => ({
      time: Date.parse(`${time.slice(0, 23)}Z`),
      hash,
      delta: inner.LedgerUpdate.delta,
    }));
    assert.ok(all(wire.WireLedgerUpdate, updates).length > 20);
  });

  it("webData2 as it was pushed and as it is still answered", () => {
    for (const file of [
      "1-webData2-ZeroBalance-all",
      "2-webData2-perpBalance-all",
      "3-webData2-spotBalance-all",
      "4-webData2-openPosition-all",
      "5-webData2-closePosition-all",
    ]) {
      for (const message of readCapture(`gareth0712/ws/${file}.json`)) {
        const frame = readFrame(JSON.stringify(message));
        assert.ok(
          frame.type === "ack" || frame.type === "data" || frame.type === "error",
          JSON.stringify(frame).slice(0, 200),
        );
        if (frame.type === "data") assert.deepEqual(frame.reading.unread, []);
      }
    }
    const answer = INFO.webData2.read(readCapture("gareth0712/info/webData2.json"));
    assert.ok(isRead(answer), JSON.stringify(answer).slice(0, 200));
  });

  it("market messages of 2024 to 2026; a channel without a reader is told apart from one that cannot be read", () => {
    const bytex = readCapture("bytex/mainnet_2026-09-25.json");
    const messages = [
      ...readCapture("tardis/ws_market_messages_2024-10_2025-06.json"),
      ...[
        "ws_trades",
        "ws_candle",
        "ws_activeAssetCtx",
        "ws_user_fills__coin_and_cloid_replaced",
        "ws_orderUpdates__coin_and_cloid_replaced",
      ].flatMap((key) => bytex[key]),
      readCapture("nautilus/ws_user_fill_liquidation.json"),
      readCapture("nautilus/ws_allmids.json"),
    ];
    const channels = new Set<string>();
    for (const message of messages) {
      const frame = readFrame(JSON.stringify(message));
      channels.add(message.channel);
      if (frame.type === "unknown") assert.equal(message.channel, "bbo");
      else
        assert.ok(
          frame.type === "data" && frame.reading.unread.length === 0,
          JSON.stringify(frame).slice(0, 300),
        );
    }
    assert.ok(channels.size >= 6, [...channels].join());
    all(wire.WireCandle, cassette("candles_snapshot.1.candleSnapshot").response);
    all(wire.WireCandle, bytex.candleSnapshot_1h);
    for (const meta of [
      bytex.meta_first6,
      readCapture("gareth0712/info/meta.json"),
      ...readCapture("nautilus/http_all_perp_metas_non_usdc_collateral.json"),
    ]) {
      assert.ok(isRead(readOne(wire.WireMeta, meta)));
    }
    for (const mids of [
      cassette("all_mids.0.allMids").response,
      readCapture("gareth0712/ws/11-allMids.json").mids,
    ]) {
      assert.ok(isRead(readOne(wire.WireMids, mids)));
    }
  });
});

/** A node's order status row in the shape of the API: its ISO time is the transition's. */
const timed = (row: Any): Any => ({ ...row, statusTimestamp: Date.parse(`${row.time.slice(0, 23)}Z`) });
