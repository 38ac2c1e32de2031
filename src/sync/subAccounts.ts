/**
 * Accounts that are followed by naming their master: its sub-accounts and the vaults that it leads, as a roster beside another one.
 * Masters are given, or entries of the other roster that say so.
 *
 * Guarantees: those of given masters are looked up at the first question, which waits for the answer, those of others as soon as
 * they are listed, and from then on each once in `EVERY_MS` in the background; one that was told once stays for as long as its
 * master does, whatever an answer lacks; a question that fails costs its own answer only, its master is asked about again after
 * `RETRY_MS`, and it never fails the roster.
 */
import { INFO } from "../protocol/infoRequests.ts";
import type { Clock } from "../runtime/clock.ts";
import { hasPassed } from "../runtime/due.ts";
import type { Log } from "../runtime/log.ts";
import type { InfoOptions, Roster, RosterEntry, VenueInfo } from "./ports.ts";
import type { Address } from "./rows.ts";

const EVERY_MS = 3_600_000;
const RETRY_MS = 60_000;

export interface Master {
  address: Address;
  alias: string | null;
}

interface SubAccountDeps {
  info: VenueInfo;
  clock: Clock;
  log: Log;
  /** How it asks. */
  asking: InfoOptions;
}

/** An account that is streamed where there is room, as far back as the venue serves it. */
export const entryOf = (address: Address, alias: string | null): RosterEntry => ({
  address,
  alias,
  wish: "stream",
  sinceMs: null,
  paused: false,
});

export class SubAccounts implements Roster {
  readonly #inner: Roster;
  readonly #given: readonly Master[];
  readonly #deps: SubAccountDeps;
  readonly #found = new Map<Address, RosterEntry & { master: Address }>();
  /** By master, when it was asked about last, and what failed then. */
  readonly #looks = new Map<Address, { atMs: number; failures: unknown[] }>();
  /** As the other roster has them. */
  #listed: readonly RosterEntry[] = [];
  #isNew = true;
  #looking: Promise<void> | null = null;

  constructor(inner: Roster, masters: readonly Master[], deps: SubAccountDeps) {
    this.#inner = inner;
    this.#given = masters;
    this.#deps = deps;
  }

  /** Of the last time that each master was asked about. */
  get failures(): readonly unknown[] {
    return this.#masters().flatMap(({ address }) => this.#looks.get(address)?.failures ?? []);
  }

  async changed(): Promise<RosterEntry[] | null> {
    const listed = await this.#inner.changed();
    if (listed !== null) this.#listed = listed;
    const masters = this.#masters();
    const isFirst = this.#given.some(({ address }) => !this.#looks.has(address));
    const due = masters.filter(({ address }) => this.#isDue(address));
    if (this.#looking === null && due.length > 0) {
      this.#looking = this.#look(due).finally(() => {
        this.#looking = null;
      });
    }
    if (isFirst) await this.#looking;
    if (listed === null && !this.#isNew) return null;
    this.#isNew = false;
    const followed = new Set(masters.map(({ address }) => address));
    const found = [...this.#found.values()]
      .filter(({ master }) => followed.has(master))
      .map(({ master: _, ...entry }) => entry);
    // What the other one says of an account goes first.
    return [...new Map([...found, ...this.#listed].map((one) => [one.address, one] as const)).values()];
  }

  #masters(): readonly Master[] {
    return [...this.#given, ...this.#listed.filter(({ withSubs, paused }) => withSubs && !paused)];
  }

  #isDue(master: Address): boolean {
    const look = this.#looks.get(master);
    if (look === undefined) return true;
    return hasPassed(look.atMs, look.failures.length === 0 ? EVERY_MS : RETRY_MS, this.#deps.clock.now());
  }

  async #look(masters: readonly Master[]): Promise<void> {
    const { info, log, asking, clock } = this.#deps;
    for (const { address } of masters) this.#looks.set(address, { atMs: clock.now(), failures: [] });
    for (const master of masters) {
      const user = master.address;
      const answers = await Promise.allSettled([
        info
          .request(INFO.subAccounts, { user }, asking)
          .then(({ result }) => result.rows.map(({ value }) => [value.subAccountUser, value.name] as const)),
        info
          .request(INFO.leadingVaults, { user }, asking)
          .then(({ result }) => result.rows.map(({ value }) => [value.address, value.name] as const)),
      ]);
      for (const answer of answers) {
        if (answer.status === "fulfilled")
          for (const [address, name] of answer.value) this.#note(master, address, name);
        else if (!asking.signal?.aborted) {
          this.#looks.get(user)!.failures.push(answer.reason);
          log.warn("not all sub-accounts could be read: those that are known are followed", {
            account: master.alias ?? user,
            error: answer.reason,
          });
        }
      }
    }
  }

  /** Called `master/name`. */
  #note(master: Master, address: Address, name: string): void {
    if (this.#found.has(address)) return;
    const alias = `${master.alias ?? master.address.slice(0, 8)}/${name}`;
    this.#found.set(address, { ...entryOf(address, alias), master: master.address });
    this.#isNew = true;
    this.#deps.log.info("followed with its master", { account: address, alias });
  }
}
