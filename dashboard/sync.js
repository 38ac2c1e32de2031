/** The sync page: what is proven, what was healed, how long a change takes, and what the venue allows. */
import { h } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { Bars, LineChart } from "./charts.js";
import { useAnswer } from "./fetching.js";
import { age, clock, counted, NOTHING, stamp } from "./format.js";
import { accountStatus, serverNow } from "./model.js";
import { Choice, Panel, SPANS, spanStart } from "./overview.js";
import { remembered } from "./settings.js";
import { sinceWords } from "./strip.js";
import { DataTable } from "./table.js";
import { DRIFT } from "./tables.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Row} Row */
/** @typedef {import("./overview.js").Span} Span */

const STREAM_WORDS = {
  fills: "Fills",
  twapFills: "TWAP fills",
  orders: "Orders",
  funding: "Funding",
  ledger: "Ledger",
};

/** @param {{ model: Model, load(name: "drift"): void }} props */
export function SyncPage({ model, load }) {
  useEffect(() => load("drift"));
  const drift = model.lists.drift;
  return h("div", { class: "sync" }, [
    h(CoveragePanel, { model }),
    h("div", { class: "columns" }, [
      h("div", { class: "column" }, h(LatencyPanel, {})),
      h("div", { class: "column" }, [h(VenuePanel, { model }), h(StreamsPanel, { model })]),
    ]),
    h(DataTable, {
      name: "drift",
      title: "Differences found",
      rows: drift.rows,
      columns: DRIFT,
      rowKey: (row) => `${row.stream} ${row.found_at_ms} ${JSON.stringify(row.detail)}`,
      fits: drift.rows.length < 100,
      empty: "No difference between the database and the venue was ever found",
    }),
  ]);
}

/** @param {{ model: Model }} props */
function CoveragePanel({ model }) {
  const [span, setSpan] = remembered("coverage.span", /** @type {Span} */ ("day"));
  const { data } = useAnswer(model.account && "/api/coverage", { account: model.account }, 5_000);
  /** @type {Row[]} */
  const rows = /** @type {any} */ (data)?.rows ?? [];
  const toMs = serverNow(model);
  const known = rows.flatMap(({ from_ms, to_ms }) => [from_ms, to_ms]).filter((ms) => ms > 0);
  const fromMs = span === "all" ? Math.min(toMs - 3_600_000, ...known) : spanStart(span, toMs);
  const account = accountStatus(model);
  return h(
    Panel,
    {
      title: "Coverage",
      tools: h(Choice, { label: "Span", choices: SPANS, chosen: span, choose: setSpan }),
    },
    [
      h(
        "ul",
        { class: "coverage" },
        Object.entries(STREAM_WORDS).map(([stream, name]) => {
          const own = rows.filter((row) => row.stream === stream);
          const about = account?.streams.find((/** @type {Row} */ one) => one.stream === stream);
          const healed = model.lists.drift.rows.filter(
            (row) =>
              row.repaired_at_ms !== null &&
              (row.stream === stream || (stream === "twapFills" && row.stream === "fills")),
          );
          return coverageRow(stream, name, own, about, stream === "twapFills" ? [] : healed, fromMs, toMs);
        }),
      ),
      h("div", { class: "coverage-axis", "aria-hidden": "true" }, [
        h("span", {}, stamp(fromMs).slice(0, 16)),
        h("span", {}, `now ${clock(toMs)} UTC`),
      ]),
      h("ul", { class: "legend" }, [
        legend("proven", "proven", "Confirmed by a REST reading after it, or by an unbroken chain"),
        legend("streamed", "watched live", "No loss known, not yet confirmed"),
        legend("unprovable", "unprovable", "The venue can no longer tell"),
        legend("gap", "gap", "Wanted, not known: is being read"),
        legend("healed", "healed", "A loss that was noticed and repaired"),
      ]),
    ],
  );
}

/** @param {string} kind @param {string} word @param {string} title */
const legend = (kind, word, title) =>
  h("li", { title }, [h("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), word]);

/** @param {string} stream @param {string} name @param {Row[]} rows @param {Row | undefined} about @param {Row[]} healed @param {number} fromMs @param {number} toMs */
function coverageRow(stream, name, rows, about, healed, fromMs, toMs) {
  const x = (/** @type {number} */ ms) =>
    ((Math.min(toMs, Math.max(fromMs, ms)) - fromMs) / (toMs - fromMs)) * 100;
  const bar = (/** @type {Row} */ row) => {
    const left = x(row.from_ms);
    const width = x(row.to_ms) - left;
    if (width <= 0) return null;
    const words = `${row.grade === "streamed" ? "watched live" : row.grade}: ${row.from_ms === 0 ? "the beginning" : stamp(row.from_ms)} to ${stamp(row.to_ms)}${row.reason ? `: ${row.reason}` : ""}`;
    return h("span", {
      key: `${row.grade}${row.from_ms}`,
      class: `cover ${row.grade}`,
      title: words,
      style: { left: `${left}%`, width: `${width}%` },
    });
  };
  const rank = { streamed: 0, unprovable: 1, proven: 2 };
  const sorted = rows.toSorted(
    (a, b) => /** @type {any} */ (rank)[a.grade] - /** @type {any} */ (rank)[b.grade],
  );
  const words =
    about?.complete_since_ms === null || !about
      ? "nothing proven yet"
      : `complete since ${sinceWords(about.complete_since_ms)}, ${counted(about.gaps, "gap")}`;
  return h("li", { key: stream }, [
    h("span", { class: "coverage-name" }, name),
    h("span", { class: "coverage-track", role: "img", "aria-label": `${name}: ${words}` }, [
      ...sorted.map(bar),
      ...healed
        .filter(({ found_at_ms }) => found_at_ms >= fromMs)
        .map((row) =>
          h("span", {
            class: "cover healed",
            title: `healed ${stamp(row.found_at_ms)} UTC: ${row.cause}`,
            style: { left: `${x(row.found_at_ms)}%` },
          }),
        ),
    ]),
    h(
      "span",
      {
        class: "coverage-words",
        title: about?.proven_to_ms ? `proven to ${stamp(about.proven_to_ms)} UTC` : "",
      },
      words,
    ),
  ]);
}

const HOP_WORDS = {
  received: ["Venue → received", "From the venue's block to our socket; the clocks' difference taken out"],
  committed: ["Received → committed", "Until the transaction was committed"],
  published: ["Committed → published", "Until it was written to the event stream"],
  painted: ["Published → painted", "Until a page had drawn it"],
  delivered: ["Committed → delivered", "Until a webhook had taken it, retries inside"],
  total: ["Venue → published", "All hops but the page"],
};

function LatencyPanel() {
  const [hop, setHop] = remembered("latency.hop", /** @type {keyof typeof HOP_WORDS} */ ("total"));
  const { data } = useAnswer("/api/latency", { hours: 6 }, 5_000);
  const answer = /** @type {any} */ (data);
  const points = useMemo(
    () =>
      (answer?.minutes ?? [])
        .filter((/** @type {Row} */ row) => row.hop === hop)
        .map((/** @type {Row} */ row) => ({
          x: row.minute_ms,
          y: row.p99_ms,
          text: `p99 ${row.p99_ms} ms, p50 ${row.p50_ms} ms, ${counted(row.samples, "change")}`,
        })),
    [answer, hop],
  );
  const summary = (/** @type {string} */ name) => answer?.since_start[name]?.summary;
  const figure = (/** @type {any} */ value) =>
    value === undefined || value === null ? NOTHING : `${value.toLocaleString("en-US")}`;
  // Without webhooks nothing is ever delivered; before the first delivery of this process there may be history.
  const delivers =
    summary("delivered") || answer?.minutes.some((/** @type {Row} */ row) => row.hop === "delivered");
  const hops = Object.entries(HOP_WORDS).filter(([name]) => name !== "delivered" || delivers);
  const choices = Object.fromEntries(hops.map(([name, [words]]) => [name, words]));
  return h(Panel, { title: "Latency of live changes" }, [
    h(
      "div",
      { class: "plain-table" },
      h("table", {}, [
        h("caption", { class: "unseen" }, "Milliseconds per hop since the start"),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Hop", "p50 ms", "p90 ms", "p99 ms", "max ms", "changes"].map((title, index) =>
              h("th", { scope: "col", key: title, class: index === 0 ? "text" : "" }, title),
            ),
          ),
        ),
        h(
          "tbody",
          {},
          hops.map(([name, [words, hint]]) =>
            h("tr", { key: name, title: hint, "data-hop": name }, [
              h("th", { scope: "row", class: "text" }, words),
              ...["p50", "p90", "p99", "max", "samples"].map((part) =>
                h("td", { key: part, "data-part": part }, figure(summary(name)?.[part])),
              ),
            ]),
          ),
        ),
      ]),
    ),
    h("div", { class: "panel-head sub" }, [
      h("h3", {}, "Distribution and p99 per minute, last 6 hours"),
      h("span", { class: "spring" }),
      h(
        "select",
        {
          "aria-label": "Hop",
          value: hop,
          onChange: (/** @type {any} */ event) => setHop(event.currentTarget.value),
        },
        Object.entries(choices).map(([value, text]) => h("option", { value, key: value }, text)),
      ),
    ]),
    h(Bars, {
      label: `Distribution of ${choices[hop]}`,
      rows: histogramRows(answer?.since_start[hop]?.histogram ?? []),
    }),
    h(LineChart, {
      label: `p99 of ${choices[hop]} per minute in milliseconds`,
      points,
      height: 340,
      fromZero: true,
    }),
  ]);
}

const EDGES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** @param {[number, number][]} histogram upper ms, count */
function histogramRows(histogram) {
  const total = histogram.reduce((all, [, count]) => all + count, 0);
  if (total === 0) return [];
  const counts = [...EDGES, Number.POSITIVE_INFINITY].map((edge, index) => ({
    name: edge === Number.POSITIVE_INFINITY ? `> ${EDGES[EDGES.length - 1]} ms` : `≤ ${edge} ms`,
    count: histogram
      .filter(([ms]) => ms <= edge && (index === 0 || ms > EDGES[index - 1]))
      .reduce((all, [, count]) => all + count, 0),
  }));
  const first = counts.findIndex(({ count }) => count > 0);
  const last = counts.findLastIndex(({ count }) => count > 0);
  return counts.slice(first, last + 1).map(({ name, count }) => ({
    key: name,
    name,
    value: count,
    tone: "neutral",
    text: `${((count / total) * 100).toFixed(1)}%`,
    note: counted(count, "change"),
  }));
}

/** @param {{ model: Model }} props */
function VenuePanel({ model }) {
  const venue = model.status?.venue;
  const account = accountStatus(model);
  const now = serverNow(model);
  if (!venue || !account) return h(Panel, { title: "Venue" }, h("p", { class: "empty" }, "Waiting"));
  const facts = /** @type {const} */ ([
    [
      "Socket",
      `${account.socket}${account.round_trip_ms === null ? "" : `, ${account.round_trip_ms} ms round trip`}`,
    ],
    ["Reconnects", `${account.reconnects}${account.last_end ? `, last: ${account.last_end}` : ""}`],
    [
      "Frames waiting",
      `${account.queued}${account.dropped > 0 ? `, ${account.dropped} dropped and repaired` : ""}`,
    ],
    [
      "Last reconcile",
      account.last_reconcile_ms === null
        ? "not yet"
        : `${age(now - account.last_reconcile_ms)} ago${account.last_reconcile_error ? `, failed since: ${account.last_reconcile_error}` : ""}`,
    ],
    ["Found", `${account.healed} healed, ${account.unexplained} not explained`],
    ["Clock offset", `${Math.round(venue.clock_offset_ms)} ms`],
    [
      "Requests",
      `${venue.inflight} under way, ${venue.waiting} waiting, ${counted(venue.throttled, "answer")} 429`,
    ],
    ["Event streams", String(model.status?.event_streams)],
    ["Running for", age(now - model.status?.started_ms)],
    ["Version", String(model.status?.version)],
  ]);
  const share = Math.min(100, (venue.weight_used / venue.weight_per_minute) * 100);
  return h(Panel, { title: "Venue and process" }, [
    h("div", { class: "meter", title: "REST weight of the last minute" }, [
      h("span", {}, "REST weight"),
      h(
        "span",
        {
          class: "meter-track",
          role: "meter",
          "aria-label": "REST weight of the last minute",
          "aria-valuenow": venue.weight_used,
          "aria-valuemin": 0,
          "aria-valuemax": venue.weight_per_minute,
        },
        h("span", { class: share > 90 ? "warn" : "", style: { width: `${share}%` } }),
      ),
      h("span", {}, `${Math.round(venue.weight_used)} / ${venue.weight_per_minute}`),
    ]),
    h(
      "dl",
      { class: "facts" },
      facts.map(([name, value]) => [h("dt", { key: name }, name), h("dd", {}, value)]),
    ),
  ]);
}

/** @param {{ model: Model }} props */
function StreamsPanel({ model }) {
  const account = accountStatus(model);
  const now = serverNow(model);
  /** @type {Row[]} */
  const subscriptions = account?.subscriptions ?? [];
  return h(Panel, { title: "Streams" }, [
    subscriptions.length === 0
      ? h(
          "p",
          { class: "empty" },
          account?.mode === "poll"
            ? "This account is polled over REST"
            : account?.mode === "standby"
              ? `Another process follows this account${account.holder ? `: ${account.holder}` : ""}`
              : "Waiting",
        )
      : h(
          "div",
          { class: "plain-table" },
          h("table", {}, [
            h("caption", { class: "unseen" }, "Subscriptions and the age of their last data"),
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                ["Subscription", "State", "Last data"].map((title, index) =>
                  h("th", { key: title, scope: "col", class: index < 2 ? "text" : "" }, title),
                ),
              ),
            ),
            h(
              "tbody",
              {},
              subscriptions.map(({ type, dex, state, stale, last_data_ms }) =>
                h("tr", { key: `${type} ${dex}` }, [
                  h("th", { scope: "row", class: "text" }, [
                    type,
                    dex ? h("span", { class: "tag" }, dex) : null,
                  ]),
                  h(
                    "td",
                    { class: "text" },
                    stale && state !== "refused"
                      ? h("span", { class: "warn" }, "▲ silent")
                      : state === "confirmed"
                        ? h("span", { class: "good" }, "● confirmed")
                        : state,
                  ),
                  h("td", {}, last_data_ms === null ? NOTHING : age(now - last_data_ms)),
                ]),
              ),
            ),
          ]),
        ),
  ]);
}
