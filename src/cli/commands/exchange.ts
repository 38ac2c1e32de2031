/**
 * `exchange`: every fill, funding and ledger row of all accounts from a node's files into ClickHouse. Guarantees: a file that was
 * loaded whole is noted there and not loaded again, whatever ended the command; one that cannot be read costs itself and exit
 * code 1. No PostgreSQL is needed.
 */
import { mkdir, open, rename } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ConfigError } from "../../errors.ts";
import { clickHouseServer, openClickHouse } from "../../exchange/clickhouse.ts";
import { DEFAULT_DATABASE, mergeStatements, plainName, schemaStatements } from "../../exchange/ddl.ts";
import { openEmbeddedClickHouse } from "../../exchange/embedded.ts";
import type { ClickHouse } from "../../exchange/engine.ts";
import { loadFile } from "../../exchange/load.ts";
import { parquetFiles } from "../../exchange/parquet.ts";
import { systemRandom } from "../../runtime/random.ts";
import { BrokenArchive } from "../../sync/nodeFiles/lz4Frames.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { isAgreed, isBucket } from "../nodeBucket.ts";
import type { NodeFile, OpenedFile } from "../nodeFolder.ts";
import { chosenFiles, requireSpan, spanOf } from "../nodeSource.ts";

/** The venue's archive: what is loaded where no place is named. */
const ARCHIVE = ["node_fills_by_block", "misc_events_by_block"].map(
  (name) => `s3://hl-mainnet-node-data/${name}/hourly`,
);

export const exchange: Command = {
  name: "exchange",
  args: "[files]",
  summary: "load every account's fills, funding and ledger from a node's files into ClickHouse",
  options: ["into", "from", "to", "print", "cluster", "parquet", "yes"],
  check(context) {
    const { into, print, from, cluster } = context.options;
    if (cluster !== "" && plainName(cluster) === null)
      throw new ConfigError(`--cluster: a cluster named ${cluster} is not supported`);
    requireSpan(context);
    if (into === "" && !print)
      throw new ConfigError(
        "--into says where to: clickhouse://user:password@host:8123/database, or a folder",
      );
    if (context.args[0] === undefined && !print && from === null)
      throw new ConfigError(
        "name a folder, a file or s3://bucket/prefix; or say --from, for the venue's own archive since then",
      );
  },
  async run(context) {
    const { options } = context;
    const server = clickHouseServer(options.into);
    const place = { database: server?.database ?? DEFAULT_DATABASE, cluster: options.cluster || null };
    if (options.print) {
      context.printScript(
        schemaStatements(place)
          .map((statement) => `${statement};\n`)
          .join("\n"),
      );
      return EXIT.ok;
    }
    const sources = context.args[0] === undefined ? ARCHIVE : [context.args[0]];
    const found = await Promise.all(sources.map((source) => chosenFiles(source, context)));
    const engine = openEngine(context, server);
    context.lifecycle.add({ name: "ClickHouse", stop: () => engine.close() });
    for (const statement of schemaStatements(place)) await engine.run(statement);
    const work = new Loading(context, engine, place.database);
    const files = await work.unloaded(found.flatMap((one) => one.files));
    if (isBucket(sources[0]!) && !(await isAgreed(files, context))) {
      context.print("nothing was downloaded");
      return EXIT.ok;
    }
    for (const [index, file] of files.entries()) await work.file(file, `${index + 1} of ${files.length}`);
    if (server === null) for (const statement of mergeStatements(place.database)) await engine.run(statement);
    if (options.parquet !== "") await work.parquet(options.parquet);
    work.report();
    if (work.isNothing)
      throw new ConfigError(`${sources.join(", ")}: no file of a node's fills, funding or ledger`);
    return work.failed.length === 0 ? EXIT.ok : EXIT.unexpected;
  },
};

function openEngine(
  { options, clock, signal }: Context,
  server: ReturnType<typeof clickHouseServer>,
): ClickHouse {
  if (server === null) {
    if (options.cluster !== "") throw new ConfigError("--cluster: a folder is no cluster");
    return openEmbeddedClickHouse(resolve(options.into));
  }
  return openClickHouse(server, { send: globalThis.fetch, clock, random: systemRandom, signal });
}

/** Opened once: what it is, and how it is read. */
type Unloaded = NodeFile & OpenedFile;

class Loading {
  /** What could not be read whole, in words. */
  readonly failed: string[] = [];
  readonly #context: Context;
  readonly #engine: ClickHouse;
  readonly #database: string;
  #files = 0;
  #known = 0;
  #lines = 0;
  #unread = 0;

  /** Nothing was found that could be loaded, or was before. */
  get isNothing(): boolean {
    return this.#files + this.#known + this.failed.length === 0;
  }

  constructor(context: Context, engine: ClickHouse, database: string) {
    this.#context = context;
    this.#engine = engine;
    this.#database = database;
  }

  async unloaded(files: readonly NodeFile[]): Promise<Unloaded[]> {
    const rows = await this.#engine.rows<{ digest: string; torn: number }>(
      `SELECT digest, unread > 0 AS torn FROM ${this.#database}.loads FINAL`,
    );
    const torn = new Map(rows.map(({ digest, torn }) => [digest, torn > 0]));
    const left: Unloaded[] = [];
    for (const file of files) {
      const opened = await file.open();
      const wasTorn = torn.get(opened.digest);
      if (wasTorn === undefined || (wasTorn && !opened.tellsAll)) left.push({ ...file, ...opened });
    }
    this.#known = files.length - left.length;
    return left;
  }

  async file({ path, kind, size, digest, content }: Unloaded, place: string): Promise<void> {
    const { clock, log, signal } = this.#context;
    const deps = { engine: this.#engine, database: this.#database, signal };
    const startedMs = clock.now();
    try {
      const { lines, bytes, unread, isWanted } = await loadFile({ path, kind, content: content() }, deps);
      if (!isWanted) {
        log.warn(`${path}: passed over, nothing in it has a table`);
        return;
      }
      const row = { digest, path, bytes: size, lines, unread };
      await this.#engine.insertRows(`${this.#database}.loads`, [row]);
      this.#files += 1;
      this.#lines += lines;
      this.#unread += unread;
      const speed = Math.round(bytes / 1_000 / Math.max(1, clock.now() - startedMs));
      log.info(`${path} (${place}): ${lines} lines, ${speed} MB/s`);
      if (unread > 0) log.warn(`${path}: what cannot be read is in table unread`, { unread });
    } catch (error) {
      if (!(error instanceof BrokenArchive)) throw error;
      this.failed.push(path);
      log.error(`${path}: the archive is broken, ${error.message}; what came before is loaded`);
    }
  }

  async parquet(folder: string): Promise<void> {
    const { log } = this.#context;
    const days = parquetFiles(this.#engine, this.#database, spanOf(this.#context));
    for await (const { name, content } of days) {
      const path = join(folder, name);
      await mkdir(dirname(path), { recursive: true });
      // A reader never sees half a file.
      const unfinished = `${path}.part`;
      const handle = await open(unfinished, "w");
      try {
        for await (const part of content) await handle.writeFile(part);
      } finally {
        await handle.close();
      }
      await rename(unfinished, path);
      log.info(`${path} written`);
    }
  }

  report(): void {
    const { options, print } = this.#context;
    const counts = { files: this.#files, known: this.#known, lines: this.#lines, unread: this.#unread };
    if (options.json) {
      print(JSON.stringify({ type: "exchange", ...counts, failed: this.failed }));
      return;
    }
    const before = this.#known === 0 ? "" : `, ${this.#known} were loaded before`;
    const unread = this.#unread === 0 ? "" : `, ${this.#unread} lines or events in table unread`;
    print(`${this.#files} files loaded, ${this.#lines} lines${before}${unread}`);
    for (const path of this.failed) print(`not read whole: ${path}`);
  }
}
