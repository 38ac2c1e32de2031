/**
 * One market on candles: the account's fills, its position and its orders. Guarantees: the market changes only when the
 * reader changes it; all fills of the candles that are here are marked, not only those that other views have read.
 */
import { useEffect, useMemo, useState } from "preact/hooks";
import { type Candle, CandleChart, type FillMark, type Level } from "./candles.tsx";
import { isDecimal, sign, toNumber } from "./decimal.ts";
import { useAnswer } from "./fetching.ts";
import { exact, stamp, usd } from "./format.ts";
import type { Model, Row } from "./model.ts";
import { Choice, Panel } from "./panel.tsx";
import { remembered } from "./settings.ts";

const INTERVALS = { "1m": "1m", "5m": "5m", "15m": "15m", "1h": "1h", "4h": "4h", "1d": "1d" };
/** Candles that are asked for: more when the reader comes to the oldest. The venue serves 5000. */
const COUNTS = [300, 1_500, 5_000];
const FILLS_MAX = 5_000;

export function MarketPanel({ model, load }: { model: Model; load(name: "fills"): void }) {
  const [picked, setPicked] = remembered("market.coin", null as string | null);
  const [interval, setInterval] = remembered("market.interval", "1h" as keyof typeof INTERVALS);
  const coins = useCoins(model);
  // The first one that is shown stays, though another position becomes the largest.
  const [first, setFirst] = useState(null as string | null);
  useEffect(() => {
    if (first === null || !coins.includes(first)) setFirst(coins[0] ?? null);
  }, [coins]);
  useEffect(() => load("fills"));
  const coin = picked !== null && coins.includes(picked) ? picked : first;
  const chooser = (
    <select aria-label="Market" value={coin ?? ""} onChange={(event) => setPicked(event.currentTarget.value)}>
      {coins.map((name) => (
        <option key={name} value={name}>
          {nameOf(model, name)}
        </option>
      ))}
    </select>
  );
  return (
    <Panel
      title={coin ? `${nameOf(model, coin)} with your fills` : "Market"}
      tools={[
        chooser,
        <Choice label="Interval" choices={INTERVALS} chosen={interval} choose={setInterval} />,
      ]}
    >
      {coin === null ? (
        <p class="empty">No market traded yet</p>
      ) : (
        <Market key={`${model.account} ${coin} ${interval}`} {...{ model, coin, interval }} />
      )}
    </Panel>
  );
}

/** Markets with a position, an order or a recent fill. */
const useCoins = (model: Model): string[] =>
  useMemo(
    () => [
      ...new Set([
        ...model.positions.map(({ coin }) => coin),
        ...model.openOrders.map(({ coin }) => coin),
        ...model.lists.fills.rows.slice(0, 200).map(({ coin }) => coin),
      ]),
    ],
    [model.positions, model.openOrders, model.lists.fills.rows],
  );

/** `HYPE/USDC` for `@107`, where a row names it. */
function nameOf(model: Model, coin: string): string {
  const rows = [model.positions, model.openOrders, model.lists.fills.rows.slice(0, 200)];
  return rows.flat().find((row) => row.coin === coin && row.name)?.name ?? coin;
}

function Market({ model, coin, interval }: { model: Model; coin: string; interval: string }) {
  const [grown, setGrown] = useState(0);
  const { data, error } = useAnswer("/api/candles", { coin, interval, count: COUNTS[grown] }, 20_000);
  const [known, setKnown] = useState([] as Candle[]);
  useEffect(() => {
    if (data) setKnown(data.rows);
  }, [data]);
  const oldest = known[0]?.[0] ?? null;
  const { data: answer } = useAnswer(
    oldest === null ? null : "/api/fills",
    { account: model.account, coin, from: oldest, limit: FILLS_MAX },
    20_000,
  );
  const fills = useMemo(
    () => marksOf([...(answer?.rows ?? []), ...model.lists.fills.rows], coin),
    [answer, model.lists.fills.rows, coin],
  );
  if (known.length < 2) {
    if (error && !data) return <p class="empty">{error}</p>;
    return <p class="empty">{data ? `The venue has no candles of ${coin} in this interval` : "Reading…"}</p>;
  }
  return (
    <>
      <CandleChart
        {...{ coin, interval, fills }}
        candles={known}
        levels={levelsOf(model, coin)}
        onOlder={() => {
          // What is asked for has to be here first.
          if (data && known.length >= COUNTS[grown] - 1 && grown < COUNTS.length - 1) setGrown(grown + 1);
        }}
      />
      <p class="attribution">
        Candles by{" "}
        <a href="https://www.tradingview.com/" rel="noreferrer noopener" target="_blank">
          TradingView Lightweight Charts
        </a>
      </p>
    </>
  );
}

function marksOf(rows: readonly Row[], coin: string): FillMark[] {
  const known = new Map<string, FillMark>();
  for (const row of rows) {
    if (row.coin !== coin) continue;
    known.set(`${row.fill_time_ms}:${row.order_id}:${row.trade_id}:${row.side}`, {
      x: row.fill_time_ms,
      up: row.side === "buy",
      text: `${row.side} ${exact(row.size)} at ${exact(row.price)}, ${stamp(row.fill_time_ms)} UTC`,
    });
  }
  return [...known.values()].sort((a, b) => b.x - a.x);
}

function levelsOf(model: Model, coin: string): Level[] {
  const position = model.positions.find((row) => row.coin === coin);
  const level = (price: unknown, words: string, tone: Level["tone"], text = exact(price)): Level[] =>
    isDecimal(price) && sign(price) > 0 ? [{ at: toNumber(price), words, price: text, tone }] : [];
  return [
    ...level(position?.entry_price, "entry", "entry"),
    ...level(position?.liquidation_price, "liquidation", "liquidation", usd(position?.liquidation_price)),
    ...level(position?.mark_price, "mark", "mark"),
    ...model.openOrders
      .filter((order) => order.coin === coin)
      .flatMap((order) => {
        const trigger = level(order.trigger_price, orderWords(order), "order");
        return trigger.length > 0 ? trigger : level(order.limit_price, orderWords(order), "order");
      }),
  ];
}

const orderWords = ({ order_type, side, size }: Row): string =>
  /^Take Profit/.test(order_type ?? "")
    ? "TP"
    : /^Stop/.test(order_type ?? "")
      ? "SL"
      : `${side} ${exact(size)}`;
