/**
 * How good the trading was: cards, profit over time, how often what came out, groups and the trades themselves.
 * Guarantees: every figure says since when; what the trades do not reach back to is said, not extrapolated; days and weeks
 * are those of the chosen zone, but for the ratios, which go by the days of UTC as in the views of the database.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { tradeHref } from "./address.ts";
import type { Column } from "./arrange.ts";
import { Bars } from "./charts.tsx";
import { ColumnChart } from "./columns.tsx";
import { get } from "./connection.ts";
import { daysBefore, daysWith, profitSteps, shortWords, totalOf } from "./day.ts";
import { isDecimal, sign, toNumber } from "./decimal.ts";
import { type Asked, useAnswer, useAnswers } from "./fetching.ts";
import { age, counted, day, direction, NOTHING, percent, signed, usd } from "./format.ts";
import { LineChart } from "./lines.tsx";
import { accountName, type Model, type Row } from "./model.ts";
import { Choice, Panel } from "./panel.tsx";
import { inAddress } from "./settings.ts";
import { DataTable, type Older } from "./table.tsx";
import { tile } from "./tile.tsx";
import { GROUP_FIGURES, group, ROUND_TRIPS } from "./tradeTables.tsx";
import { bySteps, cumulative, distribution, type Step } from "./trading.ts";
import { dayAt, IS_UTC, ZONE_WORD, zoneAsked } from "./zone.ts";

const PERIODS = { week: "7D", month: "30D", quarter: "90D", year: "1Y", all: "All" };

/** Days before today. */
const DAYS_BACK = { week: 6, month: 29, quarter: 89, year: 364, all: Number.POSITIVE_INFINITY };
/** Trades end seldom, and what they come to is counted anew each time. */
const AGAIN_MS = 30_000;
/** By days that the database keeps no sums of. */
const SELDOM_MS = 120_000;
/** As many fills as the server counts at once when it is asked to. */
const FILLS_MAX = 20_000;
const BINS = 24;

export function Statistics({ model }: { model: Model }) {
  const [period, setPeriod] = inAddress("period", PERIODS, "all");
  const dayStart: number | null = model.overview?.day_start_ms ?? null;
  const from = daysBefore(dayStart ?? 0, DAYS_BACK[period]);
  const account = model.account;
  const asks = account !== null && dayStart !== null;
  const past = useAnswer(
    asks ? "/api/pnl" : null,
    { account, by: "day", from, to: (dayStart ?? 0) - 1, zone: zoneAsked },
    zoneAsked === null ? AGAIN_MS : SELDOM_MS,
  ).data;
  // The state comes each second: what is drawn here changes with today's money only.
  const today = JSON.stringify(daysWith([], model.overview));
  const days = useMemo(() => (past === null ? null : daysWith(past.rows, model.overview)), [past, today]);
  const whole = useAnswer(asks ? "/api/statistics" : null, { account }, AGAIN_MS).data;
  const { reach, trades, more } = useReach(asks ? account : null, from);
  const { newest: trips, rows, older } = useTrips(asks ? account : null, from);
  const roundTrips = useMemo(
    () => (
      <DataTable
        name="roundTrips"
        title="Round trips"
        rows={rows}
        columns={ROUND_TRIPS}
        rowKey={tripKey}
        href={(row) => (row.opened_ms === null ? null : tradeHref(row.coin, row.opened_ms))}
        empty={trips === null ? "Reading…" : "No position was opened in this period"}
        older={older}
        inAddress
      />
    ),
    [trips, rows, older],
  );
  return (
    <div class="overview statistics">
      <div class="page-head">
        <h1>How good is my trading?</h1>
        <span class="note">{periodWords(days, past, trades)}</span>
        {more && (
          <button type="button" onClick={more}>
            Count further back
          </button>
        )}
        <span class="spring" />
        <Choice label="Period" choices={PERIODS} chosen={period} choose={setPeriod} />
      </div>
      <Cards days={days} whole={whole} trades={trades} isAll={period === "all"} />
      <div class="columns">
        <div class="column">
          <ProfitPanel days={days} dayStart={dayStart} />
          <MoneyPanel days={days} />
        </div>
        <div class="column">
          <DistributionPanel rows={rows} isRead={trips !== null} />
          <StepsPanel days={days} />
        </div>
      </div>
      <GroupPanel model={model} from={from} reach={reach} />
      {roundTrips}
    </div>
  );
}

/**
 * What the trades come to, by as few fills as the server counts by itself until `more` is asked for; that answer stands until
 * the longer one is there.
 */
function useReach(account: string | null, from: number) {
  const asked = `${account} ${from}`;
  const [wanted, setWanted] = useState("");
  const reach = wanted === asked ? FILLS_MAX : null;
  const path = account === null ? null : "/api/statistics";
  const query = { account, by: "all", from };
  const short = useAnswer(path, query, AGAIN_MS).data;
  const long = useAnswer(reach === null ? null : path, { ...query, fills: reach }, SELDOM_MS).data;
  const more = short?.is_whole === false && reach === null ? () => setWanted(asked) : null;
  return { reach, trades: long ?? short, more };
}

/** One that is open keeps its key when it closes. */
const tripKey = (row: Row) => `${row.coin} ${row.opened_ms ?? `ends ${row.closed_ms}`}`;
const byEnd = (a: Row, b: Row) =>
  (b.closed_ms ?? Number.POSITIVE_INFINITY) - (a.closed_ms ?? Number.POSITIVE_INFINITY) ||
  b.opened_ms - a.opened_ms;
/** Trips that are kept; what is older stays on the server, and the table says so. */
const TRIPS_MAX = 20_000;

/** Round trips since a time: the newest again and again, older ones a page at a time as they are asked for. */
function useTrips(account: string | null, from: number) {
  const asked = `${account} ${from}`;
  const newest = useAnswer(account === null ? null : "/api/round-trips", { account, from }, AGAIN_MS).data;
  const [read, setRead] = useState(noTrips(asked));
  const mine = read.asked === asked ? read : noTrips(asked);
  const current = useRef(mine);
  current.current = mine;
  useEffect(() => {
    // Where older ones were read already, they go on from there.
    if (newest)
      setRead((now) =>
        withTrips(
          now.asked === asked ? now : noTrips(asked),
          newest,
          now.asked !== asked || now.sinceMs === null,
        ),
      );
  }, [newest]);
  const older = useMemo((): Older => {
    const load = async () => {
      const { sinceMs } = current.current;
      if (sinceMs === null) return;
      try {
        const page = await get("/api/round-trips", { account, from, before: sinceMs });
        setRead((now) => (now.asked === asked ? withTrips(now, page, true) : now));
      } catch (error) {
        setRead((now) => ({ ...now, error: error instanceof Error ? error.message : String(error) }));
      }
    };
    const all = async () => {
      for (let last: number | null = null; canGrow(current.current) && current.current.sinceMs !== last; ) {
        last = current.current.sinceMs;
        await load();
        await new Promise((drawn) => setTimeout(drawn, 50));
      }
    };
    const { isWhole, rows, error } = mine;
    return { more: canGrow(mine), kept: isWhole ? null : rows.length, total: null, load, all, error };
  }, [asked, mine.rows, mine.isWhole, mine.error]);
  return { newest, rows: mine.rows, older };
}

interface Trips {
  asked: string;
  /** The youngest end first. */
  rows: Row[];
  /** How far back they were read; null before the first answer. */
  sinceMs: number | null;
  isWhole: boolean;
  error: string | null;
}
const noTrips = (asked: string): Trips => ({
  asked,
  rows: NO_ROWS,
  sinceMs: null,
  isWhole: true,
  error: null,
});
const NO_ROWS: Row[] = [];
const canGrow = ({ isWhole, rows }: Trips) => !isWhole && rows.length < TRIPS_MAX;

function withTrips(known: Trips, { rows, since_ms, is_whole }: Row, isOldest: boolean): Trips {
  const all = new Map([...known.rows, ...(rows as Row[])].map((row) => [tripKey(row), row]));
  return {
    ...{ asked: known.asked, rows: [...all.values()].sort(byEnd), error: null },
    ...(isOldest
      ? { sinceMs: since_ms, isWhole: is_whole }
      : { sinceMs: known.sinceMs, isWhole: known.isWhole }),
  };
}

function periodWords(days: Row[] | null, past: Row | null, trades: Row | null): string {
  if (days === null) return "Reading…";
  const [short, shortTrades] = [shortWords(past), shortWords(trades)];
  const since =
    days.length === 0 ? "Nothing was traded in this period" : `since ${days[0].day}, ${ZONE_WORD} days`;
  const spot = trades?.rows.length ? "trades are round trips of perps, spot is in the profit only" : "";
  return [since, short && `days ${short}`, shortTrades && `groups and streaks ${shortTrades}`, spot]
    .filter(Boolean)
    .join("; ");
}

/** All time is counted by the database as days settle, so it is whole where single trades are not. */
function Cards({
  days,
  whole,
  trades,
  isAll,
}: {
  days: Row[] | null;
  whole: Row | null;
  trades: Row | null;
  isAll: boolean;
}) {
  const money = days === null ? null : totalOf(days);
  const own: Row = trades?.rows[0] ?? {};
  const isWhole = isAll && trades?.is_whole === false;
  const figures: Row = isWhole ? (whole ?? {}) : own;
  const ownSince = trades?.is_whole === false ? day(trades.since_ms) : days?.[0]?.day;
  const since = isWhole ? whole?.first_day : ownSince;
  const history: Row | null = whole?.history ?? null;
  const isRead = days !== null && whole !== null && trades !== null;
  /** Before all of it is read, no card says that there is nothing. */
  const card = (id: string, name: string, value: ComponentChildren, note: string) =>
    cardOf(id, name, isRead ? value : NOTHING, isRead ? note : "reading…");
  const ratios = (id: string, name: string, value: unknown) =>
    card(
      id,
      name,
      usd(value),
      isDecimal(value)
        ? `${historySince(history)}${IS_UTC ? "" : ", UTC days"}`
        : (history?.ratios_reason ?? "not defined yet"),
    );
  return (
    <dl class="tiles cards">
      {card(
        "net_pnl",
        "Net PnL",
        <span class={direction(money?.net_pnl)}>{signed(money?.net_pnl)}</span>,
        `gross ${signed(money?.closed_pnl)} · ${sinceText(days?.[0]?.day)}`,
      )}
      {card(
        "win_rate_pct",
        "Win rate",
        percent(figures.win_rate_pct, 1),
        `${figures.wins ?? 0} of ${counted(figures.trades ?? 0, "trade")} · ${sinceText(since)}`,
      )}
      {card(
        "profit_factor",
        "Profit factor",
        usd(figures.profit_factor),
        `wins ÷ losses, net · ${sinceText(since)}`,
      )}
      {card(
        "expectancy",
        "Expectancy",
        <span class={direction(figures.expectancy)}>{signed(figures.expectancy)}</span>,
        `${figures.gross_expectancy === undefined ? "" : `gross ${signed(figures.gross_expectancy)} · `}a trade · ${sinceText(since)}`,
      )}
      {card(
        "payoff_ratio",
        "Payoff",
        usd(figures.payoff_ratio),
        `${signed(figures.average_win, 0)} to ${signed(figures.average_loss, 0)} · ${sinceText(since)}`,
      )}
      {card(
        "streaks",
        "Longest streaks",
        own.trades ? `${own.win_streak} won, ${own.loss_streak} lost` : NOTHING,
        sinceText(ownSince),
      )}
      {card(
        "in_market_pct",
        "Time in market",
        percent(own.in_market_pct, 1),
        `${figures.average_seconds ? `${age(Number(figures.average_seconds) * 1000)} a trade · ` : ""}${sinceText(ownSince)}`,
      )}
      {ratios("sharpe", "Sharpe", history?.sharpe)}
      {ratios("sortino", "Sortino", history?.sortino)}
      {ratios("calmar", "Calmar", history?.calmar)}
      {card("max_drawdown_pct", "Max drawdown", percent(history?.max_drawdown_pct), drawdownWords(history))}
      {card(
        "extremes",
        "Best and worst",
        <>
          <span class={direction(figures.best_trade)}>{signed(figures.best_trade, 0)}</span>{" "}
          <span class={direction(figures.worst_trade)}>{signed(figures.worst_trade, 0)}</span>
        </>,
        sinceText(since),
      )}
    </dl>
  );
}

const sinceText = (when: string | null | undefined) => (when ? `since ${when}` : "no trade yet");

/** The venue's own curve tells of the time before hlsync. */
const historySince = (history: Row | null) =>
  `${sinceText(history?.since_day)}${history?.imported_until_day ? " · with the venue's curve" : ""}`;

function drawdownWords(history: Row | null): string {
  if (!isDecimal(history?.max_drawdown)) return history?.ratios_reason ?? "not known yet";
  const { max_drawdown, drawdown_peak_day: peak, drawdown_trough_day: trough } = history as Row;
  const dates = trough ? `${peak === trough ? trough : `${peak} to ${trough}`} · ` : "";
  return `${usd(max_drawdown)} USD · ${dates}${historySince(history)}`;
}

const cardOf = (id: string, name: string, value: ComponentChildren, note: string) =>
  tile(
    id,
    name,
    value,
    note
      .split(" · ")
      .map((part, index) => [
        index > 0 ? " · " : "",
        <span class={part.length < TOGETHER_MAX ? "together" : ""}>{part}</span>,
      ]),
  );
/** Letters that are not parted, however narrow the card. */
const TOGETHER_MAX = 22;

function ProfitPanel({ days, dayStart }: { days: Row[] | null; dayStart: number | null }) {
  const points = useMemo(() => cumulative(days ?? [], dayAt(dayStart ?? 0)), [days, dayStart]);
  const line = (which: "net" | "gross") =>
    points.map((point) => ({
      x: point.ms,
      y: toNumber(point[which]),
      text: `net ${signed(point.net)}, gross ${signed(point.gross)} USD`,
    }));
  return (
    <Panel title="Cumulative profit" tools={<span class="note">{"— net  ┄ gross of fees and funding"}</span>}>
      <LineChart
        label="Cumulative profit"
        points={line("net")}
        others={[{ tone: "gross", dash: [2, 3], points: line("gross") }]}
        fromZero
        isRead={days !== null}
        height={220}
      />
    </Panel>
  );
}

const STEPS = { day: "Day", week: "Week", month: "Month" };

function MoneyPanel({ days }: { days: Row[] | null }) {
  const [step, setStep] = inAddress("step", STEPS, "day");
  const bars = useMemo(
    () =>
      bySteps(days ?? [], step).map((row) => ({
        key: row.key,
        value: toNumber(row.net_pnl),
        text: `${stepName(row.key, step)}: net ${signed(row.net_pnl)}, gross ${signed(row.closed_pnl)}, fees ${usd(row.fees)}, funding ${signed(row.funding)}`,
        name: step === "month" ? row.key.slice(0, 7) : row.key.slice(5),
        tone: (sign(row.net_pnl) < 0 ? "down" : "up") as "up" | "down",
      })),
    [days, step],
  );
  return (
    <Panel
      title={`Net PnL by ${step}`}
      tools={<Choice label="Step" choices={STEPS} chosen={step} choose={setStep} />}
    >
      <ColumnChart label={`Net PnL by ${step}`} bars={bars} isRead={days !== null} />
    </Panel>
  );
}

const stepName = (key: string, step: Step) =>
  step === "month" ? key.slice(0, 7) : step === "week" ? `week of ${key}` : key;

function DistributionPanel({ rows, isRead }: { rows: Row[]; isRead: boolean }) {
  const closed = useMemo(() => rows.filter((row) => row.complete && row.closed_ms !== null), [rows]);
  const bars = useMemo(
    () =>
      distribution(
        closed.map((row) => row.net_pnl),
        BINS,
      ).map((bin) => ({
        key: String(bin.from),
        value: bin.count,
        text: `${bin.from.toLocaleString("en-US")} to ${bin.to.toLocaleString("en-US")} USD: ${counted(bin.count, "trade")}`,
        name: bin.from.toLocaleString("en-US"),
        tone: (bin.from < 0 ? "down" : "up") as "up" | "down",
      })),
    [closed],
  );
  return (
    <Panel
      title="Trades by net PnL"
      tools={<span class="note">{isRead ? counted(closed.length, "closed trade") : ""}</span>}
    >
      <ColumnChart label="Number of trades by their net PnL" bars={bars} height={220} isRead={isRead} />
    </Panel>
  );
}

function StepsPanel({ days }: { days: Row[] | null }) {
  return (
    <Panel title="From gross to net">
      <Bars
        label="Gross, fees, funding and net of the period"
        rows={profitSteps(days?.length ? totalOf(days) : null)}
      />
    </Panel>
  );
}

const GROUPS = { coin: "Coin", side: "Side", weekday: "Week day", month: "Month", account: "Account" };
const WEEKDAYS = ["", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

function GroupPanel({ model, from, reach }: { model: Model; from: number; reach: number | null }) {
  const [by, setBy] = inAddress("group", GROUPS, "coin");
  const accounts: Row[] = model.status?.accounts ?? [];
  const path = "/api/statistics";
  const asked: Asked[] =
    by === "account"
      ? accounts.map(({ address }) => [path, { account: address, by: "all", from, fills: reach }])
      : [[path, { account: model.account, by, from, zone: zoneAsked, fills: reach }]];
  const answers = useAnswers(asked, reach ? SELDOM_MS : AGAIN_MS).data;
  const rows = useMemo(
    () =>
      (answers ?? []).flatMap(({ rows }, index) =>
        by === "account"
          ? rows.map((row: Row) => ({
              ...row,
              key: accounts[index]?.address,
              name: accountName(accounts[index]),
            }))
          : rows,
      ),
    [answers, by],
  );
  const columns = useMemo(() => [groupColumn(by), ...GROUP_FIGURES], [by]);
  return (
    <DataTable
      key={by}
      name="groups"
      title={`By ${GROUPS[by].toLowerCase()}`}
      rows={rows}
      columns={columns}
      rowKey={(row) => row.key}
      fits
      empty={answers === null ? "Reading…" : "No trade was closed in this period"}
      extra={<Choice label="Group" choices={GROUPS} chosen={by} choose={setBy} />}
    />
  );
}

const groupColumn = (by: keyof typeof GROUPS): Column =>
  group(GROUPS[by], (row) =>
    by === "weekday" ? WEEKDAYS[Number(row.key)] : by === "side" ? SIDES[row.key] : (row.name ?? row.key),
  );
const SIDES: Record<string, string> = { long: "Long", short: "Short" };
