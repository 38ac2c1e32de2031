/** The sync page: what is proven, what was healed, how long a change takes, and what the venue allows. */

import { useEffect, useMemo } from "preact/hooks";
import { Bars } from "./charts.tsx";
import { useAnswer } from "./fetching.ts";
import { age, clockAt, counted, NOTHING, stamp, stampAt } from "./format.ts";
import { LineChart } from "./lines.tsx";
import type { Model, Row } from "./model.ts";
import { accountStatus, serverNow } from "./model.ts";
import type { Span } from "./overview.tsx";
import { SPANS, spanStart } from "./overview.tsx";
import { Choice, Panel } from "./panel.tsx";
import { inAddress } from "./settings.ts";
import { source } from "./source.ts";
import { sinceWords } from "./strip.tsx";
import { DataTable } from "./table.tsx";
import { DRIFT } from "./tables.tsx";

const STREAM_WORDS = {
  fills: "Fills",
  twapFills: "TWAP fills",
  orders: "Orders",
  funding: "Funding",
  ledger: "Ledger",
};

export function SyncPage({ model, load }: { model: Model; load(name: "drift"): void }) {
  useEffect(() => load("drift"));
  const drift = model.lists.drift;
  return (
    <div class="sync">
      <CoveragePanel model={model} />
      {source().hasServer ? (
        <div class="columns">
          <div class="column">
            <LatencyPanel />
          </div>
          <div class="column">
            <VenuePanel model={model} />
            <StreamsPanel model={model} />
          </div>
        </div>
      ) : null}
      <DataTable
        name="drift"
        title="Differences found"
        rows={drift.rows}
        columns={DRIFT}
        rowKey={(row) => `${row.stream} ${row.found_at_ms} ${JSON.stringify(row.detail)}`}
        fits={drift.rows.length < 100}
        empty="No difference between the database and the venue was ever found"
      />
    </div>
  );
}

function CoveragePanel({ model }: { model: Model }) {
  const [span, setSpan] = inAddress("range", SPANS, "day" as Span);
  const { data } = useAnswer(model.account && "/api/coverage", { account: model.account }, 5_000);
  const rows: Row[] = data?.rows ?? [];
  const toMs = serverNow(model);
  const known = rows.flatMap(({ from_ms, to_ms }) => [from_ms, to_ms]).filter((ms) => ms > 0);
  const fromMs = span === "all" ? Math.min(toMs - 3_600_000, ...known) : spanStart(span, toMs);
  const account = accountStatus(model);
  return (
    <Panel title="Coverage" tools={<Choice label="Span" choices={SPANS} chosen={span} choose={setSpan} />}>
      <ul class="coverage">
        {Object.entries(STREAM_WORDS).map(([stream, name]) => {
          const own = rows.filter((row) => row.stream === stream);
          const about = account?.streams.find((one: Row) => one.stream === stream);
          const healed = model.lists.drift.rows.filter(
            (row) =>
              row.repaired_at_ms !== null &&
              (row.stream === stream || (stream === "twapFills" && row.stream === "fills")),
          );
          return coverageRow(stream, name, own, about, stream === "twapFills" ? [] : healed, fromMs, toMs);
        })}
      </ul>
      <div class="coverage-axis" aria-hidden="true">
        <span>{stamp(fromMs).slice(0, 16)}</span>
        <span>{`now ${clockAt(toMs)}`}</span>
      </div>
      <ul class="legend">
        {legend("proven", "proven", "Confirmed by a REST reading after it, or by an unbroken chain")}
        {legend("streamed", "watched live", "No loss known, not yet confirmed")}
        {legend("unprovable", "unprovable", "The venue can no longer tell")}
        {legend("gap", "gap", "Wanted, not known: is being read")}
        {legend("healed", "healed", "A loss that was noticed and repaired")}
      </ul>
    </Panel>
  );
}

const legend = (kind: string, word: string, title: string) => (
  <li title={title}>
    <span class={`swatch ${kind}`} aria-hidden="true" />
    {word}
  </li>
);

function coverageRow(
  stream: string,
  name: string,
  rows: Row[],
  about: Row | undefined,
  healed: Row[],
  fromMs: number,
  toMs: number,
) {
  const x = (ms: number) => ((Math.min(toMs, Math.max(fromMs, ms)) - fromMs) / (toMs - fromMs)) * 100;
  const bar = (row: Row) => {
    const left = x(row.from_ms);
    const width = x(row.to_ms) - left;
    if (width <= 0) return null;
    const words = `${row.grade === "streamed" ? "watched live" : row.grade}: ${row.from_ms === 0 ? "the beginning" : stamp(row.from_ms)} to ${stamp(row.to_ms)}${row.reason ? `: ${row.reason}` : ""}`;
    return (
      <span
        key={`${row.grade}${row.from_ms}`}
        class={`cover ${row.grade}`}
        title={words}
        style={{ left: `${left}%`, width: `${width}%` }}
      />
    );
  };
  const rank: Record<string, number> = { streamed: 0, unprovable: 1, proven: 2 };
  const sorted = rows.toSorted((a, b) => (rank[a.grade] ?? 0) - (rank[b.grade] ?? 0));
  const words =
    about?.complete_since_ms === null || !about
      ? "nothing proven yet"
      : `complete since ${sinceWords(about.complete_since_ms)}, ${counted(about.gaps, "gap")}`;
  return (
    <li key={stream}>
      <span class="coverage-name">{name}</span>
      <span class="coverage-track" role="img" aria-label={`${name}: ${words}`}>
        {sorted.map(bar)}
        {healed
          .filter(({ found_at_ms }) => found_at_ms >= fromMs)
          .map((row) => (
            <span
              class="cover healed"
              title={`healed ${stampAt(row.found_at_ms)}: ${row.cause}`}
              style={{ left: `${x(row.found_at_ms)}%` }}
            />
          ))}
      </span>
      <span
        class="coverage-words"
        title={about?.proven_to_ms ? `proven to ${stampAt(about.proven_to_ms)}` : ""}
      >
        {words}
      </span>
    </li>
  );
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
  const [hop, setHop] = inAddress("hop", HOP_WORDS, "total");
  const { data } = useAnswer("/api/latency", { hours: 6 }, 5_000);
  const answer = data;
  const points = useMemo(
    () =>
      (answer?.minutes ?? [])
        .filter((row: Row) => row.hop === hop)
        .map((row: Row) => ({
          x: row.minute_ms,
          y: row.p99_ms,
          text: `p99 ${row.p99_ms} ms, p50 ${row.p50_ms} ms, ${counted(row.samples, "change")}`,
        })),
    [answer, hop],
  );
  const summary = (name: string) => answer?.since_start[name]?.summary;
  const figure = (value: number | null | undefined) =>
    value === undefined || value === null ? NOTHING : `${value.toLocaleString("en-US")}`;
  // Without webhooks nothing is ever delivered; before the first delivery of this process there may be history.
  const delivers = summary("delivered") || answer?.minutes.some((row: Row) => row.hop === "delivered");
  const hops = Object.entries(HOP_WORDS).filter(([name]) => name !== "delivered" || delivers);
  const choices = Object.fromEntries(hops.map(([name, [words]]) => [name, words]));
  return (
    <Panel title="Latency of live changes">
      <div class="plain-table">
        <table>
          <caption class="unseen">Milliseconds per hop since the start</caption>
          <thead>
            <tr>
              {["Hop", "p50 ms", "p90 ms", "p99 ms", "max ms", "changes"].map((title, index) => (
                <th scope="col" key={title} class={index === 0 ? "text" : ""}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {hops.map(([name, [words, hint]]) => (
              <tr key={name} title={hint} data-hop={name}>
                <th scope="row" class="text">
                  {words}
                </th>
                {["p50", "p90", "p99", "max", "samples"].map((part) => (
                  <td key={part} data-part={part}>
                    {figure(summary(name)?.[part])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="panel-head sub">
        <h3>Distribution and p99 per minute, last 6 hours</h3>
        <span class="spring" />
        <select
          aria-label="Hop"
          value={hop}
          onChange={(event) => setHop(event.currentTarget.value as typeof hop)}
        >
          {Object.entries(choices).map(([value, text]) => (
            <option value={value} key={value}>
              {text}
            </option>
          ))}
        </select>
      </div>
      <Bars
        label={`Distribution of ${choices[hop]}`}
        rows={histogramRows(answer?.since_start[hop]?.histogram ?? [])}
      />
      <LineChart
        label={`p99 of ${choices[hop]} per minute in milliseconds`}
        points={points}
        height={340}
        fromZero
      />
    </Panel>
  );
}

const EDGES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** `histogram`: upper ms, count */
function histogramRows(histogram: [number, number][]) {
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

function VenuePanel({ model }: { model: Model }) {
  const venue = model.status?.venue;
  const account = accountStatus(model);
  const now = serverNow(model);
  if (!venue || !account)
    return (
      <Panel title="Venue">
        <p class="empty">Waiting</p>
      </Panel>
    );
  const facts = [
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
  ] as const;
  const share = Math.min(100, (venue.weight_used / venue.weight_per_minute) * 100);
  return (
    <Panel title="Venue and process">
      <div class="meter" title="REST weight of the last minute">
        <span>REST weight</span>
        <span
          class="meter-track"
          role="meter"
          aria-label="REST weight of the last minute"
          aria-valuenow={venue.weight_used}
          aria-valuemin={0}
          aria-valuemax={venue.weight_per_minute}
        >
          <span class={share > 90 ? "warn" : ""} style={{ width: `${share}%` }} />
        </span>
        <span>{`${Math.round(venue.weight_used)} / ${venue.weight_per_minute}`}</span>
      </div>
      <dl class="facts">{facts.map(([name, value]) => [<dt key={name}>{name}</dt>, <dd>{value}</dd>])}</dl>
    </Panel>
  );
}

function StreamsPanel({ model }: { model: Model }) {
  const account = accountStatus(model);
  const now = serverNow(model);
  const subscriptions: Row[] = account?.subscriptions ?? [];
  return (
    <Panel title="Streams">
      {subscriptions.length === 0 ? (
        <p class="empty">
          {account?.mode === "poll"
            ? "This account is polled over REST"
            : account?.mode === "standby"
              ? `Another process follows this account${account.holder ? `: ${account.holder}` : ""}`
              : "Waiting"}
        </p>
      ) : (
        <div class="plain-table">
          <table>
            <caption class="unseen">Subscriptions and the age of their last data</caption>
            <thead>
              <tr>
                {["Subscription", "State", "Last data"].map((title, index) => (
                  <th key={title} scope="col" class={index < 2 ? "text" : ""}>
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {subscriptions.map(({ type, dex, state, stale, last_data_ms }) => (
                <tr key={`${type} ${dex}`}>
                  <th scope="row" class="text">
                    {type}
                    {dex ? <span class="tag">{dex}</span> : null}
                  </th>
                  <td class="text">
                    {stale && state !== "refused" ? (
                      <span class="warn">▲ silent</span>
                    ) : state === "confirmed" ? (
                      <span class="good">● confirmed</span>
                    ) : (
                      state
                    )}
                  </td>
                  <td>{last_data_ms === null ? NOTHING : age(now - last_data_ms)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
