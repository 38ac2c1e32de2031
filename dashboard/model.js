/**
 * What the page knows, in one object, and how a change alters it. Guarantees: a row is known once, by its identity, however
 * often it comes; lists stay newest first; a list that was never read is not begun by a change (it would look complete).
 */

/** @typedef {Record<string, any>} Row */
/**
 * @typedef {object} List
 * @property {Row[]} rows Newest first.
 * @property {"no" | "loading" | "yes"} loaded
 * @property {boolean} more Whether the server has older rows.
 * @property {number | null} total Rows that the server has; null when it did not say.
 * @property {string | null} error
 */

/** Rows of one history that are kept; older ones stay on the server, and the table says so. */
export const ROWS_MAX = 50_000;

/** Histories: where they are read, what tells their rows apart, and their time. */
export const LISTS = {
  fills: {
    path: "/api/fills",
    time: "fill_time_ms",
    key: (/** @type {Row} */ r) => `${r.coin}:${r.fill_time_ms}:${r.order_id}:${r.trade_id}:${r.side}`,
  },
  orderHistory: {
    path: "/api/orders/history",
    time: "status_time_ms",
    key: (/** @type {Row} */ r) => String(r.order_id),
  },
  funding: {
    path: "/api/funding",
    time: "funding_time_ms",
    key: (/** @type {Row} */ r) => `${r.coin}:${r.funding_time_ms}`,
  },
  ledger: {
    path: "/api/ledger",
    time: "ledger_time_ms",
    key: (/** @type {Row} */ r) => `${r.ledger_time_ms}:${r.hash}:${r.type}:${r.digest}`,
  },
  drift: {
    path: "/api/drift",
    time: "found_at_ms",
    key: (/** @type {Row} */ r) => `${r.stream}:${r.cause}:${r.found_at_ms}:${JSON.stringify(r.detail)}`,
  },
  alerts: {
    path: "/api/alerts",
    time: "updated_ms",
    key: (/** @type {Row} */ r) => String(r.id),
  },
  deliveries: {
    path: "/api/deliveries",
    time: "last_attempt_ms",
    key: (/** @type {Row} */ r) => `${r.endpoint_id}:${r.webhook_id}`,
  },
};
/** @typedef {keyof typeof LISTS} ListName */

/** @returns {List} */
export const emptyList = () => ({ rows: [], loaded: "no", more: false, total: null, error: null });

/** Whether older rows can still be read. @param {List} list */
export const canGrow = (list) => list.more && list.rows.length < ROWS_MAX;

export const createModel = () => ({
  /** @type {string | null} */ account: null,
  /** @type {Row | null} */ status: null,
  /** @type {Row | null} */ overview: null,
  /** @type {Row[]} */ positions: [],
  /** @type {Row[]} */ balances: [],
  /** @type {Row[]} */ openOrders: [],
  /** @type {Record<ListName, List>} */
  lists: /** @type {any} */ (Object.fromEntries(Object.keys(LISTS).map((name) => [name, emptyList()]))),
  /** Whether state was read at all. */
  ready: false,
  /** The event stream: `connecting` before the first frame, `away` when none comes any more. */
  link: /** @type {"connecting" | "live" | "away"} */ ("connecting"),
  /** Browser time of the last frame. */
  heardMs: 0,
  /** Server clock minus the browser's. */
  offsetMs: 0,
  /** @type {string | null} */ refused: null,
});
/** @typedef {ReturnType<typeof createModel>} Model */

/** Puts rows into a list, each once. @param {List} list @param {ListName} name @param {Row[]} rows */
export function putRows(list, name, rows) {
  const { key, time } = LISTS[name];
  const known = new Map(list.rows.map((row) => [key(row), row]));
  for (const row of rows) known.set(key(row), { ...known.get(key(row)), ...row });
  list.rows = [...known.values()].sort((a, b) => b[time] - a[time]).slice(0, ROWS_MAX);
}

/** Puts one row into a list, cheaply when it is the newest. @param {List} list @param {ListName} name @param {Row} row */
function putRow(list, name, row) {
  if (list.loaded === "no") return;
  const { key, time } = LISTS[name];
  const id = key(row);
  const isNewer = list.rows.length > 0 && row[time] > list.rows[0][time];
  const index = isNewer ? -1 : list.rows.findIndex((known) => key(known) === id);
  if (index < 0 && list.total !== null) list.total += 1;
  if (index >= 0) list.rows = list.rows.with(index, { ...list.rows[index], ...row });
  else if (list.rows.length === 0 || row[time] >= list.rows[0][time]) list.rows = [row, ...list.rows];
  else putRows(list, name, [row]);
  if (list.rows.length > ROWS_MAX) {
    list.rows = list.rows.slice(0, ROWS_MAX);
    list.more = true;
  }
}

const OPEN = new Set(["open", "partially_filled", "triggered"]);

/**
 * One committed change. True when it altered something that can be seen.
 * @param {Model} model @param {{ type: string, account: string | null, source: string, data: Row }} change
 */
export function applyChange(model, { type, account, source, data }) {
  if (account !== null && account !== model.account) return false;
  /** @type {Row} */
  const row = { source, ...data };
  switch (type) {
    case "fill.created":
      putRow(model.lists.fills, "fills", row);
      return true;
    case "order.updated": {
      const others = model.openOrders.filter(({ order_id }) => order_id !== data.order_id);
      model.openOrders = OPEN.has(data.status)
        ? [row, ...others].sort((a, b) => b.placed_at_ms - a.placed_at_ms || b.order_id - a.order_id)
        : others;
      if (!OPEN.has(data.status)) putRow(model.lists.orderHistory, "orderHistory", row);
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

/** @param {Row[]} positions */
const bySize = (positions) => positions.sort((a, b) => Number(b.position_value) - Number(a.position_value));

/** Server time now. @param {Model} model */
export const serverNow = (model) => Date.now() + model.offsetMs;

/** The followed account that is looked at, as the status has it. @param {Model} model @returns {Row | null} */
export const accountStatus = (model) =>
  model.status?.accounts.find((/** @type {Row} */ { address }) => address === model.account) ?? null;

/**
 * How fresh what is shown is, by the bounds that the server gives for the way the account is followed, and since when not. `asOfMs` is the time up to which it is true.
 * @param {Model} model @returns {{ word: "live" | "delayed" | "stale" | "down" | "away" | "waiting", ageMs: number | null, asOfMs: number | null }}
 */
export function freshness(model) {
  const account = accountStatus(model);
  const asOfMs = account?.last_data_ms ?? model.overview?.as_of_ms ?? null;
  const ageMs = asOfMs === null ? null : serverNow(model) - asOfMs;
  if (model.link === "away") return { word: "away", ageMs, asOfMs };
  if (!account || ageMs === null) return { word: "waiting", ageMs, asOfMs };
  if (account.mode === "stream" && account.socket !== "live") return { word: "down", ageMs, asOfMs };
  if (!account.fresh) return { word: "stale", ageMs, asOfMs };
  return { word: ageMs > account.delayed_after_ms ? "delayed" : "live", ageMs, asOfMs };
}
