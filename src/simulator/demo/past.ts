/**
 * The past of the demo: three accounts that have traded for three months when it opens. Guarantees: everything happens
 * through the venue model (actions, deposits, its own traders), so that fills, fees, funding, candles and curves follow
 * its laws and every request tells of them; the same seed and the same moment give the same past. Nothing of it is real,
 * and who trades well here knew the prices.
 */
import { addressOf } from "../exchange/ids.ts";
import { createVenue, type SimulatedVenue } from "../exchange/venue.ts";
import { type Movement, type PriceAt, planPrices } from "./prices.ts";
import { listedAs, sizeOf, Trader } from "./trader.ts";
import { type PlannedTrade, planTrades, type Style } from "./trades.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const PAST_DAYS = 90;
/** The last stretch is made as finely as the present. */
const FINE_MS = 2 * MINUTE_MS;
/** Made between two looks at the rest of the program: some 20 ms of work. */
const PIECE_MS = 2 * DAY_MS;

/** Coins with a market, and how they move. What else the universe lists is only listed. */
const MOVEMENTS: Readonly<Record<string, Omit<Movement, "price">>> = {
  BTC: { daily: 0.022, trend: 0.02, shared: 0.7 },
  ETH: { daily: 0.03, trend: 0.03, shared: 0.7 },
  SOL: { daily: 0.036, trend: 0.035, shared: 0.6 },
  HYPE: { daily: 0.034, trend: 0.025, shared: 0.5 },
  "xyz:AAPL": { daily: 0.012, trend: 0.008, shared: 0.1 },
};
/** Spot of HYPE moves as its perp does. */
const HYPE_SPOT = "@107";

const SWING: Style = {
  coins: ["BTC", "ETH", "SOL", "HYPE"],
  usd: 16_000,
  skill: 0.7,
  holdHours: [5, 90],
  pauseHours: 30,
  stop: 0.035,
  target: 0.09,
};
const TREND: Style = {
  coins: ["BTC", "ETH"],
  usd: 11_000,
  skill: 0.56,
  holdHours: [30, 150],
  pauseHours: 20,
  stop: 0.05,
  target: 0.15,
};
const MAKER_INVENTORY_USD = 8_000;
const VAULT_DAY = 33;

interface CastMember {
  address: string;
  alias: string;
}

export interface DemoPast {
  venue: SimulatedVenue;
  /** The accounts to follow. */
  cast: readonly CastMember[];
  /** Makes the next piece; false when the past has arrived at its end. */
  live(): boolean;
}

interface Step {
  atMs: number;
  run: () => void;
}

/** The past that ends at `untilMs`; `seed` chooses it, `name` the addresses. */
export function planPast(seed: number, untilMs: number, name: string): DemoPast {
  const fromMs = untilMs - PAST_DAYS * DAY_MS;
  const fineMs = untilMs - FINE_MS;
  const priceAt = pricesOf(seed, fromMs, fineMs);
  const venue = createVenue({
    seed,
    startMs: fromMs,
    paces: [
      { untilMs: untilMs - 14 * DAY_MS, stepMs: 2 * HOUR_MS, levels: 2, takes: 2, slower: 8000 },
      { untilMs: untilMs - DAY_MS, stepMs: 30 * MINUTE_MS, levels: 2, takes: 1, slower: 8000 },
      { untilMs: fineMs, stepMs: 5 * MINUTE_MS, levels: 3, takes: 1, slower: 1500 },
    ],
    traders: { coins: [...Object.keys(MOVEMENTS), HYPE_SPOT], priceAt, halfSpread: 80 },
  });
  const past = new Past({ venue, seed, name, fromMs, untilMs, priceAt });
  return { venue, cast: past.cast, live: () => past.live() };
}

function pricesOf(seed: number, fromMs: number, untilMs: number): PriceAt {
  const movements = Object.fromEntries(
    Object.entries(MOVEMENTS).map(([coin, movement]) => [coin, { ...movement, price: listedAs(coin).price }]),
  );
  const paths = planPrices(seed, movements, fromMs, untilMs);
  return (coin, timeMs) => paths(coin === HYPE_SPOT ? "HYPE" : coin, timeMs);
}

interface Plot {
  venue: SimulatedVenue;
  seed: number;
  name: string;
  fromMs: number;
  untilMs: number;
  priceAt: PriceAt;
}

class Past {
  readonly cast: CastMember[];
  readonly #plot: Plot;
  readonly #steps: Step[] = [];
  #next = 0;

  constructor(plot: Plot) {
    this.#plot = plot;
    const address = (who: string) => addressOf(plot.seed, `demo ${plot.name} ${who}`);
    const [swing, maker, investor] = [address("swing"), address("maker"), address("investor")];
    const vaultName = `Trend ${plot.name}`;
    this.cast = [
      { address: swing, alias: "swing" },
      { address: maker, alias: "maker" },
      // The model names a vault by its number and its name.
      { address: addressOf(plot.seed, `vault:0:${vaultName}`), alias: "vault" },
    ];
    this.#swing(swing);
    this.#maker(maker);
    this.#vault(swing, investor, vaultName);
    this.#steps.sort((a, b) => a.atMs - b.atMs);
  }

  live(): boolean {
    const { venue, untilMs } = this.#plot;
    const toMs = Math.min(venue.nowMs + PIECE_MS, untilMs);
    for (let step = this.#steps[this.#next]; step !== undefined && step.atMs <= toMs; ) {
      venue.advance(step.atMs);
      step.run();
      step = this.#steps[++this.#next];
    }
    venue.advance(toMs);
    return toMs < untilMs;
  }

  /** Nothing is planned for what is made as finely as the present: its prices are not known. */
  #at(atMs: number, run: () => void): void {
    if (atMs < this.#plot.untilMs - FINE_MS) this.#steps.push({ atMs: Math.round(atMs), run });
  }

  #day(day: number, run: () => void): void {
    this.#at(this.#plot.fromMs + Math.round(day * DAY_MS), run);
  }

  #swing(user: string): void {
    const { venue, seed, priceAt, fromMs, untilMs } = this.#plot;
    const trader = new Trader(venue, user);
    this.#day(0.4, () => venue.deposit(user, "30000"));
    this.#day(28.3, () => venue.deposit(user, "20000"));
    this.#day(58.6, () => {
      trader.act({ type: "withdraw3", hyperliquidChain: "Mainnet", amount: "4000", destination: user });
    });
    const trades = planTrades(`${seed}:swing`, SWING, priceAt, fromMs + DAY_MS, untilMs - FINE_MS);
    for (const trade of trades) this.#trade(trader, trade);
    this.#finally(() => ({ user, coins: SWING.coins, fillsPerSecond: 1 / 45, orderUsd: 400 }));
  }

  #maker(user: string): void {
    const { venue, priceAt } = this.#plot;
    const trader = new Trader(venue, user);
    const coins = ["HYPE", HYPE_SPOT, "xyz:AAPL"];
    this.#day(2.2, () => {
      venue.deposit(user, "60000");
      trader.act({ type: "userSetAbstraction", user, abstraction: "unifiedAccount" });
    });
    this.#day(2.5, () => {
      const near = priceAt(HYPE_SPOT, venue.nowMs)!;
      trader.take(HYPE_SPOT, true, sizeOf(HYPE_SPOT, MAKER_INVENTORY_USD / near), near);
      venue.addActiveAccount({
        user,
        coins,
        fillsPerSecond: 0.7,
        quietOrdersPerSecond: 0.15,
        twapsPerHour: 12,
        orderUsd: 1_500,
        inventoryUsd: MAKER_INVENTORY_USD,
        makerShare: 0.97,
        edge: 0.9,
        depositUsd: "0",
      });
    });
    this.#day(71.2, () => venue.deposit(user, "15000"));
  }

  /** Led by the swing trader; somebody else has money in it. */
  #vault(leader: string, investor: string, name: string): void {
    const { venue, seed, priceAt, fromMs, untilMs } = this.#plot;
    const user = this.cast[2]!.address;
    const trader = new Trader(venue, leader, user);
    const money = new Trader(venue, investor);
    const transfer = (isDeposit: boolean, usd: number) =>
      money.act({ type: "vaultTransfer", vaultAddress: user, isDeposit, usd: usd * 1e6 });
    const bornMs = fromMs + VAULT_DAY * DAY_MS;
    this.#at(bornMs, () => {
      new Trader(venue, leader).act({
        type: "createVault",
        name,
        description: "Follows trends of some days.",
        initialUsd: 12_000 * 1e6,
        nonce: venue.nowMs,
      });
      venue.deposit(investor, "10000");
    });
    this.#day(45.5, () => transfer(true, 8_000));
    this.#day(76.1, () => transfer(false, 2_500));
    const trades = planTrades(`${seed}:trend`, TREND, priceAt, bornMs + HOUR_MS, untilMs - FINE_MS);
    for (const trade of trades) this.#trade(trader, trade);
    this.#finally(() => ({ user, coins: TREND.coins, fillsPerSecond: 1 / 120, orderUsd: 400 }));
  }

  #trade(trader: Trader, trade: PlannedTrade): void {
    const { coin, openMs, closeMs, isBuy, usd, exits } = trade;
    const { venue, priceAt } = this.#plot;
    const near = () => priceAt(coin, venue.nowMs)!;
    const cloid = `0x${openMs.toString(16).padStart(32, "0")}`;
    this.#at(openMs, () => {
      const limit = trade.entry === "limit";
      trader.enter(coin, { isBuy, usd, near: near(), limit, cloid }, trade);
    });
    if (exits === 2) this.#at((openMs + closeMs) / 2, () => trader.close(coin, 0.5, near()));
    this.#at(closeMs, () => {
      trader.cancel(coin, cloid);
      trader.close(coin, 1, near());
    });
  }

  /** From the end on the account trades a little by itself, so that there is something to see. */
  #finally(account: () => Parameters<SimulatedVenue["addActiveAccount"]>[0]): void {
    const { venue, untilMs } = this.#plot;
    this.#steps.push({
      atMs: untilMs - 1,
      run: () => venue.addActiveAccount({ makerShare: 0.6, edge: 0.5, depositUsd: "0", ...account() }),
    });
  }
}
