/**
 * What the page knows, in one object, and how a change alters it. Guarantees: a row is known once, by its identity, however
 * often it comes; lists stay newest first; a list that was never read is not begun by a change (it would look complete).
 */

import { isOpenStatus } from "../../src/sync/orderStatus.ts";

/** A row of the API; each table has its own columns. Decimals are strings. */
// biome-ignore lint/suspicious/noExplicitAny: the columns are those of SQL, which a test holds the page against
export type Row = Record<string, any>;

export interface List {
  /** Newest first. */
  rows: Row[];
  loaded: "no" | "loading" | "yes";

  /** Whether the server has older rows. */
  more: boolean;

  /** Rows that the server has; null when it did not say. */
  total: number | null;
  error: string | null;
}

/** Rows of one history that are kept; older ones stay on the server, and the table says so. */
export const ROWS_MAX = 50_000;

/** Histories: where they are read, what tells their rows apart, and their time. */
export const LISTS = {
  fills: {
    path: "/api/fills",
    time: "fill_time_ms",
    key: (r: Row) => `${r.coin}:${r.fill_time_ms}:${r.order_id}:${r.trade_id}:${r.side}`,
  },
  orderHistory: {
    path: "/api/orders/history",
    time: "status_time_ms",
    key: (r: Row) => String(r.order_id),
  },
  funding: {
    path: "/api/funding",
    time: "funding_time_ms",
    key: (r: Row) => `${r.coin}:${r.funding_time_ms}`,
  },
  ledger: {
    path: "/api/ledger",
    time: "ledger_time_ms",
    key: (r: Row) => `${r.ledger_time_ms}:${r.hash}:${r.type}:${r.digest}`,
  },
  drift: {
    path: "/api/drift",
    time: "found_at_ms",
    key: (r: Row) => `${r.stream}:${r.cause}:${r.found_at_ms}:${JSON.stringify(r.detail)}`,
  },
  alerts: {
    path: "/api/alerts",
    time: "updated_ms",
    key: (r: Row) => String(r.id),
  },
  deliveries: {
    path: "/api/deliveries",
    time: "last_attempt_ms",
    key: (r: Row) => `${r.endpoint_id}:${r.webhook_id}`,
  },
};
export type ListName = keyof typeof LISTS;

export const emptyList = (): List => ({ rows: [], loaded: "no", more: false, total: null, error: null });

/** Names of markets by coin: rows that come as changes do not tell them. */
const marketNames = new Map<string, string>();

export function learnMarkets(rows: Row[]) {
  for (const { coin, name } of rows) if (coin && name) marketNames.set(coin, name);
}

/** What a market is called: `HYPE/USDC` for `@107`; its coin where no row told it. */
export const marketName = (coin: string): string => marketNames.get(coin) ?? coin;

/** Whether older rows can still be read. */
export const canGrow = (list: List) => list.more && list.rows.length < ROWS_MAX;

export const createModel = () => ({
  account: null as string | null,
  /** Whether all accounts are looked at together. */
  isAll: false,
  status: null as Row | null,
  overview: null as Row | null,
  positions: [] as Row[],
  balances: [] as Row[],
  openOrders: [] as Row[],
  lists: Object.fromEntries(Object.keys(LISTS).map((name) => [name, emptyList()])) as Record<ListName, List>,
  /** Alerts that fire, of all accounts. */
  firing: 0,
  /** Whether state was read at all. */
  ready: false,
  /** The event stream: `connecting` before the first frame, `away` when none comes any more. */
  link: "connecting" as "connecting" | "live" | "away",
  /** Browser time of the last frame. */
  heardMs: 0,
  /** Server clock minus the browser's. */
  offsetMs: 0,
  refused: null as string | null,
  /** Grows with every change of what a view shows. */
  revision: 0,
});
export type Model = ReturnType<typeof createModel>;

/** Puts rows into a list, each once. */
export function putRows(list: List, name: ListName, rows: Row[]) {
  const { key, time } = LISTS[name];
  learnMarkets(rows);
  const known = new Map(list.rows.map((row) => [key(row), row]));
  for (const row of rows) known.set(key(row), { ...known.get(key(row)), ...row });
  list.rows = [...known.values()].sort((a, b) => b[time] - a[time]);
  cut(list);
}

/** The oldest go: the server has them. */
function cut(list: List) {
  if (list.rows.length <= ROWS_MAX) return;
  list.rows = list.rows.slice(0, ROWS_MAX);
  list.more = true;
}

/** Puts one row into a list, cheaply when it is the newest. */
function putRow(list: List, name: ListName, row: Row) {
  if (list.loaded === "no") return;
  const { key, time } = LISTS[name];
  const id = key(row);
  const isNewer = list.rows.length > 0 && row[time] > list.rows[0][time];
  const index = isNewer ? -1 : list.rows.findIndex((known) => key(known) === id);
  if (index < 0) {
    if (list.total !== null) list.total += 1;
    // Older than what was read: put here, it would be where the next older page begins, and what lies between is never read.
    if (list.more && list.rows.length > 0 && row[time] < list.rows.at(-1)![time]) return;
  }
  if (index >= 0) list.rows = list.rows.with(index, { ...list.rows[index], ...row });
  else if (list.rows.length === 0 || row[time] >= list.rows[0][time]) list.rows = [row, ...list.rows];
  else putRows(list, name, [row]);
  cut(list);
}

export interface Change {
  type: string;
  account: string | null;
  source: string;
  data: Row;
}

/** One committed change. True when it altered something that can be seen. */
export function applyChange(model: Model, { type, account, source, data }: Change) {
  if (account !== null && account !== model.account) return false;
  const row: Row = { source, ...data };
  switch (type) {
    case "fill.created":
      putRow(model.lists.fills, "fills", row);
      return true;
    case "order.updated": {
      const others = model.openOrders.filter(({ order_id }) => order_id !== data.order_id);
      model.openOrders = isOpenStatus(data.status)
        ? [row, ...others].sort((a, b) => b.placed_at_ms - a.placed_at_ms || b.order_id - a.order_id)
        : others;
      if (!isOpenStatus(data.status)) putRow(model.lists.orderHistory, "orderHistory", row);
      return true;
    }
    case "position.updated": {
      const others = model.positions.filter(({ dex, coin }) => dex !== data.dex || coin !== data.coin);
      model.positions = data.side === "flat" ? others : bySize([...others, row]);
      return true;
    }
    case "funding.created":
      putRow(model.lists.funding, "funding", row);
      return true;
    case "ledger.created":
      putRow(model.lists.ledger, "ledger", row);
      return true;
    case "drift.found":
      putRow(model.lists.drift, "drift", row);
      return true;
    default:
      return false;
  }
}

const bySize = (positions: Row[]) =>
  positions.sort((a, b) => Number(b.position_value) - Number(a.position_value));

/** Server time now. */
export const serverNow = (model: Model) => Date.now() + model.offsetMs;

/** The followed account that is looked at, as the status has it; where all are, the worst of each. */
export const accountStatus = (model: Model): Row | null =>
  model.isAll
    ? together(model.status?.accounts ?? [])
    : (model.status?.accounts.find(({ address }: Row) => address === model.account) ?? null);

/** Rows of the same key, in the order of their first. */
export function byKey(rows: Row[], key: (row: Row) => string): [string, Row[]][] {
  const found = new Map<string, Row[]>();
  for (const row of rows) found.set(key(row), [...(found.get(key(row)) ?? []), row]);
  return [...found];
}

function together(accounts: Row[]): Row | null {
  if (accounts.length === 0) return null;
  const all = (name: string): number[] => accounts.map((account) => account[name]);
  const least = (name: string) => (all(name).includes(null as never) ? null : Math.min(...all(name)));
  const total = (name: string) =>
    all(name).includes(null as never) ? null : all(name).reduce((sum, count) => sum + count, 0);
  const down = accounts.find(({ mode, socket }) => mode === "stream" && socket !== "live");
  return {
    ...(down ?? accounts[0]),
    last_data_ms: least("last_data_ms"),
    fresh: accounts.every(({ fresh }) => fresh),
    delayed_after_ms: Math.max(...all("delayed_after_ms")),
    queued: total("queued"),
    last_reconcile_ms: least("last_reconcile_ms"),
    last_reconcile_error: accounts.find((one) => one.last_reconcile_error)?.last_reconcile_error ?? null,
    healed: total("healed"),
    unexplained: total("unexplained"),
    complete_since_ms: least("complete_since_ms") === null ? null : Math.max(...all("complete_since_ms")),
    gaps: total("gaps"),
    streams: accounts.flatMap((account) =>
      account.streams.map((one: Row) => ({ ...one, stream: `${accountName(account)}: ${one.stream}` })),
    ),
  };
}

/**
 * How fresh what is shown is, by the bounds that the server gives for the way the account is followed, and since when not. `asOfMs` is the time up to which it is true.
 */
export function freshness(model: Model): {
  word: "live" | "delayed" | "stale" | "down" | "away" | "waiting";
  ageMs: number | null;
  asOfMs: number | null;
} {
  const account = accountStatus(model);
  const asOfMs = account?.last_data_ms ?? model.overview?.as_of_ms ?? null;
  const ageMs = asOfMs === null ? null : serverNow(model) - asOfMs;
  if (model.link === "away") return { word: "away", ageMs, asOfMs };
  if (!account || ageMs === null) return { word: "waiting", ageMs, asOfMs };
  if (account.mode === "stream" && account.socket !== "live") return { word: "down", ageMs, asOfMs };
  if (!account.fresh) return { word: "stale", ageMs, asOfMs };
  return { word: ageMs > account.delayed_after_ms ? "delayed" : "live", ageMs, asOfMs };
}

/** Whether what is shown may not be true any more. */
export const isOldWord = (word: string): boolean => word === "stale" || word === "down" || word === "away";

/** `swing · 0x1234…abcd` */
export const accountName = ({ alias, address }: Row): string =>
  `${alias ? `${alias} · ` : ""}${address.slice(0, 6)}…${address.slice(-4)}`;
