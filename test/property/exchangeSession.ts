/**
 * A random session on the venue model, drawn from one number: a few users place, cancel and modify every kind of
 * order, move money, change leverage and modes, while prices walk and jump. Used by the property tests.
 */
import { type Random, seededRandom } from "../../src/runtime/random.ts";
import type { Answer, JsonObject, VenueEvent } from "../../src/simulator/contract.ts";
import { fixed, format, toTick } from "../../src/simulator/exchange/fixed.ts";
import { createVenue, type SimulatedVenue } from "../../src/simulator/exchange/venue.ts";

export const USERS = ["a", "b", "c", "d"].map((letter) => `0x${letter.repeat(40)}`);
const COINS = ["BTC", "SOL", "HYPE", "xyz:AAPL", "@107"];
const PX_DECIMALS: Record<string, number> = { BTC: 1, SOL: 4, HYPE: 4, "xyz:AAPL": 3, "@107": 6 };
const SZ_DECIMALS: Record<string, number> = { BTC: 5, SOL: 2, HYPE: 2, "xyz:AAPL": 3, "@107": 2 };
const ASSETS: Record<string, number> = { BTC: 0, SOL: 5, HYPE: 8, "xyz:AAPL": 110_001, "@107": 10_107 };

export interface Session {
  venue: SimulatedVenue;
  events: VenueEvent[];
  answers: Answer[];
}

export function runSession(seed: number, steps: number): Session {
  const random = seededRandom(`session ${seed}`);
  const venue = createVenue({
    seed,
    traders: { coins: COINS, stepMs: 300_000, takesPerMinute: 0.5, levels: 3, levelUsd: 60_000 },
    switches: { observeTraders: true, selfTrades: seed % 3 === 0 ? "cancelResting" : "trade" },
  });
  const session: Session = { venue, events: [], answers: [] };
  venue.onBlock((block) => {
    for (const event of block.events) session.events.push(event);
  });
  for (const user of USERS) {
    venue.deposit(user, "20000");
    venue.script({ type: "mint", user, token: "USDC", amount: "5000" });
    venue.script({ type: "mint", user, token: "HYPE", amount: "100" });
    act(session, user, sendTo(user, "", "xyz", "3000"));
  }
  const pooled: [user: string, abstraction: string][] = [];
  if (random.next() < 0.3) pooled.push([USERS[3]!, "unifiedAccount"]);
  if (seed % 4 === 0) pooled.push([USERS[2]!, "portfolioMargin"]);
  for (const [user, abstraction] of pooled)
    act(session, user, { type: "userSetAbstraction", user, abstraction });
  for (let step = 0; step < steps; step++) oneStep(session, random);
  venue.advance(venue.nowMs + 1000);
  return session;
}

const pick = <T>(random: Random, values: readonly T[]): T =>
  values[Math.floor(random.next() * values.length)]!;

function act(session: Session, user: string, action: JsonObject): void {
  const nonce = session.venue.nowMs;
  session.answers.push(session.venue.execute(user, action, { nonce }));
}

const sendTo = (
  destination: string,
  sourceDex: string,
  destinationDex: string,
  amount: string,
): JsonObject => ({
  type: "sendAsset",
  destination,
  sourceDex,
  destinationDex,
  token: "USDC",
  amount,
});

function oneStep(session: Session, random: Random): void {
  const user = pick(random, USERS);
  const dice = random.next();
  if (dice < 0.5) act(session, user, randomOrders(session, random, user));
  else if (dice < 0.6) act(session, user, randomCancel(session, random, user));
  else if (dice < 0.66) act(session, user, randomModify(session, random, user));
  else if (dice < 0.72) act(session, user, randomSetting(random));
  else if (dice < 0.78) act(session, user, randomTransfer(session, random, user));
  else if (dice < 0.8) act(session, user, randomTwap(random));
  else if (dice < 0.86) jump(session, random);
  else session.venue.advance(session.venue.nowMs + Math.floor(random.next() ** 5 * 3_000_000));
}

const markOf = (session: Session, coin: string): bigint => {
  const dex = coin.startsWith("xyz:") ? "xyz" : "";
  const mids = session.venue.info({ type: "allMids", dex }).body as Record<string, string>;
  return fixed(mids[coin]!);
};

function near(session: Session, random: Random, coin: string, spread: number): string {
  const away = BigInt(Math.round((random.next() - 0.5) * 2 * spread * 10_000));
  const px = (markOf(session, coin) * (10_000n + away)) / 10_000n;
  // Now and then a price off the tick grid, which must be refused.
  if (random.next() < 0.03) return `${format(px)}7`.slice(0, 12);
  return format(toTick(px, PX_DECIMALS[coin]!, random.next() < 0.5));
}

function size(session: Session, random: Random, coin: string): string {
  // Now and then far too much for the account, so that somebody is liquidated.
  const usd = random.next() < 0.25 ? 200_000 * random.next() : 5 + 4000 * random.next() ** 3;
  const lots = Math.max(
    1,
    Math.round((usd / (Number(markOf(session, coin)) / 1e8)) * 10 ** SZ_DECIMALS[coin]!),
  );
  return format((BigInt(lots) * 100_000_000n) / 10n ** BigInt(SZ_DECIMALS[coin]!));
}

function randomOrder(session: Session, random: Random, coin: string): JsonObject {
  const isTrigger = random.next() < 0.15;
  const order: JsonObject = {
    a: ASSETS[coin]!,
    b: random.next() < 0.5,
    p: near(session, random, coin, random.next() < 0.5 ? 0.003 : 0.03),
    s: size(session, random, coin),
    r: coin !== "@107" && random.next() < 0.2,
    t: isTrigger
      ? {
          trigger: {
            isMarket: random.next() < 0.6,
            triggerPx: near(session, random, coin, 0.02),
            tpsl: pick(random, ["tp", "sl"]),
          },
        }
      : { limit: { tif: pick(random, ["Gtc", "Gtc", "Alo", "Ioc", "FrontendMarket"]) } },
  };
  if (random.next() < 0.5) order.c = cloid(random);
  return order;
}

function cloid(random: Random): string {
  const word = () =>
    Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, "0");
  return `0x${word()}${word()}${word()}${word()}`;
}

function randomOrders(session: Session, random: Random, user: string): JsonObject {
  const coin = pick(random, COINS);
  if (random.next() < 0.2 && coin !== "@107") return family(session, random, user, coin);
  const orders = Array.from({ length: random.next() < 0.2 ? 3 : 1 }, () =>
    randomOrder(session, random, coin),
  );
  return { type: "order", orders, grouping: "na" };
}

/** A parent with take-profit and stop-loss children, or a pair for the whole position. */
function family(session: Session, random: Random, _user: string, coin: string): JsonObject {
  const isBuy = random.next() < 0.5;
  const mark = markOf(session, coin);
  const at = (percent: bigint) => format(toTick((mark * (100n + percent)) / 100n, PX_DECIMALS[coin]!, false));
  const sz = size(session, random, coin);
  const child = (tpsl: "tp" | "sl"): JsonObject => ({
    a: ASSETS[coin]!,
    b: !isBuy,
    p: at((tpsl === "tp") === isBuy ? 3n : -3n),
    s: sz,
    r: true,
    t: { trigger: { isMarket: true, triggerPx: at((tpsl === "tp") === isBuy ? 2n : -2n), tpsl } },
  });
  if (random.next() < 0.4)
    return { type: "order", orders: [child("tp"), child("sl")], grouping: "positionTpsl" };
  const parent: JsonObject = {
    a: ASSETS[coin]!,
    b: isBuy,
    p: at(random.next() < 0.6 === isBuy ? 1n : -1n),
    s: sz,
    r: false,
    t: { limit: { tif: "Gtc" } },
  };
  return { type: "order", orders: [parent, child("tp"), child("sl")], grouping: "normalTpsl" };
}

const openOf = (session: Session, user: string): JsonObject[] => session.venue.truth(user).openOrders;

const assetOf = (order: JsonObject): number => ASSETS[order.coin as string]!;

function randomCancel(session: Session, random: Random, user: string): JsonObject {
  const open = openOf(session, user);
  const order = open.length === 0 ? null : pick(random, open);
  if (order !== null && typeof order.cloid === "string" && random.next() < 0.5) {
    return { type: "cancelByCloid", cancels: [{ asset: assetOf(order), cloid: order.cloid }] };
  }
  return {
    type: "cancel",
    cancels: [{ a: order === null ? 0 : assetOf(order), o: (order?.oid as number) ?? 1 }],
  };
}

function randomModify(session: Session, random: Random, user: string): JsonObject {
  const open = openOf(session, user).filter((o) => o.isTrigger === false);
  const old = open.length === 0 ? null : pick(random, open);
  const coin = (old?.coin as string) ?? "BTC";
  const order = randomOrder(session, random, coin);
  const oid = (old?.oid as number) ?? 1;
  return random.next() < 0.5
    ? { type: "modify", oid, order }
    : { type: "batchModify", modifies: [{ oid, order }] };
}

function randomSetting(random: Random): JsonObject {
  const asset = ASSETS[pick(random, ["BTC", "SOL", "HYPE", "xyz:AAPL"])]!;
  if (random.next() < 0.3) {
    return {
      type: "updateIsolatedMargin",
      asset,
      isBuy: true,
      ntli: Math.round((random.next() - 0.3) * 2e8),
    };
  }
  return {
    type: "updateLeverage",
    asset,
    isCross: random.next() < 0.5,
    leverage: pick(random, [1, 3, 10, 40]),
  };
}

function randomTransfer(session: Session, random: Random, user: string): JsonObject {
  const amount = format(BigInt(Math.floor(random.next() * 5e10)));
  const destination = pick(random, USERS);
  const time = session.venue.nowMs;
  return pick<JsonObject>(random, [
    { type: "usdSend", destination, amount, time },
    { type: "usdClassTransfer", amount, toPerp: random.next() < 0.5, nonce: time },
    { type: "spotSend", destination, token: "HYPE", amount: format(fixed(amount) / 100n), time },
    { type: "withdraw3", destination, amount, time },
    sendTo(user, "", "xyz", amount),
    sendTo(destination, "spot", "", amount),
  ]);
}

function randomTwap(random: Random): JsonObject {
  const coin = pick(random, ["BTC", "SOL"]);
  return {
    type: "twapOrder",
    twap: {
      a: ASSETS[coin]!,
      b: random.next() < 0.5,
      s: coin === "BTC" ? "0.01" : "10",
      r: false,
      m: 5,
      t: random.next() < 0.5,
    },
  };
}

/** Up to a third, so that leveraged accounts are liquidated. */
function jump(session: Session, random: Random): void {
  const coin = pick(random, COINS);
  const big = random.next() < 0.6 ? 30 : 2;
  const percent = BigInt(Math.round((random.next() - 0.5) * 2 * big));
  session.venue.setOracle(
    coin,
    format(toTick((markOf(session, coin) * (100n + percent)) / 100n, PX_DECIMALS[coin]!, true)),
  );
}
