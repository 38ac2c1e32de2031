/**
 * The perp dexes of the venue, one list for all accounts of a process. Dexes are deployed while we run (HIP-3), so the list
 * is read again at every thorough catch-up, and at once when a row names a dex that it lacks.
 *
 * Guarantees: a dex once listed stays, also when the venue lists it no more (`isGone`); a failed reading changes nothing; listeners hear of each new dex once. At most one
 * reading at a time; for an unlisted name at most one per `UNLISTED_RETRY_MS`, and for `UNLISTED_MAX` names in that time.
 */

import { isAnswered, isRefused } from "../errors.ts";
import { isObject, isWhole, type Read, type Unread } from "../protocol/decode.ts";
import { INFO } from "../protocol/infoRequests.ts";
import { VALUE_LIMITS } from "../protocol/limits.ts";
import type { Clock } from "../runtime/clock.ts";
import { hasPassed } from "../runtime/due.ts";
import type { Log } from "../runtime/log.ts";
import { SharedWork } from "../runtime/sharedWork.ts";
import type { InfoOptions, VenueInfo } from "./ports.ts";

/** The first perp dex, which the venue serves when none is named. */
export const FIRST_DEX = "";
/** What the venue calls spot where a dex could stand. */
const SPOT = "spot";
/** A dex that a row names and the venue does not list is asked for again this often at most. */
const UNLISTED_RETRY_MS = 60_000;
const UNLISTED_MAX = 10;
/** A list as young as this is not read again: several accounts begin at once. */
const FRESH_MS = 30_000;

interface DexesDeps {
  info: VenueInfo;
  clock: Clock;
  log: Log;
}

/** The perp dex of a coin: `xyz` of `xyz:AAPL`, else "". Spot and outcome markets ride with the first dex. */
export const dexOfCoin = (coin: string): string =>
  coin.includes(":") ? coin.slice(0, coin.indexOf(":")) : FIRST_DEX;

/**
 * Why a state with these positions is not that of the dex it was asked of, or null: an endpoint that does not know dexes answers
 * with the first one's, a cache with any. Its positions and its money would count twice.
 */
export function strayState(dex: string, positions: readonly { coin: string }[]): string | null {
  const stray = positions.find(({ coin }) => dexOfCoin(coin) !== dex);
  return stray === undefined ? null : `the state of dex "${dex}" holds ${stray.coin}: it is that of another`;
}

/**
 * The orders of a list of one dex, row by row. One of another dex is refused by itself, and the list is not whole then: an
 * endpoint that does not know dexes answers with the first one's, which says nothing about what this one lacks.
 */
export function ordersOf<T extends Read<{ coin: string }>>(
  dex: string,
  rows: readonly T[],
): { own: T[]; stray: Unread[] } {
  const isOwn = ({ value }: T) => dexOfCoin(value.coin) === dex;
  const reason = `in the open orders of dex "${dex}", but of another dex`;
  const strays = rows.filter((row) => !isOwn(row));
  return { own: rows.filter(isOwn), stray: strays.map(({ raw }) => ({ kind: "row", raw, reason })) };
}

/** The perp dexes that a ledger update names: money may be there before anything is traded. */
export function dexesOfUpdate(update: unknown): string[] {
  const delta = isObject(update) && isObject(update.delta) ? update.delta : {};
  const named = [delta.dex, delta.sourceDex, delta.destinationDex];
  return named.filter((dex): dex is string => typeof dex === "string" && dex !== SPOT);
}

export class Dexes {
  readonly #deps: DexesDeps;
  #names: readonly string[] = [FIRST_DEX];
  /** As the venue listed them last; null where that could not be read whole. */
  #listed: ReadonlySet<string> | null = null;
  readonly #reading = new SharedWork<void>();
  #readAtMs = Number.NEGATIVE_INFINITY;
  #isTold = false;
  /** When each name was last asked for in vain. */
  readonly #unlisted = new Map<string, number>();
  readonly #listeners = new Set<(added: readonly string[]) => void>();

  constructor(deps: DexesDeps) {
    this.#deps = deps;
  }

  /** "" first, then as the venue lists them. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** The last list was read whole and lacks it: no proof, but where the venue does not answer for it either, a witness. */
  isGone(dex: string): boolean {
    return dex !== FIRST_DEX && this.#listed !== null && !this.#listed.has(dex);
  }

  /** The last list lacks it, and was not read whole: it may stand where nothing could be read. */
  isMissed(dex: string): boolean {
    return this.#readAtMs >= 0 && this.#listed === null && !this.#names.includes(dex);
  }

  /** The venue listed its dexes once, or said that it has no such list: until then money may lie where nobody looks. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** Calls `listener` with every dex that is listed from now on; the answer ends that. */
  onAdded(listener: (added: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the list unless it was read before, as far as the venue answers. Rejects where it does not answer at all. */
  async open(signal: AbortSignal): Promise<readonly string[]> {
    if (this.#readAtMs >= 0) return this.#names;
    await this.#renew({ priority: "heal", signal }).catch((error: unknown) => {
      // The history of the first dex needs no list, which is asked for again later.
      if (!isAnswered(error)) throw error;
      this.#deps.log.warn("the perp dexes are not told: only the first one is followed", { error });
    });
    return this.#names;
  }

  /** Reads the list again unless it is fresh. Rejects as `request` does; the list stays as it was. */
  async renew(options: InfoOptions): Promise<void> {
    if (hasPassed(this.#readAtMs, FRESH_MS, this.#deps.clock.now())) await this.#renew(options);
  }

  #renew(options: InfoOptions): Promise<void> {
    return this.#reading.join((signal) => this.#read({ ...options, signal }), options.signal);
  }

  /** A row is of this dex: the list is read again when it lacks it. Never rejects. */
  async noteNamed(dex: string, options: InfoOptions): Promise<void> {
    const { clock, log } = this.#deps;
    const nowMs = clock.now();
    for (const [name, askedMs] of this.#unlisted)
      if (hasPassed(askedMs, UNLISTED_RETRY_MS, nowMs)) this.#unlisted.delete(name);
    if (this.#names.includes(dex) || this.#unlisted.has(dex) || this.#unlisted.size >= UNLISTED_MAX) return;
    this.#unlisted.set(dex, nowMs);
    try {
      await this.#renew(options);
      if (!this.#names.includes(dex))
        log.warn("a row names a perp dex that the venue does not list", { dex });
    } catch (error) {
      // The next row that names it asks again at once.
      this.#unlisted.delete(dex);
      if (!options.signal?.aborted) log.warn("the list of perp dexes could not be read", { dex, error });
    }
  }

  async #read(options: InfoOptions): Promise<void> {
    const answer = await this.#deps.info.request(INFO.perpDexs, {}, options).catch((error: unknown) => {
      // An endpoint without HIP-3 has the first dex alone.
      if (isRefused(error)) this.#isTold = true;
      throw error;
    });
    this.#isTold = true;
    const listed = answer.result.value.map((dex) => dex?.name ?? FIRST_DEX);
    const { unread } = answer.result;
    this.#listed = isWhole(unread) ? new Set(listed) : null;
    if (unread.length > 0)
      this.#deps.log.warn("a part of the list of perp dexes could not be read", {
        entries: unread.length,
        first: unread[0]!.reason,
      });
    const added = [...new Set(listed)]
      .filter((name) => !this.#names.includes(name))
      // A list that is another one each time does not grow ours without end.
      .slice(0, VALUE_LIMITS.dexes - this.#names.length);
    const isFirst = this.#readAtMs < 0;
    this.#readAtMs = this.#deps.clock.now();
    if (added.length === 0) return;
    this.#names = [...this.#names, ...added];
    if (!isFirst) this.#deps.log.info("new perp dex: followed from now on", { dexes: added.join(", ") });
    for (const listener of this.#listeners) listener(added);
  }
}
