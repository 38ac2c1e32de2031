/**
 * `/exchange` actions: shape checks, dispatch and the venue's answers. Guarantees: a body of the wrong shape is 422
 * text; a logical error is HTTP 200 with `{"status":"err"}` or an error inside `statuses`, one per order, in order.
 */
import type { Answer, ExecuteOptions, Json, JsonObject } from "../contract.ts";
import { type Account, dexMargin, dexOf, leverageOf, positionOf } from "./account.ts";
import { accountAction } from "./accountActions.ts";
import { end } from "./ending.ts";
import { abs, type Fixed, format } from "./fixed.ts";
import { isOutcome } from "./market.ts";
import { armTrigger, newOrder, type OrderSpec, type Outcome, place } from "./matching.ts";
import type { Order, Tif, Trigger } from "./order.ts";
import {
  address,
  boolean,
  cloid,
  decimal,
  defaultAnswer,
  done,
  failed,
  integer,
  list,
  Malformed,
  malformed,
  natural,
  object,
} from "./requestBody.ts";
import { startTwap, stopTwap } from "./twap.ts";
import { rebalance, spendableUsdc } from "./unified.ts";
import { refuse } from "./validation.ts";
import { recordOrder, touch, type World } from "./world.ts";

/** Runs one action for `account`. */
export function runAction(
  world: World,
  account: Account,
  action: JsonObject,
  options: ExecuteOptions,
): Answer {
  try {
    return dispatch(world, account, action, options);
  } catch (error) {
    if (error instanceof Malformed) return malformed();
    if (error instanceof UnknownAsset) return failed(`Order has invalid asset. asset=${error.asset}`);
    throw error;
  }
}

function dispatch(world: World, account: Account, action: JsonObject, options: ExecuteOptions): Answer {
  switch (action.type) {
    case "order":
      return placeOrders(world, account, action);
    case "cancel":
      return cancelOrders(
        world,
        account,
        list(action.cancels).map((c) => ({ asset: integer(c.a), oid: integer(c.o) })),
      );
    case "cancelByCloid":
      return cancelOrders(
        world,
        account,
        list(action.cancels).map((c) => ({
          asset: integer(c.asset),
          oid: account.oidByCloid.get(cloid(c.cloid)) ?? -1,
        })),
      );
    case "modify":
      return modifyOne(world, account, action);
    case "batchModify":
      return batchModify(world, account, action);
    case "twapOrder":
      return twapOrder(world, account, action);
    case "twapCancel":
      return twapCancel(world, account, action);
    case "updateLeverage":
      return updateLeverage(world, account, action);
    default:
      return accountAction(world, account, action, options) ?? malformed();
  }
}

// --- orders -------------------------------------------------------------------------------------------------------

type Reply = Outcome | "waitingForFill" | "waitingForTrigger";

function replyOf(reply: Reply): Json {
  if (typeof reply === "string") return reply;
  if (reply.kind === "error") return { error: reply.text };
  const { oid, cloid: client } = reply.order;
  const tail: JsonObject = client === null ? {} : { cloid: client };
  if (reply.kind === "resting") return { resting: { oid, ...tail } };
  return { filled: { totalSz: format(reply.totalSz), avgPx: reply.avgPx, oid, ...tail } };
}

const TIFS: readonly string[] = ["Gtc", "Ioc", "Alo", "FrontendMarket"];

function parseSpec(world: World, wire: JsonObject, builder: Order["builder"]): OrderSpec {
  const market = world.byAsset.get(integer(wire.a));
  const kind = object(wire.t);
  const isBuy = boolean(wire.b);
  const reduceOnly = boolean(wire.r);
  // Too many decimals are no shape error: they fail as a tick and as a lot.
  const limitPx = decimal(wire.p, 0n);
  const sz = decimal(wire.s, 1n);
  const client = wire.c === undefined || wire.c === null ? null : cloid(wire.c);
  let tif: Tif = "Gtc";
  let trigger: Trigger | null = null;
  if (kind.limit !== undefined) {
    const { tif: wanted } = object(kind.limit);
    if (typeof wanted !== "string" || !TIFS.includes(wanted)) throw new Malformed();
    tif = wanted as Tif;
  } else trigger = parseTrigger(object(kind.trigger), isBuy);
  if (market === undefined) throw new UnknownAsset(integer(wire.a));
  return { market, isBuy, limitPx, sz, tif, reduceOnly, cloid: client, trigger, builder };
}

class UnknownAsset extends Error {
  readonly asset: number;
  constructor(asset: number) {
    super(`unknown asset ${asset}`);
    this.asset = asset;
  }
}

/** A stop-loss buy and a take-profit sell fire when the price rises, the others when it falls. */
function parseTrigger(wire: JsonObject, isBuy: boolean): Trigger {
  const kind = wire.tpsl;
  if (kind !== "tp" && kind !== "sl") throw new Malformed();
  return {
    isMarket: boolean(wire.isMarket),
    px: decimal(wire.triggerPx),
    kind,
    above: (kind === "sl") === isBuy,
    fired: false,
  };
}

function placeOrders(world: World, account: Account, action: JsonObject): Answer {
  const builder = parseBuilder(action);
  const orders = list(action.orders);
  if (orders.length === 0) throw new Malformed();
  if (builder !== null && (account.approvedBuilders.get(builder.address) ?? 0n) < builder.fee) {
    return failed("Builder fee has not been approved");
  }
  const { grouping, priority } = readGrouping(action.grouping);
  const specs = orders.map((wire) => ({ ...parseSpec(world, wire, builder), priority }));
  const odd = misplaced(specs, grouping);
  // The venue's words for it are not known; nothing of the group is placed.
  if (odd !== undefined) return failed(`Invalid TP/SL price. asset=${odd.market.asset}`);
  const replies = placeGroup(world, account, specs, grouping);
  return done({ type: "order", data: { statuses: replies.map(replyOf) } });
}

type Grouping = "na" | "normalTpsl" | "positionTpsl";

/** `{p: n}` gives a priority to a batch of single orders; what `n` counts is not public: here tenths of a basis point. */
function readGrouping(value: Json = "na"): { grouping: Grouping; priority: bigint } {
  if (value === "na" || value === "normalTpsl" || value === "positionTpsl")
    return { grouping: value, priority: 0n };
  return { grouping: "na", priority: BigInt(natural(object(value).p)) };
}

/** The first order of a TP/SL group that has to be a trigger and is none. */
function misplaced(specs: OrderSpec[], grouping: Grouping): OrderSpec | undefined {
  const triggers = grouping === "normalTpsl" ? specs.slice(1) : grouping === "positionTpsl" ? specs : [];
  return triggers.find((spec) => spec.trigger === null);
}

function parseBuilder(action: JsonObject): Order["builder"] {
  if (action.builder === undefined || action.builder === null) return null;
  const wire = object(action.builder);
  return { address: address(wire.b), fee: BigInt(natural(wire.f)) };
}

function placeGroup(world: World, account: Account, specs: OrderSpec[], grouping: Grouping): Reply[] {
  if (grouping === "normalTpsl") return placeFamily(world, account, specs);
  if (grouping === "positionTpsl") {
    const replies = specs.map((spec) =>
      place(world, account, {
        ...spec,
        sz: positionSize(spec, account),
        isPositionTpsl: true,
        reduceOnly: true,
      }),
    );
    joinSiblings(replies.flatMap((r) => (r.kind === "resting" ? [r.order] : [])));
    return replies.map((r) => (r.kind === "resting" && r.order.trigger !== null ? "waitingForTrigger" : r));
  }
  return specs.map((spec) => place(world, account, spec));
}

/** A size of 0 means the whole position, taken when the trigger fires. */
const positionSize = (spec: OrderSpec, account: Account): Fixed =>
  spec.sz === 0n || spec.sz >= abs(positionOf(account, spec.market)?.szi ?? 0n) ? 0n : spec.sz;

function joinSiblings(orders: Order[]): void {
  for (const order of orders) order.siblings = orders;
}

/** Parent first; children wait for its fill. When the parent is refused they are refused with it. */
function placeFamily(world: World, account: Account, specs: OrderSpec[]): Reply[] {
  const [parentSpec, ...childSpecs] = specs as [OrderSpec, ...OrderSpec[]];
  const parent = place(world, account, parentSpec);
  if (parent.kind === "error") return [parent, ...childSpecs.map((): Reply => parent)];
  const filled = parent.kind === "filled";
  const armed: Order[] = [];
  const replies = childSpecs.map((spec): Reply => {
    const child = newOrder(world, account, { ...spec, parent: filled ? null : parent.order });
    const refusal = refuse(account, child);
    if (refusal !== null) {
      if (refusal.status !== null) recordOrder(world, child, refusal.status);
      return { kind: "error", text: refusal.text };
    }
    if (!filled) parent.order.children.push(child);
    armed.push(child);
    armTrigger(world, account, child);
    return filled ? "waitingForTrigger" : "waitingForFill";
  });
  joinSiblings(armed);
  return [parent, ...replies];
}

function cancelOrders(world: World, account: Account, cancels: { asset: number; oid: number }[]): Answer {
  const statuses = cancels.map(({ asset, oid }): Json => {
    const order = account.orders.get(oid);
    if (order === undefined || order.market.asset !== asset) {
      return { error: `Order was never placed, already canceled, or filled. asset=${asset}` };
    }
    end(world, account, order, "canceled");
    return "success";
  });
  return done({ type: "cancel", data: { statuses } });
}

interface Replacement {
  /** -1 when its cloid is not known. */
  oid: number;
  /** The new order is wanted even when there is nothing left to cancel. */
  always: boolean;
  spec: OrderSpec;
}

function parseModify(world: World, account: Account, wire: JsonObject): Replacement {
  const oid =
    typeof wire.oid === "string" ? (account.oidByCloid.get(cloid(wire.oid)) ?? -1) : integer(wire.oid);
  return { oid, always: wire.a === true, spec: parseSpec(world, object(wire.order), null) };
}

/** Cancel and replace: the new order has a new oid and inherits the cloid. */
function modify(world: World, account: Account, { oid, always, spec }: Replacement): Outcome {
  const old = account.orders.get(oid);
  if (old === undefined && !always) return { kind: "error", text: "Cannot modify canceled or filled order" };
  if (old !== undefined) end(world, account, old, "canceled");
  return place(world, account, {
    ...spec,
    cloid: spec.cloid ?? old?.cloid ?? null,
    isPositionTpsl: old?.isPositionTpsl ?? false,
  });
}

function modifyOne(world: World, account: Account, action: JsonObject): Answer {
  const outcome = modify(world, account, parseModify(world, account, action));
  return outcome.kind === "error" ? failed(outcome.text) : defaultAnswer();
}

/** The whole batch is read before the first order is touched. */
function batchModify(world: World, account: Account, action: JsonObject): Answer {
  const replacements = list(action.modifies).map((wire) => parseModify(world, account, wire));
  const statuses = replacements.map((one) => replyOf(modify(world, account, one)));
  return done({ type: "order", data: { statuses } });
}

// --- TWAP ---------------------------------------------------------------------------------------------------------

function twapOrder(world: World, account: Account, action: JsonObject): Answer {
  const wire = object(action.twap);
  const market = world.byAsset.get(integer(wire.a));
  const details = action.details === undefined || action.details === null ? {} : object(action.details);
  const trigger = details.t === undefined || details.t === null ? null : object(details.t);
  const minutes = integer(wire.m);
  const statusOf = (status: Json): Answer => done({ type: "twapOrder", data: { status } });
  if (market === undefined || isOutcome(market)) return statusOf({ error: "Order has invalid asset." });
  if (minutes < 5 || minutes > 1440) return statusOf({ error: "Invalid TWAP duration." });
  const started = startTwap(world, account, {
    market,
    isBuy: boolean(wire.b),
    sz: decimal(wire.s),
    reduceOnly: boolean(wire.r),
    minutes,
    randomize: boolean(wire.t),
    trigger: trigger === null ? null : { px: decimal(trigger.p), above: boolean(trigger.a) },
    stopPx: details.s === undefined || details.s === null ? null : decimal(details.s),
  });
  return statusOf(typeof started === "string" ? { error: started } : { running: { twapId: started.id } });
}

function twapCancel(world: World, account: Account, action: JsonObject): Answer {
  const twap = world.twaps.get(integer(action.t));
  const known = twap !== undefined && twap.user === account.user && twap.market.asset === integer(action.a);
  if (known) stopTwap(world, twap, "terminated");
  const status: Json = known ? "success" : { error: "TWAP was never placed, already canceled, or filled." };
  return done({ type: "twapCancel", data: { status } });
}

// --- leverage -----------------------------------------------------------------------------------------------------

function updateLeverage(world: World, account: Account, action: JsonObject): Answer {
  const market = world.byAsset.get(integer(action.asset));
  const value = integer(action.leverage);
  const isCross = boolean(action.isCross);
  if (market?.perp === undefined || market.perp === null) return failed("Invalid asset.");
  if (value < 1 || value > market.perp.maxLeverage) return failed("Invalid leverage value");
  if (isCross && (market.perp.onlyIsolated === true || market.perp.marginMode !== undefined)) {
    return failed("Cross margin is not allowed for this asset.");
  }
  const position = positionOf(account, market);
  const before = leverageOf(account, market);
  if (position !== undefined && before.isCross !== isCross) {
    return failed("Cannot switch leverage type with open position.");
  }
  account.leverages.set(market.coin, { isCross, value });
  const margin = dexMargin(account, dexOf(account, market.dex)).cross;
  const covered = margin.accountValue + spendableUsdc(account) >= margin.marginUsed;
  if (position !== undefined && position.isolatedUsd === null && !covered) {
    account.leverages.set(market.coin, before);
    return failed("Insufficient margin to update leverage.");
  }
  rebalance(account);
  touch(world, account);
  return defaultAnswer();
}
