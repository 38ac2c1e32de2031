/**
 * The database held against the venue, row by row, and the proof of completeness. Reads only. Guarantees: compares
 * only what is old enough to be settled on both sides; a failed read is an error, never "no difference"; whatever the
 * venue sends that cannot be read is a finding; every finding names its row.
 */
import { INFO } from "../protocol/infoRequests.ts";
import type { Clock } from "../runtime/clock.ts";
import { MONEY_STREAMS } from "./completeness.ts";
import type { Interval } from "./coverage.ts";
import type { Store, VenueInfo } from "./ports.ts";
import type { Address } from "./rows.ts";
import { proveBlocks } from "./verify/blocks.ts";
import { add, type Certificate, emptyCertificate } from "./verify/certificate.ts";
import { proveChains } from "./verify/chains.ts";
import { findFutureRows, proveCoverage } from "./verify/claims.ts";
import type { DexList } from "./verify/dexList.ts";
import { compareHistories } from "./verify/histories.ts";
import { compareOrders } from "./verify/orders.ts";
import { compareParticulars } from "./verify/particulars.ts";
import { venuePresentMs } from "./verify/present.ts";
import { lookIntoQuarantine } from "./verify/quarantine.ts";
import { compareStates } from "./verify/states.ts";
import { ToCome } from "./verify/toCome.ts";
import { noteUnread, type Run, SETTLED_MS, witnessed } from "./verify/witness.ts";

interface VerifyDeps {
  account: Address;
  dexes: DexList;
  store: Store;
  info: VenueInfo;
  clock: Clock;
  signal: AbortSignal;
}

export async function verify({
  account,
  dexes,
  store,
  info,
  clock,
  signal,
}: VerifyDeps): Promise<Certificate> {
  const certificate = emptyCertificate(account, clock.now());
  const seen = { account, certificate, unread: new Set<string>(), dispensable: new Set<string>() };
  const asking = { ...seen, store, info: witnessed(info, seen), clock, signal };
  noteUnread(asking, INFO.perpDexs.type, dexes.unread);

  // In this order: where the first reading ends now, it is not open; and no honest claim lies beyond what the venue then says.
  const followed = await store.followedAs(account);
  const coverage = await store.coverage(account);
  const sinceMs = followed.sinceMs ?? 0;
  const venueTimeMs = await venuePresentMs(asking);
  const toMs = venueTimeMs - SETTLED_MS;
  const toCome = new ToCome(followed, coverage, toMs);
  certificate.isFirstReading = toCome.isOpen;
  const run: Run = { ...asking, toCome };

  const window = { fromMs: sinceMs, toMs };
  const histories = await compareHistories(run, window);
  const orders = await compareOrders(run, dexes.names, toMs);
  const live = await compareStates(run, dexes, {
    toMs: Math.max(0, ...coverage.map((row) => row.toMs)),
    pollMs: followed.pollMs,
  });
  await proveChains(run, histories.fills, coverage, live);
  proveBlocks(run, histories.fills, histories.ledger);
  // The younger of two answers: one that lags must not make the present the future.
  const presentMs = Math.max(venueTimeMs, live.venueTimeMs);
  proveCoverage(run, coverage, sinceMs, presentMs);
  nameUnproven(certificate, { fromMs: sinceMs, toMs: Math.max(sinceMs, presentMs) });
  await findFutureRows(run, orders, presentMs);
  await compareParticulars(run);
  await lookIntoQuarantine(run, { ...histories, orders }, window);
  certificate.money = await store.moneyTie(account);
  return certificate;
}

/** Where nothing is wanted yet there is no gap either, and nothing to compare: that proves nothing. */
function nameUnproven(certificate: Certificate, interval: Interval): void {
  for (const stream of MONEY_STREAMS) {
    const isJudged = certificate.counts.some(({ table }) => table === stream);
    if (certificate.provenToMs[stream] !== null || isJudged) continue;
    const detail = `nothing of ${stream} is proven yet: sync --once, then verify again`;
    const row = `${interval.fromMs}..${interval.toMs}`;
    add(certificate, { kind: "gap", table: stream, row, detail, interval });
  }
}
