/**
 * A store that keeps nothing beyond the process: `--no-db`, for the console. Guarantees the same joins and the same
 * events as the database, over a bounded past: the oldest fills and orders are forgotten at their limits, so a row
 * that comes again after that shows as new.
 */
import { eq } from "../runtime/decimal.ts";
import { fillKey } from "../sync/backfill.ts";
import { union } from "../sync/coverage.ts";
import type {
  Address,
  Batch,
  ChangeEvent,
  ChangeType,
  CoverageRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  PositionRow,
  Source,
} from "../sync/events.ts";
import {
  foldOrder,
  joinFills,
  joinOrderEvents,
  joinPositions,
  type OrderState,
  positionSide,
} from "../sync/merge.ts";
import type { Store } from "../sync/ports.ts";

const FILLS_MAX = 50_000;
const ORDERS_MAX = 20_000;
const ROWS_MAX = 20_000;

/** `limitPrice` → `limit_price`, for every key; the raw object stays out. */
const snakeCase = (row: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row)
      .filter(([key]) => key !== "raw")
      .map(([key, value]) => [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]),
  );

/** A map that forgets its oldest entry beyond `limit`. */
function remember<K, V>(map: Map<K, V>, key: K, value: V, limit: number): void {
  map.set(key, value);
  if (map.size > limit) map.delete(map.keys().next().value as K);
}

function cover(coverage: Memory["coverage"], row: CoverageRow): void {
  const key = `${row.account}|${row.stream}|${row.grade}`;
  const intervals = union(coverage.get(key) ?? [], [row]);
  coverage.set(
    key,
    intervals.map((interval) => ({ ...row, ...interval })),
  );
}

interface Memory {
  fills: Map<string, FillRow>;
  orders: Map<string, { events: Map<string, OrderEventRow>; state: OrderState | null }>;
  positions: Map<string, PositionRow>;
  funding: Map<string, FundingRow>;
  ledger: Map<string, LedgerRow>;
  /** By account, stream and grade: disjoint intervals. */
  coverage: Map<string, CoverageRow[]>;
}

export function createMemoryStore(): Store {
  const memory: Memory = {
    fills: new Map(),
    orders: new Map(),
    positions: new Map(),
    funding: new Map(),
    ledger: new Map(),
    coverage: new Map(),
  };
  let lastId = 0;
  const of = <T extends { account: Address }>(rows: Iterable<T>, account: Address): T[] =>
    [...rows].filter((row) => row.account === account);
  const between = <T extends { account: Address; timeMs: number }>(
    rows: Iterable<T>,
    account: Address,
    fromMs: number,
    toMs: number,
  ): T[] =>
    of(rows, account)
      .filter(({ timeMs }) => timeMs >= fromMs && timeMs <= toMs)
      .sort((a, b) => a.timeMs - b.timeMs);

  return {
    async openAccount() {
      return { sinceMs: null, coverage: [], openOrders: [], positions: [] };
    },
    async apply(batch) {
      const changes = applyTo(memory, batch);
      for (const row of batch.coverage ?? []) cover(memory.coverage, row);
      const written: Record<string, number> = {};
      for (const { table } of changes) written[table] = (written[table] ?? 0) + 1;
      return { events: changes.map(({ event }) => ({ ...event, id: String(++lastId) })), written, known: {} };
    },
    async coverage(account, stream) {
      return [...memory.coverage.values()]
        .flat()
        .filter((row) => row.account === account && row.stream === stream);
    },
    async countFillsAfter(account, timeMs, twap) {
      return of(memory.fills.values(), account).filter(
        (fill) => fill.timeMs > timeMs && (fill.twapId !== null) === twap,
      ).length;
    },
    async fills(account, fromMs, toMs) {
      return between(memory.fills.values(), account, fromMs, toMs);
    },
    async funding(account, fromMs, toMs) {
      return between(memory.funding.values(), account, fromMs, toMs);
    },
    async ledger(account, fromMs, toMs) {
      return between(memory.ledger.values(), account, fromMs, toMs);
    },
    async orderEvents(account, orderIds) {
      return orderIds.flatMap((id) => [...(memory.orders.get(`${account}|${id}`)?.events.values() ?? [])]);
    },
    async orders(account) {
      return [...memory.orders.values()].flatMap(({ state }) => (state?.account === account ? [state] : []));
    },
    async ordersKnownByFills(account, fromMs, toMs, belowId, limit) {
      const ids = between(memory.fills.values(), account, fromMs, toMs)
        .map(({ orderId }) => orderId)
        .filter((orderId) => orderId < belowId && !memory.orders.has(`${account}|${orderId}`));
      return [...new Set(ids)].sort((a, b) => b - a).slice(0, limit);
    },
    // There is no history that could be in doubt.
    async doubt() {},
    async positions(account) {
      return of(memory.positions.values(), account);
    },
    async noteFollowed() {},
    async followedAs() {
      return { sinceMs: null, pollMs: null };
    },
    async balances() {
      return [];
    },
    async states() {
      return [];
    },
    async quarantineOf() {
      return [];
    },
    async latestDashboard() {
      return null;
    },
    async moneyTie() {
      return null;
    },
    async drawdownPct() {
      return null;
    },
  };
}

type Change = { table: string; event: Omit<ChangeEvent, "id"> };

function applyTo(memory: Memory, batch: Batch): Change[] {
  const changes: Change[] = [];
  const changed = (
    table: string,
    type: ChangeType,
    key: string,
    row: { account: string; source?: Source },
    timeMs: number,
    data: object,
  ) =>
    changes.push({
      table,
      event: {
        type,
        key,
        account: row.account,
        timeMs,
        source: row.source ?? "stream",
        data: snakeCase(data),
      },
    });

  const touched = new Set<string>();
  for (const row of batch.fills ?? []) {
    const key = fillKey(row);
    const known = memory.fills.get(key);
    remember(memory.fills, key, known ? joinFills(known, row) : row, FILLS_MAX);
    touched.add(`${row.account}|${row.orderId}`);
    if (!known) changed("hl_fills", "fill.created", `fill:${key}`, row, row.timeMs, row);
  }
  for (const row of batch.orderEvents ?? []) {
    const key = `${row.account}|${row.orderId}`;
    const order = memory.orders.get(key) ?? { events: new Map(), state: null };
    const transition = `${row.statusTimeMs}|${row.venueStatus}`;
    const known = order.events.get(transition);
    order.events.set(transition, known ? joinOrderEvents(known, row) : row);
    remember(memory.orders, key, order, ORDERS_MAX);
    touched.add(key);
  }
  const fillsByOrder = groupFills(memory, touched);
  for (const key of touched) {
    const order = memory.orders.get(key);
    if (!order) continue;
    const before = order.state;
    const state = foldOrder([...order.events.values()], fillsByOrder.get(key) ?? []);
    order.state = state;
    if (!state || (before && before.venueStatus === state.venueStatus && eq(before.filled, state.filled)))
      continue;
    changed("hl_orders", "order.updated", `order:${key}`, state, state.statusTimeMs, state);
  }
  for (const row of batch.positions ?? []) {
    const key = `${row.account}|${row.dex}|${row.coin}`;
    const known = memory.positions.get(key);
    const joined = known ? joinPositions(known, row) : row;
    memory.positions.set(key, joined);
    if (known && eq(known.szi, joined.szi)) continue;
    const data = { ...joined, side: positionSide(joined.szi), size: joined.szi.replace("-", "") };
    changed("hl_positions", "position.updated", `position:${key}`, joined, joined.asOfMs, data);
  }
  for (const row of batch.funding ?? []) {
    const key = `${row.account}|${row.coin}|${row.timeMs}`;
    if (!memory.funding.has(key))
      changed("hl_funding", "funding.created", `funding:${key}`, row, row.timeMs, row);
    remember(memory.funding, key, row, ROWS_MAX);
  }
  for (const row of batch.ledger ?? []) {
    const key = `${row.account}|${row.timeMs}|${row.hash}|${row.type}|${row.digest}`;
    if (!memory.ledger.has(key))
      changed("hl_ledger", "ledger.created", `ledger:${key}`, row, row.timeMs, row);
    remember(memory.ledger, key, row, ROWS_MAX);
  }
  for (const row of batch.drift ?? []) {
    changed(
      "drift",
      "drift.found",
      `drift:${row.account}|${row.cause}|${row.foundAtMs}`,
      row,
      row.foundAtMs,
      row,
    );
  }
  return changes;
}

function groupFills(memory: Memory, orders: ReadonlySet<string>): Map<string, FillRow[]> {
  const groups = new Map<string, FillRow[]>();
  for (const fill of memory.fills.values()) {
    const key = `${fill.account}|${fill.orderId}`;
    if (!orders.has(key)) continue;
    const group = groups.get(key);
    if (group) group.push(fill);
    else groups.set(key, [fill]);
  }
  return groups;
}
