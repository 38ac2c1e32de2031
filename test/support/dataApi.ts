/**
 * A stand-in for PostgREST, which cannot be had here: reads relations of schema public for supabase-js. It copies what matters
 * to row level security: each request is one transaction with the role of its token, and with the claims set where
 * `auth.uid()` looks for them. It knows `select` (names or `*`), `order`, `limit` and `eq`, and calls of functions by name with
 * arguments by name; tokens are believed unsigned.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { StoreError } from "../../src/errors.ts";
import type { Database } from "../../src/store/database.ts";

export interface DataApi {
  url: string;
  close(): Promise<void>;
}

/** A token as Supabase makes them, without a signature that anybody checks. */
export function tokenOf(claims: {
  role: string;
  sub?: string;
  is_anonymous?: boolean;
  exp?: number;
}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.x`;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;

function statementOf(url: URL): string {
  const relation = url.pathname.split("/").at(-1)!;
  const parts = { columns: "*", filters: [] as string[], order: "", limit: "" };
  for (const [name, value] of url.searchParams) {
    if (name === "select") parts.columns = value === "*" ? "*" : value.split(",").map(quoted).join(", ");
    else if (name === "limit") parts.limit = ` limit ${Number(value)}`;
    else if (name === "order") {
      const [column, direction = "asc"] = value.split(".");
      parts.order = ` order by ${quoted(column!)} ${direction === "desc" ? "desc" : "asc"}`;
    } else parts.filters.push(`${quoted(name)} = ${literal(value.replace(/^eq\./, ""))}`);
  }
  const where = parts.filters.length === 0 ? "" : ` where ${parts.filters.join(" and ")}`;
  const rows = `select ${parts.columns} from public.${quoted(relation)}${where}${parts.order}${parts.limit}`;
  return `select coalesce(json_agg(t), '[]')::text as body from (${rows}) t`;
}

/** `rpc`: a function that gives one value. */
function callOf(name: string, body: string): string {
  const args = Object.entries(JSON.parse(body || "{}") as Record<string, unknown>).map(
    ([key, value]) =>
      `${quoted(key)} => ${literal(typeof value === "string" ? value : JSON.stringify(value))}`,
  );
  return `select to_json(public.${quoted(name)}(${args.join(", ")}))::text as body`;
}

function sqlOf(request: IncomingMessage, body: string): string {
  const url = new URL(request.url!, "http://localhost");
  const name = url.pathname.split("/").at(-1)!;
  if (url.pathname.includes("/rpc/")) return callOf(name, body);
  return request.method === "GET" ? statementOf(url) : `delete from public.${quoted(name)}`;
}

/** Answers one request of supabase-js as the reader of its token. */
export async function answerData(
  database: Database,
  request: IncomingMessage,
  response: ServerResponse,
  asked: string,
): Promise<void> {
  const token = String(request.headers.authorization ?? "").replace("Bearer ", "");
  const claims = Buffer.from(token.split(".")[1] ?? "", "base64url").toString() || '{"role": "anon"}';
  const { role } = JSON.parse(claims) as { role: string };
  const answer = (status: number, body: string) =>
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  const settings = `set local role ${quoted(role)}; select set_config('request.jwt.claims', ${literal(claims)}, true)`;
  try {
    const [row] = await database.query<{ body: string | null }>(`${settings}; ${sqlOf(request, asked)}`);
    answer(200, row ? (row.body ?? "null") : "[]");
  } catch (error) {
    const state = error instanceof StoreError ? error.sqlState : null;
    const status = state === "42501" ? (role === "anon" ? 401 : 403) : 400;
    answer(status, JSON.stringify({ code: state, message: (error as Error).message }));
  }
}

export async function startDataApi(database: Database): Promise<DataApi> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    await answerData(database, request, response, body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
