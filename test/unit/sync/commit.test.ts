import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { StoreError } from "../../../src/errors.ts";
import { type Log, silentLog } from "../../../src/runtime/log.ts";
import { seededRandom } from "../../../src/runtime/random.ts";
import { type Committed, committer, WriteState } from "../../../src/sync/commit.ts";
import { type Interval, subtract, union } from "../../../src/sync/coverage.ts";
import { QUARANTINE_LIMITS, QuarantineBudget } from "../../../src/sync/quarantine.ts";
import type { Applied, Batch, CoverageRow, QuarantineRow } from "../../../src/sync/rows.ts";
import { HandClock, settle } from "../connection/handClock.ts";
import { ACCOUNT, fill, transition } from "./rows.ts";

const T0 = Date.UTC(2026, 0, 1);
const refusal = (sqlState = "22003") =>
  new StoreError(`value out of range (${sqlState})`, { transient: false, sqlState });

/** A database that takes or refuses whole batches, and what it holds. */
function database(refuses: (row: Record<string, unknown>, list: string) => StoreError | null) {
  const written: Batch[] = [];
  const published: Committed[] = [];
  const warned: string[] = [];
  let attempts = 0;
  const clock = new HandClock(T0);
  const log: Log = { ...silentLog, warn: (message) => warned.push(message) };
  const abort = new AbortController();
  const store = {
    async apply(batch: Batch): Promise<Applied> {
      attempts += 1;
      const counts: Record<string, number> = {};
      for (const [list, rows] of Object.entries(batch)) {
        for (const row of rows as Record<string, unknown>[]) {
          const error = refuses(row, list);
          if (error) throw error;
        }
        if (rows.length > 0) counts[list] = rows.length;
      }
      written.push(batch);
      const events = (batch.fills ?? []).map(({ tradeId }) => ({ key: `${tradeId}` }));
      return { events, written: counts, known: {} } as unknown as Applied;
    },
  };
  const deps = {
    store,
    clock,
    random: seededRandom(1),
    log,
    publish: (one: Committed) => published.push(one),
  };
  const commit = committer(deps, abort.signal);
  const all = <K extends keyof Batch>(list: K) =>
    written.flatMap((batch) => (batch[list] ?? []) as NonNullable<Batch[K]>[number][]);
  return { commit, deps, all, written, published, warned, abort, clock, attempts: () => attempts };
}

const fills = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    fill({ timeMs: T0 + i, tradeId: i, raw: { tid: i, time: T0 + i } }),
  );
const proven = (fromMs: number, toMs: number, over: Partial<CoverageRow> = {}): CoverageRow => ({
  account: ACCOUNT,
  stream: "fills",
  grade: "proven",
  fromMs: T0 + fromMs,
  toMs: T0 + toMs,
  reason: null,
  ...over,
});
const claimed = (rows: readonly CoverageRow[], grade: CoverageRow["grade"]): Interval[] =>
  union(rows.filter((row) => row.grade === grade)).map(({ fromMs, toMs }) => ({
    fromMs: fromMs - T0,
    toMs: toMs - T0,
  }));

describe("a row that the database refuses", () => {
  it("goes to quarantine by itself, with the database's words; all others are written", async () => {
    const db = database((row) => (row.tradeId === 700 || row.tradeId === 1_300 ? refusal() : null));
    const coverage = [proven(-50, 3_000)];
    const applied = await db.commit({ fills: fills(2_000), coverage }, T0);
    assert.equal(db.all("fills").length, 1_998);
    assert.deepEqual(
      db.all("quarantine").map(({ account, subject, reason, raw }) => ({ account, subject, reason, raw })),
      [700, 1_300].map((tid) => ({
        account: ACCOUNT,
        subject: "hl_fills",
        reason: "refused by the database: value out of range (22003)",
        raw: JSON.stringify({ tid, time: T0 + tid }),
      })),
    );
    assert.deepEqual(claimed(db.all("coverage"), "unprovable"), [
      { fromMs: 700, toMs: 700 },
      { fromMs: 1_300, toMs: 1_300 },
    ]);
    assert.deepEqual(claimed(db.all("coverage"), "proven"), [
      { fromMs: -50, toMs: 699 },
      { fromMs: 701, toMs: 1_299 },
      { fromMs: 1_301, toMs: 3_000 },
    ]);
    for (const { grade, reason } of db.all("coverage"))
      assert.match(reason ?? "", grade === "proven" ? /^$/ : /the database refused a row of this time/);
    assert.deepEqual(applied.coverage, db.all("coverage"), "so that the process believes no more");
    assert.ok(db.attempts() < 60, `${db.attempts()} transactions`);
  });

  it("is claimed after its neighbours are written, and never before", async () => {
    const db = database((row) => (row.tradeId === 3 ? refusal() : null));
    await db.commit({ coverage: [proven(0, 9)], fills: fills(10), orderEvents: [transition(1, "open")] }, T0);
    const at = db.written.findIndex((batch) => (batch.coverage?.length ?? 0) > 0);
    assert.equal(at, db.written.length - 1);
    assert.equal(db.written[at]?.quarantine?.length, 1, "and with what was left out");
  });

  it("tells of every part that was committed, and answers with all of them", async () => {
    const db = database((row) => (row.tradeId === 3 ? refusal() : null));
    const applied = await db.commit({ fills: fills(10) }, T0 - 5);
    const told = db.published.flatMap((one) => one.applied.events.map(({ key }) => key));
    const expected = fills(10).flatMap(({ tradeId }) => (tradeId === 3 ? [] : [`${tradeId}`]));
    assert.deepEqual(told, expected);
    assert.deepEqual(
      applied.events.map(({ key }) => key),
      expected,
    );
    assert.deepEqual(applied.written, { fills: 9, quarantine: 1 });
    assert.ok(db.published.every(({ receivedAtMs }) => receivedAtMs === T0 - 5));
  });

  it("of any table costs that row; a state is judged after the rows that came with it", async () => {
    const state = {
      account: ACCOUNT,
      kind: "spot",
      dex: "",
      coins: [],
      asOfMs: T0,
      receivedAtMs: T0,
    } as const;
    const batch = {
      states: [{ ...state, coins: ["A"] }],
      balances: ["A", "B"].map((coin) => ({
        account: ACCOUNT,
        coin,
        token: 1,
        total: "1",
        hold: "0",
        entryNotional: "0",
        raw: { coin },
        asOfMs: T0,
      })),
      mids: ["X", "Y"].map((coin) => ({ dex: "", coin, mid: "1", asOfMs: T0 })),
    };
    const db = database((row) => (row.coin === "B" || row.coin === "Y" ? refusal("23514") : null));
    await db.commit(batch, T0);
    assert.deepEqual(
      db.all("quarantine").map(({ account, subject, raw }) => [account, subject, JSON.parse(raw).coin]),
      [
        [ACCOUNT, "hl_balances", "B"],
        [null, "hl_mids", "Y"],
      ],
    );
    const order = db.written.flatMap((part) => Object.keys(part));
    assert.ok(order.indexOf("states") > order.indexOf("balances"));
  });

  it("takes its time out of what was watched live too, of its account and streams only", async () => {
    const other = `0x${"2".repeat(40)}`;
    const coverage = [
      proven(0, 9, { grade: "streamed" }),
      proven(0, 9, { stream: "twapFills" }),
      proven(0, 9, { stream: "orders" }),
      proven(0, 9, { account: other }),
      proven(20, 29),
      proven(0, 9, { grade: "unprovable", reason: "long ago" }),
    ];
    const db = database((row) => (row.tradeId === 3 ? refusal() : null));
    await db.commit({ fills: fills(10), coverage }, T0);
    const of = (over: Partial<CoverageRow>) =>
      db
        .all("coverage")
        .filter((row) =>
          Object.entries(over).every(([key, value]) => row[key as keyof CoverageRow] === value),
        )
        .map(({ fromMs, toMs }) => [fromMs - T0, toMs - T0]);
    const parts = [
      [0, 2],
      [4, 9],
    ];
    assert.deepEqual(of({ grade: "streamed" }), parts);
    assert.deepEqual(of({ stream: "twapFills", grade: "proven" }), parts);
    assert.deepEqual(of({ stream: "orders" }), [[0, 9]]);
    assert.deepEqual(of({ account: other }), [[0, 9]]);
    assert.deepEqual(of({ reason: "long ago" }), [[0, 9]]);
    assert.deepEqual(of({ stream: "fills", grade: "proven", account: ACCOUNT }), [[20, 29]]);
  });

  it("whatever rows are refused, and by whichever code, all others are there and none of them is proven", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 0, max: 99 })),
        fc.constantFrom("22P02", "23505", "23514", "44000", "54000", "54001", "P0001"),
        async (ids, code) => {
          const bad = new Set(ids);
          const db = database((row) => (bad.has(row.tradeId as number) ? refusal(code) : null));
          await db.commit({ fills: fills(100), coverage: [proven(0, 99)] }, T0);
          assert.deepEqual(
            db.all("fills").map(({ tradeId }) => tradeId),
            fills(100).flatMap(({ tradeId }) => (bad.has(tradeId) ? [] : [tradeId])),
          );
          const holes = union([...bad].map((ms) => ({ fromMs: ms, toMs: ms })));
          assert.deepEqual(claimed(db.all("coverage"), "unprovable"), holes);
          assert.deepEqual(claimed(db.all("coverage"), "proven"), subtract([{ fromMs: 0, toMs: 99 }], holes));
          assert.ok(db.attempts() <= 2 * 100 + 2);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("costs no more than itself when the quarantine or a claim is refused as well", async () => {
    const db = database((row, list) => (list === "quarantine" || row.tradeId === 3 ? refusal() : null));
    await db.commit({ fills: fills(10), coverage: [proven(0, 9)] }, T0);
    assert.equal(db.all("fills").length, 9);
    assert.deepEqual(claimed(db.all("coverage"), "unprovable"), [{ fromMs: 3, toMs: 3 }]);
    const claims = database((row, list) => (list === "coverage" && row.toMs === T0 + 5 ? refusal() : null));
    await claims.commit({ coverage: [proven(0, 5), proven(7, 9)] }, T0);
    assert.deepEqual(claimed(claims.all("coverage"), "proven"), [{ fromMs: 7, toMs: 9 }]);
  });
});

describe("what is no row's fault", () => {
  it("is thrown: no privilege, no schema, a bug", async () => {
    for (const code of ["42501", "42P01", "3F000", "XX000"]) {
      const db = database(() => refusal(code));
      await assert.rejects(db.commit({ fills: fills(3) }, T0), StoreError);
      assert.equal(db.attempts(), 1, code);
    }
    const db = database(() => {
      throw new TypeError("a bug");
    });
    await assert.rejects(db.commit({ fills: fills(3) }, T0), TypeError);
  });

  it("is waited for when the database is away, also between the parts of a batch", async () => {
    let away = 2;
    const db = database((row) => {
      if (row.tradeId === 8 && away-- > 0)
        return new StoreError("away", { transient: true, sqlState: "57P01" });
      return row.tradeId === 3 ? refusal() : null;
    });
    const done = db.commit({ fills: fills(10) }, T0);
    for (let i = 0; i < 50; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      await db.clock.advance(10_000);
    }
    await done;
    assert.equal(db.all("fills").length, 9);
    assert.ok(db.warned.includes("database does not take writes, holding them"));
  });

  it("keeps what tells a TWAP slice from other fills", async () => {
    const db = database((row) => (row.tradeId === 1 ? refusal() : null));
    const [first, second] = fills(2);
    await db.commit({ fills: [first!, { ...second!, twapId: 9 }] }, T0);
    assert.deepEqual(
      db.all("quarantine").map(({ raw }) => JSON.parse(raw)),
      [{ fill: second!.raw, twapId: 9 }],
    );
  });

  it("waits as after any other failure: up to twice as long each time, and no longer than five seconds", async () => {
    let away = 8;
    const db = database(() => (away-- > 0 ? new StoreError("away", { transient: true }) : null));
    const waits: number[] = [];
    const sleep = async (ms: number) => {
      waits.push(ms);
    };
    const clock = { now: () => T0, after: () => () => {}, sleep };
    const commit = committer({ ...db.deps, clock, random: { next: () => 0.5 } }, db.abort.signal);
    await commit({ fills: fills(1) }, T0);
    assert.deepEqual(waits, [50, 100, 200, 400, 800, 1_600, 2_500, 2_500]);
  });

  it("ends between two parts when it is told to", async () => {
    const db = database((row) => (row.tradeId === 3 ? refusal() : null));
    db.abort.abort(new Error("stopped"));
    await assert.rejects(db.commit({ fills: fills(10) }, T0), /stopped/);
  });
});

describe("the quarantine", () => {
  const message = (i: number, over: Partial<QuarantineRow> = {}): QuarantineRow => ({
    account: ACCOUNT,
    subject: "userFills",
    reason: "no px",
    raw: `${i}`,
    seenAtMs: T0,
    ...over,
  });
  const many = (count: number, over: Partial<QuarantineRow> = {}) =>
    Array.from({ length: count }, (_, i) => message(i, over));

  it("takes so many messages a minute; the excess is counted, in one row for each subject and minute", () => {
    const budget = new QuarantineBudget({ rows: 10, length: 1_000 });
    assert.deepEqual(budget.admit(many(8), T0), many(8));
    const second = budget.admit(
      [...many(5), ...many(2, { subject: "user" }), ...many(1, { account: null })],
      T0,
    );
    assert.deepEqual(second.slice(0, 2), many(2));
    const summary = { reason: "too many in this minute: only counted", raw: new Date(T0).toISOString() };
    assert.deepEqual(second.slice(2), [
      { account: ACCOUNT, subject: "userFills", ...summary, seenAtMs: T0, count: 3 },
      { account: ACCOUNT, subject: "user", ...summary, seenAtMs: T0 + 1, count: 2 },
      { account: null, subject: "userFills", ...summary, seenAtMs: T0 + 2, count: 1 },
    ]);
    const [third] = budget.admit(many(4), T0 + 59_999);
    assert.deepEqual([third?.raw, third?.count], [summary.raw, 4], "the same row, so that the counts add up");
    assert.equal(budget.admit(many(4), T0 + 60_000).length, 4, "the next minute begins anew");
    assert.equal(budget.admit(many(4), T0).length, 4, "and a clock that was put back");
  });

  it("takes so much text a minute", () => {
    const budget = new QuarantineBudget({ rows: 10, length: 1_000 });
    const kept = budget.admit([...many(3, { raw: "x".repeat(400) }), message(1)], T0);
    assert.deepEqual(
      kept.map(({ raw, count }) => [raw.length, count]),
      [
        [400, undefined],
        [400, undefined],
        [1, undefined],
        [24, 1],
      ],
    );
  });

  it("is bounded whoever fills it", async () => {
    const db = database((row) => ("tradeId" in row ? refusal() : null));
    const { rows } = QUARANTINE_LIMITS;
    await db.commit({ quarantine: many(rows - 5) }, T0);
    await db.commit({ fills: fills(10) }, T0);
    assert.equal(db.all("quarantine").length, rows + 1);
    assert.deepEqual(
      [db.all("quarantine").at(-1)?.subject, db.all("quarantine").at(-1)?.count],
      ["hl_fills", 5],
    );
  });
});

describe("a database that takes no writes for now", () => {
  it("is waited for, and said to refuse until a write is taken", async () => {
    const state = new WriteState();
    let full = 3;
    const clock = new HandClock(T0);
    const commit = committer(
      {
        clock,
        random: seededRandom(1),
        log: silentLog,
        publish() {},
        store: {
          async apply() {
            if (full-- > 0)
              throw new StoreError("No space left on device (53100)", { transient: true, sqlState: "53100" });
            return { events: [], written: {}, known: {} };
          },
        },
      },
      new AbortController().signal,
      Number.POSITIVE_INFINITY,
      state,
    );
    const seen: unknown[] = [];
    let done = false;
    const written = commit({ fills: fills(1) }, T0).finally(() => {
      done = true;
    });
    while (!done) {
      await settle();
      if (state.refused) seen.push(state.refused);
      await clock.advance(5_000);
    }
    await written;
    assert.deepEqual(seen[0], { sinceMs: T0, reason: "No space left on device (53100)" });
    assert.ok(
      seen.every((one) => (one as { sinceMs: number }).sinceMs === T0),
      "since the first refusal",
    );
    assert.equal(state.refused, null);
  });
});
