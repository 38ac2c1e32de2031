/**
 * The dead-man URL: someone outside who notices when the calls stop. Guarantees: it is called while all is well, and one
 * call at a time; a call that was not taken (anything but 2xx) is in the log, so that a wrong URL is heard of before it is
 * needed; the URL, a secret, is in no error.
 */
import { ConfigError, DeliveryError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { HttpSend } from "../delivery/httpSend.ts";
import { ATTEMPT_TIMEOUT_MS } from "../delivery/httpVerdict.ts";
import { Secret } from "../delivery/secret.ts";

/** Throws `ConfigError` for a text that is no URL. The call rejects with `DeliveryError`. */
export function openDeadMan(text: string, http: HttpSend): () => Promise<void> {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new ConfigError("--dead-man-url (HLSYNC_DEAD_MAN_URL): expected a URL that starts with https://");
  }
  const url = new Secret(text);
  const request = { url, headers: {}, body: "", allowPrivate: true, timeoutMs: ATTEMPT_TIMEOUT_MS };
  return async () => {
    const { status } = await http.send(request);
    if (status < 200 || status >= 300) throw new DeliveryError(`${new URL(text).host} answered ${status}`);
  };
}

interface DeadManDeps {
  clock: Clock;
  log: Log;
  /** Null when there is none. */
  ping: (() => Promise<void>) | null;
  everyMs: number;
}

export class DeadMan {
  readonly #deps: DeadManDeps;
  #nextMs: number;
  #calling: Promise<void> = Promise.resolve();

  constructor(deps: DeadManDeps) {
    this.#deps = deps;
    this.#nextMs = deps.clock.now();
  }

  /** To be called every second. */
  check(isWell: () => boolean): void {
    const { clock, log, ping, everyMs } = this.#deps;
    const nowMs = clock.now();
    if (ping === null || nowMs < this.#nextMs || !isWell()) return;
    this.#nextMs = nowMs + everyMs;
    this.#calling = ping().catch((error: unknown) =>
      log.warn("a call of the dead-man URL failed", { error }),
    );
  }

  /** Resolves when no call is under way. */
  idle(): Promise<void> {
    return this.#calling;
  }
}
