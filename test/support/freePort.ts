/** Ports for servers that tests start as programs. */
import { createServer } from "node:net";

/**
 * Below those that systems give to outgoing connections (32768 and up on Linux, 49152 elsewhere): a server that is stopped
 * for a while would find its port taken by one of them, of the thousands that tests make.
 */
const FIRST = 10_000;
const COUNT = 22_000;

/** A port of 127.0.0.1 that is free now; it may be taken before it is used. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
