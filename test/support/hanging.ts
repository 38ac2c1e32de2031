/** Servers that hang: what is sent to them is taken, and nothing comes back. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { untilAborted } from "../../src/runtime/abort.ts";

export interface Hanging {
  readonly port: number;
  /** Resolves when the next connection comes. */
  reached(): Promise<void>;
  close(): void;
}

const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });

/** Takes connections and never says a word. */
export async function silentServer(): Promise<Hanging> {
  return gateTo(0, true);
}

export interface Gate extends Hanging {
  /** From now on nothing passes in either direction, and no connection ends. */
  hang(): void;
}

/** Passes everything on to a port of this machine, until it hangs. */
export async function gateTo(target: number, hangs = false): Promise<Gate> {
  const sockets = new Set<Socket>();
  let isHung = hangs;
  const pass = (from: Socket, to: Socket | null) => {
    sockets.add(from);
    from.on("error", () => {});
    from.on("data", (bytes) => {
      if (!isHung) to?.write(bytes);
    });
    from.on("close", () => {
      sockets.delete(from);
      if (!isHung) to?.destroy();
    });
  };
  let reached = new AbortController();
  const server = createServer((client) => {
    reached.abort();
    reached = new AbortController();
    const upstream = isHung ? null : connect(target, "127.0.0.1");
    pass(client, upstream);
    if (upstream) pass(upstream, client);
  });
  const port = await listening(server);
  return {
    port,
    reached: () => untilAborted(reached.signal),
    hang() {
      isHung = true;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
