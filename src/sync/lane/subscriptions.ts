/** What the stream of one account subscribes to. Pure. */
import type { Subscription } from "../../protocol/channels.ts";

/** State channels, once per dex. The first dex is the venue's default: left out. */
export const dexSubscriptions = (user: string, dexes: readonly string[]): Subscription[] =>
  ["clearinghouseState", "openOrders"].flatMap((type) =>
    dexes.map((dex) => (dex === "" ? { type, user } : { type, user, dex })),
  );

/** Every subscription of one account. */
export function accountSubscriptions(user: string, dexes: readonly string[]): Subscription[] {
  return [
    { type: "orderUpdates", user },
    { type: "userEvents", user },
    // Aggregated fills reuse one of their tids and carry averaged prices: never mixed with raw ones.
    { type: "userFills", user, aggregateByTime: false },
    { type: "userHistoricalOrders", user },
    { type: "userTwapSliceFills", user },
    { type: "userFundings", user },
    { type: "userNonFundingLedgerUpdates", user },
    { type: "spotState", user },
    { type: "webData3", user },
    ...dexSubscriptions(user, dexes),
  ];
}
