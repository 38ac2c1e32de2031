/** What the stream of one account subscribes to: every channel of an account that brings something of its own. Pure. */
import { CHANNELS, type Subscription } from "../../protocol/channels.ts";
import { TRACKED_STREAMS, type TrackedStream } from "../rows.ts";

/** What they tell is in others, or is only for people. */
const LEFT_OUT: readonly string[] = ["notification", "userTwapHistory", "webData2"];

const FOLLOWED = CHANNELS.filter(({ scope, type }) => scope === "user" && !LEFT_OUT.includes(type));

/** Which subscription brings what happens in a history. */
const BROUGHT_BY: Readonly<Record<TrackedStream, string>> = {
  fills: "userFills",
  twapFills: "userTwapSliceFills",
  orders: "orderUpdates",
  funding: "userFundings",
  ledger: "userNonFundingLedgerUpdates",
};

/** The histories that a connection watches on which the venue refused subscriptions of these types. */
export const watchedStreams = (refused: ReadonlySet<string>): TrackedStream[] =>
  TRACKED_STREAMS.filter((stream) => !refused.has(BROUGHT_BY[stream]));

/** State channels, once per dex. The first dex is the venue's default: left out. */
export const dexSubscriptions = (user: string, dexes: readonly string[]): Subscription[] =>
  FOLLOWED.filter(({ perDex }) => perDex).flatMap(({ type }) =>
    dexes.map((dex) => (dex === "" ? { type, user } : { type, user, dex })),
  );

/** Every subscription of one account. */
export const accountSubscriptions = (user: string, dexes: readonly string[]): Subscription[] => [
  ...FOLLOWED.filter(({ perDex }) => !perDex).map(({ type }) => ({
    type,
    user,
    // Aggregated fills reuse one of their tids and carry averaged prices: never mixed with raw ones.
    ...(type === "userFills" && { aggregateByTime: false }),
  })),
  ...dexSubscriptions(user, dexes),
];
