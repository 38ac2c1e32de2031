/**
 * The states of one account as last told: of every perp dex, and of spot. Makes their rows.
 *
 * Guarantees: every state that was read whole goes to the database with the list of what it holds, so that what vanished is
 * closed there by the rule of ADR 0005, whichever process saw it first. A state that was not read whole closes nothing, and
 * what is reckoned from states (equity, health, checks) goes on with the last one that was: it ages, and says so.
 */

import { isWhole, type ReadParts } from "../../protocol/decode.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import {
  tellsTotals,
  type WireClearinghouseState,
  type WireSpotState,
  type WireStateParts,
} from "../../protocol/schemas.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isZero } from "../../runtime/decimal.ts";
import { type AccountMode, accountMode, DOLLAR_TOKENS } from "../accountSnapshot.ts";
import type { CashCheck } from "../cashCheck.ts";
import { type Dexes, strayState } from "../dexes.ts";
import type { HealthWatch, WatchedStates } from "../healthWatch.ts";
import { balanceRows, positionRows } from "../normalize.ts";
import { quarantineRows } from "../quarantine.ts";
import type { Address, Batch, PositionRow, StateRow } from "../rows.ts";
import type { SelfCheck } from "../selfCheck.ts";

/** The venue pushes the mode every few seconds; where it does not, each reading that is later than this asks. */
const MODE_KEPT_MS = 30_000;

interface StateBookDeps {
  account: Address;
  clock: Clock;
  dexes: Dexes;
  check: SelfCheck;
  cash: CashCheck;
  health: HealthWatch;
}

export class StateBook {
  readonly #deps: StateBookDeps;
  readonly #perps = new Map<string, WireClearinghouseState>();
  /** The same as the venue wrote them. */
  readonly #rawPerps = new Map<string, unknown>();
  #spot: WireSpotState | null = null;
  #abstraction: string | null = null;
  #abstractionAtMs = Number.NEGATIVE_INFINITY;
  #isModeKnown = false;
  readonly #used = new Set<string>([""]);
  /**
   * Dexes that were listed at the first reading and of which no state was read yet: money may lie there that no row tells.
   * Null before that reading. What is deployed later is empty until a row names it.
   */
  #unseen: Set<string> | null = null;
  /** Dexes on which the database held a position open when it was read. */
  readonly #held = new Set<string>();
  /** Since when the venue neither lists a dex nor answers for it. */
  readonly #goneSinceMs = new Map<string, number>();

  constructor(deps: StateBookDeps) {
    this.#deps = deps;
  }

  /** The venue's word for the way the account pools its collateral; null while it was not told. */
  get abstraction(): string | null {
    return this.#abstraction;
  }

  get mode(): AccountMode {
    return accountMode(this.#abstraction, this.#spot);
  }

  /** Dollars back the perps, or may do so: then no total of them stands for itself. */
  get #isPooled(): boolean {
    return this.#abstraction === null || this.mode !== "standard";
  }

  noteAbstraction(abstraction: string | null): void {
    this.#abstraction = abstraction;
    this.#abstractionAtMs = this.#deps.clock.now();
    this.#isModeKnown = true;
  }

  /** The venue could not be asked for the mode, or (`isServed` false) does not know the question: then a push gives it, or it stays as it is. */
  noteModeUntold(isServed: boolean): void {
    this.#isModeKnown = !isServed;
  }

  /** It may have changed since it was told: in the wrong mode the money of the perps would count twice, or not at all. */
  get isModeOld(): boolean {
    return this.#abstraction === null || this.#deps.clock.now() - this.#abstractionAtMs >= MODE_KEPT_MS;
  }

  /** Something of the account is on this dex: it is read at every catch-up. */
  noteUsed(dex: string): void {
    this.#used.add(dex);
  }

  /** A stored position is open there. */
  noteHeld(dex: string): void {
    this.noteUsed(dex);
    this.#held.add(dex);
  }

  /** Dexes whose state is to be read: those that may hold something, those listed when `all`, unlisted ones with a position, missed ones. */
  toRead(all: boolean): string[] {
    const { names } = this.#deps.dexes;
    if (all) this.#unseen ??= new Set(names);
    const unlisted = [...this.#held].filter((dex) => !names.includes(dex));
    return [...new Set([...names.filter((dex) => all || this.#mayHold(dex)), ...unlisted, ...this.#missed])];
  }

  /** Dexes in use that the list of the venue may have in a part that could not be read. */
  get #missed(): string[] {
    return [...this.#used].filter((dex) => this.#deps.dexes.isMissed(dex));
  }

  #mayHold(dex: string): boolean {
    return this.isUsed(dex) || this.#unseen?.has(dex) === true;
  }

  isUsed(dex: string): boolean {
    return this.#used.has(dex);
  }

  /** The rows of a state of one dex, fetched or pushed, whose time is believed. */
  takePerp(dex: string, state: ReadParts<WireStateParts>, receivedAtMs: number): Batch {
    const { account, check, cash, health } = this.#deps;
    const asOfMs = state.value.time ?? receivedAtMs;
    const positions = positionRows(account, dex, state, receivedAtMs);
    const reason = strayState(dex, positions);
    if (reason !== null) {
      const unread = [{ kind: "row", raw: state.raw, reason }] as const;
      return { quarantine: quarantineRows(unread, INFO.clearinghouseState.type, account, receivedAtMs) };
    }
    this.#goneSinceMs.delete(dex);
    if (positions.length > 0) this.noteUsed(dex);
    const told: StateRow = { account, kind: "perp", dex, coins: null, asOfMs, receivedAtMs };
    if (!isWhole(state.unread)) {
      this.noteUsed(dex);
      return { positions, states: [told] };
    }
    const coins = positions.map(({ coin }) => coin);
    const whole = { positions, states: [{ ...told, coins }] };
    check.noteState(dex, asOfMs, new Map(positions.map(({ coin, szi }) => [coin, szi])), receivedAtMs);
    if (!tellsTotals(state)) return whole;
    this.#perps.set(dex, state.value);
    this.#rawPerps.set(dex, state.raw);
    this.#unseen?.delete(dex);
    health.noteState(dex, receivedAtMs);
    if (!isZero(state.value.marginSummary.accountValue)) this.noteUsed(dex);
    const rawUsd = this.#isPooled ? null : state.value.marginSummary.totalRawUsd;
    cash.noteState(dex, asOfMs, rawUsd, new Set(coins), receivedAtMs);
    return whole;
  }

  /** The row of a dex that the venue neither lists nor answers for. `venueMs`: the venue's time now. */
  takeGone(dex: string, receivedAtMs: number, venueMs: number): Batch {
    const { account } = this.#deps;
    const sinceMs = this.#goneSinceMs.get(dex);
    if (sinceMs === undefined) this.#goneSinceMs.set(dex, venueMs);
    else if (sinceMs < venueMs) {
      // The second witness: its money is no part of the account any more.
      this.#perps.delete(dex);
      this.#rawPerps.delete(dex);
      this.#unseen?.delete(dex);
      this.#used.delete(dex);
      this.#held.delete(dex);
    }
    return { states: [{ account, kind: "perp", dex, coins: [], asOfMs: venueMs, receivedAtMs }] };
  }

  /** `venueMs`: the venue's time now. */
  takeSpot(state: ReadParts<WireSpotState>, receivedAtMs: number, venueMs: number): Batch {
    const { account, cash, health } = this.#deps;
    const balances = balanceRows(account, state, venueMs);
    const coins = isWhole(state.unread) ? balances.map(({ coin }) => coin) : null;
    // The spot state carries no time of its own; ours may be wrong.
    const spot: StateRow = { account, kind: "spot", dex: "", coins, asOfMs: venueMs, receivedAtMs };
    if (coins !== null && tellsTotals(state)) {
      this.#spot = state.value;
      health.noteSpot(receivedAtMs, venueMs);
    }
    if (coins !== null) cash.noteBalances(balances, this.#isPooled, receivedAtMs, venueMs);
    return { balances, states: [spot] };
  }

  /** Whether every state that the money rests on was read whole at least once. */
  get isComplete(): boolean {
    if (!this.#deps.dexes.isTold) return false;
    const perps = this.#deps.dexes.names.every((dex) => !this.isUsed(dex) || this.#perps.has(dex));
    return perps && (this.#spot !== null || !this.#isPooled);
  }

  /**
   * What moves with fills, transfers and payments, and not with prices, as last told: two equal marks say that nothing is known to
   * have happened between them. Pooled dollars move with every price while a position is open.
   */
  mark(): string {
    const held = this.positions();
    const isMoving = this.#isPooled && held.length > 0;
    const positions = held.map(({ dex, coin, szi, entryPrice }) => [dex, coin, szi, entryPrice]);
    const cash = [...this.#perps].map(([dex, { marginSummary }]) => [dex, marginSummary.totalRawUsd]);
    const balances = (this.#spot?.balances ?? [])
      .filter(({ coin }) => !isMoving || !DOLLAR_TOKENS.has(coin))
      .map(({ coin, total, hold }) => [coin, total, hold]);
    return JSON.stringify([positions.sort(), isMoving ? null : cash.sort(), balances.sort()]);
  }

  /** Open positions as last told. */
  positions(): PositionRow[] {
    const { account, clock } = this.#deps;
    return [...this.#perps].flatMap(([dex, value]) =>
      positionRows(account, dex, { value, raw: value }, clock.now()).filter(({ szi }) => !isZero(szi)),
    );
  }

  /** What the health of the account rests on. `venueTimeMs`: the newest believed time of the venue, `venueNowMs`: now. */
  watched(venueTimeMs: number, venueNowMs: number): Omit<WatchedStates, "areFlowsKnown"> {
    const { account, clock, dexes } = this.#deps;
    // A dex that is not traded is as young as its last state, and says nothing about the moment of the money.
    const inUse = [...this.#perps].filter(([dex]) => this.isUsed(dex));
    return {
      account,
      asOfMs: Math.max(...inUse.map(([, state]) => state.time ?? clock.now())),
      mode: this.mode,
      isModeKnown: this.#isModeKnown,
      perps: this.#perps,
      rawPerps: this.#rawPerps,
      spot: this.#spot,
      dexesInUse: new Set([...dexes.names.filter((dex) => this.#mayHold(dex)), ...this.#missed]),
      venueTimeMs,
      venueNowMs,
    };
  }
}
