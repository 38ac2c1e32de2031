/** A store that takes everything and keeps nothing: for what is tested without a database. */
import type { Store } from "../../src/sync/ports.ts";

export const emptyStore = (): Store => ({
  openAccount: async () => ({ sinceMs: null, doubtedMs: null, coverage: [], openOrders: [], positions: [] }),
  noteFollowed: async () => {},
  noteRead: async () => {},
  apply: async () => ({ events: [], written: {}, known: {} }),
  coverage: async () => [],
  countFillsAfter: async () => 0,
  fills: async () => [],
  funding: async () => [],
  ledger: async () => [],
  orderEvents: async () => [],
  orders: async () => [],
  doubt: async () => {},
  ordersKnownByFills: async () => [],
  latestMs: async () => null,
  followedAs: async () => ({ sinceMs: null, readSinceMs: null, pollMs: null, doubtedMs: null }),
  versions: async () => [],
  positions: async () => [],
  balances: async () => [],
  states: async () => [],
  quarantineOf: async () => [],
  latestDashboard: async () => null,
  moneyTie: async () => null,
  drawdownPct: async () => null,
});
