/**
 * The driver's client as hlsync uses it. Apart from `postgres.ts`, whose declarations are part of the public surface and must
 * not need the driver's types.
 */
import type { Socket } from "node:net";
import pg from "pg";
import type { Target } from "./target.ts";

/** The driver's client, but that it looks up nothing by itself of what it tells the server first. */
export const clientTo = ({ startup }: Target): typeof pg.Client =>
  class extends pg.Client {
    getStartupConf(): Readonly<Record<string, string>> {
      return startup;
    }
  };

/** Ends a connection at once. The driver's own way waits for the server to hang up, and one that hangs never does. */
export function cut(client: pg.Client): void {
  (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
}
