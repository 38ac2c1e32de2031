/**
 * All accounts beside each other: their sum, a table to compare them, their equity in one chart, what they hold. Guarantees:
 * a sum of which a part is not known is not known; what one account holds in the vault of another counts once.
 */

import { useMemo } from "preact/hooks";
import { Bars } from "./charts.tsx";
import { shortWords } from "./day.ts";
import { compare, isDecimal, negate, subtract, sum, toNumber, trim } from "./decimal.ts";
import { type Asked, useAnswers } from "./fetching.ts";
import { counted, day, direction, signed, stampAt, usd } from "./format.ts";
import { type Line, LineChart } from "./lines.tsx";
import { accountName, byKey, type Model, type Row, serverNow } from "./model.ts";
import { exposure, importedPoint, SPANS, type Span, spanStart } from "./overview.tsx";
import { Choice, Panel } from "./panel.tsx";
import { inAddress } from "./settings.ts";
import { DataTable } from "./table.tsx";
import { POSITIONS } from "./tables.tsx";
import { tile } from "./tile.tsx";
import { ACCOUNTS, accountColumn } from "./tradeTables.tsx";
import { cumulative } from "./trading.ts";
import { zoneAsked } from "./zone.ts";

/** Accounts that are read one by one; of more the first. */
const ACCOUNTS_MAX = 30;
const NOW_MS = 3_000;
const HISTORY_MS = 20_000;
const SELDOM_MS = 60_000;
const POINTS = 300;
/** Colors of the style sheet; further accounts have them again, in dashes. */
const COLORS = 6;
const POSITION_COLUMNS = [accountColumn, ...POSITIONS];

const nameOf = (account: Row): string => account.alias ?? accountName(account);

/** One question for each account. */
const useOfEach = (accounts: Row[], path: string, query: Asked[1], everyMs: number) =>
  useAnswers(
    accounts.map(({ address }): Asked => [path, { account: address, ...query }]),
    everyMs,
  ).data;

export function All({ model }: { model: Model }) {
  const known: Row[] = model.status?.accounts ?? [];
  const accounts = known.slice(0, ACCOUNTS_MAX);
  const overviews = useOfEach(accounts, "/api/overview", { zone: zoneAsked }, NOW_MS);
  const held = useOfEach(accounts, "/api/positions", {}, NOW_MS);
  const particulars = useOfEach(accounts, "/api/particulars", {}, SELDOM_MS);
  const statistics = useOfEach(accounts, "/api/statistics", {}, SELDOM_MS);
  const rows = useMemo(
    () =>
      accounts.map(
        (account, index): Row => ({
          ...{ ...account, ...overviews?.[index], name: nameOf(account) },
          max_drawdown_pct: statistics?.[index]?.history?.max_drawdown_pct ?? null,
        }),
      ),
    [overviews, statistics, model.status],
  );
  const positions = useMemo(
    () =>
      (held ?? [])
        .flatMap(({ rows: own }, index) =>
          own.map((row: Row): Row => ({ ...row, account: nameOf(accounts[index]) })),
        )
        .sort((a, b) => compare(b.position_value ?? "0", a.position_value ?? "0")),
    [held],
  );
  const within = useMemo(() => heldWithin(particulars, accounts), [particulars]);
  if (overviews === null) return <p class="empty">Reading…</p>;
  return (
    <div class="overview all">
      {known.length > ACCOUNTS_MAX ? (
        <p class="note">{`The first ${ACCOUNTS_MAX} of ${known.length} accounts; for all of them ask SQL: hl_account_now`}</p>
      ) : null}
      <Sums rows={rows} positions={positions} within={within} />
      <div class="columns">
        <div class="column">
          <LinesPanel model={model} accounts={accounts} hasSum={within === "0"} />
        </div>
        <div class="column">
          <CoinsPanel positions={positions} />
        </div>
      </div>
      <DataTable
        name="accounts"
        title="Accounts"
        rows={rows}
        columns={ACCOUNTS}
        rowKey={(row) => row.address}
        href={(row) => `#overview?account=${row.address}`}
        fits
        inAddress
      />
      <DataTable
        name="allPositions"
        title="Positions of all accounts"
        rows={positions}
        columns={POSITION_COLUMNS}
        rowKey={({ account_address, dex, coin }) => `${account_address} ${dex} ${coin}`}
        fits={positions.length < 60}
        inAddress="positions"
        empty={held === null ? "Reading…" : "No open position"}
      />
    </div>
  );
}

/** What the listed accounts have in vaults that are listed too; null while it is not known. */
function heldWithin(particulars: Row[] | null, accounts: Row[]): string | null {
  if (particulars === null) return null;
  const listed = new Set(accounts.map(({ address }) => address));
  const vaults: Row[] = particulars.flatMap(({ vaults }) => vaults);
  return trim(sum(vaults.filter((one) => listed.has(one.vault_address)).map((one) => one.equity ?? "0")));
}

/** Null when one of them is not known. */
function sumOf(rows: Row[], name: string): string | null {
  const values = rows.map((row) => row[name]);
  return values.every(isDecimal) ? trim(sum(values)) : null;
}

function Sums({ rows, positions, within }: { rows: Row[]; positions: Row[]; within: string | null }) {
  const worth = sumOf(rows, "net_worth");
  const unknown = rows.filter((row) => !isDecimal(row.net_worth)).map(({ name }) => name);
  const asOf = Math.min(...rows.map(({ as_of_ms }) => as_of_ms ?? Number.POSITIVE_INFINITY));
  const { gross, net, unrealized } = exposure(positions);
  const [dayNet, dayGross, dayFees, dayFunding] = ["day_net", "day_gross", "day_fees", "day_funding"].map(
    (name) => sumOf(rows, name),
  );
  const fees = dayFees === null ? null : negate(dayFees);
  const colored = (value: string | null) => <span class={direction(value)}>{signed(value)}</span>;
  return (
    <dl class="tiles sums">
      {tile(
        "all_net_worth",
        "Net worth",
        usd(worth === null || within === null ? null : subtract(worth, within)),
        unknown.length > 0
          ? `unknown of ${unknown.join(", ")}`
          : [
              `${counted(rows.length, "account")}, as of `,
              <span class="together">{stampAt(Number.isFinite(asOf) ? asOf : null).slice(11)}</span>,
              within !== null && within !== "0" ? `; ${usd(within)} in vaults of theirs counted once` : "",
            ],
        { hero: true },
      )}
      {tile("all_equity", "Equity", usd(sumOf(rows, "account_value")), "margin equity at the venue")}
      {tile("all_unrealized", "Unrealized PnL", colored(unrealized), counted(positions.length, "position"))}
      {tile("all_day_net", "Net PnL today", colored(dayNet), `gross ${signed(dayGross)}`)}
      {tile(
        "all_day_fees",
        "Fees today",
        colored(fees),
        counted(
          rows.reduce((count, row) => count + (row.day_fills ?? 0), 0),
          "fill",
        ),
      )}
      {tile("all_day_funding", "Funding today", colored(dayFunding), "")}
      {tile("all_exposure", "Exposure gross", usd(gross), [
        <span class="together">{`net ${signed(net)}`}</span>,
      ])}
    </dl>
  );
}

const WHAT = { worth: "Net worth", profit: "Net PnL" };

function LinesPanel({ model, accounts, hasSum }: { model: Model; accounts: Row[]; hasSum: boolean }) {
  const [span, setSpan] = inAddress("range", SPANS, "all" as Span);
  const [what, setWhat] = inAddress("what", WHAT, "worth");
  const minute = Math.floor(serverNow(model) / 60_000);
  const from = useMemo(() => spanStart(span, serverNow(model)), [span, minute]);
  const isWorth = what === "worth";
  const equity = useOfEach(isWorth ? accounts : [], "/api/equity", { from, points: POINTS }, HISTORY_MS);
  const curves = useOfEach(isWorth ? accounts : [], "/api/portfolio", { scope: "all", from }, SELDOM_MS);
  const profits = useOfEach(
    isWorth ? [] : accounts,
    "/api/pnl",
    { by: "day", from, zone: zoneAsked },
    HISTORY_MS,
  );
  const drawn = useMemo(
    () => (isWorth ? worthLines(accounts, equity, curves) : profitLines(accounts, profits, serverNow(model))),
    [equity, curves, profits, isWorth],
  );
  const total = useMemo(
    () => (hasSum || !isWorth ? totalLine(drawn.flatMap(({ all }) => [all])) : []),
    [drawn, hasSum, isWorth],
  );
  const lines = useMemo(() => drawn.flatMap(({ lines }) => lines), [drawn]);
  const capturedMs = Math.max(...drawn.map(({ sinceMs }) => sinceMs ?? 0));
  return (
    <Panel
      title={`${WHAT[what]} of each account`}
      tools={[
        <Choice label="What" choices={WHAT} chosen={what} choose={setWhat} />,
        <Choice label="Span" choices={SPANS} chosen={span} choose={setSpan} />,
      ]}
    >
      {profits?.map((answer, index) => {
        const short = shortWords(answer);
        return short && <p class="note">{`${nameOf(accounts[index])}: ${short}`}</p>;
      })}
      <LineChart
        label={`${WHAT[what]} of each account and of all`}
        points={total}
        name="All"
        others={lines}
        height={320}
        fromZero={!isWorth}
        importedUntilMs={isWorth ? capturedMs : undefined}
        since={
          isWorth && capturedMs > from
            ? { x: capturedMs, text: `the venue's curves before ${day(capturedMs)}` }
            : null
        }
      />
      <ul class="legend">
        {total.length > 0 ? legend("line", "All") : null}
        {accounts.map((account, index) => legend(toneOf(index), nameOf(account)))}
      </ul>
    </Panel>
  );
}

const legend = (tone: string, name: string) => (
  <li key={name}>
    <span class={`swatch stroke ${tone}`} aria-hidden="true" />
    {name}
  </li>
);

const toneOf = (index: number) => `line-${(index % COLORS) + 1}`;
const dashOf = (index: number) => (index < COLORS ? undefined : [6, 3]);

interface Value {
  x: number;
  value: string;
}
interface Drawn {
  lines: Line[];
  /** All points of the account. */
  all: Value[];
  /** Since when it was measured here. */
  sinceMs: number | null;
}

const pointOf = ({ x, value }: Value) => ({ x, y: toNumber(value), text: `${usd(value)} USD` });

/** The venue's curve up to the first snapshot, dashed, and what was measured since. */
function worthLines(accounts: Row[], equity: Row[] | null, curves: Row[] | null): Drawn[] {
  if (equity === null || curves === null) return [];
  return accounts.map((account, index) => {
    const sinceMs: number | null = equity[index].captured_since_ms;
    const own: Value[] = equity[index].rows
      .filter((row: Row) => isDecimal(row.net_worth))
      .map((row: Row) => ({ x: row.as_of_ms, value: row.net_worth }));
    const before: Value[] = curves[index].rows
      .filter(
        (row: Row) => row.time_ms < (sinceMs ?? Number.POSITIVE_INFINITY) && isDecimal(row.account_value),
      )
      .map((row: Row) => ({ x: row.time_ms, value: row.account_value }));
    const line = { tone: toneOf(index), name: nameOf(account) };
    return {
      sinceMs: before.length > 0 ? sinceMs : null,
      all: [...before, ...own],
      lines: [
        { ...line, dash: [3, 3], points: before.map((one) => importedPoint(one.x, one.value)) },
        { ...line, dash: dashOf(index), points: own.map(pointOf) },
      ],
    };
  });
}

function profitLines(accounts: Row[], profits: Row[] | null, nowMs: number): Drawn[] {
  if (profits === null) return [];
  return accounts.map((account, index) => {
    const all = cumulative(profits[index].rows, day(nowMs)).map(({ ms, net }) => ({ x: ms, value: net }));
    const points = all.map(({ x, value }) => ({ x, y: toNumber(value), text: `${signed(value)} USD` }));
    return {
      sinceMs: null,
      all,
      lines: [{ tone: toneOf(index), name: nameOf(account), dash: dashOf(index), points }],
    };
  });
}

/** The sum of what was last known of each, from when all are known. */
function totalLine(all: Value[][]) {
  const known = all.filter((values) => values.length > 0);
  if (known.length < 2 || known.length < all.length) return [];
  const from = Math.max(...known.map((values) => values[0].x));
  const times = [...new Set(known.flatMap((values) => values.map(({ x }) => x)))]
    .filter((x) => x >= from)
    .sort((a, b) => a - b);
  const at = known.map(() => 0);
  return times.map((x) => {
    const parts = known.map((values, index) => {
      while (values[at[index] + 1]?.x <= x) at[index] += 1;
      return values[at[index]].value;
    });
    return pointOf({ x, value: trim(sum(parts)) });
  });
}

function CoinsPanel({ positions }: { positions: Row[] }) {
  const rows = byKey(positions, ({ name, coin }) => name ?? coin).map(([coin, own]) => {
    const { gross, net } = exposure(own);
    return {
      key: coin,
      name: coin,
      value: toNumber(net),
      text: signed(net),
      note: `gross ${usd(gross)} in ${counted(own.length, "position")}`,
    };
  });
  return (
    <Panel title="Net exposure by coin">
      <Bars label="Net exposure by coin, all accounts together" rows={rows} />
    </Panel>
  );
}
