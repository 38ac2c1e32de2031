/**
 * Named background tasks.
 *
 * Guarantees: one at a time per name; after a failure `run` does nothing for that name until its back-off is over (full
 * jitter, doubled by each failure in a row), so that a caller which asks at every tick retries at a bounded rate; a task
 * that is given up reports nothing more; after `stop` none runs. Bounded: at most `TASKS_MAX` at once, further ones do
 * not start, and as many failures are remembered, of which the oldest gives way.
 * Assumes that work ends soon after its signal aborts.
 */
import { type BackoffLimits, fullJitterMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { isDue } from "./due.ts";
import type { Log } from "./log.ts";
import type { Random } from "./random.ts";

const TASKS_MAX = 1_000;

export type Work = (signal: AbortSignal) => Promise<void>;

interface TasksDeps {
  clock: Clock;
  random: Random;
  log: Log;
  backoff: BackoffLimits;
  /** A task came to its end, whichever. */
  onEnd?(): void;
}

interface Task {
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

export class Tasks {
  readonly #deps: TasksDeps;
  readonly #running = new Map<string, Task>();
  /** All that have not ended, those given up included. */
  readonly #alive = new Set<Promise<void>>();
  readonly #failures = new Map<string, { count: number; retryAtMs: number }>();
  readonly #life = new AbortController();

  constructor(deps: TasksDeps) {
    this.#deps = deps;
  }

  /** Aborted by `stop`: for what a task begins beside itself, which may outlive it. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  isRunning(name: string): boolean {
    return this.#running.has(name);
  }

  /**
   * Starts `work`, unless this name is under way or backing off. Resolves when what runs under the name ends, at once when
   * nothing does; never rejects.
   */
  run(name: string, work: Work): Promise<void> {
    const running = this.#running.get(name);
    if (running) return running.done;
    if (this.signal.aborted || this.#isBackingOff(name) || this.#running.size >= TASKS_MAX)
      return Promise.resolve();
    const abort = new AbortController();
    const done = this.#watch(name, abort, work);
    this.#running.set(name, { abort, done });
    this.#alive.add(done);
    void done.then(() => this.#alive.delete(done));
    return done;
  }

  /** Aborts what runs under this name and forgets its failures, so that it can begin anew at once. */
  giveUp(name: string): void {
    this.#running.get(name)?.abort.abort(new Error("given up"));
    this.#running.delete(name);
    this.#failures.delete(name);
  }

  /** Aborts all, starts none any more, and waits until none runs. */
  async stop(): Promise<void> {
    this.#life.abort(new Error("stopped"));
    for (const { abort } of this.#running.values()) abort.abort(new Error("stopped"));
    await Promise.all(this.#alive);
  }

  #isBackingOff(name: string): boolean {
    const { clock, backoff } = this.#deps;
    const failure = this.#failures.get(name);
    return failure !== undefined && !isDue(failure.retryAtMs, clock.now(), backoff.capMs);
  }

  async #watch(name: string, abort: AbortController, work: Work): Promise<void> {
    try {
      // What throws before it returns a promise fails like any other.
      await (async () => work(abort.signal))();
      if (!abort.signal.aborted) this.#failures.delete(name);
    } catch (error) {
      if (!abort.signal.aborted) this.#noteFailure(name, error);
    } finally {
      if (this.#running.get(name)?.abort === abort) this.#running.delete(name);
      this.#deps.onEnd?.();
    }
  }

  #noteFailure(name: string, error: unknown): void {
    const { clock, random, log, backoff } = this.#deps;
    const { count = 0 } = this.#failures.get(name) ?? {};
    const inMs = fullJitterMs(random, count, backoff);
    this.#failures.delete(name);
    this.#failures.set(name, { count: count + 1, retryAtMs: clock.now() + inMs });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > TASKS_MAX && oldest !== undefined) this.#failures.delete(oldest);
    log.warn(`${name} failed, will try again`, { error, inMs });
  }
}
