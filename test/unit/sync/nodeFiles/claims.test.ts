import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type CoinChain,
  confirmed,
  type LiveState,
  obstacles,
  refuted,
} from "../../../../src/sync/nodeFiles/claims.ts";

const chain = (over: Partial<CoinChain> = {}): CoinChain => ({
  coin: "ETH",
  first: { timeMs: 100, position: "0" },
  end: { timeMs: 900, position: "1.5" },
  breaks: [],
  ...over,
});
const state = (positions: Record<string, string>, asOfMs = 1_000): [string, LiveState] => [
  "",
  { asOfMs, positions: new Map(Object.entries(positions)) },
];
const reasons = (chains: CoinChain[], ...states: [string, LiveState][]) =>
  obstacles(chains, new Map(states)).map(({ fromMs, toMs, reason }) => [
    fromMs,
    toMs === Number.MAX_SAFE_INTEGER ? null : toMs,
    reason.split(":")[0],
  ]);

const SINCE = "no state of the account was read since, so nothing confirms the files";

describe("what files prove of an account", () => {
  it("is everything up to the newest state where each chain goes from nothing to its position", () => {
    assert.deepEqual(reasons([chain()], state({ ETH: "1.50" })), [[1_001, null, SINCE]]);
    const held = { fromMs: 1, toMs: 5_000 };
    const { proven, open } = confirmed([held], obstacles([chain()], new Map([state({ ETH: "1.5" })])));
    assert.deepEqual(proven, [{ fromMs: 1, toMs: 1_000 }]);
    assert.deepEqual(
      open.map(({ fromMs, toMs }) => [fromMs, toMs]),
      [[1_001, 5_000]],
    );
  });

  it("ends at the newest state of each dex that it trades on", () => {
    const other = chain({ coin: "xyz:AAPL", end: { timeMs: 500, position: "0" } });
    const xyz: [string, LiveState] = ["xyz", { asOfMs: 600, positions: new Map() }];
    assert.deepEqual(reasons([chain(), other], state({ ETH: "1.5" }), xyz), [
      [1_001, null, SINCE],
      [601, null, SINCE.replace("the account", "dex xyz")],
    ]);
  });

  it("is nothing without a state, of the account or of a dex that it trades on", () => {
    const why = "no state of the account was read, so nothing tells what it holds";
    assert.deepEqual(reasons([chain()]), [[0, null, why]]);
    const other = chain({ coin: "xyz:AAPL" });
    assert.deepEqual(reasons([chain(), other], state({ ETH: "1.5" })), [
      [0, null, "no state of dex xyz was read, so nothing tells what it holds"],
    ]);
  });

  it("is nothing while a coin is held of which no fill is known", () => {
    assert.deepEqual(reasons([chain()], state({ ETH: "1.5", BTC: "-2" })), [
      [0, null, "BTC is held, and no fill of it is known"],
      [1_001, null, SINCE],
    ]);
  });

  it("ends where the venue has another position, or none was read since", () => {
    assert.deepEqual(reasons([chain()], state({})), [
      [1_001, null, SINCE],
      [900, null, "fills of ETH end at 1.5, the venue has 0"],
    ]);
    // Its fills go on behind the state; of other coins nothing is known there.
    assert.deepEqual(reasons([chain()], state({ ETH: "1" }, 899)), [[900, null, SINCE]]);
  });
});

describe("a claim", () => {
  const held = chain({ first: { timeMs: 100, position: "2" } });
  const broken = chain({
    breaks: [{ coin: "ETH", fromMs: 300, toMs: 400, missing: "1" }] as CoinChain["breaks"],
  });

  it("is refuted by a chain that begins held, where it reaches back to the beginning", () => {
    assert.deepEqual(
      refuted(
        [held],
        [
          { fromMs: 0, toMs: 50 },
          { fromMs: 51, toMs: 500 },
        ],
      ),
      [{ fromMs: 0, toMs: 100 }],
    );
    assert.deepEqual(refuted([held], [{ fromMs: 50, toMs: 500 }]), []);
  });

  it("is refuted by a break inside of it, and not by one beside it", () => {
    assert.deepEqual(refuted([broken], [{ fromMs: 200, toMs: 500 }]), [{ fromMs: 300, toMs: 400 }]);
    assert.deepEqual(refuted([broken, chain()], [{ fromMs: 350, toMs: 500 }]), []);
  });
});
