/**
 * Accounts that are followed by naming their master: its sub-accounts and the vaults that it leads, as a roster beside another one.
 *
 * Guarantees: they are looked up at the first question, which waits for the answer, and from then on once in `EVERY_MS` in the
 * background; one that was told once stays for as long as the process runs, whatever an answer lacks; a question that fails
 * changes nothing, is asked again after `RETRY_MS`, and never fails the roster.
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
}

/** The sub-accounts of a master and the vaults it leads, called `master/name`. Rejects as `request` does. */
export async function accountsUnder(
  info: VenueInfo,
  { address: user, alias }: Master,
  options: InfoOptions,
): Promise<RosterEntry[]> {
  const subs = await info.request(INFO.subAccounts, { user }, options);
  const vaults = await info.request(INFO.leadingVaults, { user }, options);
  const named = [
    ...subs.result.rows.map(({ value }) => ({ address: value.subAccountUser, name: value.name })),
    ...vaults.result.rows.map(({ value }) => ({ address: value.address, name: value.name })),
  ];
  return named.map(({ address, name }) => ({
    address,
    alias: `${alias ?? user.slice(0, 8)}/${name}`,
    wish: "stream",
    sinceMs: null,
    paused: false,
  }));
}

export class SubAccounts implements Roster {
  readonly #inner: Roster;
  readonly #masters: readonly Master[];
  readonly #deps: SubAccountDeps;
  readonly #found = new Map<Address, RosterEntry>();
  /** As the other roster has them. */
  #listed: readonly RosterEntry[] = [];
  #isNew = true;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #everyMs = RETRY_MS;
  #looking: Promise<void> | null = null;

  constructor(inner: Roster, masters: readonly Master[], deps: SubAccountDeps) {
    this.#inner = inner;
    this.#masters = masters;
    this.#deps = deps;
  }

  async changed(): Promise<RosterEntry[] | null> {
    const listed = await this.#inner.changed();
    if (listed !== null) this.#listed = listed;
    const isFirst = this.#lookedAtMs < 0;
    if (this.#looking === null && hasPassed(this.#lookedAtMs, this.#everyMs, this.#deps.clock.now())) {
      this.#lookedAtMs = this.#deps.clock.now();
      this.#looking = this.#look().finally(() => {
        this.#looking = null;
      });
    }
    if (isFirst) await this.#looking;
    if (listed === null && !this.#isNew) return null;
    this.#isNew = false;
    // What the other one says of an account goes first.
    return [...new Map([...this.#found, ...this.#listed.map((one) => [one.address, one] as const)]).values()];
  }

  async #look(): Promise<void> {
    const { info, log } = this.#deps;
    this.#everyMs = EVERY_MS;
    for (const master of this.#masters) {
      try {
        for (const entry of await accountsUnder(info, master, { priority: "reconcile" })) {
          if (this.#found.has(entry.address)) continue;
          this.#found.set(entry.address, entry);
          this.#isNew = true;
          log.info("followed with its master", { account: entry.address, alias: entry.alias });
        }
      } catch (error) {
        this.#everyMs = RETRY_MS;
        log.warn("the sub-accounts could not be read: those that are known are followed", {
          account: master.alias ?? master.address,
          error,
        });
      }
    }
  }
}
