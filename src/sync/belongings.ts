/**
 * What an account owns beside perps and spot: its equity in vaults and its stake.
 *
 * Guarantees: the equity in vaults is as young as the venue pushes it (webData3); each vault and the stake are asked with the
 * priority given, at once when they are not known or money moved there since, and otherwise seldom: nothing of an account without vaults and stake is asked again
 * within the hour, also by the next process, which begins with what the last snapshot knew. What is older than `BELIEVED_MS`,
 * or was read before money moved there, is not known. A list that `verify`, in another process, took out of the database is
 * asked for again after the next `recall`.
 */

import { ProtocolError } from "../errors.ts";
import { isObject } from "../protocol/decode.ts";
import { INFO } from "../protocol/infoRequests.ts";
import { allOf } from "../runtime/allOf.ts";
import type { Clock } from "../runtime/clock.ts";
import { add, type Decimal, isDecimal, isZero, sum } from "../runtime/decimal.ts";
import { isDue } from "../runtime/due.ts";
import { fact, wholeFact } from "./account/particulars.ts";
import type { NetWorthParts, Reading } from "./netWorth.ts";
import type { InfoOptions, Store, VenueInfo } from "./ports.ts";
import { type Keep, keepUnread } from "./quarantine.ts";
import type { Address, LedgerRow } from "./rows.ts";

/** Renewed after this; sooner while something is on its way out, since it arrives without a word. */
const KEPT_MS = 600_000;
const KEPT_NOTHING_MS = 3_600_000;
const KEPT_PENDING_MS = 60_000;
const BELIEVED_MS = 7_200_000;
/** What could not be read is asked again after this: soon when the venue was not there, seldom when it refuses. */
const RETRY_MS = 20_000;
const REFUSED_RETRY_MS = 600_000;
/** What is answered now was true within this of the venue's time as we know it. */
const SLACK_MS = 10_000;

interface Part {
  reading: Reading | null;
  /** Venue time of the newest answer: what is pushed is the sum alone. */
  listedMs: number;
  renewAtMs: number;
  retryAtMs: number;
  /** Venue time of the newest update that moved money there. */
  movedMs: number;
}
const unread = (): Part => ({ reading: null, listedMs: 0, renewAtMs: 0, retryAtMs: 0, movedMs: 0 });

interface BelongingsDeps {
  account: Address;
  info: VenueInfo;
  store: Store;
  clock: Clock;
  commit: Keep;
}

/** When, by the venue's clock, an answer was true that was asked at `askedMs` and took so long. */
export const answeredAt = (askedMs: number, tookMs: number) => ({
  fromMs: askedMs - SLACK_MS,
  toMs: askedMs + tookMs + SLACK_MS,
});

/** Of all vaults, from `perpDexStates` of webData3; null when one part of it is not told. */
export function vaultEquityOf(perpDexStates: unknown): Decimal | null {
  if (!Array.isArray(perpDexStates) || perpDexStates.length === 0) return null;
  const equities = perpDexStates.map((state: unknown) => (isObject(state) ? state.totalVaultEquity : null));
  return equities.every(isDecimal) ? sum(equities) : null;
}

export class Belongings {
  readonly #deps: BelongingsDeps;
  readonly #vaults = unread();
  readonly #stake = unread();
  /** With the names of the lists that the database holds of it. */
  readonly #parts = [
    [this.#vaults, ["vaults"]],
    [this.#stake, ["stake", "delegations"]],
  ] as const;
  #isOpen = false;

  constructor(deps: BelongingsDeps) {
    this.#deps = deps;
  }

  /** Equity in all vaults as pushed. Which vaults they are is asked for. */
  noteVaults(amount: Decimal, venueMs: number): void {
    this.#vaults.reading = { amount, fromMs: venueMs, toMs: venueMs };
  }

  /** A hint when to ask again. `hl_internal.ledger_effect` says what an update moves. */
  noteLedger(rows: readonly LedgerRow[]): void {
    for (const { type, timeMs } of rows) {
      if (type.startsWith("vault")) this.#vaults.movedMs = Math.max(this.#vaults.movedMs, timeMs);
      if (type.includes("Staking")) this.#stake.movedMs = Math.max(this.#stake.movedMs, timeMs);
    }
  }

  /** `venueMs`: the venue's time now. */
  vaults(venueMs: number): Reading | null {
    return believed(this.#vaults, venueMs);
  }

  stake(venueMs: number): Reading | null {
    return believed(this.#stake, venueMs);
  }

  /** Learns what is missing or has grown old. Rejects as `request` does, after both had their turn. */
  async refresh(venueMs: number, options: InfoOptions): Promise<void> {
    if (!this.#isOpen) await this.#open();
    const learn = async (part: Part, read: () => Promise<void>): Promise<void> => {
      const nowMs = this.#deps.clock.now();
      const isCurrent = part.listedMs > part.movedMs && believed(part, venueMs) !== null;
      const isKept = isCurrent && !isDue(part.renewAtMs, nowMs, KEPT_NOTHING_MS);
      if (isKept || !isDue(part.retryAtMs, nowMs, REFUSED_RETRY_MS)) return;
      try {
        await read();
      } catch (error) {
        const waitMs = error instanceof ProtocolError ? REFUSED_RETRY_MS : RETRY_MS;
        if (!options.signal?.aborted) part.retryAtMs = this.#deps.clock.now() + waitMs;
        throw error;
      }
    };
    await allOf([
      learn(this.#vaults, () => this.#readVaults(venueMs, options)),
      learn(this.#stake, () => this.#readStake(venueMs, options)),
    ]);
  }

  /** Looks again which lists the database holds; the first `refresh` looks by itself. */
  async recall(): Promise<void> {
    if (this.#isOpen) await this.#look();
  }

  /** Which lists the database holds, and how old they are. What is pushed is the sum alone, and may be younger. */
  async #look(): Promise<void> {
    const { store, account } = this.#deps;
    const asOfMs = new Map(
      (await store.versions("facts", account)).map(({ fact: name, asOfMs }) => [name, asOfMs]),
    );
    for (const [part, names] of this.#parts)
      part.listedMs = Math.min(...names.map((name) => (asOfMs.get(name) ?? 0) - SLACK_MS));
  }

  /** What the last snapshot knew, whichever process wrote it. */
  async #open(): Promise<void> {
    const { store, account, clock } = this.#deps;
    const newest = await store.latestDashboard(account);
    await this.#look();
    this.#isOpen = true;
    const {
      vaults = null,
      stake = null,
      read = {},
    } = (newest?.netWorthParts ?? {}) as Partial<NetWorthParts>;
    const known = [
      [this.#vaults, vaults, read.vaults],
      [this.#stake, stake?.amount ?? null, read.stake],
    ] as const;
    for (const [part, amount, interval] of known) {
      if (amount === null || interval === undefined || part.reading !== null || part.listedMs < 0) continue;
      const [fromMs, toMs] = interval;
      part.reading = { amount, fromMs, toMs };
      part.renewAtMs = Math.min(clock.now(), toMs) + (isZero(amount) ? KEPT_NOTHING_MS : KEPT_MS);
    }
    const readMs = known.flatMap(([{ reading, listedMs }]) => (reading === null ? [] : [listedMs]));
    if (readMs.length === 0) return;
    // What moved since, another process may have stored.
    const sinceMs = Math.max(Math.min(...readMs), clock.now() - BELIEVED_MS);
    this.noteLedger(await store.ledger(account, sinceMs, Number.MAX_SAFE_INTEGER));
  }

  async #readVaults(venueMs: number, options: InfoOptions): Promise<void> {
    const { info, account, clock, commit } = this.#deps;
    const askedMs = clock.now();
    const answer = await info.request(INFO.userVaultEquities, { user: account }, options);
    const { result, receivedAtMs } = answer;
    await keepUnread(answer, INFO.userVaultEquities.type, account, commit);
    await commit(wholeFact({ account, asOfMs: venueMs }, "vaults", result), receivedAtMs);
    // A vault that cannot be read is worth something all the same.
    if (result.unread.length > 0) throw new Error("an equity in a vault could not be read");
    const amount = sum(result.rows.map(({ value }) => value.equity));
    this.#take(this.#vaults, { amount, ...answeredAt(venueMs, receivedAtMs - askedMs) });
  }

  async #readStake(venueMs: number, options: InfoOptions): Promise<void> {
    const { info, account, clock, commit } = this.#deps;
    const askedMs = clock.now();
    const { result, receivedAtMs } = await info.request(INFO.delegatorSummary, { user: account }, options);
    const { delegated, undelegated, totalPendingWithdrawal } = result.value;
    await commit(fact({ account, asOfMs: venueMs }, "stake", result.raw), receivedAtMs);
    const at = { account, asOfMs: venueMs };
    if (isZero(delegated)) await commit(fact(at, "delegations", []), receivedAtMs);
    else {
      const answer = await info.request(INFO.delegations, { user: account }, options);
      await keepUnread(answer, INFO.delegations.type, account, commit);
      await commit(wholeFact(at, "delegations", answer.result), answer.receivedAtMs);
    }
    const amount = add(add(delegated, undelegated), totalPendingWithdrawal);
    const keptMs = isZero(totalPendingWithdrawal) ? undefined : KEPT_PENDING_MS;
    this.#take(this.#stake, { amount, ...answeredAt(venueMs, receivedAtMs - askedMs) }, keptMs);
  }

  #take(part: Part, reading: Reading, keptMs = isZero(reading.amount) ? KEPT_NOTHING_MS : KEPT_MS): void {
    part.reading = reading;
    part.listedMs = reading.fromMs;
    part.renewAtMs = this.#deps.clock.now() + keptMs;
  }
}

function believed({ reading, movedMs }: Part, venueMs: number): Reading | null {
  if (reading === null || venueMs - reading.toMs > BELIEVED_MS) return null;
  // Of what moved within its interval it may be before or after.
  return reading.fromMs <= movedMs ? null : reading;
}
