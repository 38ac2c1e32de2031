/**
 * What cannot be read: cases 05 and 08 and their neighbours. An odd value costs that value, an odd row its row, and `verify`
 * names what it could not read instead of passing over it.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EMPTY_STATE, MIDS, type Step, type Wire } from "../support/scriptedVenue.ts";
import {
  balance,
  type CaseRig,
  caseFile,
  eachWithRig,
  fill,
  hashOf,
  MINUTE_MS,
  position,
  state,
} from "./casesRig.ts";

describe("what cannot be read", () => {
  let rig: CaseRig;

  eachWithRig((made) => {
    rig = made;
  });

  const positions = async (): Promise<Record<string, string>> => {
    const rows = await rig.rows<{ coin: string; szi: string }>(
      "select coin, case side when 'short' then '-' else '' end || size::text as szi from hl_positions where side <> 'flat'",
    );
    return Object.fromEntries(rows.map(({ coin, szi }) => [coin, szi]));
  };
  const count = async (sql: string): Promise<number> => {
    const [row] = await rig.rows<{ rows: number }>(`select count(*)::int as rows from (${sql}) as _`);
    return row!.rows;
  };
  /** History that must be read whatever else is odd. */
  const history = (now = Date.now()): Step => ({
    fills: [fill("@107", now - 9 * MINUTE_MS, "0.0", 5), fill("@107", now - 8 * MINUTE_MS, "5.0", -1)],
    ledger: [{ time: now - 9 * MINUTE_MS, hash: hashOf(7), delta: { type: "deposit", usdc: "5000.0" } }],
  });

  describe("a display field of one position (case 05)", () => {
    const reported = caseFile<{
      clearinghouse: Record<string, Wire>;
      variants: Wire[];
      sameKind: { spot: Wire };
    }>("05-one-odd-position");
    const withOdd = (over: Wire): Step => {
      const told = structuredClone(reported.clearinghouse);
      const [first] = told[""]!.assetPositions as { position: Wire }[];
      Object.assign(first!.position, over);
      return { ...history(), clearinghouse: told };
    };

    it("is named by verify, which does not fail for it", async () => {
      rig.venue.begin(withOdd({ returnOnEquity: "NaN" }));
      await rig.once();
      const said = await rig.verify(
        0,
        /unread_field hl_positions .*liquidationPx/,
        /verified: nothing missing/,
      );
      assert.match(said, /returnOnEquity/);
    });

    for (const over of [{}, ...reported.variants]) {
      it(`costs that field: ${JSON.stringify(over)}`, async () => {
        rig.venue.begin(withOdd(over));
        await rig.once();
        assert.deepEqual(await positions(), { BTC: "0.1", ETH: "0.1" });
        assert.equal(await count("select 1 from hl_fills"), 2);
        assert.equal(await count("select 1 from hl_ledger"), 1);
        assert.ok((await count("select 1 from hl_dashboard")) > 0, "a snapshot");
        assert.ok((await count("select 1 from hl_quarantine")) > 0, "kept for reading again");
      });
    }

    it("costs that field whatever it is and whichever position has it, on every dex at once", async () => {
      const odd = ["", "NaN", "Infinity", "1e5", 5, true, {}, [], "x".repeat(3_000), "9".repeat(2_000)];
      const fields = ["entryPx", "returnOnEquity", "liquidationPx", "leverage", "maxLeverage", "cumFunding"];
      const names = fields.flatMap((field) =>
        odd.map((value, i) => ({ coin: `${field}${i}`, field, value })),
      );
      const of = (prefix: string) =>
        state([
          ...names.map(({ coin, field, value }) => position(`${prefix}${coin}`, "0.1", { [field]: value })),
          position(`${prefix}GOOD`, "-0.5"),
        ]);
      rig.venue.begin({ ...history(), dexes: ["xyz"], clearinghouse: { "": of(""), xyz: of("xyz:") } });
      await rig.once();
      const held = await positions();
      assert.equal(held.GOOD, "-0.5");
      assert.equal(held["xyz:GOOD"], "-0.5");
      assert.deepEqual(
        names.flatMap(({ coin }) => [coin, `xyz:${coin}`]).filter((coin) => held[coin] !== "0.1"),
        [],
      );
      assert.equal(await count("select 1 from hl_fills"), 2);
    });

    it("under run: positions and snapshots come all the same", async () => {
      rig.venue.begin(withOdd({ liquidationPx: "NaN" }));
      await rig.streams();
      await rig.until("both positions", async () => {
        const held = await positions();
        return held.BTC === "0.1" && held.ETH === "0.1";
      });
    });

    it("and what money or identity needs costs its row only", async () => {
      const bad = [
        { szi: null },
        { szi: "NaN" },
        { coin: null },
        { coin: "" },
        { positionValue: "NaN" },
        { unrealizedPnl: {} },
        { marginUsed: "" },
      ];
      rig.venue.begin({
        ...history(),
        clearinghouse: {
          "": state([...bad.map((over, i) => position(`X${i}`, "1.0", over)), position("ETH", "2.0")]),
        },
        spot: { balances: [...(reported.sameKind.spot.balances as Wire[]), balance("USDC", "7.0")] },
      });
      await rig.once();
      const held = await positions();
      assert.equal(held.ETH, "2.0");
      assert.equal(held.X0 ?? held.X1, undefined, "a size that cannot be read is not guessed");
      assert.deepEqual(await rig.balances(), { USDC: 7 });
      assert.equal(await count("select 1 from hl_fills"), 2);
      await rig.verify(4, /unread/);
    });

    it("an entry that is no object, and a list that is none", async () => {
      for (const assetPositions of [[null, 5, "x", [], position("ETH", "2.0")], "none", null, {}]) {
        rig.venue.begin({ ...history(), clearinghouse: { "": { ...EMPTY_STATE, assetPositions } } });
        await rig.once();
        assert.equal(await count("select 1 from hl_fills"), 2, JSON.stringify(assetPositions));
        assert.equal(
          (await positions()).ETH,
          "2.0",
          "what is not listed is not closed by a list that is odd",
        );
        // The next pass has the same rows, not new ones.
        await rig.rows("delete from hl_fills");
        await rig.rows("delete from hl_internal.coverage");
      }
    });
  });

  describe("verify (case 08)", () => {
    const { historical: reported } = caseFile<{ historical: { order: Wire; statusTimestamp: number }[] }>(
      "08-verify-unread-orders",
    );
    const [unreadable] = reported;

    it("names an order that could not be read: exit 4", async () => {
      rig.venue.begin({ historical: reported });
      await rig.once();
      await rig.verify(4, /unread +hl_orders .*"oid":2/);
    });

    it("names the same object among the open orders: exit 4", async () => {
      rig.venue.begin({ openOrders: { "": [unreadable!.order] } });
      await rig.once();
      await rig.verify(4, /unread +hl_orders .*"oid":2/);
    });

    it("names it on another dex, and after it has left the lists again", async () => {
      const order = { ...unreadable!.order, coin: "xyz:GOLD" };
      rig.venue.begin({
        dexes: ["xyz"],
        openOrders: { xyz: [order] },
        clearinghouse: { xyz: state([position("xyz:GOLD", "1.0")]) },
      });
      await rig.once();
      await rig.verify(4, /unread +hl_orders .*"oid":2/);
      rig.venue.begin({ dexes: ["xyz"], clearinghouse: { xyz: state([position("xyz:GOLD", "1.0")]) } });
      await rig.verify(4, /hl_orders 2: in quarantine only/);
    });

    const now = Date.now();
    const good = { time: now - 9 * MINUTE_MS, hash: hashOf(1), delta: { type: "deposit", usdc: "1.0" } };
    const unread: Record<string, { step: Step; line: RegExp }> = {
      "a fill": {
        step: { fills: [fill("BTC", now - 9 * MINUTE_MS, "0.0", 1, { px: null })] },
        line: /unread +hl_fills/,
      },
      "a fill without a time": {
        step: {
          fills: [fill("@107", now - 9 * MINUTE_MS, "0.0", 1), fill("@107", 0, "0.0", 1, { time: "x" })],
        },
        line: /unread +hl_fills/,
      },
      "a TWAP slice": {
        step: {
          twapFills: [{ fill: fill("BTC", now - 9 * MINUTE_MS, "0.0", 1, { side: "Z" }), twapId: 5 }],
        },
        line: /unread +hl_fills/,
      },
      "a funding payment": {
        step: {
          funding: [
            {
              time: now - 9 * MINUTE_MS,
              hash: hashOf(0),
              delta: { type: "funding", coin: "BTC", usdc: "NaN" },
            },
          ],
        },
        line: /unread +hl_funding/,
      },
      "a ledger row": { step: { ledger: [good, { ...good, delta: null }] }, line: /unread +hl_ledger/ },
      "an order known by its status alone": {
        step: {
          fills: [fill("BTC", now - 9 * MINUTE_MS, "0.0", 1)],
          answers: { orderStatus: { status: 5 } },
        },
        line: /NOT verified/,
      },
    };
    for (const [name, { step, line }] of Object.entries(unread)) {
      it(`names ${name} that could not be read: exit 4`, async () => {
        rig.venue.begin(step);
        await rig.once();
        await rig.verify(4, line);
      });
    }

    it("takes every row of ours for extra when a list came shorter or empty", async () => {
      const step: Step = { ...history(), historical: [] };
      rig.venue.begin(step);
      await rig.once();
      await rig.verify(0);
      rig.venue.begin({ fills: step.fills!.slice(0, 1), ledger: [] });
      await rig.verify(4, /extra +hl_fills/, /extra +hl_ledger/);
    });
  });

  it("leaves the net worth unknown while a price is missing, and moves a token's balance with its name", async () => {
    const ledger = history().ledger!;
    const at = (coin: string, mids = MIDS): Step => ({
      ledger,
      mids,
      spot: { balances: [balance("USDC", "100.0"), balance(coin, "10.0")] },
    });
    const { HYPE: _, "@107": __, ...without } = MIDS;
    for (const step of [at("HYPE"), at("HYPE", without as typeof MIDS), at("HYPE"), at("HYPEX")]) {
      rig.venue.begin(step);
      await rig.once();
    }
    await rig.verify(0);
    assert.deepEqual(
      await rig.rows("select coin, total::text from hl_balances where total <> 0 order by coin"),
      [
        { coin: "HYPEX", total: "10.0" },
        { coin: "USDC", total: "100.0" },
      ],
    );
    const worth = await rig.rows<{ worth: string; reason: string | null }>(
      "select net_worth::text as worth, net_worth_reason as reason from hl_dashboard order by as_of_ms",
    );
    assert.deepEqual(
      worth.map(({ worth }) => worth),
      ["500", null, "500", "500"],
    );
    assert.match(worth[1]!.reason!, /HYPE/);
    assert.equal(await count("select 1 from hl_equity where profit <> 0 or drawdown <> 0"), 0);
  });

  it("keeps sizes of nothing, holds beyond the total, debts and ledger types of tomorrow, and says which cannot be priced", async () => {
    const at = Date.now() - 9 * MINUTE_MS;
    rig.venue.begin({
      answers: { userRateLimit: { cumVlm: "NaN", nRequestsUsed: "x" }, userFees: null },
      clearinghouse: { "": state([position("BTC", "0.1"), position("ETH", "0.0"), position("TON", "-0.0")]) },
      spot: {
        balances: [
          balance("USDC", "100.0", { hold: "500.0" }),
          balance("HYPE", "-3.0"),
          balance("+90", "0.0", { hold: "-1.0" }),
        ],
      },
      ledger: [
        { time: at, hash: hashOf(7), delta: { type: "neverSeen", usdc: "12.5", more: { a: 1 } } },
        { time: at, hash: hashOf(8), delta: { type: "otherNew", token: "HYPE", amount: "2.0" } },
      ],
      fills: [fill("#90", at, "0.0", 10, { px: "0.5", fee: "0.1", feeToken: "+90" })],
    });
    await rig.once();
    assert.deepEqual(await positions(), { BTC: "0.1" });
    assert.deepEqual(
      await rig.rows('select coin, total::text, hold::text from hl_balances order by coin collate "C"'),
      [
        { coin: "+90", total: "0.0", hold: "-1.0" },
        { coin: "HYPE", total: "-3.0", hold: "0.0" },
        { coin: "USDC", total: "100.0", hold: "500.0" },
      ],
    );
    assert.deepEqual(await rig.rows("select type, updates from hl_unknown_ledger order by type"), [
      { type: "neverSeen", updates: 1 },
      { type: "otherNew", updates: 1 },
    ]);
    assert.deepEqual(await rig.rows("select fee_usdc::text from hl_fill_pnl where coin = '#90'"), [
      { fee_usdc: "0.05" },
    ]);
    await rig.verify(4, /unread +userFees/, /unread +userRateLimit/);
  });
});
