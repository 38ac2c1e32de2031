/**
 * Who may read. Pure. Guarantees: without a token only this machine reads, and only under a loopback name, so that a
 * page of another site can neither call us (Origin, Sec-Fetch-Site) nor point its own name at us (Host, "DNS
 * rebinding"); with a token, which any other address needs, everything but the two probes asks for it.
 */
import { createHash, timingSafeEqual } from "node:crypto";

export interface Asked {
  method: string;
  path: string;
  /** Headers, lower-case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** `?token=` of a page. */
  queryToken: string | null;
}

export interface Policy {
  /** Null: only loopback is bound, and no token was set. */
  token: string | null;
}

/** `login`: the token came with the address; it becomes a cookie, so that it does not stay in the address bar. */
export type Verdict =
  | { type: "allow" }
  | { type: "login" }
  | { type: "refuse"; status: 400 | 401 | 403; error: string };

export const TOKEN_COOKIE = "hlsync_token";

/** Say nothing about an account, and are asked by machines that hold no secret. */
const OPEN_PATHS = new Set(["/livez", "/readyz"]);

const refuse = (status: 400 | 401 | 403, error: string): Verdict => ({ type: "refuse", status, error });

export function judge(asked: Asked, { token }: Policy): Verdict {
  const host = one(asked.headers.host);
  if (host === null) return refuse(400, "a Host header is needed");
  if (token === null && !isLoopbackName(hostName(host))) {
    return refuse(403, `this address answers as localhost only, not as ${JSON.stringify(host.slice(0, 80))}`);
  }
  const foreign = foreignOrigin(asked, host);
  if (foreign) return refuse(403, foreign);
  if (token === null || OPEN_PATHS.has(asked.path)) return { type: "allow" };
  if (asked.path === "/" && asked.queryToken !== null && same(asked.queryToken, token))
    return { type: "login" };
  const given = bearer(one(asked.headers.authorization)) ?? cookie(one(asked.headers.cookie), TOKEN_COOKIE);
  if (given !== null && same(given, token)) return { type: "allow" };
  return refuse(401, "a token is needed: open the address with ?token=…, or send Authorization: Bearer …");
}

/** Why the request comes from a page of another origin; null when it does not. */
function foreignOrigin({ method, path, headers }: Asked, host: string): string | null {
  const origin = one(headers.origin);
  if (origin !== null && !isOriginOf(origin, host)) return "pages of other origins may not read this";
  const site = one(headers["sec-fetch-site"]);
  if (site === null || site === "same-origin" || site === "none") return null;
  // A link from elsewhere may open the page itself; what the page then asks is same-origin.
  const opensPage = method === "GET" && path === "/" && one(headers["sec-fetch-mode"]) === "navigate";
  return opensPage ? null : "pages of other sites may not read this";
}

function isOriginOf(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: originHost } = new URL(origin);
  return /^https?:$/.test(protocol) && originHost === host.toLowerCase();
}

/** `[::1]:4477` → `::1` */
const hostName = (host: string): string =>
  host
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();

const isLoopbackName = (name: string): boolean =>
  name === "localhost" || name.endsWith(".localhost") || isLoopback(name);

/** Whether an address to bind is reachable from this machine only. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);

const one = (header: string | string[] | undefined): string | null =>
  typeof header === "string" && header !== "" ? header : null;

const bearer = (header: string | null): string | null => /^Bearer (\S+)$/i.exec(header ?? "")?.[1] ?? null;

function cookie(header: string | null, name: string): string | null {
  for (const part of (header ?? "").split(";")) {
    const [key, ...value] = part.trim().split("=");
    if (key === name) return value.join("=");
  }
  return null;
}

/** Compares digests, so that neither length nor content shows in the time it takes. */
function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
