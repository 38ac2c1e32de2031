/**
 * The days of another zone, told from kept sums, against plain SQL over all rows: zones of half and quarter hours, days that
 * have 23, 25 or 24½ hours, midnights that come twice or never, rows that come late and stretches that end anywhere.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readOverview, readPnlOfZone } from "../../src/outputs/http/reads.ts";
import { type Random, seededRandom } from "../../src/runtime/random.ts";
import type { FillRow, FundingRow } from "../../src/sync/rows.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, fillOf, fundingOf, OTHER } from "./rows.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const QUARTER = HOUR / 4;
const ZONES = [
  "America/Havana",
  "America/Santiago",
  "Africa/Cairo",
  "Asia/Beirut",
  "Asia/Kathmandu",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "Pacific/Chatham",
  "Pacific/Kiritimati",
  "Etc/GMT+12",
  "UTC",
];
/** When clocks of these zones change, those that do it at midnight first. */
const CHANGES = [
  "2026-03-08T05:00Z",
  "2026-11-01T05:00Z",
  "2026-04-05T03:00Z",
  "2026-09-06T04:00Z",
  "2026-03-28T22:00Z",
  "2026-10-24T21:00Z",
  "2026-04-23T22:00Z",
  "2026-10-29T21:00Z",
  "2026-04-04T15:00Z",
].map((text) => Date.parse(text));
const FIRST = Date.parse("2026-03-05T00:00Z");
const LAST = Date.parse("2026-11-05T00:00Z");
const COINS = ["BTC", "ETH", "@107"];

/** Every sum of the days and of the coins between two days of a zone ($2, inclusive), as nobody would compute them. */
const PLAIN = `with moved as (
    select coin, fill_time as at, 1 as fills, value as volume, closed_pnl,
      coalesce(fee_usdc, 0) + coalesce(gas_usdc, 0) as fees, 0 as funding, (cost_usdc is null)::int as unpriced_fees
    from hl_fill_pnl where account_address = $1
    union all
    select coin, funding_time, 0, 0, 0, 0, usdc, 0 from hl_funding where account_address = $1
  )
  select %s as key, sum(fills)::bigint as fills, trim_scale(sum(volume)) as volume, trim_scale(sum(closed_pnl)) as closed_pnl,
    trim_scale(sum(fees)) as fees, trim_scale(sum(funding)) as funding,
    trim_scale(sum(closed_pnl) - sum(fees) + sum(funding)) as net_pnl, sum(unpriced_fees)::bigint as unpriced_fees
  from moved
  where (at at time zone $2)::date between (to_timestamp($3::bigint / 1000.0) at time zone $2)::date
    and (to_timestamp($4::bigint / 1000.0) at time zone $2)::date
  group by 1 order by 1`;
const KEYS = { day: "to_char(at at time zone $2, 'YYYY-MM-DD')", coin: "coin" };

const below = (random: Random, limit: number) => Math.floor(random.next() * limit);

/** Mostly about the hour of a change, often to the quarter of an hour or a millisecond beside it. */
function momentOf(random: Random): number {
  if (below(random, 3) === 0) return FIRST + below(random, LAST - FIRST);
  const change = CHANGES[below(random, CHANGES.length)]!;
  const away = (below(random, 17) - 8) * QUARTER + [0, 0, -1, 1, below(random, QUARTER)][below(random, 5)]!;
  return change + away;
}

const fillsOf = (random: Random, count: number, account: string): FillRow[] =>
  Array.from({ length: count }, (_, n) =>
    fillOf({
      account,
      coin: COINS[below(random, COINS.length)]!,
      timeMs: momentOf(random),
      tradeId: n,
      orderId: n,
      value: `${below(random, 1_000)}.${below(random, 90)}`,
      fee: `0.${below(random, 90)}`,
      feeToken: ["USDC", "USDC", "PURR"][below(random, 3)]!,
      closedPnl: String(below(random, 200) - 100),
      raw: { n, ...(below(random, 9) === 0 ? { priorityGas: "0.001" } : {}) },
    }),
  ).sort((a, b) => a.timeMs - b.timeMs);

const fundingRows = (random: Random, count: number): FundingRow[] =>
  Array.from({ length: count }, (_, n) =>
    fundingOf({
      coin: COINS[n % COINS.length]!,
      timeMs: momentOf(random),
      usdc: `${below(random, 9) - 4}.${n + 1}`,
    }),
  ).sort((a, b) => a.timeMs - b.timeMs);

describe("days of a zone", () => {
  const db = useDatabase("each");

  it("begin today where the days before it end, also where the clocks go back over midnight", async () => {
    for (const [zone, noonMs, startMs] of [
      ["America/Havana", Date.UTC(2026, 10, 1, 17), Date.UTC(2026, 10, 1, 4)],
      ["America/Havana", Date.UTC(2026, 10, 2, 17), Date.UTC(2026, 10, 2, 5)],
      ["Atlantic/Azores", Date.UTC(2026, 9, 25, 12), Date.UTC(2026, 9, 25, 0)],
      ["UTC", Date.UTC(2026, 10, 1, 12), Date.UTC(2026, 10, 1)],
    ] as const) {
      const today = await readOverview(db.database, ACCOUNT, noonMs, zone);
      assert.equal(today.day_start_ms, startMs, zone);
    }
  });

  for (const seed of [1])
    it(`are what plain SQL says, whatever is settled: seed ${seed}`, async () => {
      const random = seededRandom(seed);
      const compare = async (zones: readonly string[], when: string) => {
        const [a, b] = [momentOf(random), momentOf(random)];
        for (const zone of zones)
          for (const [fromMs, toMs] of [
            [0, LAST],
            [Math.min(a, b), Math.max(a, b)],
          ] as const)
            for (const by of ["day", "coin"] as const) {
              const told = await readPnlOfZone(db.database, ACCOUNT, { by, fromMs, toMs, zone });
              const plain = await db.database.query(PLAIN.replace("%s", KEYS[by]), [
                ACCOUNT,
                zone,
                fromMs,
                toMs,
              ]);
              assert.deepEqual(
                told.rows.map(({ [by]: key, ...sums }) => ({ key, ...sums })),
                plain.map((row) => ({ ...row })),
                `${when}, ${zone}, by ${by}, ${new Date(fromMs).toISOString()} to ${new Date(toMs).toISOString()}`,
              );
              assert.equal(told.sinceMs, null);
            }
      };
      const settle = async (nowMs: number, steps: number, most = 9) => {
        let settled = 0;
        for (let n = 0, more = true; more && n < steps; n++) {
          const [row] = await db.database.query<{ more: boolean }>(
            "select hl_internal.settle($1, to_timestamp($2::bigint / 1000.0), $3) as more",
            [ACCOUNT, nowMs, 1 + below(random, most)],
          );
          more = row!.more;
          settled += Number(more);
        }
        return settled;
      };

      const fills = fillsOf(random, 120, ACCOUNT);
      const funding = fundingRows(random, 30);
      const late = fills.filter((_, n) => n % 30 === 7);
      const onTime = fills.filter((fill) => !late.includes(fill));
      await db.store.apply({ fills: fillsOf(random, 20, OTHER) });
      let settled = 0;
      for (let part = 0; part < 4; part++) {
        const within = ({ timeMs }: { timeMs: number }) =>
          Math.floor((4 * (timeMs - FIRST)) / (LAST + DAY - FIRST)) === part;
        await db.store.apply({ fills: onTime.filter(within), funding: funding.filter(within) });
        settled += await settle(LAST, 4 + below(random, 12));
        const zone = ZONES[below(random, ZONES.length)]!;
        await compare(["America/Havana", zone], `part ${part}`);
      }
      settled += await settle(LAST + DAY, 250, 40);
      await compare(ZONES, "all settled");
      for (const fill of late) await db.store.apply({ fills: [fill] });
      await db.database.query("delete from hl_funding where funding_time_ms = $1", [funding[20]!.timeMs]);
      await compare(ZONES.slice(0, 3), "some late");
      settled += await settle(LAST + DAY, 20);
      await compare(ZONES.slice(3, 6), "settled in part");
      settled += await settle(LAST + DAY, 250, 40);
      await compare(ZONES, "settled again");
      assert.ok(settled > 60, String(settled));
      const [kept] = await db.database.query<{ left: number; slots: number }>(
        `select (select count(*) from hl_fills f join hl_internal.settled s using (account_address)
            where f.account_address = $1 and f.fill_time >= s.until_at) as left,
           (select count(*) from hl_internal.settled_slots where account_address = $1) as slots`,
        [ACCOUNT],
      );
      assert.equal(kept!.left, 0);
      assert.ok(kept!.slots > 50, String(kept!.slots));
    });

  it("are those of the calendar where a midnight comes twice or never", async () => {
    const rows = await db.database.query<{ begins: string }>(
      `select to_char(hl_internal.day_start(d::timestamp, z) at time zone 'UTC', 'MM-DD HH24:MI') as begins
       from (values ('2026-11-01', 'America/Havana'), ('2026-11-02', 'America/Havana'), ('2026-03-08', 'America/Havana'),
         ('2026-09-06', 'America/Santiago'), ('2026-04-05', 'America/Santiago'), ('2026-10-25', 'Asia/Beirut'),
         ('2026-04-05', 'Australia/Lord_Howe'), ('2026-04-06', 'Asia/Kathmandu')) v(d, z)`,
    );
    assert.deepEqual(
      rows.map(({ begins }) => begins),
      [
        "11-01 04:00",
        "11-02 05:00",
        "03-08 05:00",
        "09-06 04:00",
        "04-05 04:00",
        "10-24 22:00",
        "04-04 13:00",
        "04-05 18:15",
      ],
    );
  });
});
