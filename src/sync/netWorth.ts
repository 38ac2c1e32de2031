/**
 * Net worth: everything an account owns at the venue, in USD (docs/equity.md). Pure.
 *
 * Guarantees: a part that is not known, or a token without a price, makes it null with the reason, never a smaller number;
 * every part stands beside it, with the time it was read, so that the database can tell a snapshot into which money was moving
 * (`hl_internal.torn_by`). In unified and portfolio-margin mode the spot totals contain the perps.
 */
import type { WireClearinghouseState, WireSpotState } from "../protocol/schemas.ts";
import { add, type Decimal, isZero, mul, normal, sum } from "../runtime/decimal.ts";
import { type AccountMode, ownTotal } from "./accountSnapshot.ts";
import type { Token } from "./prices.ts";

/** The venue's time at which something was true lies in it, both ends inclusive. */
export interface ReadAt {
  fromMs: number;
  toMs: number;
}
export interface Reading extends ReadAt {
  amount: Decimal;
}

export interface Possessions {
  mode: AccountMode;
  /** The venue's time of the snapshot. */
  asOfMs: number;
  perps: ReadonlyMap<string, WireClearinghouseState>;
  /** Dexes that must be in `perps`. */
  dexesInUse: ReadonlySet<string>;
  spot: WireSpotState | null;
  /** Null before spot was read. */
  spotRead: ReadAt | null;
  /** Equity in vaults, in USD; null while not known. */
  vaults: Reading | null;
  /** HYPE in the stake, also what is on its way out; null while not known. */
  stake: Reading | null;
  priceOf(token: Token): Decimal | null;
  /** False where the spot totals may or may not contain the perps. */
  isModeKnown: boolean;
  /** What money came and went is read. */
  areFlowsKnown: boolean;
}

interface TokenPart {
  coin: string;
  /** Held and not owed. */
  amount: Decimal;
  price: Decimal | null;
  value: Decimal | null;
}

/** What a net worth was made of: stored as JSON, decimals as strings. */
export interface NetWorthParts {
  /** By dex; absent where the spot totals contain them. */
  perps?: Record<string, Decimal>;
  tokens: TokenPart[];
  vaults: Decimal | null;
  stake: TokenPart | null;
  /** By pocket, as `hl_internal.ledger_effect` names them: [fromMs, toMs]. */
  read: Record<string, [fromMs: number, toMs: number]>;
}

/** Why neither equity is known then. */
export const MODE_UNKNOWN = "how the account pools its collateral (userAbstraction) could not be read";

interface NetWorth {
  value: Decimal | null;
  reason: string | null;
  parts: NetWorthParts;
}

export const STAKED_TOKEN = "HYPE";

export const heldTokens = (spot: WireSpotState | null): WireSpotState["balances"] =>
  (spot?.balances ?? []).filter((balance) => !isZero(ownTotal(balance)));

/** A part that is so much older than the snapshot says nothing about it: trades since then are not in it. */
const APART_MAX_MS = 120_000;
const clockTime = (ms: number): string => `${new Date(ms).toISOString().slice(11, 19)} UTC`;
const named = (dex: string): string => (dex === "" ? "the first dex" : dex);

export function netWorthOf(own: Possessions): NetWorth {
  const missing: string[] = [];
  const read: NetWorthParts["read"] = {};
  const note = (pocket: string, { fromMs, toMs }: ReadAt) => {
    read[pocket] = [fromMs, toMs];
  };
  const parts: NetWorthParts = { tokens: [], vaults: own.vaults?.amount ?? null, stake: null, read };
  if (!own.areFlowsKnown) missing.push("the ledger could not be read: money may have come or gone unseen");
  if (!own.isModeKnown) missing.push(MODE_UNKNOWN);
  if (own.mode === "standard") parts.perps = perpsOf(own, missing, read);
  if (own.spot === null || own.spotRead === null) missing.push("the spot state is not known yet");
  else {
    note("spot", own.spotRead);
    if (own.asOfMs - own.spotRead.toMs > APART_MAX_MS)
      missing.push(`no spot state since ${clockTime(own.spotRead.toMs)}`);
  }
  for (const balance of heldTokens(own.spot))
    parts.tokens.push(priced(balance.coin, normal(ownTotal(balance)), own.priceOf(balance), missing));
  if (own.vaults) note("vaults", own.vaults);
  else missing.push("the equity in vaults is not known yet");
  if (own.stake) {
    note("stake", own.stake);
    const price = isZero(own.stake.amount) ? "0" : own.priceOf({ coin: STAKED_TOKEN });
    parts.stake = priced(STAKED_TOKEN, normal(own.stake.amount), price, missing);
  } else missing.push("the stake is not known yet");
  if (missing.length > 0) return { value: null, reason: [...new Set(missing)].join("; "), parts };
  const value = sum([
    ...Object.values(parts.perps ?? {}),
    ...[...parts.tokens, parts.stake!].map((token) => token.value!),
    parts.vaults!,
  ]);
  return { value: normal(value), reason: null, parts };
}

function perpsOf(
  { perps, dexesInUse, asOfMs }: Possessions,
  missing: string[],
  read: NetWorthParts["read"],
): Record<string, Decimal> {
  const values: Record<string, Decimal> = {};
  for (const dex of dexesInUse)
    if (!perps.has(dex)) missing.push(`the state of ${named(dex)} is not known yet`);
  for (const [dex, { marginSummary, time }] of perps) {
    values[dex] = add(marginSummary.accountValue, "0");
    // A state of 2023 has no time.
    if (!time) continue;
    read[`perp:${dex}`] = [time, time];
    if (dexesInUse.has(dex) && asOfMs - time > APART_MAX_MS)
      missing.push(`no state of ${named(dex)} since ${clockTime(time)}`);
  }
  return values;
}

function priced(coin: string, amount: Decimal, price: Decimal | null, missing: string[]): TokenPart {
  if (price === null) missing.push(`no price is known for ${coin}`);
  return { coin, amount, price, value: price === null ? null : normal(mul(amount, price)) };
}
