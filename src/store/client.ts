/**
 * The driver's client as hlsync uses it. Apart from `postgres.ts`, whose declarations are part of the public surface and must
 * not need the driver's types.
 */
import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import pg from "pg";
import type { Target } from "./target.ts";

/** The driver's client, but that it looks up nothing by itself of what it tells the server first, and proves a password as asked. */
export const clientTo = ({ startup, mustBind }: Target): typeof pg.Client =>
  class extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super(mustBind ? { ...config, enableChannelBinding: true } : config);
      if (mustBind) insistOnBinding(this);
    }

    getStartupConf(): Readonly<Record<string, string>> {
      return startup;
    }
  };

export const NOT_BOUND = "channel binding is required, and the server does not offer it";

/** Those that proved the password to the server at the other end of their TLS alone. */
const bound = new WeakSet<pg.ClientBase>();
export const isBound = (client: pg.ClientBase): boolean => bound.has(client);

/** Hangs up on a server that asks for the password in another way, before it is told. */
function insistOnBinding(client: pg.Client): void {
  const { connection } = client as unknown as { connection: EventEmitter & { stream: Socket } };
  const refuse = () => connection.stream.destroy(new Error(NOT_BOUND));
  connection.on("authenticationSASL", ({ mechanisms }: { mechanisms: string[] }) => {
    if (mechanisms.includes("SCRAM-SHA-256-PLUS")) bound.add(client);
    else refuse();
  });
  connection.on("authenticationCleartextPassword", refuse);
  connection.on("authenticationMD5Password", refuse);
}

/** Ends a connection at once. The driver's own way waits for the server to hang up, and one that hangs never does. */
export function cut(client: pg.Client): void {
  (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
}
