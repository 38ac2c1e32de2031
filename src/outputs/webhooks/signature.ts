/**
 * Signatures of Standard Webhooks 1.0. Pure. Guarantees: what is made here verifies with any library of the standard.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac } from "node:crypto";
import { keyOf, type Secret } from "../delivery/secret.ts";

/** The three headers of a delivery; one signature per secret, so that a receiver may know the old or the new one. */
export function signedHeaders(
  id: string,
  body: string,
  nowMs: number,
  secrets: readonly Secret[],
): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signatures = secrets.flatMap((secret) => {
    const key = keyOf(secret);
    if (key === null) return [];
    const digest = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    return [`v1,${digest}`];
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    ...(signatures.length > 0 ? { "webhook-signature": signatures.join(" ") } : {}),
  };
}
