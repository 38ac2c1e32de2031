/**
 * `/info`: request checks and dispatch. Guarantees (§3.6): a malformed body, an unknown type or a bad address is 422
 * text; an unknown coin or dex is 500 `null` (but `l2Book` answers `null`); everything else is 200. `items` counts the
 * rows that list requests are weighed by.
 */
import type { Answer, Json, JsonObject } from "../contract.ts";
import type { Account } from "./account.ts";
import * as about from "./accountInfo.ts";
import { candleSnapshot } from "./candles.ts";
import { userState } from "./lending.ts";
import type { Market } from "./market.ts";
import * as markets from "./marketInfo.ts";
import * as more from "./otherInfo.ts";
import { address, integer, isObject, Malformed, malformed, text } from "./requestBody.ts";
import * as staking from "./staking.ts";
import type { World } from "./world.ts";

type Handler = (world: World, request: JsonObject) => Answer;

/** A request that is well formed but about something that does not exist. */
class Unknown extends Error {}

const ok = (body: Json): Answer => ({ status: 200, body });
const rows = (body: JsonObject[]): Answer => ({ status: 200, body, items: body.length });

const accountIn = (world: World, request: JsonObject): Account =>
  about.accountFor(world, address(request.user));

function dexIn(world: World, request: JsonObject): string {
  const name = request.dex === undefined || request.dex === null ? "" : text(request.dex);
  if (markets.dexNamed(world, name) === undefined) throw new Unknown();
  return name;
}

function marketIn(world: World, coin: Json | undefined): Market {
  const market = world.byCoin.get(text(coin));
  if (market === undefined) throw new Unknown();
  return market;
}

const optional = (value: Json | undefined, fallback: number): number =>
  value === undefined || value === null ? fallback : integer(value);

/** `startTime` and `endTime` are inclusive. */
const windowIn = (request: JsonObject, startRequired: boolean): about.Window => ({
  startMs: startRequired ? integer(request.startTime) : optional(request.startTime, 0),
  endMs: optional(request.endTime, Number.MAX_SAFE_INTEGER),
});

const flag = (value: Json | undefined): boolean => {
  if (value === undefined || value === null) return false;
  if (typeof value !== "boolean") throw new Malformed();
  return value;
};

const ABOUT_ACCOUNTS: Record<string, Handler> = {
  clearinghouseState: (w, r) => ok(about.clearinghouseState(w, accountIn(w, r), dexIn(w, r))),
  spotClearinghouseState: (w, r) => ok(about.spotState(w, accountIn(w, r))),
  openOrders: (w, r) => ok(about.openOrders(w, accountIn(w, r), dexIn(w, r))),
  frontendOpenOrders: (w, r) => ok(about.frontendOpenOrders(w, accountIn(w, r), dexIn(w, r))),
  historicalOrders: (w, r) => rows(about.historicalOrders(w, accountIn(w, r))),
  orderStatus: (w, r) => {
    const { oid } = r;
    if (typeof oid !== "number" && !(typeof oid === "string" && /^0x[0-9a-f]{32}$/i.test(oid)))
      throw new Malformed();
    return ok(about.orderStatus(w, accountIn(w, r), oid));
  },
  userFills: (w, r) => rows(about.userFills(w, accountIn(w, r), flag(r.aggregateByTime))),
  userFillsByTime: (w, r) =>
    rows(
      about.userFillsByTime(w, accountIn(w, r), windowIn(r, true), {
        aggregate: flag(r.aggregateByTime),
        reversed: flag(r.reversed),
      }),
    ),
  userTwapSliceFills: (w, r) => rows(about.userTwapSliceFills(w, accountIn(w, r), null)),
  userTwapSliceFillsByTime: (w, r) => rows(about.userTwapSliceFills(w, accountIn(w, r), windowIn(r, true))),
  twapHistory: (w, r) => rows(about.twapHistory(w, accountIn(w, r))),
  userFunding: (w, r) => rows(about.userFunding(w, accountIn(w, r), windowIn(r, false))),
  userNonFundingLedgerUpdates: (w, r) => rows(about.ledgerUpdates(w, accountIn(w, r), windowIn(r, false))),
  activeAssetData: (w, r) => {
    const data = about.activeAssetData(accountIn(w, r), marketIn(w, r.coin));
    if (data === null) throw new Unknown();
    return ok(data);
  },
  portfolio: (w, r) => ok(more.portfolio(w, accountIn(w, r))),
  userFees: (w, r) => ok(more.userFees(w, accountIn(w, r))),
  userRateLimit: (w, r) => ok(more.userRateLimit(accountIn(w, r))),
  userRole: (w, r) => ok(more.userRole(w, address(r.user))),
  userAbstraction: (w, r) => ok(accountIn(w, r).abstraction),
  userDexAbstraction: (w, r) => {
    accountIn(w, r);
    return ok(null);
  },
  extraAgents: (w, r) => ok(more.extraAgents(w, accountIn(w, r))),
  subAccounts: (w, r) => ok(more.subAccounts(w, accountIn(w, r))),
  subAccounts2: (w, r) => ok(more.subAccounts2(w, accountIn(w, r))),
  referral: (w, r) => ok(more.referral(accountIn(w, r))),
  maxBuilderFee: (w, r) => ok(Number(accountIn(w, r).approvedBuilders.get(address(r.builder)) ?? 0n)),
  approvedBuilders: (w, r) => ok([...accountIn(w, r).approvedBuilders.keys()]),
  userVaultEquities: (w, r) => ok(more.userVaultEquities(w, accountIn(w, r))),
  leadingVaults: (w, r) => ok(more.leadingVaults(w, address(r.user))),
  webData2: (w, r) => ok(more.webData2(w, accountIn(w, r))),
  delegations: (w, r) => ok(staking.delegations(accountIn(w, r))),
  delegatorHistory: (w, r) => rows([...accountIn(w, r).stake.history].reverse()),
  delegatorRewards: (w, r) => rows([...accountIn(w, r).stake.rewards].reverse()),
  delegatorSummary: (w, r) => ok(staking.delegatorSummary(accountIn(w, r))),
  isVip: (w, r) => {
    accountIn(w, r);
    return ok(false);
  },
  legalCheck: (w, r) => {
    accountIn(w, r);
    return ok({ acceptedTerms: true, userAllowed: true, restrictions: "n" });
  },
  userToMultiSigSigners: (w, r) => {
    accountIn(w, r);
    return ok(null);
  },
  preTransferCheck: (w, r) =>
    ok({
      fee: w.accounts.has(address(r.user)) ? "0.0" : "1.0",
      isSanctioned: false,
      userExists: w.accounts.has(address(r.user)),
      userHasSentTx: (w.accounts.get(address(r.user))?.requests ?? 0) > 0,
    }),
  borrowLendUserState: (w, r) => ok(userState(accountIn(w, r))),
  userBorrowLendInterest: (w, r) => {
    const { startMs, endMs } = windowIn(r, false);
    const { interest } = accountIn(w, r);
    return rows(interest.filter(({ time }) => Number(time) >= startMs && Number(time) <= endMs));
  },
};

const perpDexIn = (world: World, request: JsonObject) => {
  const found = markets.dexNamed(world, dexIn(world, request));
  if (found === undefined) throw new Unknown();
  return found;
};
const contexts = (world: World, dex: string): JsonObject[] =>
  markets.perpsOf(world, dex).map((m) => markets.perpContext(world, m));
const spotContexts = (world: World): JsonObject[] =>
  markets.spotPairs(world).map((m) => markets.spotContext(world, m));

const ABOUT_MARKETS: Record<string, Handler> = {
  meta: (w, r) => ok(markets.meta(w, perpDexIn(w, r))),
  metaAndAssetCtxs: (w, r) => {
    const dex = perpDexIn(w, r);
    return ok([markets.meta(w, dex), contexts(w, dex.name)]);
  },
  allPerpMetas: (w) => ok(w.universe.dexes.map((dex) => markets.meta(w, dex))),
  perpDexs: (w) => ok(markets.perpDexs(w)),
  spotMeta: (w) => ok(markets.spotMeta(w)),
  spotMetaAndAssetCtxs: (w) => ok([markets.spotMeta(w), spotContexts(w)]),
  outcomeMeta: (w) => ok(markets.outcomeMeta(w)),
  settledOutcome: (w, r) => ok(markets.settledOutcome(w, integer(r.outcome))),
  outcomeTemplates: () => ok([]),
  marginTable: (w, r) => {
    const table = markets.marginTable(w, integer(r.id));
    if (table === null) throw new Unknown();
    return ok(table);
  },
  tokenDetails: (w, r) => {
    const details = markets.tokenDetails(w, text(r.tokenId));
    if (details === null) throw new Unknown();
    return ok(details);
  },
  allMids: (w, r) => ok(markets.allMids(w, dexIn(w, r))),
  l2Book: (w, r) => {
    const market = w.byCoin.get(text(r.coin));
    const nSigFigs = r.nSigFigs === undefined || r.nSigFigs === null ? null : integer(r.nSigFigs);
    const mantissa = r.mantissa === undefined || r.mantissa === null ? null : integer(r.mantissa);
    if (mantissa !== null && (nSigFigs !== 5 || (mantissa !== 2 && mantissa !== 5))) throw new Unknown();
    if (nSigFigs !== null && (nSigFigs < 2 || nSigFigs > 5)) throw new Unknown();
    return ok(
      market === undefined ? null : markets.l2Book(w, market, { nSigFigs, mantissa, fast: flag(r.fast) }),
    );
  },
  recentTrades: (w, r) => rows(marketIn(w, r.coin).trades.slice(-more.RECENT_TRADES_SHOWN).reverse()),
  candleSnapshot: (w, r) => {
    if (!isObject(r.req)) throw new Malformed();
    const market = marketIn(w, r.req.coin);
    const { startMs, endMs } = windowIn(r.req, true);
    const candles = candleSnapshot(market, text(r.req.interval), startMs, endMs, w.nowMs);
    if (candles === null) throw new Malformed();
    return rows(candles);
  },
  fundingHistory: (w, r) => {
    const market = marketIn(w, r.coin);
    const { startMs, endMs } = windowIn(r, true);
    const inside = market.fundingHistory.filter((f) => Number(f.time) >= startMs && Number(f.time) <= endMs);
    return rows(inside.slice(0, 500));
  },
  predictedFundings: (w) => ok(more.predictedFundings(w)),
  perpsAtOpenInterestCap: (w, r) => {
    return ok(markets.atInterestCap(w, dexIn(w, r)));
  },
  perpDexLimits: (w, r) => ok(more.perpDexLimits(w, text(r.dex))),
  perpDexStatus: (w, r) => {
    dexIn(w, r);
    return ok({ totalNetDeposit: "0.0" });
  },
  exchangeStatus: (w) => ok({ time: Math.max(w.nowMs, w.lastBlockMs), specialStatuses: null }),
  vaultDetails: (w, r) =>
    ok(more.vaultDetails(w, address(r.vaultAddress), r.user == null ? null : address(r.user))),
  vaultSummaries: (w) => ok(more.vaultSummaries(w)),
  liquidatable: () => ok([]),
  maxMarketOrderNtls: () =>
    ok([
      [40, "15000000.0"],
      [25, "10000000.0"],
      [20, "5000000.0"],
      [10, "2000000.0"],
      [5, "500000.0"],
    ]),
  validatorSummaries: () => ok([]),
  validatorL1Votes: () => ok([]),
  gossipRootIps: () => ok([]),
  perpAnnotation: (w, r) => {
    marketIn(w, r.coin);
    return ok(null);
  },
  perpConciseAnnotations: () => ok([]),
  perpCategories: () => ok([]),
  usdcRouting: () => ok({ depositRoute: "bridge", withdrawalRoute: "bridge" }),
  allBorrowLendReserveStates: () => ok([]),
};

/** What every object inherits (`constructor`, `__proto__`) is no request. */
function handlerOf(type: string): Handler | undefined {
  for (const handlers of [ABOUT_ACCOUNTS, ABOUT_MARKETS]) {
    if (Object.hasOwn(handlers, type)) return handlers[type];
  }
  return undefined;
}

/** Answers any `/info` request. */
export function answerInfo(world: World, request: Json): Answer {
  if (!isObject(request) || typeof request.type !== "string") return malformed();
  const handler = handlerOf(request.type);
  if (handler === undefined) return malformed();
  try {
    const scripted = recordedAnswer(world, request);
    return scripted ?? handler(world, request);
  } catch (error) {
    if (error instanceof Malformed) return malformed();
    if (error instanceof Unknown) return { status: 500, body: null };
    throw error;
  }
}

/** A whole captured answer given for this account and request type. */
function recordedAnswer(world: World, request: JsonObject): Answer | null {
  if (typeof request.user !== "string") return null;
  const body = world.recorded.get(request.user.toLowerCase())?.answers?.[request.type as string];
  return body === undefined ? null : ok(body);
}
