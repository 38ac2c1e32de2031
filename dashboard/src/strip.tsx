/** The status strip, always in view: how fresh, how fast, how complete. Each item has an icon, a word and a figure. */

import { age, clockAt, counted, day, NOTHING, stampAt } from "./format.ts";
import { accountStatus, freshness, type Model, type Row, serverNow } from "./model.ts";

const FEED = {
  live: { icon: "●", tone: "good", word: "live" },
  delayed: { icon: "◐", tone: "warn", word: "delayed" },
  stale: { icon: "▲", tone: "warn", word: "stale" },
  down: { icon: "✕", tone: "bad", word: "down" },
  away: { icon: "✕", tone: "bad", word: "hlsync is away" },
  waiting: { icon: "○", tone: "", word: "waiting" },
};

export function Strip({ model }: { model: Model }) {
  const fresh = freshness(model);
  const isOld = fresh.word !== "live" && fresh.word !== "delayed" && fresh.word !== "waiting";
  return (
    <section class="strip" aria-label="Status">
      {feedItem(fresh, isOld)}
      {databaseItem(model)}
      {reconcileItem(model)}
      {historyItem(model)}
      <p
        class="unseen"
        role="status"
      >{`Feed ${FEED[fresh.word].word}${isOld ? `, as of ${clockAt(fresh.asOfMs)}` : ""}`}</p>
    </section>
  );
}

const item = (name: string, tone: string, icon: string, word: string, figure: string, title: string) => (
  <div class={`item ${tone}`} data-item={name} title={title}>
    <span class="item-name">{name}</span>
    <span class="item-icon" aria-hidden="true">
      {icon}
    </span>
    <span class="item-word">{word}</span>
    <span class="item-figure">{figure}</span>
  </div>
);

function feedItem(fresh: ReturnType<typeof freshness>, isOld: boolean) {
  const { icon, tone, word } = FEED[fresh.word];
  const figure = isOld ? `as of ${clockAt(fresh.asOfMs)}` : fresh.ageMs === null ? NOTHING : age(fresh.ageMs);
  return item("Feed", tone, icon, word, figure, `Age of the newest data from the venue: ${age(fresh.ageMs)}`);
}

function databaseItem(model: Model) {
  const database = model.status?.database;
  const queued = accountStatus(model)?.queued;
  if (!database || model.link === "away") return item("Database", "", "○", "unknown", "", "");
  const queue = queued === null ? "" : `queue ${queued ?? 0}`;
  const title = `${database.description}: last answered ${stampAt(database.answered_ms)}`;
  if (!database.up) return item("Database", "bad", "✕", "down", queue, `${title}. ${database.error}`);
  return item(
    "Database",
    "good",
    "●",
    "up",
    [`${database.latency_ms} ms`, queue].filter(Boolean).join(" · "),
    title,
  );
}

function reconcileItem(model: Model) {
  const account = accountStatus(model);
  // Null where the page reads the database alone.
  if (!account || model.link === "away" || account.healed === null)
    return item("Reconcile", "", "○", "unknown", "", "");
  const { last_reconcile_ms: last, last_reconcile_error: error, healed, unexplained } = account;
  const findings =
    healed + unexplained === 0
      ? "0 findings"
      : `${healed} healed${unexplained > 0 ? `, ${unexplained} open` : ""}`;
  const when = last === null ? "not yet" : `${age(serverNow(model) - last)} ago`;
  const title = "The last comparison with the venue's REST answers, and what was found since the start";
  if (error) return item("Reconcile", "warn", "▲", "failed", `${when} · ${findings}`, `${title}. ${error}`);
  if (unexplained > 0) return item("Reconcile", "warn", "▲", when, findings, title);
  return item("Reconcile", last === null ? "" : "good", last === null ? "○" : "✓", when, findings, title);
}

function historyItem(model: Model) {
  const account = accountStatus(model);
  if (!account || model.link === "away") return item("History", "", "○", "unknown", "", "");
  const { complete_since_ms: since, gaps, streams } = account;
  const title = streams
    .map(
      (s: Row) =>
        `${s.stream}: ${s.complete_since_ms === null ? "nothing proven" : `complete since ${sinceWords(s.complete_since_ms)}`}, ${counted(s.gaps, "gap")}`,
    )
    .join("\n");
  if (since === null) return item("History", "", "○", "nothing proven yet", counted(gaps, "gap"), title);
  const word = `complete since ${sinceWords(since)}`;
  return item("History", gaps > 0 ? "warn" : "good", gaps > 0 ? "▲" : "✓", word, counted(gaps, "gap"), title);
}

export const sinceWords = (ms: number) => (ms === 0 ? "the beginning" : day(ms));
