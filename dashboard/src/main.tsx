/** The page: header, status strip, tabs, and the view that the address names. */

import { type ComponentChildren, render } from "preact";
import { useEffect, useMemo, useReducer, useState } from "preact/hooks";
import { hrefOf, param, parts } from "./address.ts";
import { watchAlarms } from "./alarms.ts";
import { All } from "./all.tsx";
import { connect, correctAddress, wantedAccount } from "./connection.ts";
import { Endpoints, Rules } from "./control.tsx";
import { FillDetail, OrderDetail, RawOf } from "./detail.tsx";
import { clockAt, counted, short } from "./format.ts";
import {
  accountName,
  canGrow,
  createModel,
  freshness,
  isOldWord,
  LISTS,
  type ListName,
  type Row,
  serverNow,
} from "./model.ts";
import { Overview, positionKey } from "./overview.tsx";
import { read, remembered, write } from "./settings.ts";
import { SettingsDialog } from "./settingsDialog.tsx";
import { source } from "./source.ts";
import { Statistics } from "./statistics.tsx";
import { Strip } from "./strip.tsx";
import { SyncPage } from "./sync.tsx";
import { type Column, DataTable } from "./table.tsx";
import * as columns from "./tables.tsx";
import { Trade } from "./trade.tsx";
import { dayAt, dayStart } from "./zone.ts";

const model = createModel();

const TABS: Record<string, string> = {
  overview: "Overview",
  statistics: "Statistics",
  positions: "Positions",
  orders: "Open Orders",
  fills: "Fills",
  orderHistory: "Order History",
  funding: "Funding",
  ledger: "Ledger",
  balances: "Balances",
  alerts: "Alerts",
  // What only a server knows and does.
  ...(source().hasServer ? { deliveries: "Webhooks" } : {}),
  sync: "Sync",
};

/** Tables of what is now, by tab. */
const NOW_TABLES: Record<
  string,
  {
    rows(): Row[];
    columns: Column[];
    rowKey(row: Row): string;
    empty: string;
    detail?(row: Row): ComponentChildren;
  }
> = {
  positions: {
    rows: () => model.positions,
    columns: columns.POSITIONS,
    rowKey: positionKey,
    empty: "No open position",
  },
  orders: {
    rows: () => model.openOrders,
    columns: columns.OPEN_ORDERS,
    rowKey: (row: Row) => String(row.order_id),
    empty: "No open order",
    detail: (row: Row) => <OrderDetail account={model.account} row={row} />,
  },
  balances: {
    rows: () => model.balances,
    columns: columns.BALANCES,
    rowKey: (row: Row) => row.coin,
    empty: "No spot balance",
  },
};

/** Tables of histories, by tab. */
const HISTORY_TABLES: Partial<Record<string, { columns: Column[]; empty: string }>> = {
  fills: { columns: columns.FILLS, empty: "No fill yet" },
  orderHistory: { columns: columns.ORDER_HISTORY, empty: "No order ended yet" },
  funding: { columns: columns.FUNDING, empty: "No funding payment yet" },
  ledger: { columns: columns.LEDGER, empty: "No deposit, withdrawal or transfer yet" },
  alerts: { columns: columns.ALERTS, empty: "No alert yet" },
  deliveries: { columns: columns.DELIVERIES, empty: "No webhook delivery yet" },
};

/** The draw that is to come: in the next frame, or a little later, where others may come before it. */
let scheduled: "no" | "later" | "now" = "no";
let later = 0;
let redraw: () => void = () => {};
/**
 * Draws at most once per frame, however many changes come. What is said of the process each second waits for the account's
 * own state, which comes as often: the two are one draw, and without the latter the view is not made anew.
 */
function changed(what: "account" | "process" = "account") {
  if (what === "account") model.revision += 1;
  if (scheduled === "now" || (scheduled === "later" && what === "process")) return;
  clearTimeout(later);
  scheduled = what === "account" ? "now" : "later";
  const draw = () => {
    scheduled = "no";
    redraw();
  };
  if (what === "process") later = setTimeout(draw, PROCESS_DRAW_MS);
  else if (document.visibilityState === "visible") requestAnimationFrame(draw);
  else setTimeout(draw, 250);
}
const PROCESS_DRAW_MS = 400;
const lookAtAlarms = watchAlarms(model, changed);
const connection = connect(model, changed, () => void lookAtAlarms());

/** Grows with every address that the page did not write itself: what it says is then begun with. */
let turn = 0;

/** Views without a tab: they are come to from elsewhere. */
const OTHER_VIEWS = ["trade", "all"];

/** A view by what its tab says too: `#webhooks`, `#open-orders`. */
function tabOf(view: string): string {
  const like = (text: string) => text.toLowerCase().replace(/\W|_/g, "");
  const [named] =
    Object.entries(TABS).find(([name, title]) => [name, title].some((one) => like(one) === like(view))) ?? [];
  return named ?? (OTHER_VIEWS.includes(view) ? view : "overview");
}

/** `#fills?day=2026-10-05` → tab and parameters. */
function route() {
  const { view, query } = parts();
  const isAll = query.get("account") === ALL || (view === "" && read(ALL) === true);
  if (isAll && view !== "all") history.replaceState(null, "", "#all");
  const tab = isAll ? "all" : tabOf(view);
  model.isAll = tab === "all";
  write(ALL, model.isAll);
  return { tab, query, turn };
}

/** All accounts, in the place of an address. */
const ALL = "all";

/** Views that show what is said of the process each second. */
const SHOWS_PROCESS = new Set(["sync", "all", "deliveries"]);

function App() {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const [{ tab, query, turn: begun }, setRoute] = useState(route);
  const [theme, setTheme] = remembered("theme", "auto" as "auto" | "light" | "dark");
  const [isPrivate, setPrivate] = remembered("private", false);
  const [opened, setOpened] = useState(null as "keys" | "settings" | null);
  redraw = () => draw(undefined);
  useEffect(() => {
    const follow = () => {
      turn += 1;
      setRoute(route());
      const wanted = param("account") === null ? null : wantedAccount(model.status?.accounts ?? []);
      if (wanted !== null && wanted !== model.account) connection.choose(wanted);
      correctAddress(model);
    };
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => applyTheme(theme), [theme]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) =>
      keyPressed(event, (dialog) => setOpened((shown) => (shown === dialog ? null : dialog)));
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    document.querySelector(".tabs [aria-current]")?.scrollIntoView({ inline: "nearest", block: "nearest" });
  }, [tab]);
  const { word, asOfMs } = freshness(model);
  const isOld = isOldWord(word);
  useEffect(() => {
    document.title = `${isOld ? `(${word}) ` : model.firing > 0 ? `(${model.firing}) ` : ""}${TABS[tab] ?? (tab === "all" ? "All accounts" : "Trade")} · hlsync`;
  }, [tab, word, model.firing]);
  const minute = Math.floor(serverNow(model) / 60_000);
  const shown = useMemo(
    () => (model.ready ? view(tab, query, begun) : <p class="empty">Reading…</p>),
    [
      tab,
      query,
      begun,
      model.ready,
      model.revision,
      minute,
      word,
      isOld && asOfMs,
      isPrivate,
      SHOWS_PROCESS.has(tab) && model.status,
    ],
  );
  if (model.refused) return <Refusal text={model.refused} />;
  return (
    <div
      class={`app${isOld ? " old" : ""}${isPrivate ? " private" : ""}`}
      data-freshness={word}
      data-ready={String(model.ready)}
    >
      <header class="top">
        <a class="brand" href="#overview">
          hlsync
        </a>
        {model.status?.simulated ? (
          <strong class="simulated" title="The demo's venue is a model: no trade and no money here is real">
            simulated
          </strong>
        ) : null}
        <Accounts isAll={tab === "all"} />
        <span class="spring" />
        <button
          type="button"
          class="button quiet keys"
          onClick={() => setOpened("keys")}
          aria-label="Keys"
          title="Keys"
        >
          ?
        </button>
        <button
          type="button"
          class="button quiet blur"
          onClick={() => setPrivate(!isPrivate)}
          aria-label="Hide amounts"
          aria-pressed={isPrivate}
          title={isPrivate ? "Show amounts" : "Hide amounts"}
        >
          <Eye isShut={isPrivate} />
        </button>
        <button
          type="button"
          class="button quiet"
          onClick={() => setOpened("settings")}
          aria-label="Settings"
          title="Settings"
        >
          ⚙
        </button>
        <button
          type="button"
          class="button quiet"
          onClick={() => setTheme(nextTheme(theme))}
          aria-label={`Use the ${nextTheme(theme) === "auto" ? "system's" : nextTheme(theme)} theme`}
          title={`Theme: ${theme === "auto" ? "as the system" : theme}`}
        >
          {THEME_MARKS[theme]}
        </button>
        {source().signOut ? (
          <button type="button" class="button quiet" onClick={() => source().signOut?.()}>
            Sign out
          </button>
        ) : null}
      </header>
      <Strip model={model} />
      <nav class="tabs" aria-label="Views">
        {Object.entries(TABS).map(([name, title]) =>
          tabLink(name, title, name === (tab === "trade" ? "statistics" : tab)),
        )}
      </nav>
      {isOld ? (
        <p
          class="old-note"
          role="alert"
        >{`▲ ${OLD_WORDS[word] ?? ""} What is shown is as of ${clockAt(asOfMs)}.`}</p>
      ) : null}
      <main class={`view view-${tab}`}>
        {tab === "statistics" || tab === "trade" ? null : (
          <h1 class="unseen">{TABS[tab] ?? "All accounts"}</h1>
        )}
        {shown}
      </main>
      {opened === "keys" ? <Help close={() => setOpened(null)} /> : null}
      {opened === "settings" ? (
        <SettingsDialog isPrivate={isPrivate} setPrivate={setPrivate} close={() => setOpened(null)} />
      ) : null}
    </div>
  );
}

const Eye = ({ isShut }: { isShut: boolean }) => (
  <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
    <path d="M1 8c3.5-5.3 10.5-5.3 14 0-3.5 5.3-10.5 5.3-14 0z" />
    {isShut ? <path d="M3 14 13 2" /> : <circle cx="8" cy="8" r="2" />}
  </svg>
);

const OLD_WORDS: Record<string, string> = {
  stale: source().hasServer ? "The venue has gone silent." : "hlsync is not running, or hears nothing.",
  down: "The line to the venue is down; hlsync is reconnecting.",
  away: `${source().hasServer ? "hlsync" : "The project"} does not answer; this page is trying again.`,
};

function tabLink(name: string, title: string, isCurrent: boolean) {
  const counts: Record<string, number> = {
    positions: model.positions.length,
    orders: model.openOrders.length,
    alerts: model.firing,
  };
  const count = counts[name] ?? 0;
  return (
    <a key={name} href={hrefOf(name)} aria-current={isCurrent ? "page" : undefined}>
      {`${title} `}
      {count > 0 ? <span class={`badge${name === "alerts" ? " firing" : ""}`}>{String(count)}</span> : null}
    </a>
  );
}

function view(tab: string, query: URLSearchParams, begun: number) {
  const load = (name: ListName) => void connection.load(name);
  if (tab === "overview") return <Overview key={begun} model={model} load={load} />;
  if (tab === "all") return <All key={begun} model={model} />;
  if (tab === "statistics") return <Statistics key={begun} model={model} />;
  if (tab === "trade") return <Trade key={begun} model={model} query={query} />;
  if (tab === "sync") return <SyncPage key={begun} model={model} load={load} />;
  const current = NOW_TABLES[tab];
  if (current) {
    const rows = current.rows();
    return (
      <DataTable
        key={`${tab} ${begun}`}
        name={tab}
        title={TABS[tab]}
        {...current}
        rows={rows}
        fits={rows.length < 30}
        inAddress
      />
    );
  }
  return (
    <>
      {tab === "alerts" && source().hasServer ? <Rules /> : null}
      {tab === "deliveries" ? <Endpoints nowMs={serverNow(model)} /> : null}
      <History key={`${tab} ${begun}`} tab={tab as ListName} day={query.get("day")} />
    </>
  );
}

const DELIVERIES_MS = 5_000;

function History({ tab, day }: { tab: ListName; day: string | null }) {
  useEffect(() => void connection.load(tab));
  useEffect(() => {
    if (tab !== "deliveries") return;
    // An attempt to deliver is no change of the account: no event tells of it.
    const timer = setInterval(() => void connection.refresh(tab), DELIVERIES_MS);
    return () => clearInterval(timer);
  }, [tab]);
  const list = model.lists[tab];
  const table = HISTORY_TABLES[tab];
  const { key, time } = LISTS[tab];
  const rows = useMemo(
    () => (day === null ? list.rows : list.rows.filter((row) => dayAt(row[time]) === day)),
    [list.rows, day],
  );
  // The day that was asked for may lie behind what was read.
  const reachesDay = day === null || (list.rows.at(-1)?.[time] ?? 0) < dayStart(day);
  useEffect(() => {
    if (!reachesDay && canGrow(list)) void connection.more(tab);
  }, [list.rows.length, reachesDay]);
  if (!table) return null;
  const isReading = list.loaded !== "yes" || (!reachesDay && canGrow(list));
  return (
    <DataTable
      name={tab}
      title={TABS[tab]}
      inAddress
      rows={rows}
      columns={table.columns}
      rowKey={key}
      empty={isReading ? "Reading…" : list.rows.length > 0 ? "None on this day" : table.empty}
      detail={(row) => historyDetail(tab, row)}
      older={{
        more: canGrow(list) && (day === null || !reachesDay),
        kept: list.more && (day === null || !reachesDay) ? list.rows.length : null,
        total: list.total,
        load: () => connection.more(tab),
        // A day is read to its end without being asked.
        all: day === null ? () => connection.all(tab) : null,
        error: list.error,
      }}
      extra={
        tab === "alerts" ? (
          <span class="note">{alertingWords()}</span>
        ) : tab === "ledger" && source().hasServer ? (
          <TaxFiles />
        ) : day === null ? null : (
          <a class="button" href={`#${tab}`} title="Show all days">{`${day} ✕`}</a>
        )
      }
    />
  );
}

function historyDetail(tab: ListName, row: Row): ComponentChildren {
  const { account } = model;
  if (tab === "fills") return <FillDetail account={account} row={row} />;
  if (tab === "orderHistory") return <OrderDetail account={account} row={row} />;
  return tab === "funding" || tab === "ledger" ? <RawOf list={tab} account={account} row={row} /> : null;
}

/** The files for tax programs, of this year and the last. */
function TaxFiles() {
  const thisYear = new Date(serverNow(model)).getUTCFullYear();
  const file = (format: string, title: string, year: number) => (
    <a
      key={`${format} ${year}`}
      class="button"
      title={`Fills, funding and ledger of ${year} for ${title}`}
      href={`/api/tax?format=${format}&year=${year}&account=${model.account}`}
      download
    >{`${title} ${year}`}</a>
  );
  return (
    <span class="tax">
      {[thisYear - 1, thisYear].map((year) => [
        file("koinly", "Koinly", year),
        file("cointracking", "CoinTracking", year),
      ])}
    </span>
  );
}

/** Whether anything is watched, and whether anybody would be told. */
function alertingWords() {
  const { rules, channels } = model.status?.alerting ?? {};
  if (rules === undefined) return "";
  if (rules === 0) return "every rule is off";
  const watched = `${counted(rules, "rule")} watched`;
  return channels === 0
    ? `${watched}, no channel: alerts are shown here only (--alert-to)`
    : `${watched}, ${counted(channels, "channel")} told`;
}

function Accounts({ isAll }: { isAll: boolean }) {
  const accounts = model.status?.accounts ?? [];
  if (accounts.length === 0) return null;
  const isFollowed = accounts.some(({ address }: Row) => address === model.account);
  if (accounts.length === 1 && isFollowed)
    return (
      <span class="account" title={accounts[0].address}>
        {accountName(accounts[0])}
      </span>
    );
  return (
    <select
      class="account"
      aria-label="Account"
      value={isAll ? ALL : (model.account ?? "")}
      onChange={({ currentTarget: { value } }) => {
        if (value === ALL) location.hash = ALL;
        // Its own place in the browser's history: back leads to all of them.
        else if (isAll) location.hash = `overview?account=${value}`;
        else connection.choose(value);
      }}
    >
      <option value={ALL}>All accounts</option>
      {!isFollowed && model.account !== null ? (
        <option value={model.account}>{`${short(model.account)} · no longer followed`}</option>
      ) : null}
      {accounts.map((account: Row) => (
        <option key={account.address} value={account.address}>
          {accountName(account)}
        </option>
      ))}
    </select>
  );
}

const Refusal = ({ text }: { text: string }) => (
  <main class="refusal">
    <h1>hlsync</h1>
    <p>{text}</p>
    {source().hasServer ? (
      <>
        <p>hlsync printed the address with its token when it started.</p>
        <p>
          <a class="button" href="/">
            Enter the token
          </a>
        </p>
      </>
    ) : (
      <p>
        <button type="button" class="button" onClick={() => source().signOut?.()}>
          Sign out
        </button>
      </p>
    )}
  </main>
);

/** One for each view, as they lie on the keyboard. */
const VIEW_KEYS = [..."1234567890-="];

const KEYS = [
  ["/", "filter the table"],
  ["1 … 9, 0, -, =", "go to a view, in the order of their tabs"],
  ["[ ]", "view before, view after"],
  ["b", "hide amounts, show them"],
  [",", "settings"],
  ["d", "theme: light, dark, the system's"],
  ["← →", "read a chart, when it has the focus"],
  ["drag", "zoom a chart; double click: all of it"],
  ["Esc", "clear the filter, close this"],
  ["?", "this list"],
];

function Help({ close }: { close(): void }) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself
    <dialog
      class="help"
      aria-label="Keys"
      ref={(dialog: HTMLDialogElement | null) => {
        if (dialog && !dialog.open) dialog.showModal();
      }}
      onClose={close}
      onClick={close}
    >
      <dl class="facts">
        {KEYS.map(([key, what]) => [
          <dt>
            <kbd>{key}</kbd>
          </dt>,
          <dd>{what}</dd>,
        ])}
      </dl>
    </dialog>
  );
}

function keyPressed(event: KeyboardEvent, open: (dialog: "keys" | "settings" | null) => void) {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName))
    return;
  const names = Object.keys(TABS);
  const at = names.indexOf(route().tab);
  const go = (index: number) => {
    location.hash = names[(index + names.length) % names.length];
  };
  if (event.key === "/") {
    event.preventDefault();
    (document.querySelector(".filter") as HTMLElement | null)?.focus();
  } else if (event.key === "?") open("keys");
  else if (event.key === ",") open("settings");
  else if (event.key === "Escape") open(null);
  else if (event.key === "b") (document.querySelector(".blur") as HTMLElement | null)?.click();
  else if (event.key === "[") go(at - 1);
  else if (event.key === "]") go(at + 1);
  else if (event.key === "d")
    (document.querySelector("[aria-label^='Use the']") as HTMLElement | null)?.click();
  else if (VIEW_KEYS.includes(event.key)) go(VIEW_KEYS.indexOf(event.key));
}

const isDark = (theme: string) =>
  theme === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";

export type Theme = "auto" | "light" | "dark";

const THEME_MARKS = { auto: "◐", light: "☀", dark: "☾" };

/** From the system's to the other one, to the same one held fast, and back. */
function nextTheme(theme: Theme): Theme {
  const own = isDark("auto") ? "dark" : "light";
  if (theme === "auto") return own === "dark" ? "light" : "dark";
  return theme === own ? "auto" : own;
}

function applyTheme(theme: string) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

applyTheme(read("theme") ?? "auto");
const root = document.getElementById("app") as HTMLElement;
// What stands there until this runs would stay beside the page.
root.replaceChildren();
render(<App />, root);
