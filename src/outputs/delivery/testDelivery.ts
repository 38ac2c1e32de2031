/** An event that says it is a test, sent to one endpoint at once: beside the outbox, and not in the log of deliveries. */
import { ConfigError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Queryable } from "../../store/database.ts";
import type { OutboxEvent } from "../outbox.ts";
import { type Endpoint, readSecrets } from "./endpoints.ts";
import type { HttpSend } from "./httpSend.ts";
import { ATTEMPT_TIMEOUT_MS } from "./httpVerdict.ts";
import { deliveryId } from "./sink.ts";
import { openSink } from "./sinks.ts";

interface Tested {
  /** The receiver's status code, where there was an answer. */
  code: number | null;
  /** Null when it was delivered. */
  error: string | null;
  durationMs: number;
}

/** Rejects with `ConfigError` where the endpoint cannot be tested like this. */
export async function testDelivery(
  { db, http, clock }: { db: Queryable; http: HttpSend; clock: Clock },
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<Tested> {
  if (endpoint.url === null) throw new ConfigError(`${endpoint.id} is an alert channel: hlsync alerts test`);
  const nowMs = clock.now();
  const secrets = (await readSecrets(db, nowMs)).get(endpoint.id) ?? [];
  const event: OutboxEvent = {
    id: 0,
    key: `test:${endpoint.id}:${nowMs}`,
    type: "webhook.test",
    account: null,
    timeMs: nowMs,
    source: "stream",
    committedAtMs: nowMs,
    data: { message: "This is a test of hlsync." },
  };
  const deps = { http, clock, aliases: new Map(), timeoutMs: ATTEMPT_TIMEOUT_MS };
  const sink = openSink(deps, { ...endpoint, url: endpoint.url }, secrets);
  if (sink === null) throw new ConfigError(`${endpoint.id} was added by another version of hlsync`);
  const { code, error } = await sink.deliver(event, deliveryId(event.key), signal);
  return { code, error, durationMs: clock.now() - nowMs };
}
