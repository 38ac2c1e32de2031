/** The kinds of brokers, by the scheme of their URL. A new one is one file and one line here. */
import type { BrokerKind } from "./broker.ts";
import { nats } from "./nats.ts";
import { redis } from "./redis.ts";

const KINDS: readonly BrokerKind[] = [nats, redis];

/** Null for a scheme that none has. */
export const brokerKindOf = (url: URL): BrokerKind | null =>
  KINDS.find(({ schemes }) => schemes.includes(url.protocol)) ?? null;

export const BROKER_SCHEMES: readonly string[] = KINDS.flatMap(({ schemes }) => schemes);
