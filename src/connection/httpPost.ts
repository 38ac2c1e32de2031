/**
 * `HttpPost` over the platform's `fetch`, which keeps connections alive. Guarantees: resolves only with a whole body of
 * at most `maxBodyBytes`; a longer one is cut off and rejected. Redirects are errors: the venue has none.
 */
import { TransportError } from "../errors.ts";
import type { HttpPost } from "../runtime/net.ts";

/**
 * Some sixteen times the largest answer seen (2000 fills: 0.7 MB; `webData2`: 1 MB). With no more values than `readMessage`
 * takes, one of this size blocks everything else for one and a half seconds at worst (400 000 names): a signal is still
 * heard in time.
 */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

export function createHttpPost(maxBodyBytes = MAX_BODY_BYTES): HttpPost {
  return async (url, bodyText, signal) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: bodyText,
      redirect: "error",
      ...(signal && { signal }),
    });
    return { status: response.status, text: await readText(response, maxBodyBytes) };
  };
}

async function readText(response: Response, maxBodyBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    // Leaving the loop cancels the body, and with it the transfer.
    if (bytes > maxBodyBytes) throw new TransportError(`the answer is longer than ${maxBodyBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
