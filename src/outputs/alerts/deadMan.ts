/**
 * The dead-man URL: someone outside who notices when the calls stop. Guarantees: a call that was not taken (anything but
 * 2xx) rejects, so that a wrong URL is heard of before it is needed; the URL, a secret, is in no error.
 */
import { ConfigError, DeliveryError } from "../../errors.ts";
import type { HttpSend } from "../delivery/httpSend.ts";
import { ATTEMPT_TIMEOUT_MS } from "../delivery/httpVerdict.ts";
import { Secret } from "../delivery/secret.ts";

/** Throws `ConfigError` for a text that is no URL. */
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
