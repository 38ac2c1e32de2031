/**
 * One hlsync process inside the world: the real engine over gates. Guarantees: after `kill` nothing it had begun goes
 * on, as after SIGKILL: its timers never fire, its sockets are gone, its statements are carried out or not as the
 * database pleases, and no promise of it settles any more.
 */
import { createInfoClient } from "../../src/connection/infoClient.ts";
import { createStreams } from "../../src/connection/liveSocket.ts";
import { RateLimiter } from "../../src/connection/rateLimiter.ts";
import { StoreError } from "../../src/errors.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import type { ClientSocket, HttpPost, SocketFactory } from "../../src/runtime/net.ts";
import { hash32, seededRandom } from "../../src/runtime/random.ts";
import type { VirtualClock, World } from "../../src/simulator/virtualWorld.ts";
import type { Database, Row } from "../../src/store/database.ts";
import { openStore } from "../../src/store/store.ts";
import { Engine } from "../../src/sync/engine.ts";
import type { Batch } from "../../src/sync/rows.ts";
import type { Plan } from "./plan.ts";
import type { Spoiler } from "./spoiler.ts";

const never = <T>(): Promise<T> => new Promise<T>(() => {});

export interface ProcessDeps {
  world: World;
  clock: VirtualClock;
  database: Database;
  plan: Plan;
  /** Start of the run, which the plan's times count from. */
  startMs: number;
  account: string;
  /** Followed beside it. */
  others?: readonly string[];
  /** Tells processes and their attempts apart. */
  name: string;
  faulty(): boolean;
  /** What becomes of what the venue says; without it, nothing. */
  spoiler?: Spoiler;
  /** Called after every commit, before anybody else hears of it. */
  afterCommit(batch: Batch): Promise<void>;
  /** Between two reconciles; half a minute where nothing is said. */
  intervalMs?: number;
  /** The process ended by itself: it could not start, or met an error that it does not survive. */
  onExit(error: unknown): void;
}

export class SimulatedProcess {
  readonly #deps: ProcessDeps;
  readonly #engine: Engine;
  #alive = true;
  #sockets = new Set<ClientSocket>();
  #timers = 0;
  #statements = 0;
  /** Added to the time this process reads. */
  clockSkewMs = 0;

  constructor(deps: ProcessDeps) {
    this.#deps = deps;
    const clock = this.#clock();
    const random = seededRandom(`${deps.plan.seed} ${deps.name}`);
    const { connect, post } = this.#network();
    const limiter = new RateLimiter(clock);
    const store = openStore(this.#database());
    const log = silentLog;
    const info = createInfoClient({ apiUrl: deps.world.apiUrl, post, clock, random, limiter, log });
    const openStream = createStreams({ wsUrl: deps.world.wsUrl, socketFactory: connect, clock, random, log });
    this.#engine = new Engine(
      {
        store: {
          ...store,
          apply: async (batch) => {
            const applied = await store.apply(batch);
            if (this.#alive) await deps.clock.track(deps.afterCommit(batch));
            return this.#alive ? applied : never();
          },
        },
        info,
        openStream,
        clock,
        random,
        log,
        publish: () => {},
        onFatal: (error) => this.#exit(error),
      },
      {
        accounts: [deps.account, ...(deps.others ?? [])].map((address) => ({ address, alias: null })),
        sinceMs: deps.startMs - 60_000,
        market: null,
        webData2: false,
        lane: { intervalMs: deps.intervalMs ?? 30_000 },
      },
    );
  }

  start(): void {
    this.#engine.start().catch((error: unknown) => this.#exit(error));
  }

  /** Stops in order. */
  async stop(): Promise<void> {
    await this.#engine.stop();
    this.#alive = false;
  }

  /** Timers set that have neither fired nor been cancelled. */
  get timers(): number {
    return this.#timers;
  }

  get sockets(): number {
    return this.#sockets.size;
  }

  #exit(error: unknown): void {
    if (!this.#alive) return;
    this.kill();
    this.#deps.onExit(error);
  }

  kill(): void {
    this.#alive = false;
    for (const socket of this.#sockets) socket.terminate();
  }

  #clock(): Clock {
    const { clock } = this.#deps;
    /** Counts a timer; the answer ends it, once. */
    const begin = () => {
      this.#timers += 1;
      let isOpen = true;
      return () => {
        if (isOpen) this.#timers -= 1;
        isOpen = false;
      };
    };
    return {
      now: () => clock.now() + this.clockSkewMs,
      after: (ms, run) => {
        const end = begin();
        const cancel = clock.after(ms, () => {
          end();
          if (this.#alive) run();
        });
        return () => {
          end();
          cancel();
        };
      },
      sleep: (ms, signal) => {
        const end = begin();
        return clock
          .sleep(ms, signal)
          .finally(end)
          .then(() => (this.#alive ? undefined : never()));
      },
    };
  }

  #network(): { connect: SocketFactory; post: HttpPost } {
    const { world, spoiler, clock } = this.#deps;
    const { connect, post } = world.network();
    return {
      connect: (url, handlers) => {
        const when = (run: () => void) => {
          if (this.#alive) run();
        };
        const socket = connect(url, {
          onOpen: () => when(() => handlers.onOpen()),
          onMessage: (text) => when(() => handlers.onMessage(spoiler?.frame(text, clock.now()) ?? text)),
          onClose: (code, reason) =>
            when(() => {
              this.#sockets.delete(socket);
              handlers.onClose(code, reason);
            }),
          onError: (error) => when(() => handlers.onError(error)),
        });
        this.#sockets.add(socket);
        return socket;
      },
      post: (url, body, signal) => {
        if (!this.#alive) return never();
        return post(url, body, signal).then(
          (answer) => (this.#alive ? (spoiler?.answer(body, answer, clock.now()) ?? answer) : never()),
          (error: unknown) => (this.#alive ? Promise.reject(error) : never()),
        );
      },
    };
  }

  #database(): Database {
    const { database } = this.#deps;
    return {
      describe: () => database.describe(),
      close: () => Promise.resolve(),
      query: async <R extends Row = Row>(sql: string, params?: readonly unknown[]): Promise<R[]> => {
        if (!this.#alive) return never();
        const fault = await this.#databaseFault();
        if (!this.#alive) return never();
        if (fault === "refuse")
          throw new StoreError("the database is away", { transient: true, sqlState: "57P03" });
        const rows = await this.#deps.clock.track(database.query<R>(sql, params));
        if (!this.#alive) return never();
        if (fault === "lostAnswer")
          throw new StoreError("the connection broke", { transient: true, sqlState: "08006" });
        return rows;
      },
    };
  }

  async #databaseFault(): Promise<"refuse" | "lostAnswer" | null> {
    const { clock, plan, name, startMs, faulty } = this.#deps;
    const statement = this.#statements++;
    if (!faulty()) return null;
    const at = clock.now() - startMs;
    const { refuseRate, lostAnswerRate, slowRate, slowMs, outages } = plan.database;
    const draw = (what: string) => hash32(`${plan.seed} ${name} ${what} ${statement}`) / 2 ** 32;
    if (draw("slow") < slowRate) await clock.sleep(slowMs);
    if (outages.some(({ fromMs, toMs }) => at >= fromMs && at < toMs)) return "refuse";
    if (draw("refuse") < refuseRate) return "refuse";
    return draw("lost") < lostAnswerRate ? "lostAnswer" : null;
  }
}
