/**
 * Alerts and webhooks as the page shows and changes them. Guarantees: what is changed is written where the command line
 * reads it, by the same functions; nothing is changed where no token is asked for, since any
 * program of this machine may ask there; of a receiver its host is told, never the rest of its address or a secret.
 */
import { ConfigError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Queryable, Row } from "../../store/database.ts";
import { epochMs } from "../../store/epochMs.ts";
import { addSilence, endSilence, readSilences } from "../alerts/alertStore.ts";
import type { Channel } from "../alerts/channels.ts";
import { type RuleSet, SILENCEABLE } from "../alerts/ruleSet.ts";
import { silencesOf } from "../alerts/silenceOf.ts";
import { testAlert } from "../alerts/testAlert.ts";
import {
  disableEndpoint,
  type Endpoint,
  enableEndpoint,
  readEndpoints,
  rewind,
  shownUrl,
  summarizeEndpoints,
} from "../delivery/endpoints.ts";
import type { HttpSend } from "../delivery/httpSend.ts";
import { testDelivery } from "../delivery/testDelivery.ts";
import { brokerRefusal, isBrokerFormat } from "../publish/brokers.ts";
import { type HttpRequest, json, RequestError } from "./answer.ts";
import { accountNamed, type Followed } from "./parameters.ts";
import type { Handler } from "./server.ts";

/** What this process watches, and whom it tells. */
export interface Alarms {
  rules: RuleSet;
  channels: readonly Channel[];
  /** For tests of endpoints. */
  http: HttpSend;
}

interface ControlDeps {
  /** Absent where nothing is watched. */
  alarms?: Alarms;
  /** What is shown is read here; what is changed is written to `own`. */
  reads: Queryable;
  own: Queryable;
  clock: Clock;
  followed(): Followed;
  /** There is a token, so that changes can be made. */
  mayChange: boolean;
}

const MINUTE_MS = 60_000;
const SILENCE_MAX_MS = 30 * 86_400_000;

export const controlRoutes = (deps: ControlDeps): [string, Handler][] => [
  ["GET /api/rules", async () => json({ ...(await rules(deps)), may_change: deps.mayChange })],
  ["GET /api/endpoints", async () => json({ rows: await endpoints(deps), may_change: deps.mayChange })],
  ...changes(deps).map(([route, handler]): [string, Handler] => [
    route,
    deps.mayChange ? handler : refuseChange,
  ]),
];

const changes = (deps: ControlDeps): [string, Handler][] => [
  ["POST /api/silences", silence(deps)],
  ["POST /api/silences/end", unsilence(deps)],
  ["POST /api/alerts/test", tryChannels(deps)],
  ["POST /api/endpoints/test", tryEndpoint(deps)],
  ["POST /api/endpoints/replay", replay(deps)],
  ["POST /api/endpoints/enable", enable(deps, true)],
  ["POST /api/endpoints/disable", enable(deps, false)],
];

const refuseChange: Handler = () => {
  throw new RequestError("changes need a token: set HLSYNC_TOKEN, and open the page with it", 403);
};

/** Every rule with its thresholds and where it stands, over all accounts. */
async function rules({ alarms, reads, clock }: ControlDeps) {
  const [states, silences] = await Promise.all([
    reads.query<{ rule: string } & Row>(
      `select rule, count(*) filter (where state = 'pending') as pending,
         count(*) filter (where state = 'firing') as firing, max(${epochMs("fired_at")}) as last_fired_ms
       from public.hl_alerts group by rule`,
    ),
    readSilences(reads, clock.now()),
  ]);
  const byRule = new Map(states.map(({ rule, ...state }) => [rule, state]));
  const calm = { pending: 0, firing: 0, last_fired_ms: null };
  return {
    rows: [...(alarms?.rules.rules.values() ?? [])].map((rule) => ({
      ...rule,
      ...(byRule.get(rule.name) ?? calm),
    })),
    prices: alarms?.rules.prices ?? [],
    price_state: byRule.get("price") ?? calm,
    channels: (alarms?.channels ?? []).map(({ id, kind, label }) => ({ id, kind, label })),
    silences: silences.map(({ id, rule, account, coin, untilMs }) => ({
      id,
      rule,
      coin,
      account_address: account,
      until_ms: untilMs,
    })),
  };
}

async function endpoints({ reads }: ControlDeps) {
  const [all, summaries] = await Promise.all([readEndpoints(reads), summarizeEndpoints(reads)]);
  const counts = new Map(summaries.map(({ endpoint, ...rest }) => [endpoint, rest]));
  return all.map(({ id, url, format, events, accounts, description, state, ...rest }) => ({
    id,
    format,
    events,
    accounts,
    description,
    state,
    url: shownUrl(url),
    is_channel: url === null,
    is_broker: isBrokerFormat(format),
    disabled_reason: rest.disabledReason,
    failing_since_ms: rest.failingSinceMs,
    ...counts.get(id),
  }));
}

const silence =
  ({ own, clock, followed }: ControlDeps): Handler =>
  async (request) => {
    const asked = fieldsOf(request);
    const { rule = null, account_address: who = null, coin = null, for_ms: forMs } = asked;
    if (rule !== null && !SILENCEABLE.includes(String(rule)))
      throw new RequestError(`rule: expected one of ${SILENCEABLE.join(", ")}`);
    if (coin !== null && !(typeof coin === "string" && /^[\w:@/#.+-]{1,40}$/.test(coin)))
      throw new RequestError("coin: expected a market, for example BTC");
    const account = who === null ? null : accountNamed(String(who), followed());
    const untilMs = clock.now() + wholeField(forMs, "for_ms", MINUTE_MS, SILENCE_MAX_MS);
    const wish = { rule: rule === "all" ? null : (rule as string | null), coin: coin as string | null };
    const ids: number[] = [];
    for (const made of await silencesOf(own, wish).catch(asRequestError))
      ids.push(await addSilence(own, { ...made, account, untilMs }));
    return json({ id: ids[0], ids, until_ms: untilMs });
  };

/** What the command line refuses is refused here too, in the same words. */
const asRequestError = (cause: unknown): never => {
  throw cause instanceof ConfigError ? new RequestError(cause.message) : cause;
};

const unsilence =
  ({ own }: ControlDeps): Handler =>
  async (request) => {
    const id = wholeField(fieldsOf(request).id, "id", 0, Number.MAX_SAFE_INTEGER);
    if (!(await endSilence(own, id))) throw new RequestError(`there is no silence ${id}`, 404);
    return json({ id });
  };

/** All channels, or those of one kind. */
const tryChannels =
  ({ alarms, clock }: ControlDeps): Handler =>
  async (request) => {
    const { channel: wanted } = fieldsOf(request);
    const channels = (alarms?.channels ?? []).filter(({ id }) => wanted === undefined || id === wanted);
    if (channels.length === 0)
      throw new RequestError("there is no such channel: --alert-to or HLSYNC_ALERT_TO names them", 404);
    const rows = channels.map(async ({ id, label, ...channel }) => {
      const { error } = await channel.deliver(...testAlert(clock.now()), request.signal);
      return { id, label, error };
    });
    return json({ rows: await Promise.all(rows) });
  };

const tryEndpoint =
  (deps: ControlDeps): Handler =>
  async (request) => {
    const { alarms, own: db, clock } = deps;
    if (alarms === undefined) throw new RequestError("this process delivers nothing", 409);
    const endpoint = await endpointOf(deps, request);
    const tested = testDelivery({ db, clock, http: alarms.http }, endpoint, request.signal);
    const { code, error, durationMs } = await tested.catch(asRequestError);
    return json({ status: code, error, duration_ms: durationMs });
  };

const replay =
  (deps: ControlDeps): Handler =>
  async (request) => {
    const { id } = await receiverOf(deps, request);
    const sinceMs = wholeField(fieldsOf(request).since_ms, "since_ms", 0, deps.clock.now());
    return json({ id, since_ms: sinceMs, events: await rewind(deps.own, id, sinceMs) });
  };

const enable =
  (deps: ControlDeps, isEnabled: boolean): Handler =>
  async (request) => {
    const { id } = await receiverOf(deps, request);
    if (isEnabled) await enableEndpoint(deps.own, id);
    else await disableEndpoint(deps.own, id, "disabled by the user", deps.clock.now());
    return json({ id, state: isEnabled ? "enabled" : "disabled" });
  };

/** One that is delivered to, and no broker. */
async function receiverOf(deps: ControlDeps, request: HttpRequest): Promise<Endpoint> {
  const endpoint = await endpointOf(deps, request);
  const refusal = brokerRefusal(endpoint.format);
  if (refusal !== null) throw new RequestError(refusal, 409);
  return endpoint;
}

async function endpointOf({ own }: ControlDeps, request: HttpRequest): Promise<Endpoint> {
  const { id } = fieldsOf(request);
  const found = (await readEndpoints(own)).find((endpoint) => endpoint.id === id);
  if (!found) throw new RequestError("there is no such endpoint", 404);
  return found;
}

function fieldsOf({ body }: HttpRequest): Record<string, unknown> {
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(body);
  } catch {
    // Refused below.
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new RequestError("expected a JSON object");
  return parsed as Record<string, unknown>;
}

function wholeField(value: unknown, name: string, least: number, most: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number;
  throw new RequestError(`${name}: expected a whole number from ${least} to ${most}`);
}
