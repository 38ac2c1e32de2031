/**
 * Somebody who trades through the venue's own actions. Guarantees: nothing is done that a user could not do; what the
 * venue refuses is not done at all.
 */
import type { Answer, Json, JsonObject } from "../contract.ts";
import { abs, type Fixed, fixed, format, TEN, toTick } from "../exchange/fixed.ts";
import { DEFAULT_UNIVERSE } from "../exchange/universe.ts";
import type { SimulatedVenue } from "../exchange/venue.ts";

export interface Listed {
  asset: number;
  dex: string;
  price: number;
  szDecimals: number;
  pxDecimals: number;
}

/** Of the default universe. */
export function listedAs(coin: string): Listed {
  for (const [at, { name, perps }] of DEFAULT_UNIVERSE.dexes.entries()) {
    const index = perps.findIndex((perp) => perp.name === coin);
    if (index < 0) continue;
    const { szDecimals, price } = perps[index]!;
    const asset = at === 0 ? index : 100_000 + 10_000 * at + index;
    return { asset, dex: name, price: Number(price), szDecimals, pxDecimals: 6 - szDecimals };
  }
  const spot = DEFAULT_UNIVERSE.spot.find(({ name }) => name === coin);
  const base = DEFAULT_UNIVERSE.tokens.find(({ index }) => index === spot?.tokens[0]);
  if (spot === undefined || base === undefined) throw new RangeError(`no market ${JSON.stringify(coin)}`);
  const { szDecimals } = base;
  return {
    asset: 10_000 + spot.index,
    dex: "",
    price: Number(spot.price),
    szDecimals,
    pxDecimals: 8 - szDecimals,
  };
}

interface Wish {
  coin: string;
  isBuy: boolean;
  px: number;
  sz: Fixed;
  reduceOnly?: boolean;
  cloid?: string;
  how: JsonObject;
}

/** Of a price beyond every quote: a market order's bound. */
const SLIPPAGE = 0.05;

export class Trader {
  readonly user: string;
  readonly #venue: SimulatedVenue;
  readonly #vault: string | null;

  /** `vault`: the account that is traded for, led by `user`. */
  constructor(venue: SimulatedVenue, user: string, vault: string | null = null) {
    this.#venue = venue;
    this.user = user;
    this.#vault = vault;
  }

  act(action: JsonObject): Answer {
    const nonce = this.#venue.nowMs;
    return this.#venue.execute(this.user, action, { nonce, vaultAddress: this.#vault });
  }

  /** Buys or sells for about so many dollars, with a stop and a target as parts of the price. */
  enter(
    coin: string,
    order: { isBuy: boolean; usd: number; near: number; limit: boolean; cloid: string },
    { stop, target }: { stop: number; target: number },
  ): void {
    const { isBuy, near, cloid } = order;
    const away = isBuy ? 1 : -1;
    const sz = sizeOf(coin, order.usd / near);
    const px = near * (order.limit ? 1 - away * 0.003 : 1 + away * SLIPPAGE);
    const how = { limit: { tif: order.limit ? "Gtc" : "Ioc" } };
    const exit = (tpsl: "tp" | "sl", part: number): JsonObject =>
      orderOf({
        coin,
        isBuy: !isBuy,
        px: near * (1 + part) * (1 - away * SLIPPAGE),
        sz,
        reduceOnly: true,
        how: { trigger: { isMarket: true, triggerPx: priceText(coin, near * (1 + part), isBuy), tpsl } },
      });
    this.act({
      type: "order",
      orders: [
        orderOf({ coin, isBuy, px, sz, cloid, how }),
        exit("tp", away * target),
        exit("sl", -away * stop),
      ],
      grouping: "normalTpsl",
    });
  }

  /** Buys or sells at once. */
  take(coin: string, isBuy: boolean, sz: Fixed, near: number, reduceOnly = false): void {
    const px = near * (isBuy ? 1 + SLIPPAGE : 1 - SLIPPAGE);
    const order = orderOf({ coin, isBuy, px, sz, reduceOnly, how: { limit: { tif: "FrontendMarket" } } });
    this.act({ type: "order", orders: [order], grouping: "na" });
  }

  /** Closes a part of what is held, the smallest remainder with it. */
  close(coin: string, part: number, near: number): void {
    const held = this.held(coin);
    if (held === 0n) return;
    const size = part === 1 ? abs(held) : sizeOf(coin, (Number(abs(held)) / 1e8) * part);
    this.take(coin, held < 0n, size, near, true);
  }

  cancel(coin: string, cloid: string): void {
    this.act({ type: "cancelByCloid", cancels: [{ asset: listedAs(coin).asset, cloid }] });
  }

  held(coin: string): Fixed {
    const { dex } = listedAs(coin);
    const { body } = this.#venue.info({ type: "clearinghouseState", user: this.#vault ?? this.user, dex });
    const { assetPositions } = body as { assetPositions: { position: JsonObject }[] };
    const found = assetPositions.find(({ position }) => position.coin === coin);
    return found === undefined ? 0n : fixed(found.position.szi as string);
  }
}

function orderOf({ coin, isBuy, px, sz, reduceOnly = false, cloid, how }: Wish): JsonObject {
  const order: JsonObject = {
    a: listedAs(coin).asset,
    b: isBuy,
    p: priceText(coin, px, isBuy),
    s: format(sz),
    r: reduceOnly,
    t: how as Json,
  };
  return cloid === undefined ? order : { ...order, c: cloid };
}

/** The nearest tick, against the trader. */
const priceText = (coin: string, px: number, isBuy: boolean): string =>
  format(toTick(BigInt(Math.round(px * 1e8)), listedAs(coin).pxDecimals, isBuy));

/** In whole lots. */
export function sizeOf(coin: string, size: number): Fixed {
  const lot = TEN[8 - listedAs(coin).szDecimals] as bigint;
  const wanted = BigInt(Math.round(size * 1e8));
  return wanted - (wanted % lot);
}
