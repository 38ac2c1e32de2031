/**
 * A stand-in for the services of a Supabase project, none of which can be had here: PostgREST (`dataApi.ts`), GoTrue's sign-in by
 * password, and Realtime's socket, in the words of supabase-js 2.119. Behind it is a real PostgreSQL with the project's roles and
 * claims. Realtime does not read the WAL here: the test says which table changed (`changed`), and to those who may not
 * select the row it would be told too; the page must not rest on what Realtime says.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import type { Database } from "../../src/store/database.ts";
import { answerData, tokenOf } from "./dataApi.ts";

interface User {
  id: string;
  email: string;
  password: string;
}

export interface Project {
  url: string;
  /** Whether Realtime takes anybody. */
  realtime: boolean;
  /** A row of this table changed. */
  changed(table: string): void;
  /** Channels that were taken so far. */
  readonly taken: number;
  close(): Promise<void>;
}

const HOUR_S = 3_600;

export async function startProject(database: Database, users: readonly User[]): Promise<Project> {
  const userOf = ({ id, email }: User) => ({ id, email, aud: "authenticated", role: "authenticated" });
  const session = (user: User) => {
    const expiresAt = Math.floor(Date.now() / 1000) + HOUR_S;
    return {
      access_token: tokenOf({ role: "authenticated", sub: user.id, exp: expiresAt }),
      token_type: "bearer",
      expires_in: HOUR_S,
      expires_at: expiresAt,
      refresh_token: `refresh ${user.id}`,
      user: userOf(user),
    };
  };
  const json = (response: ServerResponse, status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

  const auth = async (request: IncomingMessage, response: ServerResponse, body: string) => {
    if (request.url!.includes("/token")) {
      const { email, password } = JSON.parse(body) as { email: string; password: string };
      const user = users.find((one) => one.email === email && one.password === password);
      if (user) return json(response, 200, session(user));
      return json(response, 400, { code: "invalid_credentials", msg: "Invalid login credentials" });
    }
    if (request.url!.includes("/logout")) return response.writeHead(204).end();
    const token = String(request.headers.authorization).split(".")[1] ?? "";
    const { sub } = JSON.parse(Buffer.from(token, "base64url").toString()) as { sub: string };
    return json(response, 200, userOf(users.find(({ id }) => id === sub)!));
  };

  const server = createServer(async (request, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "*, authorization, content-type");
    response.setHeader("access-control-allow-methods", "*");
    if (request.method === "OPTIONS") return response.writeHead(204).end();
    let body = "";
    for await (const part of request) body += part;
    if (request.url!.startsWith("/auth/")) await auth(request, response, body);
    else await answerData(database, request, response, body);
  });

  /** Channels by socket: what each follows, by the ids that Realtime gave. */
  const sockets = new WebSocketServer({ server });
  let joins = 0;
  const joined = new Map<WebSocket, Map<string, { table: string; id: number }[]>>();
  sockets.on("connection", (socket) => {
    const channels = new Map<string, { table: string; id: number }[]>();
    joined.set(socket, channels);
    socket.on("close", () => joined.delete(socket));
    socket.on("message", (data) => {
      const [joinRef, ref, topic, event, payload] = JSON.parse(String(data));
      const reply = (status: string, response: object) =>
        socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status, response }]));
      if (event !== "phx_join") return reply("ok", {});
      if (!project.realtime) return reply("error", { reason: "Realtime is off" });
      const wanted = payload.config.postgres_changes as { table: string }[];
      const taken = wanted.map((one, index) => ({ ...one, id: index + 1 }));
      channels.set(topic, taken);
      joins += 1;
      reply("ok", { postgres_changes: taken });
    });
  });

  const project: Project = {
    url: "",
    realtime: true,
    get taken() {
      return joins;
    },
    changed(table) {
      for (const [socket, channels] of joined)
        for (const [topic, taken] of channels) {
          const ids = taken.filter((one) => one.table === table).map(({ id }) => id);
          const about = {
            type: "INSERT",
            schema: "public",
            table,
            commit_timestamp: new Date().toISOString(),
          };
          const payload = { ids, data: { ...about, columns: [], record: {}, errors: null } };
          if (ids.length > 0) socket.send(JSON.stringify([null, null, topic, "postgres_changes", payload]));
        }
    },
    async close() {
      for (const socket of joined.keys()) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  project.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  return project;
}
