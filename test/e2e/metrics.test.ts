/** Metrics of a real process that is being disturbed, held against what the venue, the database and a receiver say. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { hlsync, ofType, type Running, simulate, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { PATIENCE_MS, until } from "../support/until.ts";
import { findPromtool, NO_PROMTOOL } from "../unit/outputs/promtool.ts";
import { type Receiver, startReceiver } from "../unit/outputs/receiver.ts";

const ACCOUNT = `0x${"e".repeat(40)}`;

describe("metrics", () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };
  let receiver: Receiver;
  let program: Running;
  let url = "";
  /** Deliveries that the receiver refused. */
  let refused = 0;

  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    exchange = await simulate("--account", ACCOUNT, "--fills-per-second", "5", "--weight", "6000");
    receiver = await startReceiver();
    receiver.answer = () => {
      if (receiver.seen.length % 5 !== 0) return 204;
      refused += 1;
      return 500;
    };
    const database = ["--database", target.url];
    const hook = ["webhooks", "add", receiver.url, "--allow-private", "--events", "fill.*,order.*"];
    assert.equal((await hlsync([...hook, ...database])).code, 0);
    program = start([
      ...["run", "--api-url", exchange.apiUrl, ...database, "--listen", "127.0.0.1:0", "--weight", "6000"],
      ...[
        "--account",
        `${ACCOUNT}=main`,
        "--json",
        "--webhook-retry",
        `0,${Array(30).fill("0.1").join(",")}`,
      ],
    ]);
    url = await program.complaint(/http:\/\/127\.0\.0\.1:\d+/);
    await program.line((line) => (ofType("fill.created")(line)?.source === "stream" ? true : undefined));
  });
  after(async () => {
    await program?.stop();
    await exchange?.stop();
    await receiver?.close();
    await target?.close();
    await server?.stop();
  });

  const control = async (path: string, body?: unknown): Promise<Record<string, never>> => {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`${exchange.apiUrl}/control/${path}`, init);
    assert.equal(answer.status, 200, path);
    return (await answer.json()) as Record<string, never>;
  };
  const faultCounts = async (): Promise<Record<string, number>> =>
    ((await control("state")).faults as unknown as { counts: Record<string, number> }).counts;

  /** `name{label="value",…}` to its value. */
  const scrape = async (): Promise<Map<string, number>> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
    );
  };
  const sum = (metrics: Map<string, number>, name: string, ...labels: string[]): number =>
    [...metrics]
      .filter(([key]) => key.replace(/\{.*/, "") === name && labels.every((label) => key.includes(label)))
      .reduce((total, [, value]) => total + value, 0);

  /** What the database and the receiver counted, between two scrapes: trading goes on meanwhile. */
  interface Moment {
    low: Map<string, number>;
    truth: Map<string, number>;
    high: Map<string, number>;
  }
  async function look(): Promise<Moment> {
    const low = await scrape();
    const truth = new Map<string, number>();
    const events = await target.database.query<{ type: string; source: string; n: number }>(
      `select type, source, count(*) as n from hl_internal.outbox where type !~ '^(alert|gap|webhook)' group by 1, 2`,
    );
    for (const { type, source, n } of events)
      truth.set(`hlsync_events_total{type="${type}",source="${source}"}`, n);
    const drift = await target.database.query<{ cause: string; found: number; repaired: number }>(
      "select cause, count(*) as found, count(repaired_at_ms) as repaired from hl_internal.drift group by 1",
    );
    for (const { cause, found, repaired } of drift) {
      truth.set(`hlsync_drift_found_total{cause="${cause}"}`, found);
      truth.set(`hlsync_drift_repaired_total{cause="${cause}"}`, repaired);
    }
    const [endpoint] = await target.database.query<{ id: string }>(
      "select id from hl_internal.webhook_endpoints",
    );
    const attempts = `hlsync_webhook_attempts_total{endpoint="${endpoint!.id}",outcome=`;
    truth.set(`${attempts}"delivered"}`, receiver.accepted.length);
    truth.set(`${attempts}"failed"}`, refused);
    // What was answered before is counted by now; what is answered later comes on top.
    await until("the last answers to be counted", PATIENCE_MS, async () => {
      const now = await scrape();
      return [...truth].every(([key, value]) => !key.startsWith(attempts) || (now.get(key) ?? 0) >= value);
    });
    return { low, truth, high: await scrape() };
  }

  it("agree with the venue, the database and the receiver about what happened under faults", async (t) => {
    const begin = await look();
    await control("faults", [
      { fault: "duplicate", channel: "userFills", user: ACCOUNT, times: 20 },
      { fault: "malform", channel: "userFills", user: ACCOUNT, times: 2, skip: 5 },
      { fault: "http429", times: 2 },
    ]);
    let losingMs = 0;
    const lost = ["userFills", "user"].map((channel) => ({
      fault: "drop",
      channel,
      user: ACCOUNT,
      forMs: 600,
    }));
    await until("a loss that was noticed and repaired", PATIENCE_MS, async () => {
      if (performance.now() > losingMs) {
        losingMs = performance.now() + 4_000;
        await control("faults", lost);
      }
      return sum(await scrape(), "hlsync_drift_repaired_total") >= 2;
    });
    for (let cuts = 1; cuts <= 2; cuts++) {
      await control("connections", { do: "cut" });
      await until("a new connection", PATIENCE_MS, async () => {
        const now = await scrape();
        const isLive = now.get('hlsync_stream_state{account="main",state="live"}') === 1;
        return (
          isLive &&
          sum(now, "hlsync_stream_reconnects_total") - sum(begin.low, "hlsync_stream_reconnects_total") >=
            cuts
        );
      });
    }
    await until("all faults to have happened", PATIENCE_MS, async () => {
      const counts = await faultCounts();
      return counts.duplicate === 20 && counts.malform === 2 && counts.http429 === 2;
    });
    await control("faults/clear", {});
    await until("no gap and a complete history", PATIENCE_MS, async () => {
      const now = await scrape();
      const [gaps] = await target.database.query<{ n: number }>(
        "select count(*) as n from hl_gaps where kind = 'missing' and stream <> 'orders' and to_ms < extract(epoch from now()) * 1000 - 20000",
      );
      return (
        gaps!.n === 0 && sum(now, "hlsync_gaps_open", 'stream="fills"') === 0 && now.get("hlsync_ready") === 1
      );
    });

    const end = await look();
    const grown: string[] = [];
    for (const [key, value] of end.truth) {
      const before = begin.truth.get(key) ?? 0;
      const at = (metrics: Map<string, number>) => metrics.get(key) ?? 0;
      // Counting begins when the process listens: only what came since is compared.
      const least = at(end.low) - at(begin.high);
      const most = at(end.high) - at(begin.low);
      assert.ok(
        least <= value - before && value - before <= most,
        `${key}: ${least} ≤ ${value - before} ≤ ${most}`,
      );
      if (value > before) grown.push(`${key.replace("hlsync_", "")} ${value - before}`);
    }
    t.diagnostic(grown.join(", "));
    for (const part of [
      'fill.created",source="stream',
      'fill.created",source="repair',
      "drift_repaired",
      "delivered",
      "failed",
    ])
      assert.ok(
        grown.some((line) => line.includes(part)),
        part,
      );

    // Doubled frames made no second event.
    const [doubled] = await target.database.query<{ events: number; keys: number }>(
      `select count(*) as events, count(distinct event_key) as keys from hl_internal.outbox where type = 'fill.created'`,
    );
    assert.equal(doubled!.events, doubled!.keys);
    const known = (metrics: Map<string, number>) =>
      metrics.get('hlsync_rows_known_total{table="hl_fills"}') ?? 0;
    assert.ok(known(end.low) - known(begin.high) >= 20, "duplicates");
    // The venue's truth, up to the newest fill that is stored.
    const [stored] = await target.database.query<{ n: number; newest: number }>(
      "select count(*) as n, max(fill_time_ms) as newest from hl_fills",
    );
    const { fills, twapSliceFills } = (await control(`truth?user=${ACCOUNT}`)) as unknown as {
      fills: { time: number }[];
      twapSliceFills: { fill: { time: number } }[];
    };
    const happened = [...fills, ...twapSliceFills.map(({ fill }) => fill)];
    assert.equal(happened.filter(({ time }) => time <= stored!.newest).length, stored!.n);
    assert.equal(
      sum(end.high, "hlsync_rest_throttled_total") - sum(begin.low, "hlsync_rest_throttled_total"),
      2,
    );
    assert.equal(sum(end.high, "hlsync_inbox_dropped_total"), 0);
    assert.equal(sum(end.high, "hlsync_metrics_dropped_total"), 0);
    assert.ok(sum(end.high, "hlsync_hop_seconds_count", 'hop="delivered"') > 0);
  });

  it("count the quarantine by subject, and drift that is not repaired, as the database has them", async () => {
    await target.database.query(
      `insert into hl_internal.drift (account_address, stream, cause, digest, found_at_ms)
       values ($1, 'fills', 'made up', 'x', (extract(epoch from now()) * 1000)::bigint)`,
      [ACCOUNT],
    );
    const rows = await target.database.query<{ subject: string; n: number; sightings: number }>(
      "select subject, count(*) as n, sum(count)::int as sightings from hl_internal.quarantine group by 1",
    );
    assert.equal(
      rows.reduce((total, { sightings }) => total + sightings, 0),
      2,
      "two frames were malformed",
    );
    await until("the gauges to be read anew", PATIENCE_MS, async () => {
      const now = await scrape();
      return (
        now.get('hlsync_drift_unrepaired{account="main"}') === 1 &&
        rows.every(({ subject, n }) => now.get(`hlsync_quarantine_messages{subject="${subject}"}`) === n)
      );
    });
    assert.equal(
      sum(await scrape(), "hlsync_quarantine_messages"),
      rows.reduce((total, { n }) => total + n, 0),
    );
  });

  const skip = findPromtool() === null && NO_PROMTOOL;
  it("are written as promtool wants them", { skip }, async () => {
    const input = await (await fetch(`${url}/metrics`)).text();
    const { status, stdout, stderr } = spawnSync(findPromtool()!, ["check", "metrics"], {
      input,
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout + stderr);
  });
});
