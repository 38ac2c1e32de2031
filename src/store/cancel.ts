/**
 * Asks a server to give up a statement, by the protocol's own request: a connection of its own that carries the key of
 * the other. Works through poolers too, which know their own keys (`pg_cancel_backend` needs the server's). Guarantees:
 * never rejects, ends within `CANCEL_WITHIN_MS`. Whether the statement was given up is not told.
 */
import { connect, type Socket } from "node:net";
import { connect as secure } from "node:tls";
import type { Target } from "./target.ts";

/** What the server called the connection when it began. */
export interface BackendKey {
  processId: number;
  secret: number;
}

const CANCEL_WITHIN_MS = 2_000;

const CANCEL_REQUEST = 80_877_102;
const TLS_REQUEST = 80_877_103;

export function cancelStatement(
  { config, mayBePlain }: Target,
  { processId, secret }: BackendKey,
): Promise<void> {
  const { host, port, ssl } = config;
  return new Promise((resolve) => {
    const socket = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    const end = () => {
      socket.destroy();
      resolve();
    };
    socket.setTimeout(CANCEL_WITHIN_MS, end);
    socket.on("error", end);
    socket.on("close", end);
    // The server hangs up when it has done it; a pooler forgets the wish of a client that hangs up first.
    const ask = (stream: Socket) => stream.write(packet(CANCEL_REQUEST, processId, secret));
    if (ssl === false) {
      socket.once("connect", () => ask(socket));
      return;
    }
    const encrypt = () => {
      const options = {
        ...ssl,
        socket,
        host,
        ...(/[a-z]/i.test(host) && !host.includes(":") ? { servername: host } : {}),
      };
      const direct = config.sslnegotiation === "direct" ? { ALPNProtocols: ["postgresql"] } : {};
      const stream = secure({ ...options, ...direct }, () => ask(stream));
      stream.on("error", end);
    };
    if (config.sslnegotiation === "direct") return void socket.once("connect", encrypt);
    socket.once("connect", () => socket.write(packet(TLS_REQUEST)));
    socket.once("data", (answer) => {
      if (answer.toString() === "S") encrypt();
      else if (mayBePlain) ask(socket);
      else end();
    });
  });
}

/** Length, then 32-bit numbers. */
function packet(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(4 * (numbers.length + 1));
  bytes.writeInt32BE(bytes.length, 0);
  for (const [index, number] of numbers.entries()) bytes.writeInt32BE(number | 0, 4 * (index + 1));
  return bytes;
}
