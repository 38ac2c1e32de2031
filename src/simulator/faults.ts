/**
 * What goes wrong, and when. Guarantees: a decision is a pure function of (seed, fault, subject, attempt), so the same
 * run fails in the same way; a rule with `times` fires exactly that often; nothing fires outside a rule's window.
 * One kind of rule serves as a rate (`rate`), as a script (`times`, `skip`, `fromMs`, `untilMs`) and over the control
 * endpoint.
 */
import type { Clock } from "../runtime/clock.ts";
import { hash32 } from "../runtime/random.ts";

/** Decided for every frame the server is about to send. */
export const FRAME_FAULTS = [
  /** The frame is lost. */
  "drop",
  /** The frame comes twice. */
  "duplicate",
  /** The frame comes `ms` later; others overtake it. */
  "delay",
  /** The frame changes places with the next one, whatever its channel; after `ms` it comes anyway. */
  "reorder",
  /** Something unreadable comes in its place. */
  "malform",
  /** An unknown channel comes before it, and the frame itself has unknown keys. */
  "unknownShape",
  /** The connection breaks without a close frame, before the frame. */
  "cut",
  /** The server closes with 1000 `Expired`, before the frame. */
  "expire",
  /** From now on the socket is open and dead: nothing is sent, pings go unanswered, closing is not confirmed. */
  "halfOpen",
] as const;
/** Decided for every connection; `refuse` also for every request. */
export const CONNECT_FAULTS = ["refuse", "refuseSockets"] as const;
/** Decided for every HTTP request. */
export const REQUEST_FAULTS = [
  "http429",
  "http500",
  "http502",
  /** The request is carried out, but the connection breaks before the answer. */
  "reset",
  /** The answer breaks off half-way. */
  "truncate",
  /** The answer comes `ms` later. */
  "slow",
  /** The answer is that of about `ms` ago. */
  "stale",
] as const;

type FrameFault = (typeof FRAME_FAULTS)[number];
type RequestFault = (typeof REQUEST_FAULTS)[number];
type FaultKind = FrameFault | RequestFault | (typeof CONNECT_FAULTS)[number];

/** When a fault happens. Every condition given must hold; a rule with none always fires. */
export interface FaultRule {
  fault: FaultKind;
  /** Chance per attempt, 0 to 1; default 1. */
  rate?: number;
  /** Fires at most this often, then the rule is spent. */
  times?: number;
  /** Lets this many matching attempts pass first. */
  skip?: number;
  /** Window of the server's clock, `untilMs` excluded. */
  fromMs?: number;
  untilMs?: number;
  /** How long, for `delay`, `reorder`, `slow` and `stale`; each has a default. */
  ms?: number;
  /** Frames of this channel only. */
  channel?: string;
  /** Frames or requests of this account only. */
  user?: string;
  /** Requests of this info or action type only. */
  request?: string;
  ip?: string;
}

/** What a fault may happen to. `user` is known for the frames of a user's subscription, also where they name none. */
interface FaultSubject {
  channel?: string;
  user?: string | null;
  request?: string;
  ip: string;
}

/** A fault that fires: its rule, and a number from the same hash for whatever has variants. */
export interface FiredFault {
  fault: FaultKind;
  ms: number | null;
  variant: number;
}

/** Rules kept at once; adding more is refused. */
const MAX_RULES = 1_000;
/** Subjects whose attempts are counted; beyond it counting starts again, which only changes what chance decides. */
const MAX_SUBJECTS = 100_000;

interface Kept {
  id: number;
  rule: FaultRule;
  seen: number;
  fired: number;
}

export class Faults {
  readonly #seed: number | string;
  readonly #clock: Clock;
  #kept: Kept[] = [];
  #nextId = 1;
  #attempts = new Map<string, number>();
  #counts = new Map<FaultKind, number>();

  constructor(options: { seed: number | string; clock: Clock; rules?: readonly FaultRule[] }) {
    this.#seed = options.seed;
    this.#clock = options.clock;
    for (const rule of options.rules ?? []) this.add(rule);
  }

  /** The rule's id. Throws `RangeError` when there are too many rules or the rule makes no sense. */
  add(rule: FaultRule): number {
    checkRule(rule);
    const now = this.#clock.now();
    this.#kept = this.#kept.filter((kept) => now < (kept.rule.untilMs ?? Infinity));
    if (this.#kept.length >= MAX_RULES) throw new RangeError(`more than ${MAX_RULES} fault rules`);
    const id = this.#nextId++;
    const user = rule.user?.toLowerCase();
    this.#kept.push({ id, rule: user === undefined ? rule : { ...rule, user }, seen: 0, fired: 0 });
    return id;
  }

  remove(id: number): void {
    this.#kept = this.#kept.filter((kept) => kept.id !== id);
  }

  clear(): void {
    this.#kept = [];
  }

  rules(): { id: number; rule: FaultRule; fired: number }[] {
    return this.#kept.map(({ id, rule, fired }) => ({ id, rule, fired }));
  }

  /** How often each fault has happened. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  frame(subject: FaultSubject): FiredFault | null {
    return this.#decide(FRAME_FAULTS, subject);
  }

  /** Of a WebSocket connection or of a request. */
  connect(ip: string, what: "socket" | "request"): FiredFault | null {
    return this.#decide(what === "socket" ? CONNECT_FAULTS : ["refuse"], { ip });
  }

  request(subject: FaultSubject): FiredFault | null {
    return this.#decide(REQUEST_FAULTS, subject);
  }

  /** The first rule that fires. A spent rule is forgotten. */
  #decide(kinds: readonly FaultKind[], subject: FaultSubject): FiredFault | null {
    for (const kept of this.#kept) {
      const { rule } = kept;
      if (!kinds.includes(rule.fault) || !this.#applies(rule, subject)) continue;
      const variant = this.#hash(rule.fault, subject);
      if (variant / 2 ** 32 >= (rule.rate ?? 1)) continue;
      if (kept.seen++ < (rule.skip ?? 0)) continue;
      kept.fired++;
      if (rule.times !== undefined && kept.fired >= rule.times) this.remove(kept.id);
      this.#counts.set(rule.fault, (this.#counts.get(rule.fault) ?? 0) + 1);
      return { fault: rule.fault, ms: rule.ms ?? null, variant };
    }
    return null;
  }

  #applies(rule: FaultRule, subject: FaultSubject): boolean {
    const now = this.#clock.now();
    return (
      now >= (rule.fromMs ?? -Infinity) &&
      now < (rule.untilMs ?? Infinity) &&
      (rule.channel === undefined || rule.channel === subject.channel) &&
      (rule.user === undefined || rule.user === subject.user) &&
      (rule.request === undefined || rule.request === subject.request) &&
      (rule.ip === undefined || rule.ip === subject.ip)
    );
  }

  #hash(fault: FaultKind, subject: FaultSubject): number {
    const who = `${fault}|${subject.channel ?? subject.request ?? ""}|${subject.user ?? ""}`;
    if (this.#attempts.size >= MAX_SUBJECTS) this.#attempts.clear();
    const attempt = (this.#attempts.get(who) ?? 0) + 1;
    this.#attempts.set(who, attempt);
    return hash32(`${this.#seed}|${who}|${attempt}`);
  }
}

const KINDS: readonly string[] = [...FRAME_FAULTS, ...CONNECT_FAULTS, ...REQUEST_FAULTS];

function checkRule(rule: FaultRule): void {
  if (!KINDS.includes(rule.fault))
    throw new RangeError(`unknown fault ${JSON.stringify(rule.fault)}; use one of ${KINDS.join(", ")}`);
  const { rate = 1, times = 1, ms = 0, skip = 0 } = rule;
  if (!(rate >= 0 && rate <= 1)) throw new RangeError(`rate ${rate} is not between 0 and 1`);
  if (!(Number.isInteger(times) && times > 0))
    throw new RangeError(`times ${times} is not a positive integer`);
  if (!(Number.isInteger(skip) && skip >= 0)) throw new RangeError(`skip ${skip} is not a natural number`);
  if (!(ms >= 0)) throw new RangeError(`ms ${ms} is negative`);
}
