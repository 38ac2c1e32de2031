/**
 * Account snapshots as hlsync makes them, of a venue model whose time stands still: all parts are of one moment, prices
 * included. Through the same requests, schemas and sums as the program; only clocks and waiting are left out.
 */
import assert from "node:assert/strict";
import { INFO, type InfoRequest } from "../../src/protocol/infoRequests.ts";
import { add, sum } from "../../src/runtime/decimal.ts";
import type { SimulatedVenue } from "../../src/simulator/exchange/venue.ts";
import { VirtualClock } from "../../src/simulator/virtualWorld.ts";
import { accountMode, dashboardRow } from "../../src/sync/accountSnapshot.ts";
import { heldTokens, netWorthOf } from "../../src/sync/netWorth.ts";
import type { VenueInfo } from "../../src/sync/ports.ts";
import { Prices } from "../../src/sync/prices.ts";
import type { DashboardRow } from "../../src/sync/rows.ts";

/** The venue as `sync` sees it, answering at once. */
export function infoOf(venue: SimulatedVenue): VenueInfo {
  return {
    async request<P extends object, R>(request: InfoRequest<P, R>, params: P) {
      const { status, body } = venue.info({ type: request.type, ...params } as never);
      assert.equal(status, 200, request.type);
      const result = request.read(body) as R;
      return { result, sentAtMs: venue.nowMs, receivedAtMs: venue.nowMs, weight: request.weight };
    },
    clockOffset: () => null,
    reserve: () => () => {},
  } as VenueInfo;
}

export async function snapshotOf(venue: SimulatedVenue, user: string): Promise<DashboardRow> {
  const info = infoOf(venue);
  const options = { priority: "reconcile" } as const;
  const ask = async <P extends object, R>(request: InfoRequest<P, R>, params: P) =>
    (await info.request(request as never, params as never, options)).result as R;
  const dexes = (await ask(INFO.perpDexs, {})).value.map((dex) => dex?.name ?? "");
  const perps = new Map();
  for (const dex of dexes) perps.set(dex, (await ask(INFO.clearinghouseState, { user, dex })).value);
  const spot = (await ask(INFO.spotClearinghouseState, { user })).value;
  const mode = accountMode((await ask(INFO.userAbstraction, { user })).value, spot);
  const vaults = sum((await ask(INFO.userVaultEquities, { user })).rows.map(({ value }) => value.equity));
  const summary = (await ask(INFO.delegatorSummary, { user })).value;
  const stake = add(add(summary.delegated, summary.undelegated), summary.totalPendingWithdrawal);
  const prices = new Prices({ info, clock: new VirtualClock(venue.nowMs) });
  await prices.learn([...heldTokens(spot), { coin: "HYPE" }], options, async () =>
    assert.fail("all can be read"),
  );
  const now = { fromMs: venue.nowMs, toMs: venue.nowMs };
  const states = { account: user, asOfMs: venue.nowMs, mode, perps, spot, dexesInUse: new Set(dexes) };
  const worth = netWorthOf({
    ...states,
    spotRead: now,
    vaults: { amount: vaults, ...now },
    stake: { amount: stake, ...now },
    priceOf: (token) => prices.of(token),
    isModeKnown: true,
    areFlowsKnown: true,
  });
  return {
    ...dashboardRow(states),
    netWorth: worth.value,
    netWorthReason: worth.reason,
    netWorthParts: worth.parts,
  };
}
