/**
 * The simulator's own door, which the venue does not have: ground truth, money, faults, time. JSON in and out under
 * `/control/`. Guarantees: touches the model only through `Venue`; answers 400 with `{error}` for what it does not
 * understand.
 *
 * GET  truth?user=0x…         everything that happened to the account, oldest first, uncapped
 * GET  state                  time, users, coins, connections, REST weight by address, fault rules and counts
 * POST deposit                {user, usd}
 * POST trade                  {user, fillsPerSecond, coins?, depositUsd?}: the account trades by itself from now on
 * POST faults                 a rule or a list of rules; `forMs` instead of `untilMs`; answers their ids
 * POST faults/clear           {} or {id}
 * POST connections            {do: "cut" | "halfOpen" | "expire", ip?, user?}: to connections that are open now
 * POST advance                {ms}: in stepped time
 * POST clock                  {skewMs}: the venue's clock jumps ahead, or stands still for as long when negative
 * POST oracle                 {coin, px}: moves a price; triggers and liquidations follow
 * POST script                 what no user can cause (ADL, dust conversion, …), as the model describes it
 */
import { HlsyncError } from "../../errors.ts";
import { isDecimal } from "../../runtime/decimal.ts";
import type { Json, JsonObject, Venue } from "../contract.ts";
import type { FaultRule } from "../faults.ts";
import type { Gateway } from "./gateway.ts";
import type { VenueTime } from "./venueTime.ts";

export interface ControlReply {
  status: number;
  body: Json;
}

/** What a model may offer beyond the venue's own doors. */
export interface VenueControls {
  setOracle?(coin: string, px: string): void;
  script?(script: never): void;
  addActiveAccount?(account: { user: string; fillsPerSecond: number }): void;
}

export interface ControlParts {
  venue: Venue & VenueControls;
  gateway: Gateway;
  time: VenueTime;
  nowMs(): number;
}

const ADDRESS = /^0x[0-9a-f]{40}$/i;
const ok = (body: Json): ControlReply => ({ status: 200, body });
const bad = (error: string): ControlReply => ({ status: 400, body: { error } });

/** `path` is what follows `/control/`. */
export function control(
  parts: ControlParts,
  method: string,
  path: string,
  query: URLSearchParams,
  bodyText: string,
): ControlReply {
  const { venue, gateway } = parts;
  if (method === "GET") {
    if (path === "state") return ok(state(parts));
    const user = query.get("user") ?? "";
    if (path !== "truth") return { status: 404, body: { error: `no such control: GET ${path}` } };
    return ADDRESS.test(user)
      ? ok(venue.truth(user.toLowerCase()) as unknown as Json)
      : bad("user=0x… is missing");
  }
  const body = parse(bodyText);
  if (body === null) return bad("the body is not JSON");
  try {
    switch (path) {
      case "deposit":
        return deposit(venue, body);
      case "trade":
        return trade(venue, body);
      case "faults":
        return ok({ ids: addFaults(parts, body) });
      case "faults/clear":
        if (isObject(body) && typeof body.id === "number") gateway.faults.remove(body.id);
        else gateway.faults.clear();
        return ok({ rules: gateway.faults.rules() as unknown as Json });
      case "connections":
        return disturb(gateway, body);
      case "advance":
        return ok({ venueTimeMs: parts.time.step(positive(body, "ms")) });
      case "clock":
        return ok({ skewMs: parts.time.skew(number(body, "skewMs")) });
      case "oracle":
        return oracle(venue, body);
      case "script":
        if (venue.script === undefined) return bad("this venue takes no scripts");
        venue.script(body as never);
        return ok({});
      default:
        return { status: 404, body: { error: `no such control: ${method} ${path}` } };
    }
  } catch (error) {
    if (error instanceof RangeError || error instanceof HlsyncError) return bad(error.message);
    throw error;
  }
}

function state({ venue, gateway, nowMs }: ControlParts): Json {
  return {
    timeMs: nowMs(),
    venueTimeMs: venue.nowMs,
    users: venue.users(),
    coins: venue.coins(),
    connections: gateway.sessions().map((session) => ({
      ip: session.ip,
      subscriptions: session.subscriptions as unknown as Json,
    })),
    weights: gateway.weights() as unknown as Json,
    faults: { rules: gateway.faults.rules() as unknown as Json, counts: gateway.faults.counts() },
    switches: gateway.switches as unknown as Json,
  };
}

function deposit(venue: Venue, body: Json): ControlReply {
  const { user, usd } = isObject(body) ? body : {};
  if (typeof user !== "string" || !ADDRESS.test(user)) return bad("user must be an address");
  const amount = typeof usd === "number" ? String(usd) : usd;
  if (!isDecimal(amount) || Number(amount) <= 0) return bad("usd must be a positive decimal string");
  venue.deposit(user.toLowerCase(), amount);
  return ok({ user: user.toLowerCase(), usd: amount });
}

function trade(venue: ControlParts["venue"], body: Json): ControlReply {
  const fillsPerSecond = positive(body, "fillsPerSecond");
  const { user } = body as JsonObject;
  if (venue.addActiveAccount === undefined) return bad("this venue's accounts do not trade by themselves");
  if (typeof user !== "string" || !ADDRESS.test(user)) return bad("user must be an address");
  venue.addActiveAccount({ ...(body as JsonObject), user: user.toLowerCase(), fillsPerSecond });
  return ok({ user: user.toLowerCase(), fillsPerSecond });
}

function addFaults({ gateway, nowMs }: ControlParts, body: Json): number[] {
  const rules = Array.isArray(body) ? body : [body];
  return rules.map((rule) => {
    if (!isObject(rule)) throw new RangeError("a fault rule is an object");
    const { forMs, ...rest } = rule;
    const untilMs = typeof forMs === "number" ? { untilMs: nowMs() + forMs } : {};
    return gateway.faults.add({ ...rest, ...untilMs } as unknown as FaultRule);
  });
}

function disturb(gateway: Gateway, body: Json): ControlReply {
  const { do: what, ip, user } = isObject(body) ? body : {};
  if (what !== "cut" && what !== "halfOpen" && what !== "expire") {
    return bad('do must be "cut", "halfOpen" or "expire"');
  }
  const account = typeof user === "string" ? user.toLowerCase() : undefined;
  const hit = gateway
    .sessions()
    .filter(
      (session) =>
        (ip === undefined || session.ip === ip) &&
        (account === undefined || session.subscriptions.some(({ user }) => user === account)),
    );
  for (const session of hit) {
    if (what === "cut") session.cut();
    else if (what === "expire") session.expire();
    else session.freeze();
  }
  return ok({ connections: hit.length });
}

function oracle(venue: ControlParts["venue"], body: Json): ControlReply {
  const { coin, px } = isObject(body) ? body : {};
  if (venue.setOracle === undefined) return bad("this venue's prices cannot be set");
  if (typeof coin !== "string" || !isDecimal(px) || Number(px) <= 0)
    return bad("coin must be a name and px a positive decimal string");
  venue.setOracle(coin, px);
  return ok({ coin, px });
}

function number(body: Json, name: string): number {
  const value = isObject(body) ? body[name] : undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) throw new RangeError(`${name} must be a number`);
  return value;
}

function positive(body: Json, name: string): number {
  const value = number(body, name);
  if (value <= 0) throw new RangeError(`${name} must be positive`);
  return value;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parse(text: string): Json {
  try {
    return text === "" ? {} : (JSON.parse(text) as Json);
  } catch {
    return null;
  }
}
