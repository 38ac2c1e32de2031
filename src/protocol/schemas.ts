/**
 * The venue's objects as schemas, in the venue's own words. Guarantees: unknown keys, statuses, directions and ledger
 * types are accepted; decimals stay the strings that were sent. Assumes only what every capture shows; whatever is
 * missing in some (2023 fills without `tid`, orders without `origSz`) is optional here.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint
 */
import { z } from "zod";

const decimal = z.string().regex(/^-?\d+(\.\d+)?$/, "not a decimal string");
const timeMs = z.int().nonnegative();
/** Lower-cased: the venue answers in lower case and accepts any. */
const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, "not an address")
  .transform((text) => text.toLowerCase());
const side = z.enum(["A", "B"]);

export const isAddress = (text: string): boolean => address.safeParse(text).success;

export const WireFill = z.looseObject({
  coin: z.string(),
  px: decimal,
  sz: decimal,
  side,
  time: timeMs,
  startPosition: decimal,
  dir: z.string(),
  closedPnl: decimal,
  hash: z.string().nullish(),
  oid: z.int(),
  crossed: z.boolean(),
  fee: decimal,
  tid: z.int().nullish(),
  feeToken: z.string().nullish(),
  builderFee: decimal.nullish(),
  cloid: z.string().nullish(),
  twapId: z.int().nullish(),
  liquidation: z.looseObject({}).nullish(),
});
export type WireFill = z.infer<typeof WireFill>;

export const WireTwapSliceFill = z.looseObject({ fill: WireFill, twapId: z.int() });
export type WireTwapSliceFill = z.infer<typeof WireTwapSliceFill>;

/** Both forms of an order: the short one of `orderUpdates`, and FrontendOrder with the optional keys present. */
export const WireOrder = z.looseObject({
  coin: z.string(),
  side,
  limitPx: decimal,
  sz: decimal,
  oid: z.int(),
  timestamp: timeMs,
  origSz: decimal.nullish(),
  cloid: z.string().nullish(),
  reduceOnly: z.boolean().nullish(),
  orderType: z.string().nullish(),
  tif: z.string().nullish(),
  isTrigger: z.boolean().nullish(),
  triggerPx: decimal.nullish(),
  triggerCondition: z.string().nullish(),
  isPositionTpsl: z.boolean().nullish(),
  children: z.array(z.unknown()).nullish(),
});
export type WireOrder = z.infer<typeof WireOrder>;

export const WireOrderTransition = z.looseObject({
  order: WireOrder,
  status: z.string(),
  statusTimestamp: timeMs,
});
export type WireOrderTransition = z.infer<typeof WireOrderTransition>;

export const WireFunding = z.looseObject({
  time: timeMs,
  coin: z.string(),
  usdc: decimal,
  szi: decimal,
  fundingRate: decimal,
  nSamples: z.int().nullish(),
});
export type WireFunding = z.infer<typeof WireFunding>;

/** A row of `userFunding`: the payment sits in `delta`. */
export const WireFundingUpdate = z.looseObject({
  time: timeMs,
  hash: z.string().nullish(),
  delta: z.looseObject({
    coin: z.string(),
    usdc: decimal,
    szi: decimal,
    fundingRate: decimal,
    nSamples: z.int().nullish(),
  }),
});
export type WireFundingUpdate = z.infer<typeof WireFundingUpdate>;

export const WireLedgerUpdate = z.looseObject({
  time: timeMs,
  hash: z.string(),
  delta: z.looseObject({ type: z.string() }),
});
export type WireLedgerUpdate = z.infer<typeof WireLedgerUpdate>;

const marginSummary = z.looseObject({
  accountValue: decimal,
  totalNtlPos: decimal,
  totalRawUsd: decimal,
  totalMarginUsed: decimal,
});

export const WirePosition = z.looseObject({
  coin: z.string(),
  szi: decimal,
  entryPx: decimal.nullish(),
  positionValue: decimal,
  unrealizedPnl: decimal,
  returnOnEquity: decimal.nullish(),
  liquidationPx: decimal.nullish(),
  marginUsed: decimal,
  maxLeverage: z.number().nullish(),
  leverage: z.looseObject({ type: z.string(), value: z.number(), rawUsd: decimal.nullish() }).nullish(),
  cumFunding: z
    .looseObject({ allTime: decimal.nullish(), sinceOpen: decimal.nullish(), sinceChange: decimal.nullish() })
    .nullish(),
});
export type WirePosition = z.infer<typeof WirePosition>;

export const WireClearinghouseState = z
  .looseObject({
    /** Absent in one capture; the cross part stands in, which is all that is known there. */
    marginSummary: marginSummary.nullish(),
    crossMarginSummary: marginSummary,
    crossMaintenanceMarginUsed: decimal.nullish(),
    withdrawable: decimal,
    assetPositions: z.array(z.looseObject({ position: WirePosition })),
    /** Block time of the state; absent in 2023. */
    time: timeMs.nullish(),
  })
  .transform((state) => ({ ...state, marginSummary: state.marginSummary ?? state.crossMarginSummary }));
export type WireClearinghouseState = z.infer<typeof WireClearinghouseState>;

export const WireBalance = z.looseObject({
  coin: z.string(),
  token: z.int().nullish(),
  total: decimal,
  hold: decimal,
  entryNtl: decimal.nullish(),
});
export const WireSpotState = z.looseObject({
  balances: z.array(WireBalance),
  portfolioMarginEnabled: z.boolean().nullish(),
  portfolioMarginRatio: decimal.nullish(),
});
export type WireSpotState = z.infer<typeof WireSpotState>;

export const WireTwapHistoryItem = z.looseObject({
  /** Seconds. */
  time: timeMs,
  state: z.looseObject({ coin: z.string(), side, sz: decimal }),
  status: z.looseObject({ status: z.string() }),
  twapId: z.int().nullish(),
});
export type WireTwapHistoryItem = z.infer<typeof WireTwapHistoryItem>;

export const WireTrade = z.looseObject({
  coin: z.string(),
  side,
  px: decimal,
  sz: decimal,
  time: timeMs,
  hash: z.string().nullish(),
  tid: z.int(),
});
export type WireTrade = z.infer<typeof WireTrade>;

export const WireCandle = z.looseObject({
  t: timeMs,
  T: timeMs,
  s: z.string(),
  i: z.string(),
  o: decimal,
  c: decimal,
  h: decimal,
  l: decimal,
  v: decimal,
  n: z.int(),
});
export type WireCandle = z.infer<typeof WireCandle>;

const level = z.looseObject({ px: decimal, sz: decimal, n: z.int() });
export const WireBook = z.looseObject({
  coin: z.string(),
  time: timeMs,
  levels: z.tuple([z.array(level), z.array(level)]),
});
export type WireBook = z.infer<typeof WireBook>;

export const WireAssetCtx = z.looseObject({
  coin: z.string(),
  ctx: z.looseObject({
    markPx: decimal.nullish(),
    midPx: decimal.nullish(),
    oraclePx: decimal.nullish(),
    funding: decimal.nullish(),
    openInterest: decimal.nullish(),
    dayNtlVlm: decimal.nullish(),
    prevDayPx: decimal.nullish(),
  }),
});
export type WireAssetCtx = z.infer<typeof WireAssetCtx>;

export const WireMids = z.record(z.string(), decimal);

export const WireWebData3 = z.looseObject({
  userState: z.looseObject({
    user: address,
    serverTime: timeMs.nullish(),
    abstraction: z.string().nullish(),
  }),
});
export type WireWebData3 = z.infer<typeof WireWebData3>;

/** `POST /info webData2`, and the former subscription of that name. */
export const WireWebData2 = z.looseObject({
  user: address,
  serverTime: timeMs,
  clearinghouseState: WireClearinghouseState,
  openOrders: z.array(z.unknown()),
  spotState: WireSpotState.nullish(),
});
export type WireWebData2 = z.infer<typeof WireWebData2>;

export const WireMeta = z.looseObject({
  universe: z.array(
    z.looseObject({
      name: z.string(),
      szDecimals: z.int(),
      maxLeverage: z.number(),
      isDelisted: z.boolean().nullish(),
      marginTableId: z.int().nullish(),
    }),
  ),
  marginTables: z.array(z.tuple([z.int(), z.looseObject({})])).nullish(),
  collateralToken: z.int().nullish(),
});
export type WireMeta = z.infer<typeof WireMeta>;

const volume = z.looseObject({ dayNtlVlm: decimal.nullish() });

/** The markets of a perp dex, and their contexts in the same order. */
export const WireMetaAndCtxs = z.tuple([WireMeta, z.array(volume)]).rest(z.unknown());

/** The contexts of spot markets name them. */
export const WireSpotMetaAndCtxs = z
  .tuple([z.looseObject({}), z.array(volume.extend({ coin: z.string() }))])
  .rest(z.unknown());

/** Entry 0 is null: the first perp dex, whose name is "". */
export const WirePerpDexs = z.array(z.looseObject({ name: z.string() }).nullable());

export const WireUserRole = z.looseObject({ role: z.string(), data: z.looseObject({}).nullish() });

/** `{status: "order", order}` or `{status: "unknownOid"}`. */
export const WireOrderStatus = z.looseObject({ status: z.string(), order: WireOrderTransition.nullish() });

export const WireExchangeStatus = z.looseObject({ time: timeMs });

export { address as WireAddress, timeMs as WireTimeMs };
