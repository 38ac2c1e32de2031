/** Where the HTTP server listens, and what is said where it cannot. */
import { createServer, type Server } from "node:net";
import { ConfigError } from "../../errors.ts";

export interface Listen {
  host: string;
  port: number;
}

/** Rejects with `ConfigError` where nothing could listen now: asked before a database is made and an account is followed. */
export async function requireFree(listen: Listen): Promise<void> {
  const server = createServer();
  await bind(server, listen);
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

/** Rejects with `ConfigError` where it cannot listen. */
export const bind = (server: Server, { host, port }: Listen): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(cannotListen(host, port, error)));
    server.listen({ host, port }, resolve);
  });

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): ConfigError {
  const where = `--listen ${host}:${port} (HLSYNC_LISTEN)`;
  switch (cause.code) {
    case "EADDRINUSE":
      return new ConfigError(
        `${where}: the port is taken, perhaps by another hlsync; choose another, or port 0 for any free one`,
        { cause },
      );
    case "EACCES":
      return new ConfigError(`${where}: not allowed; choose a port above 1023`, { cause });
    default:
      return new ConfigError(`${where}: cannot listen there (${cause.code ?? cause.message})`, { cause });
  }
}
