/**
 * Can the venue be reached, is it the one that is meant, and do its clock and ours agree? Guarantees: asks for weight 2
 * and one WebSocket at most; every answer is a finding. Assumes that the venue answers `exchangeStatus` with the time of
 * its last block, which is at most a second or so old.
 */
import { errorText, RateLimitError } from "../../errors.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import { NETWORKS, type Network } from "../../protocol/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { SocketFactory } from "../../runtime/net.ts";
import { STREAMED } from "../../sync/freshness.ts";
import type { ClockOffset, RequestPriority, VenueInfo } from "../../sync/ports.ts";
import { type Context, EXIT } from "../command.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Beyond this the clocks differ by more than the age of a block. */
const SKEW_WARN_MS = 2_000;
/** States older than this count as stale, and so would every state be. */
const SKEW_FAIL_MS = STREAMED.staleMs;
const SOCKET_WAIT_MS = 10_000;

const hostOf = (url: string): string => new URL(url).host;

/** The official network a URL belongs to; null for a simulator, a node of one's own, a proxy. */
export function networkOf(url: string): Network | null {
  const networks = Object.entries(NETWORKS) as [Network, { apiUrl: string }][];
  return networks.find(([, { apiUrl }]) => hostOf(apiUrl) === hostOf(url))?.[0] ?? null;
}

/** Whether both endpoints and `--network` mean the same network. */
export function endpointsFinding({
  network,
  apiUrl,
  wsUrl,
}: Pick<Context["options"], "network" | "apiUrl" | "wsUrl">): Finding {
  const meant = { api: networkOf(apiUrl), ws: networkOf(wsUrl) };
  const why = "accounts, order ids and trade ids of the two networks have nothing to do with each other";
  if (meant.api !== null && meant.ws !== null && meant.api !== meant.ws) {
    const says = `REST goes to ${meant.api} (${apiUrl}) and the stream to ${meant.ws} (${wsUrl})`;
    return fail("network", EXIT.usage, says, why, "give --network alone, without --api-url and --ws-url");
  }
  const other = [meant.api, meant.ws].find((name) => name !== null && name !== network);
  if (other) {
    const says = `--network is ${network}, the endpoint is of ${other} (${meant.api === other ? apiUrl : wsUrl})`;
    return fail("network", EXIT.usage, says, why, `--network ${other}, or leave out --api-url and --ws-url`);
  }
  if ((meant.api === null) !== (meant.ws === null)) {
    const says = `REST goes to ${apiUrl} and the stream to ${wsUrl}: one of them is not the venue's own`;
    const reason = "two sources that disagree look like lost messages, and are repaired against each other";
    return warn("network", says, reason, "give both --api-url and --ws-url of the same place, or neither");
  }
  const name = meant.api ?? "not the venue's own";
  return ok("network", `${name}: ${apiUrl}, ${wsUrl}`);
}

/** Asks for the venue's time. `reachable` says whether further requests make sense. */
export async function checkVenue(
  info: VenueInfo,
  apiUrl: string,
  priority: RequestPriority,
  signal: AbortSignal,
): Promise<{ reachable: boolean; findings: Finding[] }> {
  try {
    const { sentAtMs, receivedAtMs } = await info.request(INFO.exchangeStatus, {}, { priority, signal });
    const secured = apiUrl.startsWith("https:") ? " over TLS" : "";
    const says = `${hostOf(apiUrl)} answers${secured} in ${receivedAtMs - sentAtMs} ms`;
    const offset = info.clockOffset();
    return {
      reachable: true,
      findings: [ok("venue", says), ...(offset ? [clockFinding(offset, apiUrl)] : [])],
    };
  } catch (error) {
    signal.throwIfAborted();
    return { reachable: false, findings: [unreachableFinding(error, apiUrl)] };
  }
}

/** How to set the clock of this kind of machine. */
const SET_CLOCK: Partial<Record<NodeJS.Platform, string>> = {
  darwin: "sudo sntp -sS time.apple.com",
  win32: "w32tm /resync (as administrator)",
};

export function clockFinding({ offsetMs, uncertaintyMs }: ClockOffset, apiUrl: string): Finding {
  const skewMs = Math.max(0, Math.abs(offsetMs) - uncertaintyMs);
  const seconds = (Math.abs(offsetMs) / 1000).toFixed(1);
  const within = `± ${Math.ceil(uncertaintyMs)} ms`;
  if (skewMs < SKEW_WARN_MS) return ok("clock", `within ${seconds} s of the venue's (${within})`);
  const says = `this machine's clock is ${seconds} s ${offsetMs > 0 ? "behind" : "ahead of"} the venue's (${within})`;
  const why =
    "ages and lags are wrong by as much: live data counts as stale, and alerts are taken for old or missed";
  const node =
    networkOf(apiUrl) === null && offsetMs < 0 ? "; if it is right, the node at --api-url lags behind" : "";
  const fix = `${SET_CLOCK[process.platform] ?? "sudo timedatectl set-ntp true"}${node}`;
  return skewMs >= SKEW_FAIL_MS ? fail("clock", EXIT.usage, says, why, fix) : warn("clock", says, why, fix);
}

/** What stands behind `fetch failed`: the innermost error that carries a code. */
function causeCode(error: unknown): string {
  let code = "";
  for (let at = error; at instanceof Error; at = at.cause) {
    const inner = at instanceof AggregateError && at.errors[0] instanceof Error ? at.errors[0] : at;
    const own = (inner as { code?: unknown }).code;
    if (typeof own === "string" && own !== "TRANSPORT") code = own;
  }
  return code;
}

/** Node's `fetch` ignores these unless it is configured to use them. */
const PROXY_HINT =
  (process.env.HTTPS_PROXY || process.env.https_proxy) && !process.env.NODE_USE_ENV_PROXY
    ? "; HTTPS_PROXY is set, and Node heeds it only with NODE_USE_ENV_PROXY=1"
    : "";

function unreachableFinding(error: unknown, apiUrl: string): Finding {
  const host = hostOf(apiUrl);
  const message = errorText(error);
  const why = "without REST nothing can be read, proven or repaired";
  const failed = (says: string, fix: string) => fail("venue", EXIT.venue, says, why, `${fix}${PROXY_HINT}`);
  if (error instanceof RateLimitError) {
    const fix = "wait a minute; stop other clients on this address, or give each a share with --weight";
    return failed(`${host} refuses requests from this address for now (429)`, fix);
  }
  const code = causeCode(error);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return failed(`the name ${host} cannot be resolved (${code})`, "check --api-url and this machine's DNS");
  if (/CERT|SIGNATURE|SELF_SIGNED|ISSUER|TLS|SSL/.test(code)) {
    const fix =
      "check the clock; where a proxy opens TLS on purpose, name its certificate in NODE_EXTRA_CA_CERTS";
    return failed(`the certificate of ${host} is not trusted (${code})`, fix);
  }
  if (code === "ECONNREFUSED")
    return failed(`${host} refuses connections`, "check --api-url; is it running (hlsync simulate)?");
  const fix = `let this machine connect to ${host}; try: curl -sS -X POST ${apiUrl}/info -H 'content-type: application/json' -d '{"type":"exchangeStatus"}'`;
  return failed(message.includes(host) ? message : `${host}: ${message}`, fix);
}

interface SocketCheck {
  wsUrl: string;
  open: SocketFactory;
  clock: Clock;
  signal: AbortSignal;
}

/** Opens a WebSocket and waits for the answer to a ping. */
export function checkSocket({ wsUrl, open, clock, signal }: SocketCheck): Promise<Finding> {
  const host = hostOf(wsUrl);
  const startedAtMs = clock.now();
  return new Promise((resolve) => {
    let trouble = "";
    let isDone = false;
    const finish = (found: Finding) => {
      if (isDone) return;
      isDone = true;
      cancel();
      signal.removeEventListener("abort", onAbort);
      socket.terminate();
      resolve(found);
    };
    const failed = (says: string) => {
      const why = "without the stream hlsync only polls: changes are seen seconds to minutes late";
      const fix = `let this machine open ${wsUrl}; a proxy between must pass WebSocket upgrades${PROXY_HINT}`;
      finish(fail("socket", EXIT.venue, says, why, fix));
    };
    const onAbort = () => failed("stopped");
    const cancel = clock.after(SOCKET_WAIT_MS, () =>
      failed(`${host}: no answer on the WebSocket within ${SOCKET_WAIT_MS / 1000} s`),
    );
    signal.addEventListener("abort", onAbort);
    const socket = open(wsUrl, {
      onOpen: () => socket.send('{"method":"ping"}'),
      onMessage(text) {
        if (!text.includes('"pong"')) return;
        finish(ok("socket", `${host} answers on the WebSocket in ${clock.now() - startedAtMs} ms`));
      },
      onError(error) {
        trouble = error.message;
      },
      onClose: (code) => failed(`${host}: the WebSocket ended: ${trouble || `code ${code}`}`),
    });
  });
}
