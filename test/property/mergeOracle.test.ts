/** The oracle's own examples of what transitions and fills make of an order. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fillOf, orderEventOf, T } from "../contract/rows.ts";
import { foldOrder } from "./mergeOracle.ts";

const open = orderEventOf({ size: "5.0", remaining: "5.0" });

describe("an order", () => {
  it("does not exist without a transition: liquidation and dust fills have ids the venue knows no order of", () => {
    assert.equal(foldOrder([], [fillOf()]), null);
  });

  it("is filled when open and filled came in one frame with the same time", () => {
    const filled = orderEventOf({ venueStatus: "filled", size: "5.0", remaining: "0.0" });
    const order = foldOrder([filled, open], []);
    assert.equal(order?.status, "filled");
    assert.equal(order?.filled, "5");
    assert.equal(order?.fillPercentage, "100");
  });

  it("is wholly filled when the venue says filled, even where the row still shows the whole size as remaining", () => {
    const filled = orderEventOf({
      venueStatus: "filled",
      statusTimeMs: T + 5,
      size: "5.0",
      remaining: "5.0",
    });
    assert.equal(foldOrder([open, filled], [])?.filled, "5");
  });

  it("is partially filled by its fills, for the venue sends no update then", () => {
    const order = foldOrder(
      [open],
      [fillOf({ size: "0.5" }), fillOf({ tradeId: 2, size: "1.25", timeMs: T + 9 })],
    );
    assert.equal(order?.status, "partially_filled");
    assert.equal(order?.filled, "1.75");
    assert.equal(order?.fillPercentage, "35");
    assert.equal(order?.statusTimeMs, T);
    assert.equal(order?.lastFillTimeMs, T + 9);
  });

  it("counts what a transition says is gone when that is more than the fills we have", () => {
    const canceled = orderEventOf({
      venueStatus: "canceled",
      statusTimeMs: T + 5,
      size: "5.0",
      remaining: "2.0",
    });
    const order = foldOrder([open, canceled], [fillOf({ size: "0.5" })]);
    assert.equal(order?.status, "canceled");
    assert.equal(order?.filled, "3");
  });

  it("is filled at its last fill when the fills add up and the end was not seen", () => {
    const order = foldOrder([open], [fillOf({ size: "5.0", timeMs: T + 30 })]);
    assert.equal(order?.status, "filled");
    assert.equal(order?.venueStatus, "open");
    assert.equal(order?.statusTimeMs, T + 30);
  });

  it("is never filled beyond its size", () => {
    assert.equal(foldOrder([open], [fillOf({ size: "7.0" })])?.filled, "5");
  });

  it("has no percentage without a size, as a whole-position TP/SL, and keeps the venue's word for its end", () => {
    const tpsl = { size: "0.0", remaining: "0.0", orderType: "Stop Market" };
    const order = foldOrder(
      [orderEventOf(tpsl), orderEventOf({ ...tpsl, venueStatus: "triggered", statusTimeMs: T + 1 })],
      [fillOf({ size: "2.0", timeMs: T + 2 })],
    );
    assert.equal(order?.status, "triggered");
    assert.equal(order?.fillPercentage, null);
    assert.equal(order?.filled, "2");
  });

  it("stays canceled when an open with a later time comes late", () => {
    const canceled = orderEventOf({ venueStatus: "canceled", statusTimeMs: T + 5 });
    assert.equal(foldOrder([canceled, orderEventOf({ statusTimeMs: T + 9 })], [])?.status, "canceled");
  });

  it("takes details from whichever transition knows them", () => {
    const told = orderEventOf({ orderType: "Limit", tif: "Gtc", reduceOnly: false, cloid: "0xc" });
    const canceled = orderEventOf({ venueStatus: "canceled", statusTimeMs: T + 5 });
    const order = foldOrder([told, canceled], []);
    assert.deepEqual(
      [order?.orderType, order?.tif, order?.reduceOnly, order?.cloid],
      ["Limit", "Gtc", false, "0xc"],
    );
  });
});
