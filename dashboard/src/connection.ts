/**
 * The page's line to where it reads (`source.ts`): to hlsync, reads over `/api`, changes over `/api/events`.
 *
 * Guarantees: after sleep, a lost line or a restart of hlsync the stream goes on behind the last change seen, or, when the
 * server says `reset`, everything is read again; changes that come while the state is being read wait for it. A line on
 * which nothing comes for `silentMs` (hlsync sends status every second) is given up and opened again, with back-off, without end.
 */
import { param, writeParams } from "./address.ts";
import type { List, ListName, Model, Row } from "./model.ts";
import { applyChange, type Change, canGrow, emptyList, LISTS, learnMarkets, putRows } from "./model.ts";
import { read as readSetting, write } from "./settings.ts";
import { type Events, type Query, Refused, source } from "./source.ts";
import { zoneAsked } from "./zone.ts";

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 5_000;
const PAGE = 1_000;
/** Of a history that is wanted whole: the server's largest. */
const WHOLE_PAGE = 5_000;
/** Rows come at most so much later than younger ones, but for what is read from the past. */
const LATE_MS = 60_000;
const REPORT_MS = 5_000;
const REPORT_MAX = 1_000;

/** The account that the address names, by address or alias, or that was looked at last, while it is followed. */
export function wantedAccount(accounts: Row[]): string | null {
  const last = readSetting("account");
  return (namedAccount(accounts) ?? accounts.find(({ address }) => address === last))?.address ?? null;
}

function namedAccount(accounts: Row[]): Row | undefined {
  const named = param("account");
  return accounts.find(({ address, alias }) => named !== null && [address, alias].includes(named));
}

/** An address that names an account which is not followed names the one that is shown. */
export function correctAddress({ status, account }: Model): void {
  if (status === null || account === null || param("account") === null) return;
  if (namedAccount(status.accounts) === undefined) writeParams({ account });
}

export const get = (path: string, query: Query = {}): Promise<Row> => source().get(path, query);

/** Changes something; answers what became of it. */
export async function post(path: string, fields: Row): Promise<Row> {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(fields) });
  const body = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  if (!answer.ok) throw new Error(body.error ?? `status ${answer.status}`);
  return body;
}

/** `changed`: called after every change of the model, and whether it was only what is known of the process; `onAlert`: when an alert changed. */
export function connect(model: Model, changed: (what?: "account" | "process") => void, onAlert: () => void) {
  let events: Events | null = null;
  let lastId: string | null = null;
  let retryMs = RETRY_MIN_MS;
  let retryTimer = 0;
  let generation = 0;
  /** Lists that are being read to their end. */
  const readingAll: WeakMap<List, Promise<void>> = new WeakMap();
  let reading = false;
  /** Told while the state was read: it may be younger. */
  let newsWait = false;
  let newsTurn = 0;
  let waiting: Row[] = [];
  const lags: number[] = [];

  async function start() {
    try {
      const before = Date.now();
      const status = await get("/api/status");
      const after = Date.now();
      // A browser on the same machine has the same clock; the difference must exceed what the way explains.
      const offset = status.now_ms - (before + after) / 2;
      model.offsetMs = Math.abs(offset) > (after - before) / 2 + 20 ? offset : 0;
      model.status = status;
      model.account ??= wantedAccount(status.accounts) ?? status.accounts[0]?.address ?? null;
      correctAddress(model);
      open();
    } catch (error) {
      if (error instanceof Refused) model.refused = error.message;
      else retry(start);
      changed();
    }
  }

  function open() {
    events?.close();
    clearTimeout(retryTimer);
    events = source().events(model.account, lastId);
    events.onerror = () => {
      events?.close();
      retry(open);
    };
    const on = (name: string, run: (data: Row, id: string) => void) =>
      events?.addEventListener(name, (event) => {
        const message = event as MessageEvent;
        model.heardMs = Date.now();
        model.link = "live";
        retryMs = RETRY_MIN_MS;
        run(JSON.parse(message.data), message.lastEventId);
        changed(name === "status" ? "process" : "account");
      });
    on("hello", () => {});
    on("reset", (_, id) => {
      lastId = id;
      void readState();
    });
    on("status", (data) => {
      model.status = data;
    });
    on("state", (data) => {
      if (data.account !== model.account || reading) return;
      model.positions = data.positions;
      model.balances = data.balances;
      if (zoneAsked === null) model.overview = data.overview;
      else void readDay();
    });
    on("news", () => void readNews());
    on("change", (data, id) => {
      lastId = id;
      if (reading) waiting.push(data);
      else take(data);
    });
  }

  function take(change: Row) {
    const seen = applyChange(model, change as Change);
    if (/^(alert|webhook)\./.test(change.type)) {
      void refreshList("alerts");
      onAlert();
    }
    if (!seen || change.committed_ms === null || change.source !== "stream") return;
    // Painted: the frame after the one in which the change was drawn has begun.
    requestAnimationFrame(() =>
      setTimeout(() => {
        if (lags.length < REPORT_MAX && document.visibilityState === "visible") {
          lags.push(Math.max(0, Date.now() + model.offsetMs - change.published_ms));
        }
      }),
    );
  }

  /** Everything that is shown, anew. */
  async function readState() {
    const mine = ++generation;
    reading = true;
    waiting = [];
    try {
      const loaded = loadedLists();
      const [now, ...pages] = await Promise.all([
        readNow(),
        ...loaded.map((name) => get(LISTS[name].path, { account: model.account, limit: PAGE, total: 1 })),
      ]);
      if (mine !== generation) return;
      Object.assign(model, now, { ready: true });
      for (const [index, name] of loaded.entries()) {
        const { more, total } = pages[index];
        const list = { ...emptyList(), loaded: "yes" as const, more, total: total ?? null };
        putRows(list, name, pages[index].rows);
        model.lists[name] = list;
      }
      reading = false;
      for (const change of waiting.splice(0)) take(change);
      if (newsWait) void readNews();
    } catch {
      if (mine !== generation) return;
      // The line is made anew; without a last id the server says `reset` again.
      lastId = null;
      reading = false;
      retry(open);
    }
    changed();
  }

  const loadedLists = () =>
    (Object.keys(LISTS) as ListName[]).filter((name) => model.lists[name].loaded !== "no");

  /** What is now, of the account that is looked at. */
  async function readNow() {
    const query = { account: model.account };
    const [overview, positions, openOrders, balances] = await Promise.all([
      get("/api/overview", { ...query, zone: zoneAsked }),
      ...["/api/positions", "/api/orders", "/api/balances"].map((path) => get(path, query)),
    ]);
    learnMarkets([...positions.rows, ...openOrders.rows, ...balances.rows]);
    return { overview, positions: positions.rows, openOrders: openOrders.rows, balances: balances.rows };
  }

  /** Where only is told that something changed: reads what is now, and what the histories have since their newest rows. */
  async function readNews() {
    newsWait = reading;
    if (reading) return;
    const [mine, account, turn] = [generation, model.account, ++newsTurn];
    try {
      const now = await readNow();
      // A younger answer may be here before an older one.
      if (mine !== generation || account !== model.account || turn !== newsTurn) return;
      Object.assign(model, now);
      await Promise.all(loadedLists().map(refreshNewest));
    } catch {
      lastId = null;
      retry(open);
    }
    changed();
  }

  async function refreshNewest(name: ListName) {
    const list = model.lists[name];
    const newest = list.rows[0]?.[LISTS[name].time];
    const from = newest === undefined ? null : newest - LATE_MS;
    const page = await get(LISTS[name].path, { account: model.account, limit: WHOLE_PAGE, from });
    if (list !== model.lists[name]) return;
    const known = list.rows.length;
    putRows(list, name, page.rows);
    if (list.total !== null) list.total += list.rows.length - known;
  }

  let readingDay = false;
  /** The stream tells of the days of UTC: those of another zone are asked for. */
  async function readDay() {
    if (readingDay) return;
    readingDay = true;
    const account = model.account;
    const overview = await get("/api/overview", { account, zone: zoneAsked }).catch(() => null);
    readingDay = false;
    if (overview === null || account !== model.account || reading) return;
    model.overview = overview;
    changed();
  }

  async function refreshList(name: ListName) {
    const list = model.lists[name];
    if (list.loaded === "no") return;
    const page = await get(LISTS[name].path, { account: model.account, limit: PAGE }).catch(() => null);
    // Another account's by now.
    if (list !== model.lists[name]) return;
    if (page) putRows(list, name, page.rows);
    changed();
  }

  function retry(again: () => void) {
    clearTimeout(retryTimer);
    retryTimer = setTimeout(again, retryMs * (0.5 + Math.random() / 2));
    retryMs = Math.min(RETRY_MAX_MS, retryMs * 2);
  }

  function watch() {
    if (model.refused) return;
    if (model.heardMs > 0 && Date.now() - model.heardMs > source().silentMs) {
      if (model.link !== "away") {
        model.link = "away";
        open();
      } else if (events?.readyState === EventSource.OPEN) open();
    }
    changed("process");
  }

  function report() {
    const sent = lags.splice(0);
    if (sent.length === 0) return;
    fetch("/api/painted", { method: "POST", body: JSON.stringify({ lags_ms: sent }) }).catch(() => {});
  }

  setInterval(watch, 1_000);
  setInterval(report, REPORT_MS);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") watch();
  });
  window.addEventListener("online", () => model.link === "away" && open());
  void start();

  return {
    /** Reads the newest page of a history again: for what no event tells of. */
    refresh: refreshList,
    /** Reads the newest page of a history, once. @param {ListName} name */
    async load(name: ListName) {
      const list = model.lists[name];
      if (list.loaded !== "no") return;
      list.loaded = "loading";
      await this.more(name);
    },
    /** Reads the next older page. */
    async more(name: ListName, limit = PAGE) {
      const list = model.lists[name];
      const account = model.account;
      const oldest = list.rows.at(-1)?.[LISTS[name].time] ?? null;
      try {
        const total = oldest === null ? 1 : null;
        const page = await get(LISTS[name].path, { account, limit, before: oldest, total });
        if (account !== model.account || list !== model.lists[name]) return;
        putRows(list, name, page.rows);
        Object.assign(list, { loaded: "yes", more: page.more ?? false, error: null });
        if (total !== null) list.total = page.total ?? null;
      } catch (error) {
        Object.assign(list, { error: error instanceof Error ? error.message : String(error) });
        // Nothing is known of it yet: that is no empty history, and nobody else would ask again.
        if (list.loaded === "loading")
          setTimeout(() => list === model.lists[name] && void this.more(name), RETRY_MAX_MS);
      }
      changed();
    },
    /** Reads a history to its end, or as far as rows are kept. Never rejects. */
    all(name: ListName) {
      const list = model.lists[name];
      const read = async () => {
        while (list === model.lists[name] && canGrow(list)) {
          await this.more(name, WHOLE_PAGE);
          if (list.error !== null) return;
        }
      };
      const reading = readingAll.get(list) ?? read().finally(() => readingAll.delete(list));
      readingAll.set(list, reading);
      return reading;
    },
    choose(address: string) {
      write("account", address);
      writeParams({ account: address });
      // What is still being read is of the account before.
      generation += 1;
      reading = false;
      Object.assign(model, {
        account: address,
        overview: null,
        positions: [],
        balances: [],
        openOrders: [],
        ready: false,
      });
      for (const name of Object.keys(LISTS) as ListName[]) {
        const wasLoaded = model.lists[name].loaded !== "no";
        model.lists[name] = { ...emptyList(), loaded: wasLoaded ? "loading" : "no" };
      }
      lastId = null;
      open();
      changed();
    },
  };
}
export type Connection = ReturnType<typeof connect>;
