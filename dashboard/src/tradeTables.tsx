/** The columns of what trades came to, and of the trades. */
import type { Column } from "./arrange.ts";
import { digits, dollars, shownAs, sideCell, signedCell, time, timeCell, wholes, words } from "./cells.tsx";
import { isDecimal, round, sign } from "./decimal.ts";
import { age, exact, NOTHING, percent, usd } from "./format.ts";
import type { Row } from "./model.ts";

const money = shownAs((value) => signedCell(value));
const share = shownAs((value) => percent(value));
const lasting = shownAs((seconds) => (seconds === null ? NOTHING : age(Number(seconds) * 1000)));

/** What a group is called where its key is none: `key` is kept for sorting. */
export const group = (title: string, show: (row: Row) => string): Column =>
  words("key", title, { show: (row) => <strong>{show(row)}</strong> });

export const GROUP_FIGURES: Column[] = [
  wholes("trades", "Trades"),
  share("win_rate_pct", "Win rate"),
  money("net_pnl", "Net"),
  money("closed_pnl", "Gross"),
  dollars("fees", "Fees"),
  money("funding", "Funding"),
  dollars("profit_factor", "Profit factor", { hint: "Sum of the wins over sum of the losses, net" }),
  dollars("payoff_ratio", "Payoff", { hint: "Average win over average loss, net" }),
  money("expectancy", "Expectancy", { hint: "Net profit of an average trade" }),
  money("average_win", "Average win", { hidden: true }),
  money("average_loss", "Average loss", { hidden: true }),
  money("best_trade", "Best"),
  money("worst_trade", "Worst"),
  lasting("average_seconds", "Held", { hint: "On average, from the first fill to flat" }),
  wholes("win_streak", "Wins in a row"),
  wholes("loss_streak", "Losses in a row"),
  share("in_market_pct", "In market", {
    hint: "Of the time from the first trade to the last; of all trades, coins and sides",
  }),
];

export const ROUND_TRIPS: Column[] = [
  time("closed_ms", "Closed", {
    show: (row) => (row.closed_ms === null ? <span class="warn">open</span> : timeCell(row.closed_ms)),
  }),
  time("opened_ms", "Opened"),
  words("coin", "Coin", { facet: "All coins", show: (row) => <strong>{row.name ?? row.coin}</strong> }),
  words("side", "Side", { facet: "Both sides", show: (row) => sideCell(row.side) }),
  digits("max_size", "Largest size"),
  digits("entry_price", "Entry", { show: (row) => averagePrice(row.entry_price) }),
  digits("exit_price", "Exit", { show: (row) => averagePrice(row.exit_price) }),
  money("net_pnl", "Net"),
  money("closed_pnl", "Gross"),
  dollars("fees", "Fees"),
  money("funding", "Funding"),
  lasting("seconds", "Held"),
  share("mae_pct", "MAE", {
    hint: "How far the price went against it, in percent of the entry",
    show: excursion("mae_pct"),
  }),
  share("mfe_pct", "MFE", {
    hint: "How far the price went for it, in percent of the entry",
    show: excursion("mfe_pct"),
  }),
  wholes("fills", "Fills"),
  words("outcome", "Result", {
    hidden: true,
    facet: "Every result",
    value: (row) =>
      row.closed_ms === null
        ? "open"
        : sign(row.net_pnl) > 0
          ? "win"
          : sign(row.net_pnl) < 0
            ? "loss"
            : "even",
  }),
  words("complete", "Complete", { hidden: true, value: (row) => (row.complete ? "yes" : "no") }),
  words("liquidated", "Liquidated", { hidden: true, value: (row) => (row.liquidated ? "yes" : "no") }),
];

export const accountColumn: Column = words("account", "Account", {
  facet: "All accounts",
  show: (row) => <strong>{row.account}</strong>,
});

/** Accounts beside each other: what each is worth, how safe it is, what it made today. */
export const ACCOUNTS: Column[] = [
  words("name", "Account", { show: (row) => <strong>{row.name}</strong> }),
  words("address", "Address", { hidden: true }),
  dollars("net_worth", "Net worth", { hint: "Everything the account owns at the venue" }),
  dollars("account_value", "Equity", { hint: "Margin equity" }),
  wholes("health_score", "Health", {
    show: (row) =>
      row.fresh === false ? (
        <span class="warn" title="What is known is old">{`▲ ${row.health_score ?? NOTHING}`}</span>
      ) : (
        <span title={row.health_reason}>{row.health_score ?? NOTHING}</span>
      ),
  }),
  money("unrealized_pnl", "Unrealized PnL"),
  money("day_net", "Net today"),
  money("day_gross", "Gross today"),
  dollars("day_fees", "Fees today"),
  money("day_funding", "Funding today"),
  wholes("day_fills", "Fills today"),
  dollars("gross_exposure", "Exposure"),
  money("net_exposure", "Net exposure"),
  digits("actual_leverage", "Leverage", {
    show: (row) => (isDecimal(row.actual_leverage) ? `${usd(row.actual_leverage)}×` : NOTHING),
  }),
  share("drawdown_pct", "Drawdown", { hint: "From the peak of all time" }),
  share("max_drawdown_pct", "Deepest", {
    hint: "Deepest drawdown of all that is known, the venue's curve inside",
  }),
  wholes("positions", "Positions"),
  time("as_of_ms", "As of", { hidden: true }),
];

/** An average price has more digits than any fill of it: six that count are read. */
export function averagePrice(value: unknown) {
  if (!isDecimal(value)) return NOTHING;
  const whole = value.replace("-", "").split(".")[0];
  return exact(round(value, Math.max(0, (whole === "0" ? 8 : 6) - whole.length)));
}

function excursion(id: string) {
  return (row: Row) =>
    row[id] === null ? <span title={row.excursion_reason}>{NOTHING}</span> : percent(row[id]);
}
