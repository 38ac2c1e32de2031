/**
 * What the database claims to know of the future: coverage, and states younger than any clock. A machine whose clock was ahead
 * leaves them behind; they would keep what really happens then from being read (I12).
 *
 * Guarantees: such claims are withdrawn by the next reading, which is recorded; what was withdrawn is read again.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Commit } from "../commit.ts";
import type { Doubt, Store } from "../ports.ts";
import type { Address, CoverageRow } from "../rows.ts";
import type { CoverageBook } from "./coverageBook.ts";
import { TIME_LIMITS, type VenueTime } from "./venueTime.ts";

interface FutureClaimsDeps {
  account: Address;
  store: Store;
  clock: Clock;
  log: Log;
  book: CoverageBook;
  time: VenueTime;
  commit: Commit;
}

export class FutureClaims {
  readonly #deps: FutureClaimsDeps;
  #isClaimed = false;
  /** No stored state claims to be of the future. */
  #areStatesPast = false;

  constructor(deps: FutureClaimsDeps) {
    this.#deps = deps;
  }

  /** The next reading is to withdraw some. */
  get isClaimed(): boolean {
    return this.#isClaimed;
  }

  /** Reads coverage as it is stored at the start. */
  open(sinceMs: number, coverage: readonly CoverageRow[]): void {
    const { book, clock, log } = this.#deps;
    this.#isClaimed = book.open(sinceMs, coverage, clock.now() + TIME_LIMITS.claimAheadMaxMs).length > 0;
    if (this.#isClaimed) log.warn("what is stored as complete reaches into the future: it is read again");
  }

  /**
   * Reads again what is claimed as known. What is committed meanwhile may be forgotten by this, and is then read once more.
   * Claims on the future are withdrawn.
   */
  async recall(): Promise<void> {
    const { store, account, book, time, clock, log } = this.#deps;
    const latestMs = time.readToMs(clock.now()) + TIME_LIMITS.claimAheadMaxMs;
    const future = book.open(book.sinceMs, await store.coverage(account), latestMs);
    this.#isClaimed = false;
    const states = await this.#futureStates(latestMs);
    if (future.length + states.length === 0) return;
    const foundAtMs = clock.now();
    const claims = future.map(({ stream, fromMs, toMs }) => ({
      stream,
      fromMs,
      toMs,
      table: null,
      row: null,
    }));
    await store.doubt(account, [...claims, ...states]);
    const drift = future.map(({ stream, grade, fromMs, toMs }) => {
      return {
        account,
        stream,
        cause: "future",
        detail: { grade, fromMs, toMs },
        foundAtMs,
        repairedAtMs: foundAtMs,
      };
    });
    await this.#deps.commit({ drift }, foundAtMs);
    log.info("claims on the future withdrawn: that time is read again", {
      intervals: future.length,
      states: states.length,
    });
  }

  /** Stored positions and balances that are younger than any clock: no state would ever replace them. */
  async #futureStates(latestMs: number): Promise<Doubt[]> {
    if (this.#areStatesPast) return [];
    const { store, account, time, clock } = this.#deps;
    const [positions, balances] = await Promise.all([store.positions(account), store.balances(account)]);
    // While a stamp is refused, the latest moment is not known well.
    this.#areStatesPast = time.aheadMs === null;
    const toMs = time.estimate(clock.now()) - TIME_LIMITS.agreeMs;
    const doubt = { stream: null, fromMs: toMs, toMs };
    return [
      ...positions.flatMap(({ dex, coin, asOfMs }) =>
        asOfMs > latestMs ? [{ ...doubt, table: "hl_positions" as const, row: `${dex}|${coin}` }] : [],
      ),
      ...balances.flatMap(({ coin, asOfMs }) =>
        asOfMs > latestMs ? [{ ...doubt, table: "hl_balances" as const, row: coin }] : [],
      ),
    ];
  }
}
