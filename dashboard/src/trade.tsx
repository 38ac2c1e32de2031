/**
 * One round trip: what it came to, and its fills and orders on the candles of its time. Guarantees: it is found by its
 * market and a moment in it, so a link lasts; where the database holds no candles of the time, how far the price went is
 * read from those that are drawn, and said so.
 */
import { useEffect, useMemo, useState } from "preact/hooks";
import { type Candle, CandleChart, type Level } from "./candles.tsx";
import { sideCell, signedCell } from "./cells.tsx";
import { compare, isDecimal, multiply, sign, subtract, toNumber } from "./decimal.ts";
import { useAnswer } from "./fetching.ts";
import { age, direction, exact, percent, signed, stamp, usd } from "./format.ts";
import { levelAt, markOf } from "./market.tsx";
import { LISTS, type Model, type Row, serverNow } from "./model.ts";
import { DataTable } from "./table.tsx";
import { FILLS, ORDER_HISTORY } from "./tables.tsx";
import { tile } from "./tile.tsx";
import { averagePrice } from "./tradeTables.tsx";
import { ZONE_WORD } from "./zone.ts";

const AGAIN_MS = 15_000;
const PAGE = 5_000;
/** Candles that the venue serves, from the finest on. */
const INTERVALS: [string, number][] = [
  ["1m", 60_000],
  ["5m", 300_000],
  ["15m", 900_000],
  ["1h", 3_600_000],
  ["4h", 14_400_000],
  ["1d", 86_400_000],
];
/** About so many candles lie within the trade, and a quarter of it before and behind. */
const WITHIN = 200;
const LEAST_MARGIN = 20;
/** The venue keeps this many of each interval: older ones are coarser. */
const SERVED = 5_000;

export function Trade({ model, query }: { model: Model; query: URLSearchParams }) {
  const coin = query.get("coin") ?? "";
  const at = Number(query.get("at")) || null;
  const account = model.account;
  const asks = account !== null && coin !== "" && at !== null;
  const { data, error } = useAnswer(asks ? "/api/trade" : null, { account, coin, at }, AGAIN_MS);
  const trip: Row | null = data?.row ?? null;
  const span = trip && {
    account,
    coin,
    from: trip.opened_ms,
    limit: PAGE,
    before: trip.closed_ms && trip.closed_ms + 1,
  };
  const fills: Row[] = useAnswer(span && "/api/fills", span ?? {}, AGAIN_MS).data?.rows ?? NO_ROWS;
  const orders: Row[] = useAnswer(span && "/api/orders/history", span ?? {}, AGAIN_MS).data?.rows ?? NO_ROWS;
  const open = trip?.closed_ms === null ? model.openOrders.filter((order) => order.coin === coin) : NO_ROWS;
  const candles = useCandles(trip, serverNow(model));
  if (coin === "" || at === null)
    return <p class="empty">Which trade is meant? Open one from the round trips of Statistics.</p>;
  if (trip === null)
    return <p class="empty">{error ?? (data ? `No trade of ${coin} is known at that time` : "Reading…")}</p>;
  const name = trip.name ?? coin;
  return (
    <div class="overview trade">
      <div class="page-head">
        <h1>
          {`${name} `}
          {sideCell(trip.side)}
        </h1>
        <span class="note">
          {`${stamp(trip.opened_ms)} to ${trip.closed_ms ? stamp(trip.closed_ms) : "now"} ${ZONE_WORD}`}
        </span>
        <span class="spring" />
        <a class="button" href="#statistics">
          All trades
        </a>
      </div>
      <TradeCards trip={trip} candles={candles?.rows ?? null} />
      <section class="panel" aria-label={`${name} with the fills of the trade`}>
        {candles === null || candles.rows.length < 2 ? (
          <p class="empty">
            {candles?.error ?? (candles ? "The venue has no candles of that time" : "Reading…")}
          </p>
        ) : (
          <CandleChart
            coin={name}
            interval={`${candles.interval} ${trip.opened_ms}`}
            candles={candles.rows}
            fills={fills.map(markOf)}
            levels={levelsOf(trip, open)}
            onOlder={() => {}}
            isWhole
          />
        )}
      </section>
      <DataTable
        name="tradeFills"
        title="Fills"
        rows={fills}
        columns={FILLS}
        rowKey={LISTS.fills.key}
        fits={fills.length < FITS}
        empty="Reading…"
      />
      <DataTable
        name="tradeOrders"
        title="Orders that ended in it"
        rows={orders}
        columns={ORDER_HISTORY}
        rowKey={LISTS.orderHistory.key}
        fits={orders.length < FITS}
        empty="No order of this market ended in this time"
      />
    </div>
  );
}

const NO_ROWS: Row[] = [];
const FITS = 60;

/** The interval whose candles show a trade, and how many of them up to when. */
export function candlesOf(openedMs: number, closedMs: number | null, nowMs: number) {
  const lengthMs = (closedMs ?? nowMs) - openedMs;
  const [interval, stepMs] =
    INTERVALS.find(([, ms]) => lengthMs / ms <= WITHIN && (nowMs - openedMs) / ms < SERVED) ??
    INTERVALS.at(-1)!;
  const margin = Math.max(LEAST_MARGIN, Math.ceil(lengthMs / stepMs / 4));
  const toMs = closedMs === null ? null : Math.min(nowMs, (Math.floor(closedMs / stepMs) + margin) * stepMs);
  const count = Math.min(SERVED, Math.ceil(((toMs ?? nowMs) - openedMs) / stepMs) + margin);
  return { interval, to: toMs, count };
}

function useCandles(trip: Row | null, nowMs: number) {
  // Cut to the hour: the same question is asked for a while.
  const hour = Math.floor(nowMs / 3_600_000) * 3_600_000;
  const asked = useMemo(
    () => trip && candlesOf(trip.opened_ms, trip.closed_ms, hour),
    [trip?.opened_ms, trip?.closed_ms, hour],
  );
  const { data, error } = useAnswer(
    asked && "/api/candles",
    {
      coin: trip?.coin ?? null,
      interval: asked?.interval ?? null,
      count: asked?.count ?? null,
      to: asked?.to ?? null,
    },
    trip?.closed_ms ? 300_000 : 20_000,
  );
  const [kept, setKept] = useState(null as { interval: string; rows: Candle[]; error: string | null } | null);
  useEffect(() => {
    if (asked && data) setKept({ interval: asked.interval, rows: data.rows, error: null });
    else if (asked && error) setKept((known) => known ?? { interval: asked.interval, rows: [], error });
  }, [data, error]);
  return kept;
}

/** How far the price went against a trade and for it, by the candles that lie wholly in it; null without any. */
export function excursionOf(trip: Row, candles: Candle[]): { mae: string; mfe: string } | null {
  if (candles.length < 2 || !isDecimal(trip.entry_price) || sign(trip.entry_price) === 0) return null;
  const step = candles[1][0] - candles[0][0];
  const last = trip.closed_ms ?? Number.POSITIVE_INFINITY;
  const inside = candles.filter(([ms]) => ms >= trip.opened_ms && ms + step <= last);
  if (inside.length === 0) return null;
  const prices = [trip.entry_price, ...(isDecimal(trip.exit_price) ? [trip.exit_price] : [])];
  const lowest = [...prices, ...inside.map((candle) => candle[3])].reduce((a, b) =>
    compare(a, b) < 0 ? a : b,
  );
  const highest = [...prices, ...inside.map((candle) => candle[2])].reduce((a, b) =>
    compare(a, b) > 0 ? a : b,
  );
  const away = (price: string) => {
    const moved = toNumber(multiply(subtract(price, trip.entry_price), "100")) / toNumber(trip.entry_price);
    return Math.abs(moved).toFixed(4);
  };
  return trip.side === "long"
    ? { mae: away(lowest), mfe: away(highest) }
    : { mae: away(highest), mfe: away(lowest) };
}

function TradeCards({ trip, candles }: { trip: Row; candles: Candle[] | null }) {
  const seen = trip.mae_pct === null && candles ? excursionOf(trip, candles) : null;
  const by = seen ? "by the candles below" : (trip.excursion_reason ?? "by the stored candles");
  const cards = [
    [
      "trade_net",
      "Net PnL",
      <span class={direction(trip.net_pnl)}>{signed(trip.net_pnl)}</span>,
      `gross ${signed(trip.closed_pnl)}`,
    ],
    ["trade_costs", "Fees", usd(trip.fees), ["funding ", signedCell(trip.funding)]],
    ["trade_size", "Largest size", exact(trip.max_size), `${trip.fills} fills`],
    ["trade_entry", "Entry", averagePrice(trip.entry_price), `exit ${averagePrice(trip.exit_price)}`],
    [
      "trade_held",
      "Held",
      trip.seconds === null ? "open" : age(Number(trip.seconds) * 1000),
      trip.liquidated ? "✕ liquidated" : trip.complete ? "complete" : "▲ its fills do not chain",
    ],
    ["trade_mae", "Went against it", percent(trip.mae_pct ?? seen?.mae), `MAE ${by}`],
    ["trade_mfe", "Went for it", percent(trip.mfe_pct ?? seen?.mfe), `MFE ${by}`],
  ] as const;
  return (
    <dl class="tiles trade-cards">{cards.map(([id, title, value, note]) => tile(id, title, value, note))}</dl>
  );
}

function levelsOf(trip: Row, open: Row[]): Level[] {
  return [
    ...levelAt(trip.entry_price, "entry", "entry", averagePrice(trip.entry_price)),
    ...levelAt(trip.exit_price, "exit", "mark", averagePrice(trip.exit_price)),
    ...open.flatMap((order) => {
      const price = sign(order.trigger_price ?? "0") > 0 ? order.trigger_price : order.limit_price;
      return levelAt(price, order.order_type ?? order.side, "order", averagePrice(price));
    }),
  ];
}
