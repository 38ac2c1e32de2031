/**
 * Secrets: addresses, passwords and signing keys. Guarantees: a `Secret` shows itself only to `reveal()`, so it cannot
 * reach a log, an error or JSON by accident.
 */
import { randomBytes } from "node:crypto";

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

const SIGNING_PREFIX = "whsec_";
/** The Standard Webhooks ask for 24 to 64. */
const SIGNING_BYTES = 32;

/** A new signing secret. */
export const newSecret = (): Secret =>
  new Secret(SIGNING_PREFIX + randomBytes(SIGNING_BYTES).toString("base64"));

/** The key inside `whsec_<base64>`, or null when that is not one. */
export function keyOf(secret: Secret): Buffer | null {
  const text = secret.reveal();
  const base64 = text.startsWith(SIGNING_PREFIX) ? text.slice(SIGNING_PREFIX.length) : "";
  const key = Buffer.from(base64, "base64");
  return key.length >= 16 && /^[A-Za-z0-9+/]+=*$/.test(base64) ? key : null;
}

export const isSecret = (text: string): boolean => keyOf(new Secret(text)) !== null;
