import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LastingSuspicions, repairsOf } from "../../../../src/sync/account/repairs.ts";
import type { CashSuspicion } from "../../../../src/sync/cashCheck.ts";
import type { Suspicion } from "../../../../src/sync/selfCheck.ts";

const chain = (toMs: number, missing = "1"): Suspicion => ({
  ...{ kind: "chain", key: "chain:BTC", coin: "BTC", fromMs: 1, toMs, missing },
});
const cash = (toMs: number, moved = "-5"): CashSuspicion => ({
  ...{ kind: "cash", key: "cash:", coin: "", streams: ["ledger"], fromMs: 1, toMs, moved },
});
const order = (orderId: number): Suspicion => ({
  ...{ kind: "order", key: `order:${orderId}`, coin: "BTC", orderId },
});
const signal = new AbortController().signal;

describe("suspicions without a stream", () => {
  it("last when two readings in a row leave them in the same words", () => {
    const lasting = new LastingSuspicions();
    const keys = (...suspicions: Suspicion[]) => [...lasting.take(suspicions)];
    assert.deepEqual(keys(chain(5), cash(5), order(1)), []);
    assert.deepEqual(keys(chain(9), cash(9), order(2)), ["cash:"], "a younger state shows the same money");
    assert.deepEqual(keys(chain(9), cash(12, "-6"), order(2)), ["chain:BTC", "order:2"]);
    assert.deepEqual(keys(), []);
    assert.deepEqual(keys(chain(9)), [], "it was explained meanwhile");
  });
});

describe("repairs", () => {
  it("ask for orders together, for so many at once, and for everything else by itself", async () => {
    const asked: unknown[] = [];
    const account = {
      isHealingFills: false,
      repair: async ({ key }: Suspicion) => {
        asked.push(key);
        return key === "cash:";
      },
      repairOrders: async (orders: readonly unknown[]) => {
        asked.push(orders.length);
        return 60;
      },
    };
    const orders = Array.from({ length: 150 }, (_, id) => order(id));
    const done = [];
    for (const { name, run } of repairsOf(account, [...orders, chain(5), cash(5)]))
      done.push({ name, ...(await run(signal)) });
    assert.deepEqual(asked, ["chain:BTC", "cash:", 100]);
    assert.deepEqual(done, [
      { name: "repair chain:BTC", healed: 0, unexplained: 1 },
      { name: "repair cash:", healed: 1, unexplained: 0 },
      { name: "repair of orders", healed: 60, unexplained: 40 },
    ]);
  });

  it("wait, all but those of orders, while fills are being read that may answer them", () => {
    const account = { isHealingFills: false, repair: async () => true, repairOrders: async () => 1 };
    const names = [];
    for (const { name } of repairsOf(account, [chain(5), cash(5), order(1)])) {
      names.push(name);
      account.isHealingFills = true;
    }
    assert.deepEqual(names, ["repair chain:BTC", "repair of orders"]);
  });
});
