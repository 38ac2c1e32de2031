/**
 * Reading a subscription: what the venue accepts, and the normalised form in which it echoes it back. Guarantees: the
 * normal form has a fixed key order with defaults filled in and addresses lower-cased, so two equal subscriptions have
 * equal texts. Unknown keys are dropped, unknown types are not subscriptions at all.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions
 */
import { isAddress } from "../../protocol/address.ts";
import { CANDLE_INTERVALS } from "../../protocol/limits.ts";
import type { Json, JsonObject } from "../contract.ts";

export interface Subscription {
  type: string;
  user?: string;
  dex?: string;
  coin?: string;
  interval?: string;
  nSigFigs?: number | null;
  mantissa?: number | null;
  fast?: boolean;
  aggregateByTime?: boolean;
  ignorePortfolioMargin?: boolean;
}

/** `unparsed`: the frame is not a request the venue knows. `invalid`: it is, but it is refused. */
type SubscriptionReading =
  | { kind: "ok"; subscription: Subscription; key: string }
  | { kind: "unparsed" }
  | { kind: "invalid" };

type Field = (request: JsonObject) => { value: Json } | "invalid" | "unparsed";

const user: Field = ({ user }) => {
  if (typeof user !== "string") return "unparsed";
  return isAddress(user) ? { value: user.toLowerCase() } : "invalid";
};
const coin: Field = ({ coin }) => (typeof coin === "string" ? { value: coin } : "unparsed");
const dex: Field = ({ dex = "" }) =>
  typeof dex === "string" ? { value: dex } : dex === null ? { value: "" } : "unparsed";
const interval: Field = ({ interval }) =>
  typeof interval === "string" && (CANDLE_INTERVALS as readonly string[]).includes(interval)
    ? { value: interval }
    : "unparsed";
const flag =
  (name: string, legacyName?: string): Field =>
  (request) => {
    const value = request[name] ?? (legacyName === undefined ? null : request[legacyName]) ?? false;
    return typeof value === "boolean" ? { value } : "unparsed";
  };
const oneOf =
  (name: string, allowed: readonly number[]): Field =>
  (request) => {
    const value = request[name] ?? null;
    if (value === null) return { value };
    if (typeof value !== "number") return "unparsed";
    return allowed.includes(value) ? { value } : "invalid";
  };

const NO_FIELDS = {};
const ofUser = { user };
const ofUserAndDex = { user, dex };
const ofCoin = { coin };

/** Every subscription, with its fields in the order of the echo. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  allMids: { dex },
  notification: ofUser,
  webData2: ofUser,
  webData3: ofUser,
  twapStates: ofUserAndDex,
  clearinghouseState: ofUserAndDex,
  openOrders: ofUserAndDex,
  candle: { coin, interval },
  l2Book: {
    coin,
    nSigFigs: oneOf("nSigFigs", [2, 3, 4, 5]),
    mantissa: oneOf("mantissa", [2, 5]),
    fast: flag("fast"),
  },
  trades: ofCoin,
  orderUpdates: ofUser,
  userEvents: ofUser,
  userFills: { user, aggregateByTime: flag("aggregateByTime") },
  userFundings: ofUser,
  userNonFundingLedgerUpdates: ofUser,
  userHistoricalOrders: ofUser,
  activeAssetCtx: ofCoin,
  activeAssetData: { user, coin },
  userTwapSliceFills: ofUser,
  userTwapHistory: ofUser,
  bbo: ofCoin,
  spotState: { user, ignorePortfolioMargin: flag("ignorePortfolioMargin", "isPortfolioMargin") },
  allDexsClearinghouseState: ofUser,
  allDexsAssetCtxs: NO_FIELDS,
  assetCtxs: { dex },
  spotAssetCtxs: NO_FIELDS,
  fastAssetCtxs: NO_FIELDS,
  outcomeMetaUpdates: NO_FIELDS,
};

/** Refused since about August 2026, unless the switch allows it. */
const RETIRED_TYPE = "webData2";

export function readSubscription(
  value: Json | undefined,
  options: { allowWebData2: boolean; knowsCoin(coin: string): boolean; knowsDex(dex: string): boolean },
): SubscriptionReading {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { kind: "unparsed" };
  const { type } = value;
  if (typeof type !== "string" || !Object.hasOwn(SHAPES, type)) return { kind: "unparsed" };
  if (type === RETIRED_TYPE && !options.allowWebData2) return { kind: "unparsed" };
  const subscription: Record<string, Json> = { type };
  let invalid = false;
  for (const [name, field] of Object.entries(SHAPES[type]!)) {
    const result = field(value);
    if (result === "unparsed") return { kind: "unparsed" };
    if (result === "invalid") invalid = true;
    else subscription[name] = result.value;
  }
  if (typeof subscription.coin === "string" && !options.knowsCoin(subscription.coin)) invalid = true;
  if (typeof subscription.dex === "string" && !options.knowsDex(subscription.dex)) invalid = true;
  // Trading limits exist for perps only.
  if (type === "activeAssetData" && !isPerp(String(subscription.coin))) invalid = true;
  // Aggregation by mantissa exists at five significant figures only.
  if (subscription.mantissa != null && subscription.nSigFigs !== 5) invalid = true;
  if (invalid) return { kind: "invalid" };
  return {
    kind: "ok",
    subscription: subscription as unknown as Subscription,
    key: JSON.stringify(subscription),
  };
}

/** The name under which a subscription's data arrives. */
export function channelOf({ type, coin }: Subscription): string {
  if (type === "userEvents") return "user";
  if (type === "activeAssetCtx" && coin !== undefined && isSpot(coin)) return "activeSpotAssetCtx";
  return type;
}

const isPerp = (coin: string): boolean => !isSpot(coin) && !coin.startsWith("#");

/** Spot pairs are named `PURR/USDC` or `@N`. */
export const isSpot = (coin: string): boolean => coin.startsWith("@") || coin.includes("/");
