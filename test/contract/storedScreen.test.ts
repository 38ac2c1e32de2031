/** The screen of a database that another process fills: all from the tables, with the age of what is told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readToday } from "../../src/outputs/terminal/gather.ts";
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

  it("draws the day's equity, from before the first snapshot as the venue's curve has it", async () => {
    const HOUR_MS = 3_600_000;
    const point = (account: string, scope: string, hoursAgo: number, accountValue: string) => ({
      ...{ account, scope, timeMs: T - hoursAgo * HOUR_MS, accountValue, pnl: "0" },
    });
    for (const account of [ACCOUNT, OTHER]) await db.store.openAccount(account, null, 0);
    await db.store.apply({
      dashboard: [
        dashboardOf({ asOfMs: T, accountValue: "130" }),
        dashboardOf({ account: OTHER, asOfMs: T, accountValue: "7", accountMode: "unified" }),
      ],
      portfolio: [
        point(ACCOUNT, "perp", 30, "1"),
        point(ACCOUNT, "perp", 2, "110"),
        point(ACCOUNT, "perp", 1, "120"),
        // Of the hour that has a snapshot.
        point(ACCOUNT, "perp", 0, "5"),
        point(ACCOUNT, "all", 3, "999"),
        point(OTHER, "perp", 1, "6"),
      ],
    });
    const equity = async (account: string) => (await readToday(db.database, account, null, T)).equity;
    assert.deepEqual((await equity(ACCOUNT)).slice(-4), [null, "110", "120", "130"]);
    assert.deepEqual(
      (await equity(OTHER)).slice(-3),
      [null, null, "7"],
      "pooled: the perps are not all of it",
    );
  });
});
