/**
 * `import`: history from a node's files, for the accounts that are followed or named. Guarantees: what was read whole is noted and
 * not read again for the same accounts, whatever ended the import; a file that cannot be read costs itself and exit code 1; what
 * the files prove of each account's fills is claimed at the end, and every hole is named.
 */
import { ConfigError } from "../../errors.ts";
import { isZero } from "../../runtime/decimal.ts";
import { systemRandom } from "../../runtime/random.ts";
import { hasGapIn, noteFile, readBlocks, storedChains, unreadFor } from "../../store/imports.ts";
import { readRoster } from "../../store/roster.ts";
import type { DatabaseStore } from "../../store/store.ts";
import { type Commit, committer } from "../../sync/commit.ts";
import type { Interval } from "../../sync/coverage.ts";
import { subtract } from "../../sync/coverage.ts";
import { Addresses } from "../../sync/nodeFiles/addresses.ts";
import { type BlockRun, unitedRuns, wholeTime } from "../../sync/nodeFiles/blocks.ts";
import {
  type CoinChain,
  confirmed,
  type LiveState,
  type Obstacle,
  obstacles,
  refuted,
} from "../../sync/nodeFiles/claims.ts";
import { type ImportedFile, importFile, LOST_MAX } from "../../sync/nodeFiles/importFile.ts";
import { BrokenArchive } from "../../sync/nodeFiles/lz4Frames.ts";
import { isNodeFile } from "../../sync/nodeFiles/nodeFile.ts";
import type { Doubt } from "../../sync/ports.ts";
import type { Address, CoverageRow } from "../../sync/rows.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { followFolder } from "../importFollow.ts";
import { isAgreed, isBucket } from "../nodeBucket.ts";
import { type NodeFile, nodeFileAt } from "../nodeFolder.ts";
import { chosenFiles, requireSpan } from "../nodeSource.ts";
import { openMigrated } from "../openDatabase.ts";
import { backfillOf } from "./backfill.ts";

/** A database that refuses this often ends the import with exit code 6. */
const COMMIT_ATTEMPTS = 8;
/** Holes that are printed of one account; the others are counted. */
const HOLES_SHOWN = 20;
/** What a file that grows is called in the log, in place of its number. */
const FOLLOWED = "followed";

export const importCommand: Command = {
  name: "import",
  args: "<from>",
  summary: "read history from a node's files: a folder, a file, plain or .lz4, or s3://bucket/prefix",
  options: ["account", "database", "from", "to", "yes", "follow", "network", "apiUrl", "weight"],
  check(context) {
    requireSpan(context);
    const { options, args } = context;
    if (!options.follow) return;
    if (isBucket(args[0]!)) throw new ConfigError("--follow: a bucket does not grow, name a node's folder");
    if (options.to !== null) throw new ConfigError("--follow has no end: leave out --to");
  },
  async run(context) {
    const { files, others } = await chosenFiles(context.args[0]!, context);
    const { store } = await openMigrated(context);
    const accounts = await wantedAccounts(context, store);
    for (const { address, alias } of accounts) await store.openAccount(address, alias, null);
    const work = new Import(
      context,
      store,
      accounts.map(({ address }) => address),
    );
    if (context.options.follow) {
      await work.follow(() => chosenFiles(context.args[0]!, context));
      return EXIT.ok;
    }
    if (isBucket(context.args[0]!) && !(await isAgreed(await work.unread(files), context))) {
      context.print("nothing was downloaded");
      return EXIT.ok;
    }
    for (const [index, file] of files.entries()) await work.file(file, `${index + 1} of ${files.length}`);
    if (others > 0)
      context.log.info("files that are not of a node, or hold no fee and no PnL, are passed over", {
        others,
      });
    for (const { address } of accounts) await work.claim(address);
    work.report(files.length);
    return work.failed.length === 0 ? EXIT.ok : EXIT.unexpected;
  },
};

/** Those that are named; else all that the database knows. */
async function wantedAccounts(
  { options }: Context,
  store: DatabaseStore,
): Promise<Context["options"]["account"]> {
  if (options.account.length > 0) return options.account;
  const roster = await readRoster(store.database);
  const known = (await store.accounts()).map(({ account: address, alias }) => ({ address, alias }));
  const all = new Map([...known, ...roster].map(({ address, alias }) => [address, { address, alias }]));
  if (all.size === 0)
    throw new ConfigError(
      "no account given, and none in the database: use --account 0x… or hlsync accounts add",
    );
  return [...all.values()];
}

/** `2026-04-01T00:00:00.065Z … 2026-04-02T00:00:00.000Z` */
const stretch = ({ fromMs, toMs }: Interval): string =>
  [fromMs, toMs].map((ms) => new Date(ms).toISOString()).join(" … ");

class Import {
  /** What could not be read whole, in words. */
  readonly failed: string[] = [];
  readonly #context: Context;
  readonly #store: DatabaseStore;
  readonly #accounts: readonly Address[];
  readonly #commit: Commit;
  readonly #rows: Record<string, number> = {};
  #read = 0;

  constructor(context: Context, store: DatabaseStore, accounts: readonly Address[]) {
    const { clock, log, signal } = context;
    this.#context = context;
    this.#store = store;
    this.#accounts = accounts;
    const deps = { store, clock, random: systemRandom, log, publish: () => {} };
    this.#commit = committer(deps, signal, COMMIT_ATTEMPTS);
  }

  /** Those that some account still needs. */
  async unread(files: readonly NodeFile[]): Promise<NodeFile[]> {
    const unread: NodeFile[] = [];
    for (const file of files) {
      const { digest } = await file.open();
      const accounts = await unreadFor(this.#store.database, digest, this.#accounts);
      if (accounts.length > 0) unread.push(file);
    }
    return unread;
  }

  async file(file: NodeFile, place: string): Promise<void> {
    const { log } = this.#context;
    const { path: name } = file;
    const { digest, content } = await file.open();
    const accounts = await unreadFor(this.#store.database, digest, this.#accounts);
    if (accounts.length === 0) {
      log.info(`${name}: read before`, { place });
      return;
    }
    try {
      // A path that says nothing may be that of anything.
      if (file.kind === null && !(await isNodeFile(content()))) {
        this.failed.push(name);
        log.error(`${name}: no file of a node: none of its first lines is an event or a block`);
        return;
      }
      await this.#content(file, place, accounts, content());
    } catch (error) {
      if (!(error instanceof BrokenArchive)) throw error;
      this.failed.push(name);
      log.error(`${name}: the archive is broken, ${error.message}; what came before is kept`);
    }
  }

  /** The folder, until a signal comes. Proofs are made whenever a file is over; what is missing then is read from the API. */
  async follow(find: () => Promise<{ files: NodeFile[] }>): Promise<void> {
    const { clock, log, signal } = this.#context;
    log.info("following the folder", { accounts: this.#accounts.length });
    await followFolder({
      clock,
      log,
      signal,
      find: async () => (await find()).files.filter(({ path }) => !path.endsWith(".lz4")),
      read: async (file, content) => {
        const { digest } = await file.open();
        const accounts = await unreadFor(this.#store.database, digest, this.#accounts);
        if (accounts.length === 0) return;
        await this.#content(file, FOLLOWED, accounts, content);
      },
      onOver: () => this.#heal(),
    });
  }

  async #heal(): Promise<void> {
    const { log, signal } = this.#context;
    const incomplete: Address[] = [];
    for (const account of this.#accounts) {
      const gone = await this.claim(account);
      if (gone.length > 0 && (await hasGapIn(this.#store.database, account, gone))) incomplete.push(account);
    }
    if (incomplete.length === 0) return;
    try {
      await backfillOf(this.#context, incomplete);
      // What the API told may close the chain that confirms the files.
      for (const account of incomplete) await this.claim(account);
    } catch (error) {
      signal.throwIfAborted();
      log.warn("holes could not be read from the API: tried again with the next hour", { error });
    }
  }

  /** Into the database, then noted as what the file is by now. */
  async #content(
    file: NodeFile,
    place: string,
    accounts: readonly Address[],
    content: AsyncIterable<Buffer>,
  ): Promise<void> {
    const { clock, log, signal } = this.#context;
    const { path: name } = file;
    const startedMs = clock.now();
    const deps = { addresses: new Addresses(accounts), commit: this.#commit, now: () => clock.now(), signal };
    const read = await importFile(content, file.kind, deps);
    // One that grew meanwhile is what was read of it.
    const { size, open } = place === FOLLOWED ? nodeFileAt(name, read.bytes) : file;
    const { digest, tellsAll } = await open();
    this.#read += 1;
    for (const [table, rows] of Object.entries(read.written))
      this.#rows[table] = (this.#rows[table] ?? 0) + rows;
    if (read.badLines > 0)
      log.warn(`${name}: lines that cannot be read are in quarantine`, { lines: read.badLines });
    if (read.unfinished > 0)
      log.warn(`${name}: ends in a line that is not finished`, { bytes: read.unfinished });
    const isLostBeyond = read.lost.length > LOST_MAX;
    const noted = {
      digest,
      name,
      size,
      kind: read.kind,
      runs: isLostBeyond ? [] : read.blocks.runs,
      lost: isLostBeyond ? [] : read.lost,
      isSettled: tellsAll || (read.badLines === 0 && read.lost.length === 0),
    };
    await noteFile(this.#store.database, noted, accounts);
    log.info(progressOf(name, place, read, clock.now() - startedMs));
  }

  /** Claims what the files prove of the account's fills, and names what they do not. Answers the holes between their blocks. */
  async claim(account: Address): Promise<Obstacle[]> {
    const { database } = this.#store;
    const { runs, lost } = await readBlocks(database, account);
    if (runs.length === 0) return [];
    const united = unitedRuns(runs);
    const lostMs = lost.map(({ timeMs }): Interval => ({ fromMs: timeMs, toMs: timeMs }));
    const held = subtract(wholeTime(united), lostMs);
    const chains = await storedChains(database, account);
    await this.#withdraw(account, chains);
    const { proven, open } = confirmed(held, obstacles(chains, await liveStates(this.#store, account)));
    const coverage = (["fills", "twapFills"] as const).flatMap((stream) =>
      proven.map((part): CoverageRow => ({ account, stream, ...part, grade: "proven", reason: null })),
    );
    if (coverage.length > 0) await this.#commit({ coverage }, this.#context.clock.now());
    const gone = holes(united);
    this.#say(account, proven, [...gone, ...open]);
    return gone;
  }

  /** What was claimed before, and cannot be by what is known now. */
  async #withdraw(account: Address, chains: readonly CoinChain[]): Promise<void> {
    const claimed = (await this.#store.coverage(account, "fills")).filter(({ grade }) => grade === "proven");
    const wrong = refuted(chains, claimed);
    if (wrong.length === 0) return;
    for (const part of wrong)
      this.#context.log.warn("no longer taken for complete: fills are missing", {
        account,
        time: stretch(part),
      });
    const doubts = (["fills", "twapFills"] as const).flatMap((stream) =>
      wrong.map((part): Doubt => ({ ...part, stream, table: null, row: null })),
    );
    await this.#store.doubt(account, doubts);
  }

  #say(account: Address, proven: Interval[], open: Obstacle[]): void {
    const { options, print } = this.#context;
    if (options.json) {
      print(JSON.stringify({ type: "import.account", account, proven, open }));
      return;
    }
    for (const part of proven) print(`${account}  fills complete ${stretch(part)}`);
    for (const part of open.slice(0, HOLES_SHOWN))
      print(`${account}  not proven     ${stretch(part)}: ${part.reason}`);
    if (open.length > HOLES_SHOWN) print(`${account}  and ${open.length - HOLES_SHOWN} more not proven`);
  }

  report(files: number): void {
    const { options, print } = this.#context;
    if (options.json) {
      print(
        JSON.stringify({ type: "import", files, read: this.#read, failed: this.failed, written: this.#rows }),
      );
      return;
    }
    const rows = Object.entries(this.#rows).filter(([, count]) => count > 0);
    const text = rows.map(([table, count]) => `${table} ${count}`).join(", ");
    print(`${this.#read} of ${files} files read: ${text === "" ? "nothing new" : text}`);
    for (const name of this.failed) print(`not read whole: ${name}`);
  }
}

function progressOf(name: string, place: string, read: ImportedFile, tookMs: number): string {
  const rows = Object.entries(read.written)
    .filter(([table, count]) => count > 0 && table.startsWith("hl_"))
    .map(([table, count]) => `${table} ${count}`);
  const leftOut = Object.entries(read.leftOut).map(([what, count]) => `${what} ${count} (no table)`);
  const speed = Math.round(read.bytes / 1_000 / Math.max(1, tookMs));
  const did = [...rows, ...leftOut].join(", ");
  return `${name} (${place}): ${read.lines} lines, ${did === "" ? "nothing new" : did}, ${speed} MB/s`;
}

/** What lies between runs of blocks. */
const holes = (united: readonly BlockRun[]): Obstacle[] =>
  united.slice(1).map((next, index) => {
    const last = united[index]!;
    const [from, to] = [last.toBlock + 1, next.fromBlock - 1];
    return { fromMs: last.toMs, toMs: next.fromMs, reason: `blocks ${from} to ${to} are in no file` };
  });

/** The newest states by dex. */
async function liveStates(store: DatabaseStore, account: Address): Promise<Map<string, LiveState>> {
  const positions = Map.groupBy(
    (await store.positions(account)).filter(({ szi }) => !isZero(szi)),
    ({ dex }) => dex,
  );
  return new Map(
    (await store.states(account))
      .filter(({ kind }) => kind === "perp")
      .map(({ dex, asOfMs }) => {
        const held = positions.get(dex) ?? [];
        return [dex, { asOfMs, positions: new Map(held.map(({ coin, szi }) => [coin, szi])) }];
      }),
  );
}
