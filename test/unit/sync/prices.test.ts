import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtocolError } from "../../../src/errors.ts";
import { VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import type { VenueInfo } from "../../../src/sync/ports.ts";
import { Prices } from "../../../src/sync/prices.ts";
import type { Batch } from "../../../src/sync/rows.ts";

const START = 1_790_000_000_000;
const ASK = { priority: "niceToHave" } as const;
const META = {
  tokens: [
    { name: "USDC", index: 0 },
    { name: "PURR", index: 1 },
    { name: "HYPE", index: 150 },
    { name: "UBTC", index: 197 },
    { name: "USDH", index: 360 },
    { name: "LHYPE", index: 400 },
    { name: "ODD", index: 401 },
    { name: "LONELY", index: 402 },
  ],
  universe: [
    { name: "PURR/USDC", index: 0, tokens: [1, 0] },
    // Against another dollar first, to be passed over.
    { name: "@232", index: 232, tokens: [150, 360] },
    { name: "@107", index: 107, tokens: [150, 0] },
    { name: "@142", index: 142, tokens: [197, 360] },
    { name: "@300", index: 300, tokens: [400, 150] },
    { name: "@301", index: 301, tokens: [401, 0] },
  ],
};
const MIDS = {
  "PURR/USDC": "0.2",
  "@107": "40.0",
  "@232": "41",
  "@142": "100000",
  "@300": "1.05",
  "#10": "0.55",
};

function rig(answers: { meta?: () => unknown; mids?: () => unknown } = {}) {
  const asked: string[] = [];
  const kept: Batch[] = [];
  const clock = new VirtualClock(START);
  const info = {
    async request(request: { type: string; read(body: unknown): unknown }) {
      asked.push(request.type);
      const body =
        request.type === "spotMeta" ? (answers.meta ?? (() => META))() : (answers.mids ?? (() => MIDS))();
      if (body instanceof Error) throw body;
      const result = request.read(body);
      return { result, sentAtMs: clock.now(), receivedAtMs: clock.now(), weight: 2 };
    },
    clockOffset: () => null,
    reserve: () => () => {},
  } as unknown as VenueInfo;
  const prices = new Prices({ info, clock });
  const learn = (...coins: (string | { coin: string; token?: number })[]) =>
    prices.learn(
      coins.map((coin) => (typeof coin === "string" ? { coin } : coin)),
      ASK,
      async (batch) => kept.push(batch),
    );
  return { prices, learn, asked, kept, clock };
}

describe("the price of a spot token", () => {
  it("is that of its pair against USDC, else against another dollar, else against a token that has one", async () => {
    const { prices, learn } = rig();
    const coins = ["USDC", "USDT0", "PURR", "HYPE", "UBTC", "LHYPE", "+10"];
    await learn(...coins);
    assert.deepEqual(
      coins.map((coin) => prices.of({ coin })),
      ["1", "1", "0.2", "40", "100000", "42", "0.55"],
    );
    // By index, where the balance tells it.
    assert.equal(prices.of({ coin: "renamed", token: 1 }), "0.2");
  });

  it("is not known for what has no pair, no mid or an odd one, and the others have theirs", async () => {
    const odd = { ...MIDS, "@301": "NaN", "PURR/USDC": null, "#10": "0.0" };
    const { prices, learn, kept } = rig({ mids: () => odd });
    await learn("LONELY", "ODD", "PURR", "HYPE", "+10", "+11", "o10", "NEW");
    assert.deepEqual(
      ["LONELY", "ODD", "PURR", "HYPE", "+10", "+11", "o10", "NEW"].map((coin) => prices.of({ coin })),
      [null, null, null, "40", null, null, null, null],
    );
    assert.deepEqual(
      kept.flatMap(({ quarantine = [] }) => quarantine.map(({ subject }) => subject)),
      ["allMids", "allMids"],
    );
  });

  it("is asked for once for all accounts, and costs nothing where only dollars are held", async () => {
    const { learn, asked, clock } = rig();
    await learn("USDC", "USDH");
    assert.deepEqual(asked, []);
    await Promise.all([learn("HYPE"), learn("PURR", "HYPE")]);
    assert.deepEqual(asked.splice(0), ["spotMeta", "allMids"]);
    await learn("HYPE");
    assert.deepEqual(asked, []);
    await clock.advanceBy(31_000);
    await learn("HYPE");
    assert.deepEqual(asked.splice(0), ["allMids"]);
    // A token that the list lacked is looked up again, but not at once.
    await learn("NEW");
    assert.deepEqual(asked, []);
    await clock.advanceBy(600_000);
    await learn("NEW");
    assert.deepEqual(asked.splice(0), ["spotMeta", "allMids"]);
    await clock.advanceBy(3_600_000);
    await learn("HYPE");
    assert.deepEqual(asked, ["spotMeta", "allMids"]);
  });

  it("is not known any more when prices stop coming, rather than an old one", async () => {
    let isAway = false;
    const { prices, learn, clock } = rig({ mids: () => (isAway ? new Error("away") : MIDS) });
    await learn("HYPE");
    isAway = true;
    await clock.advanceBy(170_000);
    await assert.rejects(learn("HYPE"), /away/);
    assert.equal(prices.of({ coin: "HYPE" }), "40");
    await clock.advanceBy(20_000);
    assert.equal(prices.of({ coin: "HYPE" }), null);
    isAway = false;
    await learn("HYPE");
    assert.equal(prices.of({ coin: "HYPE" }), "40");
  });

  it("does not ask a venue that refuses the list again and again", async () => {
    const { learn, asked, clock } = rig({ meta: () => new ProtocolError("422", null) });
    await assert.rejects(learn("HYPE"), /422/);
    await clock.advanceBy(60_000);
    await learn("HYPE");
    assert.deepEqual(asked, ["spotMeta", "allMids", "allMids"]);
    await clock.advanceBy(600_000);
    await assert.rejects(learn("HYPE"), /422/);
  });
});
