/**
 * A clock that is wrong, the venue's for one answer or ours for an hour: nothing is claimed that was not read, what is stored
 * gives way to what is true, and after a restart everything is there.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { TIME_LIMITS } from "../../src/sync/account/venueTime.ts";
import type { Step, Wire } from "../support/scriptedVenue.ts";
import {
  balance,
  type CaseRig,
  eachWithRig,
  fill,
  hashOf,
  MINUTE_MS,
  position,
  SECOND_MS,
  state,
} from "./casesRig.ts";

const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const WARNING = /a time of the venue is far from this machine's clock/g;
/** Or, of a stamp that no clock shows, that it was not understood. */
const SAID = /a time of the venue is far from this machine's clock|not understood, kept in quarantine/;
const YEAR_58877 = Date.UTC(2026, 10, 28) * 1_000;
/** All time up to then, as coverage holds it. */
const ALL = `int8multirange(int8range(0, ${YEAR_58877}))`;

describe("a wrong clock", () => {
  let rig: CaseRig;
  let fills: Wire[];

  eachWithRig((made) => {
    rig = made;
  });
  beforeEach(() => {
    fills = [];
    for (let i = 0; i < 5; i++) trade(-10 * MINUTE_MS + i * MINUTE_MS);
  });

  /** One more fill of BTC, so long from now by the venue's clock. */
  function trade(atMs = 0): void {
    const start = (fills.length * 0.1).toFixed(1);
    fills.push(fill("BTC", Date.now() + atMs, start, 0.1));
  }
  /** The venue as it is when it says the truth; `odd` is what it says wrong. */
  const step = (odd: Step = {}): Step => {
    const szi = (fills.length * 0.1).toFixed(1);
    const clearinghouse = { "": state([position("BTC", szi)]) };
    return {
      clearinghouse,
      spot: { balances: [balance("USDC", `${fills.length}.0`)] },
      fills: [...fills],
      ...odd,
    };
  };
  const stamped = (time: number): Step => ({
    clearinghouse: { "": state([position("BTC", (fills.length * 0.1).toFixed(1))], { time }) },
  });

  const stored = async (): Promise<number> => {
    const [row] = await rig.rows<{ n: number }>("select count(*)::int as n from hl_fills");
    return row!.n;
  };
  /** Nothing that is stored as known or as current is later than clocks may differ. */
  const claimsNoFuture = async (venueNowMs = Date.now()): Promise<void> => {
    const latest = await rig.rows<{ what: string; ms: string }>(
      `select 'coverage' as what, max(upper(covered))::text as ms from hl_internal.coverage
       union all select 'positions', max(as_of_ms)::text from hl_positions
       union all select 'balances', max(as_of_ms)::text from hl_balances
       union all select 'states', max(as_of_ms)::text from hl_internal.states
       union all select 'snapshots', max(as_of_ms)::text from hl_dashboard`,
    );
    for (const { what, ms } of latest)
      assert.ok(
        Number(ms) <= venueNowMs + TIME_LIMITS.closeMs,
        `${what} up to ${new Date(Number(ms)).toJSON()}`,
      );
  };
  const isTrue = async (): Promise<void> => {
    assert.equal(await stored(), fills.length, "fills");
    assert.equal(await rig.position("BTC"), `long ${(fills.length * 0.1).toFixed(1)}`);
    assert.deepEqual(await rig.balances(), { USDC: fills.length });
  };

  const ONCE: Record<string, () => Step> = {
    "a state stamped in microseconds": () => stamped(Date.now() * 1_000),
    "a state stamped a day ahead": () => stamped(Date.now() + DAY_MS),
    "a state stamped 2^53 − 1": () => stamped(Number.MAX_SAFE_INTEGER),
    "a state stamped 20 minutes ahead": () => stamped(Date.now() + 20 * MINUTE_MS),
    "a state stamped 5 minutes ahead": () => stamped(Date.now() + 5 * MINUTE_MS),
    "a state stamped in seconds": () => stamped(Math.floor(Date.now() / 1_000)),
    "a state stamped 0": () => stamped(0),
    "exchangeStatus a day ahead": () => ({
      answers: { exchangeStatus: { time: Date.now() + DAY_MS, specialStatuses: null } },
    }),
    "exchangeStatus in microseconds": () => ({
      answers: { exchangeStatus: { time: Date.now() * 1_000, specialStatuses: null } },
    }),
    "exchangeStatus of 1970": () => ({ answers: { exchangeStatus: { time: 1, specialStatuses: null } } }),
  };

  for (const [name, odd] of Object.entries(ONCE)) {
    it(`${name}, in one pass of sync --once`, async () => {
      rig.venue.begin(step());
      await rig.once();
      trade();
      rig.venue.begin(step(odd()));
      await rig.once();
      await claimsNoFuture();
      assert.equal(await stored(), fills.length);
      trade();
      rig.venue.begin(step());
      await rig.once();
      await isTrue();
      trade();
      rig.venue.begin(step());
      await rig.once();
      await isTrue();
      await claimsNoFuture();
      await rig.verify(0);
    });
  }

  const PUSHED = /state stamped (in micro|a day|5 min)/;
  for (const [name, odd] of Object.entries(ONCE).filter(([name]) => PUSHED.test(name))) {
    it(`${name}, pushed to run once: one warning, and what happened during a restart is fetched`, async () => {
      rig.venue.begin(step());
      const running = await rig.streams();
      const { clearinghouse } = odd();
      for (let i = 0; i < 3; i++)
        rig.venue.push("clearinghouseState", (user, { dex = "" }) => ({
          dex,
          user,
          clearinghouseState: clearinghouse![""],
        }));
      await running.complaint(SAID);
      trade();
      rig.venue.begin(step());
      await rig.until("the position", async () => {
        return (await rig.position("BTC")) === `long ${(fills.length * 0.1).toFixed(1)}`;
      });
      await claimsNoFuture();
      assert.ok((running.stderr().match(WARNING)?.length ?? 0) <= 1);
      await running.stop("SIGKILL");
      trade();
      trade();
      rig.venue.begin(step());
      await rig.streams();
      await rig.until("everything", async () => (await stored()) === fills.length);
      await claimsNoFuture();
      // What is youngest is confirmed a little later.
      await rig.until("verify to pass", async () => {
        return await rig
          .verify(0)
          .then(() => true)
          .catch(() => false);
      });
    });
  }

  for (const [name, clockMs] of [
    ["slow", HOUR_MS],
    ["fast", -HOUR_MS],
  ] as const) {
    it(`ours an hour ${name}: all is stored, and no more is claimed than was read`, async () => {
      for (const row of fills) row.time = Number(row.time) + clockMs;
      rig.venue.begin(step({ clockMs }));
      await rig.once();
      trade(clockMs);
      rig.venue.begin(step({ clockMs }));
      await rig.once();
      assert.equal(await stored(), fills.length);
      assert.equal(await rig.position("BTC"), `long ${(fills.length * 0.1).toFixed(1)}`);
      // Nothing beyond what was read, by the venue's clock.
      await claimsNoFuture(Date.now() + Math.min(0, clockMs));
      const running = await rig.streams();
      trade(clockMs);
      rig.venue.begin(step({ clockMs }));
      await rig.until("the fill under run", async () => (await stored()) === fills.length);
      await running.stop("SIGKILL");
    });
  }

  it("time claimed up to the year 58877 in the database: everything is fetched, verify names it, one warning", async () => {
    rig.venue.begin(step());
    await rig.once();
    await rig.rows(`update hl_internal.coverage set covered = ${ALL} where grade = 'proven'`);
    trade(-5 * SECOND_MS);
    trade();
    rig.venue.begin(step());
    await rig.verify(4, /future +fills/, /future +orders/, /future +ledger/);
    await rig.rows(`update hl_internal.coverage set covered = ${ALL} where grade = 'proven'`);
    const { stderr } = await rig.once();
    assert.equal(stderr.match(/reaches into the future/g)?.length, 1, stderr);
    await isTrue();
    await claimsNoFuture();
    await rig.verify(0);
  });

  it("the same under run, without a verify before", async () => {
    rig.venue.begin(step());
    await rig.once();
    await rig.rows(`update hl_internal.coverage set covered = ${ALL}`);
    trade(-5 * SECOND_MS);
    rig.venue.begin(step());
    const running = await rig.streams();
    await rig.until("everything", async () => (await stored()) === fills.length);
    await rig.until("no claim on the future", async () => {
      return await claimsNoFuture()
        .then(() => true)
        .catch(() => false);
    });
    assert.equal(running.stderr().match(/reaches into the future/g)?.length, 1, running.stderr());
  });

  it("states stored with a time of the future give way to the next reading, without a verify", async () => {
    rig.venue.begin(step());
    await rig.once();
    await rig.rows(`update hl_positions set as_of_ms = ${YEAR_58877}`);
    await rig.rows(`update hl_balances set as_of_ms = ${YEAR_58877}`);
    await rig.rows(`update hl_internal.states set as_of_ms = ${YEAR_58877}`);
    trade();
    rig.venue.begin(step());
    await rig.once();
    await isTrue();
    await claimsNoFuture();
    await rig.verify(0);
  });

  it("rows of 0, of −1 and of 2^53 − 1 among good ones cost themselves, and claim nothing", async () => {
    const odd = [0, -1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 2, 1.5, Date.now() + DAY_MS];
    const at = (time: number) => ({ time, hash: hashOf(time), delta: { type: "deposit", usdc: "1.0" } });
    rig.venue.begin(
      step({
        fills: [...fills, ...odd.map((time) => fill("@107", time, "0.0", 1))],
        ledger: [at(Date.now() - MINUTE_MS), ...odd.map(at)],
        // All of them, whatever was asked for.
        answers: {
          userFillsByTime: () => [...fills, ...odd.map((time) => fill("@107", time, "0.0", 1))],
          userNonFundingLedgerUpdates: () => [at(Date.now() - MINUTE_MS), ...odd.map(at)],
        },
      }),
    );
    await rig.once();
    await claimsNoFuture();
    const [good] = await rig.rows<{ n: number }>(
      "select count(*)::int as n from hl_fills where coin = 'BTC'",
    );
    assert.equal(good!.n, fills.length);
    assert.ok((await rig.rows("select 1 from hl_ledger")).length >= 1);
    trade();
    rig.venue.begin(step());
    await rig.once();
    const [later] = await rig.rows<{ n: number }>(
      "select count(*)::int as n from hl_fills where coin = 'BTC'",
    );
    assert.equal(later!.n, fills.length);
    await claimsNoFuture();
  });
});
