/**
 * What a tax program books of the rows we store. Pure. Guarantees: token by token, what is received less what is sent and
 * paid as fees is what the rows did to what the account owns; nothing is priced or rounded. A perp is no holding: its
 * realised profit, its fees and its funding move the collateral. Money in a vault, in stake or in another pocket of the
 * account is still owned, so moving it is no movement; a withdrawal from a vault books what it brings beyond its cost.
 */
import { abs, add, type Decimal, gt, isZero, neg, sign, sub, sum } from "../../runtime/decimal.ts";
import { DOLLAR_TOKENS } from "../../sync/accountSnapshot.ts";
import { isPerp } from "../../sync/chain.ts";

export interface Amount {
  amount: Decimal;
  token: string;
}

export type MovementKind =
  | "trade"
  | "profit"
  | "tradingFee"
  | "funding"
  | "deposit"
  | "withdrawal"
  | "reward"
  | "airdrop"
  | "interest"
  | "loanFee"
  | "cost";

export interface Movement {
  atMs: number;
  kind: MovementKind;
  received: Amount | null;
  sent: Amount | null;
  /** Paid beside `sent`. */
  fee: Amount | null;
  /** Market, or the venue's type of the ledger row. */
  subject: string;
  comment: string;
  /** Null for the zero hash of system rows. */
  hash: string | null;
  /** How many rows were added up. */
  rows: number;
}

/** The tokens of a market: `base` is null for perps. */
export interface Market {
  base: string | null;
  quote: string;
}

/** Of `hl_fills_text`. */
export interface TaxFill {
  fill_time_ms: number;
  coin: string;
  side: string;
  size: Decimal;
  value: Decimal;
  fee: Decimal;
  fee_token: string | null;
  closed_pnl: Decimal;
  direction: string;
  hash: string | null;
  priority_gas: Decimal | null;
}

/** Of `hl_funding_text`. */
export interface TaxFunding {
  funding_time_ms: number;
  coin: string;
  usdc: Decimal;
}

/** Of `hl_ledger_text`, with some of the venue's own words. */
export interface TaxLedgerRow {
  ledger_time_ms: number;
  hash: string;
  type: string;
  effect: string | null;
  token: string | null;
  amount: Decimal | null;
  perp_usdc: Decimal | null;
  spot_usdc: Decimal | null;
  flow_usd: Decimal | null;
  earned_usd: Decimal | null;
  fee: Decimal | null;
  fee_token: string | null;
  arrives: boolean | null;
  basis: Decimal | null;
  net_withdrawn: Decimal | null;
}

const ZERO_HASH = /^0x0*$/;
const hashOf = (hash: string | null): string | null => (hash === null || ZERO_HASH.test(hash) ? null : hash);

type Facts = Pick<Movement, "atMs" | "subject" | "comment" | "hash">;

/** A signed amount as received or sent; nothing for zero. */
function moved(
  facts: Facts,
  kind: MovementKind | readonly [MovementKind, MovementKind],
  amount: Decimal,
  token: string,
): Movement[] {
  if (isZero(amount)) return [];
  const arrives = sign(amount) > 0;
  const side = { amount: abs(amount), token };
  return [
    {
      ...facts,
      kind: typeof kind === "string" ? kind : kind[arrives ? 0 : 1],
      received: arrives ? side : null,
      sent: arrives ? null : side,
      fee: null,
      rows: 1,
    },
  ];
}

/** Gas for priority is burned in this token. */
const GAS_TOKEN = "HYPE";

export function movementsOfFill(fill: TaxFill, { base, quote }: Market): Movement[] {
  const { coin, direction, fee, size, value } = fill;
  const facts: Facts = {
    atMs: fill.fill_time_ms,
    subject: coin,
    comment: `${base ?? coin} ${direction}`,
    hash: hashOf(fill.hash),
  };
  const feeToken = fill.fee_token ?? quote;
  const gas = moved(
    { ...facts, comment: `${coin} priority gas` },
    "cost",
    neg(fill.priority_gas ?? "0"),
    GAS_TOKEN,
  );
  if (base === null)
    return [
      ...moved(facts, "profit", fill.closed_pnl, quote),
      ...moved({ ...facts, comment: `${coin} trading fee` }, "tradingFee", neg(fee), feeToken),
      ...gas,
    ];
  const [got, gave] = fill.side === "buy" ? [base, quote] : [quote, base];
  const [gotAmount, gaveAmount] = fill.side === "buy" ? [size, value] : [value, size];
  const paysFee = gt(fee, "0");
  const trade: Movement = {
    ...facts,
    kind: "trade",
    received: { amount: gotAmount, token: got },
    sent: { amount: gaveAmount, token: gave },
    fee: paysFee ? { amount: fee, token: feeToken } : null,
    rows: 1,
  };
  // A rebate comes beside the trade.
  const rebate = paysFee ? [] : moved({ ...facts, comment: `${base} rebate` }, "reward", neg(fee), feeToken);
  return [trade, ...rebate, ...gas];
}

export const movementsOfFunding = (
  { funding_time_ms: atMs, coin, usdc }: TaxFunding,
  market: Market,
): Movement[] =>
  moved({ atMs, subject: coin, comment: `${coin} funding`, hash: null }, "funding", usdc, market.quote);

/** Null when its amounts are not told: then the row is not in the file. */
export function movementsOfLedger(row: TaxLedgerRow): Movement[] | null {
  const { type, effect, perp_usdc: perp, spot_usdc: spot } = row;
  const facts: Facts = {
    atMs: row.ledger_time_ms,
    subject: type,
    comment: type,
    hash: hashOf(row.hash),
  };
  const dollars = perp === null || spot === null ? null : add(perp, spot);
  const token = row.token || "USDC";
  const isDollar = DOLLAR_TOKENS.has(token);
  switch (effect) {
    case "flow":
      if (dollars === null) return null;
      return isDollar ? dollarFlow(row, facts, dollars, token) : tokenFlow(row, facts, dollars, token);
    case "inside":
      return insideMove(row, facts);
    case "income": {
      const kind = type === "spotGenesis" ? "airdrop" : "reward";
      const amount = isDollar ? dollars : row.amount;
      return amount === null ? null : moved(facts, kind, amount, token);
    }
    case "cost": {
      const amount = isDollar ? dollars : row.amount && neg(row.amount);
      return amount === null ? null : moved(facts, "cost", amount, token);
    }
    case "note":
      return [];
    default:
      return null;
  }
}

const BORDER = ["deposit", "withdrawal"] as const;

/** The fee is listed separately, since what arrives elsewhere is what other wallets know. */
function dollarFlow(row: TaxLedgerRow, facts: Facts, dollars: Decimal, token: string): Movement[] {
  const out = neg(dollars);
  const fee = row.fee !== null && DOLLAR_TOKENS.has(row.fee_token || "USDC") ? row.fee : "0";
  const [movement] = moved(facts, BORDER, dollars, token);
  if (!movement) return [];
  if (sign(fee) <= 0 || !gt(out, fee)) return [movement];
  return [{ ...movement, sent: { amount: sub(out, fee), token }, fee: { amount: fee, token } }];
}

function tokenFlow(row: TaxLedgerRow, facts: Facts, dollars: Decimal, token: string): Movement[] | null {
  const direction = row.flow_usd !== null && !isZero(row.flow_usd) ? sign(row.flow_usd) > 0 : row.arrives;
  if (direction === null || row.amount === null) return null;
  const amount = direction ? row.amount : neg(row.amount);
  // What moved in dollars beside it is the fee.
  return [...moved(facts, BORDER, amount, token), ...moved(facts, ["reward", "cost"], dollars, "USDC")];
}

function insideMove(row: TaxLedgerRow, facts: Facts): Movement[] | null {
  const { type, basis, net_withdrawn: came } = row;
  if (type === "vaultWithdraw")
    return basis === null || came === null ? null : moved(facts, "profit", sub(came, basis), "USDC");
  // What a vault gives back at its end, without telling what it cost.
  if (type === "vaultDistribution") return null;
  const kind = type === "borrowLend" ? (["interest", "loanFee"] as const) : (["reward", "cost"] as const);
  return moved(facts, kind, row.earned_usd ?? "0", row.token || "USDC");
}

/** What is known of a market's tokens. */
export interface MarketFacts {
  /** What buyers, and sellers, paid fees in: for spot the token they got. */
  bought: string | null;
  sold: string | null;
  /** As the venue lists it; for perps `quote` is the collateral. */
  base: string | null;
  quote: string | null;
}

export function marketOf(coin: string, { bought, sold, base, quote }: MarketFacts): Market {
  if (isPerp(coin)) return { base: null, quote: quote ?? sold ?? bought ?? "USDC" };
  const [ofName, inName] = coin.split("/", 2);
  // An outcome's token has its coin's number; a pair that is not listed and was never bought has no other name.
  const own = coin.startsWith("#") ? `+${coin.slice(1)}` : (ofName ?? coin);
  return { base: base ?? (inName ? own : (bought ?? own)), quote: quote ?? inName ?? sold ?? "USDC" };
}

const text = (amount: Amount | null): string => (amount ? `${amount.amount} ${amount.token}` : "");
const tokens = (movement: Movement): string[] =>
  [movement.received, movement.sent, movement.fee].map((amount) => amount?.token ?? "");

/**
 * The movements of one second with those added up that a tax program would take for one another: the executions of one
 * transaction in one market, and whatever else has the same amounts (of two equal rows the programs skip one).
 */
export function addedUp(movements: readonly Movement[]): Movement[] {
  const together = (rows: readonly Movement[], keyOf: (row: Movement) => readonly unknown[]): Movement[] => {
    const groups = Map.groupBy(rows, (row) => JSON.stringify(keyOf(row)));
    return [...groups.values()].map(joined);
  };
  const byOrder = together(movements, (row) => [
    row.kind,
    row.hash,
    row.subject,
    row.comment,
    ...tokens(row),
  ]);
  return together(byOrder, (row) => [row.kind, row.hash, text(row.received), text(row.sent), text(row.fee)]);
}

function joined(rows: readonly Movement[]): Movement {
  const [first] = rows as [Movement];
  if (rows.length === 1) return first;
  const total = (of: "received" | "sent" | "fee"): Amount | null =>
    first[of] && { token: first[of].token, amount: sum(rows.map((row) => row[of]!.amount)) };
  return {
    ...first,
    received: total("received"),
    sent: total("sent"),
    fee: total("fee"),
    comment: [...new Set(rows.map(({ comment }) => comment))].join(", "),
    rows: rows.reduce((all, row) => all + row.rows, 0),
  };
}
