/**
 * What is not known of the venue (§9 of the facts) or differs between deployments, as switches with the most likely
 * answer as default.
 */
export interface Switches {
  /** Trades against oneself happen (two rows, one tid), or the resting order is canceled as `selfTradeCanceled`. */
  selfTrades: "trade" | "cancelResting";
  /** §9.1: also send `open` with the smaller size when a resting order is partly filled. */
  partialFillUpdates: boolean;
  /** §9.8: rows per page of `userNonFundingLedgerUpdates`. */
  ledgerPageSize: number;
  /** §9.6: `clearinghouseState.time` is the block of the state (true) or this many ms stale. */
  stateTimeLagMs: number;
  /** Order of `userTwapSliceFillsByTime`. */
  twapByTimeOrder: "newestFirst" | "oldestFirst";
  /** Fills reachable by `userFillsByTime`. */
  fillRetention: number;
  /** `filled` rows keep the original size, as some history rows did (JK#46). */
  filledRowsKeepSize: boolean;
  /** Simulated traders send private events and keep histories too; costs memory. */
  observeTraders: boolean;
  /** Rows kept per list and account, at least `fillRetention`; null keeps the whole truth, which only grows. */
  historyLimit: number | null;
  /** Refuse actions of an address that sent more requests than its volume allows. */
  addressLimits: boolean;
  /** From a withdrawal out of the staking account to its arrival in spot. */
  unstakeMs: number;
  /** `userAbstraction` of everybody who did not choose. */
  defaultAbstraction: "default" | "unifiedAccount" | "disabled";
}

export const DEFAULT_SWITCHES: Switches = {
  selfTrades: "trade",
  partialFillUpdates: false,
  ledgerPageSize: 2000,
  stateTimeLagMs: 0,
  twapByTimeOrder: "newestFirst",
  fillRetention: 10_000,
  filledRowsKeepSize: false,
  observeTraders: false,
  historyLimit: null,
  addressLimits: true,
  unstakeMs: 7 * 86_400_000,
  defaultAbstraction: "default",
};
