/**
 * The files that tax programs import, one table each. Pure. `koinly` is its universal layout
 * (support.koinly.io/en/articles/9489976, tags 9490023), `cointracking` the layout of its CSV import. Times are UTC, to
 * the second.
 */
import { gt, sub } from "../../runtime/decimal.ts";
import { csvCell } from "../exports.ts";
import { utcSecond } from "../words.ts";
import type { Amount, Movement, MovementKind } from "./movements.ts";

export interface Layout {
  header: string;
  /** One line, or more where the layout has no place for a fee. */
  lines(movement: Movement): string[];
}

const line = (cells: readonly (string | null | undefined)[]): string =>
  cells.map((text) => csvCell(text ?? "")).join(",");

const commentOf = ({ comment, rows }: Movement): string => (rows > 1 ? `${comment} (${rows} rows)` : comment);

const KOINLY_TAG: Record<MovementKind, string> = {
  trade: "",
  profit: "realized gain",
  tradingFee: "futures fee",
  funding: "funding fee",
  deposit: "",
  withdrawal: "",
  reward: "reward",
  airdrop: "airdrop",
  interest: "lending interest",
  loanFee: "loan fee",
  cost: "cost",
};

const koinly: Layout = {
  header:
    "Date,Sent Amount,Sent Currency,Received Amount,Received Currency,Fee Amount,Fee Currency,Net Worth Amount,Net Worth Currency,Tag,Description,TxHash",
  lines(movement) {
    const { atMs, sent, received, fee, kind, hash } = movement;
    const cells = [
      `${utcSecond(atMs)} UTC`,
      ...[sent?.amount, sent?.token, received?.amount, received?.token, fee?.amount, fee?.token],
      ...["", "", KOINLY_TAG[kind], commentOf(movement), hash],
    ];
    return [line(cells)];
  },
};

/** What comes, what goes. */
const COINTRACKING_TYPE: Record<MovementKind, readonly [string, string]> = {
  trade: ["Trade", "Trade"],
  profit: ["Derivatives / Futures Profit", "Derivatives / Futures Loss"],
  tradingFee: ["Other Income", "Margin Fee"],
  funding: ["Other Income", "Other Fee"],
  deposit: ["Deposit", "Deposit"],
  withdrawal: ["Withdrawal", "Withdrawal"],
  reward: ["Reward / Bonus", "Other Fee"],
  airdrop: ["Airdrop", "Other Fee"],
  interest: ["Interest Income", "Borrowing Fee"],
  loanFee: ["Interest Income", "Borrowing Fee"],
  cost: ["Other Income", "Other Fee"],
};

const GROUP: Partial<Record<MovementKind, string>> = {
  profit: "Perps",
  tradingFee: "Perps",
  funding: "Funding",
  trade: "Spot",
};

const cointracking: Layout = {
  header:
    "Type,Buy Amount,Buy Currency,Sell Amount,Sell Currency,Fee,Fee Currency,Exchange,Trade-Group,Comment,Date,Tx-ID",
  lines(movement) {
    const { fee, received, sent, kind, atMs, hash } = movement;
    const row = (type: string, buy: Amount | null, sell: Amount | null) =>
      line([
        ...[type, buy?.amount, buy?.token, sell?.amount, sell?.token, "", ""],
        ...["Hyperliquid", GROUP[kind], commentOf(movement), utcSecond(atMs), hash],
      ]);
    const type = COINTRACKING_TYPE[kind][received ? 0 : 1];
    if (fee === null) return [row(type, received, sent)];
    // Amounts are what came and went: nothing depends on how the columns of the fee are read.
    if (received?.token === fee.token && gt(received.amount, fee.amount))
      return [row(type, { ...received, amount: sub(received.amount, fee.amount) }, sent)];
    return [row(type, received, sent), row("Other Fee", null, fee)];
  },
};

export const LAYOUTS = { koinly, cointracking } as const satisfies Record<string, Layout>;
export type LayoutName = keyof typeof LAYOUTS;
