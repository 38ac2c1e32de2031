/**
 * One market on candles: the account's fills, its position and its orders. Guarantees: the market changes only when the
 * reader changes it; all fills of the candles that are here are marked, not only those that other views have read.
 */
import { useEffect, useMemo, useState } from "preact/hooks";
import { type Candle, CandleChart, type FillMark, type Level } from "./candles.tsx";
import { isDecimal, sign, toNumber } from "./decimal.ts";
import { useAnswer } from "./fetching.ts";
import { exact, stampAt, usd } from "./format.ts";
import { LISTS, type Model, marketName, type Row } from "./model.ts";
import { Choice, Panel } from "./panel.tsx";
import { inAddress, textInAddress } from "./settings.ts";

const INTERVALS = { "1m": "1m", "5m": "5m", "15m": "15m", "1h": "1h", "4h": "4h", "1d": "1d" };
/** Candles that are asked for: more when the reader comes to the oldest. The venue serves 5000. */
const COUNTS = [300, 1_500, 5_000];
const FILLS_MAX = 5_000;
/** New fills come as changes: those of the past are read seldom. */
const FILLS_AGAIN_MS = 300_000;
/** Fills whose markets can be chosen. */
const RECENT_FILLS = 200;

export function MarketPanel({ model, load }: { model: Model; load(name: "fills"): void }) {
  const [picked, setPicked] = textInAddress("coin", null as string | null);
  const [interval, setInterval] = inAddress("interval", INTERVALS, "1h");
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
      {coins.map((one) => (
        <option key={one} value={one}>
          {marketName(one)}
        </option>
      ))}
    </select>
  );
  return (
    <Panel
      title={coin ? `${marketName(coin)} with your fills` : "Market"}
      tools={[
        chooser,
        <Choice label="Interval" choices={INTERVALS} chosen={interval} choose={setInterval} />,
      ]}
    >
      {coin === null ? (
        <p class="empty">No market traded yet</p>
      ) : (
        <Market key={`${model.account} ${coin} ${interval}`} model={model} coin={coin} interval={interval} />
      )}
    </Panel>
  );
}

/** Coins of the markets with a position, an order or a recent fill. */
const useCoins = (model: Model): string[] =>
  useMemo(() => {
    const recent = model.lists.fills.rows.slice(0, RECENT_FILLS);
    return [...new Set([...model.positions, ...model.openOrders, ...recent].map(({ coin }): string => coin))];
  }, [model.positions, model.openOrders, model.lists.fills.rows]);

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
    FILLS_AGAIN_MS,
  );
  const fills = useMemo(
    () => marksOf([answer?.rows ?? [], model.lists.fills.rows], coin, oldest ?? Number.POSITIVE_INFINITY),
    [answer, model.lists.fills.rows, coin, oldest],
  );
  if (known.length < 2) {
    if (error && !data) return <p class="empty">{error}</p>;
    // One answer is drawn a moment after it came: until then it is being read.
    const isNone = data !== null && data.rows.length < 2;
    return (
      <p class="empty">{isNone ? `The venue has no candles of ${coin} in this interval` : "Reading…"}</p>
    );
  }
  return (
    <>
      <CandleChart
        coin={coin}
        interval={interval}
        fills={fills}
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

/** Of lists that are newest first, and may share rows; as far back as `fromMs`. */
function marksOf(lists: readonly Row[][], coin: string, fromMs: number): FillMark[] {
  const known = new Map<string, FillMark>();
  for (const rows of lists)
    for (const row of rows) {
      if (row.fill_time_ms < fromMs) break;
      if (row.coin === coin) known.set(LISTS.fills.key(row), markOf(row));
    }
  return [...known.values()].sort((a, b) => b.x - a.x);
}

export const markOf = (row: Row): FillMark => ({
  x: row.fill_time_ms,
  up: row.side === "buy",
  words: () => `${row.side} ${exact(row.size)} at ${exact(row.price)}, ${stampAt(row.fill_time_ms)}`,
});

/** None where there is no such price. */
export const levelAt = (
  price: unknown,
  words: string,
  tone: Level["tone"],
  text: string = exact(price),
): Level[] =>
  isDecimal(price) && sign(price) > 0 ? [{ at: toNumber(price), words, price: text, tone }] : [];

function levelsOf(model: Model, coin: string): Level[] {
  const position = model.positions.find((row) => row.coin === coin);
  return [
    ...levelAt(position?.entry_price, "entry", "entry"),
    ...levelAt(position?.liquidation_price, "liquidation", "liquidation", usd(position?.liquidation_price)),
    ...levelAt(position?.mark_price, "mark", "mark"),
    ...model.openOrders
      .filter((order) => order.coin === coin)
      .flatMap((order) => {
        const trigger = levelAt(order.trigger_price, orderWords(order), "order");
        return trigger.length > 0 ? trigger : levelAt(order.limit_price, orderWords(order), "order");
      }),
  ];
}

const orderWords = ({ order_type, side, size }: Row): string =>
  /^Take Profit/.test(order_type ?? "")
    ? "TP"
    : /^Stop/.test(order_type ?? "")
      ? "SL"
      : document.querySelector(".app.private")
        ? side
        : `${side} ${exact(size)}`;
