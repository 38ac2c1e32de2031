/** History in the outbox: what a reading back finds is not put there, unless an endpoint wants it, then or later. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addEndpoint, rewind } from "../../src/outputs/delivery/endpoints.ts";
import { Secret } from "../../src/outputs/delivery/secret.ts";
import type { Source } from "../../src/sync/rows.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, fillOf, fundingOf, ledgerOf, OTHER, orderEventOf, outboxOf } from "./rows.ts";

const DAY = 86_400_000;
const NOW = Date.now();
const OLD = NOW - 30 * DAY;

const endpointSince = (sinceMs: number, accounts: string[] | null = null) => ({
  id: `wh_${sinceMs}`,
  url: new Secret("https://example.com"),
  format: "standard",
  events: ["*"],
  accounts,
  description: null,
  allowPrivate: false,
  maxAgeMs: null,
  sinceMs,
});

describe("history in the outbox", () => {
  const db = useDatabase("each");

  const batchOf = (source: Source, timeMs: number, n: number, account = ACCOUNT) => {
    const seen = { account, source, seenAtMs: NOW, timeMs };
    return {
      fills: [fillOf({ ...seen, orderId: n, tradeId: n })],
      orderEvents: [orderEventOf({ ...seen, orderId: n, statusTimeMs: timeMs - 5, placedAtMs: timeMs - 5 })],
      funding: [fundingOf({ ...seen, timeMs: timeMs + n })],
      ledger: [ledgerOf({ ...seen, digest: String(n).padStart(16, "0") })],
    };
  };
  const typesOf = async () => (await outboxOf(db.database)).map(({ type }) => type).sort();
  const ALL = ["fill.created", "funding.created", "ledger.created", "order.updated"];

  it("is answered without a place, and not there", async () => {
    for (const source of ["backfill", "poll", "reconcile", "repair"] as const) {
      const { events } = await db.store.apply(batchOf(source, OLD, source.length));
      assert.deepEqual(events.map(({ type }) => type).sort(), ALL);
      assert.deepEqual(
        events.map(({ id }) => id),
        [null, null, null, null],
      );
    }
    assert.deepEqual(await typesOf(), []);
  });

  it("is there when it is young, was watched live, or is wanted", async () => {
    for (const [n, batch] of [
      batchOf("backfill", NOW - 6 * DAY, 1),
      batchOf("stream", OLD, 2),
      batchOf("snapshot", OLD, 3),
    ].entries()) {
      const { events } = await db.store.apply(batch);
      assert.equal(events.length, 4);
      assert.ok(events.every(({ id }) => id !== null));
      assert.equal((await typesOf()).length, 4 * (n + 1));
    }
    await addEndpoint(db.database, endpointSince(OLD - 1_000));
    await db.store.apply(batchOf("backfill", OLD, 4));
    assert.equal((await typesOf()).length, 16);
    await db.store.apply(batchOf("backfill", OLD - DAY, 5));
    assert.equal((await typesOf()).length, 16);
  });

  it("keeps the order of what has a place when both come in one batch", async () => {
    const times = [OLD, NOW - 3_000, OLD + 1, NOW - 2_000, OLD + 2, NOW - 1_000];
    const fills = times.map((timeMs, n) =>
      fillOf({ source: "backfill", timeMs, orderId: n, tradeId: n, seenAtMs: NOW }),
    );
    const { events } = await db.store.apply({ fills });
    const kept = await outboxOf(db.database);
    assert.deepEqual(
      kept.map(({ timeMs }) => timeMs),
      [NOW - 3_000, NOW - 2_000, NOW - 1_000],
    );
    assert.deepEqual(
      events.filter(({ id }) => id !== null).map(({ id, key, data }) => ({ id, key, data })),
      kept.map(({ id, key, data }) => ({ id, key, data })),
    );
  });

  it("is put there for an endpoint that asks for the past, once, and as it would have been", async () => {
    const { events } = await db.store.apply(batchOf("backfill", OLD, 1));
    await db.store.apply(batchOf("backfill", OLD, 2, OTHER));
    await db.store.apply(batchOf("backfill", OLD - 2 * DAY, 3));
    await addEndpoint(db.database, endpointSince(NOW, [ACCOUNT]));
    assert.equal(await rewind(db.database, `wh_${NOW}`, OLD - DAY), 4);
    const recalled = await outboxOf(db.database);
    const bare = ({ key, type, account, timeMs, source, data }: (typeof recalled)[number]) => ({
      key,
      type,
      account,
      timeMs,
      source,
      data,
    });
    const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1);
    assert.deepEqual(recalled.map(bare).sort(byKey), events.map(bare).sort(byKey));
    assert.equal(await rewind(db.database, `wh_${NOW}`, OLD - DAY), 4);
    assert.equal((await typesOf()).length, 4);
  });

  it("is not put there when it was learned longer ago than the outbox keeps", async () => {
    await db.store.apply(batchOf("backfill", OLD - 20 * DAY, 1));
    await db.database.query(
      "update hl_fills set first_seen_at = first_seen_at - interval '31 days'; update hl_funding set first_seen_at = first_seen_at - interval '31 days'",
    );
    await addEndpoint(db.database, endpointSince(NOW));
    assert.equal(await rewind(db.database, `wh_${NOW}`, 0), 2);
    assert.deepEqual(await typesOf(), ["ledger.created", "order.updated"]);
  });
});
