/** The screen of a database that another process fills: all from the tables, with the age of what is told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gatherStored } from "../../src/outputs/terminal/stored.ts";
import { startServer, useDatabase } from "../support/postgres.ts";
import { ACCOUNT, dashboardOf, OTHER, orderEventOf, positionOf, T } from "./rows.ts";

describe("the screen of what a database knows", () => {
  const db = useDatabase("each", () => startServer("embedded"));

  it("shows the state of each account, its open orders and coverage, without a venue", async () => {
    await db.store.openAccount(ACCOUNT, "main", 0);
    await db.store.openAccount(OTHER, null, 0);
    await db.store.apply({
      dashboard: [dashboardOf({ asOfMs: T })],
      positions: [positionOf({ asOfMs: T }), positionOf({ coin: "ETH", szi: "0", asOfMs: T })],
      orderEvents: [orderEventOf({ orderId: 1 }), orderEventOf({ orderId: 2, venueStatus: "filled" })],
      coverage: [
        { account: ACCOUNT, stream: "fills", grade: "proven", fromMs: 0, toMs: T - 1_000, reason: null },
      ],
    });
    const [main, other] = await gatherStored(db.store, await db.store.accounts(), new Map(), T + 1_000);
    assert.deepEqual([main!.alias, main!.role, main!.phase], ["main", "stored", "followed by nobody now"]);
    assert.equal(main!.snapshot!.accountValue, dashboardOf().accountValue);
    assert.deepEqual(
      main!.positions.map(({ coin }) => coin),
      ["BTC"],
    );
    assert.deepEqual(
      main!.openOrders.map(({ orderId, remaining }) => [orderId, remaining]),
      [[1, "2"]],
    );
    const fills = main!.histories.find(({ stream }) => stream === "fills")!;
    assert.deepEqual([fills.completeSinceMs, fills.active], [0, false]);
    assert.deepEqual([other!.snapshot, other!.openOrders, other!.word], [null, [], "stale"]);
  });
});
