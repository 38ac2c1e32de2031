/**
 * Every rule of alerting by its name, in the order in which they are listed. The docs list exactly these (tested). A rule is
 * a file and a line here; a name that is none does not compile.
 */
import { dailyDigest } from "./dailyDigest.ts";
import { dailyLoss } from "./dailyLoss.ts";
import { databaseDown } from "./databaseDown.ts";
import { drawdown } from "./drawdown.ts";
import { drift } from "./drift.ts";
import { exposure } from "./exposure.ts";
import type { Facts, Happenings } from "./facts.ts";
import { feedStale } from "./feedStale.ts";
import { fundingCost } from "./fundingCost.ts";
import { fundingFlip } from "./fundingFlip.ts";
import { gap } from "./gap.ts";
import { healthScore } from "./healthScore.ts";
import { largeFill } from "./largeFill.ts";
import { leverage } from "./leverage.ts";
import { liquidation } from "./liquidation.ts";
import { liquidationDistance } from "./liquidationDistance.ts";
import { marginRatio } from "./marginRatio.ts";
import { orderRejected } from "./orderRejected.ts";
import { position } from "./position.ts";
import { requestsLeft } from "./requestsLeft.ts";
import type { ConditionModule, EventModule } from "./spec.ts";
import { stopMissing } from "./stopMissing.ts";
import { walletExpiry } from "./walletExpiry.ts";
import { webhookDisabled } from "./webhookDisabled.ts";
import { withdrawal } from "./withdrawal.ts";

export const RULES = {
  large_fill: largeFill,
  liquidation,
  liquidation_distance: liquidationDistance,
  margin_ratio: marginRatio,
  health_score: healthScore,
  drawdown,
  daily_loss: dailyLoss,
  order_rejected: orderRejected,
  withdrawal,
  feed_stale: feedStale,
  drift,
  gap,
  database_down: databaseDown,
  webhook_disabled: webhookDisabled,
  position,
  funding_cost: fundingCost,
  funding_flip: fundingFlip,
  stop_missing: stopMissing,
  exposure,
  leverage,
  wallet_expiry: walletExpiry,
  requests_left: requestsLeft,
  daily_digest: dailyDigest,
} as const;

export type ListedName = keyof typeof RULES;
/** `price`: the rules that the user makes. */
export type RuleName = ListedName | "price";

export const LISTED = Object.keys(RULES) as ListedName[];

const named = (kind: string, of: string) =>
  LISTED.filter((name) => RULES[name].kind === kind && RULES[name].of === of).map((name) => [
    name,
    RULES[name],
  ]);

/** The conditions that look at one kind of facts. */
export const conditionsOf = <Kind extends keyof Facts>(of: Kind) =>
  named("condition", of) as unknown as [ListedName, ConditionModule<Kind>][];

/** The events that come out of one kind of happening. */
export const eventsOf = <Kind extends keyof Happenings>(of: Kind) =>
  named("event", of) as unknown as [ListedName, EventModule<Kind>][];
