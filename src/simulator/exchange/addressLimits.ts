/**
 * How many actions an address may send (§4): 10 000 and one per dollar traded; cancels have more room; a batch counts
 * its length; beyond the limit one request every ten seconds gets through.
 */
import type { JsonObject } from "../contract.ts";
import type { Account } from "./account.ts";
import { formatScaled, TEN, units } from "./fixed.ts";

const INITIAL_REQUESTS = 10_000;
const GRACE_MS = 10_000;

export const tradedVolume = (account: Account): bigint => account.volume.cross + account.volume.add;

export const requestCap = (account: Account): number =>
  INITIAL_REQUESTS + account.reservedRequests + Number(tradedVolume(account) / units(1));

const cancelCap = (cap: number): number => Math.min(cap + 100_000, 2 * cap);

function batchLength(action: JsonObject): number {
  const batch = action.orders ?? action.cancels ?? action.modifies;
  return Array.isArray(batch) ? Math.max(1, batch.length) : 1;
}

/** An action that came too late does nothing and costs five times as much. */
export function chargeStale(account: Account, action: JsonObject): void {
  account.requests += 5 * batchLength(action);
}

/** Counts the action; the venue's refusal when it is one too many. */
export function countRequest(account: Account, action: JsonObject, nowMs: number): string | null {
  // Buying more requests must be possible when there are none left.
  if (action.type === "reserveRequestWeight") return null;
  const count = batchLength(action);
  const cap = requestCap(account);
  const isCancel = action.type === "cancel" || action.type === "cancelByCloid";
  if (account.requests + count > (isCancel ? cancelCap(cap) : cap)) {
    if (nowMs - account.lastRequestOverMs < GRACE_MS) {
      const cents = tradedVolume(account) / (TEN[6] as bigint);
      const volume = formatScaled(cents, 2).replace(/\.(\d)$/, ".$10");
      return (
        `Too many cumulative requests sent (${account.requests + count} > ${cap}) for cumulative volume traded ` +
        `$${volume}. Place taker orders to free up 1 request per USDC traded.`
      );
    }
    account.lastRequestOverMs = nowMs;
  }
  account.requests += count;
  return null;
}
