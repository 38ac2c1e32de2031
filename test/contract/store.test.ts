/**
 * What every database must do for the engine. One suite, run on the embedded server and on a real PostgreSQL
 * (`HLSYNC_TEST_POSTGRES`; a second embedded one where that is unset).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StoreError } from "../../src/errors.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { completeness } from "../../src/sync/completeness.ts";
import { FORGOTTEN, unknownOrderRow } from "../../src/sync/normalize.ts";
import type { Batch, CoverageRow } from "../../src/sync/rows.ts";
import { startServer, useDatabase } from "../support/postgres.ts";
import { noPooler, startPooledServer } from "./pgbouncer.ts";
import {
  ACCOUNT,
  balanceOf,
  batchOf,
  contentOf,
  dashboardOf,
  fillOf,
  fundingOf,
  ledgerOf,
  OTHER,
  orderEventOf,
  outboxOf,
  positionOf,
  T,
  versionsOf,
} from "./rows.ts";

/** One row of everything. */
const everything = (): Batch => ({
  ...batchOf(),
  drift: [
    {
      account: ACCOUNT,
      stream: "fills",
      cause: "chain",
      detail: { missing: "0.5" },
      foundAtMs: T,
      repairedAtMs: null,
    },
  ],
  quarantine: [{ account: null, subject: "userFills", reason: "no px", raw: "{}", seenAtMs: T }],
  assetCtxs: [
    {
      coin: "BTC",
      asOfMs: T,
      markPrice: "83000.0",
      midPrice: null,
      oraclePrice: "83001.0",
      fundingRate: "0.0000125",
      openInterest: "1000.0",
      dayNotionalVolume: "1.5",
      previousDayPrice: "82000.0",
      raw: {},
    },
  ],
});

const SERVERS = {
  "on the embedded server": () => startServer("embedded"),
  "on the real server": () => startServer("real"),
  "behind a transaction pooler": () => startPooledServer("transaction"),
  "behind a session pooler": () => startPooledServer("session"),
};
for (const [where, startIt] of Object.entries(SERVERS)) {
  describe(`the store ${where}`, { skip: where.endsWith("pooler") && noPooler }, () => {
    const db = useDatabase("each", startIt);

    it("gives back every row as it was written", async () => {
      const { store } = db;
      await store.apply(everything());
      const derived = { blockNumber: null };
      assert.deepEqual(await store.fills(ACCOUNT, T, T), [{ ...fillOf(), ...derived }]);
      assert.deepEqual(await store.orderEvents(ACCOUNT, [orderEventOf().orderId]), [orderEventOf()]);
      assert.deepEqual(await store.positions(ACCOUNT), [positionOf()]);
      assert.deepEqual(await store.funding(ACCOUNT, T, T), [fundingOf()]);
      assert.deepEqual(await store.ledger(ACCOUNT, T, T), [{ ...ledgerOf(), ...derived }]);
      assert.deepEqual(await store.latestDashboard(ACCOUNT), dashboardOf());
      assert.deepEqual(await store.coverage(ACCOUNT, "fills"), everything().coverage);
      assert.equal((await store.accounts())[0]?.mode, "standard");
      const counts = Object.fromEntries((await store.counts()).map((c) => [c.table, c.rows]));
      assert.equal(counts.hl_fills, 1);
      assert.equal(counts["hl_internal.quarantine"], 1);
    });

    it("derives the block of fills and ledger rows from their hashes, but not of what the bridge did", async () => {
      // 10 bytes, 04, the block, and more.
      const hash = `0x${"a".repeat(20)}0400000c1f${"0".repeat(34)}`;
      await db.store.apply({
        fills: [fillOf({ hash })],
        ledger: [
          ledgerOf({ hash, type: "send", raw: { time: T, hash, delta: { type: "send" } } }),
          ledgerOf({ hash, type: "deposit", raw: { time: T, hash, delta: { type: "deposit", usdc: "1" } } }),
        ],
      });
      const [fill] = await db.store.fills(ACCOUNT, T, T);
      const ledger = await db.store.ledger(ACCOUNT, T, T);
      assert.deepEqual(
        [fill!.blockNumber, ...ledger.map(({ type, blockNumber }) => `${type} ${blockNumber}`)],
        [3103, "deposit null", "send 3103"],
      );
    });

    it("bounds reads of a time window inclusively on both sides", async () => {
      await db.store.apply({ fills: [T - 1, T, T + 1, T + 2].map((timeMs) => fillOf({ timeMs })) });
      assert.deepEqual(
        (await db.store.fills(ACCOUNT, T, T + 1)).map((f) => f.timeMs),
        [T, T + 1],
      );
      assert.equal(await db.store.countFillsAfter(ACCOUNT, T, false), 2);
    });

    it("reports what it wrote and what it knew, and makes one event per change", async () => {
      const first = await db.store.apply(everything());
      assert.ok(Object.values(first.written).every((n) => n === 1));
      assert.ok(Object.values(first.known).every((n) => n === 0));
      assert.deepEqual(first.events.map((e) => e.type).sort(), [
        "drift.found",
        "fill.created",
        "funding.created",
        "ledger.created",
        "order.updated",
        "position.updated",
      ]);
      const fill = first.events.find((e) => e.type === "fill.created")!;
      assert.equal(fill.key, `fill:${ACCOUNT}:BTC:${T}:556696349186:1058238905423571:buy`);
      assert.equal(fill.timeMs, T);
      assert.equal(fill.data.price, "83000.0");
      assert.equal(fill.data.order_id, 556_696_349_186);
      assert.deepEqual(await outboxOf(db.database), first.events);
    });

    it("changes not one row when a batch is applied again", async () => {
      await db.store.apply(everything());
      const versions = await versionsOf(db.database);
      const again = await db.store.apply(everything());
      assert.deepEqual(again.events, []);
      assert.ok(Object.values(again.written).every((n) => n === 0));
      assert.deepEqual(await versionsOf(db.database), versions);
    });

    it("makes no second event when a fill comes again with more detail", async () => {
      await db.store.apply({ fills: [fillOf()] });
      const richer = fillOf({
        cloid: "0xc1",
        source: "reconcile",
        seenAtMs: T + 9000,
        raw: { ...(fillOf().raw as object), cloid: "0xc1" },
      });
      const applied = await db.store.apply({ fills: [richer] });
      assert.deepEqual(applied.events, []);
      assert.equal(applied.written.hl_fills, 1);
      const [stored] = await db.store.fills(ACCOUNT, T, T);
      assert.deepEqual(stored, { ...richer, source: "stream", seenAtMs: T + 120, blockNumber: null });
    });

    it("takes the same key several times in one batch", async () => {
      const applied = await db.store.apply({
        fills: [fillOf({ cloid: null }), fillOf({ cloid: "0xc1" }), fillOf({ cloid: null })],
        positions: [positionOf({ asOfMs: T + 1 }), positionOf({ asOfMs: T })],
        drift: [...everything().drift!, { ...everything().drift![0]!, repairedAtMs: T + 5 }],
      });
      assert.equal(applied.events.filter((e) => e.type === "fill.created").length, 1);
      assert.equal(applied.events.filter((e) => e.type === "drift.found").length, 1);
      assert.equal((await db.store.fills(ACCOUNT, T, T))[0]?.cloid, "0xc1");
      assert.equal((await db.store.positions(ACCOUNT))[0]?.asOfMs, T + 1);
    });

    it("keeps two sides of a self-trade and fills that differ in nothing but the order", async () => {
      const fills = [fillOf(), fillOf({ side: "sell" }), fillOf({ orderId: 1 }), fillOf({ tradeId: 0 })];
      const applied = await db.store.apply({ fills });
      assert.equal(applied.written.hl_fills, 4);
      assert.equal(new Set(applied.events.map((e) => e.key)).size, 4);
    });

    it("never lets a late open overwrite a terminal status", async () => {
      const { store } = db;
      const canceled = orderEventOf({
        venueStatus: "marginCanceled",
        statusTimeMs: T + 10,
        remaining: "1.5",
      });
      await store.apply({ orderEvents: [canceled] });
      const late = await store.apply({ orderEvents: [orderEventOf({ statusTimeMs: T + 20 })] });
      const [order] = await store.orders(ACCOUNT);
      assert.equal(order?.status, "canceled");
      assert.equal(order?.venueStatus, "marginCanceled");
      assert.equal(order?.filled, "0.5");
      assert.deepEqual(late.events, []);
    });

    it("counts fills that came before their order", async () => {
      const { store } = db;
      const early = await store.apply({ fills: [fillOf()] });
      assert.deepEqual(await store.orders(ACCOUNT), []);
      assert.deepEqual(
        early.events.map((e) => e.type),
        ["fill.created"],
      );
      await store.apply({ orderEvents: [orderEventOf()] });
      const [order] = await store.orders(ACCOUNT);
      assert.equal(order?.status, "partially_filled");
      assert.equal(order?.filled, "0.5");
      const rest = await store.apply({ fills: [fillOf({ tradeId: 2, size: "1.5", timeMs: T + 70 })] });
      const update = rest.events.find((e) => e.type === "order.updated")!;
      assert.equal(update.data.status, "filled");
      assert.equal(update.data.fill_percentage, "100");
      assert.equal(update.timeMs, T + 70);
      assert.equal((await store.orders(ACCOUNT))[0]?.statusTimeMs, T + 70);
    });

    it("says position.updated only when side, size or leverage changed", async () => {
      const { store } = db;
      const types = async (change: Parameters<typeof positionOf>[0]) =>
        (await store.apply({ positions: [positionOf(change)] })).events.length;
      assert.equal(await types({}), 1);
      assert.equal(await types({ asOfMs: T + 1, markPrice: "83200.0" }), 0);
      assert.equal(await types({ asOfMs: T + 2, leverageValue: 10 }), 1);
      assert.equal(await types({ asOfMs: T + 3, leverageValue: 10, szi: "-0.5" }), 1);
      assert.equal(await types({ asOfMs: T + 2, szi: "7" }), 0);
      assert.equal(await types({ asOfMs: T + 4, leverageValue: 10, szi: "0.0" }), 1);
      const [row] = await db.database.query(
        "select side, size, closed_at is not null as closed from hl_positions",
      );
      assert.deepEqual(row, { side: "flat", size: "0.0", closed: true });
    });

    it("unites intervals that overlap or touch, and keeps the reasons of the unprovable", async () => {
      const { store } = db;
      const cover = (
        fromMs: number,
        toMs: number,
        grade: "proven" | "unprovable" = "proven",
        reason: string | null = null,
      ) => ({ account: ACCOUNT, stream: "orders", grade, fromMs, toMs, reason }) as const;
      await store.apply({ coverage: [cover(10, 19), cover(30, 39)] });
      await store.apply({ coverage: [cover(20, 25)] });
      assert.deepEqual(
        (await store.coverage(ACCOUNT, "orders")).map((c) => [c.fromMs, c.toMs]),
        [
          [10, 25],
          [30, 39],
        ],
      );
      await store.apply({
        coverage: [cover(26, 29), cover(0, 9, "unprovable", "aged out"), cover(5, 9, "unprovable", "pruned")],
      });
      assert.deepEqual(
        (await store.coverage(ACCOUNT, "orders")).map((c) => [c.grade, c.fromMs, c.toMs, c.reason]),
        [
          ["proven", 10, 39, null],
          ["unprovable", 0, 9, "aged out"],
          ["unprovable", 5, 9, "pruned"],
        ],
      );
    });

    it("shows as gaps what is wanted and not proven", async () => {
      const { store, database } = db;
      await store.openAccount(ACCOUNT, null, 100);
      const of = (grade: "proven" | "streamed" | "unprovable", fromMs: number, toMs: number) =>
        ({
          account: ACCOUNT,
          stream: "fills",
          grade,
          fromMs,
          toMs,
          reason: grade === "unprovable" ? "aged out" : null,
        }) as const;
      await store.apply({
        coverage: [
          ...[of("unprovable", 100, 199), of("proven", 200, 299), of("streamed", 350, 1e12)],
          // What claims the future is no claim.
          ...[of("unprovable", 300, 1e15), of("proven", 1e13, 1e15)],
        ],
      });
      assert.equal((await store.coverage(ACCOUNT)).length, 3, "a claim on the future is not stored");
      // One that is stored all the same counts for nothing.
      await database.query(
        `insert into hl_internal.coverage (account_address, stream, grade, reason, covered) values
         ($1, 'fills', 'unprovable', 'aged out too', '{[300,1000000000000000)}')`,
        [ACCOUNT],
      );
      const gaps = await database.query(
        "select kind, reason, from_ms, to_ms from hl_gaps where stream = 'fills' and to_ms < 1e12 order by from_ms",
      );
      assert.deepEqual(gaps, [
        { kind: "unprovable", reason: "aged out", from_ms: 100, to_ms: 199 },
        { kind: "missing", reason: null, from_ms: 300, to_ms: 349 },
      ]);
    });

    it("shows gaps by the same rule as the process computes them, each unprovable stretch with its own reason", async () => {
      const { store, database } = db;
      const SINCE = 10;
      await store.openAccount(ACCOUNT, null, SINCE);
      const random = seededRandom(7);
      const upTo = (count: number) => Math.floor(random.next() * count);
      for (let round = 0; round < 40; round++) {
        const coverage = Array.from({ length: 1 + upTo(6) }, (): CoverageRow => {
          const grade = (["proven", "streamed", "unprovable"] as const)[upTo(3)]!;
          const fromMs = SINCE + upTo(60) + (upTo(9) === 0 ? 1e14 : 0);
          const reason = grade === "unprovable" ? ["aged out", "not understood"][upTo(2)]! : null;
          return { account: ACCOUNT, stream: "fills", grade, fromMs, toMs: fromMs + upTo(20), reason };
        });
        await database.query("delete from hl_internal.coverage");
        await store.apply({ coverage });
        const known = completeness(coverage, "fills", SINCE, T);
        if (known.provenToMs === null) continue;
        const shown = await database.query<{ kind: string; reason: string | null; from: number; to: number }>(
          `select kind, reason, from_ms as "from", least(to_ms, $1) as "to" from hl_gaps
           where stream = 'fills' and from_ms <= $1 order by from_ms, reason`,
          [known.provenToMs],
        );
        const of = (kind: string) =>
          shown
            .filter((row) => row.kind === kind)
            .map(({ from: fromMs, to: toMs, reason }) => ({ fromMs, toMs, ...(reason && { reason }) }));
        const provenToMs = known.provenToMs;
        const before = known.unprovable.filter(({ fromMs }) => fromMs <= provenToMs);
        const clipped = before.map((one) => ({ ...one, toMs: Math.min(one.toMs, provenToMs) }));
        assert.deepEqual(of("missing"), known.gaps);
        assert.deepEqual(of("streamed"), known.streamed);
        assert.deepEqual(
          of("unprovable"),
          clipped.sort((a, b) => a.fromMs - b.fromMs || (a.reason < b.reason ? -1 : 1)),
        );
      }
    });

    it("takes what is in doubt out of every grade, of that stream and that time alone", async () => {
      const { store } = db;
      const of = (grade: CoverageRow["grade"], fromMs: number, toMs: number): CoverageRow => ({
        account: ACCOUNT,
        stream: "fills" as const,
        grade,
        fromMs,
        toMs,
        reason: grade === "unprovable" ? "not understood" : null,
      });
      const others = [{ ...of("proven", 0, 9), stream: "funding" as const }];
      await store.apply({
        coverage: [of("proven", 0, 9), of("streamed", 0, 9), of("unprovable", 5, 5), ...others],
      });
      await store.doubt(ACCOUNT, [{ stream: "fills", fromMs: 5, toMs: 6, table: null, row: null }]);
      const known = (await store.coverage(ACCOUNT, "fills")).map((row) => [row.grade, row.fromMs, row.toMs]);
      assert.deepEqual(known.sort(), [
        ["proven", 0, 4],
        ["proven", 7, 9],
        ["streamed", 0, 4],
        ["streamed", 7, 9],
      ]);
      assert.deepEqual(await store.coverage(ACCOUNT, "funding"), others);
    });

    it("takes back that the venue has forgotten an order, where that is in doubt", async () => {
      const status = async () => (await store.orders(ACCOUNT)).map(({ status }) => status);
      const row = orderEventOf();
      const { store } = db;
      await store.apply({ orderEvents: [row] });
      const [last] = await store.orderEvents(ACCOUNT, [row.orderId]);
      const origin = { account: ACCOUNT, source: "reconcile", seenAtMs: T + 900 } as const;
      await store.apply({ orderEvents: [unknownOrderRow(origin, last!, T + 800)] });
      assert.deepEqual(await status(), ["unknown"]);
      const of = { stream: "orders", fromMs: T, toMs: T, table: "hl_orders" } as const;
      // One that cannot be read has no number.
      await store.doubt(ACCOUNT, [{ ...of, row: "openOrders|7" }]);
      assert.deepEqual(await status(), ["unknown"]);
      await store.doubt(ACCOUNT, [
        { ...of, row: "openOrders|7" },
        { ...of, row: String(row.orderId) },
      ]);
      await store.apply({ orderEvents: [{ ...row, source: "reconcile", seenAtMs: T + 2_000 }] });
      assert.deepEqual(await status(), ["open"]);
    });

    it("says with each doubt of what has no coverage that it is to be asked for again", async () => {
      const { store } = db;
      await store.openAccount(ACCOUNT, null, T);
      const doubtedMs = async () => (await store.followedAs(ACCOUNT)).doubtedMs ?? 0;
      const of = { stream: null, fromMs: T, toMs: T };
      await store.doubt(ACCOUNT, [{ ...of, stream: "fills", table: null, row: null }]);
      assert.equal(await doubtedMs(), 0, "a withdrawn claim is a gap");
      let before = 0;
      for (const [table, row] of [
        ["hl_twaps", "7"],
        ["hl_account_facts", "vaults"],
        ["hl_portfolio", `all|${T}`],
        ["hl_staking_rewards", `${T}|delegation`],
        ["hl_lending_interest", `${T}|USDC`],
      ] as const) {
        await store.doubt(ACCOUNT, [{ ...of, table, row }]);
        assert.ok((await doubtedMs()) > before, table);
        before = await doubtedMs();
        assert.equal((await store.openAccount(ACCOUNT, null, T)).doubtedMs, before);
      }
    });

    it("has states that claim a later time than the venue's give way to the next one", async () => {
      const { store } = db;
      const kinds = { perp: { kind: "perp", dex: "" }, spot: { kind: "spot", dex: "" } } as const;
      const at = (asOfMs: number): Batch => ({
        positions: [positionOf({ asOfMs }), positionOf({ asOfMs: T, coin: "ETH" })],
        balances: [balanceOf({ asOfMs })],
        states: Object.values(kinds).map((part) => ({
          account: ACCOUNT,
          ...part,
          coins: null,
          asOfMs,
          receivedAtMs: T,
        })),
      });
      await store.apply(at(T + 3_600_000));
      const of = { stream: null, fromMs: T + 99, toMs: T + 100 };
      await store.doubt(ACCOUNT, [
        { ...of, table: "hl_positions", row: "|BTC" },
        { ...of, table: "hl_positions", row: "|ETH" },
        { ...of, table: "hl_balances", row: "USDC" },
      ]);
      const times = async () => ({
        positions: (await store.positions(ACCOUNT)).map(({ coin, asOfMs }) => [coin, asOfMs]),
        balances: (await store.balances(ACCOUNT)).map(({ asOfMs }) => asOfMs),
        states: (await store.states(ACCOUNT)).map(({ asOfMs }) => asOfMs),
      });
      assert.deepEqual(await times(), {
        positions: [
          ["BTC", T + 99],
          ["ETH", T],
        ],
        balances: [T + 99],
        states: [T + 99, T + 99],
      });
      await store.apply(at(T + 100));
      assert.deepEqual((await times()).states, [T + 100, T + 100]);
      assert.deepEqual((await times()).balances, [T + 100]);
    });

    it("closes by two witnesses what vanished from several states of one pass, a debt without a total too", async () => {
      const { store } = db;
      const pass = (asOfMs: number) => {
        const told = { account: ACCOUNT, coins: [], asOfMs, receivedAtMs: asOfMs };
        return store.apply({
          states: [
            { ...told, kind: "perp", dex: "" },
            { ...told, kind: "perp", dex: "xyz" },
            { ...told, kind: "spot", dex: "" },
          ],
        });
      };
      const owed = { total: "0.0", raw: { coin: "UBTC", total: "0.0", borrowed: "5.0" } };
      await store.apply({
        positions: [positionOf(), positionOf({ dex: "xyz", coin: "xyz:TSLA" })],
        balances: [balanceOf({ coin: "UBTC", token: 3, ...owed }), balanceOf()],
      });
      const seen = async () => [
        ...(await store.positions(ACCOUNT)).map(({ coin, szi }) => [coin, Number(szi)]),
        ...(await store.balances(ACCOUNT)).map(({ coin, total, raw }) => [coin, Number(total), raw]),
      ];
      const before = await seen();
      assert.equal((await pass(T + 5_000)).lacking?.length, 3);
      assert.deepEqual(await seen(), before, "one state alone proves nothing");
      assert.deepEqual((await pass(T + 10_000)).lacking ?? [], []);
      assert.deepEqual(await seen(), [
        ["BTC", 0],
        ["xyz:TSLA", 0],
        ["UBTC", 0, null],
        ["USDC", 0, null],
      ]);
    });

    it("gives what verification holds against the venue", async () => {
      const { store } = db;
      const unknown = { sinceMs: null, readSinceMs: null, pollMs: null, doubtedMs: null };
      assert.deepEqual(await store.followedAs(ACCOUNT), unknown);
      await store.openAccount(ACCOUNT, null, T);
      await store.noteFollowed(ACCOUNT, 60_000);
      assert.deepEqual(await store.followedAs(ACCOUNT), { ...unknown, sinceMs: T, pollMs: 60_000 });
      for (const readMs of [T + 5, T, T + 9]) await store.noteRead(ACCOUNT, readMs);
      assert.equal((await store.followedAs(ACCOUNT)).readSinceMs, T);
      const state = { account: ACCOUNT, kind: "spot" as const, dex: "", coins: null, asOfMs: T };
      const message = { account: ACCOUNT, subject: "userFills", reason: "odd", seenAtMs: T };
      await store.apply({
        balances: [balanceOf(), { ...balanceOf(), account: OTHER }],
        states: [{ ...state, receivedAtMs: T + 7 }],
        quarantine: [
          { ...message, raw: "1" },
          { ...message, raw: "2", seenAtMs: T + 1 },
          { ...message, raw: "3", account: OTHER },
          { ...message, raw: "4", account: null },
          { ...message, raw: "5", subject: "frame", seenAtMs: T - 1 },
        ],
      });
      assert.deepEqual(await store.balances(ACCOUNT), [balanceOf()]);
      assert.deepEqual(await store.states(ACCOUNT), [{ kind: "spot", dex: "", asOfMs: T, readAtMs: T + 7 }]);
      assert.deepEqual(
        (await store.quarantineOf(ACCOUNT, 10)).map(({ raw, ofSubject }) => [raw, ofSubject]),
        [
          ["2", 2],
          ["1", 2],
          ["5", 1],
        ],
      );
      assert.deepEqual((await store.quarantineOf(ACCOUNT, 1)).length, 1);
    });

    it("opens an account again without losing what is known of it", async () => {
      const { store } = db;
      assert.deepEqual(await store.openAccount(ACCOUNT, "main", null), {
        sinceMs: null,
        doubtedMs: null,
        coverage: [],
        openOrders: [],
        positions: [],
      });
      await store.openAccount(ACCOUNT, null, T);
      await store.apply({
        orderEvents: [
          orderEventOf(),
          orderEventOf({ orderId: 2, venueStatus: "filled" }),
          orderEventOf({ orderId: 3, venueStatus: "brandNew" }),
          orderEventOf({ orderId: 4, venueStatus: FORGOTTEN }),
        ],
        positions: [positionOf({ szi: "-0.5" })],
        coverage: everything().coverage!,
      });
      const state = await store.openAccount(ACCOUNT, null, T + 5);
      assert.equal(state.sinceMs, T);
      assert.deepEqual(
        state.openOrders.map((o) => [o.orderId, o.status]),
        [
          [3, "unknown"],
          [556_696_349_186, "open"],
        ],
      );
      assert.deepEqual(state.positions, [positionOf({ szi: "-0.5" })]);
      assert.deepEqual(state.coverage, everything().coverage);
      assert.equal((await store.accounts())[0]?.alias, "main");
      assert.equal((await store.openAccount(ACCOUNT, null, T - 5)).sinceMs, T - 5);
    });

    it("gives concurrent writers of one account the rows that one writer gives", async () => {
      const batch = (from: number): Batch => {
        const numbers = Array.from({ length: 40 }, (_, i) => from + i);
        return {
          fills: numbers.map((n) =>
            fillOf({
              orderId: n % 7,
              tradeId: n,
              timeMs: T + n,
              size: "0.1",
              cloid: from % 2 ? `0x${n}` : null,
              source: from % 2 ? "backfill" : "stream",
              seenAtMs: T + from,
              raw: { tid: n, of: "fill" },
            }),
          ),
          orderEvents: numbers.map((n) =>
            orderEventOf({ orderId: n % 7, statusTimeMs: T + (n % 3), raw: { n: n % 7 } }),
          ),
          positions: [positionOf({ asOfMs: T + from, szi: `${from}.0` })],
          coverage: [
            {
              account: ACCOUNT,
              stream: "fills",
              grade: "proven",
              fromMs: T + from,
              toMs: T + from + 39,
              reason: null,
            },
          ],
        };
      };
      const batches = Array.from({ length: 12 }, (_, i) => batch(i * 13));
      const crowd = await Promise.all(batches.map((b) => db.store.apply(b)));
      const alone = await db.server.newDatabase();
      const lone: typeof crowd = [];
      for (const b of [...batches].reverse()) lone.push(await alone.store.apply(b));
      assert.deepEqual(await contentOf(db.database), await contentOf(alone.database));
      const keys = (all: typeof crowd) =>
        all.flatMap((a) => a.events.filter((e) => e.type === "fill.created").map((e) => e.key)).sort();
      assert.deepEqual(keys(crowd), keys(lone));
      assert.equal(new Set(keys(crowd)).size, keys(crowd).length);
      await alone.close();
    });

    it("lets writers of several accounts in any order pass without deadlock", async () => {
      const accounts = [ACCOUNT, OTHER];
      const both = (n: number): Batch => ({
        fills: (n % 2 ? accounts : [...accounts].reverse()).map((account) => fillOf({ account, tradeId: n })),
      });
      await Promise.all(Array.from({ length: 24 }, (_, n) => db.store.apply(both(n))));
      assert.equal((await db.store.fills(OTHER, T, T)).length, 24);
    });

    it("writes all of a batch or nothing", async () => {
      const bad = { ...everything(), funding: [fundingOf({ usdc: "not a number" })] };
      await assert.rejects(db.store.apply(bad), (error: unknown) => {
        assert.ok(error instanceof StoreError);
        assert.equal(error.transient, false);
        assert.equal(error.sqlState, "22P02");
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
      assert.deepEqual(await contentOf(db.database), {});
      assert.deepEqual(await outboxOf(db.database), []);
    });

    it("refuses a batch that does not name its accounts", async () => {
      await assert.rejects(
        db.database.query("select hl_internal.apply('{}', fills => $1::json)", [JSON.stringify([fillOf()])]),
        /naming all of its accounts/,
      );
    });

    it("stores text that is not valid in Postgres with the offending characters replaced", async () => {
      const raw = { text: "nul \0, half \ud800, whole 😀, backslash \\u0000 stays" };
      await db.store.apply({
        fills: [fillOf({ raw })],
        quarantine: [{ account: null, subject: "x", reason: "y", raw: raw.text, seenAtMs: T }],
      });
      const wanted = "nul \ufffd, half \ufffd, whole 😀, backslash \\u0000 stays";
      assert.deepEqual((await db.store.fills(ACCOUNT, T, T))[0]?.raw, { text: wanted });
      // Beside it the fill's own replacement is noted.
      const [row] = await db.database.query("select raw from hl_internal.quarantine where subject = 'x'");
      assert.equal(row?.raw, wanted);
    });

    it("keeps numbers to the last digit, and gives them as text where clients would round", async () => {
      const { store, database } = db;
      const size = "123456789012345678901234567890.123456789012345678901234567890";
      await store.apply({ fills: [fillOf({ size })] });
      assert.equal((await store.fills(ACCOUNT, T, T))[0]?.size, size);
      const [row] = await database.query(
        "select to_json(t)->'size' as size, to_json(t)->'start_position' as start from hl_fills_text t",
      );
      assert.deepEqual(row, { size, start: "0.0" });
    });

    it("counts a quarantined message once per sighting", async () => {
      const sighting = (seenAtMs: number) => ({
        account: null,
        subject: "userFills",
        reason: "no px",
        raw: "{}",
        seenAtMs,
      });
      await db.store.apply({ quarantine: [sighting(T), sighting(T), sighting(T + 1)] });
      await db.store.apply({ quarantine: [sighting(T + 1)] });
      await db.store.apply({ quarantine: [sighting(T + 2)] });
      const rows = await db.database.query("select count from hl_internal.quarantine");
      assert.deepEqual(rows, [{ count: 3 }]);
    });

    it("records once when a drift was repaired", async () => {
      const [found] = everything().drift!;
      await db.store.apply({ drift: [found!] });
      const repaired = await db.store.apply({ drift: [{ ...found!, repairedAtMs: T + 50 }] });
      assert.deepEqual(repaired.events, []);
      await db.store.apply({ drift: [{ ...found!, repairedAtMs: T + 90 }] });
      assert.deepEqual(await db.database.query("select found_at_ms, repaired_at_ms from hl_internal.drift"), [
        { found_at_ms: T, repaired_at_ms: T + 50 },
      ]);
    });

    it("keeps the fuller version of a candle", async () => {
      const [candle] = everything().candles!;
      await db.store.apply({ candles: [{ ...candle!, trades: 9, close: "9.0" }] });
      await db.store.apply({ candles: [{ ...candle!, trades: 4, asOfMs: T + 1000 }] });
      assert.deepEqual(await db.database.query("select trades, close from hl_candles"), [
        { trades: 9, close: "9.0" },
      ]);
    });

    it("makes daily partitions on demand, concurrently too, and drops old ones", async () => {
      const { store, database } = db;
      const day = 86_400_000;
      const mids = (offset: number) => ({
        mids: [{ dex: "", coin: "BTC", mid: "1.0", asOfMs: T + offset * day }],
      });
      await Promise.all([0, 1, 1, 2, 2, 2, 5].map((offset) => store.apply(mids(offset))));
      const partitions = () =>
        database.query<{ n: string }>(
          "select inhrelid::regclass::text as n from pg_inherits where inhparent = 'hl_mids'::regclass order by 1",
        );
      assert.deepEqual(
        (await partitions()).map((p) => p.n),
        ["hl_mids_20260925", "hl_mids_20260926", "hl_mids_20260927", "hl_mids_20260930"],
      );
      const gone = await store.prune(
        { outboxDays: 1, quarantineDays: 1, marketDays: 3, snapshotDays: 1e5 },
        T + 5 * day,
      );
      assert.equal(gone.hl_mids, 2);
      assert.equal((await database.query("select count(*) as n from hl_mids"))[0]?.n, 2);
      await store.apply(mids(0));
      assert.equal((await partitions()).length, 3);
    });

    it("prunes the outbox and the quarantine by age", async () => {
      const { store, database } = db;
      await store.apply(everything());
      assert.equal(
        (await store.prune({ outboxDays: 1, quarantineDays: 1e5, marketDays: 1, snapshotDays: 1e5 }, T))
          .outbox,
        0,
      );
      await database.query(
        "update hl_internal.outbox set created_at = created_at - interval '2 days' where id <= 2",
      );
      const gone = await store.prune(
        { outboxDays: 1, quarantineDays: 1e5, marketDays: 1, snapshotDays: 1e5 },
        T,
      );
      assert.equal(gone.outbox, 2);
      assert.equal(gone.quarantine, 0);
      assert.equal((await outboxOf(database)).length, 4);
    });

    it("lends a duty to one holder at a time, with a token that grows", async () => {
      const { store, database } = db;
      const take = async (holder: string) => (await store.takeLeases(["alerts"], holder, 60_000))[0]!.token;
      assert.equal(await take("one"), 1);
      assert.equal(await take("two"), null);
      assert.equal(await take("one"), 1);
      await database.query("update hl_internal.leases set expires_at = now() - interval '1 second'");
      assert.equal(await take("two"), 2);
      assert.equal(await take("one"), null);
    });

    it("lends several duties at once, says who holds the rest, and takes them back", async () => {
      const { store } = db;
      await store.takeLeases(["follow b"], "two", 60_000);
      assert.deepEqual(await store.takeLeases(["follow b", "follow a"], "one", 60_000), [
        { name: "follow a", token: 1, holder: "one" },
        { name: "follow b", token: null, holder: "two" },
      ]);
      await store.releaseLeases(["follow a", "follow b"], "two");
      assert.deepEqual(await store.takeLeases(["follow a", "follow b"], "one", 60_000), [
        { name: "follow a", token: 1, holder: "one" },
        { name: "follow b", token: 2, holder: "one" },
      ]);
    });

    it("describes every table, view and column it made", async () => {
      const rows = await db.database.query(
        `select c.relname, a.attname from pg_class c join pg_namespace n on n.oid = c.relnamespace
         left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where n.nspname in ('public', 'hl_internal') and c.relkind in ('r', 'v', 'p')
           and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)`,
      );
      assert.deepEqual(rows, []);
    });
  });
}
