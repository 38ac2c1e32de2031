/** `sync`: REST only, once or every `--interval`. A pass is complete: every gap that the venue can still serve is closed. */
import { WHOLE_SHARES } from "../../connection/rateLimiter.ts";
import { ProtocolError, TransportError } from "../../errors.ts";
import { systemRandom } from "../../runtime/random.ts";
import type { Account, Progress } from "../../sync/account/account.ts";
import { committer } from "../../sync/commit.ts";
import { Dexes } from "../../sync/dexes.ts";
import { openAccount } from "../../sync/engine.ts";
import { Markets } from "../../sync/markets.ts";
import type { Roster, RosterEntry } from "../../sync/ports.ts";
import { Prices } from "../../sync/prices.ts";
import type { Address } from "../../sync/rows.ts";
import { entryOf, SubAccounts } from "../../sync/subAccounts.ts";
import { Volatilities } from "../../sync/volatility.ts";
import { type Command, type Context, EXIT, requireAccounts } from "../command.ts";
import { connectVenue, engineConfig } from "../compose.ts";
import { openMigrated } from "../openDatabase.ts";
import { progressLine } from "../progress.ts";

/** A database that refuses this often in one pass ends it with exit code 6. */
const COMMIT_ATTEMPTS = 8;
/** What a pass spends at its end on the sums that views read. */
const SETTLE_MS = 1_000;

export const sync: Command = {
  name: "sync",
  summary: "read accounts over REST, once or every --interval",
  options: ["account", "network", "apiUrl", "wsUrl", "database", "since", "once", "interval", "weight"],
  check: ({ options }) => void requireAccounts(options),
  async run(context) {
    return passes(context, async (account) => {
      await account.catchUp("poll", context.signal);
      await account.backfill("poll", context.signal);
      await account.repairs.runLasting(context.signal);
      await learnMore(context, account);
    });
  },
};

/** The accounts that are named, as a roster that does not change. */
function named({ options }: Context): Roster {
  let entries: RosterEntry[] | null = options.account.map(({ address, alias }) => entryOf(address, alias));
  return {
    async changed() {
      const told = entries;
      entries = null;
      return told;
    },
  };
}

/** What moves no money may be missing: it is asked for again in an hour, or by the next pass. */
async function learnMore({ log, signal }: Context, account: Account): Promise<void> {
  await account.learnMore(signal).catch((error: unknown) => {
    signal.throwIfAborted();
    log.debug("not all could be learned", { error });
  });
}

/**
 * Opens everything, then runs `pass` over each account, once or again and again; prints what each round wrote. What one
 * account, or one part of it, could not be read costs no other: a single round then ends with the first of these errors.
 */
export async function passes(context: Context, pass: (account: Account) => Promise<void>): Promise<number> {
  const { options, clock, log, print, signal } = context;
  const config = engineConfig(context);
  const { store } = await openMigrated(context);
  try {
    const { info, limiter } = connectVenue(context, { shares: WHOLE_SHARES });
    const written: Record<string, number> = {};
    const deps = {
      store,
      info,
      clock,
      log,
      random: systemRandom,
      publish: ({ applied }: { applied: { written: Record<string, number> } }) => {
        for (const [table, rows] of Object.entries(applied.written))
          written[table] = (written[table] ?? 0) + rows;
      },
      volatilities: new Volatilities({ info, clock }),
      prices: new Prices({ info, clock }),
      markets: new Markets({ info, clock, log }),
      dexes: new Dexes({ info, clock, log }),
      onProgress: (progress: Progress) => log.info(progressLine(progress, limiter.stats())),
    };
    const commit = committer(deps, signal, COMMIT_ATTEMPTS);
    await deps.dexes.open(signal);
    const masters = options.account.filter(({ withSubs }) => withSubs);
    const asking = { priority: "heal", signal } as const;
    const roster = new SubAccounts(named(context), masters, { info, clock, log, asking });
    const accounts = new Map<Address, Account>();
    for (;;) {
      const startedAtMs = clock.now();
      for (const { address, alias } of (await roster.changed()) ?? []) {
        if (accounts.has(address)) continue;
        const account = openAccount(deps, config, { address, alias }, commit);
        await account.open();
        // A single pass follows nothing, and may run beside whatever does.
        if (!options.once) await store.noteFollowed(address, options.interval);
        accounts.set(address, account);
      }
      signal.throwIfAborted();
      const failures: unknown[] = [...roster.failures];
      for (const account of accounts.values()) {
        await pass(account).catch((error: unknown) => failures.push(error));
        signal.throwIfAborted();
        failures.push(...account.failures.map(({ error }) => error));
      }
      print(report(options.json, written, clock.now() - startedAtMs));
      // What is left of a long history is summed up by the next one.
      await store
        .settleAll(() => clock.now(), SETTLE_MS, signal)
        .catch((error: unknown) =>
          log.warn("trades could not be summed up, the next pass tries again", { error }),
        );
      const fatal = failures.find((error) => options.once || !isOfTheVenue(error));
      if (fatal) throw fatal;
      if (options.once) return EXIT.ok;
      for (const error of failures)
        log.warn("not everything could be read: the next pass asks again", { error });
      for (const table of Object.keys(written)) delete written[table];
      await clock.sleep(Math.max(0, startedAtMs + options.interval - clock.now()), signal);
    }
  } catch (error) {
    // Stopping between two passes is how an endless sync ends.
    if (signal.aborted && !options.once) return EXIT.ok;
    throw error;
  }
}

/** What may pass by itself, or costs a part only: an endless sync goes on. */
const isOfTheVenue = (error: unknown): boolean =>
  error instanceof TransportError || error instanceof ProtocolError;

/** What one pass wrote, by table. */
function report(json: boolean, written: Record<string, number>, tookMs: number): string {
  if (json) return JSON.stringify({ type: "sync", tookMs, written });
  const parts = Object.entries(written).filter(([, rows]) => rows > 0);
  const text = parts.map(([table, rows]) => `${table} ${rows}`).join(", ");
  return `synced in ${(tookMs / 1000).toFixed(1)} s: ${text === "" ? "nothing new" : text}`;
}
