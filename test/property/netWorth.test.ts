/**
 * Profit over random sessions: what the tables and views say, against what the venue's own truth adds up to, in every mode.
 *
 * `profit = gross PnL − fees + funding + interest + rewards + what prices did to the things held`, to the last digit: amounts
 * and prices of the venue have eight decimals, every sum and product of them is exact on both sides, so nothing may differ at
 * all. No move of the account's own makes profit (it is no part of that sum), and what cannot be known is null with its reason.
 *
 * More sessions: HLSYNC_NET_WORTH_SEEDS=500, from HLSYNC_NET_WORTH_FROM on.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readDrawdown } from "../../src/outputs/http/reads.ts";
import { add, cmp, eq, isZero, sub, sum } from "../../src/runtime/decimal.ts";
import { formatScaled } from "../../src/simulator/exchange/fixed.ts";
import { useDatabase } from "../support/postgres.ts";
import { total } from "./netWorthBook.ts";
import {
  MODES,
  NEAR_MS,
  type NetWorthSession,
  RETRY_MS,
  runNetWorthSession,
  type SessionMode,
  type Step,
} from "./netWorthSession.ts";

const SEEDS = Number(process.env.HLSYNC_NET_WORTH_SEEDS ?? 12);
const FROM = Number(process.env.HLSYNC_NET_WORTH_FROM ?? 1);
const STEPS = 9;
/** A change of mode is heard of at a moment of its own. */
const MODE_NEAR_MS = 90_000;
const AT_ONCE = 4;

/** Failed once. */
const KEPT: Partial<Record<SessionMode, readonly number[]>> = {
  standard: [3040, 5071],
  unified: [1028],
  "portfolio margin": [1056],
};

const DECIMALS = 16;
const told = (amount: bigint): string => formatScaled(amount, DECIMALS);

interface Shot {
  as_of_ms: number;
  net_worth: string | null;
  net_worth_reason: string | null;
  account_mode: string;
}

describe("profit of random sessions", () => {
  const db = useDatabase("all");

  const rows = <R>(sql: string, account: string): Promise<R[]> =>
    db.database.query(sql, [account]) as Promise<R[]>;

  for (const mode of MODES)
    it(`is what the truth adds up to: ${mode}`, async (t) => {
      const moves = new Map<string, number>();
      let [known, unknown] = [0, 0];
      const drawn = Array.from({ length: SEEDS }, (_, index) => FROM + index);
      const seeds = [...(KEPT[mode] ?? []), ...drawn].values();
      // A few at a time: most of each is waiting for the database.
      const one = async () => {
        for (const seed of seeds) {
          const session = await runNetWorthSession(db, mode, seed, STEPS);
          const found = await judge(session, `${mode}, seed ${seed}`);
          known += found.known;
          unknown += found.unknown;
          for (const [kind, count] of session.moves) moves.set(kind, (moves.get(kind) ?? 0) + count);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, one));
      t.diagnostic(
        `${known} snapshots known, ${unknown} not; ${[...moves]
          .sort()
          .map((one) => one.join(" "))
          .join(", ")}`,
      );
      if (SEEDS < 12) return;
      assert.ok(known > 2 * unknown, `${known} of ${known + unknown} snapshots have a net worth`);
      for (const kind of EXPECTED[mode]) assert.ok((moves.get(kind) ?? 0) > 0, `no move of the kind ${kind}`);
    });

  async function judge(session: NetWorthSession, name: string): Promise<{ known: number; unknown: number }> {
    const { account, steps } = session;
    const shots = await rows<Shot>(
      "select as_of_ms, net_worth, net_worth_reason, account_mode from hl_dashboard where account_address = $1 order by as_of_ms",
      account,
    );
    const near = nearUpdates(session);
    for (const shot of shots) assert.equal(shot.net_worth === null, shot.net_worth_reason !== null, name);
    const byTime = new Map(shots.map((shot) => [shot.as_of_ms, shot]));
    let refusedMs = 0;
    for (const step of steps) {
      if (step.refused !== null) refusedMs = step.asOfMs;
      if (step.asOfMs - refusedMs < RETRY_MS || near(step)) continue;
      const shot = byTime.get(step.asOfMs);
      if (shot && isMixed(shot, shots)) continue;
      assert.ok(
        shot?.net_worth,
        `${name}: nothing stood in the way at ${step.asOfMs}: ${JSON.stringify(shot)}`,
      );
    }
    await judgeProfit(
      session,
      shots.filter(({ net_worth }) => net_worth !== null),
      name,
    );
    judgeShown(steps, name);
    const known = shots.filter(({ net_worth }) => net_worth !== null).length;
    return { known, unknown: shots.length - known };
  }

  async function judgeProfit(
    { account, steps }: NetWorthSession,
    known: Shot[],
    name: string,
  ): Promise<void> {
    const at = new Map(steps.map((step) => [step.asOfMs, step]));
    const first = known[0];
    if (first === undefined) return;
    const begun = total(at.get(first.as_of_ms)!.gains);
    const expected = known.map((shot) => ({
      ...shot,
      profit: told(total(at.get(shot.as_of_ms)!.gains) - begun),
    }));
    const equity = await rows<{
      as_of_ms: number;
      profit: string;
      drawdown: string;
      profit_reason: string | null;
    }>(
      "select as_of_ms, profit, drawdown, profit_reason from hl_equity where account_address = $1 order by as_of_ms",
      account,
    );
    assert.equal(equity.length, expected.length, name);
    let [peak, deepest] = ["0", "0"];
    for (const [index, { as_of_ms, profit }] of expected.entries()) {
      const row = equity[index]!;
      const off = sub(row.profit, profit);
      assert.ok(
        isZero(off),
        `${name}: ${off} of profit from nowhere at ${as_of_ms} (step ${steps.indexOf(at.get(as_of_ms)!)}): ${gainsBetween(at.get(known[index - 1]?.as_of_ms ?? as_of_ms)!, at.get(as_of_ms)!)}`,
      );
      if (cmp(profit, peak) > 0) peak = profit;
      if (cmp(sub(peak, profit), deepest) > 0) deepest = sub(peak, profit);
      assert.ok(eq(row.drawdown, sub(peak, profit)), `${name}: drawdown at ${as_of_ms}`);
    }
    const last = expected.at(-1)!.profit;
    const [statistics] = await rows<{ profit: string; max_drawdown: string }>(
      "select profit, max_drawdown from hl_statistics where account_address = $1",
      account,
    );
    const daily = await rows<{ pnl: string; flow: string }>(
      "select pnl, flow from hl_equity_daily where account_address = $1",
      account,
    );
    const now = await readDrawdown(db.database, account);
    assert.ok(eq(statistics!.profit, last), `${name}: statistics`);
    assert.ok(eq(statistics!.max_drawdown, deepest), `${name}: deepest drawdown`);
    assert.ok(eq(sum(daily.map(({ pnl }) => pnl)), last), `${name}: days`);
    assert.ok(
      eq(String(now!.profit), last) &&
        eq(add(String(now!.net_flows), "0"), sum(daily.map(({ flow }) => flow))),
      `${name}: dashboard`,
    );
  }
});

/** Whether the mode was another one near it. */
const isMixed = (shot: Shot, shots: readonly Shot[]): boolean =>
  shots.some(
    ({ as_of_ms, account_mode }) =>
      account_mode !== shot.account_mode && Math.abs(as_of_ms - shot.as_of_ms) <= MODE_NEAR_MS,
  );

/** Nor is it wrong for a moment: what the page shows after a pass is that of a step, or nothing. */
function judgeShown(steps: readonly Step[], name: string): void {
  const gains = new Map(steps.map(({ asOfMs, gains }) => [asOfMs, total(gains)]));
  for (const { asOfMs, shown } of steps) {
    if (shown === null || shown.drawdown_as_of_ms !== asOfMs) continue;
    const expected = told(gains.get(asOfMs)! - gains.get(shown.captured_since_ms)!);
    const off = sub(String(shown.profit), expected);
    assert.ok(isZero(off), `${name}: ${off} of profit from nowhere shown at ${asOfMs}`);
  }
}

/** Whether an update came so near to a step that it may be on either side of it. */
function nearUpdates({ venue, account }: NetWorthSession): (step: Step) => boolean {
  const times = venue.truth(account).ledger.map(({ time }) => time as number);
  return ({ asOfMs }) => times.some((ms) => Math.abs(ms - asOfMs) <= NEAR_MS);
}

const gainsBetween = (before: Step, after: Step): string =>
  Object.entries(after.gains)
    .map(([kind, gain]) => `${kind} ${told(gain - before.gains[kind as keyof Step["gains"]])}`)
    .join(", ");

/** Kinds that must have been accepted somewhere, or the sessions show nothing. */
const EXPECTED: Record<SessionMode, readonly string[]> = {
  standard: [
    "class",
    "class of a dex",
    "own dexes",
    "perp",
    "perp of a dex",
    "spot",
    "in",
    "out",
    "token in",
    "token out",
  ],
  unified: [
    "stake",
    "unstake",
    "stake reward",
    "vault deposit",
    "vault withdrawal",
    "distribute",
    "withdraw",
    "reward",
  ],
  "portfolio margin": ["supply", "borrow", "repay", "perp", "spot", "reward", "cost"],
  changing: ["mode", "perp", "spot", "stake"],
  vault: ["perp", "in", "out", "distribute"],
};
