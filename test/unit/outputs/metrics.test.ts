/** Metrics: the registry's text, lags and their percentiles, the clock's offset, and the page that lists them. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ClockOffset, type MeasuredOffset } from "../../../src/outputs/metrics/clockOffset.ts";
import { HOPS, type Hop, LagCounts, Latency } from "../../../src/outputs/metrics/latency.ts";
import { type KeptMinute, overMinutes } from "../../../src/outputs/metrics/latencyHistory.ts";
import { createRegistry } from "../../../src/outputs/metrics/registry.ts";
import { METRICS, metricsReference } from "../../../src/outputs/metrics/table.ts";
import { Telemetry } from "../../../src/outputs/metrics/telemetry.ts";
import type { Snapshot } from "../../../src/outputs/observation/knowledge.ts";
import { type HealthFacts, status } from "../../../src/outputs/observation/status.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import type { Committed, EngineStatus } from "../../../src/sync/engine.ts";
import { SUSPICION_KINDS } from "../../../src/sync/selfCheck.ts";
import { HandClock } from "../connection/handClock.ts";

const REFERENCE = new URL("../../../docs/metrics.md", import.meta.url);

describe("the registry", () => {
  const table = {
    hits_total: { type: "counter", help: "Hits.", labels: ["path"] },
    level: { type: "gauge", help: "Level\nof water.", labels: [] },
    wait_seconds: { type: "histogram", help: "Waits.", labels: ["hop"], buckets: [0.1, 1] },
  } as const;

  it("writes the exposition format, label values escaped", () => {
    const registry = createRegistry(table);
    registry.add("hits_total", { path: 'a"\\\n' }, 2);
    registry.add("hits_total", { path: 'a"\\\n' });
    registry.set("level", {}, 1.5);
    for (const seconds of [0.05, 0.1, 0.5, 7]) registry.observe("wait_seconds", { hop: "x" }, seconds);
    assert.equal(
      registry.text(),
      [
        "# HELP hits_total Hits.",
        "# TYPE hits_total counter",
        'hits_total{path="a\\"\\\\\\n"} 3',
        "# HELP level Level\\nof water.",
        "# TYPE level gauge",
        "level 1.5",
        "# HELP wait_seconds Waits.",
        "# TYPE wait_seconds histogram",
        'wait_seconds_bucket{hop="x",le="0.1"} 2',
        'wait_seconds_bucket{hop="x",le="1"} 3',
        'wait_seconds_bucket{hop="x",le="+Inf"} 4',
        'wait_seconds_sum{hop="x"} 7.65',
        'wait_seconds_count{hop="x"} 4',
        "",
      ].join("\n"),
    );
  });

  it("refuses labels that the table does not have", () => {
    const registry = createRegistry(table);
    assert.throws(() => registry.add("hits_total", {}), /labels path/);
    assert.throws(() => registry.set("level", { path: "x" }, 1), RangeError);
  });

  it("holds a bounded number of series and counts what it dropped", () => {
    const registry = createRegistry({
      ...table,
      hlsync_metrics_dropped_total: METRICS.hlsync_metrics_dropped_total,
    });
    for (let i = 0; i < 2_500; i++) registry.add("hits_total", { path: String(i) });
    const lines = registry.text().split("\n");
    assert.equal(lines.filter((line) => line.startsWith("hits_total{")).length, 2_000);
    assert.ok(lines.includes("hlsync_metrics_dropped_total 500"));
  });
});

describe("the table of metrics", () => {
  it("keeps to names and units that Prometheus users expect", () => {
    for (const [name, spec] of Object.entries(METRICS)) {
      assert.match(name, /^(hlsync|process|nodejs)_[a-z0-9_]+$/);
      assert.equal(name.endsWith("_total"), spec.type === "counter", name);
      assert.doesNotMatch(name, /_(ms|milliseconds|minutes)\b/);
    }
  });

  it("is what docs/metrics.md lists", () => {
    if (process.env.HLSYNC_WRITE_DOCS) writeFileSync(REFERENCE, metricsReference());
    assert.equal(
      readFileSync(REFERENCE, "utf8"),
      metricsReference(),
      "docs/metrics.md is old: run this test with HLSYNC_WRITE_DOCS=1",
    );
  });
});

describe("what telemetry exports", () => {
  const telemetry = () =>
    new Telemetry({
      clock: systemClock,
      log: silentLog,
      instance: "test",
      version: "1",
      db: { query: async () => [] },
      measuredOffset: () => null,
      measure: async () => {},
    });
  const engine = {
    writesRefused: null,
    accounts: [
      {
        address: `0x${"a".repeat(40)}`,
        alias: "main",
        mode: "poll",
        pollMs: 15_000,
        role: "active",
        lane: null,
        holder: null,
      },
    ],
  } satisfies EngineStatus;
  const scrape = (
    from: Telemetry,
    provenToMs: number | null,
    {
      accounts = engine.accounts,
      snapshot = null,
    }: Partial<Pick<EngineStatus, "accounts">> & { snapshot?: Snapshot | null } = {},
  ): string => {
    const about = { completeSinceMs: provenToMs, provenToMs, gaps: [], streamed: [], unprovable: [] };
    const now = status({
      nowMs: 1_000,
      startedMs: 0,
      version: "1",
      database: null,
      engine: { ...engine, accounts },
      clockOffsetMs: 0,
      eventStreams: 0,
      alerting: null,
      fleet: [],
      holderOf: () => null,
      probe: { up: false, latencyMs: null, answeredMs: null, error: null, outboxHead: 0 },
      limiter: { usedLastMinute: 0, weightPerMinute: 1200, waiting: 0, inflight: 0, throttled429: 0 },
      knowledge: () => [{ stream: "fills", ...about }],
      heard: () => null,
    } as HealthFacts);
    const outputs = {
      pending: null,
      deliveries: null,
      alerts: null,
      endpoints: null,
      drift: null,
      quarantine: null,
    };
    return from.scrape(now, () => snapshot, outputs);
  };

  it("says no more what is not known any more, nor anything of an account that left", () => {
    const one = telemetry();
    const snapshot = { accountValue: "900", netWorth: "1000", healthScore: 80 } as Snapshot;
    assert.match(scrape(one, 500, { snapshot }), /^hlsync_net_worth_usd\{account="main"\} 1000$/m);
    const unknown = scrape(one, 500, { snapshot: { ...snapshot, accountValue: null, netWorth: null } });
    assert.doesNotMatch(unknown, /^hlsync_(net_worth|account_value)_usd/m);
    assert.match(unknown, /^hlsync_health_score\{account="main"\} 80$/m);
    const left = scrape(one, 500, { accounts: [] });
    assert.doesNotMatch(left, /account="main"/);
    assert.match(left, /^hlsync_build_info\{version="1"\} 1$/m);
  });

  it("counts rows by table and source, and drift of every kind from the start", () => {
    const counted = telemetry();
    const applied = { events: [], written: { hl_fills: 3, hl_dashboard: 0 }, known: {} };
    const sources = { hl_fills: "backfill" } as const;
    counted.committed({ applied, sources, receivedAtMs: 0, committedAtMs: 1 });
    const text = scrape(counted, null);
    assert.match(text, /^hlsync_rows_written_total\{table="hl_fills",source="backfill"\} 3$/m);
    for (const cause of SUSPICION_KINDS) {
      assert.match(text, new RegExp(`^hlsync_drift_found_total\\{cause="${cause}"\\} 0$`, "m"));
      assert.match(text, new RegExp(`^hlsync_drift_repaired_total\\{cause="${cause}"\\} 0$`, "m"));
    }
  });

  it("tells how long the event loop was blocked", async () => {
    const blocked = telemetry();
    scrape(blocked, null);
    await systemClock.sleep(30);
    const untilMs = performance.now() + 150;
    while (performance.now() < untilMs);
    await systemClock.sleep(30);
    const longest = Number(/^nodejs_eventloop_lag_max_seconds ([\d.e-]+)$/m.exec(scrape(blocked, null))?.[1]);
    assert.ok(longest > 0.1 && longest < 5, String(longest));
  });

  it("says nothing of gaps while nothing is proven", () => {
    assert.doesNotMatch(scrape(telemetry(), null), /^hlsync_gaps_open/m);
    assert.match(scrape(telemetry(), 500), /^hlsync_gaps_open\{account="main",stream="fills"\} 0$/m);
  });
});

describe("percentiles of lags", () => {
  it("are exact below 128 ms and at most 5 % too high above, whatever the lags", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3_600_000 }), { minLength: 1 }), (lags) => {
        const counts = new LagCounts();
        for (const lag of lags) counts.add(lag);
        const sorted = lags.toSorted((a, b) => a - b);
        const summary = counts.summary()!;
        assert.equal(summary.samples, lags.length);
        assert.equal(summary.max, sorted.at(-1));
        for (const [name, part] of [
          ["p50", 0.5],
          ["p90", 0.9],
          ["p99", 0.99],
        ] as const) {
          const truth = sorted[Math.ceil(lags.length * part) - 1]!;
          assert.ok(
            summary[name] >= truth && summary[name] <= Math.max(truth * 1.05, truth),
            `${name} of ${truth}`,
          );
          if (truth < 128) assert.equal(summary[name], truth);
        }
        const total = counts.histogram().reduce((sum, [, count]) => sum + count, 0);
        assert.equal(total, lags.length);
      }),
    );
  });

  it("count a clock that disagrees as no lag", () => {
    const counts = new LagCounts();
    counts.add(-50);
    assert.deepEqual(counts.summary(), { samples: 1, p50: 0, p90: 0, p99: 0, max: 0 });
  });

  it("are given out a minute at a time, and again when they could not be written", () => {
    const latency = new Latency();
    latency.add("committed", 3, 60_000);
    latency.add("committed", 5, 119_999);
    assert.deepEqual(latency.takeMinutes(119_999), []);
    latency.add("committed", 9, 120_000);
    const done = latency.takeMinutes(120_000);
    assert.deepEqual(done, [
      { minuteMs: 60_000, hop: "committed", samples: 2, p50: 3, p90: 5, p99: 5, max: 5 },
    ]);
    assert.deepEqual(latency.takeMinutes(120_000), []);
    latency.giveBack(done);
    assert.deepEqual(latency.takeMinutes(120_001), done);
    assert.equal(latency.sinceStart().committed.summary?.samples, 3);
  });

  it("of minutes that nobody takes are kept for an hour at most", () => {
    const latency = new Latency();
    for (let minute = 0; minute < 1_000; minute++) latency.add("received", 1, minute * 60_000);
    assert.ok(latency.takeMinutes(1_000 * 60_000).length <= 60 * HOPS.length);
  });
});

describe("percentiles over the minutes that were kept", () => {
  const kept = (hop: Hop, lags: readonly number[]): KeptMinute => {
    const counts = new LagCounts();
    for (const lag of lags) counts.add(lag);
    return { hop, ...counts.summary()! };
  };

  it("are those of the minutes when all minutes are alike, and hops without changes are left out", () => {
    const lags = Array.from({ length: 100 }, (_, n) => n + 1);
    assert.deepEqual(overMinutes([kept("total", lags), kept("committed", lags), kept("committed", lags)]), [
      { hop: "committed", samples: 200, p50Ms: 50, p99Ms: 99 },
      { hop: "total", samples: 100, p50Ms: 50, p99Ms: 99 },
    ]);
  });

  it("are never too low, and never above the slowest change", () => {
    const lags = fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(fc.array(lags, { minLength: 1, maxLength: 20 }), (minutes) => {
        const [hour] = overMinutes(minutes.map((minute) => kept("received", minute)));
        const sorted = minutes.flat().toSorted((a, b) => a - b);
        const truth = (part: number) => sorted[Math.ceil(sorted.length * part) - 1]!;
        assert.ok(hour!.p50Ms >= truth(0.5) && hour!.p99Ms >= truth(0.99) && hour!.p99Ms <= sorted.at(-1)!);
      }),
    );
  });
});

describe("the estimated clock offset", () => {
  it("is 0 while everything seen can be true with right clocks", () => {
    const offset = new ClockOffset();
    assert.equal(offset.estimateMs(null), 0);
    offset.note(1_000_000 - 80, 1_000_000);
    assert.equal(offset.estimateMs({ offsetMs: -330, uncertaintyMs: 20 }), 0);
  });

  it("is what a stamp from the future proves at least", () => {
    const offset = new ClockOffset();
    offset.note(1_000_250, 1_000_000);
    assert.equal(offset.estimateMs(null), 250);
    assert.equal(offset.estimateMs({ offsetMs: 300, uncertaintyMs: 20 }), 280);
  });

  it("is what the venue's answer proves at most, when ours is ahead", () => {
    const offset = new ClockOffset();
    offset.note(1_000_000 - 5_080, 1_000_000);
    assert.equal(offset.estimateMs({ offsetMs: -5_300, uncertaintyMs: 50 }), -4_250);
  });

  it("forgets a bound after a while, since clocks are stepped", () => {
    const offset = new ClockOffset();
    offset.note(1_000_250, 1_000_000);
    offset.note(1_600_000, 1_600_100);
    assert.equal(offset.estimateMs(null), 250);
    offset.note(2_300_000, 2_300_100);
    assert.equal(offset.estimateMs(null), 0);
  });

  it("is right again within seconds after this machine's clock was stepped, forward and back", async () => {
    const clock = new HandClock();
    // The venue's clock goes on; ours is set.
    let [venueMs, measured] = [clock.now(), null as MeasuredOffset | null];
    let asked = 0;
    const telemetry = new Telemetry({
      clock,
      log: silentLog,
      instance: "test",
      version: "1",
      db: { query: async () => [] },
      measuredOffset: () => measured,
      measure: async () => {
        asked += 1;
        measured = { offsetMs: venueMs - clock.now(), uncertaintyMs: 20 };
      },
    });
    const passes = async (ms: number) => {
      for (let left = ms; left > 0; left -= 100) {
        await clock.advance(100);
        venueMs += 100;
      }
    };
    const receive = () => telemetry.committed(live(venueMs - 80, clock.now()));
    measured = { offsetMs: -300, uncertaintyMs: 20 };
    telemetry.start();
    await passes(20_000);
    receive();
    assert.deepEqual([telemetry.clockOffsetMs(), asked], [0, 0]);
    for (const [byMs, offMs] of [
      [3_600_000, -3_600_000],
      [-3_600_000, 0],
      [-7_200_000, 7_200_000],
      [10_000, 7_190_000],
    ] as const) {
      clock.step(byMs);
      receive();
      await passes(6_000);
      receive();
      assert.ok(
        Math.abs(telemetry.clockOffsetMs() - offMs) < 1_100,
        `${telemetry.clockOffsetMs()} for ${offMs}`,
      );
    }
    assert.equal(asked, 4);
    await passes(60_000);
    assert.equal(asked, 4);
    await telemetry.stop();
  });

  it("takes what waited with an older change for no clock that is ahead", async () => {
    const clock = new HandClock();
    const telemetry = new Telemetry({
      ...{ clock, log: silentLog, instance: "test", version: "1", db: { query: async () => [] } },
      ...{ measuredOffset: () => null, measure: async () => {} },
    });
    const first = live(clock.now() - 50, clock.now());
    const [event] = first.applied.events;
    const later = { ...event!, timeMs: clock.now() + 2_330 };
    telemetry.committed({ ...first, applied: { ...first.applied, events: [event!, later] } });
    assert.equal(telemetry.clockOffsetMs(), 0);
    // The older one told nothing new: no event of it.
    const committedAtMs = later.timeMs + 100;
    telemetry.committed({ ...first, committedAtMs, applied: { ...first.applied, events: [later] } });
    assert.equal(telemetry.clockOffsetMs(), 0);
  });

  it("counts nothing measured before the step, whatever becomes of the question", async () => {
    const clock = new HandClock();
    const measured = { offsetMs: 5_000, uncertaintyMs: 20 };
    const telemetry = new Telemetry({
      clock,
      log: silentLog,
      instance: "test",
      version: "1",
      db: { query: async () => [] },
      measuredOffset: () => measured,
      measure: async () => {
        throw new Error("away");
      },
    });
    telemetry.start();
    await clock.advance(1_000);
    assert.equal(telemetry.clockOffsetMs(), 4_980);
    clock.step(600_000);
    await clock.advance(5_000);
    assert.equal(telemetry.clockOffsetMs(), 0);
    await telemetry.stop();
  });
});

/** A commit with one live change. */
const live = (timeMs: number, receivedAtMs: number): Committed =>
  ({
    account: "0x",
    sources: {},
    receivedAtMs,
    committedAtMs: receivedAtMs,
    applied: {
      written: {},
      known: {},
      events: [{ id: 1, account: "0x", type: "fill.created", source: "stream", data: {}, timeMs }],
    },
  }) as unknown as Committed;
