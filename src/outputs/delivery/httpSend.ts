/**
 * One HTTP request of a delivery. Guarantees: a name is resolved once and the connection goes to an address that was
 * checked, so a name that changes its mind between check and use (DNS rebinding) gains nothing; redirects are not
 * followed; the whole request ends within its timeout; at most `BODY_MAX` of an answer is read, and none of it is kept;
 * rejects with `DeliveryError` whose message names host and reason, never path, query or headers.
 */
import { type LookupAddress, lookup as systemLookup } from "node:dns";
import http from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { DeliveryError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isPublicAddress } from "./addressGuard.ts";
import type { Secret } from "./secret.ts";

export interface HttpRequest {
  /** http or https; often a secret by itself. */
  url: Secret;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Lets it go to private addresses and over plain http. */
  allowPrivate: boolean;
  timeoutMs: number;
}

export interface HttpReply {
  status: number;
  /** The header, as received. */
  retryAfter: string | undefined;
}

export interface HttpSend {
  send(request: HttpRequest, signal?: AbortSignal): Promise<HttpReply>;
  close(): void;
}

/** Resolves a name to all of its addresses. */
type Lookup = (host: string) => Promise<LookupAddress[]>;

const lookupAll: Lookup = (host) =>
  new Promise((resolve, reject) =>
    systemLookup(host, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses))),
  );

/** The host of a URL without the brackets of IPv6: as the resolver takes it. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "");

/**
 * Why a delivery without `allowPrivate` could not go there, in one line; null when it could, and when the name cannot be
 * resolved now: that may change, and every delivery checks again.
 */
export async function privateTarget(
  url: URL,
  lookup: Lookup = lookupAll,
  isAllowed = isPublicAddress,
): Promise<string | null> {
  const host = hostOf(url);
  if (isIP(host) !== 0) return isAllowed(host) ? null : `${host} is a private address`;
  const found = await lookup(host).catch(() => []);
  if (found.length === 0 || found.some(({ address }) => isAllowed(address))) return null;
  return `${host} resolves to ${found.map(({ address }) => address).join(", ")}, which is private`;
}

/** Connections per host; further requests wait for one. */
const SOCKETS_PER_HOST = 8;
/** An answer that goes on after this is cut off. */
const BODY_MAX = 65_536;

interface HttpSendDeps {
  clock: Clock;
  lookup?: Lookup;
  /** Which addresses a request without `allowPrivate` may go to. */
  isAllowed?: (address: string) => boolean;
}

export function createHttpSend({
  clock,
  lookup = lookupAll,
  isAllowed = isPublicAddress,
}: HttpSendDeps): HttpSend {
  // Connections that skipped the check are never lent to requests that need it.
  const agents = [false, true].map((allowPrivate) => {
    const options = { keepAlive: true, maxSockets: SOCKETS_PER_HOST };
    return { allowPrivate, http: new http.Agent(options), https: new https.Agent(options) };
  });

  const once = (request: HttpRequest, signal?: AbortSignal): Promise<HttpReply> => {
    const { allowPrivate, headers, body, timeoutMs } = request;
    const url = new URL(request.url.reveal());
    const host = hostOf(url);
    if (!allowPrivate && url.protocol !== "https:") {
      return Promise.reject(new DeliveryError(`${host}: plain http is refused unless allowed`));
    }
    // A literal address is never looked up.
    if (!allowPrivate && isIP(host) !== 0 && !isAllowed(host)) {
      return Promise.reject(new DeliveryError(`${host}: private addresses are refused unless allowed`));
    }
    const secure = url.protocol === "https:";
    const agent = agents.find((pair) => pair.allowPrivate === allowPrivate)!;
    return new Promise((resolve, reject) => {
      const sent = (secure ? https : http).request(url, {
        method: "POST",
        agent: secure ? agent.https : agent.http,
        headers: { ...headers, "content-length": String(Buffer.byteLength(body)), "user-agent": "hlsync" },
        lookup: guarded(lookup, allowPrivate ? () => true : isAllowed),
        ...(signal ? { signal } : {}),
      });
      const cancel = clock.after(timeoutMs, () =>
        sent.destroy(new DeliveryError(`${host}: no answer within ${timeoutMs / 1000} s`)),
      );
      const fail = (error: Error) => {
        cancel();
        if (signal?.aborted) reject(signal.reason);
        else reject(explain(host, error, sent.reusedSocket));
      };
      sent.on("error", fail);
      sent.on("response", (answer) => {
        answer.on("error", fail);
        readAway(answer, () => {
          cancel();
          resolve({ status: answer.statusCode ?? 0, retryAfter: answer.headers["retry-after"] });
        });
      });
      sent.end(body);
    });
  };

  return {
    async send(request, signal) {
      const endsMs = clock.now() + request.timeoutMs;
      try {
        return await once(request, signal);
      } catch (error) {
        // The other side closed a kept connection just when it was used again.
        const timeoutMs = endsMs - clock.now();
        if (error instanceof StaleConnection && timeoutMs > 0)
          return await once({ ...request, timeoutMs }, signal);
        throw error;
      }
    },
    close() {
      for (const pair of agents) {
        pair.http.destroy();
        pair.https.destroy();
      }
    },
  };
}

/** A look-up that answers with addresses that are allowed, and fails where there is none. */
const guarded =
  (lookup: Lookup, isAllowed: (address: string) => boolean): LookupFunction =>
  (host, options, callback) => {
    lookup(host).then(
      (found) => {
        const addresses = found.filter(({ address }) => isAllowed(address));
        const first = addresses[0];
        if (first === undefined) {
          const where = found.map(({ address }) => address).join(", ") || "nothing";
          const text = `${host} resolves to ${where}: private addresses are refused unless allowed`;
          callback(new DeliveryError(text), "");
        } else if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: Error) => callback(error, ""),
    );
  };

/** Reads the unneeded body of an answer, so that its connection can be used again; a long one is cut off. */
function readAway(answer: http.IncomingMessage, done: () => void): void {
  let bytes = 0;
  answer.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= BODY_MAX) return;
    done();
    answer.destroy();
  });
  answer.on("end", done);
}

class StaleConnection extends DeliveryError {}

const REASONS: Record<string, string> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection closed",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "name cannot be resolved now",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "no answer",
};

function explain(host: string, error: Error & { code?: string }, reused: boolean): Error {
  if (error instanceof DeliveryError) return error;
  const root = error instanceof AggregateError ? (error.errors[0] as Error & { code?: string }) : error;
  const code = root.code ?? "";
  const message = `${host}: ${REASONS[code] ?? (code || root.message)}`;
  if (reused && (code === "ECONNRESET" || code === "EPIPE"))
    return new StaleConnection(message, { cause: error });
  return new DeliveryError(message, { cause: error });
}
