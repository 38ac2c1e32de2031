/**
 * `webhooks`: the receivers of committed changes, and their deliveries. Guarantees: a signing secret is shown once, when
 * it is made; the address of an endpoint, often a secret itself, is shown without its path.
 */
import { randomBytes } from "node:crypto";
import { ConfigError } from "../../errors.ts";
import {
  addEndpoint,
  type DeliveryRow,
  disableEndpoint,
  type Endpoint,
  enableEndpoint,
  readDeliveries,
  readEndpoints,
  removeEndpoint,
  rewind,
  rotateSecret,
  shownUrl,
  summarizeEndpoints,
} from "../../outputs/delivery/endpoints.ts";
import { createHttpSend, privateTarget } from "../../outputs/delivery/httpSend.ts";
import { Secret } from "../../outputs/delivery/secret.ts";
import { sinkKindOf } from "../../outputs/delivery/sinks.ts";
import { testDelivery } from "../../outputs/delivery/testDelivery.ts";
import { EVENT_TYPES, unknownPattern } from "../../outputs/eventTypes.ts";
import { brokerRefusal, isBrokerFormat } from "../../outputs/publish/brokers.ts";
import type { Queryable } from "../../store/database.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { openExisting, openMigrated, openToRead } from "../openDatabase.ts";

/** Deliveries are signed with the former secret too for this long after `rotate`. */
const ROTATION_MS = 86_400_000;
/** The events that a chat receives by default: not every step of every order. */
const CHAT_EVENTS = ["fill.created", "ledger.created", "gap.*", "alert.*", "webhook.disabled"];
/** Chats are for people: what happened longer ago is no news to them. */
const CHAT_MAX_AGE_MS = 3_600_000;
/** Clocks may differ by this much; what was committed before an endpoint was added is not sent anyway. */
const SKEW_MS = 60_000;

export const webhooks: Command = {
  name: "webhooks",
  args: "<action> [target]",
  summary: "list, add <url>, test, deliveries, replay --since, rotate, enable, disable, remove <id>",
  options: [
    "database",
    "events",
    "format",
    "onlyAccount",
    "description",
    "allowPrivate",
    "maxAge",
    "since",
    "limit",
    "status",
  ],
  check({ options, args: [action = "", target] }) {
    if (!Object.hasOwn(ACTIONS, action))
      throw new ConfigError(
        `webhooks ${JSON.stringify(action)}: expected one of ${Object.keys(ACTIONS).join(", ")}`,
      );
    if (action === "add") {
      const { formats } = sinkKindOf(urlOf(target, options.allowPrivate))!;
      if (options.format && !formats.includes(options.format))
        throw new ConfigError(`--format ${options.format}: expected one of ${formats.join(", ")}`);
      checkEvents(options.events);
    }
    if (action === "replay" && options.since === null)
      throw new ConfigError("webhooks replay: say from when with --since <date>");
  },
  async run(context) {
    const [action = "", target] = context.args;
    // Before anything is made in a database.
    if (action === "add" && !context.options.allowPrivate) await requirePublic(urlOf(target, false));
    const open = READING.includes(action) ? openToRead : action === "add" ? openMigrated : openExisting;
    const { database } = await open(context);
    return ACTIONS[action]!(context, database, target);
  },
};

/** Actions that change nothing. */
const READING: readonly string[] = ["list", "test", "deliveries"];

type Action = (context: Context, db: Queryable, target: string | undefined) => Promise<number>;

const ACTIONS: Record<string, Action> = {
  list,
  add,
  test,
  deliveries,
  replay,
  rotate,
  async enable(context, db, target) {
    const { id } = await receiverOf(db, target);
    await enableEndpoint(db, id);
    return say(context, { type: "enabled", endpoint: id }, `${id} is enabled and goes on where it stopped`);
  },
  async disable(context, db, target) {
    const { id } = await receiverOf(db, target);
    await disableEndpoint(db, id, "disabled by the user", context.clock.now());
    return say(
      context,
      { type: "disabled", endpoint: id },
      `${id} is disabled; hlsync webhooks enable ${id}`,
    );
  },
  async remove(context, db, target) {
    const { id } = await endpointOf(db, target);
    await removeEndpoint(db, id);
    return say(context, { type: "removed", endpoint: id }, `${id} is removed`);
  },
};

function say({ options, print }: Context, row: Record<string, unknown>, text: string): number {
  print(options.json ? JSON.stringify(row) : text);
  return EXIT.ok;
}

/** One that is delivered to, and no broker. */
async function receiverOf(db: Queryable, target: string | undefined): Promise<Endpoint> {
  const endpoint = await endpointOf(db, target);
  const refusal = brokerRefusal(endpoint.format);
  if (refusal !== null) throw new ConfigError(`webhook ${endpoint.id}: ${refusal}`);
  return endpoint;
}

/** The endpoint whose id is, or begins with, `target`. */
async function endpointOf(db: Queryable, target: string | undefined): Promise<Endpoint> {
  const endpoints = await readEndpoints(db);
  const found = endpoints.filter(({ id }) => target !== undefined && id.startsWith(target));
  const exact = found.find(({ id }) => id === target) ?? (found.length === 1 ? found[0] : undefined);
  if (exact) return exact;
  const ids = endpoints.map(({ id }) => id).join(", ") || "none: hlsync webhooks add <url>";
  throw new ConfigError(`webhook ${JSON.stringify(target ?? "")}: expected the id of one of ${ids}`);
}

async function list({ options, print }: Context, db: Queryable): Promise<number> {
  const summaries = new Map((await summarizeEndpoints(db)).map((row) => [row.endpoint, row]));
  const endpoints = await readEndpoints(db);
  for (const endpoint of endpoints) {
    const { url, ...shown } = endpoint;
    const { endpoint: _id, ...counts } = summaries.get(endpoint.id)!;
    if (options.json) {
      print(JSON.stringify({ type: "endpoint", ...shown, url: shownUrl(url), ...counts }));
      continue;
    }
    const state = stateOf(endpoint, counts.served);
    const { pending, delivered, dead, expired } = counts;
    print(`${endpoint.id}  ${shownUrl(url)}  ${endpoint.format}  ${endpoint.description ?? ""}`.trimEnd());
    print(`  events ${endpoint.events.join(",")}  accounts ${endpoint.accounts?.join(",") ?? "all"}`);
    const ended = isBrokerFormat(endpoint.format)
      ? ""
      : `  delivered ${delivered}  dead ${dead}  expired ${expired}`;
    print(`  ${state}  pending ${pending}${ended}`);
  }
  if (endpoints.length === 0 && !options.json) print("no webhook yet: hlsync webhooks add https://…");
  return EXIT.ok;
}

function stateOf({ url, state, disabledReason, failingSinceMs }: Endpoint, served: boolean): string {
  if (state === "disabled") return `DISABLED (${disabledReason})`;
  // The row of a channel stays when the configuration changes.
  if (url === null && !served) return "not served: no running hlsync has it in its configuration";
  return failingSinceMs === null ? "ok" : `failing since ${new Date(failingSinceMs).toISOString()}`;
}

async function add(context: Context, db: Queryable, target: string | undefined): Promise<number> {
  const { options, clock } = context;
  const url = urlOf(target, options.allowPrivate);
  const kind = sinkKindOf(url)!;
  const format = options.format || kind.formatOf(url);
  const isChat = kind.isChat(format);
  const events = options.events.length > 0 ? options.events : isChat ? CHAT_EVENTS : ["*"];
  const accounts = options.onlyAccount.map(({ address }) => address);
  const id = `wh_${randomBytes(4).toString("hex")}`;
  const secret = await addEndpoint(db, {
    id,
    url: new Secret(url.href),
    format,
    events,
    accounts: accounts.length > 0 ? accounts : null,
    description: options.description,
    allowPrivate: options.allowPrivate,
    maxAgeMs: options.maxAge ?? (isChat ? CHAT_MAX_AGE_MS : null),
    sinceMs: options.since ?? clock.now() - SKEW_MS,
  });
  if (options.since !== null) await rewind(db, id, options.since);
  const shown = isChat ? "" : secret!.reveal();
  const lines = [`${id} is told of ${events.join(", ")}`];
  if (shown !== "") lines.push(`signing secret, shown only now: ${shown}`);
  lines.push(`try it: hlsync webhooks test ${id}`);
  return say(
    context,
    { type: "added", endpoint: id, format, events, secret: shown || null },
    lines.join("\n"),
  );
}

function checkEvents(patterns: readonly string[]): void {
  const unknown = unknownPattern(patterns);
  if (unknown !== null)
    throw new ConfigError(
      `--events ${JSON.stringify(unknown)}: expected some of ${Object.keys(EVENT_TYPES).join(", ")}, fill.* or *`,
    );
}

/** The URL is not repeated in errors: it may be a secret. Its host is none. */
function urlOf(text: string | undefined, allowPrivate: boolean): URL {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : null;
  const kind = url && sinkKindOf(url);
  if (!url || !kind) throw new ConfigError("webhooks add: expected a URL that starts with https://");
  const refusal = kind.refusal(url, allowPrivate);
  if (refusal !== null) throw new ConfigError(`webhooks add: ${refusal}`);
  return url;
}

async function requirePublic(url: URL): Promise<void> {
  const refusal = await privateTarget(url);
  if (refusal !== null)
    throw new ConfigError(
      `webhooks add: ${refusal}: deliveries go to public addresses only, unless --allow-private`,
    );
}

async function test(context: Context, db: Queryable, target: string | undefined): Promise<number> {
  const { clock } = context;
  const endpoint = await endpointOf(db, target);
  const http = createHttpSend({ clock });
  const { code, error, durationMs } = await testDelivery(
    { db, http, clock },
    endpoint,
    context.signal,
  ).finally(() => http.close());
  const text = error === null ? `delivered: ${code} in ${durationMs} ms` : `not delivered: ${error}`;
  say(context, { type: "test", endpoint: endpoint.id, status: code, error, durationMs }, text);
  return error === null ? EXIT.ok : EXIT.unexpected;
}

async function deliveries(context: Context, db: Queryable, target: string | undefined): Promise<number> {
  const { options, print } = context;
  const endpoint = target === undefined ? null : (await endpointOf(db, target)).id;
  const rows = await readDeliveries(db, endpoint, options.status, options.limit);
  for (const row of rows.reverse())
    print(options.json ? JSON.stringify({ ...row, type: "delivery", event: row.type }) : deliveryLine(row));
  return EXIT.ok;
}

function deliveryLine(row: DeliveryRow): string {
  const at = new Date(row.lastAttemptMs).toISOString().slice(0, 19).replace("T", " ");
  const took = row.durationMs === null ? "" : ` ${row.durationMs} ms`;
  const why = row.error === null ? "" : `  ${row.error}`;
  const { endpoint, type, webhookId: id, status, attempts } = row;
  return `${at}  ${endpoint}  ${status.padEnd(9)} ${type.padEnd(16)} ${id}  attempt ${attempts}${took}${why}`;
}

async function replay(context: Context, db: Queryable, target: string | undefined): Promise<number> {
  const since = context.options.since!;
  const { id } = await receiverOf(db, target);
  const events = await rewind(db, id, since);
  const text = `${id} is told again of what happened since ${new Date(since).toISOString()}: ${events} events, before its filter, with the ids they had`;
  return say(context, { type: "replay", endpoint: id, sinceMs: since, events }, text);
}

async function rotate(context: Context, db: Queryable, target: string | undefined): Promise<number> {
  const { id, url } = await endpointOf(db, target);
  if (url === null)
    throw new ConfigError(
      `${id} is an alert channel: what signs its messages is the #whsec_… at the end of its text (--alert-to, HLSYNC_ALERT_TO)`,
    );
  const untilMs = context.clock.now() + ROTATION_MS;
  const secret = (await rotateSecret(db, id, untilMs)).reveal();
  const text = `new signing secret, shown only now: ${secret}\ndeliveries are signed with the old one too until ${new Date(untilMs).toISOString()}`;
  return say(context, { type: "rotated", endpoint: id, secret, oldValidUntilMs: untilMs }, text);
}
