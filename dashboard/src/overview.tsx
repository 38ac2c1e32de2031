/** The overview: what the account is worth, how safe it is, and what it made. */

import { useMemo } from "preact/hooks";
import { Calendar } from "./calendar.tsx";
import { Bars } from "./charts.tsx";
import { addDay, daysBefore, daysWith, largest, profitSteps, shortWords, totalOf } from "./day.ts";
import { isDecimal, negate, sum, toNumber } from "./decimal.ts";
import { useAnswer } from "./fetching.ts";
import { clockAt, counted, direction, exact, NOTHING, percent, signed, stampAt, usd } from "./format.ts";
import { LineChart } from "./lines.tsx";
import { MarketPanel } from "./market.tsx";
import { freshness, isOldWord, type Model, marketName, type Row, serverNow } from "./model.ts";
import { Choice, Panel } from "./panel.tsx";
import { inAddress } from "./settings.ts";
import { DataTable } from "./table.tsx";
import { POSITIONS } from "./tables.tsx";
import { tile } from "./tile.tsx";
import { ZONE_WORD, zoneAsked } from "./zone.ts";

const HEALTH: Record<string, { icon: string; tone: string }> = {
  excellent: { icon: "●", tone: "good" },
  good: { icon: "●", tone: "good" },
  fair: { icon: "◐", tone: "warn" },
  poor: { icon: "▲", tone: "warn" },
  critical: { icon: "▲", tone: "bad" },
  liquidatable: { icon: "✕", tone: "bad" },
  unknown: { icon: "○", tone: "" },
};

export function Overview({ model, load }: { model: Model; load(name: "fills"): void }) {
  return (
    <div class="overview">
      <Tiles model={model} />
      <div class="columns">
        <div class="column">
          <EquityPanel model={model} />
          <MarketPanel model={model} load={load} />
        </div>
        <div class="column">
          <PnlPanel model={model} />
          <ExposurePanel model={model} />
          <CalendarPanel model={model} />
        </div>
      </div>
      <DataTable
        name="positions"
        title="Positions"
        rows={model.positions}
        columns={POSITIONS}
        rowKey={positionKey}
        fits
        isBare
        empty="No open position"
      />
    </div>
  );
}

export const positionKey = ({ dex, coin }: Row) => `${dex} ${coin}`;

/** The deepest drawdown of all that is known is counted from all of it. */
const SELDOM_MS = 30_000;

function Tiles({ model }: { model: Model }) {
  const o = model.overview ?? {};
  // The positions of the table below, added up: a sum beside its parts must be of the same moment.
  const { gross, net, unrealized } = exposure(model.positions);
  // What was excellent may not be any more.
  const { word, asOfMs } = freshness(model);
  const isOld = isOldWord(word);
  const history: Row | null =
    useAnswer(model.account && ("/api/statistics" as string | null), { account: model.account }, SELDOM_MS)
      .data?.history ?? null;
  const health = isOld ? HEALTH.unknown : (HEALTH[o.health_status] ?? HEALTH.unknown);
  return (
    <dl class="tiles">
      {tile(
        "equity",
        "Equity",
        isDecimal(o.account_value) ? usd(o.account_value) : NOTHING,
        [
          <span class="together" title={o.net_worth_reason ?? ""}>
            {"net worth "}
            <span data-value="net_worth">{isDecimal(o.net_worth) ? usd(o.net_worth) : "unknown"}</span>
          </span>,
          ` as of ${clockAt(o.as_of_ms)}`,
        ],
        { hero: true },
      )}
      {tile(
        "health",
        "Health",
        [
          <span class={health.tone} aria-hidden="true">{`${health.icon} `}</span>,
          o.health_score === null || o.health_score === undefined ? "" : <span>{`${o.health_score} `}</span>,
          <span class={`word ${health.tone}`}>
            {isOld && o.health_status ? `${o.health_status} then` : (o.health_status ?? NOTHING)}
          </span>,
        ],
        isOld ? `not known now: this is as of ${clockAt(asOfMs)}` : (o.health_reason ?? ""),
        { wide: true },
      )}
      {tile(
        "unrealized",
        "Unrealized PnL",
        <span class={direction(unrealized)}>{signed(unrealized)}</span>,
        counted(model.positions.length, "position"),
      )}
      {tile("day_net", "Net PnL today", <span class={direction(o.day_net)}>{signed(o.day_net)}</span>, [
        "gross ",
        signed(o.day_gross),
        o.day_unpriced_fees > 0 ? ` · ${counted(o.day_unpriced_fees, "fee")} not priced` : "",
      ])}
      {tile(
        "day_fees",
        "Fees today",
        <span class={direction(isDecimal(o.day_fees) ? negate(o.day_fees) : null)}>
          {signed(isDecimal(o.day_fees) ? negate(o.day_fees) : null)}
        </span>,
        o.day_fills === undefined ? "" : `${counted(o.day_fills, "fill")}, ${usd(o.day_volume, 0)} vol.`,
      )}
      {tile(
        "day_funding",
        "Funding today",
        <span class={direction(o.day_funding)}>{signed(o.day_funding)}</span>,
        `${ZONE_WORD} day`,
      )}
      {tile("exposure", "Exposure gross", usd(gross), [
        <span class="together">
          {"net "}
          <span data-value="net_exposure">{signed(net)}</span>
        </span>,
        " ",
        toNumber(o.account_value) > 0 ? (
          <span class="together">{`${(toNumber(gross) / toNumber(o.account_value)).toFixed(2)}× equity`}</span>
        ) : (
          ""
        ),
      ])}
      {tile(
        "drawdown",
        "Drawdown",
        isDecimal(o.drawdown_pct) ? percent(o.drawdown_pct) : NOTHING,
        isDecimal(history?.max_drawdown_pct)
          ? [
              `deepest ${percent(history.max_drawdown_pct)} `,
              <span class="together">{`since ${history.since_day}`}</span>,
            ]
          : "",
      )}
    </dl>
  );
}

/** Value of all positions, long less short, and what they have gained. */
export function exposure(positions: Row[]) {
  const values = positions.map((row) => row.position_value ?? "0");
  return {
    gross: sum(values),
    net: sum(positions.map((row, index) => (row.side === "short" ? negate(values[index]) : values[index]))),
    unrealized: sum(positions.map((row) => row.unrealized_pnl ?? "0")),
  };
}

const HOUR_MS = 3_600_000;
export const SPANS = { hour: "1H", day: "1D", week: "1W", month: "1M", all: "All" };
export const SPAN_MS = {
  hour: HOUR_MS,
  day: 24 * HOUR_MS,
  week: 168 * HOUR_MS,
  month: 730 * HOUR_MS,
  all: null,
};
export type Span = keyof typeof SPANS;

/** The start of a span, cut so that the same question is asked for a while. */
export const spanStart = (span: Span, nowMs: number) => {
  const ms = SPAN_MS[span];
  return ms === null ? 0 : Math.floor((nowMs - ms) / 60_000) * 60_000;
};

const WHAT = { equity: "Net worth", drawdown: "Drawdown" };

function EquityPanel({ model }: { model: Model }) {
  const [span, setSpan] = inAddress("range", SPANS, "all" as Span);
  const [what, setWhat] = inAddress("what", WHAT, "equity");
  const from = useMemo(
    () => spanStart(span, serverNow(model)),
    [span, Math.floor(serverNow(model) / 60_000)],
  );
  const { data } = useAnswer(
    model.account && ("/api/equity" as string | null),
    { account: model.account, from, points: 600 },
    10_000,
  );
  const answer = data as Row | null;
  const rows: Row[] = useMemo(() => withNewest(answer?.rows ?? [], model.overview), [answer, model.overview]);
  const points = useMemo(
    () =>
      what === "equity"
        ? rows.map((row) => ({
            x: row.as_of_ms,
            y: toNumber(row.net_worth),
            text: `${usd(row.net_worth)} USD`,
          }))
        : // What is not known is no 0 %.
          rows
            .filter((row) => isDecimal(row.drawdown_pct))
            .map((row) => drawdownPoint(row.as_of_ms, row.drawdown_pct)),
    [rows, what],
  );
  const marks = useMemo(
    () =>
      (answer?.flows ?? []).map((flow: Row) => ({
        x: flow.ledger_time_ms,
        up: toNumber(flow.flow) >= 0,
        text: `${flow.type} ${isDecimal(flow.flow) ? `${signed(flow.flow)} USD` : "of unknown value"}, ${stampAt(flow.ledger_time_ms)}`,
      })),
    [answer],
  );
  const captured: number | null = answer?.captured_since_ms ?? null;
  const { imported, untilMs } = useImported(model, from, captured, what);
  const hasImported = imported.length > 0;
  return (
    <Panel
      title={what === "equity" ? "Net worth" : "Drawdown from the peak of all time"}
      tools={[
        <Choice label="What" choices={WHAT} chosen={what} choose={setWhat} />,
        <Choice label="Span" choices={SPANS} chosen={span} choose={setSpan} />,
      ]}
    >
      <LineChart
        label={what === "equity" ? "Net worth" : "Drawdown in percent, deposits taken out"}
        points={hasImported ? [...imported, ...points] : points}
        importedUntilMs={untilMs}
        height={240}
        tone={what === "equity" ? "line" : "loss"}
        fromZero={what === "drawdown"}
        marks={
          what === "equity"
            ? marks.filter(({ x }: { x: number }) => x >= (imported[0]?.x ?? captured ?? x))
            : []
        }
        since={
          captured && from <= captured
            ? {
                x: captured,
                text: hasImported ? "the venue's curve before: perps, spot, vaults" : "captured since here",
              }
            : null
        }
      />
    </Panel>
  );
}

const drawdownPoint = (x: number, pct: string | null) => ({
  x,
  y: -toNumber(pct),
  text: isDecimal(pct) ? `\u2212${percent(pct, 4)}` : NOTHING,
});

export const importedPoint = (x: number, value: string) => ({
  x,
  y: toNumber(value),
  text: `${usd(value)} USD by the venue`,
});

/** The venue's own curve of the time before the first snapshot: what it calls the account's value, in coarse steps. */
function useImported(model: Model, from: number, captured: number | null, what: "equity" | "drawdown") {
  const asks = model.account !== null && captured !== null && from < captured;
  const { data } = useAnswer(
    asks ? "/api/portfolio" : null,
    { account: model.account, scope: "all", from, to: captured === null ? 0 : captured - 1 },
    60_000,
  );
  const rows: Row[] | undefined = data?.rows;
  const imported = useMemo(
    () =>
      (rows ?? [])
        .filter((row) => what === "equity" || isDecimal(row.drawdown_pct))
        .map((row) =>
          what === "equity"
            ? importedPoint(row.time_ms, row.account_value)
            : {
                ...drawdownPoint(row.time_ms, row.drawdown_pct),
                text: `\u2212${percent(row.drawdown_pct, 4)} by the venue`,
              },
        ),
    [rows, what],
  );
  return { imported, untilMs: imported.at(-1)?.x ?? Number.NEGATIVE_INFINITY };
}

/** The chart ends with what the tiles say, which is newer than what was read for it. */
function withNewest(rows: Row[], overview: Row | null) {
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
/** Sums by UTC days are kept by the database, by others they are made anew. */
const PAST_AGAIN_MS = zoneAsked === null ? 15_000 : 120_000;

/**
 * What was earned on the days before today, by day or by coin; null while it is not known. Today itself is in the overview,
 * which comes once a second: a view that shows both joins them, so that today is one number everywhere.
 */
function usePast(
  model: Model,
  by: "day" | "coin",
  daysBack: number,
): { rows: Row[] | null; short: string | null } {
  const dayStart = model.overview?.day_start_ms ?? null;
  const asks = model.account !== null && dayStart !== null && daysBack > 0;
  const from = daysBefore(dayStart ?? 0, daysBack);
  const { data } = useAnswer(
    asks ? "/api/pnl" : null,
    { account: model.account, by, from, to: (dayStart ?? 0) - 1, zone: zoneAsked },
    PAST_AGAIN_MS,
  );
  return daysBack === 0 ? { rows: [], short: null } : { rows: data?.rows ?? null, short: shortWords(data) };
}

function PnlPanel({ model }: { model: Model }) {
  const [period, setPeriod] = inAddress("period", PERIODS, "all");
  const dayStart = model.overview?.day_start_ms ?? null;
  const { rows: past, short } = usePast(model, "coin", DAYS_BACK[period]);
  const rows = past === null || dayStart === null ? [] : addDay(past, model.overview);
  return (
    <Panel
      title="Where it went"
      tools={<Choice label="Period" choices={PERIODS} chosen={period} choose={setPeriod} />}
    >
      {short && <p class="note">{short}</p>}
      <Bars
        label="Gross, fees, funding and net"
        rows={profitSteps(rows.length === 0 ? null : totalOf(rows))}
      />
      <h3>Net by coin</h3>
      <Bars
        label="Net profit by coin"
        rows={largest(rows, COINS_SHOWN).map((row) => ({
          key: row.coin,
          name: marketName(row.coin),
          value: toNumber(row.net_pnl),
          text: signed(row.net_pnl),
          note: `${counted(row.fills, "fill")}, fees ${usd(row.fees)}`,
        }))}
      />
    </Panel>
  );
}

function ExposurePanel({ model }: { model: Model }) {
  const rows = model.positions.map((row) => ({
    key: positionKey(row),
    name: row.coin,
    value: row.side === "short" ? -toNumber(row.position_value) : toNumber(row.position_value),
    text: `${row.side === "short" ? "Short" : "Long"} ${usd(row.position_value)}`,
    note: `${exact(row.size)} ${row.coin}`,
  }));
  return (
    <Panel title="Exposure by coin">
      <Bars label="Position value by coin, shorts to the left" rows={rows} />
    </Panel>
  );
}

function CalendarPanel({ model }: { model: Model }) {
  const { rows: past, short } = usePast(model, "day", Number.POSITIVE_INFINITY);
  return (
    <Panel title="Net PnL by day">
      {short && <p class="note">{short}</p>}
      <Calendar days={past === null ? [] : daysWith(past, model.overview)} nowMs={serverNow(model)} />
    </Panel>
  );
}
