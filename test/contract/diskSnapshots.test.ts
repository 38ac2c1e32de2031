/** Account snapshots thinned by age: what follows from them stays, and a day of a busy account takes little. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { seededRandom } from "../../src/runtime/random.ts";
import type { DashboardRow } from "../../src/sync/rows.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, dashboardOf, ledgerOf } from "./rows.ts";

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
const START = Date.UTC(2026, 0, 1, 5, 17, 31, 120);
const SEED = Number(process.env.HLSYNC_SEED ?? 11);
/** A day of snapshots of a busy account that is older than what is kept whole. */
const BYTES_A_DAY_MAX = 1_000_000;

const db = useDatabase("all");

/** As the venue tells of twenty positions. */
const stateOf = (n: number) => ({
  marginSummary: { accountValue: `${1_000 + n}.5`, totalNtlPos: `${n}.25` },
  assetPositions: Array.from({ length: 20 }, (_, i) => ({
    type: "oneWay",
    position: {
      coin: `COIN${i}`,
      szi: `${n * 7 + i}.${n % 97}`,
      entryPx: `${(n * 31 + i) % 9_973}.5`,
      positionValue: `${n * 13 + i}.25`,
      unrealizedPnl: `-${(n * 17 + i) % 7_919}.125`,
      leverage: { type: "cross", value: 20 },
      liquidationPx: `${(n * 29 + i) % 8_191}.75`,
      marginUsed: `${n % 991}.5`,
      maxLeverage: 40,
      returnOnEquity: `0.${(n * 41) % 9_999}`,
      cumFunding: { allTime: `${n}.1`, sinceOpen: `${n % 7}.2`, sinceChange: "0.0" },
    },
  })),
});

/** A walk that falls and recovers, with a net worth that is unknown now and then. */
function walk(): DashboardRow[] {
  const random = seededRandom(SEED);
  let worth = 10_000;
  return Array.from({ length: 3 * 720 }, (_, n) => {
    worth = Math.max(-50, worth + Math.round((random.next() - 0.5) * 400));
    const isKnown = random.next() > 0.03;
    const asOfMs = START + n * 2 * MINUTE + Math.floor(random.next() * MINUTE);
    return dashboardOf({
      asOfMs,
      accountValue: `${worth}.5`,
      netWorth: isKnown ? `${worth}.5` : null,
      raw: stateOf(n),
      healthScore: Math.floor(random.next() * 100),
      netWorthReason: isKnown ? null : "a price is missing",
    });
  });
}

const stretches = () =>
  db.database.query(
    `select (to_jsonb(s) - 'snapshots')::text as stretch from hl_internal.equity_stretches s
     where account_address = $1 order by first_ms`,
    [ACCOUNT],
  );
const snapshots = (fromMs: number, toMs: number) =>
  db.database.query<{ rows: number; bytes: number; raw: number }>(
    `select count(*) as rows, coalesce(sum(pg_column_size(d.*)), 0)::bigint as bytes, count(raw_user_state) as raw
     from hl_dashboard d where account_address = $1 and as_of_ms >= $2 and as_of_ms < $3`,
    [ACCOUNT, fromMs, toMs],
  );

it("old account snapshots are thinned out, and profit, peaks and drawdowns stay as they were", async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const { store, database } = db;
  const rows = walk();
  const flows = [0.3, 0.9, 1.4, 2.2].map((days, n) =>
    ledgerOf({
      timeMs: START + Math.floor(days * DAY),
      digest: `flow ${n}`,
      hash: `0x${n}`,
      raw: { time: START, hash: `0x${n}`, delta: { type: "deposit", usdc: `${100 * n}.0` } },
    }),
  );
  await store.openAccount(ACCOUNT, null, null);
  for (let from = 0; from < rows.length; from += 720)
    await store.apply({ dashboard: rows.slice(from, from + 720), ledger: from === 0 ? flows : [] });
  const legacy = { ...rows[40]!, asOfMs: rows[40]!.asOfMs + 1, source: "legacy" as const };
  await store.apply({ dashboard: [legacy] });
  // The venue's own curve has a point between two snapshots in the middle of an hour.
  await database.query(
    "insert into hl_portfolio (account_address, scope, time_ms, account_value) values ($1, 'all', $2, 1)",
    [ACCOUNT, rows[100]!.asOfMs + 1],
  );
  const before = await stretches();
  const keepDays = { outboxDays: 1e4, quarantineDays: 1e4, marketDays: 1e5, snapshotDays: 1 };
  const nowMs = START + 3 * DAY;
  const cutMs = nowMs - DAY - ((nowMs - DAY) % (60 * MINUTE));
  const [young] = await snapshots(cutMs, nowMs + DAY);
  const gone = await store.prune(keepDays, nowMs);

  assert.deepEqual(await stretches(), before);
  assert.deepEqual(await snapshots(cutMs, nowMs + DAY), [young]);
  const [old] = await snapshots(0, cutMs);
  assert.equal(old!.rows + gone.hl_dashboard! + young!.rows, rows.length + 1);
  t.diagnostic(JSON.stringify({ old, young, gone }));
  assert.ok(old!.bytes / 2 <= BYTES_A_DAY_MAX, `${old!.bytes / 2} bytes a day`);
  assert.ok(old!.raw <= 2 * 24 + 2, `${old!.raw} with the venue's state`);
  const isThere = async (asOfMs: number) => (await snapshots(asOfMs, asOfMs + 1))[0]!.rows === 1;
  for (const { asOfMs } of [legacy, rows[0]!, rows[100]!, rows[101]!])
    assert.ok(await isThere(asOfMs), `${asOfMs}`);

  assert.equal((await store.prune(keepDays, nowMs)).hl_dashboard, 0);
  assert.equal((await snapshots(0, cutMs))[0]!.rows, old!.rows);
});
