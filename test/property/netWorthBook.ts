/**
 * What an account made, added up from the venue's own truth: its fills, funding, ledger, interest and rewards, and the prices
 * of what it held. Shares nothing with `src/sync` and reads no state: what hlsync takes from balances and margin summaries is
 * here the sum of what happened.
 *
 * Exact: amounts have eight decimals and so have prices, so that a sum of products at sixteen loses nothing. Each part is
 * valued where it is learned (`Moment`): profit is a difference of two numbers that were read at those moments.
 */
import type { Json, JsonObject } from "../../src/simulator/contract.ts";
import { fixed } from "../../src/simulator/exchange/fixed.ts";
import type { SimulatedVenue } from "../../src/simulator/exchange/venue.ts";

/** Dollars at sixteen decimals. */
export type Dollars = bigint;
const dollars = (amount: bigint): Dollars => amount * 100_000_000n;

/** What each kind of event brought since the beginning. */
export interface Gains {
  /** Realized and unrealized, fees apart. */
  perps: Dollars;
  /** What spot was bought below its price, or sold above it. */
  spotTrades: Dollars;
  /** What the prices of the tokens did while they were held, staked and lent ones inside, less those owed. */
  prices: Dollars;
  fees: Dollars;
  funding: Dollars;
  interest: Dollars;
  rewards: Dollars;
  costs: Dollars;
  /** What the vaults made with the money that is in them. */
  vaults: Dollars;
  /** Between the value that the venue told for a token that was sent or came, and its price. */
  sent: Dollars;
}

/** When hlsync last heard of a part, and the prices it was told. */
export interface Moment {
  mids: Readonly<Record<string, string>>;
  /** Of all vaults, as served. */
  vaults: bigint;
  /** Rewards of a stake come without a word: those after this are not in what was served. */
  stakeMs: number;
}

/** Market of a token against USDC. */
const PAIRS: Readonly<Record<string, string>> = { HYPE: "@107", PURR: "PURR/USDC", HFUN: "@1" };
const TOKENS: ReadonlyMap<string, string> = new Map(
  Object.entries(PAIRS).map(([token, pair]) => [pair, token]),
);
const DEXES = ["", "xyz"];

const amount = (row: JsonObject, key: string): bigint => fixed(row[key] as string);

export class Book {
  readonly #venue: SimulatedVenue;
  readonly #user: string;
  readonly #gains: Gains = {
    perps: 0n,
    spotTrades: 0n,
    prices: 0n,
    fees: 0n,
    funding: 0n,
    interest: 0n,
    rewards: 0n,
    costs: 0n,
    vaults: 0n,
    sent: 0n,
  };
  /** What is owned of each token, wherever it lies. */
  readonly #held = new Map<string, bigint>();
  /** As of the last moment. */
  #prices = new Map<string, bigint>();
  readonly #perps = new Map<string, bigint>();
  #perpCash: Dollars = 0n;
  #closedPnl: Dollars = 0n;
  /** Put into vaults, less what came back. */
  #inVaults: Dollars = 0n;
  /** Rows of each list that were taken. */
  readonly #taken = new Map<string, number>();

  constructor(venue: SimulatedVenue, user: string) {
    this.#venue = venue;
    this.#user = user;
  }

  /** Takes what happened since the last moment. */
  take(moment: Moment): Gains {
    const price = (token: string): bigint => {
      const mid = moment.mids[PAIRS[token] ?? ""];
      return token === "USDC" ? 100_000_000n : mid === undefined ? 0n : fixed(mid);
    };
    for (const [token, held] of this.#held)
      this.#gains.prices += held * (price(token) - (this.#prices.get(token) ?? 0n));
    const { fills, twapSliceFills, funding, ledger } = this.#venue.truth(this.#user);
    for (const fill of this.#fresh("fills", fills)) this.#takeFill(fill, price);
    for (const { fill } of this.#fresh("slices", twapSliceFills)) this.#takeFill(fill, price);
    for (const row of this.#fresh("funding", funding)) this.#gains.funding += dollars(amount(row, "usdc"));
    for (const { delta } of this.#fresh("ledger", ledger)) this.#takeUpdate(delta as JsonObject, price);
    for (const row of this.#fresh("interest", this.#interest())) {
      const token = row.token as string;
      const earned = amount(row, "supply") - amount(row, "borrow");
      this.#gains.interest += earned * price(token);
      this.#hold(token, earned);
    }
    const rewards = this.#rewards().filter(({ time }) => (time as number) <= moment.stakeMs);
    for (const row of this.#fresh("rewards", rewards))
      this.#reward("HYPE", amount(row, "totalAmount"), price);
    this.#prices = new Map([...this.#held.keys()].map((token) => [token, price(token)]));
    this.#gains.perps = this.#perpCash + this.#openValue();
    this.#gains.vaults = dollars(moment.vaults) - this.#inVaults;
    return { ...this.#gains };
  }

  /** Realized profit of all perp fills as their rows say. */
  get closedPnl(): Dollars {
    return this.#closedPnl;
  }

  #fresh<T>(list: string, rows: readonly T[]): readonly T[] {
    const from = this.#taken.get(list) ?? 0;
    this.#taken.set(list, rows.length);
    return rows.slice(from);
  }

  #hold(token: string, change: bigint): void {
    if (token !== "USDC") this.#held.set(token, (this.#held.get(token) ?? 0n) + change);
  }

  #takeFill(fill: JsonObject, price: (token: string) => bigint): void {
    const coin = fill.coin as string;
    const px = amount(fill, "px");
    const signed = fill.side === "B" ? amount(fill, "sz") : -amount(fill, "sz");
    const token = TOKENS.get(coin);
    if (token === undefined) {
      this.#perps.set(coin, (this.#perps.get(coin) ?? 0n) + signed);
      this.#perpCash -= signed * px;
      this.#closedPnl += dollars(amount(fill, "closedPnl"));
    } else {
      this.#hold(token, signed);
      this.#gains.spotTrades += signed * (price(token) - px);
    }
    this.#pay(fill.feeToken as string, amount(fill, "fee"), price);
    if (fill.priorityGas !== undefined) this.#pay("HYPE", amount(fill, "priorityGas"), price);
  }

  #pay(token: string, fee: bigint, price: (token: string) => bigint): void {
    this.#hold(token, -fee);
    this.#gains.fees -= fee * price(token);
  }

  #reward(token: string, given: bigint, price: (token: string) => bigint): void {
    this.#hold(token, given);
    this.#gains.rewards += given * price(token);
  }

  #takeUpdate(delta: JsonObject, price: (token: string) => bigint): void {
    const token = (delta.token as string | undefined) || "USDC";
    // Others come to a vault and leave it.
    if (delta.vault === this.#user) return;
    switch (delta.type) {
      case "spotTransfer":
      case "send": {
        const ways = Number(delta.destination === this.#user) - Number(delta.user === this.#user);
        if (token === "USDC" || ways === 0) return;
        const moved = BigInt(ways) * amount(delta, "amount");
        this.#hold(token, moved);
        this.#gains.sent += moved * price(token) - BigInt(ways) * dollars(amount(delta, "usdcValue"));
        return;
      }
      case "rewardsClaim":
      case "spotGenesis":
        this.#reward(token, amount(delta, "amount"), price);
        return;
      case "welcomeBonus":
        this.#reward("USDC", amount(delta, "usdc"), price);
        return;
      case "accountActivationGas":
      case "activateDexAbstraction":
      case "deployGasAuction":
      case "gossipPriorityGasAuction":
        this.#hold(token, -amount(delta, "amount"));
        this.#gains.costs -= amount(delta, "amount") * price(token);
        return;
      case "vaultCreate":
      case "vaultDeposit":
        this.#inVaults += dollars(amount(delta, "usdc"));
        return;
      case "vaultWithdraw":
        this.#inVaults -= dollars(amount(delta, "netWithdrawnUsd"));
        return;
      case "vaultDistribution":
        this.#inVaults -= dollars(amount(delta, "usdc"));
        return;
      // Dollars across the border and between own pockets, a stake, a loan: nobody wins or loses by them.
      case "deposit":
      case "withdraw":
      case "internalTransfer":
      case "subAccountTransfer":
      case "accountClassTransfer":
      case "perpDexClassTransfer":
      case "cStakingTransfer":
      case "borrowLend":
      case "liquidation":
        return;
      default:
        throw new Error(`no rule for a ledger update of the type ${String(delta.type)}`);
    }
  }

  #interest(): JsonObject[] {
    const request = { type: "userBorrowLendInterest", user: this.#user, startTime: 0 };
    return this.#venue.info(request).body as JsonObject[];
  }

  /** Oldest first. */
  #rewards(): JsonObject[] {
    return (this.#venue.info({ type: "delegatorRewards", user: this.#user }).body as JsonObject[]).reverse();
  }

  #openValue(): Dollars {
    let value = 0n;
    for (const dex of DEXES) {
      const [meta, contexts] = this.#venue.info({ type: "metaAndAssetCtxs", dex }).body as [
        { universe: { name: string }[] },
        Json[],
      ];
      for (const [index, { name }] of meta.universe.entries()) {
        const size = this.#perps.get(name) ?? 0n;
        if (size !== 0n) value += size * amount(contexts[index] as JsonObject, "markPx");
      }
    }
    return value;
  }
}

export const total = (gains: Gains): Dollars =>
  Object.values(gains).reduce((sum: bigint, gain: bigint) => sum + gain, 0n);
