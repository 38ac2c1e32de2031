/**
 * The venue's front door without any socket: HTTP requests and WebSocket sessions over a `Venue`, with the venue's
 * limits and whatever faults are ordered. Guarantees: does no I/O and reads no clock but the one given, so the same code
 * serves real clients and runs in virtual time. The clock is what clients live in (limits, cadences, nonces); the data's
 * time is the model's.
 */

import type { Clock } from "../../runtime/clock.ts";
import { hash32 } from "../../runtime/random.ts";
import type { Answer, Json, Venue } from "../contract.ts";
import { isObject } from "../exchange/requestBody.ts";
import { type FaultRule, Faults, type FiredFault } from "../faults.ts";
import { createActions, UNREADABLE } from "./actions.ts";
import { dexes, type FeedContext, indexBlock } from "./feeds.ts";
import {
  actionWeight,
  extraWeight,
  type IpBudget,
  IpBudgets,
  infoWeight,
  VENUE_LIMITS,
  type VenueLimits,
  type WeightRecord,
} from "./limits.ts";
import { type Failed, type Overtakes, ServedConnection, type Wire } from "./servedConnection.ts";
import { Staleness } from "./staleness.ts";
import { DEFAULT_SWITCHES, type Switches, type SwitchSettings, withSettings } from "./switches.ts";

export interface GatewayOptions {
  venue: Venue;
  clock: Clock;
  limits?: Partial<VenueLimits>;
  switches?: SwitchSettings;
  /** Decides the faults; the same seed fails in the same way. */
  seed?: number | string;
  faults?: readonly FaultRule[];
  /** Told what the model could not do for a connection, which then ends; without it such an error is thrown. */
  failed?: Failed;
}

export interface HttpReply {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** Wait this long before answering. */
  lateMs: number;
  /** Break the connection instead of answering, or half-way through the body. */
  breaks: "before" | "midway" | null;
}

/** The transport's end that reads from the client. */
export interface Connection {
  receive(text: string): void;
  closed(): void;
}

/**
 * Whether a connection is let in. Refused with an HTTP status, with 0 for not even that, or with 101: then the upgrade
 * succeeds and the connection is closed at once.
 */
type Admission = { admitted: true } | { admitted: false; status: number };

export interface Gateway {
  readonly faults: Faults;
  readonly switches: Readonly<Switches>;
  /** From now on; those of a group that are not named stay as they are. */
  setSwitches(settings: SwitchSettings): void;
  http(path: string, bodyText: string, ip: string): HttpReply;
  /** Whether a new connection is let in now; to be asked once before each `connect`. */
  admit(ip: string): Admission;
  connect(ip: string, wire: Wire): Connection;
  /** Connections that are open now. */
  sessions(): readonly ServedConnection[];
  weightSpent(ip: string): number;
  /** What each address has spent since the start. */
  weights(): Record<string, WeightRecord>;
  stop(): void;
}

const DEFAULT_SLOW_MS = 2_000;
const DEFAULT_STALE_MS = 5_000;
const MAX_MEMO = 10_000;

const BAD_GATEWAY_HTML =
  "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

export function createGateway(options: GatewayOptions): Gateway {
  const { venue, clock } = options;
  const limits: VenueLimits = { ...VENUE_LIMITS, ...options.limits };
  const switches = withSettings(DEFAULT_SWITCHES, options.switches ?? {});
  const faults = new Faults({ seed: options.seed ?? 1, clock, rules: options.faults ?? [] });
  const budgets = new IpBudgets(limits);
  const actions = createActions(venue, clock, switches);
  const sessions = new Set<ServedConnection>();
  const staleness = new Staleness(venue);
  const overtakes = overtaking(options.seed ?? 1, switches);
  const { context, forget } = feedContext(venue, switches);
  const unsubscribe = venue.onBlock((block) => {
    forget();
    staleness.block();
    const events = indexBlock(block);
    for (const session of [...sessions]) session.block(events);
  });

  const info = (request: Json, staleMs: number): Answer => {
    const lagMs = Math.max(staleMs, switches.restLagMs);
    return lagMs > 0 ? staleness.info(request, lagMs) : venue.info(request);
  };
  const execute = (body: unknown): Answer => {
    const answer = actions.execute(body);
    // The block ends before the answer is on its way.
    if (overtakes("updatesBeforeReply")) venue.advance(venue.nowMs);
    forget();
    return answer;
  };
  const answer = behindLimits(clock, info, execute);
  const shared = { clock, faults, limits, failed: options.failed, overtakes, ...known(context) };
  return {
    faults,
    switches,
    setSwitches(settings) {
      Object.assign(switches, withSettings(switches, settings));
    },
    http(path, bodyText, ip) {
      if (faults.connect(ip, "request") !== null) return reply({ status: 503, body: "" }, 0, "before");
      if (path !== "/info" && path !== "/exchange") return reply({ status: 404, body: "" }, 0, null);
      const request = parse(bodyText);
      const kind = path === "/info" ? "info" : "action";
      const fired = faults.request({ ...subjectOf(request), ip });
      const result = answer(kind, request, budgets.of(ip, clock.now()), fired);
      const breaks = fired?.fault === "reset" ? "before" : fired?.fault === "truncate" ? "midway" : null;
      return reply(result, lateness(fired), breaks);
    },
    admit(ip) {
      if (faults.connect(ip, "socket") !== null) return { admitted: false, status: 0 };
      if (budgets.of(ip, clock.now()).openConnection(clock.now())) return { admitted: true };
      return { admitted: false, status: switches.overConnectionLimit === "close" ? 101 : 429 };
    },
    connect(ip, wire) {
      const budget = budgets.of(ip, clock.now());
      const session = new ServedConnection({
        ...shared,
        ip,
        wire,
        budget,
        post(kind, payload) {
          const fired = faults.request({ ...subjectOf(payload), ip });
          const result = answer(kind, payload, budget, fired);
          const lost = fired?.fault === "reset" || fired?.fault === "truncate";
          return { answer: lost ? null : result, lateMs: lateness(fired) };
        },
        onEnd(ended) {
          sessions.delete(ended);
          budget.closeConnection();
        },
      });
      sessions.add(session);
      return session;
    },
    sessions: () => [...sessions],
    weightSpent: (ip) => budgets.of(ip, clock.now()).weightSpent(clock.now()),
    weights: () => budgets.weightRecords(clock.now()),
    stop() {
      unsubscribe();
      for (const session of [...sessions]) session.cut();
    },
  };
}

/** Whether something comes out of its order this time, decided by the seed. */
function overtaking(seed: number | string, switches: Switches): Overtakes {
  let drawn = 0;
  return (what) => {
    const chance = switches.unordered[what];
    return chance > 0 && hash32(`${seed}|${what}|${drawn++}`) / 2 ** 32 < chance;
  };
}

/** What feeds read. Many subscriptions ask for the same thing at the same time: the venue is asked once. */
function feedContext(venue: Venue, switches: Switches): { context: FeedContext; forget(): void } {
  const memo = new Map<string, Json>();
  let memoMs = venue.nowMs;
  const info = (request: Json): Json => {
    if (memoMs !== venue.nowMs || memo.size >= MAX_MEMO) memo.clear();
    memoMs = venue.nowMs;
    const key = JSON.stringify(request);
    const known = memo.get(key);
    if (known !== undefined) return known;
    const { status, body } = venue.info(request);
    const value = status === 200 ? body : null;
    memo.set(key, value);
    return value;
  };
  return { context: { venue, switches, info }, forget: () => memo.clear() };
}

const known = (context: FeedContext) => ({
  context,
  knowsCoin: (coin: string) => context.venue.coins().includes(coin),
  knowsDex: (dex: string) => dexes(context).includes(dex),
});

type Ask = (kind: "info" | "action", request: Json, budget: IpBudget, fired: FiredFault | null) => Answer;

/** The answer of the venue behind its limits, or what a fault makes of it. */
const behindLimits =
  (clock: Clock, info: (request: Json, staleMs: number) => Answer, execute: (body: unknown) => Answer): Ask =>
  (kind, request, budget, fired) => {
    if (fired?.fault === "http429") return { status: 429, body: null };
    if (fired?.fault === "http500") return { status: 500, body: null };
    if (fired?.fault === "http502") return { status: 502, body: BAD_GATEWAY_HTML };
    if (!isObject(request)) return UNREADABLE;
    if (kind === "action") {
      const weight = isObject(request.action) ? actionWeight(request.action) : 1;
      return budget.takeWeight(clock.now(), weight) ? execute(request) : { status: 429, body: null };
    }
    const type = typeof request.type === "string" ? request.type : "";
    if (!budget.takeWeight(clock.now(), infoWeight(type))) return { status: 429, body: null };
    const result = info(request, fired?.fault === "stale" ? (fired.ms ?? DEFAULT_STALE_MS) : 0);
    budget.addWeight(clock.now(), extraWeight(type, result.items ?? itemsOf(result.body)));
    return result;
  };

const lateness = (fired: FiredFault | null): number =>
  fired?.fault === "slow" ? (fired.ms ?? DEFAULT_SLOW_MS) : 0;

function reply({ status, body }: Answer, lateMs: number, breaks: HttpReply["breaks"]): HttpReply {
  const isText = status !== 200 && typeof body === "string";
  const isHtml = isText && body.startsWith("<html>");
  const contentType = isHtml ? "text/html" : isText ? "text/plain; charset=utf-8" : "application/json";
  return {
    status,
    headers: { "content-type": contentType },
    body: isText ? body : JSON.stringify(body),
    lateMs,
    breaks,
  };
}

/** Undefined text and unreadable text are the same to the venue: not an object. */
function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

const itemsOf = (body: Json): number => (Array.isArray(body) ? body.length : 0);

/** What faults may be aimed at: the type of the info request or of the action, and the account asked about. */
function subjectOf(request: Json): { request: string; user: string | null } {
  if (!isObject(request)) return { request: "", user: null };
  const inner = isObject(request.action) ? request.action : request;
  return {
    request: typeof inner.type === "string" ? inner.type : "",
    user: typeof inner.user === "string" ? inner.user.toLowerCase() : null,
  };
}
