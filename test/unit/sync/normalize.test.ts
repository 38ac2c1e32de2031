import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  digest,
  fillRow,
  ledgerRow,
  openOrderRows,
  orderEventRow,
  positionRows,
  unknownOrderRow,
} from "../../../src/sync/normalize.ts";
import { ACCOUNT, transition } from "./rows.ts";

const origin = { account: ACCOUNT, source: "stream", seenAtMs: 5 } as const;

const wireFill = (over: object = {}) => ({
  coin: "BTC",
  px: "100.5",
  sz: "0.2",
  side: "A" as const,
  time: 7,
  startPosition: "-0.50",
  dir: "New Word",
  closedPnl: "0.0",
  hash: "0xab",
  oid: 1,
  crossed: true,
  fee: "-0.001",
  tid: 2,
  feeToken: "USDC",
  ...over,
});
const readFill = (over: object = {}) => {
  const value = wireFill(over);
  return { value, raw: value };
};

describe("normalize", () => {
  it("keeps every decimal of a fill as it was sent, rebates and trailing zeros included", () => {
    const row = fillRow(origin, readFill());
    assert.deepEqual([row.price, row.size, row.fee, row.startPosition], ["100.5", "0.2", "-0.001", "-0.50"]);
    assert.equal(row.value, "20.1");
    assert.equal(row.side, "sell");
    assert.equal(row.direction, "New Word");
  });

  it("tells fills without a tid apart by their content, with a negative number that stays the same", () => {
    const [a, b, again] = [
      fillRow(origin, readFill({ tid: undefined })),
      fillRow(origin, readFill({ tid: undefined, px: "100.6" })),
      fillRow({ ...origin, source: "backfill", seenAtMs: 99 }, readFill({ tid: undefined })),
    ];
    assert.ok(a.tradeId < 0 && b.tradeId < 0 && Number.isSafeInteger(a.tradeId));
    assert.notEqual(a.tradeId, b.tradeId);
    assert.equal(a.tradeId, again.tradeId);
    assert.equal(fillRow(origin, readFill({ tid: 0 })).tradeId, 0, "the tid of dust is a real 0");
  });

  it("says of an order only what its source said", () => {
    const short = {
      coin: "BTC",
      side: "B" as const,
      limitPx: "1",
      sz: "1",
      oid: 3,
      timestamp: 4,
      origSz: "2",
    };
    const row = orderEventRow(origin, {
      value: { order: short, status: "open", statusTimestamp: 4 },
      raw: {},
    });
    assert.deepEqual([row.orderType, row.tif, row.reduceOnly, row.triggerPrice], [null, null, null, null]);
    const full = { ...short, orderType: "Stop Market", isTrigger: true, triggerPx: "9", tif: null };
    const [open] = openOrderRows(origin, [{ value: full, raw: full }]);
    assert.deepEqual([open?.orderType, open?.reduceOnly, open?.triggerPrice], ["Stop Market", false, "9"]);
    assert.deepEqual(
      [open?.venueStatus, open?.statusTimeMs, open?.remaining, open?.size],
      ["open", 4, "1", "2"],
    );
  });

  it("takes an order that is listed twice, nested and at the top, once", () => {
    const child = { coin: "BTC", side: "B" as const, limitPx: "1", sz: "1", oid: 8, timestamp: 4 };
    assert.equal(
      openOrderRows(origin, [
        { value: child, raw: child },
        { value: child, raw: child },
      ]).length,
      1,
    );
  });

  it("lets a forgotten order end as unknown at the time of the question", () => {
    const row = unknownOrderRow(origin, transition(5, "open"), 77);
    assert.deepEqual([row.venueStatus, row.statusTimeMs, row.orderId], ["unknownOid", 77, 5]);
  });

  it("derives mark and distance to liquidation of a position, and nothing for a flat one", () => {
    const position = {
      coin: "BTC",
      szi: "-2",
      positionValue: "200",
      unrealizedPnl: "1",
      marginUsed: "10",
      liquidationPx: "110",
      entryPx: "101",
      returnOnEquity: "0.1",
      leverage: { type: "cross", value: 20 },
      maxLeverage: 40,
    };
    const margin = { accountValue: "1", totalNtlPos: "1", totalRawUsd: "1", totalMarginUsed: "1" };
    const value = {
      marginSummary: margin,
      crossMarginSummary: margin,
      withdrawable: "0",
      time: 9,
      assetPositions: [{ position }],
    };
    const [row] = positionRows(ACCOUNT, "xyz", { value, raw: value }, 10);
    assert.deepEqual(
      [row?.markPrice, row?.liquidationDistancePct, row?.asOfMs, row?.dex],
      ["100", "10", 9, "xyz"],
    );
  });

  const ledger = (delta: object) => {
    const value = { time: 1, hash: "0x1", delta: delta as { type: string } };
    return ledgerRow(origin, { value, raw: value });
  };
  it("tells ledger updates of one time and hash apart by content, whatever the order of their keys", () => {
    assert.equal(digest({ a: 1, b: { c: "2", d: [1] } }), digest({ b: { d: [1], c: "2" }, a: 1 }));
    assert.notEqual(digest({ a: "1" }), digest({ a: "2" }));
    assert.match(ledger({ type: "deposit", usdc: "1" }).digest, /^[0-9a-f]{16}$/);
  });
});
