/**
 * Does the REST budget suffice for the accounts that are to be followed? Pure arithmetic on the request table: what one
 * reconcile of an account costs, how often it is due, and what is left for accounts beyond the stream's limit.
 */
import { INFO } from "../../protocol/infoRequests.ts";
import { HORIZON, LIMITS } from "../../protocol/limits.ts";
import { LANE_DEFAULTS } from "../../sync/lane/lane.ts";
import { WINDOW_STREAMS } from "../../sync/windowReader.ts";
import type { Context } from "../command.ts";
import { marketChoice } from "../compose.ts";
import { type Finding, ok, warn } from "./finding.ts";

/** Reconciles spend at most this part, so that heals always find room (connection/rateLimiter.ts). */
const RECONCILE_SHARE = 0.9;

/** Most that one reconcile of a usual account costs: one dex in use, a full list of orders, few rows elsewhere. */
const RECONCILE_WEIGHT =
  INFO.exchangeStatus.weight +
  WINDOW_STREAMS.length * INFO.userFillsByTime.weight +
  INFO.frontendOpenOrders.weight +
  (INFO.historicalOrders.weight + HORIZON.orders / INFO.historicalOrders.itemsPerWeight!) +
  INFO.clearinghouseState.weight +
  INFO.spotClearinghouseState.weight;

export function budgetFinding({
  account,
  weight,
  interval,
  ...market
}: Pick<Context["options"], "account" | "markets" | "streams" | "weight" | "interval">): Finding {
  const streamedMax = Math.min(LIMITS.users, LIMITS.connections - (marketChoice(market) ? 1 : 0));
  const streamed = Math.min(account.length, streamedMax);
  const polled = account.length - streamed;
  const spare = weight * RECONCILE_SHARE;
  const needed = Math.round((streamed * RECONCILE_WEIGHT * 60_000) / interval);
  const arithmetic = `${streamed} streamed account${streamed === 1 ? "" : "s"}, reconciled every ${interval / 1000} s, need up to ${needed} of ${weight} a minute`;
  if (needed > spare) {
    const least = Math.ceil((streamed * RECONCILE_WEIGHT * 60) / spare);
    const why = "reconciles would be late; live data and heals come first and are not touched by it";
    return warn("budget", arithmetic, why, `--interval ${least}`);
  }
  if (polled === 0) return ok("budget", arithmetic);
  const roundMs = Math.max(
    LANE_DEFAULTS.pollMs,
    (polled * RECONCILE_WEIGHT * 60_000) / Math.max(1, spare - needed),
  );
  return warn(
    "budget",
    `${polled} of ${account.length} accounts are polled, each about every ${Math.round(roundMs / 1000)} s`,
    `the venue streams at most ${LIMITS.users} accounts and ${LIMITS.connections} connections to one address`,
    "follow the rest with a second hlsync behind another IP address, into the same database",
  );
}
