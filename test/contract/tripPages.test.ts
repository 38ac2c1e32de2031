/** Round trips read a page at a time reach the beginning of the account, each whole and once. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readRoundTrips } from "../../src/outputs/http/reads.ts";
import type { Row } from "../../src/store/database.ts";
import { ACCOUNT, makeAccount } from "../e2e/dashboardAccount.ts";
import { useDatabase } from "../support/postgres.ts";

const FILLS = 3_600;

describe("pages of round trips", () => {
  const db = useDatabase("each");

  it("hold every trip that SQL knows of, as it knows it", async () => {
    await makeAccount(db.store, { fills: FILLS, nowMs: Date.now(), seed: 7 });
    const all = await db.database.query<Row>(
      `select coin, side, (extract(epoch from opened_at) * 1000)::bigint as opened_ms,
         (extract(epoch from closed_at) * 1000)::bigint as closed_ms, fills, closed_pnl, fees, funding, net_pnl, complete
       from hl_round_trips where account_address = $1 order by closed_at desc nulls first, opened_at desc, coin`,
      [ACCOUNT],
    );
    assert.ok(all.length > 100, String(all.length));
    const told: Row[] = [];
    let pages = 0;
    for (let before: number | null = null, more = true; more; pages++) {
      const page: Awaited<ReturnType<typeof readRoundTrips>> = await readRoundTrips(
        db.database,
        ACCOUNT,
        0,
        before,
      );
      told.push(...page.rows);
      [before, more] = [page.sinceMs, !page.isWhole];
    }
    assert.ok(pages >= 4, String(pages));
    const [first] = all;
    const names = Object.keys(first!);
    assert.deepEqual(
      told.map((row) => Object.fromEntries(names.map((name) => [name, row[name]]))),
      all.map((row) => ({ ...row })),
    );
  });
});
