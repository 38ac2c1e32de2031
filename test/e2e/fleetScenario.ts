/**
 * A fleet of real processes, each with a source address of its own, before one simulated venue that counts by address. What is
 * done to them, and what is measured. Guarantees: all that was started is ended by `close`.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Truth } from "../../src/simulator/contract.ts";
import type { WeightRecord } from "../../src/simulator/server/limits.ts";
import type { Database } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrate.ts";
import { putIntoRoster } from "../../src/store/roster.ts";
import { type Running, simulate, start } from "../support/cli.ts";
import { untilDespiteErrors } from "../support/until.ts";
import type { VenueState } from "./reliabilityRig.ts";

export const user = (n: number): string => `0x${(n + 1).toString(16).padStart(40, "0")}`;

/** A way that connections take. */
interface Way {
  port: number;
  /** Breaks it, for what is open and what comes; then mends it. */
  cut(isCut: boolean): void;
  close(): void;
}

/** Passes connections on from another address of this machine. */
async function leaveFrom(address: string, port: number): Promise<Way> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server: Server = createServer((inside) => {
    if (isCut) {
      inside.on("error", () => {}).destroy();
      return;
    }
    const outside = connect({ host: "127.0.0.1", port, localAddress: address });
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return {
    port: bound.port,
    cut(now) {
      isCut = now;
      if (now) breakAll();
    },
    close() {
      server.close();
      breakAll();
    },
  };
}

export interface FleetOptions {
  database: Database;
  databaseUrl: string;
  accounts: number;
  fillsPerSecond: number;
  weight: number;
  /** Stops the database and starts it again; then a cut network is tried too. Null for the short story. */
  restart: ((how: "fast" | "immediate") => Promise<void>) | null;
}

export interface FleetReport {
  accounts: number;
  /** Accounts of each worker after each change. */
  shares: Record<string, number[]>;
  /** From SIGKILL until every account was claimed, and streamed or polled, by another. */
  takenOverMs: number;
  fills: number;
  lost: number;
  /** Rows beyond those that happened. */
  extra: number;
  /** Most that one address had at once, or in a minute, by the venue's own count. */
  most: WeightRecord["most"] & { weight: number };
  /** Requests that the venue refused for lack of weight, and what else was beyond a limit. */
  refused: number;
  /** From the cut of a worker's whole network until every account was claimed by another. */
  cutOverMs?: number;
  /** Accounts that changed hands while the database was started again. */
  moved?: number;
  /** Stored rows of the first account of the dead worker came again within this. */
  storedAgainMs: number;
}

/** With the venue's own budget, many accounts take minutes until each was read for the first time. */
const SETTLED_MS = 600_000;
/** Of a worker's log, in a failure. */
const SAID_MAX = 3_000;

export class FleetScenario {
  readonly #options: FleetOptions;
  readonly #exchange: Running & { apiUrl: string };
  readonly #workers = new Map<string, { process: Running; ways: Way[] }>();

  private constructor(options: FleetOptions, exchange: Running & { apiUrl: string }) {
    this.#options = options;
    this.#exchange = exchange;
  }

  static async start(options: FleetOptions): Promise<FleetScenario> {
    const users = Array.from({ length: options.accounts }, (_, n) => ["--account", user(n)]).flat();
    const trading = ["--fills-per-second", String(options.fillsPerSecond)];
    const exchange = await simulate(...users, ...trading, "--weight", String(options.weight));
    return new FleetScenario(options, exchange);
  }

  async close(): Promise<void> {
    for (const { process, ways } of this.#workers.values()) {
      process.child.kill("SIGKILL");
      for (const way of ways) way.close();
    }
    await this.#exchange.stop();
  }

  async #state(): Promise<VenueState> {
    return (await (await fetch(`${this.#exchange.apiUrl}/control/state`)).json()) as VenueState;
  }

  async #worker(name: string, address: string): Promise<Running> {
    const { databaseUrl, weight } = this.#options;
    const database = new URL(databaseUrl);
    const venue = await leaveFrom(address, Number(new URL(this.#exchange.apiUrl).port));
    const toDatabase = await leaveFrom("127.0.0.1", Number(database.port));
    database.host = `127.0.0.1:${toDatabase.port}`;
    const process = start([
      ...["run", "--api-url", `http://127.0.0.1:${venue.port}`, "--database", database.href],
      ...["--listen", "127.0.0.1:0", "--log-level", "info", "--weight", String(weight), "--egress", name],
    ]);
    this.#workers.set(name, { process, ways: [venue, toDatabase] });
    await process.complaint(/following/);
    return process;
  }

  /** Accounts that each living worker has, by egress. */
  async #shares(): Promise<Map<string, number>> {
    const rows = await this.#options.database.query<{ egress: string; duties: number }>(
      `select w.egress, count(c.duty) as duties from hl_internal.workers w
       left join hl_internal.claims c on c.worker = w.worker and c.heir is null
       where w.expires_at > clock_timestamp() group by w.egress order by w.egress`,
    );
    return new Map(rows.map(({ egress, duties }) => [egress, duties]));
  }

  /** Everything has a worker among these, in shares within two of each other, and the venue is asked for each account. */
  async #settled(...names: string[]): Promise<number[]> {
    const { accounts } = this.#options;
    let last: unknown;
    const what = () => `${names.join(", ")} to share ${accounts} accounts: ${JSON.stringify(last)}`;
    const { value } = await untilDespiteErrors(what, SETTLED_MS, async () => {
      const shares = await this.#shares();
      const counts = [...shares.values()];
      last = [...shares];
      const isAll = counts.reduce((sum, count) => sum + count, 0) === accounts;
      const isFair = Math.max(...counts) - Math.min(...counts) <= 2;
      return isAll && isFair && [...shares.keys()].sort().join() === names.sort().join() ? counts : null;
    });
    return value;
  }

  async #storedOf(egress: string): Promise<Map<string, number>> {
    const rows = await this.#options.database.query<{ account: string; newest: number }>(
      `select substr(c.duty, 8) as account, coalesce((select max(f.fill_time_ms) from public.hl_fills f
         where f.account_address = substr(c.duty, 8)), 0) as newest
       from hl_internal.claims c join hl_internal.workers w using (worker) where w.egress = $1`,
      [egress],
    );
    return new Map(rows.map(({ account, newest }) => [account, newest]));
  }

  async run(): Promise<FleetReport> {
    const { accounts, database } = this.#options;
    const shares: Record<string, number[]> = {};
    // Who has nothing to follow ends at once: the roster begins with one account.
    await migrate(database);
    await putIntoRoster(database, [{ address: user(0) }]);
    return { accounts, shares, ...(await this.#story(shares, database)) };
  }

  async #story(
    shares: Record<string, number[]>,
    database: Database,
  ): Promise<Omit<FleetReport, "accounts" | "shares">> {
    const { accounts } = this.#options;
    const entries = Array.from({ length: accounts }, (_, n) => ({ address: user(n) }));
    await Promise.all([
      this.#worker("a", "127.0.0.11"),
      this.#worker("b", "127.0.0.12"),
      this.#worker("c", "127.0.0.13"),
    ]);
    await putIntoRoster(database, entries);
    shares.three = await this.#settled("a", "b", "c");
    await this.#isStored(
      entries.map(({ address }) => address),
      0,
    );

    const orphans = await this.#storedOf("b");
    const { venueTimeMs } = await this.#state();
    const killedMs = performance.now();
    this.#workers.get("b")!.process.child.kill("SIGKILL");
    shares.two = await this.#settled("a", "c");
    const takenOverMs = Math.round(performance.now() - killedMs);
    await this.#isStored([...orphans.keys()], venueTimeMs);
    const storedAgainMs = Math.round(performance.now() - killedMs);

    await this.#worker("d", "127.0.0.14");
    shares.added = await this.#settled("a", "c", "d");
    const troubled = await this.#trouble(shares);
    await this.#workers.get("a")!.process.stop();
    shares.removed = await this.#settled("c", "d");
    const compared = await this.#compare();
    return { takenOverMs, storedAgainMs, ...troubled, ...compared, ...(await this.#counted()) };
  }

  /** One worker of a, c, d is cut off from venue and database, then the database is started again. */
  async #trouble(shares: Record<string, number[]>): Promise<Pick<FleetReport, "cutOverMs" | "moved">> {
    const { restart } = this.#options;
    if (restart === null) return {};
    const cutMs = performance.now();
    for (const way of this.#workers.get("c")!.ways) way.cut(true);
    shares.cut = await this.#settled("a", "d");
    const cutOverMs = Math.round(performance.now() - cutMs);
    for (const way of this.#workers.get("c")!.ways) way.cut(false);
    shares.mended = await this.#settled("a", "c", "d");
    const before = await this.#tokens();
    for (const how of ["fast", "immediate"] as const) await restart(how);
    shares.restarted = await this.#settled("a", "c", "d");
    const after = await this.#tokens();
    return { cutOverMs, moved: [...before].filter(([duty, token]) => after.get(duty) !== token).length };
  }

  /** The fencing token of each account. */
  async #tokens(): Promise<Map<string, number>> {
    const rows = await this.#options.database.query<{ duty: string; token: number }>(
      "select duty, token from hl_internal.claims",
    );
    return new Map(rows.map(({ duty, token }) => [duty, token]));
  }

  async #counted(): Promise<Pick<FleetReport, "most" | "refused">> {
    const records = Object.values((await this.#state()).weights);
    const most = { weight: 0, connections: 0, users: 0, subscriptions: 0, dials: 0, messages: 0 };
    for (const record of records)
      for (const [what, count] of Object.entries({ ...record.most, weight: record.peak }))
        most[what as keyof typeof most] = Math.max(most[what as keyof typeof most], count);
    return { most, refused: records.reduce((sum, one) => sum + one.refused + one.turnedAway, 0) };
  }

  /** A fill of each account that is younger than this is stored. */
  async #isStored(of: readonly string[], afterMs: number): Promise<void> {
    let late: unknown;
    const what = () => `fills of each account, missing: ${JSON.stringify(late)}\n${this.#said()}`;
    await untilDespiteErrors(what, SETTLED_MS, async () => {
      const rows = await this.#options.database.query(
        `select a.account, c.worker from unnest($1::text[]) a(account)
         left join hl_internal.claims c on c.duty = 'follow ' || a.account
         where not exists (select from hl_fills f where f.account_address = a.account and f.fill_time_ms > $2)`,
        [of, afterMs],
      );
      late = rows;
      return rows.length === 0;
    });
  }

  /** What the workers said last. */
  #said(): string {
    return [...this.#workers]
      .map(([name, { process }]) => `${name}: ${process.stderr().slice(-SAID_MAX)}`)
      .join("\n");
  }

  /** Stops the venue's time and waits until all that happened is stored. */
  async #compare(): Promise<{ fills: number; lost: number; extra: number }> {
    const body = JSON.stringify({ skewMs: -86_400_000 });
    await fetch(`${this.#exchange.apiUrl}/control/clock`, { method: "POST", body });
    let result = { fills: 0, lost: 0, extra: 0 };
    await untilDespiteErrors(
      () => `all fills to be stored: ${JSON.stringify(result)}`,
      SETTLED_MS,
      async () => {
        result = { fills: 0, lost: 0, extra: 0 };
        for (let n = 0; n < this.#options.accounts; n++) {
          const answer = await fetch(`${this.#exchange.apiUrl}/control/truth?user=${user(n)}`);
          const { fills } = (await answer.json()) as Truth;
          const key = ({ coin, time, oid, tid, side }: Truth["fills"][number]) =>
            `${coin}|${time}|${oid}|${tid}|${side === "B" ? "buy" : "sell"}`;
          const happened = new Set(fills.map(key));
          const rows = await this.#options.database.query<{ key: string }>(
            "select concat_ws('|', coin, fill_time_ms, order_id, trade_id, side) as key from hl_fills where account_address = $1",
            [user(n)],
          );
          const stored = new Set(rows.map((row) => row.key));
          result.fills += happened.size;
          result.lost += [...happened].filter((one) => !stored.has(one)).length;
          result.extra += rows.length - [...stored].filter((one) => happened.has(one)).length;
        }
        return result.lost === 0;
      },
    ).catch(() => {});
    return result;
  }
}
