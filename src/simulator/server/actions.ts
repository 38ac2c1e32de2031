/**
 * `/exchange`: whose action it is and whether it may still be executed; what it does is the model's business.
 * Guarantees: an action reaches the model only with a recovered signer that may act for the account and an unused nonce
 * inside the window. Logical refusals are HTTP 200 with `status: "err"`.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/nonces-and-api-wallets
 */

import { isAddress } from "../../protocol/address.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Answer, JsonObject, Venue } from "../contract.ts";
import { isObject } from "../exchange/requestBody.ts";
import {
  type AgentSource,
  isUserSigned,
  type L1Envelope,
  recoverL1Signer,
  recoverUserSigner,
  type Signature,
} from "../signing.ts";
import type { Switches } from "./switches.ts";

export const UNREADABLE: Answer = {
  status: 422,
  body: "Failed to deserialize the JSON body into the target type",
};

/** Nonces kept per signer; a new one must exceed the smallest of them. */
const KEPT_NONCES = 100;
/** A nonce must lie in (now − 2 days, now + 1 day). */
const NONCE_PAST_MS = 2 * 86_400_000;
const NONCE_FUTURE_MS = 86_400_000;
/** Signers whose nonces are kept; beyond it the one unused for longest is forgotten. */
const MAX_SIGNERS = 10_000;

/** Actions the venue knows that change nothing the model has; some SDKs send them by themselves. */
const WITHOUT_EFFECT: readonly string[] = [
  "setReferrer",
  "registerReferrer",
  "setDisplayName",
  "claimRewards",
  "evmUserModify",
  "spotUser",
];

const refused = (response: string): Answer => ({ status: 200, body: { status: "err", response } });

export interface Actions {
  execute(body: unknown): Answer;
}

export function createActions(venue: Venue, clock: Clock, switches: Switches): Actions {
  const nonces = new Nonces();

  const recover = (envelope: L1Envelope, signature: Signature): string | null => {
    const { action } = envelope;
    if (isUserSigned(String(action.type))) return recoverUserSigner(action, signature);
    const sources: AgentSource[] =
      switches.network === "any" ? ["a", "b"] : [switches.network === "mainnet" ? "a" : "b"];
    const signers = sources.map((source) => recoverL1Signer(envelope, signature, source));
    // With `any`, the network is the one under which the signer is known.
    return signers.find((signer) => signer !== null && venue.actsFor(signer) !== null) ?? signers[0] ?? null;
  };

  return {
    execute(body) {
      const request = readEnvelope(body);
      if (request === null) return UNREADABLE;
      const { envelope, signature } = request;
      const { action, nonce, vaultAddress, expiresAfter } = envelope;
      const signer = recover(envelope, signature);
      if (signer === null) return refused("Unable to recover signer.");
      const account = venue.actsFor(signer);
      if (isUserSigned(String(action.type))) {
        // Money and agents move by the account's own key only.
        if (account !== signer) return refused(`Must deposit before performing actions. User: ${signer}`);
      } else if (account === null) {
        return refused(`User or API Wallet ${signer} does not exist.`);
      }
      const now = clock.now();
      const badNonce = nonces.take(signer, nonce, now);
      if (badNonce !== null) return refused(badNonce);
      if (WITHOUT_EFFECT.includes(String(action.type))) {
        return { status: 200, body: { status: "ok", response: { type: "default" } } };
      }
      // The client's clock and the model's may differ: what counts is how far ahead a time lies.
      const toModel = (timeMs: number) => timeMs - now + venue.nowMs;
      const stillGoodUntil = expiresAfter === null ? null : toModel(expiresAfter);
      const meant = inModelTime(action, toModel);
      return venue.execute(account, meant, { nonce, vaultAddress, expiresAfter: stillGoodUntil });
    },
  };
}

/** The action with the times a client named in it as the model counts them. */
function inModelTime(action: JsonObject, toModel: (timeMs: number) => number): JsonObject {
  if (action.type === "scheduleCancel" && typeof action.time === "number") {
    return { ...action, time: toModel(action.time) };
  }
  if (action.type === "approveAgent" && typeof action.agentName === "string") {
    const agentName = action.agentName.replace(
      / valid_until (\d+)$/,
      (_, timeMs: string) => ` valid_until ${toModel(Number(timeMs))}`,
    );
    return { ...action, agentName };
  }
  return action;
}

const HEX = /^0x[0-9a-f]{1,64}$/i;
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Null when the body is not what the venue deserialises. */
function readEnvelope(body: unknown): { envelope: L1Envelope; signature: Signature } | null {
  if (!isObject(body)) return null;
  const { action, nonce, signature, vaultAddress = null, expiresAfter = null } = body;
  if (!isObject(action) || typeof action.type !== "string" || !isTime(nonce) || !isObject(signature))
    return null;
  const { r, s, v } = signature;
  if (typeof r !== "string" || !HEX.test(r) || typeof s !== "string" || !HEX.test(s)) return null;
  if (typeof v !== "number") return null;
  if (vaultAddress !== null && !(typeof vaultAddress === "string" && isAddress(vaultAddress))) return null;
  if (expiresAfter !== null && !isTime(expiresAfter)) return null;
  return {
    envelope: { action, nonce, vaultAddress: vaultAddress?.toLowerCase() ?? null, expiresAfter },
    signature: { r, s, v },
  };
}

class Nonces {
  /** Ascending, per signer; the signer used last is last. */
  #kept = new Map<string, number[]>();

  /** Why the nonce is refused, or null when it is taken. */
  take(signer: string, nonce: number, nowMs: number): string | null {
    if (nonce <= nowMs - NONCE_PAST_MS || nonce >= nowMs + NONCE_FUTURE_MS) {
      return `Invalid nonce: nonce ${nonce} is out of range, now is ${nowMs}`;
    }
    const kept = this.#kept.get(signer) ?? [];
    if (kept.includes(nonce)) return `Invalid nonce: duplicate nonce ${nonce}`;
    if (kept.length >= KEPT_NONCES && nonce < kept[0]!) {
      return `Invalid nonce: nonce ${nonce} too low, lowest kept is ${kept[0]}`;
    }
    kept.splice(kept.findLastIndex((other) => other < nonce) + 1, 0, nonce);
    if (kept.length > KEPT_NONCES) kept.shift();
    this.#kept.delete(signer);
    this.#kept.set(signer, kept);
    if (this.#kept.size > MAX_SIGNERS) this.#kept.delete(this.#kept.keys().next().value!);
    return null;
  }
}
