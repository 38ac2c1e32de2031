/**
 * The end of a program, in order and on time. A long-lived part is a `Service`: added once it is open, stopped in the
 * reverse of that order. Guarantees: `stopAll` ends within its time whatever the parts do, if their needs fit into it. A
 * part may use what it needs and what is left beyond the needs of the parts after it; one that takes longer is named in
 * the log and left behind; a part that fails to stop stops no other.
 */
import { untilAborted } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";

/** A program ends this long after it heard the signal, by force if need be. Supervisors wait 10 s, and a busy one hears late. */
export const STOP_WITHIN_MS = 8_000;
/** After the signal, the work under way may end by itself this long; then what it stands on is stopped. */
const FINISH_WITHIN_MS = 1_500;

/** The outcome of `work`; the signal's reason when it goes on for too long after the abort. */
export async function finishedInTime<T>(work: Promise<T>, signal: AbortSignal, clock: Clock): Promise<T> {
  const finished = new AbortController();
  const late = untilAborted(signal)
    .then(() => clock.sleep(FINISH_WITHIN_MS, finished.signal))
    .then(() => Promise.reject(signal.reason));
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    finished.abort();
  }
}

export interface Service {
  readonly name: string;
  /** Called more than once, it stops once. After `withinMs` the program goes on without it. */
  stop(withinMs?: number): Promise<void>;
  /** Time kept free for its stop while the parts before it are stopped; `NEEDS_MS` if absent. */
  readonly needsMs?: number;
}

const NEEDS_MS = 300;

export class Lifecycle {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #started: Service[] = [];
  #isStopped = false;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** What is opened while all is stopped is stopped too. */
  add<T extends Service>(service: T): T {
    if (this.#isStopped) void this.#stop(service, service.needsMs ?? NEEDS_MS);
    else this.#started.push(service);
    return service;
  }

  /** Stops everything added so far. */
  async stopAll(withinMs: number): Promise<void> {
    const deadlineMs = this.#clock.now() + withinMs;
    for (let service = this.#started.pop(); service !== undefined; service = this.#started.pop()) {
      const reservedMs = this.#started.reduce((sum, { needsMs }) => sum + (needsMs ?? NEEDS_MS), 0);
      const spareMs = deadlineMs - this.#clock.now() - reservedMs;
      await this.#stop(service, Math.max(service.needsMs ?? NEEDS_MS, spareMs));
    }
    this.#isStopped = true;
  }

  async #stop(service: Service, withinMs: number): Promise<void> {
    const part = service.name;
    const stopped = new AbortController();
    const late = this.#clock.sleep(withinMs, stopped.signal).then(
      () => this.#log.warn("part did not stop in time", { part, withinMs }),
      () => {},
    );
    const stopping = service
      .stop(withinMs)
      .catch((error: unknown) => this.#log.error("part failed to stop", { part, error }));
    await Promise.race([stopping, late]);
    stopped.abort();
  }
}
