/**
 * Who follows what, when several processes could: one is active, the others are hot standby.
 *
 * ```
 *   standby ── lease taken ──► active ── lease refused: another has it ──► standby
 *      │ asks every renewMs       │ renews every renewMs
 *      └ does nothing else        └ a database that is away changes nothing: it goes on, nobody else can take it
 * ```
 *
 * Guarantees: a duty is begun only while its lease is held, and left as soon as the database says that another holds
 * it; a duty whose holder died is begun within `ttlMs + renewMs` and the time its start takes, one whose holder stopped
 * in order within `renewMs`; a duty is begun anew from what the database holds when that went back in time; after a database outage somebody holds every lease again, the same one if it still lives. Time is the database's alone:
 * the clocks of the processes are never compared. No session state.
 *
 * Two may be active at once for a while (a process that stood still, a database that only one of them reaches). That
 * does no harm to rows, since every write is a join. What must not be done twice checks `isSure`, or carries the
 * fencing token, which grows with every change of holder.
 */
import { StoreError } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Random } from "../runtime/random.ts";
import { Tasks } from "../runtime/tasks.ts";
import type { Leases } from "./ports.ts";

export const STANDBY_DEFAULTS = {
  /** A lease that was not renewed for this long is free. */
  ttlMs: 5_000,
  /** Leases are renewed, and asked for, this often. */
  renewMs: 1_000,
  /** When the database is back, a standby waits this long, so that the one which is active already keeps the lease. */
  backMs: 2_500,
  /** Back-off of a duty that could not be begun. */
  beginAgainMs: 1_000,
  beginAgainMaxMs: 30_000,
} as const;
type StandbyOptions = { [K in keyof typeof STANDBY_DEFAULTS]: number };

/** Something that one process at a time should do. */
export interface Duty {
  /** Name of its lease. */
  readonly name: string;
  /** A rejection is tried again for as long as the lease is held. The signal says that all is to stop. */
  begin(signal: AbortSignal): Promise<void>;
  /** Called only after `begin` succeeded. Must not reject. */
  leave(): Promise<void>;
}

interface DutyStatus {
  name: string;
  role: "active" | "standby";
  /** Who holds the lease, as far as known. */
  holder: string | null;
  /** Ours while active, else null. */
  token: number | null;
}

interface StandbyDeps {
  leases: Leases;
  /** Unique to this start of this process. */
  holder: string;
  clock: Clock;
  random: Random;
  log: Log;
  options?: Partial<StandbyOptions>;
  /** The database will never let us ask. */
  onFatal(error: unknown): void;
}

interface Post {
  duty: Duty;
  /** False once nobody wants it any more: it is left, its lease given back, and then it is forgotten. */
  isWanted: boolean;
  /** Aborted when it is no longer wanted: what is being begun is given up. */
  ending: AbortController;
  token: number | null;
  holder: string | null;
  /** The lease cannot be another's before this, by our own clock. */
  sureUntilMs: number;
  isBegun: boolean;
  /** What it knows is of a database that went back in time since. */
  isOutdated: boolean;
}

export class Standby {
  readonly name = "standby";
  readonly #deps: StandbyDeps;
  readonly #options: StandbyOptions;
  #posts: Post[] = [];
  readonly #abort = new AbortController();
  #asking: Promise<void> = Promise.resolve();
  /** What is being begun or left, by the name of the duty. */
  readonly #changes: Tasks;
  #isAway = false;

  constructor(deps: StandbyDeps) {
    this.#deps = deps;
    this.#options = { ...STANDBY_DEFAULTS, ...deps.options };
    const backoff = { baseMs: this.#options.beginAgainMs, capMs: this.#options.beginAgainMaxMs };
    this.#changes = new Tasks({ ...deps, backoff });
  }

  /**
   * From now on these duties, each known by its name. What is no longer among them is left in order; another process
   * may have it then.
   */
  want(duties: readonly Duty[]): void {
    const names = new Set(duties.map(({ name }) => name));
    for (const post of this.#posts) {
      if (names.has(post.duty.name)) continue;
      post.isWanted = false;
      post.ending.abort(new Error("no longer wanted"));
    }
    const posts = new Map(this.#posts.map((post) => [post.duty.name, post]));
    for (const duty of duties) {
      const post = posts.get(duty.name);
      if (post === undefined) this.#posts.push(newPost(duty));
      else if (!post.isWanted) Object.assign(post, { isWanted: true, ending: new AbortController() });
    }
  }

  /** Leaves the duty, when it was begun, and begins it anew: what it does has changed. */
  renew(name: string): void {
    for (const post of this.#posts) if (post.duty.name === name && post.isBegun) post.isOutdated = true;
  }

  /** Asks once and begins, one after the other, what is free. Rejects when the database or a duty fails now. */
  async start(): Promise<void> {
    await this.#ask(this.#posts);
    for (const post of this.#posts) {
      if (post.token === null) continue;
      this.#abort.signal.throwIfAborted();
      await this.#begin(post, this.#abort.signal);
    }
    this.#asking = this.#run().catch((error: unknown) => {
      if (!this.#abort.signal.aborted) this.#deps.onFatal(error);
    });
  }

  /** Leaves everything, then gives the leases back. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error("stopped"));
    await Promise.all([this.#asking, this.#changes.stop()]);
    await Promise.all(this.#posts.filter(({ isBegun }) => isBegun).map((post) => this.#leave(post)));
    const held = this.#posts.filter(({ token }) => token !== null).map(({ duty }) => duty.name);
    if (held.length === 0) return;
    // A database that is away lets them run out.
    await this.#deps.leases.releaseLeases(held, this.#deps.holder).catch((error: unknown) => {
      this.#deps.log.warn("leases could not be given back, they run out by themselves", { error });
    });
  }

  status(): DutyStatus[] {
    return this.#posts.map(({ duty, isBegun, holder, token }) => ({
      name: duty.name,
      role: isBegun ? "active" : "standby",
      holder,
      token,
    }));
  }

  /** Whether nobody else can hold the lease of this duty now. */
  isSure(name: string): boolean {
    const post = this.#posts.find(({ duty }) => duty.name === name);
    return post !== undefined && post.token !== null && this.#deps.clock.now() < post.sureUntilMs;
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    const { renewMs, backMs } = this.#options;
    const { signal } = this.#abort;
    let waitMs: number = renewMs;
    while (!signal.aborted) {
      await clock.sleep(waitMs, signal);
      const isStandby = this.#posts.every(({ token }) => token === null);
      const wasAway = this.#isAway;
      // All leases have run out meanwhile: a standby first only looks whether the database is back.
      await this.#askPatiently(wasAway && isStandby ? [] : this.#posts);
      waitMs = wasAway && isStandby && !this.#isAway ? backMs : renewMs;
      for (const post of this.#posts) this.#follow(post);
      await this.#forget();
    }
  }

  /** What is left and not wanted. */
  async #forget(): Promise<void> {
    const { leases, holder, log } = this.#deps;
    const isOver = ({ isWanted, isBegun, duty }: Post) =>
      !isWanted && !isBegun && !this.#changes.isRunning(changeOf(duty));
    const over = this.#posts.filter(isOver);
    if (over.length === 0) return;
    this.#posts = this.#posts.filter((post) => !over.includes(post));
    for (const { duty } of over) log.info("left, no longer wanted", { duty: duty.name });
    const held = over.filter(({ token }) => token !== null).map(({ duty }) => duty.name);
    if (held.length === 0) return;
    await leases.releaseLeases(held, holder).catch((error: unknown) => {
      log.warn("leases could not be given back, they run out by themselves", { error });
    });
  }

  async #askPatiently(posts: readonly Post[]): Promise<void> {
    const { log } = this.#deps;
    try {
      await this.#ask(posts);
      if (this.#isAway) log.info("leases can be renewed again");
      this.#isAway = false;
    } catch (error) {
      if (!(error instanceof StoreError && error.transient)) throw error;
      if (!this.#isAway) log.warn("leases cannot be renewed now, going on as before", { error });
      this.#isAway = true;
    }
  }

  async #ask(posts: readonly Post[]): Promise<void> {
    const { leases, holder, clock } = this.#deps;
    const askedAtMs = clock.now();
    const names = posts.map(({ duty }) => duty.name);
    const states = await leases.takeLeases(names, holder, this.#options.ttlMs);
    for (const post of posts) {
      const state = states.find(({ name }) => name === post.duty.name);
      if (state === undefined) continue;
      this.#note(post, state.token, state.holder);
      if (state.wentBack && post.isBegun) {
        this.#deps.log.warn(
          "the database lacks what was committed (a restored backup, a replica that was behind): beginning anew from what it holds",
          { duty: post.duty.name },
        );
        post.isOutdated = true;
      }
      if (state.token !== null) post.sureUntilMs = askedAtMs + this.#options.ttlMs;
    }
  }

  #note(post: Post, token: number | null, holder: string | null): void {
    const { log } = this.#deps;
    const duty = post.duty.name;
    if (token !== null && post.token === null) log.info("active", { duty, fencing: token });
    if (token === null && post.holder !== holder) {
      const isLoss = post.token !== null;
      log[isLoss ? "warn" : "info"](isLoss ? "another process took over, standing by" : "standing by", {
        duty,
        active: holder,
      });
    }
    post.token = token;
    post.holder = holder;
  }

  /** Brings what is done in line with what is held. One change of a duty at a time. */
  #follow(post: Post): void {
    const isDue = post.isWanted && post.token !== null;
    if (isDue === post.isBegun && !post.isOutdated) return;
    // What is outdated is left first; the next look begins it anew.
    const isBegin = isDue && !post.isBegun;
    const change = (signal: AbortSignal) => (isBegin ? this.#begin(post, signal) : this.#leave(post));
    void this.#changes.run(changeOf(post.duty), change);
  }

  async #begin(post: Post, stopping: AbortSignal): Promise<void> {
    const { signal } = post.ending;
    try {
      await post.duty.begin(AbortSignal.any([stopping, signal]));
      post.isBegun = true;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #leave(post: Post): Promise<void> {
    await post.duty.leave();
    post.isBegun = false;
    post.isOutdated = false;
  }
}

const changeOf = ({ name }: Duty): string => `duty ${name}`;

const newPost = (duty: Duty): Post => ({
  ...{ duty, isWanted: true, ending: new AbortController(), token: null, holder: null },
  ...{ sureUntilMs: Number.NEGATIVE_INFINITY, isBegun: false, isOutdated: false },
});
