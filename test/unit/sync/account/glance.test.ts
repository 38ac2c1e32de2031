/** The cheap question of an account without a stream. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { perpState } from "../healthStates.ts";
import { follow, NOW } from "./rig.ts";

const btc = { coin: "BTC", size: "1", mark: "110", maxLeverage: 50 };
const state = (equity: string, holdings: (typeof btc)[], entryPx = "100") => {
  const made = perpState(equity, holdings, NOW);
  for (const { position } of made.assetPositions) position.entryPx = entryPx;
  return made;
};
const usdc = (total: string) => ({
  balances: [{ coin: "USDC", token: 0, total, hold: "0.0", entryNtl: "0.0" }],
});
const hype = (hold: string) => ({
  balances: [{ coin: "HYPE", token: 150, total: "5.0", hold, entryNtl: "100.0" }],
});

/** An account that was read with these answers. */
async function read(answers: Parameters<typeof follow>[0]) {
  const rig = follow(answers);
  await rig.account.open();
  await rig.account.catchUp("poll", rig.signal);
  rig.asked.length = 0;
  return rig;
}

describe("a glance", () => {
  it("asks for the states alone, and before what else is read", async () => {
    const { account, asked, signal } = await read({});
    assert.equal(await account.glance(signal), false);
    assert.deepEqual(
      asked.map(({ type, options }) => [type, options.priority]),
      [
        ["clearinghouseState", "glance"],
        ["spotClearinghouseState", "glance"],
      ],
    );
  });

  it("writes states, and a snapshot where nothing moved", async () => {
    const { account, committed, signal } = await read({});
    committed.length = 0;
    await account.glance(signal);
    assert.equal(committed.flatMap(({ states = [] }) => states).length, 2);
    assert.equal(committed.flatMap(({ dashboard = [] }) => dashboard).length, 1);
  });

  it("does not take a price that moved for something that happened", async () => {
    const rig = await read({ clearinghouseState: state("1000", [btc]) });
    rig.answers.clearinghouseState = state("1010", [{ ...btc, mark: "120" }]);
    assert.equal(await rig.account.glance(rig.signal), false);
  });

  const moves: [string, Record<string, unknown>, Record<string, unknown>][] = [
    ["a position grew", state("1000", [btc]) as never, state("1000", [{ ...btc, size: "2" }]) as never],
    ["a position turned", state("1000", [btc]) as never, state("1000", [{ ...btc, size: "-1" }]) as never],
    ["one was closed and opened again", state("1000", [btc]) as never, state("1000", [btc], "105") as never],
    ["a position is gone", state("1000", [btc]) as never, state("1000", []) as never],
    ["cash came", state("1000", []) as never, state("1010", []) as never],
  ];
  for (const [what, before, after] of moves)
    it(`sees that ${what}, once, and writes no snapshot before it is read`, async () => {
      const rig = await read({ clearinghouseState: before });
      rig.answers.clearinghouseState = after;
      rig.committed.length = 0;
      assert.equal(await rig.account.glance(rig.signal), true);
      assert.equal(rig.committed.flatMap(({ dashboard = [] }) => dashboard).length, 0);
      assert.equal(await rig.account.glance(rig.signal), true, "until it was read");
      await rig.account.catchUp("poll", rig.signal);
      assert.equal(await rig.account.glance(rig.signal), false);
    });

  it("while a reading waits tells only what moved since that began, and is not counted as read by it", async () => {
    const rig = await read({ clearinghouseState: state("1000", [btc]) });
    rig.answers.clearinghouseState = state("1000", [{ ...btc, size: "2" }]);
    assert.equal(await rig.account.glance(rig.signal), true);
    const reading = rig.account.catchUp("poll", rig.signal);
    assert.equal(await rig.account.glance(rig.signal), false);
    rig.answers.clearinghouseState = state("1000", [{ ...btc, size: "3" }]);
    assert.equal(await rig.account.glance(rig.signal), true);
    await reading;
    assert.equal(await rig.account.glance(rig.signal), true);
  });

  it("sees tokens that moved and tokens that an order holds", async () => {
    const rig = await read({ spotClearinghouseState: usdc("10.0") });
    for (const answer of [usdc("11.0"), hype("0.0"), hype("1.0")]) {
      rig.answers.spotClearinghouseState = answer;
      assert.equal(await rig.account.glance(rig.signal), true);
      await rig.account.catchUp("poll", rig.signal);
      assert.equal(await rig.account.glance(rig.signal), false);
    }
  });

  it("knows that pooled dollars move with prices while a position is open", async () => {
    const answers = { userAbstraction: "unifiedAccount", clearinghouseState: state("1000", [btc]) };
    const rig = await read({ ...answers, spotClearinghouseState: usdc("10.0") });
    rig.answers.spotClearinghouseState = usdc("11.0");
    assert.equal(await rig.account.glance(rig.signal), false);
  });

  it("that fails says nothing", async () => {
    const rig = await read({});
    rig.answers.clearinghouseState = new Error("away");
    await assert.rejects(rig.account.glance(rig.signal), /away/);
  });
});

describe("the first reading of an account that another process followed", () => {
  it("asks for the fills before everything else", async () => {
    const proven = { grade: "proven", fromMs: 0, toMs: NOW - 60_000 } as const;
    const { account, asked, signal } = follow({}, {
      openAccount: async () => ({
        sinceMs: 0,
        coverage: [{ account: "0x", stream: "fills", reason: null, ...proven }],
        openOrders: [],
        positions: [],
      }),
    } as never);
    await account.open();
    assert.ok(account.isTakenOver);
    await account.catchUp("takeOver", signal);
    assert.ok(!account.isTakenOver);
    const urgent = asked.filter(({ options }) => options.priority === "heal").map(({ type }) => type);
    assert.deepEqual(urgent.sort(), ["exchangeStatus", "userFillsByTime", "userTwapSliceFillsByTime"]);
  });
});
