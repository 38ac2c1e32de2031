/** The kinds of brokers, by the scheme of their URL. A new one is one file and one line here. */
import type { BrokerKind } from "./broker.ts";
import { nats } from "./nats.ts";
import { redis } from "./redis.ts";

const KINDS: readonly BrokerKind[] = [nats, redis];

/** Null for a scheme that none has. */
export const brokerKindOf = (url: URL): BrokerKind | null =>
  KINDS.find(({ schemes }) => schemes.includes(url.protocol)) ?? null;

/** Of an endpoint: it has the name of its broker's first scheme. What was published is not counted as deliveries are. */
export const isBrokerFormat = (format: string): boolean => KINDS.some((kind) => formatOf(kind) === format);
export const formatOf = ({ schemes }: BrokerKind): string => schemes[0]!.slice(0, -1);

/** Why an endpoint is neither switched nor told again; null where it can be. */
export const brokerRefusal = (format: string): string | null =>
  isBrokerFormat(format)
    ? "a broker is published to while run has its --publish, each change once: it cannot be disabled or told again"
    : null;

export const BROKER_SCHEMES: readonly string[] = KINDS.flatMap(({ schemes }) => schemes);
