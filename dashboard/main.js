/** The page: header, status strip, tabs, and the view that the address names. */
import { h, render } from "preact";
import { useEffect, useMemo, useReducer, useState } from "preact/hooks";
import { connect } from "./connection.js";
import { clock, counted } from "./format.js";
import { canGrow, createModel, freshness, LISTS } from "./model.js";
import { Overview, positionKey } from "./overview.js";
import { read, remembered } from "./settings.js";
import { Strip } from "./strip.js";
import { SyncPage } from "./sync.js";
import { DataTable } from "./table.js";
import * as columns from "./tables.js";

/** @typedef {import("./model.js").ListName} ListName */

const model = createModel();

/** @type {Record<string, string>} */
const TABS = {
  overview: "Overview",
  positions: "Positions",
  orders: "Open Orders",
  fills: "Fills",
  orderHistory: "Order History",
  funding: "Funding",
  ledger: "Ledger",
  balances: "Balances",
  alerts: "Alerts",
  deliveries: "Webhooks",
  sync: "Sync",
};

/** Tables of what is now, by tab. */
const NOW_TABLES = {
  positions: {
    rows: () => model.positions,
    columns: columns.POSITIONS,
    rowKey: positionKey,
    empty: "No open position",
  },
  orders: {
    rows: () => model.openOrders,
    columns: columns.OPEN_ORDERS,
    rowKey: (/** @type {any} */ r) => String(r.order_id),
    empty: "No open order",
  },
  balances: {
    rows: () => model.balances,
    columns: columns.BALANCES,
    rowKey: (/** @type {any} */ r) => r.coin,
    empty: "No spot balance",
  },
};

/** Tables of histories, by tab. @type {Partial<Record<string, { columns: import("./table.js").Column[], empty: string }>>} */
const HISTORY_TABLES = {
  fills: { columns: columns.FILLS, empty: "No fill yet" },
  orderHistory: { columns: columns.ORDER_HISTORY, empty: "No order ended yet" },
  funding: { columns: columns.FUNDING, empty: "No funding payment yet" },
  ledger: { columns: columns.LEDGER, empty: "No deposit, withdrawal or transfer yet" },
  alerts: { columns: columns.ALERTS, empty: "No alert yet" },
  deliveries: { columns: columns.DELIVERIES, empty: "No webhook delivery yet" },
};

let scheduled = false;
/** @type {() => void} */
let redraw = () => {};
/** Draws at most once per frame, however many changes come. */
function changed() {
  if (scheduled) return;
  scheduled = true;
  const draw = () => {
    scheduled = false;
    redraw();
  };
  if (document.visibilityState === "visible") requestAnimationFrame(draw);
  else setTimeout(draw, 250);
}
const connection = connect(model, changed);

/** `#fills?day=2026-10-05` → tab and parameters. */
function route() {
  const [tab, query] = location.hash.slice(1).split("?");
  return { tab: tab in TABS ? tab : "overview", query: new URLSearchParams(query ?? "") };
}

function App() {
  const [, draw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const [{ tab, query }, setRoute] = useState(route);
  const [theme, setTheme] = remembered("theme", /** @type {"auto" | "light" | "dark"} */ ("auto"));
  const [help, setHelp] = useState(false);
  redraw = () => draw(undefined);
  useEffect(() => {
    const follow = () => setRoute(route());
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => applyTheme(theme), [theme]);
  useEffect(() => {
    const onKey = (/** @type {KeyboardEvent} */ event) =>
      keyPressed(event, { toggleHelp: () => setHelp((shown) => !shown), closeHelp: () => setHelp(false) });
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    document.querySelector(".tabs [aria-current]")?.scrollIntoView({ inline: "nearest", block: "nearest" });
  }, [tab]);
  const { word, asOfMs } = freshness(model);
  const isOld = ["stale", "down", "away"].includes(word);
  useEffect(() => {
    document.title = `${isOld ? `(${word}) ` : ""}${TABS[tab]} · hlsync`;
  }, [tab, word]);
  if (model.refused) return h(Refusal, { text: model.refused });
  return h(
    "div",
    { class: `app${isOld ? " old" : ""}`, "data-freshness": word, "data-ready": String(model.ready) },
    [
      h("header", { class: "top" }, [
        h("a", { class: "brand", href: "#overview" }, "hlsync"),
        h(Accounts, {}),
        h("span", { class: "spring" }),
        h(
          "button",
          { type: "button", class: "button quiet", onClick: () => setHelp(true), "aria-label": "Keys" },
          "?",
        ),
        h(
          "button",
          {
            type: "button",
            class: "button quiet",
            onClick: () => setTheme(nextTheme(theme)),
            "aria-label": `Use the ${nextTheme(theme) === "auto" ? "system's" : nextTheme(theme)} theme`,
            title: `Theme: ${theme === "auto" ? "as the system" : theme}`,
          },
          THEME_MARKS[theme],
        ),
      ]),
      h(Strip, { model }),
      h(
        "nav",
        { class: "tabs", "aria-label": "Views" },
        Object.entries(TABS).map(([name, title]) => tabLink(name, title, name === tab)),
      ),
      isOld
        ? h(
            "p",
            { class: "old-note", role: "alert" },
            `▲ ${OLD_WORDS[word] ?? ""} What is shown is as of ${clock(asOfMs)} UTC.`,
          )
        : null,
      h(
        "main",
        { class: `view view-${tab}` },
        model.ready ? view(tab, query) : h("p", { class: "empty" }, "Reading…"),
      ),
      help ? h(Help, { close: () => setHelp(false) }) : null,
    ],
  );
}

/** @type {Record<string, string>} */
const OLD_WORDS = {
  stale: "The venue has gone silent.",
  down: "The line to the venue is down; hlsync is reconnecting.",
  away: "hlsync does not answer; this page is trying again.",
};

/** @param {string} name @param {string} title @param {boolean} isCurrent */
function tabLink(name, title, isCurrent) {
  const count =
    name === "positions" ? model.positions.length : name === "orders" ? model.openOrders.length : 0;
  return h(
    "a",
    {
      key: name,
      href: `#${name}`,
      "aria-current": isCurrent ? "page" : undefined,
      "aria-label": count > 0 ? `${title}, ${count}` : undefined,
    },
    [title, count > 0 ? h("span", { class: "badge" }, String(count)) : null],
  );
}

/** @param {string} tab @param {URLSearchParams} query */
function view(tab, query) {
  const load = (/** @type {ListName} */ name) => void connection.load(name);
  if (tab === "overview") return h(Overview, { model, load });
  if (tab === "sync") return h(SyncPage, { model, load });
  const current = /** @type {any} */ (NOW_TABLES)[tab];
  if (current) {
    const rows = current.rows();
    return h(DataTable, { key: tab, name: tab, title: TABS[tab], ...current, rows, fits: rows.length < 30 });
  }
  return h(History, { key: tab, tab: /** @type {ListName} */ (tab), day: query.get("day") });
}

const DELIVERIES_MS = 5_000;

/** @param {{ tab: ListName, day: string | null }} props */
function History({ tab, day }) {
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
    () =>
      day === null ? list.rows : list.rows.filter((row) => new Date(row[time]).toISOString().startsWith(day)),
    [list.rows, day],
  );
  // The day that was asked for may lie behind what was read.
  const reachesDay = day === null || (list.rows.at(-1)?.[time] ?? 0) < Date.parse(day);
  useEffect(() => {
    if (!reachesDay && canGrow(list)) void connection.more(tab);
  }, [list.rows.length, reachesDay]);
  if (!table) return null;
  return h(DataTable, {
    name: tab,
    title: TABS[tab],
    rows,
    columns: table.columns,
    rowKey: key,
    empty: list.loaded === "yes" ? table.empty : "Reading…",
    older: {
      more: canGrow(list) && (day === null || !reachesDay),
      kept: list.more && (day === null || !reachesDay) ? list.rows.length : null,
      total: list.total,
      load: () => connection.more(tab),
      // A day is read to its end without being asked.
      all: day === null ? () => connection.all(tab) : null,
      error: list.error,
    },
    extra:
      tab === "alerts"
        ? h("span", { class: "note" }, alertingWords())
        : day === null
          ? null
          : h("a", { class: "button", href: `#${tab}`, title: "Show all days" }, `${day} ✕`),
  });
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

function Accounts() {
  const accounts = model.status?.accounts ?? [];
  if (accounts.length === 0) return null;
  const name = (/** @type {any} */ { alias, address }) =>
    `${alias ? `${alias} · ` : ""}${address.slice(0, 6)}…${address.slice(-4)}`;
  if (accounts.length === 1)
    return h("span", { class: "account", title: accounts[0].address }, name(accounts[0]));
  return h(
    "select",
    {
      class: "account",
      "aria-label": "Account",
      value: model.account ?? "",
      onChange: (/** @type {any} */ event) => connection.choose(event.currentTarget.value),
    },
    accounts.map((/** @type {any} */ account) =>
      h("option", { key: account.address, value: account.address }, name(account)),
    ),
  );
}

/** @param {{ text: string }} props */
const Refusal = ({ text }) =>
  h("main", { class: "refusal" }, [
    h("h1", {}, "hlsync"),
    h("p", {}, text),
    h("p", {}, "hlsync printed the address with its token when it started."),
    h("p", {}, h("a", { class: "button", href: "/" }, "Enter the token")),
  ]);

/** One for each view, as they lie on the keyboard. */
const VIEW_KEYS = [..."1234567890-"];

const KEYS = [
  ["/", "filter the table"],
  ["1 … 9, 0, -", "go to a view, in the order of their tabs"],
  ["[ ]", "view before, view after"],
  ["d", "theme: light, dark, the system's"],
  ["← →", "read a chart, when it has the focus"],
  ["Esc", "clear the filter, close this"],
  ["?", "this list"],
];

/** @param {{ close(): void }} props */
function Help({ close }) {
  return h(
    "dialog",
    {
      class: "help",
      "aria-label": "Keys",
      ref: (/** @type {HTMLDialogElement | null} */ dialog) => {
        if (dialog && !dialog.open) dialog.showModal();
      },
      onClose: close,
      onClick: close,
    },
    h(
      "dl",
      { class: "facts" },
      KEYS.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]),
    ),
  );
}

/** @param {KeyboardEvent} event @param {{ toggleHelp(): void, closeHelp(): void }} actions */
function keyPressed(event, { toggleHelp, closeHelp }) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName))
    return;
  const names = Object.keys(TABS);
  const at = names.indexOf(route().tab);
  const go = (/** @type {number} */ index) => {
    location.hash = names[(index + names.length) % names.length];
  };
  if (event.key === "/") {
    event.preventDefault();
    /** @type {HTMLElement | null} */ (document.querySelector(".filter"))?.focus();
  } else if (event.key === "?") toggleHelp();
  else if (event.key === "Escape") closeHelp();
  else if (event.key === "[") go(at - 1);
  else if (event.key === "]") go(at + 1);
  else if (event.key === "d")
    /** @type {HTMLElement | null} */ (document.querySelector("[aria-label^='Use the']"))?.click();
  else if (VIEW_KEYS.includes(event.key)) go(VIEW_KEYS.indexOf(event.key));
}

/** @param {string} theme */
const isDark = (theme) =>
  theme === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";

/** @typedef {"auto" | "light" | "dark"} Theme */
const THEME_MARKS = { auto: "◐", light: "☀", dark: "☾" };

/** From the system's to the other one, to the same one held fast, and back. @param {Theme} theme @returns {Theme} */
function nextTheme(theme) {
  const own = isDark("auto") ? "dark" : "light";
  if (theme === "auto") return own === "dark" ? "light" : "dark";
  return theme === own ? "auto" : own;
}

/** @param {string} theme */
function applyTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

applyTheme(read("theme") ?? "auto");
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
// What stands there until this runs would stay beside the page.
root.replaceChildren();
render(h(App, {}), root);
