/**
 * The simulator's own door, which the venue does not have: ground truth, money, faults, time. JSON in and out under
 * `/control/`. Guarantees: touches the model only through `Venue`; answers 400 with `{error}` for what it does not
 * understand.
 *
 * GET  truth?user=0x…         everything that happened to the account, oldest first, uncapped
 * GET  state                  time, users, coins, connections, REST weight by address, fault rules and counts, switches
 * POST deposit                {user, usd}
 * POST trade                  {user, fillsPerSecond, coins?, depositUsd?}: the account trades by itself from now on
 * POST faults                 a rule or a list of rules; `forMs` instead of `untilMs`; answers their ids
 * POST faults/clear           {} or {id}
 * POST connections            {do: "cut" | "halfOpen" | "expire", ip?, user?}: to connections that are open now
 * POST advance                {ms}: in stepped time, at most an hour at once
 * POST clock                  {skewMs}: the venue's clock jumps ahead, or stands still for as long when negative
 * POST switches               any switches of the protocol and the model by name; answers them all
 * POST oracle                 {coin, px}: moves a price; triggers and liquidations follow
 * POST script                 what no user can cause (ADL, dust conversion, …), as the model describes it
 */

import { ZodError, type z } from "zod";
import { HlsyncError } from "../../errors.ts";
import { isAddress } from "../../protocol/address.ts";
import type { Json, Venue } from "../contract.ts";
import type { ActiveAccount } from "../exchange/activeAccounts.ts";
import type { Script } from "../exchange/script.ts";
import {
  advanceBody,
  clearBody,
  clockBody,
  complaint,
  connectionsBody,
  depositBody,
  oracleBody,
  readFaultRules,
  readScript,
  readSwitches,
  readTrade,
  type SwitchChange,
} from "./controlBodies.ts";
import type { Gateway } from "./gateway.ts";
import type { VenueTime } from "./venueTime.ts";

interface ControlReply {
  status: number;
  body: Json;
}

/** What a model may offer beyond the venue's own doors. */
export interface VenueControls {
  readonly switches?: object;
  setSwitches?(change: SwitchChange["model"]): void;
  setOracle?(coin: string, px: string): void;
  script?(script: Script): void;
  addActiveAccount?(account: ActiveAccount): void;
}

interface ControlParts {
  venue: Venue & VenueControls;
  gateway: Gateway;
  time: VenueTime;
  nowMs(): number;
}

const ok = (body: Json): ControlReply => ({ status: 200, body });
const bad = (error: string): ControlReply => ({ status: 400, body: { error } });
const missing = (what: string): ControlReply => ({
  status: 404,
  body: { error: `no such control: ${what}` },
});

/** `path` is what follows `/control/`. */
export function control(
  parts: ControlParts,
  method: string,
  path: string,
  query: URLSearchParams,
  bodyText: string,
): ControlReply {
  if (method === "GET") return read(parts, path, query);
  if (!Object.hasOwn(COMMANDS, path)) return missing(`${method} ${path}`);
  const body = parse(bodyText);
  if (body === null) return bad("the body is not JSON");
  try {
    return ok(COMMANDS[path]!(parts, body));
  } catch (error) {
    if (error instanceof ZodError) return bad(complaint(error));
    if (error instanceof RangeError || error instanceof HlsyncError) return bad(error.message);
    throw error;
  }
}

function read(parts: ControlParts, path: string, query: URLSearchParams): ControlReply {
  if (path === "state") return ok(state(parts));
  if (path !== "truth") return missing(`GET ${path}`);
  const user = query.get("user") ?? "";
  if (!isAddress(user)) return bad("user=0x… is missing");
  return ok(parts.venue.truth(user.toLowerCase()) as unknown as Json);
}

type Command = (parts: ControlParts, body: Json) => Json;

const COMMANDS: Readonly<Record<string, Command>> = {
  deposit({ venue }, body) {
    const { user, usd } = depositBody.parse(body);
    venue.deposit(user, usd);
    return { user, usd };
  },
  trade({ venue }, body) {
    const account = readTrade(body);
    const { user, fillsPerSecond, coins = [] } = account;
    if (venue.addActiveAccount === undefined)
      throw new RangeError("this venue's accounts do not trade by themselves");
    for (const coin of coins) requireCoin(venue, coin);
    venue.addActiveAccount(account);
    return { user, fillsPerSecond };
  },
  faults({ gateway, nowMs }, body) {
    return { ids: readFaultRules(body, nowMs()).map((rule) => gateway.faults.add(rule)) };
  },
  "faults/clear": ({ gateway }, body) => {
    const { id } = clearBody.parse(body);
    if (id === undefined) gateway.faults.clear();
    else gateway.faults.remove(id);
    return { rules: gateway.faults.rules() as unknown as Json };
  },
  connections: ({ gateway }, body) => disturb(gateway, connectionsBody.parse(body)),
  advance: ({ time }, body) => ({ venueTimeMs: time.step(advanceBody.parse(body).ms) }),
  clock: ({ time }, body) => ({ skewMs: time.skew(clockBody.parse(body).skewMs) }),
  switches(parts, body) {
    const { server, model } = readSwitches(body);
    if (Object.keys(model).length > 0 && parts.venue.setSwitches === undefined)
      throw new RangeError("this venue's behaviour cannot be switched");
    parts.venue.setSwitches?.(model);
    parts.gateway.setSwitches(server);
    return switchesOf(parts);
  },
  oracle({ venue }, body) {
    const { coin, px } = oracleBody.parse(body);
    if (venue.setOracle === undefined) throw new RangeError("this venue's prices cannot be set");
    requireCoin(venue, coin);
    venue.setOracle(coin, px);
    return { coin, px };
  },
  script({ venue }, body) {
    if (venue.script === undefined) throw new RangeError("this venue takes no scripts");
    venue.script(readScript(body));
    return {};
  },
};

function requireCoin(venue: Venue, coin: string): void {
  if (!venue.coins().includes(coin)) throw new RangeError(`unknown coin ${JSON.stringify(coin)}`);
}

const switchesOf = ({ venue, gateway }: ControlParts): Json =>
  ({ ...gateway.switches, ...venue.switches }) as unknown as Json;

function state(parts: ControlParts): Json {
  const { venue, gateway, nowMs } = parts;
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
    switches: switchesOf(parts),
  };
}

function disturb(gateway: Gateway, { do: what, ip, user }: z.infer<typeof connectionsBody>): Json {
  const hit = gateway
    .sessions()
    .filter(
      (session) =>
        (ip === undefined || session.ip === ip) &&
        (user === undefined || session.subscriptions.some((subscription) => subscription.user === user)),
    );
  for (const session of hit) {
    if (what === "cut") session.cut();
    else if (what === "expire") session.expire();
    else session.freeze();
  }
  return { connections: hit.length };
}

/** No body at all is an empty one. */
function parse(text: string): Json {
  try {
    return text === "" ? {} : (JSON.parse(text) as Json);
  } catch {
    return null;
  }
}
