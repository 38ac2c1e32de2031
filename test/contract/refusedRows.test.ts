/** Rows that a real database refuses: each goes to quarantine by itself, with the database's words, and all others are written. */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { StoreError } from "../../src/errors.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { systemRandom } from "../../src/runtime/random.ts";
import { type Commit, committer } from "../../src/sync/commit.ts";
import type { Batch } from "../../src/sync/rows.ts";
import { useDatabase } from "../support/postgres.ts";
import { nested } from "../support/wires.ts";
import { ACCOUNT, balanceOf, fillOf, fundingOf, ledgerOf, orderEventOf, positionOf, T } from "./rows.ts";

describe("rows that the database refuses", () => {
  const target = useDatabase("each");
  let commit: Commit;
  const published: string[] = [];

  beforeEach(async () => {
    published.length = 0;
    commit = committer(
      {
        store: target.store,
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        publish: ({ applied }) => published.push(...applied.events.map(({ key }) => key)),
      },
      new AbortController().signal,
      1,
    );
  });
  const rows = (sql: string) => target.database.query(sql);
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

  const digits = "9".repeat(140_000);
  const spoilt: Record<string, Batch> = {
    "a number beyond numeric": { fills: [fillOf({ tradeId: 99, price: digits })] },
    "a key beyond the index": { fills: [fillOf({ tradeId: 99, coin: randomName(6_000) })] },
    "an integer with a fraction": { positions: [positionOf({ coin: "BAD", leverageValue: 2.5 })] },
    "an integer beyond its column": { funding: [fundingOf({ coin: "BAD", samples: 5e9 })] },
    "nesting that cannot be written down": { ledger: [ledgerOf({ hash: "0xbad", raw: nested(50_000) })] },
    "a date beyond the calendar": { balances: [balanceOf({ coin: "BAD", asOfMs: 8.64e18 })] },
    "a side that is none": { orderEvents: [orderEventOf({ orderId: 99, side: "both" as "buy" })] },
    "a row without its price": { fills: [fillOf({ tradeId: 99, price: null as unknown as string })] },
  };
  for (const [what, bad] of Object.entries(spoilt)) {
    it(`${what} costs that row`, async () => {
      const good: Batch = {
        fills: numbers(20).map((i) => fillOf({ tradeId: i, timeMs: T + i })),
        orderEvents: numbers(5).map((i) => orderEventOf({ orderId: i })),
        positions: ["A", "B"].map((coin) => positionOf({ coin })),
        balances: ["A", "B"].map((coin) => balanceOf({ coin })),
        funding: ["A", "B"].map((coin) => fundingOf({ coin })),
        ledger: ["0xa", "0xb"].map((hash) => ledgerOf({ hash })),
      };
      const [list, [row]] = Object.entries(bad)[0] as [keyof Batch, [never]];
      const mixed = { ...good, [list]: good[list]?.flatMap((one, i) => (i === 1 ? [row, one] : [one])) };
      await commit(mixed as Batch, T);
      const [counts] = await rows(`select (select count(*) from hl_fills)::int as fills,
        (select count(*) from hl_order_events)::int as events, (select count(*) from hl_positions)::int as positions,
        (select count(*) from hl_balances)::int as balances, (select count(*) from hl_funding)::int as funding,
        (select count(*) from hl_ledger)::int as ledger`);
      assert.deepEqual(counts, { fills: 20, events: 5, positions: 2, balances: 2, funding: 2, ledger: 2 });
      const [kept, ...more] = await rows(
        "select account_address, subject, reason, length(raw) <= 65536 as is_short from hl_internal.quarantine",
      );
      assert.deepEqual(more, []);
      assert.equal(kept?.account_address, ACCOUNT);
      assert.match(String(kept?.reason), /^refused by the database: .{10,}/);
      assert.equal(kept?.is_short, true);
      assert.equal(published.filter((key) => key.startsWith("fill:")).length, 20);
    });
  }

  it("a user's own CHECK and trigger cost the rows that they refuse, and what is claimed leaves them out", async () => {
    await rows("alter table hl_fills add constraint mine check (price < 1000)");
    await rows(`create function no_dust() returns trigger language plpgsql as
      $$ begin if new.size < 0.01 then raise exception 'no dust, please'; end if; return new; end $$`);
    await rows("create trigger mine before insert on hl_fills for each row execute function no_dust()");
    const over = (i: number) => (i === 3 ? { price: "5000" } : i === 7 ? { size: "0.001" } : {});
    const fills = numbers(10).map((i) =>
      fillOf({ tradeId: i, timeMs: T + i, price: "10", raw: { time: T + i }, ...over(i) }),
    );
    const claim = { account: ACCOUNT, stream: "fills", grade: "proven", reason: null } as const;
    await commit({ fills, coverage: [{ ...claim, fromMs: T, toMs: T + 20 }] }, T);
    assert.equal((await rows("select 1 from hl_fills")).length, 8);
    const reasons = await rows("select reason, raw from hl_internal.quarantine order by raw");
    assert.match(String(reasons[0]?.reason), /violates check constraint "mine"/);
    assert.match(String(reasons[1]?.reason), /no dust, please/);
    assert.deepEqual(
      reasons.map(({ raw }) => JSON.parse(String(raw)).time - T),
      [3, 7],
    );
    const claims = await rows(
      `select grade, (from_ms - ${T})::int as from_ms, (to_ms - ${T})::int as to_ms, reason from hl_coverage order by from_ms`,
    );
    const reason = "the database refused a row of this time: it is kept or counted in quarantine";
    const hole = (ms: number) => ({ grade: "unprovable", from_ms: ms, to_ms: ms, reason });
    const part = (from_ms: number, to_ms: number) => ({ grade: "proven", from_ms, to_ms, reason: null });
    assert.deepEqual(claims, [part(0, 2), hole(3), part(4, 6), hole(7), part(8, 20)]);
    // The rows are read again and again: one message each, counted.
    await commit({ fills, coverage: [{ ...claim, fromMs: T, toMs: T + 20 }] }, T);
    assert.equal((await rows("select 1 from hl_internal.quarantine")).length, 2);
  });

  for (const [list, table, row] of [
    ["fills", "hl_fills", (tradeId: number) => fillOf({ tradeId })],
    ["orderEvents", "hl_order_events", (orderId: number) => orderEventOf({ orderId })],
    ["funding", "hl_funding", (i: number) => fundingOf({ timeMs: T + i })],
    ["ledger", "hl_ledger", (i: number) => ledgerOf({ hash: `0x${i}` })],
  ] as const)
    it(`a trigger that leaves rows of ${table} out without a word is heard`, async () => {
      await rows(`create function mine() returns trigger language plpgsql as
        $$ begin if to_jsonb(new)::text like '%unwanted%' then return null; end if; return new; end $$`);
      await rows(`create trigger mine before insert on ${table} for each row execute function mine()`);
      const batch = {
        [list]: numbers(6).map((i) => (i % 3 === 2 ? { ...row(i), raw: { unwanted: i } } : row(i))),
      };
      // Read again later, with what is there already.
      for (const times of [1, 2]) {
        await commit(batch as Batch, T);
        assert.equal((await rows(`select 1 from ${table}`)).length, 4, `read ${times} times`);
        const reasons = await rows("select distinct reason from hl_internal.quarantine");
        assert.match(String(reasons[0]?.reason), new RegExp(`a trigger on ${table} leaves it out`));
        assert.equal(reasons.length, 1);
      }
      assert.equal((await rows("select 1 from hl_internal.quarantine")).length, 2);
    });

  it("a trigger may raise any code, and nest others: its own row is refused", async () => {
    const codes = ["ZZ123", "38000", "42501", "42P01", "0A000", "XX000", "21000", "2F000", "55000", "58030"];
    await rows(`create function "mine, of""all"(code text) returns void language plpgsql as
      $$ begin raise exception 'not this one' using errcode = code; end $$`);
    await rows(`create function mine() returns trigger language plpgsql as $$ begin
      if new.direction <> 'fine' then perform public."mine, of""all"(new.direction); end if; return new; end $$`);
    await rows("create trigger mine before insert on hl_fills for each row execute function mine()");
    const fills = ["fine", ...codes, "fine"].map((direction, tradeId) => fillOf({ tradeId, direction }));
    await commit({ fills }, T);
    assert.equal((await rows("select 1 from hl_fills")).length, 2);
    const reasons = await rows("select reason from hl_internal.quarantine order by reason");
    assert.deepEqual(
      reasons.map(({ reason }) => /not this one \((\w+)\)/.exec(String(reason))?.[1]),
      codes.toSorted(),
    );
  });

  it("a table that may not be written is no row's fault", async () => {
    await rows("create role hlsync_refused_reader login");
    try {
      const reader = committer(
        {
          store: {
            apply: async () => {
              await rows("set role hlsync_refused_reader; delete from hl_fills");
              throw new Error("unreachable");
            },
          },
          clock: systemClock,
          random: systemRandom,
          log: silentLog,
          publish: () => {},
        },
        new AbortController().signal,
        1,
      );
      await assert.rejects(
        reader({ fills: [fillOf()] }, T),
        (error: unknown) => error instanceof StoreError && error.sqlState === "42501",
      );
    } finally {
      await rows("reset role");
      await rows("drop role hlsync_refused_reader");
    }
  });

  it("characters that PostgreSQL has no text for are replaced, and that is noted once", async () => {
    const fills = [
      fillOf({ tradeId: 1, direction: "Open\u0000Long", raw: { dir: "Open\u0000Long" } }),
      fillOf({ tradeId: 2, coin: "B\ud800C" }),
      fillOf({ tradeId: 3, direction: "a \\u0000 that is spelt out" }),
    ];
    await target.store.apply({ fills });
    await target.store.apply({ fills });
    assert.deepEqual(await rows("select direction from hl_fills where trade_id = 1"), [
      { direction: "Open\ufffdLong" },
    ]);
    const noted = await rows(
      "select account_address, subject, reason, raw from hl_internal.quarantine order by raw",
    );
    assert.equal(noted.length, 2);
    for (const { account_address, subject, reason } of noted) {
      assert.deepEqual([account_address, subject], [ACCOUNT, "hl_fills"]);
      assert.match(String(reason), /no text for/);
    }
    const raw = noted.map((row) => row.raw).join(" ");
    assert.ok(raw.includes("B\\ud800C") && raw.includes("Open\\u0000Long"), raw);
  });

  it("the excess of a minute is one row with a count", async () => {
    const excess = (seenAtMs: number, count: number) => ({
      account: ACCOUNT,
      subject: "user",
      reason: "too many",
      raw: "minute",
      seenAtMs,
      count,
    });
    await target.store.apply({ quarantine: [excess(T, 500)] });
    await target.store.apply({ quarantine: [excess(T + 1, 20)] });
    assert.deepEqual(await rows("select count::int from hl_internal.quarantine"), [{ count: 520 }]);
  });
});

/** Text that does not compress. */
function randomName(length: number): string {
  let text = "";
  for (let i = 0; text.length < length; i++) text += Math.imul(i + 1, 2_654_435_761).toString(36);
  return text.slice(0, length);
}
