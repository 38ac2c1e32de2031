import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OpenOrders } from "../../../../src/sync/account/openOrders.ts";
import { transition } from "../rows.ts";

const open = (orderId: number, remaining = "1") => transition(orderId, "open", { remaining });
const ids = (rows: { orderId: number }[]) => rows.map(({ orderId }) => orderId);

describe("open orders", () => {
  it("are news when they were not listed before, or when less of them remains", () => {
    const orders = new OpenOrders();
    assert.deepEqual(ids(orders.fresh("", [open(1), open(2)])), [1, 2]);
    orders.note("", [open(1), open(2)], true);
    assert.deepEqual(ids(orders.fresh("", [open(1), open(2, "0.5"), open(3)])), [2, 3]);
    assert.deepEqual(ids(orders.fresh("xyz", [open(1)])), [1]);
  });

  it("are gone from a whole list, and stay where it was not read whole", () => {
    const orders = new OpenOrders();
    orders.note("", [open(1), open(2)], true);
    orders.note("", [open(2, "0.5"), open(3)], false);
    assert.deepEqual(
      orders.rows().map(({ orderId, remaining }) => [orderId, remaining]),
      [
        [1, "1"],
        [2, "0.5"],
        [3, "1"],
      ],
    );
    orders.note("", [open(3)], true);
    assert.deepEqual(ids(orders.rows()), [3]);
  });

  it("are known of a dex once it was listed, empty too", () => {
    const orders = new OpenOrders();
    assert.equal(orders.isListed("xyz"), false);
    orders.note("xyz", [], true);
    assert.equal(orders.isListed("xyz"), true);
    assert.equal(orders.isListed(""), false);
  });
});
