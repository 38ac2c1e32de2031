/** What round trips come to, held against a computation of its own in the test. */
import assert from "node:assert/strict";
import { beforeEach, it } from "node:test";
import { seededRandom } from "../../src/runtime/random.ts";
import type { Batch, CandleRow, FillRow } from "../../src/sync/rows.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, dashboardOf, fillOf, fundingOf, T } from "./rows.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const MIDNIGHT = T - (T % DAY);

const db = useDatabase("each");
beforeEach(() => db.store.openAccount(ACCOUNT, null, 0));
const put = (batch: Batch) => db.store.apply(batch);
const rows = (sql: string, params: unknown[] = []) => db.database.query<Record<string, unknown>>(sql, params);

let id = 0;
const fill = (
  coin: string,
  timeMs: number,
  side: "buy" | "sell",
  size: number,
  price: number,
  start: number,
  closedPnl = 0,
  fee = 0,
): FillRow => {
  id += 1;
  return fillOf({
    coin,
    timeMs,
    side,
    size: `${size}`,
    price: `${price}`,
    value: `${size * price}`,
    orderId: id,
    tradeId: id,
    startPosition: `${start}`,
    closedPnl: `${closedPnl}`,
    fee: `${fee}`,
    hash: null,
  });
};

interface Trip {
  coin: string;
  side: "long" | "short";
  openMs: number;
  closeMs: number;
  pnl: number;
  fees: number;
  funding: number;
}

/** Trips of three coins beside each other, each coin flat between two of them. Amounts are whole cents. */
function trips(seed: string): Trip[] {
  const random = seededRandom(seed);
  const pick = (n: number) => Math.floor(random.next() * n);
  return ["BTC", "ETH", "xyz:AAPL"].flatMap((coin) => {
    let atMs = MIDNIGHT - 40 * DAY + pick(DAY);
    return Array.from({ length: 25 }, (): Trip => {
      const openMs = atMs + MINUTE + pick(DAY);
      const closeMs = openMs + 1 + pick(2 * DAY);
      atMs = closeMs;
      const pnl = [-3, -1.25, 0, 0.5, 2, 7][pick(6)]!;
      const side = pick(2) === 0 ? "long" : "short";
      return {
        coin,
        side,
        openMs,
        closeMs,
        pnl,
        fees: [0, 0.25][pick(2)]!,
        funding: [0, -0.5, 0.75][pick(3)]!,
      };
    });
  });
}

const asBatch = (all: readonly Trip[]): Batch => ({
  fills: all.flatMap(({ coin, side, openMs, closeMs, pnl, fees }) => {
    const [first, second] = side === "long" ? (["buy", "sell"] as const) : (["sell", "buy"] as const);
    const held = side === "long" ? 2 : -2;
    return [fill(coin, openMs, first, 2, 100, 0, 0, fees), fill(coin, closeMs, second, 2, 100, held, pnl, 0)];
  }),
  funding: all.flatMap(({ coin, closeMs, funding }) =>
    funding === 0 ? [] : [fundingOf({ coin, timeMs: closeMs, usdc: `${funding}` })],
  ),
});

const round = (value: number | null, places: number): number | null =>
  value === null || !Number.isFinite(value) ? null : Number(value.toFixed(places));

/** Length of the longest run of `isOne` in the order of the ends. */
function streak(all: readonly number[], isOne: (net: number) => boolean): number {
  let [best, run] = [0, 0];
  for (const net of all) {
    run = isOne(net) ? run + 1 : 0;
    best = Math.max(best, run);
  }
  return best;
}

/** Milliseconds in which at least one is open, one after the other. */
function held(all: readonly Trip[]): number {
  let [sum, untilMs] = [0, Number.NEGATIVE_INFINITY];
  for (const { openMs, closeMs } of [...all].sort((a, b) => a.openMs - b.openMs)) {
    sum += Math.max(0, closeMs - Math.max(openMs, untilMs));
    untilMs = Math.max(untilMs, closeMs);
  }
  return sum;
}

function expected(all: readonly Trip[], whole: readonly Trip[], isBusy: boolean) {
  const nets = [...all]
    .sort((a, b) => a.closeMs - b.closeMs)
    .map(({ pnl, fees, funding }) => pnl - fees + funding);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const [wins, losses] = [nets.filter((net) => net > 0), nets.filter((net) => net < 0)];
  const mean = (values: readonly number[]) => (values.length === 0 ? null : sum(values) / values.length);
  const spanMs =
    Math.max(...whole.map(({ closeMs }) => closeMs)) - Math.min(...whole.map(({ openMs }) => openMs));
  const ratio = (a: number | null, b: number | null) => (a === null || b === null || b === 0 ? null : a / -b);
  return {
    trades: nets.length,
    wins: wins.length,
    losses: losses.length,
    win_rate_pct: round((100 * wins.length) / nets.length, 4),
    profit_factor: round(ratio(wins.length ? sum(wins) : null, losses.length ? sum(losses) : null), 6),
    payoff_ratio: round(ratio(mean(wins), mean(losses)), 6),
    expectancy: round(mean(nets), 6),
    net_pnl: round(sum(nets), 6),
    fees: sum(all.map(({ fees }) => fees)),
    funding: sum(all.map(({ funding }) => funding)),
    best_trade: Math.max(...nets),
    worst_trade: Math.min(...nets),
    average_seconds: Math.round(mean(all.map(({ openMs, closeMs }) => closeMs - openMs))!) / 1000,
    win_streak: streak(nets, (net) => net > 0),
    loss_streak: streak(nets, (net) => net < 0),
    in_market_pct: isBusy ? round((100 * held(all)) / spanMs, 4) : null,
  };
}

const GROUPS: Record<string, (trip: Trip) => string> = {
  all: () => "",
  coin: ({ coin }) => coin,
  side: ({ side }) => side,
  weekday: ({ closeMs }) => `${new Date(closeMs).getUTCDay() || 7}`,
  day: ({ closeMs }) => new Date(closeMs).toISOString().slice(0, 10),
  week: ({ closeMs }) =>
    new Date(closeMs - ((new Date(closeMs).getUTCDay() + 6) % 7) * DAY).toISOString().slice(0, 10),
  month: ({ closeMs }) => new Date(closeMs).toISOString().slice(0, 7),
};

for (const seed of ["one", "two", "three"])
  it(`are what they come to, whole and by every group (${seed})`, async () => {
    const all = trips(seed);
    // Open now, and open before anything is known: neither is a trade.
    const open = fill("SOL", MIDNIGHT, "buy", 1, 10, 0);
    const cut = fill("AVAX", MIDNIGHT, "sell", 1, 10, 1, 50);
    await put(asBatch(all));
    await put({ fills: [open, cut] });
    const stored = await rows("select * from hl_trade_statistics($1, '-infinity')", [ACCOUNT]);
    const found = new Map(stored.map((row) => [`${row.by} ${row.key}`, row]));
    let groups = 0;
    for (const [by, keyOf] of Object.entries(GROUPS))
      for (const [key, some] of Map.groupBy(all, keyOf)) {
        groups += 1;
        const row = found.get(`${by} ${key}`)!;
        const wanted = expected(some, all, by === "all" || by === "coin" || by === "side");
        const told = Object.fromEntries(
          Object.keys(wanted).map((name) => [name, row[name] === null ? null : Number(row[name])]),
        );
        assert.deepEqual(told, wanted, `${by} ${key}`);
      }
    assert.equal(stored.length, groups);
  });

it("counts only what began within the time that is asked for", async () => {
  const all = trips("since");
  await put(asBatch(all));
  const sinceMs = MIDNIGHT - 20 * DAY;
  const [row] = await rows(
    "select trades, win_streak from hl_trade_statistics($1, to_timestamp($2::bigint / 1000.0)) where by = 'all'",
    [ACCOUNT, sinceMs],
  );
  const inside = all.filter(({ openMs }) => openMs >= sinceMs);
  const wanted = expected(inside, inside, true);
  assert.deepEqual(row, { trades: wanted.trades, win_streak: wanted.win_streak });
});

it("tells how far the price went against a trip and for it, from the candles inside it, or why not", async () => {
  const candle = (interval: string, length: number, at: number, low: string, high: string): CandleRow => ({
    coin: "BTC",
    interval,
    openTimeMs: T + at * length,
    closeTimeMs: T + (at + 1) * length - 1,
    open: "100",
    high,
    low,
    close: "100",
    volume: "1",
    trades: 1,
    asOfMs: T,
  });
  const end = T + 5 * MINUTE + 10;
  await put({
    fills: [
      ...[fill("BTC", T, "buy", 1, 100, 0), fill("BTC", end, "sell", 1, 103, 1, 3)],
      // A short of the same time in a coin without candles, and one shorter than a candle.
      ...[fill("ETH", T, "sell", 1, 100, 0), fill("ETH", end, "buy", 1, 90, -1, 10)],
      ...[fill("BTC", end + 1, "sell", 1, 100, 0), fill("BTC", end + 500, "buy", 1, 101, -1, -1)],
    ],
    candles: [
      ...[0, 1, 2, 3, 4].map((at) =>
        candle("1m", MINUTE, at, at === 2 ? "94" : "99", at === 3 ? "107" : "101"),
      ),
      // Begins inside and ends after: what it saw may have been later.
      candle("1m", MINUTE, 5, "1", "900"),
      candle("5m", 5 * MINUTE, 0, "50", "200"),
    ],
  });
  const told = await rows(
    `select coin, side, mae_pct, mfe_pct, excursion_reason as reason, seconds
     from hl_round_trips_since($1, '-infinity') order by coin, opened_ms`,
    [ACCOUNT],
  );
  assert.deepEqual(told, [
    { coin: "BTC", side: "long", mae_pct: "6", mfe_pct: "7", reason: null, seconds: "300.01" },
    {
      coin: "BTC",
      side: "short",
      mae_pct: null,
      mfe_pct: null,
      reason: "no stored candles cover it",
      seconds: "0.499",
    },
    {
      coin: "ETH",
      side: "short",
      mae_pct: null,
      mfe_pct: null,
      reason: "no stored candles cover it",
      seconds: "300.01",
    },
  ]);
  await db.database.query("delete from hl_candles where interval = '1m' and open_time_ms = $1", [
    T + 2 * MINUTE,
  ]);
  await db.database.query("delete from hl_candles where interval = '1m' and open_time_ms = $1", [T + MINUTE]);
  const [coarse] = await rows(
    `select mae_pct, mfe_pct from hl_round_trips_since($1, '-infinity') where coin = 'BTC' order by opened_ms limit 1`,
    [ACCOUNT],
  );
  assert.deepEqual(
    coarse,
    { mae_pct: "50", mfe_pct: "100" },
    "minutes with a hole give way to what covers it",
  );
});

it("mirrors the excursions of a short", async () => {
  const at = (n: number, low: string, high: string): CandleRow => ({
    coin: "BTC",
    interval: "1m",
    openTimeMs: T + n * MINUTE,
    closeTimeMs: T + (n + 1) * MINUTE - 1,
    open: "200",
    high,
    low,
    close: "200",
    volume: "1",
    trades: 1,
    asOfMs: T,
  });
  await put({
    fills: [fill("BTC", T, "sell", 1, 200, 0), fill("BTC", T + 2 * MINUTE, "buy", 1, 190, -1, 10)],
    candles: [at(0, "195", "210"), at(1, "198", "199")],
  });
  const [row] = await rows(`select mae_pct, mfe_pct from hl_round_trips_since($1, '-infinity')`, [ACCOUNT]);
  assert.deepEqual(row, { mae_pct: "5", mfe_pct: "5" }, "the price that it was closed at counts too");
});

it("gives the ratios of daily returns and the dates of the deepest drawdown, or why not", async () => {
  const worth = [1_000, 1_100, 1_210, 1_089, 980.1, 1_078.11, 1_400];
  const shot = (day: number) =>
    dashboardOf({
      asOfMs: MIDNIGHT + day * DAY + 5_000,
      accountValue: `${worth[day]}`,
      netWorth: `${worth[day]}`,
      netWorthParts: null,
      accountMode: "standard",
    });
  const statistics = () =>
    rows(
      `select days_with_return as days, sortino, calmar, sharpe, drawdown_peak_day::text as peak,
         drawdown_trough_day::text as trough, since_day::text as since, max_drawdown as drawdown, ratios_reason as reason
       from hl_statistics`,
    ).then(([row]) => row!);
  await put({ dashboard: [shot(0)] });
  assert.deepEqual(
    [(await statistics()).sortino, (await statistics()).reason],
    [null, "fewer than two days have a return"],
  );
  await put({ dashboard: worth.map((_, day) => shot(day)) });
  const told = await statistics();
  const returns = worth.slice(1).map((value, n) => (100 * (value - worth[n]!)) / worth[n]!);
  const mean = returns.reduce((sum, value) => sum + value, 0) / returns.length;
  const downside = Math.sqrt(
    returns.reduce((sum, value) => sum + Math.min(value, 0) ** 2, 0) / returns.length,
  );
  const day = (n: number) => new Date(MIDNIGHT + n * DAY).toISOString().slice(0, 10);
  assert.equal(told.days, 6);
  assert.ok(Math.abs(Number(told.sortino) - (Math.sqrt(365) * mean) / downside) < 1e-3);
  // From 1210 down to 980.1: 229.9 of 1210 = 19 %.
  assert.equal(told.drawdown, "229.9");
  assert.ok(Math.abs(Number(told.calmar) - (365 * mean) / 19) < 1e-2);
  assert.deepEqual([told.peak, told.trough, told.since, told.reason], [day(2), day(4), day(0), null]);
});
