/** Ports for servers that tests start as programs. */
import { createServer } from "node:net";

/** A port of 127.0.0.1 that is free now; it may be taken before it is used. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
