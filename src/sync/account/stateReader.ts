/**
 * The states of one account over REST: of the dexes in use, of all of them, and of spot.
 *
 * Guarantees: what was answered is committed at once, whatever else fails; a dex that is gone is not asked for in vain; what a
 * state lacked is looked for in a second one (ADR 0005). A part in use that fails is thrown, of the others the first is told.
 */
import { isAnswered, isRefused } from "../../errors.ts";
import type { ReadParts, Unread } from "../../protocol/decode.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import type { WireSpotState, WireStateParts } from "../../protocol/schemas.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { append } from "../batch.ts";
import type { Commit } from "../commit.ts";
import type { Dexes } from "../dexes.ts";
import type { VenueInfo } from "../ports.ts";
import type { Address, Batch, StatePart } from "../rows.ts";
import { quarantineRows } from "../windowReader.ts";
import { type Asking, ask } from "./asking.ts";
import type { Snapshots } from "./snapshots.ts";
import type { StateBook } from "./states.ts";

interface StateReaderDeps {
  account: Address;
  info: VenueInfo;
  clock: Clock;
  log: Log;
  dexes: Dexes;
  book: StateBook;
  snapshots: Snapshots;
  /** What one state lacks is looked for in a second one, at least this much later. */
  secondLookMs: number;
  /** A time that the venue told; false when it is not believed. */
  noteTime(venueMs: number): boolean;
  /** The venue's time at a moment of this machine. */
  estimate(atMs: number): number;
  commit: Commit;
}

/** What came of reading states. */
interface StatesRead {
  /** Parts that lacked something we hold. */
  lacking: StatePart[];
  /** Of the mode, or of a dex on which nothing of the account is known to be: the snapshot is made, and says that this part is not known. */
  failure: { reason: unknown } | null;
}

export class StateReader {
  readonly #deps: StateReaderDeps;

  constructor(deps: StateReaderDeps) {
    this.#deps = deps;
  }

  /** The states of the dexes in use and of spot. */
  readUsed(asking: Asking): Promise<StatesRead> {
    return this.#readParts(withSpot(this.#deps.book.toRead(false)), asking);
  }

  /** The states of the dexes in use and of spot, or of all dexes. Tells which parts lacked something we hold. */
  async read(isThorough: boolean, asking: Asking): Promise<StatesRead & { read: ReadonlySet<string> }> {
    const { dexes, log } = this.#deps;
    let untold: unknown = null;
    if (isThorough)
      await dexes.renew(ask(asking)).catch((error: unknown) => {
        asking.signal.throwIfAborted();
        log.warn("the list of perp dexes could not be read: the known ones are followed", { error });
        if (!dexes.isTold) untold = error;
      });
    const read = this.#deps.book.toRead(isThorough);
    const mode = this.#deps.book.isModeOld ? [this.#askMode(asking)] : [];
    const told = await this.#readParts(withSpot(read), asking, mode);
    // What was read is kept; what the account is worth is not known without the list.
    if (untold !== null) throw untold;
    return { ...told, read: new Set(read) };
  }

  /** The states of dexes of which only this reading told that something of the account is there. True when there are any. */
  async readUnseen(seen: ReadonlySet<string>, told: Promise<unknown>[], asking: Asking): Promise<boolean> {
    await Promise.allSettled(told);
    asking.signal.throwIfAborted();
    const unseen = this.#deps.book.toRead(false).filter((dex) => !seen.has(dex));
    if (unseen.length > 0) await this.#readParts(unseen.map(perpPart), asking);
    return unseen.length > 0;
  }

  async #askMode(asking: Asking): Promise<void> {
    const { info, account } = this.#deps;
    try {
      const { result } = await info.request(INFO.userAbstraction, { user: account }, ask(asking));
      this.#deps.book.noteAbstraction(result.value);
    } catch (error) {
      asking.signal.throwIfAborted();
      // Older endpoints do not know the question.
      const isServed = !isRefused(error);
      this.#deps.book.noteModeUntold(isServed);
      if (isServed) throw error;
    }
  }

  /** Reads these states and commits those that were answered, at once; then throws the first failure of a part in use, if any. */
  async #readParts(
    parts: readonly StatePart[],
    asking: Asking,
    others: Promise<void>[] = [],
  ): Promise<StatesRead> {
    const { info, account, dexes } = this.#deps;
    const batch: Batch = { positions: [], balances: [], states: [] };
    const note = (subject: string, unread: Unread[]) =>
      append(batch, { quarantine: quarantineRows(unread, subject, account, this.#deps.clock.now()) });
    const read = async ({ kind, dex }: StatePart): Promise<void> => {
      if (kind === "spot") {
        const answer = await info.request(INFO.spotClearinghouseState, { user: account }, ask(asking));
        append(batch, this.spot(answer.result, answer.receivedAtMs));
        note(INFO.spotClearinghouseState.type, answer.result.unread);
        return;
      }
      const asked = info.request(INFO.clearinghouseState, { user: account, dex }, ask(asking));
      const answer = await asked.catch(async (error: unknown) => {
        if (dex === "" || !isAnswered(error)) throw error;
        await dexes.renew(ask(asking)).catch(() => asking.signal.throwIfAborted());
        if (!dexes.isGone(dex)) throw error;
        return null;
      });
      if (answer === null) return append(batch, this.#goneState(dex));
      append(batch, this.perp(dex, answer.result, answer.receivedAtMs));
      note(INFO.clearinghouseState.type, answer.result.unread);
    };
    const done = await Promise.allSettled([...parts.map(read), ...others]);
    const { lacking = [] } = await this.#deps.commit(batch, this.#deps.clock.now());
    const failures = done.flatMap((one, at) =>
      one.status === "rejected" ? [{ reason: one.reason as unknown, dex: parts[at]?.dex ?? null }] : [],
    );
    asking.signal.throwIfAborted();
    const needed = failures.find(({ dex }) => dex !== null && this.#deps.book.isUsed(dex));
    if (needed) throw needed.reason;
    if (this.#deps.book.isComplete) this.#deps.snapshots.noteComplete();
    return { lacking, failure: failures[0] ?? null };
  }

  /** What a state lacked is settled by its fills, or by a second state (ADR 0005). */
  async lookAgain(lacking: readonly StatePart[], fills: Promise<unknown>, asking: Asking): Promise<void> {
    if (lacking.length === 0) return;
    const { clock, secondLookMs } = this.#deps;
    await Promise.allSettled([fills, clock.sleep(secondLookMs, asking.signal)]);
    asking.signal.throwIfAborted();
    await this.#readParts(lacking, asking);
  }

  /** The rows of a state of one dex, fetched or pushed. */
  perp(dex: string, state: ReadParts<WireStateParts>, receivedAtMs: number): Batch {
    const { time: told } = state.value;
    // One that tells no time, or one that is not believed, is as old as its arrival.
    const time = told && this.#deps.noteTime(told) ? told : this.#deps.estimate(receivedAtMs);
    this.#deps.snapshots.noteRisk();
    return this.#deps.book.takePerp(dex, { ...state, value: { ...state.value, time } }, receivedAtMs);
  }

  #goneState(dex: string): Batch {
    const nowMs = this.#deps.clock.now();
    this.#deps.snapshots.noteRisk();
    return this.#deps.book.takeGone(dex, nowMs, this.#deps.estimate(nowMs));
  }

  /** The rows of the spot state, fetched or pushed. */
  spot(state: ReadParts<WireSpotState>, receivedAtMs: number): Batch {
    this.#deps.snapshots.noteRisk();
    return this.#deps.book.takeSpot(state, receivedAtMs, this.#deps.estimate(receivedAtMs));
  }
}

const perpPart = (dex: string): StatePart => ({ kind: "perp", dex });
const withSpot = (dexes: readonly string[]): StatePart[] => [
  ...dexes.map(perpPart),
  { kind: "spot", dex: "" },
];
