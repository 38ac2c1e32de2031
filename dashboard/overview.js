/** The overview: what the account is worth, how safe it is, and what it made. */
import { h } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Calendar } from "./calendar.js";
import { Bars, CandleChart, LineChart } from "./charts.js";
import { addDay, daysWith, largest, pnlTotals } from "./day.js";
import { isDecimal, negate, sum, toNumber } from "./decimal.js";
import { useAnswer } from "./fetching.js";
import { clock, counted, direction, exact, NOTHING, percent, signed, stamp, usd } from "./format.js";
import { serverNow } from "./model.js";
import { remembered } from "./settings.js";
import { DataTable } from "./table.js";
import { POSITIONS } from "./tables.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Row} Row */

const HEALTH = {
  excellent: { icon: "●", tone: "good" },
  good: { icon: "●", tone: "good" },
  fair: { icon: "◐", tone: "warn" },
  poor: { icon: "▲", tone: "warn" },
  critical: { icon: "▲", tone: "bad" },
  liquidatable: { icon: "✕", tone: "bad" },
  unknown: { icon: "○", tone: "" },
};

/** @param {{ model: Model, load(name: "fills"): void }} props */
export function Overview({ model, load }) {
  return h("div", { class: "overview" }, [
    h(Tiles, { model }),
    h("div", { class: "columns" }, [
      h("div", { class: "column" }, [h(EquityPanel, { model }), h(MarketPanel, { model, load })]),
      h("div", { class: "column" }, [
        h(PnlPanel, { model }),
        h(ExposurePanel, { model }),
        h(CalendarPanel, { model }),
      ]),
    ]),
    h(DataTable, {
      name: "positions",
      title: "Positions",
      rows: model.positions,
      columns: POSITIONS,
      rowKey: positionKey,
      fits: true,
      empty: "No open position",
    }),
  ]);
}

/** @param {Row} row */
export const positionKey = ({ dex, coin }) => `${dex} ${coin}`;

/** @param {{ model: Model }} props */
function Tiles({ model }) {
  const o = model.overview ?? {};
  // The positions of the table below, added up: a sum beside its parts must be of the same moment.
  const { gross, net, unrealized } = exposure(model.positions);
  const health = /** @type {any} */ (HEALTH)[o.health_status] ?? HEALTH.unknown;
  return h("dl", { class: "tiles" }, [
    tile(
      "equity",
      "Equity",
      isDecimal(o.account_value) ? usd(o.account_value) : NOTHING,
      [
        h("span", { class: "together", title: o.net_worth_reason ?? "" }, [
          "net worth ",
          h("span", { "data-value": "net_worth" }, isDecimal(o.net_worth) ? usd(o.net_worth) : "unknown"),
        ]),
        ` as of ${clock(o.as_of_ms)} UTC`,
      ],
      { hero: true },
    ),
    tile(
      "health",
      "Health",
      [
        h("span", { class: health.tone, "aria-hidden": "true" }, `${health.icon} `),
        o.health_score === null || o.health_score === undefined ? "" : h("span", {}, `${o.health_score} `),
        h("span", { class: `word ${health.tone}` }, o.health_status ?? NOTHING),
      ],
      o.health_reason ?? "",
      { wide: true },
    ),
    tile(
      "unrealized",
      "Unrealized PnL",
      h("span", { class: direction(unrealized) }, signed(unrealized)),
      counted(model.positions.length, "position"),
    ),
    tile("day_net", "Net PnL today", h("span", { class: direction(o.day_net) }, signed(o.day_net)), [
      "gross ",
      signed(o.day_gross),
      o.day_unpriced_fees > 0 ? ` · ${counted(o.day_unpriced_fees, "fee")} not priced` : "",
    ]),
    tile(
      "day_fees",
      "Fees today",
      h(
        "span",
        { class: direction(isDecimal(o.day_fees) ? negate(o.day_fees) : null) },
        signed(isDecimal(o.day_fees) ? negate(o.day_fees) : null),
      ),
      o.day_fills === undefined ? "" : `${counted(o.day_fills, "fill")}, ${usd(o.day_volume, 0)} vol.`,
    ),
    tile(
      "day_funding",
      "Funding today",
      h("span", { class: direction(o.day_funding) }, signed(o.day_funding)),
      "UTC day",
    ),
    tile("exposure", "Exposure gross", usd(gross), [
      h("span", { class: "together" }, ["net ", h("span", { "data-value": "net_exposure" }, signed(net))]),
      " ",
      toNumber(o.account_value) > 0
        ? h(
            "span",
            { class: "together" },
            `${(toNumber(gross) / toNumber(o.account_value)).toFixed(2)}× equity`,
          )
        : "",
    ]),
    tile(
      "drawdown",
      "Drawdown, all time",
      isDecimal(o.drawdown_pct) ? percent(o.drawdown_pct) : NOTHING,
      isDecimal(o.max_drawdown_pct) ? `deepest ${percent(o.max_drawdown_pct)}` : "",
    ),
  ]);
}

/** Value of all positions, long less short, and what they have gained. @param {Row[]} positions */
function exposure(positions) {
  const values = positions.map((row) => row.position_value ?? "0");
  return {
    gross: sum(values),
    net: sum(positions.map((row, index) => (row.side === "short" ? negate(values[index]) : values[index]))),
    unrealized: sum(positions.map((row) => row.unrealized_pnl ?? "0")),
  };
}

/**
 * @param {string} id @param {string} name @param {import("preact").ComponentChildren} value @param {import("preact").ComponentChildren} note
 * @param {{ hero?: boolean, wide?: boolean }} [kind]
 */
const tile = (id, name, value, note, { hero, wide } = {}) =>
  h("div", { class: `tile${hero ? " hero" : ""}${wide ? " wide" : ""}`, "data-tile": id }, [
    h("dt", {}, name),
    h("dd", { class: "value" }, value),
    h("dd", { class: "note" }, note),
  ]);

/** @param {{ title: string, tools?: import("preact").ComponentChildren, children?: import("preact").ComponentChildren }} props */
export const Panel = ({ title, tools, children }) =>
  h("section", { class: "panel", "aria-label": title }, [
    h("div", { class: "panel-head" }, [h("h2", {}, title), h("span", { class: "spring" }), tools]),
    children,
  ]);

/** @template {string} T @param {{ label: string, choices: Record<T, string>, chosen: T, choose(value: T): void }} props */
export const Choice = ({ label, choices, chosen, choose }) =>
  h(
    "div",
    { class: "choice", role: "group", "aria-label": label },
    /** @type {[T, string][]} */ (Object.entries(choices)).map(([value, text]) =>
      h(
        "button",
        {
          type: "button",
          key: value,
          "aria-pressed": value === chosen ? "true" : "false",
          onClick: () => choose(value),
        },
        text,
      ),
    ),
  );

const HOUR_MS = 3_600_000;
export const SPANS = { hour: "1H", day: "1D", week: "1W", month: "1M", all: "All" };
export const SPAN_MS = {
  hour: HOUR_MS,
  day: 24 * HOUR_MS,
  week: 168 * HOUR_MS,
  month: 730 * HOUR_MS,
  all: null,
};
/** @typedef {keyof typeof SPANS} Span */

/** The start of a span, cut so that the same question is asked for a while. @param {Span} span @param {number} nowMs */
export const spanStart = (span, nowMs) => {
  const ms = SPAN_MS[span];
  return ms === null ? 0 : Math.floor((nowMs - ms) / 60_000) * 60_000;
};

/** @param {{ model: Model }} props */
function EquityPanel({ model }) {
  const [span, setSpan] = remembered("equity.span", /** @type {Span} */ ("all"));
  const [what, setWhat] = remembered("equity.what", /** @type {"equity" | "drawdown"} */ ("equity"));
  const from = useMemo(
    () => spanStart(span, serverNow(model)),
    [span, Math.floor(serverNow(model) / 60_000)],
  );
  const { data } = useAnswer(
    /** @type {string | null} */ (model.account && "/api/equity"),
    { account: model.account, from, points: 600 },
    10_000,
  );
  const answer = /** @type {Row | null} */ (data);
  /** @type {Row[]} */
  const rows = useMemo(() => withNewest(answer?.rows ?? [], model.overview), [answer, model.overview]);
  const points = useMemo(
    () =>
      rows.map((row) =>
        what === "equity"
          ? { x: row.as_of_ms, y: toNumber(row.net_worth), text: `${usd(row.net_worth)} USD` }
          : {
              x: row.as_of_ms,
              y: -toNumber(row.drawdown_pct),
              text: isDecimal(row.drawdown_pct) ? `\u2212${percent(row.drawdown_pct, 4)}` : NOTHING,
            },
      ),
    [rows, what],
  );
  const marks = useMemo(
    () =>
      (answer?.flows ?? []).map((/** @type {Row} */ flow) => ({
        x: flow.ledger_time_ms,
        up: toNumber(flow.flow) >= 0,
        text: `${flow.type} ${isDecimal(flow.flow) ? `${signed(flow.flow)} USD` : "of unknown value"}, ${stamp(flow.ledger_time_ms)} UTC`,
      })),
    [answer],
  );
  const captured = answer?.captured_since_ms;
  return h(
    Panel,
    {
      title: what === "equity" ? "Net worth" : "Drawdown from the peak of all time",
      tools: [
        h(Choice, {
          label: "What",
          choices: { equity: "Net worth", drawdown: "Drawdown" },
          chosen: what,
          choose: setWhat,
        }),
        h(Choice, { label: "Span", choices: SPANS, chosen: span, choose: setSpan }),
      ],
    },
    [
      h(LineChart, {
        label: what === "equity" ? "Net worth" : "Drawdown in percent, deposits taken out",
        points,
        height: 240,
        tone: what === "equity" ? "line" : "loss",
        fromZero: what === "drawdown",
        marks: what === "equity" ? marks : [],
        since: captured && from <= captured ? { x: captured, text: "captured since here" } : null,
      }),
    ],
  );
}

/**
 * The chart ends with what the tiles say, which is newer than what was read for it.
 * @param {Row[]} rows @param {Row | null} overview
 */
function withNewest(rows, overview) {
  const lastMs = rows.at(-1)?.as_of_ms ?? 0;
  const { as_of_ms, net_worth, drawdown_as_of_ms, drawdown_pct } = overview ?? {};
  if (!isDecimal(net_worth) || as_of_ms <= lastMs) return rows;
  const fallen = drawdown_as_of_ms > lastMs ? drawdown_pct : rows.at(-1)?.drawdown_pct;
  return [...rows, { as_of_ms, net_worth, drawdown_pct: fallen ?? null }];
}

/** Bars of the profit by coin. */
const COINS_SHOWN = 8;
const PERIODS = { today: "Today", week: "7D", month: "30D", all: "All" };
/** Days before today that a period has. */
const DAYS_BACK = { today: 0, week: 6, month: 29, all: Number.POSITIVE_INFINITY };
const DAY_MS = 86_400_000;

/**
 * What was earned on the days before today, by day or by coin; null while it is not known. Today itself is in the overview,
 * which comes once a second: whoever shows both puts them together, so that today is one number wherever it stands.
 * @param {Model} model @param {"day" | "coin"} by @param {number} daysBack @returns {Row[] | null}
 */
function usePast(model, by, daysBack) {
  const dayStart = model.overview?.day_start_ms ?? null;
  const asks = model.account !== null && dayStart !== null && daysBack > 0;
  const from = Math.max(0, (dayStart ?? 0) - daysBack * DAY_MS);
  const { data } = useAnswer(
    asks ? "/api/pnl" : null,
    { account: model.account, by, from, to: (dayStart ?? 0) - 1 },
    15_000,
  );
  return daysBack === 0 ? [] : /** @type {any} */ (data?.rows ?? null);
}

/** @param {{ model: Model }} props */
function PnlPanel({ model }) {
  const [period, setPeriod] = remembered("pnl.period", /** @type {keyof typeof PERIODS} */ ("all"));
  const dayStart = model.overview?.day_start_ms ?? null;
  const past = usePast(model, "coin", DAYS_BACK[period]);
  const rows = past === null || dayStart === null ? [] : addDay(past, model.overview);
  const totals = pnlTotals(rows);
  const steps = /** @type {const} */ ([
    ["Gross", totals.closed_pnl, "Closed PnL, before fees"],
    ["Fees", negate(totals.fees), "Builder fees inside; positive is a rebate"],
    ["Funding", totals.funding, "Negative was paid"],
    ["Net", totals.net_pnl, "Gross − fees + funding"],
  ]);
  return h(
    Panel,
    {
      title: "Where it went",
      tools: h(Choice, { label: "Period", choices: PERIODS, chosen: period, choose: setPeriod }),
    },
    [
      h(Bars, {
        label: "Gross, fees, funding and net",
        rows:
          rows.length === 0
            ? []
            : steps.map(([name, value, note]) => ({
                key: name,
                name: name === "Net" ? h("strong", {}, name) : name,
                value: toNumber(value),
                text: signed(value),
                note,
              })),
      }),
      h("h3", {}, "Net by coin"),
      h(Bars, {
        label: "Net profit by coin",
        rows: largest(rows, COINS_SHOWN).map((row) => ({
          key: row.coin,
          name: row.coin,
          value: toNumber(row.net_pnl),
          text: signed(row.net_pnl),
          note: `${counted(row.fills, "fill")}, fees ${usd(row.fees)}`,
        })),
      }),
    ],
  );
}

/** @param {{ model: Model }} props */
function ExposurePanel({ model }) {
  const rows = model.positions.map((row) => ({
    key: positionKey(row),
    name: row.coin,
    value: row.side === "short" ? -toNumber(row.position_value) : toNumber(row.position_value),
    text: `${row.side === "short" ? "Short" : "Long"} ${usd(row.position_value)}`,
    note: `${exact(row.size)} ${row.coin}`,
  }));
  return h(Panel, { title: "Exposure by coin" }, [
    h(Bars, { label: "Position value by coin, shorts to the left", rows }),
  ]);
}

/** @param {{ model: Model }} props */
function CalendarPanel({ model }) {
  const past = usePast(model, "day", Number.POSITIVE_INFINITY);
  return h(Panel, { title: "Net PnL by day" }, [
    h(Calendar, { days: past === null ? [] : daysWith(past, model.overview), nowMs: serverNow(model) }),
  ]);
}

const INTERVALS = { "1m": "1m", "5m": "5m", "15m": "15m", "1h": "1h", "4h": "4h", "1d": "1d" };

/** @param {{ model: Model, load(name: "fills"): void }} props */
function MarketPanel({ model, load }) {
  const [picked, setPicked] = useState(/** @type {string | null} */ (null));
  const [interval, setInterval] = remembered("market.interval", /** @type {keyof typeof INTERVALS} */ ("1m"));
  const coins = useMemo(
    () => [
      ...new Set([
        ...model.positions.map(({ coin }) => coin),
        ...model.openOrders.map(({ coin }) => coin),
        ...model.lists.fills.rows.slice(0, 200).map(({ coin }) => coin),
      ]),
    ],
    [model.positions, model.openOrders, model.lists.fills.rows],
  );
  const coin = picked && coins.includes(picked) ? picked : (coins[0] ?? null);
  useEffect(() => load("fills"));
  const { data, error } = useAnswer(coin && "/api/candles", { coin, interval, count: 200 }, 20_000);
  const position = model.positions.find((row) => row.coin === coin);
  const fills = useMemo(
    () =>
      model.lists.fills.rows
        .filter((row) => row.coin === coin)
        .slice(0, 400)
        .map((row) => ({
          x: row.fill_time_ms,
          price: toNumber(row.price),
          up: row.side === "buy",
          text: `${row.side} ${exact(row.size)} at ${exact(row.price)}, ${stamp(row.fill_time_ms)} UTC`,
        })),
    [model.lists.fills.rows, coin],
  );
  const levels = [
    ...(isDecimal(position?.entry_price)
      ? [
          {
            at: toNumber(position?.entry_price),
            words: "entry",
            price: exact(position?.entry_price),
            tone: "entry",
          },
        ]
      : []),
    ...(isDecimal(position?.liquidation_price)
      ? [
          {
            at: toNumber(position?.liquidation_price),
            words: "liquidation",
            price: usd(position?.liquidation_price),
            tone: "liquidation",
          },
        ]
      : []),
  ];
  const chooser = h(
    "select",
    {
      "aria-label": "Market",
      value: coin ?? "",
      onChange: (/** @type {any} */ event) => setPicked(event.currentTarget.value),
    },
    coins.map((name) => h("option", { key: name, value: name }, name)),
  );
  return h(
    Panel,
    {
      title: coin ? `${coin} with your fills` : "Market",
      tools: [
        chooser,
        h(Choice, { label: "Interval", choices: INTERVALS, chosen: interval, choose: setInterval }),
      ],
    },
    coin === null
      ? h("p", { class: "empty" }, "No market traded yet")
      : error && !data
        ? h("p", { class: "empty" }, error)
        : h(CandleChart, {
            coin,
            candles: /** @type {any} */ (data)?.rows ?? [],
            fills,
            levels,
          }),
  );
}
