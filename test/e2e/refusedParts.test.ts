/**
 * One request that the venue refuses, or always fails, costs what it would have told and nothing else: the other streams,
 * the history and the states are there, the message names the request, the exit code is in the README's list.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RawText, Refusal, type Step } from "../support/scriptedVenue.ts";
import * as wires from "../support/wires.ts";
import { type CaseRig, caseFile, eachWithRig, MINUTE_MS } from "./casesRig.ts";

/** A part, the request behind it, and the table that lacks its rows. */
const PARTS: [request: string, lacks: string | null][] = [
  ["userTwapSliceFillsByTime", null],
  ["userFunding", "hl_funding"],
  ["userNonFundingLedgerUpdates", "hl_ledger"],
  ["historicalOrders", "hl_orders"],
  ["frontendOpenOrders", null],
  ["spotClearinghouseState", "hl_balances"],
  ["perpDexs", null],
  ["exchangeStatus", null],
];
const TABLES = ["hl_fills", "hl_positions", "hl_balances", "hl_orders", "hl_funding", "hl_ledger"] as const;

describe("a request that the venue refuses", () => {
  let rig: CaseRig;
  const { renew } = eachWithRig((made) => {
    rig = made;
  });

  /** A whole account, old enough that what happened in it is settled. */
  function account(answers: Step["answers"] = {}): Step {
    const { step1 } = caseFile<{ step1: Pick<Step, "clearinghouse" | "fills"> }>(
      "01-closed-position-sync-once",
    );
    const time = Date.now() - 10 * MINUTE_MS;
    const hash = `0x${"1".repeat(64)}`;
    const delta = {
      type: "funding",
      coin: "BTC",
      usdc: "-1.0",
      szi: "0.1",
      fundingRate: "0.0000125",
      nSamples: null,
    };
    const order = wires.order({
      ...{ sz: "0.0", origSz: "0.1", oid: 500_000_000_000, timestamp: time },
      ...{ triggerCondition: "N/A", isPositionTpsl: false, cloid: null },
    });
    return {
      ...step1,
      spot: { balances: [{ coin: "HYPE", token: 150, total: "10.0", hold: "0.0", entryNtl: "0.0" }] },
      funding: [{ time, hash, delta }],
      ledger: [{ time, hash, delta: { type: "deposit", usdc: "100.0" } }],
      historical: [{ order, status: "filled", statusTimestamp: time }],
      answers,
    };
  }
  const filled = async (): Promise<string[]> => {
    const counts = TABLES.map((table) => `select '${table}' as name, count(*)::int as n from ${table}`);
    const rows = await rig.rows(counts.join(" union all "));
    return rows.filter(({ n }) => Number(n) > 0).map(({ name }) => String(name));
  };

  for (const [request, lacks] of PARTS)
    it(`costs what ${request} tells, in a single pass`, async () => {
      rig.venue.begin(account({ [request]: new Refusal(422, "Failed to deserialize the JSON body") }));
      const code = request === "perpDexs" || request === "exchangeStatus" ? 0 : 5;
      const { stderr } = await rig.once(code);
      assert.deepEqual(
        await filled(),
        TABLES.filter((table) => table !== lacks),
      );
      if (code === 5) assert.match(stderr.trim().split("\n").at(-1)!, new RegExp(request));
      rig.venue.begin(account());
      await rig.once();
      assert.deepEqual(await filled(), [...TABLES], "and is made up for by the next pass");
    });

  it("costs no history where it is the list of dexes or the clock, and always fails: only what the account is worth", async () => {
    const worth = () => rig.rows("select 1 from hl_dashboard");
    for (const odd of [new Refusal(500), new RawText("<html>busy</html>")]) {
      const whole = account();
      rig.venue.begin({ ...whole, answers: { exchangeStatus: odd } });
      await rig.once();
      assert.deepEqual(await filled(), [...TABLES]);
      assert.match(await rig.verify(4), /unread +exchangeStatus/);
      await rig.close();
      await renew();
      rig.venue.begin({ ...whole, answers: { perpDexs: odd } });
      const { stderr } = await rig.once(5);
      assert.match(stderr.trim().split("\n").at(-1)!, /perpDexs/);
      assert.deepEqual(await filled(), [...TABLES], "but no dex may hold money that nobody knows of");
      assert.equal((await worth()).length, 0);
      assert.match(await rig.verify(4), /unread +perpDexs/);
      rig.venue.begin(whole);
      await rig.once();
      assert.equal((await worth()).length, 1);
      await rig.verify(0);
      await rig.close();
      await renew();
    }
  });

  it("follows under run while the list of dexes always fails, and knows what the account is worth once it is told", async () => {
    rig.venue.begin(account({ perpDexs: new Refusal(500) }));
    rig.runs("run", "--interval", "300", "--listen", "127.0.0.1:0");
    await rig.until("all tables", async () => (await filled()).length === TABLES.length);
    assert.equal((await rig.rows("select 1 from hl_dashboard")).length, 0);
    rig.venue.begin(account());
    await rig.until("a snapshot", async () => {
      return (await rig.rows("select 1 from hl_dashboard where net_worth is not null")).length > 0;
    });
  });

  it("costs no other part under run, and is read when it is answered again", async () => {
    rig.venue.begin(
      account({ userFunding: new Refusal(500), userTwapSliceFillsByTime: new Refusal(422, "no") }),
    );
    const running = await rig.streams();
    await rig.until("all that is answered", async () => (await filled()).length >= TABLES.length - 1);
    rig.venue.begin(account());
    await rig.until("the rest", async () => (await filled()).length === TABLES.length);
    assert.equal(running.child.exitCode, null);
  });
});
