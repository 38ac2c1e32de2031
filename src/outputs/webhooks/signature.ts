/**
 * Standard Webhooks 1.0: ids, secrets, signatures. Guarantees: what is made here verifies with any library of the
 * standard; a `Secret` shows itself only to `reveal()`, so it cannot reach a log, an error or JSON by accident.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHash, createHmac, randomBytes } from "node:crypto";

const SECRET_PREFIX = "whsec_";
/** The standard asks for 24 to 64. */
const SECRET_BYTES = 32;

export class Secret {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  reveal(): string {
    return this.#text;
  }
  toString(): string {
    return "***";
  }
  toJSON(): string {
    return "***";
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "***";
  }
}

export const newSecret = (): Secret =>
  new Secret(SECRET_PREFIX + randomBytes(SECRET_BYTES).toString("base64"));

/** The key inside `whsec_<base64>`, or null when that is not one. */
function keyOf(secret: Secret): Buffer | null {
  const text = secret.reveal();
  const base64 = text.startsWith(SECRET_PREFIX) ? text.slice(SECRET_PREFIX.length) : "";
  const key = Buffer.from(base64, "base64");
  return key.length >= 16 && /^[A-Za-z0-9+/]+=*$/.test(base64) ? key : null;
}

export const isSecret = (text: string): boolean => keyOf(new Secret(text)) !== null;

/** The `webhook-id` of an event: the same for every attempt, source and process. */
export const webhookId = (eventKey: string): string =>
  `msg_${createHash("sha256").update(eventKey).digest("hex").slice(0, 32)}`;

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
