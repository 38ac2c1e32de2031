/**
 * What this process does of what several processes could do: its part of the fleet's duties.
 *
 * ```
 *   not ours ── claimed ──► ours, begun ── given to an heir, or taken by another ──► left ──► not ours
 *      │ the process is heard of every renewMs; a database that is away changes nothing: it goes on as before
 * ```
 *
 * Guarantees: a duty is begun only while it is ours, and left as soon as the database says that it is not; what is given away
 * is left in order (all that was received is written) before its heir has it; the duties of a process that died are begun by
 * others within `ttlMs + renewMs` and the time their start takes, those of one that stopped in order within `renewMs`; a duty
 * is begun anew from what the database holds when that went back in time; after a database outage nothing changes hands for
 * as long as `backMs`, so that the living keep their duties. Time is the database's alone: the clocks of the processes are
 * never compared. No session state.
 *
 * Two may do the same for a while (a process that stood still, a database that only one of them reaches). That does no harm
 * to rows, since every write is a join. What must not be done twice checks `isSure`, or carries the fencing token, which
 * grows with every change of hands.
 */
import { StoreError } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Random } from "../runtime/random.ts";
import { Tasks } from "../runtime/tasks.ts";
import type { Attended, Fleet } from "./ports.ts";
import type { Address } from "./rows.ts";

export const STANDBY_DEFAULTS = {
  /** What a process does that was not heard of for this long is free. */
  ttlMs: 5_000,
  /** The database hears of the process this often. */
  renewMs: 1_000,
  /** After an outage of the database no process is called dead for this long. */
  backMs: 2_500,
  /** Back-off of a duty that could not be begun. */
  beginAgainMs: 1_000,
  beginAgainMaxMs: 30_000,
} as const;
type StandbyOptions = { [K in keyof typeof STANDBY_DEFAULTS]: number };

/** Name of the duty to follow an account. */
export const followDuty = (address: Address): string => `follow ${address}`;

/** Something that one process at a time should do. */
export interface Duty {
  /** Known by it in the fleet. */
  readonly name: string;
  /** One that every process takes, and none asks for by itself. */
  readonly isShared: boolean;
  /** A rejection is tried again for as long as the duty is ours. The signal says that it is to stop. */
  begin(signal: AbortSignal): Promise<void>;
  /** Called only after `begin` succeeded. Must not reject. */
  leave(): Promise<void>;
}

interface DutyStatus {
  name: string;
  role: "active" | "standby";
  /** Who does it, as far as known. */
  holder: string | null;
  /** Ours while active, else null. */
  token: number | null;
}

interface StandbyDeps {
  fleet: Fleet;
  clock: Clock;
  random: Random;
  log: Log;
  options?: Partial<StandbyOptions>;
  /** Connections to the venue that are open, and subscriptions. */
  used(): { streams: number; subscribed: number };
  /** Hears what is ours and what the egress may use, before anything is begun or left. */
  onAttended(held: ReadonlySet<string>, attended: Pick<Attended, "share" | "present">): void;
  /** The database will never let us ask. */
  onFatal(error: unknown): void;
}

interface Post {
  duty: Duty;
  /** False once no list names it any more: it is drained, given back, and then forgotten. */
  isWanted: boolean;
  /** Aborted when it is no longer wanted: what is being begun is given up. */
  ending: AbortController;
  token: number | null;
  /** Another is to have it once it is left. */
  isGiven: boolean;
  holder: string | null;
  isBegun: boolean;
  /** What it knows is of a database that went back in time since, or what it does has changed. */
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
  /** What is ours cannot be another's before this, by our own clock. */
  #sureUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: StandbyDeps) {
    this.#deps = deps;
    this.#options = { ...STANDBY_DEFAULTS, ...deps.options };
    const backoff = { baseMs: this.#options.beginAgainMs, capMs: this.#options.beginAgainMaxMs };
    this.#changes = new Tasks({ ...deps, backoff });
  }

  /** From now on these duties, each known by its name. What is no longer among them is left in order. */
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

  /** Asks once and begins, one after the other, what is ours. Rejects when the database or a duty fails now. */
  async start(): Promise<void> {
    const { signal } = this.#abort;
    await this.#ask();
    const first = this.#posts.filter(({ token }) => token !== null);
    const starting = new Set(first);
    this.#asking = this.#run(starting).catch((error: unknown) => {
      if (!signal.aborted) this.#deps.onFatal(error);
    });
    for (const post of first) {
      signal.throwIfAborted();
      if (isDue(post)) await this.#begin(post, signal);
      starting.delete(post);
    }
  }

  /** Leaves everything, then gives it back. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error("stopped"));
    await Promise.all([this.#asking, this.#changes.stop()]);
    await Promise.all(this.#posts.filter(({ isBegun }) => isBegun).map((post) => this.#leave(post)));
    // A database that is away lets it run out.
    await this.#deps.fleet.dismiss().catch((error: unknown) => {
      this.#deps.log.warn("what this process did could not be given back, it is free by itself soon", {
        error,
      });
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

  /** Whether no other process can have this duty now. */
  isSure(name: string): boolean {
    const post = this.#posts.find(({ duty }) => duty.name === name);
    return post !== undefined && post.token !== null && this.#deps.clock.now() < this.#sureUntilMs;
  }

  /** `starting`: what another process begins. */
  async #run(starting: ReadonlySet<Post>): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await clock.sleep(this.#options.renewMs, signal);
      await this.#askPatiently();
      for (const post of this.#posts) if (!starting.has(post)) this.#follow(post);
      await this.#giveBack();
    }
  }

  async #askPatiently(): Promise<void> {
    const { log } = this.#deps;
    try {
      await this.#ask();
      if (this.#isAway) log.info("the database hears of this process again");
      this.#isAway = false;
    } catch (error) {
      if (!(error instanceof StoreError && error.transient)) throw error;
      if (!this.#isAway)
        log.warn("the database does not hear of this process now, going on as before", { error });
      this.#isAway = true;
    }
  }

  async #ask(): Promise<void> {
    const { fleet, clock, used, onAttended } = this.#deps;
    const { ttlMs, backMs } = this.#options;
    const askedAtMs = clock.now();
    const wanted = this.#posts.filter(({ isWanted }) => isWanted);
    const wants = wanted.flatMap(({ duty }) => (duty.isShared ? [] : [duty.name]));
    const { held, others, share, present, wentBack } = await fleet.attend({
      wants,
      ...used(),
      ttlMs,
      backMs,
    });
    this.#sureUntilMs = askedAtMs + ttlMs;
    const ours = new Map(held.map((one) => [one.duty, one]));
    for (const post of this.#posts) {
      const { name } = post.duty;
      this.#note(
        post,
        ours.get(name)?.token ?? null,
        ours.has(name) ? fleet.name : (others.get(name) ?? null),
      );
      post.isGiven = ours.get(name)?.isGiven ?? false;
      if (wentBack && post.isBegun) post.isOutdated = true;
    }
    if (wentBack)
      this.#deps.log.warn(
        "the database lacks what was committed (a restored backup, a replica that was behind): beginning anew from what it holds",
        { duties: this.#posts.filter(({ isOutdated }) => isOutdated).length },
      );
    onAttended(new Set(this.#posts.filter(isDue).map(({ duty }) => duty.name)), { share, present });
  }

  #note(post: Post, token: number | null, holder: string | null): void {
    const { log } = this.#deps;
    const duty = post.duty.name;
    if (token !== null && post.token === null) log.info("active", { duty, fencing: token });
    if (token === null && post.token !== null)
      log.warn("another process took over", { duty, active: holder });
    else if (token === null && post.holder !== holder) log.info("standing by", { duty, active: holder });
    post.token = token;
    post.holder = holder;
  }

  /** Brings what is done in line with what is ours. One change of a duty at a time. */
  #follow(post: Post): void {
    if (isDue(post) === post.isBegun && !post.isOutdated) return;
    // What is outdated is left first; the next look begins it anew.
    const isBegin = isDue(post) && !post.isBegun;
    const change = (signal: AbortSignal) => (isBegin ? this.#begin(post, signal) : this.#leave(post));
    void this.#changes.run(changeOf(post.duty), change);
  }

  /** What is left and no longer wanted, or another's now. */
  async #giveBack(): Promise<void> {
    const { fleet, log } = this.#deps;
    const isOver = (post: Post) =>
      !post.isBegun && !this.#changes.isRunning(changeOf(post.duty)) && (!post.isWanted || post.isGiven);
    const over = this.#posts.filter(isOver);
    if (over.length === 0) return;
    const held = over.flatMap(({ token, duty }) => (token === null ? [] : [duty.name]));
    try {
      if (held.length > 0) await fleet.giveBack(held);
    } catch (error) {
      // It is still ours at the next look, and given back then.
      if (!(error instanceof StoreError && error.transient)) throw error;
      return;
    }
    for (const post of over) {
      const { duty, isWanted } = post;
      log.info(isWanted ? "left to another process" : "left, no longer wanted", { duty: duty.name });
      Object.assign(post, { token: null, isGiven: false, holder: null });
    }
    this.#posts = this.#posts.filter((post) => post.isWanted || !over.includes(post));
  }

  async #begin(post: Post, stopping: AbortSignal): Promise<void> {
    const { signal } = post.ending;
    try {
      await post.duty.begin(AbortSignal.any([stopping, signal]));
      post.isBegun = true;
      post.isOutdated = false;
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

const isDue = ({ isWanted, token, isGiven }: Post): boolean => isWanted && token !== null && !isGiven;

const changeOf = ({ name }: Duty): string => `duty ${name}`;

const newPost = (duty: Duty): Post => ({
  duty,
  isWanted: true,
  ending: new AbortController(),
  token: null,
  isGiven: false,
  holder: null,
  isBegun: false,
  isOutdated: false,
});
