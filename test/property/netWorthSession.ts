/**
 * A random session of one account on the venue model, drawn from one number, with every way in which money moves; and hlsync
 * beside it, which polls the venue at steps into a real database: the account of `src/sync` over requests that are answered in
 * the process. Time is the venue's and stands still while hlsync reads.
 */
import { TransportError } from "../../src/errors.ts";
import { readDrawdown } from "../../src/outputs/http/reads.ts";
import type { InfoRequest } from "../../src/protocol/infoRequests.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { type Random, seededRandom } from "../../src/runtime/random.ts";
import type { JsonObject } from "../../src/simulator/contract.ts";
import { fixed, format, toTick } from "../../src/simulator/exchange/fixed.ts";
import { addressOf } from "../../src/simulator/exchange/ids.ts";
import { createVenue, type SimulatedVenue } from "../../src/simulator/exchange/venue.ts";
import { ACCOUNT_DEFAULTS, Account } from "../../src/sync/account/account.ts";
import { Dexes } from "../../src/sync/dexes.ts";
import { Markets } from "../../src/sync/markets.ts";
import type { InfoAnswer, VenueInfo } from "../../src/sync/ports.ts";
import { Prices } from "../../src/sync/prices.ts";
import { Volatilities } from "../../src/sync/volatility.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { Book, type Gains, type Moment } from "./netWorthBook.ts";

/** `vault`: a vault is followed, by which others come and go. */
export const MODES = ["standard", "unified", "portfolio margin", "changing", "vault"] as const;
export type SessionMode = (typeof MODES)[number];

const ABSTRACTION = {
  unified: "unifiedAccount",
  "portfolio margin": "portfolioMargin",
  standard: "disabled",
};
const COINS = ["BTC", "SOL", "HYPE", "xyz:AAPL", "@107", "PURR/USDC"];
const PX_DECIMALS: Record<string, number> = {
  BTC: 1,
  SOL: 4,
  HYPE: 4,
  "xyz:AAPL": 3,
  "@107": 6,
  "PURR/USDC": 8,
};
const SZ_DECIMALS: Record<string, number> = {
  BTC: 5,
  SOL: 2,
  HYPE: 2,
  "xyz:AAPL": 3,
  "@107": 2,
  "PURR/USDC": 0,
};
const ASSETS: Record<string, number> = {
  BTC: 0,
  SOL: 5,
  HYPE: 8,
  "xyz:AAPL": 110_001,
  "@107": 10_107,
  "PURR/USDC": 10_000,
};
const OTHER = `0x${"b".repeat(40)}`;
const VAULT = "v";
const VALIDATOR = `0x${"d".repeat(40)}`;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Older than this no price and no state is believed, so that a refused request cannot go unnoticed. */
const LONG_AGO = 200 * SECOND;
/** An update this near to a reading may be on one side of it or the other: the spot state has no time of its own. */
export const NEAR_MS = 10 * SECOND;
/** What was refused is asked for again after this. */
export const RETRY_MS = 20 * SECOND;

/** What hlsync needs of the venue at each step, and may be refused. */
const REFUSED = [
  "allMids",
  "userVaultEquities",
  "delegatorSummary",
  "spotClearinghouseState",
  "clearinghouseState",
  "userNonFundingLedgerUpdates",
  "userFunding",
  "userAbstraction",
] as const;

export interface Step {
  /** The venue's time of the snapshot. */
  asOfMs: number;
  /** What the page showed after the pass. */
  shown: Shown | null;
  /** What was refused at this step; null when all was answered. */
  refused: string | null;
  gains: Gains;
}

export interface Shown {
  /** Of the newest snapshot whose net worth is known, and of the first one. */
  drawdown_as_of_ms: number;
  captured_since_ms: number;
  profit: string | null;
}

export interface NetWorthSession {
  venue: SimulatedVenue;
  account: string;
  steps: Step[];
  /** Accepted moves by kind, and how many were refused. */
  moves: Map<string, number>;
}

const pick = <T>(random: Random, values: readonly T[]): T =>
  values[Math.floor(random.next() * values.length)]!;
/** `low` to `high`, in whole cents. */
const usd = (random: Random, low: number, high: number): string =>
  (low + random.next() * (high - low)).toFixed(2);

export async function runNetWorthSession(
  db: Pick<TestDatabase, "database" | "store">,
  mode: SessionMode,
  seed: number,
  steps: number,
): Promise<NetWorthSession> {
  const session = new Session(db, mode, seed);
  await session.run(steps);
  return session.result;
}

class Session {
  readonly result: NetWorthSession;
  readonly #db: Pick<TestDatabase, "database" | "store">;
  readonly #mode: SessionMode;
  readonly #random: Random;
  readonly #venue: SimulatedVenue;
  readonly #user: string;
  readonly #book: Book;
  readonly #info: VenueInfo;
  readonly #vault: string;
  #leader = OTHER;
  #hlsync: Account | null = null;
  #refused: string | null = null;
  /** As last served to hlsync. */
  #mids: Record<string, string> = {};
  #vaults = 0n;
  #stakeMs = 0;
  /** Of the snapshot that this step wrote. */
  #moment: Moment | null = null;
  #asOfMs = 0;
  /** Money moves while hlsync reads, before this request from now on; negative when it does not. */
  #requestsToMove = -1;
  /** Of the last snapshot. */
  #kept: Moment | null = null;

  constructor(db: Pick<TestDatabase, "database" | "store">, mode: SessionMode, seed: number) {
    this.#db = db;
    this.#mode = mode;
    this.#random = seededRandom(`net worth ${mode} ${seed}`);
    this.#venue = createVenue({
      seed,
      traders: { coins: COINS, stepMs: 5 * MINUTE, takesPerMinute: 0.3, levels: 3, levelUsd: 60_000 },
      switches: { unstakeMs: 20 * MINUTE },
    });
    this.#vault = addressOf(seed, `vault:0:${VAULT}`);
    this.#user =
      mode === "vault" ? this.#vault : `0x${MODES.indexOf(mode)}${seed.toString(16).padStart(39, "0")}`;
    this.#book = new Book(this.#venue, this.#user);
    this.#info = {
      clockOffset: () => null,
      reserve: () => () => {},
      request: async (row, params) => {
        await Promise.resolve();
        return this.#answer(row, params);
      },
    };
    this.result = { venue: this.#venue, account: this.#user, steps: [], moves: new Map() };
  }

  async run(steps: number): Promise<void> {
    const random = this.#random;
    this.#begin();
    for (let step = 0; step < steps; step++) {
      for (let moves = Math.floor(random.next() * 8); moves > 0; moves--) {
        this.#move();
        this.#pass(random.next() ** 4 * 40 * MINUTE);
      }
      this.#refused = random.next() < 0.15 ? pick(random, REFUSED) : null;
      this.#pass(this.#refused === null ? 0 : LONG_AGO);
      this.#pass(random.next() < 0.85 ? NEAR_MS + SECOND : random.next() * NEAR_MS);
      if (random.next() < 0.1) this.#restart();
      await this.#read();
      // What comes at once after a snapshot takes its net worth, when that is learned.
      this.#pass(random.next() < 0.85 ? NEAR_MS + SECOND : 1);
    }
  }

  #begin(): void {
    const mode = this.#mode;
    this.#venue.deposit(OTHER, "200000");
    if (mode !== "vault") this.#beginUser();
    const vault = { type: "createVault", name: VAULT, description: "", initialUsd: 2_000_000_000 };
    this.#act("vault", { ...vault, nonce: this.#venue.nowMs }, this.#leader);
    if (mode !== "vault" && mode !== "changing") this.#setMode(ABSTRACTION[mode]);
    this.#pass(MINUTE);
  }

  #beginUser(): void {
    const venue = this.#venue;
    venue.deposit(this.#user, "30000");
    venue.script({ type: "mint", user: OTHER, token: "HYPE", amount: "1000" });
    venue.script({ type: "mint", user: this.#user, token: "USDC", amount: "5000" });
    venue.script({ type: "mint", user: this.#user, token: "HYPE", amount: "120" });
    this.#act("own dexes", {
      type: "sendAsset",
      destination: this.#user,
      sourceDex: "",
      destinationDex: "xyz",
      token: "USDC",
      amount: "4000",
    });
    if (this.#random.next() < 0.2) this.#leader = this.#user;
  }

  #pass(ms: number): void {
    this.#venue.advance(this.#venue.nowMs + Math.floor(ms));
  }

  #act(kind: string, action: JsonObject, by = this.#user): boolean {
    const { body } = this.#venue.execute(by, action, { nonce: this.#venue.nowMs });
    const isDone = (body as JsonObject).status === "ok" && !JSON.stringify(body).includes('"error"');
    this.#count(isDone ? kind : `${kind}: refused`);
    return isDone;
  }

  #count(kind: string): void {
    this.result.moves.set(kind, (this.result.moves.get(kind) ?? 0) + 1);
  }

  #setMode(abstraction: string): void {
    this.#act("mode", { type: "userSetAbstraction", user: this.#user, abstraction });
  }

  #move(): void {
    const random = this.#random;
    const dice = random.next();
    if (this.#mode === "vault") this.#moveVault(dice);
    else if (dice < 0.34) this.#trade(this.#user, random.next() < 0.5 ? "perp" : "spot");
    else if (dice < 0.4) this.#trade(this.#vault, "perp", this.#leader);
    else if (dice < 0.46) this.#jump();
    else if (this.#mode === "changing" && random.next() < 0.25)
      this.#setMode(pick(random, Object.values(ABSTRACTION)));
    else pick(random, [() => this.#sendMoney(), () => this.#useMoney(), () => this.#beGiven()])();
  }

  #moveVault(dice: number): void {
    const random = this.#random;
    const usd = Math.floor(random.next() * 9e8);
    const own = { vaultAddress: this.#vault, usd };
    if (dice < 0.5) this.#trade(this.#user, "perp");
    else if (dice < 0.6) this.#jump();
    else if (dice < 0.75) this.#act("in", { type: "vaultTransfer", isDeposit: true, ...own }, OTHER);
    else if (dice < 0.9) this.#act("out", { type: "vaultTransfer", isDeposit: false, ...own }, OTHER);
    else this.#act("distribute", { type: "vaultDistribute", ...own }, OTHER);
  }

  /** Between own pockets, and across the border of the account. */
  #sendMoney(): void {
    const [random, user, time] = [this.#random, this.#user, this.#venue.nowMs];
    const [amount, hype] = [usd(random, 1, 900), (random.next() * 20).toFixed(4)];
    const stranger = `0x${Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(40, "c")}`;
    const [toPerp, dex] = [random.next() < 0.5, pick(random, ["", "xyz"])];
    const destination = random.next() < 0.3 ? stranger : OTHER;
    const own = {
      sourceDex: pick(random, ["", "xyz", "spot"]),
      destinationDex: pick(random, ["", "xyz", "spot"]),
    };
    const away = { sourceDex: pick(random, ["", "spot"]), destinationDex: pick(random, ["", "spot"]) };
    const asset = { type: "sendAsset", token: "USDC", amount };
    const tokens = { type: "spotSend", token: "HYPE", amount: hype, time };
    pick(random, [
      () => this.#act("class", { type: "usdClassTransfer", amount, toPerp, nonce: time }),
      () => this.#act("class of a dex", { type: "PerpDexClassTransfer", dex, token: "USDC", amount, toPerp }),
      () => this.#act("own dexes", { ...asset, ...own, destination: user }),
      () => this.#act("out", { ...asset, ...away, destination }),
      () => this.#act("out", { type: "usdSend", destination, amount, time }),
      () => this.#act("token out", { ...tokens, destination }),
      () => this.#act("token in", { ...tokens, destination: user }, OTHER),
      () => this.#act("in", { type: "usdSend", destination: user, amount, time }, OTHER),
      () => this.#act("withdraw", { type: "withdraw3", destination: user, amount, time }),
      () => this.#venue.deposit(user, amount),
    ])();
  }

  /** Stakes, vaults, loans. */
  #useMoney(): void {
    const [random, nonce] = [this.#random, this.#venue.nowMs];
    const [amount, hype] = [usd(random, 1, 900), (random.next() * 20).toFixed(4)];
    const wei = Math.floor(Number(hype) * 1e8);
    const isUndelegate = random.next() < 0.2;
    const loan = (operation: string, isDollars: boolean) => () =>
      this.#act(operation, {
        type: "borrowLend",
        operation,
        ...(isDollars ? { token: 0, amount } : { token: 150, amount: hype }),
      });
    pick<() => unknown>(random, [
      () => this.#act("stake", { type: "cDeposit", wei, nonce }),
      () =>
        this.#act("delegate", {
          type: "tokenDelegate",
          validator: VALIDATOR,
          wei: wei >> 4,
          isUndelegate,
          nonce,
        }),
      () => this.#act("unstake", { type: "cWithdraw", wei: Math.floor(wei / 10), nonce }),
      () => this.#act("unstake", { type: "cWithdraw", wei: Math.floor(wei / 100), nonce }),
      () => this.#vaultMove(true),
      () => this.#vaultMove(false),
      loan("supply", random.next() < 0.5),
      loan("withdraw", random.next() < 0.5),
      loan("borrow", random.next() < 0.7),
      loan("borrow", true),
      // All of it.
      () => this.#act("repay", { type: "borrowLend", operation: "repay", token: 0, amount: null }),
      loan("repay", random.next() < 0.5),
    ])();
  }

  /** What comes, or goes, by the venue's hand. */
  #beGiven(): void {
    const [random, user, venue] = [this.#random, this.#user, this.#venue];
    const [amount, few] = [usd(random, 1, 90), (random.next() / 100).toFixed(8)];
    const token = pick(random, ["USDC", "HYPE", "PURR"]);
    const script = (kind: string, given: Parameters<SimulatedVenue["script"]>[0]) => () => {
      venue.script(given);
      this.#count(kind);
    };
    const cost = { type: "cost", cost: "deployGasAuction", token: "HYPE", amount: "1.25", user } as const;
    pick<() => unknown>(random, [
      script("reward", { type: "reward", user, token, amount }),
      script("bonus", { type: "bonus", user, usd: amount }),
      script("stake reward", { type: "stakeReward", user, amount: few }),
      () => this.#free("HYPE") > 200_000_000n && script("cost", cost)(),
      () =>
        this.#act(
          "distribute",
          { type: "vaultDistribute", vaultAddress: this.#vault, usd: 25_000_000 },
          this.#leader,
        ),
    ])();
  }

  /** A deposit or withdrawal is worth what it says: no share of what others made comes or goes with it. */
  #vaultMove(isDeposit: boolean): void {
    const before = this.#worthOfVaults();
    const micros = Math.floor(Number(usd(this.#random, 1, 900)) * 1e6);
    const action = { type: "vaultTransfer", vaultAddress: this.#vault, isDeposit, usd: micros };
    if (!this.#act(isDeposit ? "vault deposit" : "vault withdrawal", action)) return;
    const moved = BigInt(micros) * (isDeposit ? 100n : -100n);
    const off = this.#worthOfVaults() - before - moved;
    // A share is a whole number of hundred-millionths, and may be worth a few of them.
    if (off < -100n || off > 100n)
      throw new Error(`a vault move of ${format(moved)} changed its worth by ${format(off)} more`);
  }

  #worthOfVaults(): bigint {
    const equities = this.#venue.info({ type: "userVaultEquities", user: this.#user }).body as JsonObject[];
    return equities.reduce((sum, { equity }) => sum + fixed(equity as string), 0n);
  }

  #free(coin: string): bigint {
    const { balances } = this.#venue.info({ type: "spotClearinghouseState", user: this.#user }).body as {
      balances: JsonObject[];
    };
    const balance = balances.find((one) => one.coin === coin);
    return balance === undefined ? 0n : fixed(balance.total as string) - fixed(balance.hold as string);
  }

  #trade(user: string, kind: "perp" | "spot", by = user): void {
    const random = this.#random;
    const coin = pick(
      random,
      COINS.filter((one) => (one.startsWith("@") || one.startsWith("PURR")) === (kind === "spot")),
    );
    const isBuy = random.next() < 0.5;
    const mid = this.#mid(coin);
    // Now and then far from the price, where it rests; or with far too much, until it is liquidated.
    const away = random.next() < 0.15 ? -2n : 2n;
    const px = toTick((mid * (100n + (isBuy ? away : -away))) / 100n, PX_DECIMALS[coin]!, isBuy);
    const value = random.next() < 0.05 ? 60_000 : 20 + 2_500 * random.next() ** 2;
    const lots = BigInt(Math.max(1, Math.round((value / (Number(mid) / 1e8)) * 10 ** SZ_DECIMALS[coin]!)));
    const size = format((lots * 100_000_000n) / 10n ** BigInt(SZ_DECIMALS[coin]!));
    const tif = away < 0n ? "Gtc" : "Ioc";
    const order = { a: ASSETS[coin]!, b: isBuy, p: format(px), s: size, r: false, t: { limit: { tif } } };
    const grouping = random.next() < 0.2 ? { p: 3 } : "na";
    const action: JsonObject = { type: "order", orders: [order], grouping };
    if (random.next() < 0.1 && kind === "perp")
      this.#act("leverage", {
        type: "updateLeverage",
        asset: ASSETS[coin]!,
        isCross: random.next() < 0.5,
        leverage: 5,
      });
    if (user === this.#user) this.#act(`${kind}${coin.includes(":") ? " of a dex" : ""}`, action);
    else this.#venue.execute(by, action, { nonce: this.#venue.nowMs, vaultAddress: user });
  }

  #mid(coin: string): bigint {
    const dex = coin.includes(":") ? "xyz" : "";
    return fixed((this.#venue.info({ type: "allMids", dex }).body as Record<string, string>)[coin]!);
  }

  #jump(): void {
    const coin = pick(this.#random, COINS);
    const percent = BigInt(
      Math.round((this.#random.next() - 0.5) * 2 * (this.#random.next() < 0.2 ? 25 : 4)),
    );
    const px = toTick((this.#mid(coin) * (100n + percent)) / 100n, PX_DECIMALS[coin]!, true);
    this.#venue.setOracle(coin, format(px));
  }

  /** A state read before it lacks it, one read after it shows it. */
  #moveMeanwhile(): void {
    this.#pass(1);
    const time = this.#venue.nowMs;
    // How often hlsync asks must not change what happens afterwards.
    const random = seededRandom(`meanwhile ${this.#user} ${time}`);
    const amount = usd(random, 1, 900);
    const vaultAddress = this.#vault;
    if (this.#mode === "vault")
      this.#act("in", { type: "vaultTransfer", isDeposit: true, vaultAddress, usd: 25_000_000 }, OTHER);
    else if (random.next() < 0.5)
      this.#act("in meanwhile", { type: "usdSend", destination: this.#user, amount, time }, OTHER);
    else this.#act("out meanwhile", { type: "withdraw3", destination: this.#user, amount, time });
    this.#pass(1);
  }

  /** hlsync reads the venue, and the book is struck at the same moment. */
  async #read(): Promise<void> {
    this.#hlsync ??= await this.#start();
    this.#moment = null;
    this.#asOfMs = this.#venue.nowMs;
    this.#requestsToMove = this.#random.next() < 0.15 ? Math.floor(this.#random.next() * 14) : -1;
    await this.#hlsync.catchUp("poll", new AbortController().signal);
    const moment = this.#moment ?? this.#served();
    const gains = this.#book.take(moment);
    if (this.#moment) this.#kept = moment;
    const shown = (await readDrawdown(this.#db.database, this.#user)) as Shown | null;
    this.result.steps.push({ asOfMs: this.#asOfMs, shown, refused: this.#refused, gains });
  }

  /** A new process knows of vaults and stake what the last snapshot knew. */
  #restart(): void {
    this.#hlsync = null;
    this.#vaults = this.#kept?.vaults ?? 0n;
    this.#stakeMs = this.#kept?.stakeMs ?? 0;
  }

  #served(): Moment {
    return { mids: this.#mids, vaults: this.#vaults, stakeMs: this.#stakeMs };
  }

  async #start(): Promise<Account> {
    const { store } = this.#db;
    const clock: Clock = {
      now: () => this.#venue.nowMs,
      // The second look follows at once; nothing else ends by a wait.
      sleep: (ms) => (ms === 0 ? Promise.resolve() : new Promise(() => {})),
      after: () => () => {},
    };
    const own = { clock, info: this.#info, log: silentLog };
    const dexes = new Dexes(own);
    await dexes.open(new AbortController().signal);
    const account = new Account({
      ...own,
      store,
      account: this.#user,
      alias: null,
      commit: (batch) => {
        // What it heard after this is no part of the snapshot.
        for (const { asOfMs } of batch.dashboard ?? [])
          [this.#moment, this.#asOfMs] = [this.#served(), asOfMs];
        return store.apply(batch);
      },
      dexes,
      volatilities: new Volatilities(own),
      prices: new Prices(own),
      markets: new Markets(own),
      options: { ...ACCOUNT_DEFAULTS, secondLookMs: 0 },
      sinceMs: null,
    });
    await account.open();
    return account;
  }

  #answer<P, R>(row: InfoRequest<P, R>, params: P): InfoAnswer<R> {
    if (this.#requestsToMove-- === 0) this.#moveMeanwhile();
    const nowMs = this.#venue.nowMs;
    // No history of the score is needed here.
    if (row.type === "candleSnapshot" || row.type === this.#refused)
      throw new TransportError(`no answer to ${row.type}`, { status: 500 });
    const { status, body } = this.#venue.info({ type: row.type, ...row.body(params) } as JsonObject);
    if (status !== 200) throw new TransportError(`HTTP ${status} to ${row.type}`, { status });
    const result = row.read(body);
    if ("reason" in (result as object)) throw new Error(`the answer to ${row.type} cannot be read`);
    if (row.type === "allMids" && (params as { dex: string }).dex === "")
      this.#mids = body as Record<string, string>;
    if (row.type === "userVaultEquities") this.#vaults = this.#worthOfVaults();
    if (row.type === "delegatorSummary") this.#stakeMs = nowMs;
    return { result: result as R, sentAtMs: nowMs, receivedAtMs: nowMs, weight: row.weight };
  }
}
