/**
 * A venue and a database for `verify`, each a few lists that a test may bend. The venue answers through the real readers
 * of its requests; time passes only when somebody sleeps.
 */
import { ProtocolError } from "../../../src/errors.ts";
import { isRead, type Unread } from "../../../src/protocol/decode.ts";
import type { InfoRequest } from "../../../src/protocol/infoRequests.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { belongingsReadings, Particulars } from "../../../src/sync/account/particulars.ts";
import {
  balanceRows,
  fillRow,
  fundingUpdateRow,
  ledgerRow,
  type Origin,
  orderEventRow,
  positionRows,
  twapSliceFillRow,
} from "../../../src/sync/normalize.ts";
import type {
  QuarantinedMessage,
  Store,
  StoredOrder,
  StoredState,
  VenueInfo,
} from "../../../src/sync/ports.ts";
import type {
  BalanceRow,
  CoverageRow,
  DashboardRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  PositionRow,
} from "../../../src/sync/rows.ts";
import { isTable, type RowOf, type TableName } from "../../../src/sync/tables.ts";
import type { Certificate, FindingKind } from "../../../src/sync/verify/certificate.ts";
import { listDexes } from "../../../src/sync/verify/dexList.ts";
import { verify } from "../../../src/sync/verify.ts";
import * as wires from "../../support/wires.ts";
import { ACCOUNT } from "./rows.ts";

export const NOW = 1_795_820_000_000;
export const SINCE = NOW - 86_400_000;

export type Wire = Record<string, unknown>;

/** Newest fills that the venue serves; small, so that a test can go beyond it. */
export class FakeVenue {
  fills: Wire[] = [];
  twapFills: Wire[] = [];
  funding: Wire[] = [];
  ledger: Wire[] = [];
  /** Newest first. */
  historical: Wire[] = [];
  open: Record<string, Wire[]> = {};
  perps: Record<string, Wire> = { "": state() };
  spot: Wire = { balances: [] };
  dexs: unknown = [null];
  orders: Record<number, Wire> = {};
  /** Whole answers by request; an `Error` is thrown. */
  told: Record<string, unknown> = {};
  horizon = 10_000;
  time = NOW;
  asked: string[] = [];

  answer(type: string, params: Wire): unknown {
    this.asked.push(type);
    if (this.told[type] !== undefined) return this.told[type];
    const { startTime, endTime, dex, oid } = params as Record<string, number> & { dex?: string };
    const inside = (rows: Wire[]) => {
      const at = (row: Wire) => Number((row.fill as Wire | undefined)?.time ?? row.time);
      const served = [...rows].sort((a, b) => at(a) - at(b)).slice(-this.horizon);
      // What does not tell its time is served whatever is asked.
      return served.filter((row) => Number.isNaN(at(row)) || (at(row) >= startTime! && at(row) <= endTime!));
    };
    switch (type) {
      case "exchangeStatus":
        return { time: this.time, specialStatuses: null };
      case "perpDexs":
        return this.dexs;
      case "userFillsByTime":
        return inside(this.fills);
      case "userTwapSliceFillsByTime":
        return inside(this.twapFills).reverse();
      case "userFunding":
        return inside(this.funding);
      case "userNonFundingLedgerUpdates":
        return inside(this.ledger);
      case "historicalOrders":
        return this.historical;
      case "frontendOpenOrders":
        return this.open[dex ?? ""] ?? [];
      case "orderStatus":
        return this.orders[oid!] ?? { status: "unknownOid" };
      case "clearinghouseState":
        return this.perps[dex ?? ""] ?? state();
      case "spotClearinghouseState":
        return this.spot;
      case "userFees":
        return { userCrossRate: "0.00045", userAddRate: "0.00015" };
      case "userRateLimit":
        return { cumVlm: "1.0", nRequestsUsed: 10, nRequestsCap: 10_001 };
      case "delegatorSummary": {
        return { delegated: "0.0", undelegated: "0.0", totalPendingWithdrawal: "0.0" };
      }
      case "portfolio":
      case "twapHistory":
      case "delegations":
      case "delegatorRewards":
      case "extraAgents":
      case "userBorrowLendInterest":
      case "userVaultEquities":
        return [];
      default:
        throw new Error(`not asked before: ${type}`);
    }
  }
}

/** What the database holds. `matching` fills it with what a sync of the venue writes. */
export class FakeStore {
  fills: FillRow[] = [];
  funding: FundingRow[] = [];
  ledger: LedgerRow[] = [];
  orderEvents: OrderEventRow[] = [];
  orders: StoredOrder[] = [];
  positions: PositionRow[] = [];
  balances: BalanceRow[] = [];
  states: StoredState[] = [];
  versions: Partial<Record<TableName, object[]>> = {};
  coverage: CoverageRow[] = [];
  quarantine: QuarantinedMessage[] = [];
  /** By hash, as the database derives them. */
  blocks = new Map<string, number>();
  dashboard: DashboardRow | null = null;
  sinceMs: number | null = SINCE;
  readSinceMs: number | null = SINCE;
  pollMs: number | null = null;

  port(): Store {
    const between = <T extends { timeMs: number }>(rows: T[], fromMs: number, toMs: number) =>
      rows.filter(({ timeMs }) => timeMs >= fromMs && timeMs <= toMs);
    const inBlocks = <T extends { hash: string | null }>(rows: T[]) =>
      rows.map((row) => ({ ...row, blockNumber: this.blocks.get(row.hash ?? "") ?? null }));
    const port: Partial<Store> = {
      followedAs: async () => ({
        ...{ sinceMs: this.sinceMs, readSinceMs: this.readSinceMs, pollMs: this.pollMs, doubtedMs: null },
      }),
      coverage: async () => this.coverage,
      fills: async (_account, fromMs, toMs) => inBlocks(between(this.fills, fromMs, toMs)),
      funding: async (_account, fromMs, toMs) => between(this.funding, fromMs, toMs),
      ledger: async (_account, fromMs, toMs) => inBlocks(between(this.ledger, fromMs, toMs)),
      orderEvents: async (_account, ids) => this.orderEvents.filter(({ orderId }) => ids.includes(orderId)),
      orders: async () => this.orders,
      versions: async <T extends TableName>(name: T) => (this.versions[name] ?? []) as RowOf<T>[],
      positions: async () => this.positions,
      balances: async () => this.balances,
      states: async () => this.states,
      quarantineOf: async () => this.quarantine,
      latestDashboard: async () => this.dashboard,
      moneyTie: async () => null,
    };
    return port as Store;
  }
}

export class Rig {
  readonly venue = new FakeVenue();
  readonly store = new FakeStore();
  nowMs = NOW;
  /** Called when `verify` waits. */
  onSleep: () => void = () => {};

  readonly clock: Clock = {
    now: () => this.nowMs,
    sleep: async (ms) => {
      this.nowMs += ms;
      this.venue.time += ms;
      this.onSleep();
    },
    after: () => () => {},
  };

  readonly info: VenueInfo = {
    clockOffset: () => null,
    reserve: () => () => {},
    request: async <P, R>(request: InfoRequest<P, R>, params: P) => {
      const body = this.venue.answer(request.type, params as Wire);
      if (body instanceof Error) throw body;
      const result = request.read(body);
      if (isUnread(result))
        throw new ProtocolError(`${request.type}: does not fit: ${result.reason}`, result.raw);
      const at = { sentAtMs: this.nowMs, receivedAtMs: this.nowMs };
      return { result: result as Exclude<R, Unread>, ...at, weight: request.weight };
    },
  };

  /** Stores what the venue serves now, as a sync would, and proves all of it. */
  async sync(): Promise<this> {
    const { venue, store } = this;
    const origin: Origin = { account: ACCOUNT, source: "reconcile", seenAtMs: this.nowMs };
    const read = <T>(raw: T) => ({ value: raw as never, raw });
    store.fills = [
      ...venue.fills.map((row) => fillRow(origin, read(row))),
      ...venue.twapFills.map((row) => twapSliceFillRow(origin, read(row))),
    ];
    store.funding = venue.funding.map((row) => fundingUpdateRow(origin, read(row)));
    store.ledger = venue.ledger.map((row) => ledgerRow(origin, read(row)));
    store.orderEvents = venue.historical.map((row) => orderEventRow(origin, read(row)));
    store.orders = [...Map.groupBy(store.orderEvents, ({ orderId }) => orderId).values()].map(storedOrder);
    store.positions = Object.entries(venue.perps).flatMap(([dex, raw]) =>
      positionRows(ACCOUNT, dex, read(raw), this.nowMs),
    );
    store.balances = balanceRows(ACCOUNT, read(venue.spot), this.nowMs);
    store.states = [
      ...Object.entries(venue.perps).map(([dex, raw]) => ({
        kind: "perp" as const,
        dex,
        readAtMs: this.nowMs,
        asOfMs: Number(raw.time),
      })),
      { kind: "spot", dex: "", asOfMs: this.nowMs, readAtMs: this.nowMs },
    ];
    store.versions = {};
    const particulars = new Particulars(
      {
        ...{ account: ACCOUNT, info: this.info, clock: this.clock, log: silentLog },
        store: { latestMs: async () => null },
        venueTime: (atMs) => atMs,
        async commit(batch) {
          for (const [name, rows] of Object.entries(batch))
            if (isTable(name))
              store.versions[name] = [...(store.versions[name] ?? []), ...structuredClone(rows)];
        },
      },
      belongingsReadings(ACCOUNT),
    );
    await particulars.read({ priority: "niceToHave" });
    store.coverage = ["fills", "twapFills", "orders", "funding", "ledger"].map((stream) =>
      covered(stream as CoverageRow["stream"], "proven", SINCE, NOW - 2_000),
    );
    return this;
  }

  async verify(): Promise<Certificate> {
    const signal = new AbortController().signal;
    const dexes = await listDexes(this.info, signal);
    const { info, clock } = this;
    return verify({ account: ACCOUNT, dexes, store: this.store.port(), info, clock, signal });
  }

  /** `kind table row` of every finding. */
  async findings(): Promise<string[]> {
    return (await this.verify()).findings.map(({ kind, table, row }) => `${kind} ${table} ${row}`);
  }

  async kinds(): Promise<FindingKind[]> {
    return (await this.verify()).findings.map(({ kind }) => kind);
  }
}

const isUnread = (result: unknown): result is Unread =>
  !isRead(result as never) && "reason" in (result as object);

function storedOrder(events: OrderEventRow[]): StoredOrder {
  const { account, orderId, coin, venueStatus, size, statusTimeMs, placedAtMs } = events[0]!;
  const status = venueStatus === "filled" ? "filled" : venueStatus === "open" ? "open" : "canceled";
  return { account, orderId, coin, status, venueStatus, size, filled: "0", statusTimeMs, placedAtMs };
}

export const covered = (
  stream: CoverageRow["stream"],
  grade: CoverageRow["grade"],
  fromMs: number,
  toMs: number,
  reason: string | null = null,
): CoverageRow => ({ account: ACCOUNT, stream, grade, fromMs, toMs, reason });

export function state(positions: Wire[] = [], over: Wire = {}): Wire {
  const summary = { accountValue: "5000.0", totalNtlPos: "0.0", totalRawUsd: "0.0", totalMarginUsed: "0.0" };
  return {
    marginSummary: summary,
    crossMarginSummary: summary,
    withdrawable: "1.0",
    assetPositions: positions.map((position) => ({ type: "oneWay", position })),
    time: NOW,
    ...over,
  };
}

export const holding = (coin: string, szi: string, over: Wire = {}): Wire =>
  wires.position(coin, { szi, entryPx: "100.0", positionValue: "10.0", ...over }).position;

let ids = 0;
export const wireFill = (
  coin: string,
  side: "A" | "B",
  sz: string,
  startPosition: string,
  over: Wire = {},
): Wire => {
  ids += 1;
  return wires.fill({
    coin,
    px: "100.0",
    sz,
    side,
    time: NOW - 600_000 + ids,
    startPosition,
    oid: ids,
    tid: ids,
    ...over,
  });
};

export const wireFunding = (time: number, coin = "BTC"): Wire => ({
  time,
  hash: `0x${"0".repeat(64)}`,
  delta: { type: "funding", coin, usdc: "-0.5", szi: "0.1", fundingRate: "0.0000125", nSamples: null },
});

export const wireLedger = (time: number, usdc = "10.0"): Wire => ({
  time,
  hash: `0x${time.toString(16).padStart(64, "0")}`,
  delta: { type: "deposit", usdc },
});

export const wireOrder = (oid: number, over: Wire = {}): Wire =>
  wires.order({ sz: "1.0", origSz: "1.0", oid, timestamp: NOW - 500_000, cloid: null, ...over });

export const transition = (order: Wire, status: string, statusTimestamp: number): Wire => ({
  order,
  status,
  statusTimestamp,
});

/** An account with something in every table. */
export async function sound(): Promise<Rig> {
  const rig = new Rig();
  const { venue } = rig;
  venue.dexs = [null, { name: "xyz" }];
  venue.fills = [wireFill("BTC", "B", "0.1", "0.0"), wireFill("xyz:TSLA", "A", "3.0", "0.0")];
  venue.twapFills = [{ fill: wireFill("BTC", "B", "0.1", "0.1"), twapId: 7 }];
  venue.funding = [1, 2, 3].map((hour) => wireFunding(NOW - hour * 3_600_000));
  venue.ledger = [1, 2, 3].map((hour) => wireLedger(NOW - hour * 3_600_000));
  venue.historical = [
    transition(wireOrder(900, { sz: "0.0" }), "filled", NOW - 400_000),
    transition(wireOrder(901), "open", NOW - 500_000),
    transition(wireOrder(900), "open", NOW - 500_000),
  ];
  venue.open = { "": [wireOrder(901)] };
  venue.perps = { "": state([holding("BTC", "0.2")]), xyz: state([holding("xyz:TSLA", "-3.0")]) };
  venue.spot = { balances: [balance("USDC", "100.0"), balance("HYPE", "10.0"), balance("+9130", "25.0")] };
  return rig.sync();
}

export const balance = (coin: string, total: string, hold = "0.0") => ({
  coin,
  token: 1,
  total,
  hold,
  entryNtl: "0.0",
});
