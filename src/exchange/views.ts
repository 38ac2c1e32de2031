/**
 * What people ask of the whole exchange, as views. Pure: text with `{db}` for the database. Guarantees: a fill that was loaded
 * twice counts once; a sum that lacks a part says so in a column, as a number of fees that have no price in dollars. Assumes
 * that the rows of one fill say the same: `PREWHERE` chooses before doubles are left out, so that few rows are compared.
 */
import { DOLLAR_TOKENS } from "../sync/accountSnapshot.ts";

interface View {
  name: string;
  comment: string;
  select: string;
}

const DOLLARS = `(${[...DOLLAR_TOKENS].map((token) => `'${token}'`).join(", ")})`;
const IS_PERP = "NOT (coin LIKE '@%' OR coin LIKE '%/%' OR match(coin, '^([#+]|o[0-9]+$)'))";
/** What was bought is worth what was paid for it: the rule of `hl_fill_pnl`. */
const FEE_USDC = `multiIf(fee = 0 OR fee_token IN ${DOLLARS}, CAST(fee, 'Nullable(Decimal(38, 18))'),
    side = 'buy' AND (coin LIKE '@%' OR coin LIKE '%/%' OR concat('+', substring(coin, 2)) = fee_token), CAST(toDecimal256(fee, 18) * price, 'Nullable(Decimal(38, 18))'), NULL)`;

const TRADERS: View = {
  name: "traders",
  comment:
    "Every account with what it earned: net_pnl = closed_pnl − fees + funding, over all that is loaded; null where a fee or a priority tip has no price.",
  select: `SELECT account, sum(fills) AS fills, sum(volume) AS volume, sum(closed_pnl) AS closed_pnl, sum(fees) AS fees,
  sum(funding) AS funding, sum(unpriced_fees) AS unpriced_fees,
  if(unpriced_fees > 0, NULL, closed_pnl - fees + funding) AS net_pnl
FROM (
  SELECT account, count() AS fills, sum(value) AS volume, sum(closed_pnl) AS closed_pnl, sum(ifNull(fee_usdc, 0)) AS fees,
    toDecimal128(0, 18) AS funding, countIf(isNull(fee_usdc) OR ifNull(priority_gas, 0) > 0) AS unpriced_fees
  FROM (SELECT account, value, closed_pnl, priority_gas, ${FEE_USDC} AS fee_usdc FROM {db}.fills FINAL)
  GROUP BY account
  UNION ALL
  SELECT account, 0, toDecimal128(0, 20), toDecimal128(0, 18), toDecimal128(0, 18), sum(usdc), 0 FROM {db}.funding FINAL GROUP BY account
)
GROUP BY account`,
};

const COIN_DAYS: View = {
  name: "coin_days",
  comment: "Volume by coin and day: a trade counts once.",
  select: `SELECT toDate(time) AS day, coin, sumIf(value, side = 'buy') AS volume, countIf(side = 'buy') AS trades,
  uniqExact(cityHash64(account)) AS accounts
FROM {db}.fills FINAL
GROUP BY day, coin`,
};

const OPEN_INTEREST: View = {
  name: "open_interest",
  comment:
    "Open interest of perps by coin, from the last fill of each account that is loaded: complete where files reach back to the first.",
  select: `SELECT coin, sumIf(position, position > 0) AS longs, -sumIf(position, position < 0) AS shorts,
  countIf(position != 0) AS accounts, max(time) AS as_of
FROM {db}.positions FINAL
WHERE ${IS_PERP}
GROUP BY coin`,
};

const LIQUIDATIONS: View = {
  name: "liquidations",
  comment: "Fills by which an account was liquidated.",
  select: `SELECT time, coin, account, side, size, price, value, liquidation_mark AS mark_price, liquidation_method AS method,
  closed_pnl, direction, block, hash
FROM {db}.fills FINAL
PREWHERE ifNull(liquidated_user, '') = account OR direction LIKE 'Liquidated%'`,
};

const BUILDER_DAYS: View = {
  name: "builder_days",
  comment: "What builders earned by day and token; builder is null where the file does not name it.",
  select: `SELECT toDate(time) AS day, builder, fee_token AS token, sum(builder_fee) AS revenue, sum(value) AS volume,
  count() AS fills, uniqExact(account) AS accounts
FROM {db}.fills FINAL
PREWHERE builder_fee != 0
GROUP BY day, builder, token`,
};

const ACCOUNT_FILLS: View = {
  name: "account_fills",
  comment: "One account's fills: SELECT * FROM account_fills(account = '0x…') ORDER BY time.",
  select: "SELECT * FROM {db}.fills FINAL WHERE account = lower({account:String})",
};

export const VIEWS: readonly View[] = [
  ...[TRADERS, COIN_DAYS, OPEN_INTEREST, LIQUIDATIONS, BUILDER_DAYS, ACCOUNT_FILLS],
];
