import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Decimal } from "../../../src/runtime/decimal.ts";
import { netWorthOf, type Possessions } from "../../../src/sync/netWorth.ts";
import { perpState, spotState } from "./healthStates.ts";

const NOW = 1_790_000_000_000;
const at = { fromMs: NOW - 10, toMs: NOW + 10 };
const PRICES: Record<string, Decimal> = { USDC: "1", USDH: "1", HYPE: "40.5", PURR: "0.2" };

const owns = (change: Partial<Possessions> = {}): Possessions => ({
  mode: "standard",
  asOfMs: NOW,
  perps: new Map([
    ["", perpState("8000.5", [], NOW)],
    ["xyz", perpState("500", [], NOW - 3)],
  ]),
  dexesInUse: new Set(["", "xyz"]),
  spot: spotState([
    { coin: "USDC", token: 0, total: "1000.25" },
    { coin: "HYPE", token: 150, total: "2" },
    { coin: "DUST", token: 9, total: "0.0" },
  ]),
  spotRead: at,
  vaults: { amount: "250", ...at },
  stake: { amount: "10", ...at },
  priceOf: ({ coin }) => PRICES[coin] ?? null,
  isModeKnown: true,
  areFlowsKnown: true,
  ...change,
});

describe("net worth", () => {
  it("is perps, every token at its price, vaults and stake", () => {
    const { value, reason, parts } = netWorthOf(owns());
    // 8 000.5 + 500 + 1 000.25 + 81 + 250 + 405
    assert.deepEqual([value, reason], ["10236.75", null]);
    assert.deepEqual(parts, {
      perps: { "": "8000.5", xyz: "500" },
      tokens: [
        { coin: "USDC", amount: "1000.25", price: "1", value: "1000.25" },
        { coin: "HYPE", amount: "2", price: "40.5", value: "81" },
      ],
      vaults: "250",
      stake: { coin: "HYPE", amount: "10", price: "40.5", value: "405" },
      read: {
        "perp:": [NOW, NOW],
        "perp:xyz": [NOW - 3, NOW - 3],
        spot: [NOW - 10, NOW + 10],
        vaults: [NOW - 10, NOW + 10],
        stake: [NOW - 10, NOW + 10],
      },
    });
  });

  it("does not count perps twice where the spot totals contain them, and takes off what is owed", () => {
    const spot = spotState([
      { coin: "USDC", token: 0, total: "9000", borrowed: "0.0", supplied: "100.0" },
      { coin: "HYPE", token: 150, total: "0.0", borrowed: "1.5" },
    ]);
    for (const mode of ["unified", "portfolio_margin"] as const) {
      const { value, parts } = netWorthOf(owns({ mode, spot }));
      // 9 000 − 60.75 + 250 + 405
      assert.equal(value, "9594.25", mode);
      assert.deepEqual(Object.keys(parts.read), ["spot", "vaults", "stake"]);
    }
  });

  it("is null with the reason when a part or a price is missing, never less", () => {
    const cases: [Partial<Possessions>, RegExp][] = [
      [{ spot: null }, /the spot state is not known yet/],
      [{ spotRead: null }, /the spot state is not known yet/],
      [{ vaults: null }, /the equity in vaults is not known yet/],
      [{ stake: null }, /the stake is not known yet/],
      [{ priceOf: ({ coin }) => (coin === "HYPE" ? null : "1") }, /no price is known for HYPE/],
      [{ dexesInUse: new Set(["", "xyz", "new"]) }, /the state of new is not known yet/],
      [{ areFlowsKnown: false }, /the ledger could not be read/],
      [{ isModeKnown: false }, /how the account pools its collateral/],
      [{ asOfMs: NOW + 200_000 }, /no spot state since \d\d:\d\d:\d\d UTC/],
      [
        {
          perps: new Map([
            ["", perpState("1", [], NOW)],
            ["xyz", perpState("1", [], NOW - 121_000)],
          ]),
        },
        /no state of xyz since/,
      ],
    ];
    for (const [change, expected] of cases) {
      const { value, reason } = netWorthOf(owns(change));
      assert.equal(value, null, String(expected));
      assert.match(reason!, expected);
    }
    // No stake needs no price of its token; a dex that holds nothing may be old.
    const plain = owns({ stake: { amount: "0.0", ...at }, spot: spotState([]), priceOf: () => null });
    assert.equal(netWorthOf(plain).value, "8750.5");
    const idle = new Map([...plain.perps, ["abc", perpState("0", [], NOW - 9_000_000)] as const]);
    assert.equal(netWorthOf({ ...plain, perps: idle }).value, "8750.5");
  });
});
