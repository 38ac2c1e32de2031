/** Profit and equity: cases 03 and 11 and their neighbours, by the real program. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MIDS, Refusal, type Step, type Wire } from "../support/scriptedVenue.ts";
import { balance, type CaseRig, caseFile, eachWithRig, fill } from "./casesRig.ts";

describe("what an account made", () => {
  let rig: CaseRig;

  eachWithRig((made) => {
    rig = made;
  });

  const newest = async (columns: string, table: string): Promise<Wire> => {
    const [row] = await rig.rows(`select ${columns} from ${table} order by as_of_ms desc limit 1`);
    return row ?? {};
  };
  const equity = () => newest("net_worth::float8 as worth, profit::float8, drawdown::float8", "hl_equity");

  describe("by buying spot (case 03)", () => {
    const { abstraction, step1, step2 } = caseFile<{ abstraction: string; step1: Step; step2: Step }>(
      "03-unified-spot-buy",
    );

    /** The purchase happens between the two passes. */
    const bought = (over: Step): Step => ({
      ...step2,
      fills: (step2.fills as Wire[]).map((row) => ({ ...row, time: Date.now() })),
      ...over,
    });

    for (const mode of [abstraction, "disabled"])
      it(`is the fee, negative: ${mode}`, async () => {
        rig.venue.begin({ ...step1, abstraction: mode });
        await rig.once();
        assert.deepEqual(await equity(), { worth: 5000, profit: 0, drawdown: 0 });
        rig.venue.begin(bought({ abstraction: mode }));
        await rig.once();
        // 0.0525 HYPE at 40.
        assert.deepEqual(await equity(), { worth: 4997.9, profit: -2.1, drawdown: 2.1 });
        assert.deepEqual(
          await rig.rows(
            "select net_pnl::float8, profit::float8, max_drawdown::float8, max_drawdown_pct::float8 as pct from hl_statistics",
          ),
          [{ net_pnl: -2.1, profit: -2.1, max_drawdown: 2.1, pct: 0.042 }],
        );
        assert.deepEqual(await rig.rows("select pnl::float8, flow::float8 from hl_equity_daily"), [
          { pnl: -2.1, flow: 0 },
        ]);
      });

    it("is what the price then does, less the fees, also after a part was sold", async () => {
      rig.venue.begin({ ...step1, abstraction });
      await rig.once();
      const mids = { ...MIDS, HYPE: "41.0", "@107": "41.0" };
      const second = bought({ abstraction, mids });
      rig.venue.begin(second);
      await rig.once();
      // 75 at one dollar more, less 0.0525 HYPE at 41.
      assert.equal((await equity()).profit, 72.8475);
      const sold = fill("@107", Date.now(), "74.9475", -24.9475, { px: "41.0", fee: "0.7" });
      rig.venue.begin({
        // 24.9475 at 41 less the fee.
        abstraction,
        mids,
        spot: { balances: [balance("USDC", "3022.1475"), balance("HYPE", "50.0")] },
        fills: [...second.fills!, sold],
      });
      await rig.once();
      assert.equal((await equity()).profit, 72.1475);
    });
  });

  it("is never a smaller equity for want of a price (case 11)", async () => {
    const { mids, variant } = caseFile<{ mids: Wire; variant: Wire }>("11-allmids-one-odd");
    const owned = {
      abstraction: "portfolioMargin",
      spot: {
        portfolioMarginEnabled: true,
        portfolioMarginRatio: "0.0",
        balances: [balance("USDC", "130.0", { ltv: "0.0" }), balance("HYPE", "72.0", { ltv: "0.5" })],
      },
    };
    const begin = (priced: unknown) => rig.venue.begin({ ...owned, mids: priced });
    const known = () => newest("account_value::float8 as equity, net_worth::float8 as worth", "hl_dashboard");
    begin({ HYPE: "40.0", BTC: "100000.0" });
    await rig.once();
    for (const odd of [mids, { ...mids, ...variant }, { ...mids, BTC: { px: 1 }, ETH: [] }]) {
      begin(odd);
      await rig.once();
      assert.deepEqual(await known(), { equity: 3010, worth: 3010 }, JSON.stringify(odd));
    }
    for (const priced of [new Refusal(422, "no"), { ...mids, HYPE: "NaN" }, { ...mids, HYPE: "0.0" }, {}]) {
      begin(priced);
      await rig.once();
    }
    const rows = await rig.rows(
      "select distinct account_value::float8 as equity, net_worth::float8 as worth, account_value_reason as why from hl_dashboard",
    );
    for (const { equity: told, worth, why } of rows)
      assert.ok(
        told === null ? why !== null && worth === null : told === 3010 && worth === 3010,
        JSON.stringify(rows),
      );
    assert.deepEqual(await rig.rows("select profit::float8, max_drawdown::float8 from hl_statistics"), [
      { profit: 0, max_drawdown: 0 },
    ]);
  });
});
