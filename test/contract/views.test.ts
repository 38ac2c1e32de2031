/**
 * Money in the views: cases computed by hand, and the simulator's own ledgers. One suite, on the embedded server and on
 * a real PostgreSQL.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { add, type Decimal, mul, neg, sub, sum } from "../../src/runtime/decimal.ts";
import type { Json, JsonObject } from "../../src/simulator/contract.ts";
import { createVenue } from "../../src/simulator/exchange/venue.ts";
import { boundsOf } from "../../src/sync/freshness.ts";
import { fillRow, fundingRow, ledgerRow, type Origin } from "../../src/sync/normalize.ts";
import type { Batch, FillRow, LedgerRow } from "../../src/sync/rows.ts";
import { startServer, useDatabase } from "../support/postgres.ts";
import { snapshotOf } from "../support/venueSnapshot.ts";
import {
  ACCOUNT,
  dashboardOf,
  fillOf,
  fundingOf,
  ledgerOf,
  OTHER,
  orderEventOf,
  outboxOf,
  positionOf,
  T,
} from "./rows.ts";

const HOUR = 3_600_000;
const DAY = 86_400_000;
/** Midnight UTC before T. */
const MIDNIGHT = T - (T % DAY);

const MONEY_VIEWS = [
  "hl_fill_pnl",
  "hl_net_pnl_daily_by_coin",
  "hl_net_pnl_daily",
  "hl_net_pnl_by_coin",
  "hl_fees",
  "hl_funding_daily",
  "hl_funding_by_coin",
  "hl_round_trips",
  "hl_flows",
  "hl_equity",
  "hl_equity_daily",
  "hl_account_now",
  "hl_exposure",
  "hl_exposure_total",
  "hl_statistics",
  "hl_history_statistics",
];

let orderId = 1_000;
/** A perp fill: value, ids and start are filled in. */
function trade(
  change: Partial<FillRow> & Pick<FillRow, "side" | "size" | "price" | "startPosition">,
): FillRow {
  orderId += 1;
  const value = mul(change.size, change.price);
  return fillOf({ orderId, tradeId: orderId, value, fee: "0", closedPnl: "0", ...change });
}

/** A perp fill of this size at this price, from this position on. */
const bought = (size: Decimal, price: Decimal, startPosition: Decimal, more: Partial<FillRow> = {}) =>
  trade({ side: "buy", size, price, startPosition, ...more });
const sold = (size: Decimal, price: Decimal, startPosition: Decimal, more: Partial<FillRow> = {}) =>
  trade({ side: "sell", size, price, startPosition, ...more });

function ledger(type: string, delta: Record<string, unknown>, change: Partial<LedgerRow> = {}): LedgerRow {
  const raw = { time: T, hash: "0x1", delta: { type, ...delta } };
  return ledgerOf({ type, raw, digest: String(orderId++).padStart(16, "0"), ...change });
}

const TRADER = `0x${"c".repeat(40)}`;

/** Three hours of an account that trades, deposits and moves money, and its snapshot every ten minutes. */
async function simulatedCourse() {
  const user = TRADER;
  const other = `0x${"d".repeat(40)}`;
  const startMs = MIDNIGHT + 20 * HOUR;
  const venue = createVenue({
    seed: 7,
    startMs,
    activeAccounts: [
      {
        user,
        fillsPerSecond: 0.3,
        coins: ["BTC", "ETH", "SOL", "xyz:AAPL"],
        twapsPerHour: 2,
        depositUsd: "20000",
      },
    ],
  });
  const snapshot = () => snapshotOf(venue, user);
  const snapshots = [await snapshot()];
  const act = (action: JsonObject) => {
    const answer = venue.execute(user, action, { nonce: venue.nowMs });
    assert.equal((answer.body as JsonObject).status, "ok", JSON.stringify(answer.body));
  };
  venue.deposit(other, "1000");
  for (let step = 1; step <= 18; step++) {
    venue.advance(startMs + step * 600_000);
    if (step === 3) venue.deposit(user, "5000");
    if (step === 7)
      act({ type: "usdSend", destination: other, amount: "250", time: venue.nowMs } as JsonObject);
    if (step === 11)
      act({ type: "usdClassTransfer", amount: "1000", toPerp: false, nonce: venue.nowMs } as JsonObject);
    if (step === 14)
      act({ type: "usdClassTransfer", amount: "400", toPerp: true, nonce: venue.nowMs } as JsonObject);
    venue.advance(venue.nowMs + 1_000);
    snapshots.push(await snapshot());
  }
  return { startMs, truth: venue.truth(user), snapshots };
}
let course: ReturnType<typeof simulatedCourse> | undefined;

for (const kind of ["embedded", "real"] as const) {
  describe(`money views on the ${kind} server`, () => {
    const db = useDatabase("each", () => startServer(kind));

    const put = async (batch: Batch) => void (await db.store.apply(batch));
    const rows = (sql: string, params: unknown[] = []) =>
      db.database.query<Record<string, unknown>>(sql, params);

    it("names the market of every row beside its coin, and nothing where the venue named none", async () => {
      const market = {
        dex: null,
        base: "HYPE",
        quote: "USDC",
        sizeDecimals: 2,
        maxLeverage: null,
        marginTiers: null,
        collateralToken: null,
        isDelisted: false,
        settlement: null,
        asOfMs: T,
        raw: {},
      };
      await put({ markets: [{ coin: "@107", kind: "spot", name: "HYPE/USDC", ...market }] });
      await put({
        orderEvents: [orderEventOf({ coin: "@107", orderId: 1 }), orderEventOf({ coin: "@999", orderId: 2 })],
        fills: [bought("1", "40", "0", { coin: "@107" }), bought("1", "40", "0", { coin: "@999" })],
      });
      for (const view of ["hl_fill_pnl", "hl_net_pnl_daily_by_coin", "hl_net_pnl_by_coin", "hl_fees"])
        assert.deepEqual(await rows(`select coin, name from public.${view} order by coin`), [
          { coin: "@107", name: "HYPE/USDC" },
          { coin: "@999", name: null },
        ]);
      for (const twin of ["hl_fills_text", "hl_orders_text", "hl_order_events_text"])
        assert.deepEqual(await rows(`select coin, name from public.${twin} order by coin`), [
          { coin: "@107", name: "HYPE/USDC" },
          { coin: "@999", name: null },
        ]);
      assert.deepEqual(
        (await outboxOf(db.database)).map(({ type, data }) => [type, data.coin, data.name]),
        ["fill.created", "order.updated"].flatMap((type) => [
          [type, "@107", "HYPE/USDC"],
          [type, "@999", "@999"],
        ]),
      );
    });

    it("nets fees with their sign, the builder's inside, in USDC whatever they were charged in", async () => {
      await put({
        fills: [
          // Perp, taker with a builder: 0.026050 of which 0.016053 to the builder.
          sold("1", "100", "1", { closedPnl: "10", fee: "0.026050", builderFee: "0.016053" }),
          // Perp, maker rebate.
          bought("1", "100", "0", { fee: "-0.002", crossed: false }),
          // Spot buy: the fee is in the base token.
          bought("10", "40", "0", { coin: "@107", fee: "0.0035", feeToken: "HYPE" }),
          // Spot sell: the fee is in the quote.
          sold("5", "50", "9.9965", { coin: "@107", closedPnl: "49.92", fee: "0.0875" }),
          // HIP-3 with another dollar as collateral.
          sold("1", "100", "1", { coin: "hyna:BTC", closedPnl: "5", fee: "0.045", feeToken: "USDE" }),
          // A token that nothing here can price.
          sold("1", "100", "1", { coin: "ETH", closedPnl: "5", fee: "0.1", feeToken: "PURR" }),
          // 2023: no token.
          sold("1", "100", "1", { coin: "SOL", closedPnl: "1", fee: "0.05", feeToken: null }),
        ],
      });
      const found = await rows(
        `select coin, side, fee_basis, fee_usdc, builder_fee_usdc, net_pnl from hl_fill_pnl order by order_id`,
      );
      assert.deepEqual(
        found.map((row) => Object.values(row)),
        [
          ["BTC", "sell", "usdc", "0.02605", "0.016053", "9.97395"],
          ["BTC", "buy", "usdc", "-0.002", "0", "0.002"],
          ["@107", "buy", "base_at_fill_price", "0.14", "0", "-0.14"],
          ["@107", "sell", "usdc", "0.0875", "0", "49.8325"],
          ["hyna:BTC", "sell", "dollar_at_par", "0.045", "0", "4.955"],
          ["ETH", "sell", "unpriced", null, null, null],
          ["SOL", "sell", "usdc", "0.05", "0", "0.95"],
        ],
      );
      const [total] = await rows(
        `select sum(net_pnl)::text as net, sum(converted_fees)::text as converted, sum(unpriced_fees)::text as unpriced from hl_net_pnl_by_coin`,
      );
      // ETH counts with its closed PnL; its fee is not in the sum, and one column says so.
      assert.deepEqual(total, { net: "70.57345", converted: "2", unpriced: "1" });
      const [fees] = await rows(
        `select taker_fee_usdc, maker_fee_usdc, rebate_usdc, fee_usdc, fee_bps from hl_fees where coin = 'BTC'`,
      );
      assert.deepEqual(fees, {
        taker_fee_usdc: "0.02605",
        maker_fee_usdc: "-0.002",
        rebate_usdc: "-0.002",
        fee_usdc: "0.02405",
        fee_bps: "1.2025",
      });
    });

    it("adds funding, by UTC day and coin: closed PnL − fees + funding", async () => {
      await put({
        fills: [
          bought("1", "100", "0", { fee: "0.05", timeMs: MIDNIGHT - 1 }),
          sold("1", "110", "1", { closedPnl: "10", fee: "0.055", timeMs: MIDNIGHT }),
        ],
        funding: [
          fundingOf({ coin: "BTC", usdc: "-0.25", timeMs: MIDNIGHT - HOUR }),
          fundingOf({ coin: "BTC", usdc: "0.1", timeMs: MIDNIGHT + HOUR }),
          fundingOf({ coin: "ETH", usdc: "-3", timeMs: MIDNIGHT + HOUR }),
        ],
      });
      const daily = await rows(
        `select day::text, fills, volume, closed_pnl, fees, funding, net_pnl from hl_net_pnl_daily order by day`,
      );
      assert.deepEqual(
        daily.map((row) => Object.values(row)),
        [
          ["2026-09-24", 1, "100", "0", "0.05", "-0.25", "-0.3"],
          ["2026-09-25", 1, "110", "10", "0.055", "-2.9", "7.045"],
        ],
      );
      const coins = await rows(
        `select coin, net_pnl, first_day::text, last_day::text from hl_net_pnl_by_coin order by coin`,
      );
      assert.deepEqual(coins, [
        { coin: "BTC", net_pnl: "9.745", first_day: "2026-09-24", last_day: "2026-09-25" },
        { coin: "ETH", net_pnl: "-3", first_day: "2026-09-25", last_day: "2026-09-25" },
      ]);
      const funding = await rows(
        `select coin, payments, paid, received, funding from hl_funding_by_coin order by coin`,
      );
      assert.deepEqual(funding, [
        { coin: "BTC", payments: 2, paid: "0.25", received: "0.1", funding: "-0.15" },
        { coin: "ETH", payments: 1, paid: "3", received: "0", funding: "-3" },
      ]);
    });

    it("cuts the fills of a coin into round trips; a flip ends one and begins the next", async () => {
      await put({
        fills: [
          bought("1", "100", "0", { fee: "0.1", timeMs: T }),
          bought("1", "110", "1", { fee: "0.1", timeMs: T + 1_000 }),
          // Sells 3 while long 2: closes two thirds of itself, opens a short of 1.
          sold("3", "120", "2", { closedPnl: "30", fee: "0.3", timeMs: T + 2_000 }),
          bought("1", "125", "-1", { closedPnl: "-5", fee: "0.1", timeMs: T + 3_500 }),
          // Open to this day.
          bought("0.5", "130", "0", { fee: "0.05", timeMs: T + 9_000 }),
        ],
        funding: [
          fundingOf({ coin: "BTC", usdc: "-1", timeMs: T + 500 }),
          fundingOf({ coin: "BTC", usdc: "2", timeMs: T + 3_000 }),
          fundingOf({ coin: "BTC", usdc: "-7", timeMs: T + 5_000 }),
          fundingOf({ coin: "BTC", usdc: "-0.5", timeMs: T + HOUR }),
        ],
      });
      const trips = await rows(
        `select trip, side, seconds, fills, max_size, entry_price, exit_price, closed_pnl, fees, funding, net_pnl,
           closed_at is null as open, complete from hl_round_trips_text order by trip::int`,
      );
      const words = [
        "trip",
        "side",
        "seconds",
        "fills",
        "max",
        "entry",
        "exit",
        "pnl",
        "fees",
        "funding",
        "net",
        "open",
        "complete",
      ];
      assert.deepEqual(
        trips.map((row) => Object.values(row).map(String)),
        [
          ["1", "long", "2", "3", "2", "105", "120", "30", "0.4", "-1", "28.6", "false", "true"],
          ["2", "short", "1.5", "2", "1", "120", "125", "-5", "0.2", "2", "-3.2", "false", "true"],
          ["3", "long", "null", "1", "0.5", "130", "null", "0", "0.05", "-0.5", "-0.55", "true", "true"],
        ],
        words.join(" "),
      );
      const [statistics] = await rows(
        `select trades, wins, losses, win_rate_pct, average_win, average_loss, profit_factor, payoff_ratio, expectancy,
           best_trade, worst_trade, average_seconds, sharpe, max_drawdown from hl_statistics`,
      );
      assert.deepEqual(statistics, {
        trades: 2,
        wins: 1,
        losses: 1,
        win_rate_pct: "50",
        average_win: "28.6",
        average_loss: "-3.2",
        profit_factor: "8.9375",
        payoff_ratio: "8.9375",
        expectancy: "12.7",
        best_trade: "28.6",
        worst_trade: "-3.2",
        average_seconds: "1.75",
        sharpe: null,
        max_drawdown: null,
      });
    });

    it("orders the fills of one millisecond along their order, and tells broken or cut history", async () => {
      const sweep = { orderId: 5, side: "sell", price: "100", timeMs: T + 10 } as const;
      await put({
        fills: [
          // History begins in the middle: trip 0.
          sold("2", "90", "2", { closedPnl: "4" }),
          bought("3", "95", "0", { timeMs: T + 5 }),
          // One order, three makers, one millisecond, written in another order.
          trade({ ...sweep, tradeId: 9, size: "0.5", startPosition: "0.5", closedPnl: "2.5" }),
          trade({ ...sweep, tradeId: 7, size: "1", startPosition: "3", closedPnl: "5" }),
          trade({ ...sweep, tradeId: 8, size: "1.5", startPosition: "2", closedPnl: "7.5" }),
          // SOL: two orders in one millisecond, the later id first: out of the long, then into a new one.
          bought("5", "20", "0", { coin: "SOL", orderId: 1 }),
          sold("5", "21", "5", { coin: "SOL", orderId: 9, closedPnl: "5", timeMs: T + 2 }),
          bought("3", "21", "0", { coin: "SOL", orderId: 3, timeMs: T + 2 }),
          // ETH: a fill of 1 is missing between these.
          bought("1", "10", "0", { coin: "ETH" }),
          sold("2", "11", "2", { coin: "ETH", closedPnl: "2", timeMs: T + 1 }),
        ],
      });
      const trips = await rows(
        `select coin, trip::int as trip, fills::int as fills, closed_pnl, opened_at is null as cut, closed_at is null as open, complete
         from hl_round_trips order by coin, trip`,
      );
      assert.deepEqual(
        trips.map((row) => Object.values(row)),
        [
          ["BTC", 0, 1, "4", true, false, false],
          ["BTC", 1, 4, "15", false, false, true],
          ["ETH", 1, 2, "2", false, false, false],
          ["SOL", 1, 2, "5", false, false, true],
          ["SOL", 2, 1, "0", false, true, true],
        ],
      );
    });

    it("says nothing where nothing is defined", async () => {
      await put({ dashboard: [dashboardOf()] });
      const [row] = await rows(`select * from hl_statistics`);
      const defined = Object.entries(row!).filter(([, value]) => value !== null);
      assert.deepEqual(Object.fromEntries(defined), {
        account_address: ACCOUNT,
        fills: 0,
        volume: "0",
        closed_pnl: "0",
        fees: "0",
        funding: "0",
        net_pnl: "0",
        unpriced_fees: 0,
        trades: 0,
        wins: 0,
        losses: 0,
        days_with_return: 0,
        max_drawdown: "0",
        max_drawdown_pct: "0",
        profit: "0",
        since_day: new Date(MIDNIGHT).toISOString().slice(0, 10),
        ratios_reason: "fewer than two days have a return",
      });
      // Wins without losses: no profit factor, and no division by zero.
      await put({
        fills: [bought("1", "1", "0"), sold("1", "2", "1", { closedPnl: "1", timeMs: T + 1 })],
      });
      const [won] = await rows(
        `select win_rate_pct, profit_factor, payoff_ratio, average_loss from hl_statistics`,
      );
      assert.deepEqual(won, {
        win_rate_pct: "100",
        profit_factor: null,
        payoff_ratio: null,
        average_loss: null,
      });
    });

    it("gives each kind of transfer its effect on the perp side and on the spot side", async () => {
      const us = { user: ACCOUNT, destination: OTHER };
      const them = { user: OTHER, destination: ACCOUNT };
      const send = { token: "USDC", amount: "30", usdcValue: "30", fee: "0.0", feeToken: "" };
      const cases: [string, Record<string, unknown>, Decimal, Decimal][] = [
        ["deposit", { usdc: "100" }, "100", "0"],
        // The venue's usdc is what arrives: the fee comes on top of it.
        ["withdraw", { usdc: "99", fee: "1.0", nonce: 1 }, "-100", "0"],
        ["accountClassTransfer", { usdc: "5", toPerp: true }, "5", "-5"],
        ["accountClassTransfer", { usdc: "6", toPerp: false }, "-6", "6"],
        ["internalTransfer", { usdc: "10", ...us, fee: "1.0" }, "-11", "0"],
        ["internalTransfer", { usdc: "10", ...them, fee: "1.0" }, "10", "0"],
        ["subAccountTransfer", { usdc: "7", ...us }, "-7", "0"],
        [
          "spotTransfer",
          { token: "USDC", amount: "10.5", usdcValue: "10.5", ...us, fee: "1.0", feeToken: "" },
          "0",
          "-11.5",
        ],
        ["spotTransfer", { token: "HYPE", amount: "3", usdcValue: "120", ...them, fee: "0.0" }, "0", "0"],
        ["send", { ...send, ...us, sourceDex: "", destinationDex: "" }, "-30", "0"],
        ["send", { ...send, ...them, sourceDex: "spot", destinationDex: "xyz" }, "30", "0"],
        [
          "send",
          { ...send, user: ACCOUNT, destination: ACCOUNT, sourceDex: "", destinationDex: "xyz" },
          "0",
          "0",
        ],
        [
          "send",
          { ...send, user: ACCOUNT, destination: ACCOUNT, sourceDex: "spot", destinationDex: "" },
          "30",
          "-30",
        ],
        ["vaultDeposit", { vault: OTHER, usdc: "50" }, "-50", "0"],
        ["vaultDeposit", { vault: ACCOUNT, usdc: "50" }, "50", "0"],
        ["perpDexClassTransfer", { token: "USDC", amount: "8", dex: "xyz", toPerp: true }, "8", "-8"],
        [
          "vaultWithdraw",
          { vault: OTHER, user: ACCOUNT, requestedUsd: "20", netWithdrawnUsd: "18" },
          "18",
          "0",
        ],
        ["liquidation", { accountValue: "3", liquidatedPositions: [] }, "0", "0"],
        ["somethingNew", { usdc: "1" }, "0", "0"],
      ];
      await put({ ledger: cases.map(([type, delta], index) => ledger(type, delta, { timeMs: T + index })) });
      const flows = await rows(`select type, perp_usdc, spot_usdc from hl_flows order by ledger_time_ms`);
      assert.deepEqual(
        flows.map((row) => Object.values(row)),
        cases.map(([type, , perp, spot]) => [type, perp, spot]),
      );
    });

    it("takes deposits and withdrawals out of equity and drawdown", async () => {
      const at = (hours: number, accountValue: Decimal) =>
        dashboardOf({ asOfMs: MIDNIGHT + hours * HOUR, accountValue });
      const moved = (hours: number, type: string, delta: Record<string, unknown>) =>
        ledger(type, delta, { timeMs: MIDNIGHT + hours * HOUR });
      await put({
        dashboard: [
          at(0, "1000"),
          at(1, "1200"),
          at(2, "1100"),
          at(3, "3100"),
          at(4, "3000"),
          at(5, "1500"),
          at(26, "1800"),
        ],
        ledger: [
          moved(-5, "deposit", { usdc: "1000" }),
          moved(3, "deposit", { usdc: "2000" }),
          moved(4.5, "withdraw", { usdc: "1499", fee: "1.0" }),
          moved(4.6, "accountClassTransfer", { usdc: "0", toPerp: true }),
        ],
      });
      const equity = await rows(
        `select account_value, flow, net_flows, profit, peak_profit, drawdown, drawdown_pct from hl_equity order by as_of_ms`,
      );
      assert.deepEqual(
        equity.map((row) => Object.values(row)),
        [
          ["1000", "0", "0", "0", "0", "0", "0"],
          ["1200", "0", "0", "200", "200", "0", "0"],
          ["1100", "0", "0", "100", "200", "100", "8.333333"],
          // 2 000 came in; what was lost stays lost.
          ["3100", "2000", "2000", "100", "200", "100", "3.125"],
          ["3000", "0", "2000", "0", "200", "200", "6.25"],
          ["1500", "-1500", "500", "0", "200", "200", "11.764706"],
          ["1800", "0", "500", "300", "300", "0", "0"],
        ],
      );
      const daily = await rows(
        `select day::text, open_value, close_value, flow, pnl, return_pct, max_drawdown from hl_equity_daily order by day`,
      );
      assert.deepEqual(
        daily.map((row) => Object.values(row)),
        [
          ["2026-09-25", null, "1500", "500", "0", null, "200"],
          ["2026-09-26", "1500", "1800", "0", "300", "20", "0"],
        ],
      );
      // Of a period alone: the peak before it does not count.
      assert.equal(await db.store.drawdownPct(ACCOUNT, MIDNIGHT + 4 * HOUR), "0");
      assert.equal(await db.store.drawdownPct(ACCOUNT, MIDNIGHT + 30 * HOUR), null);
      const period = await rows(`select profit, drawdown from hl_equity_since($1, $2) order by as_of_ms`, [
        ACCOUNT,
        new Date(MIDNIGHT + 2 * HOUR).toISOString(),
      ]);
      assert.deepEqual(
        period.map((row) => Object.values(row)),
        [
          ["0", "0"],
          ["0", "0"],
          ["-100", "100"],
          ["-100", "100"],
          ["200", "0"],
        ],
      );
    });

    it("sees neither profit nor loss in a change of account mode, and counts what comes to spot in each", async () => {
      const at = (hours: number, accountValue: Decimal, netWorth: Decimal, accountMode: string) =>
        dashboardOf({ asOfMs: MIDNIGHT + hours * HOUR, accountValue, netWorth, accountMode });
      await put({
        dashboard: [
          at(0, "1000", "1000", "standard"),
          at(1, "1000", "1600", "standard"),
          at(2, "1600", "1600", "unified"),
          at(3, "1700", "1700", "unified"),
        ],
        ledger: [
          ledger(
            "spotTransfer",
            { token: "USDC", amount: "600", user: OTHER, destination: ACCOUNT, fee: "0.0" },
            { timeMs: MIDNIGHT + 0.5 * HOUR },
          ),
          ledger(
            "spotTransfer",
            { token: "USDC", amount: "90", user: OTHER, destination: ACCOUNT, fee: "0.0" },
            { timeMs: MIDNIGHT + 2.5 * HOUR },
          ),
        ],
      });
      const equity = await rows(`select flow, profit from hl_equity order by as_of_ms`);
      assert.deepEqual(
        equity.map((row) => Object.values(row)),
        [
          ["0", "0"],
          ["600", "0"],
          ["0", "0"],
          ["90", "10"],
        ],
      );
    });

    it("weighs the exposure against equity", async () => {
      await put({
        dashboard: [dashboardOf({ accountValue: "10000" })],
        positions: [
          positionOf({ coin: "BTC", szi: "0.3", positionValue: "30000" }),
          positionOf({ coin: "ETH", szi: "-4", positionValue: "10000" }),
          positionOf({ coin: "SOL", szi: "0", positionValue: "0" }),
        ],
      });
      assert.deepEqual(
        await rows(`select coin, signed_value, share_pct, leverage from hl_exposure order by coin`),
        [
          { coin: "BTC", signed_value: "30000", share_pct: "75", leverage: "3" },
          { coin: "ETH", signed_value: "-10000", share_pct: "25", leverage: "1" },
        ],
      );
      const [total] = await rows(
        `select positions, long_value, short_value, gross_value, net_value, gross_leverage, net_leverage from hl_exposure_total`,
      );
      assert.deepEqual(total, {
        positions: 2,
        long_value: "30000",
        short_value: "10000",
        gross_value: "40000",
        net_value: "20000",
        gross_leverage: "4",
        net_leverage: "2",
      });
    });

    it("calls the health of an old snapshot unknown while positions are open", async () => {
      await put({ dashboard: [dashboardOf({ healthScore: 80, healthStatus: "excellent" })] });
      const [old] = await rows(`select health_score, health_status, health_reason from hl_account_now`);
      assert.deepEqual(old, {
        health_score: null,
        health_status: "unknown",
        health_reason: "nothing came since 2026-09-25 18:17:36 UTC",
      });
    });

    const databaseMs = async () => {
      const [row] = await db.database.query<{ nowMs: number }>(
        `select (extract(epoch from now()) * 1000)::bigint as "nowMs"`,
      );
      return row!.nowMs;
    };
    const readAt = (receivedAtMs: number, dex = ""): Batch => ({
      states: [{ account: ACCOUNT, kind: "perp", dex, coins: null, asOfMs: receivedAtMs, receivedAtMs }],
    });
    const now = async () =>
      (await rows(`select health_score, health_status, is_fresh from hl_account_now`))[0];
    const known = { health_score: 80, health_status: "excellent", is_fresh: true };
    const unknown = { health_score: null, health_status: "unknown", is_fresh: false };

    it("rests the health on states that are fresh for the way the account is followed", async () => {
      const nowMs = await databaseMs();
      const scoredAt = (ageMs: number) => ({
        dashboard: [dashboardOf({ asOfMs: nowMs - ageMs, healthScore: 80, healthStatus: "excellent" })],
      });
      await put(scoredAt(50_000));
      assert.deepEqual(await now(), unknown, "no state was read at all");
      // Streamed: a snapshot is a minute old where nothing moves, its states are not.
      await put(readAt(nowMs - 40_000));
      assert.deepEqual(await now(), unknown);
      await put(readAt(nowMs - 10_000));
      assert.deepEqual(await now(), known);
      // Watched live, or so it was claimed, is not read.
      const streamed = { account: ACCOUNT, stream: "fills", grade: "streamed", reason: null } as const;
      await rows("delete from hl_internal.states");
      await put({ coverage: [{ ...streamed, fromMs: nowMs - 60_000, toMs: nowMs + 9e9 }] });
      assert.deepEqual(await now(), unknown);
      // Polled every minute: five minutes are normal.
      await put(readAt(nowMs - 200_000));
      assert.deepEqual(await now(), unknown);
      await db.store.noteFollowed(ACCOUNT, 60_000);
      assert.deepEqual(await now(), known);
      await rows("update hl_internal.states set read_at = now() - interval '301 seconds'");
      assert.deepEqual(await now(), unknown);
      await db.store.noteFollowed(ACCOUNT, 600_000);
      assert.deepEqual(await now(), known);
      await db.store.noteFollowed(ACCOUNT, null);
      // A clock that is wrong.
      await rows("update hl_internal.states set read_at = now() + interval '1 hour'");
      assert.deepEqual(await now(), unknown);
    });

    it("says unknown of a snapshot that stopped being written while states go on", async () => {
      const nowMs = await databaseMs();
      await put({ dashboard: [dashboardOf({ asOfMs: nowMs - 160_000, healthScore: 80 })], ...readAt(nowMs) });
      assert.deepEqual(await now(), { ...unknown, is_fresh: true });
    });

    it("takes the oldest state that open positions rest on", async () => {
      const nowMs = await databaseMs();
      const scored = dashboardOf({ asOfMs: nowMs, healthScore: 80, healthStatus: "excellent" });
      await put({
        dashboard: [scored],
        positions: [positionOf({ dex: "xyz", coin: "xyz:TSLA", asOfMs: nowMs })],
      });
      await put(readAt(nowMs, ""));
      await put(readAt(nowMs - 90_000, "xyz"));
      assert.deepEqual(await now(), unknown);
      await put(readAt(nowMs, "xyz"));
      await put(readAt(nowMs - 90_000, "old"));
      assert.deepEqual(await now(), known, "a dex that holds nothing is read now and then");
    });

    it("has the bounds that the process has", async () => {
      for (const pollMs of [null, 1, 15_000, 100_000, 100_001, 600_000, 86_400_000]) {
        const [row] = await db.database.query<{ ms: number }>(
          "select (extract(epoch from hl_internal.fresh_for($1::bigint)) * 1000)::bigint as ms",
          [pollMs],
        );
        assert.equal(row!.ms, boundsOf(pollMs).staleMs, `polled every ${pollMs}`);
      }
    });

    it("lets an unknown health win over a known one of the same snapshot, in any order", async () => {
      const known = dashboardOf({
        healthScore: 80,
        healthStatus: "excellent",
        healthComponents: { limiting: "margin" },
      });
      const unknown = dashboardOf({
        healthScore: null,
        healthStatus: "unknown",
        healthReason: "the state is 31 s old",
      });
      for (const order of [
        [known, unknown],
        [unknown, known],
        [known, unknown, known],
      ]) {
        await rows("delete from hl_dashboard");
        for (const row of order) await put({ dashboard: [row] });
        const [stored] = await rows(
          `select health_score, health_status, health_reason, account_value from hl_dashboard`,
        );
        assert.deepEqual(stored, {
          health_score: null,
          health_status: "unknown",
          health_reason: "the state is 31 s old",
          account_value: "38252.7",
        });
      }
    });

    it("has a twin of every view with decimals as text, every column described, read with the reader's rights", async () => {
      const [version] = await rows("select current_setting('server_version_num')::int as number");
      for (const view of MONEY_VIEWS) {
        const columns = (name: string) =>
          rows(
            `select attname, format_type(atttypid, null) as type, col_description(attrelid, attnum) as words
             from pg_attribute where attrelid = ('public.' || $1)::regclass and attnum > 0 order by attnum`,
            [name],
          );
        const own = await columns(view);
        const twin = await columns(`${view}_text`);
        assert.deepEqual(
          twin.map(({ attname }) => attname),
          own.map(({ attname }) => attname),
        );
        assert.deepEqual(
          [...own, ...twin].filter(({ words }) => !words),
          [],
          view,
        );
        assert.ok(!twin.some(({ type }) => type === "numeric"), `${view}_text has no numeric`);
        for (const name of [view, `${view}_text`]) {
          const [found] = await rows(
            `select reloptions::text as options from pg_class where oid = ('public.' || $1)::regclass`,
            [name],
          );
          if (Number(version!.number) >= 150_000)
            assert.match(String(found!.options), /security_invoker=true/);
        }
      }
    });

    it("agrees with the simulator: net PnL + flows = change of equity − change of unrealized", async () => {
      // The same for both servers.
      course ??= simulatedCourse();
      const { startMs, truth, snapshots } = await course;
      const origin: Origin = { account: TRADER, source: "backfill", seenAtMs: startMs };
      const read = (row: Json) => ({ value: row as never, raw: row });
      const slices = truth.twapSliceFills.map(({ fill }) => fillRow(origin, read(fill)));
      await put({ fills: [...truth.fills.map((row) => fillRow(origin, read(row))), ...slices] });
      await put({
        funding: truth.funding.map((row) => fundingRow(origin, read(row))),
        ledger: truth.ledger.map((row) => ledgerRow(origin, read(row))),
        dashboard: snapshots,
      });
      const checks = await rows(
        `select e.as_of_ms, e.profit - (e.unrealized_pnl - first_value(e.unrealized_pnl) over (order by e.as_of_ms)) as realized,
           (select coalesce(sum(net_pnl), 0) from hl_fill_pnl f where f.account_address = e.account_address
              and f.fill_time_ms > s.start_ms and f.fill_time_ms <= e.as_of_ms)
           + (select coalesce(sum(usdc), 0) from hl_funding x where x.account_address = e.account_address
              and x.funding_time_ms > s.start_ms and x.funding_time_ms <= e.as_of_ms) as net
         from hl_equity e cross join (select min(as_of_ms) as start_ms from hl_dashboard) s order by e.as_of_ms`,
      );
      assert.equal(checks.length, 19);
      assert.ok(truth.fills.length > 1_000 && truth.funding.length > 0);
      for (const { as_of_ms, realized, net } of checks) {
        const off = Number(sub(String(realized), String(net)));
        assert.ok(Math.abs(off) < 0.001, `off by ${off} at ${as_of_ms}`);
      }
      // The views agree with each other and with plain addition.
      const plain = sum([
        ...[...truth.fills, ...truth.twapSliceFills.map(({ fill }) => fill)].map((fill) =>
          sub(String(fill.closedPnl), String(fill.fee)),
        ),
        ...truth.funding.map(({ usdc }) => String(usdc)),
      ]);
      for (const view of ["hl_net_pnl_daily", "hl_net_pnl_by_coin", "hl_net_pnl_daily_by_coin"]) {
        const [row] = await rows(`select trim_scale(sum(net_pnl)) as net from ${view}`);
        assert.equal(row!.net, plain);
      }
      const [trips] = await rows(
        `select trim_scale(sum(closed_pnl)) as pnl, bool_and(complete) as complete from hl_round_trips`,
      );
      assert.equal(
        trips!.pnl,
        sum(
          [...truth.fills, ...truth.twapSliceFills.map(({ fill }) => fill)].map((fill) =>
            String(fill.closedPnl),
          ),
        ),
      );
      assert.equal(trips!.complete, true);
      assert.equal(add(plain, neg(plain)), "0");
    });
  });
}
