/**
 * The venue's objects as schemas, in the venue's own words. Guarantees: unknown keys, statuses, directions and ledger
 * types are accepted; decimals stay the strings that were sent. Assumes only what every capture shows; whatever is
 * missing in some (2023 fills without `tid`, orders without `origSz`) is optional here.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint
 */

import * as z from "zod";
import { DECIMAL } from "../runtime/decimal.ts";
import { ADDRESS } from "./address.ts";
import { VALUE_LIMITS } from "./limits.ts";
import { anything, display, entries, list, object, type ReadParts, summary } from "./tolerance.ts";

const decimal = z.string().regex(DECIMAL, "not a decimal string");
const timeMs = z
  .int()
  .min(VALUE_LIMITS.fromMs, "a time before 2023")
  .max(VALUE_LIMITS.toMs - 1, "a time after 2099");
const timeSeconds = z
  .int()
  .min(VALUE_LIMITS.fromMs / 1000, "a time before 2023")
  .max(VALUE_LIMITS.toMs / 1000 - 1, "a time after 2099");
/** Ids are JSON numbers below 2^53; negative ones are ours (`contentTradeId`). */
const id = z.int().nonnegative();
const text = z.string();
/** Lower-cased: the venue answers in lower case and accepts any. */
const address = z
  .string()
  .regex(ADDRESS, "not an address")
  .transform((text) => text.toLowerCase());
const side = z.enum(["A", "B"]);

/** Keys in the order in which the venue writes them. */
const inOrder = (keys: string): string[] => keys.split(" ");

const FILL_ORDER = inOrder(
  "coin px sz side time startPosition dir closedPnl hash oid crossed fee builderFee tid cloid liquidation feeToken twapId",
);
export const WireFill = object(
  {
    coin: text,
    px: decimal,
    sz: decimal,
    side,
    time: timeMs,
    startPosition: decimal,
    dir: display(text),
    closedPnl: decimal,
    hash: display(text),
    oid: id,
    crossed: z.boolean(),
    fee: decimal,
    /** Part of the identity, like all that is not marked. */
    tid: id.nullish(),
    /** What the fee is counted in. */
    feeToken: text.nullish(),
    builderFee: display(decimal),
    cloid: display(text),
    twapId: display(id),
    liquidation: display(object({})),
  },
  FILL_ORDER,
);
export type WireFill = z.infer<typeof WireFill>;

export const WireTwapSliceFill = object({ fill: WireFill, twapId: id });
export type WireTwapSliceFill = z.infer<typeof WireTwapSliceFill>;

const ORDER_ORDER = inOrder(
  "coin side limitPx sz oid timestamp triggerCondition isTrigger triggerPx children isPositionTpsl reduceOnly orderType origSz tif cloid",
);
/** Both forms of an order: the short one of `orderUpdates`, and FrontendOrder with the optional keys present. */
export const WireOrder = object(
  {
    coin: text,
    side,
    limitPx: decimal,
    sz: decimal,
    oid: id,
    timestamp: timeMs,
    origSz: decimal.nullish(),
    cloid: display(text),
    reduceOnly: display(z.boolean()),
    orderType: display(text),
    tif: display(text),
    isTrigger: display(z.boolean()),
    triggerPx: display(decimal),
    triggerCondition: display(text),
    isPositionTpsl: display(z.boolean()),
  },
  ORDER_ORDER,
);
export type WireOrder = z.infer<typeof WireOrder>;

export const WireOrderTransition = object({
  order: WireOrder,
  status: text,
  statusTimestamp: timeMs,
});
export type WireOrderTransition = z.infer<typeof WireOrderTransition>;

const payment = {
  coin: text,
  usdc: decimal,
  szi: decimal,
  fundingRate: decimal,
  nSamples: display(z.int32()),
};
export const WireFunding = object({ time: timeMs, ...payment });
export type WireFunding = z.infer<typeof WireFunding>;

/** A row of `userFunding`: the payment sits in `delta`. */
export const WireFundingUpdate = object({ time: timeMs, hash: display(text), delta: object(payment) });
export type WireFundingUpdate = z.infer<typeof WireFundingUpdate>;

/** Types are an open set, and what a key holds may be new too: named here, so that no number is longer than numbers are. */
const told = anything.optional();
export const WireLedgerUpdate = object({
  time: timeMs,
  hash: text,
  delta: object({
    type: text,
    token: told,
    amount: told,
    usdc: told,
    usdcValue: told,
    fee: told,
    feeToken: told,
    nativeTokenFee: told,
    interestAmount: told,
    requestedUsd: told,
    netWithdrawnUsd: told,
    commission: told,
    closingCost: told,
    basis: told,
  }),
});
export type WireLedgerUpdate = z.infer<typeof WireLedgerUpdate>;

const marginSummary = object({
  accountValue: decimal,
  totalNtlPos: decimal,
  totalRawUsd: decimal,
  totalMarginUsed: decimal,
});

export const WirePosition = object(
  {
    coin: text,
    szi: decimal,
    entryPx: display(decimal),
    positionValue: decimal,
    unrealizedPnl: decimal,
    returnOnEquity: display(decimal),
    liquidationPx: display(decimal),
    marginUsed: decimal,
    maxLeverage: display(z.int32()),
    leverage: display(object({ type: text, value: z.int32(), rawUsd: decimal.nullish() })),
    cumFunding: display(
      object({ allTime: display(decimal), sinceOpen: display(decimal), sinceChange: display(decimal) }),
    ),
  },
  inOrder(
    "coin szi leverage entryPx positionValue unrealizedPnl returnOnEquity liquidationPx marginUsed maxLeverage cumFunding",
  ),
);
export type WirePosition = z.infer<typeof WirePosition>;

const totals = {
  /** Absent in one capture; the cross part stands in, which is all that is known there. */
  marginSummary: summary(marginSummary).optional(),
  crossMarginSummary: summary(marginSummary),
  crossMaintenanceMarginUsed: summary(decimal).optional(),
  withdrawable: summary(decimal),
};
/** Block time of the state; absent in 2023. Where it tells none that can be, it is as old as its arrival. */
const stateTime = { time: display(timeMs) };
export const WireClearinghouseState = object({
  ...totals,
  assetPositions: list(object({ position: WirePosition })),
  ...stateTime,
}).transform((state) => ({
  ...state,
  marginSummary: state.marginSummary === undefined ? state.crossMarginSummary : state.marginSummary,
}));
/** As much of a state as could be read. */
export type WireStateParts = z.infer<typeof WireClearinghouseState>;

type Margin = z.infer<typeof marginSummary>;
/** A state that tells its totals. */
export type WireClearinghouseState = WireStateParts & {
  marginSummary: Margin;
  crossMarginSummary: Margin;
  withdrawable: string;
};
/** Whether what a state says in total could be read. */
export const tellsTotals = <T>(
  state: ReadParts<T>,
): state is ReadParts<T & Pick<WireClearinghouseState, keyof T & keyof WireClearinghouseState>> =>
  state.unread.every(({ kind }) => kind !== "summary");

const WireBalance = object({
  coin: text,
  token: display(z.int32()),
  total: decimal,
  hold: decimal,
  entryNtl: decimal.nullish(),
  /** Parts of what is owned, owed and tied up. */
  borrowed: decimal.nullish(),
  spotHold: decimal.nullish(),
  ltv: decimal.nullish(),
});
export const WireSpotState = object({
  balances: list(WireBalance),
  portfolioMarginEnabled: summary(z.boolean()).optional(),
  portfolioMarginRatio: summary(decimal).optional(),
});
export type WireSpotState = z.infer<typeof WireSpotState>;

/** A state of a TWAP order; one of these for each change of its life. */
export const WireTwapHistoryItem = object({
  time: timeSeconds,
  state: object({
    coin: text,
    side,
    sz: decimal,
    timestamp: timeMs,
    executedSz: decimal,
    executedNtl: decimal,
    minutes: display(z.int32()),
    randomize: display(z.boolean()),
    reduceOnly: display(z.boolean()),
    stopPx: display(decimal),
    trigger: display(object({ px: decimal, above: z.boolean() })),
  }),
  status: object({ status: text, description: display(text) }),
  twapId: id.nullish(),
});
export type WireTwapHistoryItem = z.infer<typeof WireTwapHistoryItem>;

export const WireTrade = object(
  {
    coin: text,
    side,
    px: decimal,
    sz: decimal,
    time: timeMs,
    hash: display(text),
    tid: id,
  },
  inOrder("coin side px sz time hash tid users"),
);
export type WireTrade = z.infer<typeof WireTrade>;

export const WireCandle = object({
  t: timeMs,
  T: timeMs,
  s: text,
  i: text,
  o: decimal,
  c: decimal,
  h: decimal,
  l: decimal,
  v: decimal,
  n: z.int32(),
});
export type WireCandle = z.infer<typeof WireCandle>;

export const WireLevel = object({ px: decimal, sz: decimal, n: display(z.int32()) });
const levels = z.array(WireLevel).max(VALUE_LIMITS.rows);
const bookHead = { coin: text, time: timeMs };
export const WireBook = object({ ...bookHead, levels: z.tuple([levels, levels]) });
export type WireBook = z.infer<typeof WireBook>;

export const WireAssetCtx = object({
  coin: text,
  ctx: object(
    {
      markPx: display(decimal),
      midPx: display(decimal),
      oraclePx: display(decimal),
      funding: display(decimal),
      openInterest: display(decimal),
      dayNtlVlm: display(decimal),
      prevDayPx: display(decimal),
    },
    inOrder("funding openInterest prevDayPx dayNtlVlm premium oraclePx markPx midPx"),
  ),
});
export type WireAssetCtx = z.infer<typeof WireAssetCtx>;

export const WireMids = entries(text.max(VALUE_LIMITS.textLength), decimal.max(VALUE_LIMITS.textLength));

export const WireWebData3 = object({
  userState: object({
    user: address,
    serverTime: display(timeMs),
    abstraction: display(text),
    /** The API wallet without a name. */
    agentAddress: display(address),
    agentValidUntil: display(timeMs),
  }),
  /** `[{totalVaultEquity}, …]`, a dex each. */
  perpDexStates: display(anything),
});
export type WireWebData3 = z.infer<typeof WireWebData3>;

/** `POST /info webData2`, and the former subscription of that name. */
export const WireWebData2 = object({
  user: address,
  serverTime: display(timeMs),
  clearinghouseState: WireClearinghouseState,
  openOrders: list(WireOrder),
  spotState: WireSpotState.nullish(),
});
export type WireWebData2 = z.infer<typeof WireWebData2>;

export const WireMeta = object({
  /** By index, which is also that of the contexts: a market that cannot be read keeps its place. */
  universe: list(
    object({
      name: text,
      szDecimals: z.int32(),
      maxLeverage: display(z.int32()),
      isDelisted: z.boolean().nullish(),
      marginTableId: display(z.int32()),
    }).nullable(),
  ),
  marginTables: list(
    z.tuple([
      z.int32(),
      object({ marginTiers: display(z.array(object({ lowerBound: decimal, maxLeverage: z.int32() }))) }),
    ]),
  ).nullish(),
  collateralToken: z.int32().nullish(),
});
export type WireMeta = z.infer<typeof WireMeta>;

/** The markets of a perp dex, and their contexts in the same order. */
export const WireMetaAndCtxs = z
  .tuple([WireMeta, list(object({ dayNtlVlm: display(decimal) }).nullable())])
  .rest(z.unknown());

/** The contexts of spot markets name them. */
export const WireSpotMetaAndCtxs = z
  .tuple([z.looseObject({}), list(object({ coin: text, dayNtlVlm: display(decimal) }))])
  .rest(z.unknown());

/** Entry 0 is null: the first perp dex, whose name is "". One that cannot be read is null too: places are ids. */
export const WirePerpDexs = z.array(object({ name: text.min(1) }).nullable()).max(VALUE_LIMITS.rows);

export const WireUserRole = object({ role: text, data: display(object({})) });

/** `{status: "order", order}` or `{status: "unknownOid"}`. */
export const WireOrderStatus = object({ status: text, order: WireOrderTransition.nullish() });

/** Tokens, and the pairs they trade in as [base, quote]; a pair is called as prices and books call it. */
export const WireSpotMeta = object({
  tokens: list(object({ name: text, index: z.int(), szDecimals: display(z.int32()) })),
  universe: list(object({ name: text, tokens: z.tuple([z.int(), z.int()]) })),
});
export type WireSpotMeta = z.infer<typeof WireSpotMeta>;

/** An outcome market: its sides trade as `#N`, N = 10 × outcome + side. */
const WireOutcome = object({
  outcome: id.max(VALUE_LIMITS.int32),
  name: text,
  sideSpecs: list(object({ name: text })),
  quoteToken: display(text),
});
export const WireOutcomeMeta = object({ outcomes: list(WireOutcome) });
export type WireOutcomeMeta = z.infer<typeof WireOutcomeMeta>;

/** Null while it is not settled. The fraction is what one of the first side was paid. */
export const WireSettledOutcome = object({ spec: WireOutcome, settleFraction: decimal }).nullable();

export const WireVaultEquity = object({ vaultAddress: text, equity: decimal });

/** HYPE of the staking account: delegated, free in it, and on its way out. */
export const WireDelegatorSummary = object({
  delegated: decimal,
  undelegated: decimal,
  totalPendingWithdrawal: decimal,
});

const curve = list(z.tuple([timeMs, decimal]));
/** Curves by span: `day` … `allTime`, and `perpDay` … of the perps alone. They end at the same moment. */
export const WirePortfolio = list(
  z.tuple([text, object({ accountValueHistory: curve, pnlHistory: curve, vlm: display(decimal) })]),
);
export type WirePortfolio = z.infer<typeof WirePortfolio>;

export const WireDelegation = object({
  validator: address,
  amount: decimal,
  lockedUntilTimestamp: display(timeMs),
});

/** `source`: `delegation` or `commission`, an open set. */
export const WireReward = object({ time: timeMs, source: text, totalAmount: decimal });

/** Of one hour and token: what was charged for what is borrowed, and what was earned on what is supplied. */
export const WireInterest = object({ time: timeMs, token: text, borrow: decimal, supply: decimal });

const rate = display(decimal);
export const WireUserFees = object({
  userCrossRate: decimal,
  userAddRate: decimal,
  userSpotCrossRate: rate,
  userSpotAddRate: rate,
  activeReferralDiscount: rate,
  activeStakingDiscount: display(object({ discount: rate })),
});

/** Requests that change something: one per USDC traded, and some to begin with. */
export const WireUserRateLimit = object({
  cumVlm: decimal,
  nRequestsUsed: id,
  nRequestsCap: id,
  nRequestsSurplus: display(id),
});

export const WireSubAccount = object({ name: text, subAccountUser: address });
export const WireLedVault = object({ name: text, address });

/** An API wallet that has a name. */
export const WireAgent = object({ name: text, address, validUntil: timeMs });

export const WireExchangeStatus = object({ time: timeMs });

/** An open set of short words. */
export const WireWord = text.max(VALUE_LIMITS.textLength).nullable();

/** What stands before the list of a frame. */
export const FeedHead = object({ isSnapshot: z.boolean().optional(), user: text });
/** Of the open orders and of a state. */
export const DexHead = object({ dex: text, user: text });
export const BookHead = object(bookHead);
/** What stands before the positions of a state, and behind them. */
export const StateTotals = object(totals);
export const StateEnd = object(stateTime);
