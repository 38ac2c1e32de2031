/**
 * The HTTP server: an exact route table on plain `node:http`. Guarantees: every request passes `judge` first; no CORS,
 * no framing, no sniffing, and a content policy that lets the page talk to this server only; bodies end at `BODY_BYTES_MAX`,
 * headers and idle connections at Node's limits; a handler that throws answers 500 in one line (503 while the database
 * does not answer) and is logged; `stop` closes every connection.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { BusyError, StoreError } from "../../errors.ts";
import type { Log } from "../../runtime/log.ts";
import { type HttpRequest, json, type Reply, RequestError } from "./answer.ts";
import { judge, type Policy, TOKEN_COOKIE } from "./guard.ts";
import { bind, type Listen } from "./listen.ts";
import { isPageLoad, tokenPage } from "./tokenPage.ts";

/** Takes the response over and ends it itself: an event stream. */
interface Takeover {
  headers: Record<string, string>;
  takeOver(response: ServerResponse): void;
}

export type Handler = (request: HttpRequest) => Promise<Reply | Takeover> | Reply | Takeover;

/** `GET /path` → handler. */
type Routes = ReadonlyMap<string, Handler>;

export interface ServerOptions extends Listen {
  policy: Policy;
  routes: Routes;
  log: Log;
  /** Hears of every answer; `route` is a key of the table, or `other`. */
  onAnswer(route: string, status: number): void;
}

export interface HttpServer {
  /** `http://host:port` */
  readonly url: string;
  stop(): Promise<void>;
}

const BODY_BYTES_MAX = 64 * 1024;
/** Smaller answers gain nothing. */
const GZIP_FROM_BYTES = 1_024;
const TOKEN_COOKIE_SECONDS = 30 * 86_400;
const compress = promisify(gzip);

/** What a page may load, and whom it may talk to besides its own origin. */
export const contentPolicy = (others: readonly string[] = []): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    ["connect-src 'self'", ...others].join(" "),
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");

const SECURITY_HEADERS: Record<string, string> = {
  "content-security-policy": `${contentPolicy()}; frame-ancestors 'none'`,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** Rejects with `ConfigError` when the address cannot be had. */
export async function serve(options: ServerOptions): Promise<HttpServer> {
  const { host, port, policy, routes, log, onAnswer } = options;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const left = new AbortController();
    response.once("close", () => left.abort(new Error("the client left")));
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const url = urlOf(request.url ?? "/");
    if (url === null) return send(request, response, json({ error: "this is no path" }, 400));
    const method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
    const key = `${method} ${url.pathname}`;
    const handler = routes.get(key);
    const queryToken = url.searchParams.get("token");
    const verdict = judge({ method, path: url.pathname, headers: request.headers, queryToken }, policy);
    const finish = async (reply: Reply) => {
      onAnswer(handler ? key : "other", reply.status);
      await send(request, response, reply);
    };
    if (verdict.type === "refuse") {
      const asksForToken = verdict.status === 401 && isPageLoad(method, url.pathname, request.headers);
      if (asksForToken) return finish(tokenPage(queryToken !== null));
      return finish(json({ error: verdict.error }, verdict.status));
    }
    if (verdict.type === "login") return finish(login(policy.token!));
    if (!handler) return finish(notFound(routes, url.pathname));
    const body = await readBody(request);
    if (body === null) return finish(json({ error: `bodies end at ${BODY_BYTES_MAX} bytes` }, 413));
    try {
      const { pathname: path, searchParams: query } = url;
      const { signal } = left;
      const result = await handler({ path, query, headers: request.headers, body, signal });
      if ("takeOver" in result) {
        onAnswer(key, 200);
        response.writeHead(200, result.headers);
        // A stream has no end to wait for: who asks for its headers is no reader.
        if (request.method === "HEAD") response.end();
        else result.takeOver(response);
      } else await finish(result);
    } catch (error) {
      if (!left.signal.aborted) await finish(failure(error, key, log));
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      log.debug("answer not sent", { path: request.url, error });
      response.destroy();
    });
  });
  await bind(server, { host, port });
  server.on("error", (error) => log.error("http server failed", { error }));
  const bound = server.address() as AddressInfo;
  return {
    url: `http://${bound.family === "IPv6" ? `[${bound.address}]` : bound.address}:${bound.port}`,
    stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

/** Only the path counts; the name is judged from the Host header. Null when there is no path in it. */
const urlOf = (target: string): URL | null =>
  URL.parse(target.startsWith("/") ? `http://localhost${target}` : target);

const login = (token: string): Reply => ({
  status: 303,
  type: "text/plain; charset=utf-8",
  body: "",
  headers: {
    location: "/",
    "set-cookie": `${TOKEN_COOKIE}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${TOKEN_COOKIE_SECONDS}`,
  },
});

function notFound(routes: Routes, path: string): Reply {
  const allowed = ["GET", "POST"].filter((method) => routes.has(`${method} ${path}`));
  if (allowed.length === 0) return json({ error: `nothing is here: ${path}` }, 404);
  return {
    ...json({ error: `use ${allowed.join(" or ")}` }, 405),
    headers: { allow: allowed.join(", ") },
  };
}

function failure(error: unknown, key: string, log: Log): Reply {
  if (error instanceof RequestError) return json({ error: error.message }, error.status);
  if (error instanceof BusyError)
    return {
      ...json({ error: `too much is asked at once: ${error.message}; try again` }, 503),
      headers: { "retry-after": "1" },
    };
  if (error instanceof StoreError && error.transient)
    return json({ error: "the database does not answer" }, 503);
  log.error("request failed", { route: key, error });
  return json({ error: "internal error, see the log" }, 500);
}

/** Null when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += (part as Buffer).length;
    if (size > BODY_BYTES_MAX) return null;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString("utf8");
}

async function send(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
  const headers: Record<string, string> = {
    "content-type": reply.type,
    "cache-control": "no-store",
    ...reply.headers,
  };
  let body = Buffer.from(reply.body);
  const zips = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  if (zips && body.length >= GZIP_FROM_BYTES && headers["content-encoding"] === undefined) {
    body = await compress(body, { level: 4 });
    headers["content-encoding"] = "gzip";
  }
  headers.vary = "accept-encoding";
  if (reply.status !== 304) headers["content-length"] = String(body.length);
  response.writeHead(reply.status, headers);
  response.end(request.method === "HEAD" || reply.status === 304 ? undefined : body);
}
