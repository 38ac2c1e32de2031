import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FUTURE_ROW } from "../../../src/sync/futureRows.ts";
import { replay } from "../../../src/sync/replay.ts";
import type { QuarantineRow } from "../../../src/sync/rows.ts";
import { fill } from "../../support/wires.ts";

const ACCOUNT = `0x${"ab".repeat(20)}`;
const OTHER = `0x${"cd".repeat(20)}`;
const FILL = fill({ hash: `0x${"0".repeat(64)}` });
const ORDER = {
  coin: "BTC",
  side: "B",
  limitPx: "83000.0",
  sz: "0.0",
  oid: 7,
  timestamp: 1_790_000_000_000,
  origSz: "0.001",
};
const TRANSITION = { order: ORDER, status: "filled", statusTimestamp: 1_790_000_000_100 };
const FUNDING = { time: 1_790_000_000_000, coin: "BTC", usdc: "-0.1", szi: "1.0", fundingRate: "0.0000125" };
const LEDGER = { time: 1_790_000_000_000, hash: FILL.hash, delta: { type: "deposit", usdc: "10.0" } };

const TWAP = {
  time: 1_790_000_000,
  state: {
    coin: "BTC",
    side: "B",
    sz: "1.0",
    executedSz: "0.0",
    executedNtl: "0.0",
    minutes: 30,
    randomize: false,
    reduceOnly: false,
    timestamp: 1_790_000_000_000,
  },
  status: { status: "activated" },
  twapId: 3,
};

const kept = (subject: string, raw: unknown, account: string | null = ACCOUNT): QuarantineRow => ({
  account,
  subject,
  reason: "was not understood",
  raw: typeof raw === "string" ? raw : JSON.stringify(raw),
  seenAtMs: 1_790_000_000_500,
});

describe("a replayed message", () => {
  it("becomes the rows it would have become, whatever list it stood in", () => {
    const { delta: _delta, ...withoutDelta } = LEDGER;
    const fundingUpdate = { time: FUNDING.time, hash: FILL.hash, delta: { type: "funding", ...FUNDING } };
    const cases: [subject: string, raw: unknown, table: string][] = [
      ["userFills", FILL, "fills"],
      ["userFillsByTime", FILL, "fills"],
      ["user", FILL, "fills"],
      ["user", FUNDING, "funding"],
      ["userTwapSliceFills", { fill: FILL, twapId: 3 }, "fills"],
      ["orderUpdates", TRANSITION, "orderEvents"],
      ["historicalOrders", TRANSITION, "orderEvents"],
      ["frontendOpenOrders", ORDER, "orderEvents"],
      ["userFundings", FUNDING, "funding"],
      ["userFunding", fundingUpdate, "funding"],
      ["userNonFundingLedgerUpdates", LEDGER, "ledger"],
    ];
    for (const [subject, raw, table] of cases) {
      const batch = replay(kept(subject, raw)) as Record<
        string,
        { account: string; raw: unknown; source: string }[]
      >;
      assert.deepEqual(Object.keys(batch ?? {}), [table], subject);
      assert.equal(batch[table]?.length, 1, subject);
      assert.equal(batch[table]?.[0]?.account, ACCOUNT);
      assert.equal(batch[table]?.[0]?.source, "repair");
    }
    assert.equal(replay(kept("userNonFundingLedgerUpdates", withoutDelta)), null);
  });

  it("may be the state of a TWAP order", () => {
    for (const subject of ["user", "twapHistory", "hl_twaps"])
      assert.deepEqual(
        replay(kept(subject, TWAP))?.twaps?.map(({ twapId, status }) => [twapId, status]),
        [[3, "activated"]],
      );
  });

  it("may be a whole frame of a channel that was unknown", () => {
    const frame = { channel: "userFills", data: { user: ACCOUNT, fills: [FILL] } };
    assert.equal(replay(kept("frame", frame))?.fills?.length, 1);
    assert.equal(
      replay(kept("frame", { channel: "orderUpdates", data: [TRANSITION] }))?.orderEvents?.length,
      1,
    );
  });

  it("is never applied to an account that it may not belong to", () => {
    const foreign = { channel: "userFills", data: { user: OTHER, fills: [FILL] } };
    assert.equal(replay(kept("userFills", foreign)), null);
    assert.equal(replay(kept("frame", foreign)), null);
    assert.equal(replay(kept("orderUpdates", { channel: "orderUpdates", data: [TRANSITION] })), null);
    assert.equal(replay(kept("userFills", FILL, null)), null);
  });

  it("that the database refused is a TWAP slice where it says so, else any fill", () => {
    assert.equal(replay(kept("hl_fills", { fill: FILL, twapId: 9 }))?.fills?.[0]?.twapId, 9);
    assert.equal(replay(kept("hl_fills", FILL))?.fills?.[0]?.twapId, null);
  });

  it("stays where its time had not come: it was understood, and not believed", () => {
    for (const subject of ["userFillsByTime", "hl_fills"])
      assert.equal(replay({ ...kept(subject, FILL), reason: FUTURE_ROW }), null);
  });

  it("stays while it is not understood, or only in part", () => {
    assert.equal(replay(kept("frame", "{ not json")), null);
    assert.equal(replay(kept("userFills", { ...FILL, px: "a lot" })), null);
    assert.equal(replay(kept("frame", { channel: "brandNew", data: {} })), null);
    const half = { channel: "userFills", data: { user: ACCOUNT, fills: [FILL, { coin: "ETH" }] } };
    assert.equal(replay(kept("frame", half)), null);
  });
});
