/**
 * A message broker as the publisher sees it. A new one is a file with its `BrokerKind` and a line in `brokers.ts`. Its client
 * is no dependency of hlsync: it is loaded when it is asked for.
 */
import { ConfigError } from "../../errors.ts";

export interface Message {
  /** The account, or `none`: what is in order among itself. */
  account: string;
  /** Type of the event. */
  type: string;
  /** Identity of the event: the same however often it is published, and in the CloudEvent. */
  id: string;
  /** Place in the outbox; grows within an account. */
  outboxId: number;
  /** A CloudEvent. */
  body: string;
}

export interface Broker {
  /** Resolves when all are acknowledged, those of one account stored in this order; rejects when one is not. */
  publish(messages: readonly Message[]): Promise<void>;
  /** The last message of an account that the broker holds; null when it holds none or cannot tell. */
  newest(account: string): Promise<Pick<Message, "id" | "outboxId"> | null>;
  close(): Promise<void>;
}

export interface BrokerKind {
  /** As `URL` has them: `nats:`. */
  schemes: readonly string[];
  /** Packages that its client is made of, as npm takes them. */
  packages: readonly string[];
  /** Loads the client; rejects with a `ConfigError` that names the command where it is not installed. */
  load(): Promise<unknown>;
  /** Throws a `ConfigError` for a setting in the URL that is none. */
  check?(url: URL): void;
  /** Connects; rejects when it cannot. `network`: the venue's, part of every name. */
  open(url: URL, network: string): Promise<Broker>;
}

/** The module, or a `ConfigError` with the one command that brings it. */
export async function loaded<T>(
  loading: Promise<T>,
  { schemes, packages }: Pick<BrokerKind, "schemes" | "packages">,
): Promise<T> {
  try {
    return await loading;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new ConfigError(`--publish ${schemes[0]}//… needs its client: npm install ${packages.join(" ")}`);
  }
}

/** How long an acknowledgement, and a connection, may take. */
export const ANSWER_MS = 5_000;
