import assert from "node:assert/strict";
import { it } from "node:test";
import { accountSubscriptions, dexSubscriptions } from "../../../../src/sync/lane/subscriptions.ts";
import { ACCOUNT } from "../rows.ts";

it("subscribes to each channel of an account once, and to states for each dex", () => {
  const user = ACCOUNT;
  assert.deepEqual(accountSubscriptions(user, ["", "xyz"]), [
    { type: "orderUpdates", user },
    { type: "userEvents", user },
    { type: "userFills", user, aggregateByTime: false },
    { type: "userHistoricalOrders", user },
    { type: "userFundings", user },
    { type: "userNonFundingLedgerUpdates", user },
    { type: "userTwapSliceFills", user },
    { type: "spotState", user },
    { type: "webData3", user },
    { type: "clearinghouseState", user },
    { type: "clearinghouseState", user, dex: "xyz" },
    { type: "openOrders", user },
    { type: "openOrders", user, dex: "xyz" },
  ]);
  assert.deepEqual(dexSubscriptions(user, ["abc"]), [
    { type: "clearinghouseState", user, dex: "abc" },
    { type: "openOrders", user, dex: "abc" },
  ]);
});
