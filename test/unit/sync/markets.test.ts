import assert from "node:assert/strict";
import { it } from "node:test";
import { ProtocolError, TransportError } from "../../../src/errors.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { createVenue } from "../../../src/simulator/exchange/venue.ts";
import { Markets } from "../../../src/sync/markets.ts";
import type { Batch } from "../../../src/sync/rows.ts";
import { HandClock } from "../connection/handClock.ts";
import { type Answers, NOW, venue } from "./account/rig.ts";

const META = {
  universe: [
    { name: "BTC", szDecimals: 5, maxLeverage: 40, marginTableId: 56 },
    { name: "ATOM", szDecimals: 2, maxLeverage: 5, marginTableId: 5, isDelisted: true },
  ],
  marginTables: [
    [
      56,
      {
        description: "",
        marginTiers: [
          { lowerBound: "0.0", maxLeverage: 40 },
          { lowerBound: "150000000.0", maxLeverage: 20 },
        ],
      },
    ],
  ],
  collateralToken: 0,
};
const XYZ = {
  universe: [{ name: "xyz:AAPL", szDecimals: 3, maxLeverage: 10 }],
  marginTables: [],
  collateralToken: 360,
};
const TOKENS = [
  { name: "USDC", index: 0, szDecimals: 8 },
  { name: "HYPE", index: 150, szDecimals: 2 },
  { name: "USDH", index: 360, szDecimals: 2 },
];
const SPOT = {
  tokens: TOKENS,
  universe: [
    { name: "@107", tokens: [150, 0] },
    { name: "@9", tokens: [77, 0] },
  ],
};
const OUTCOME = {
  outcome: 1,
  name: "Rain",
  description: "",
  sideSpecs: [{ name: "Yes" }, { name: "No" }],
  quoteToken: "USDC",
};

function follow(answers: Answers = {}) {
  const clock = new HandClock(NOW);
  const given: Answers = {
    allPerpMetas: [META, XYZ],
    spotMeta: SPOT,
    outcomeMeta: { outcomes: [OUTCOME] },
    ...answers,
  };
  const at = venue(clock, given);
  const committed: Batch[] = [];
  const markets = new Markets({ info: at.info, clock, log: silentLog });
  const renew = () => markets.renew({ priority: "niceToHave" }, async (batch) => void committed.push(batch));
  const rows = () =>
    new Map(committed.flatMap(({ markets: found = [] }) => found).map((row) => [row.coin, row]));
  return { ...at, clock, given, markets, renew, rows, committed };
}

it("names every market, with its decimals, tiers and collateral", async () => {
  const { renew, rows, markets } = follow();
  await renew();
  assert.deepEqual(
    [...rows().values()].map(({ coin, name, kind, dex, collateralToken }) => [
      coin,
      name,
      kind,
      dex,
      collateralToken,
    ]),
    [
      ["BTC", "BTC", "perp", "", "USDC"],
      ["ATOM", "ATOM", "perp", "", "USDC"],
      ["xyz:AAPL", "xyz:AAPL", "perp", "xyz", "USDH"],
      ["@107", "HYPE/USDC", "spot", null, null],
      ["@9", "@9", "spot", null, null],
      ["#10", "Rain: Yes", "outcome", null, null],
      ["+10", "Rain: Yes", "token", null, null],
      ["#11", "Rain: No", "outcome", null, null],
      ["+11", "Rain: No", "token", null, null],
    ],
  );
  assert.equal(rows().get("ATOM")?.isDelisted, true);
  assert.equal(rows().get("@107")?.sizeDecimals, 2);
  assert.deepEqual(
    markets.marginTiers("BTC")?.map(({ maxLeverage }) => maxLeverage),
    [40, 20],
  );
  assert.deepEqual(
    markets.marginTiers("ATOM"),
    [{ lowerBound: "0.0", maxLeverage: 5 }],
    "one tier is not listed",
  );
  assert.equal(markets.marginTiers("NOPE"), null);
});

it("is read once in half an hour, and a market keeps the time when it was first seen like this", async () => {
  const { renew, rows, clock, given, asked } = follow();
  await Promise.all([renew(), renew()]);
  const questions = asked.length;
  await renew();
  assert.equal(asked.length, questions);
  await clock.advance(1_800_000);
  given.allPerpMetas = [
    { ...META, universe: [{ ...META.universe[0]!, isDelisted: true }, META.universe[1]!] },
    XYZ,
  ];
  await renew();
  assert.equal(rows().get("BTC")?.asOfMs, NOW + 1_800_000);
  assert.equal(rows().get("BTC")?.isDelisted, true);
  assert.equal(rows().get("@107")?.asOfMs, NOW);
});

it("asks for an outcome that is no longer listed, and settles it only where the venue does", async () => {
  const { renew, rows, clock, given } = follow();
  await renew();
  given.outcomeMeta = { outcomes: [] };
  given.settledOutcome = null;
  await clock.advance(1_800_000);
  await renew();
  assert.equal(rows().get("#10")?.isDelisted, false, "absent is not settled");
  given.settledOutcome = { spec: OUTCOME, settleFraction: "0.25" };
  await clock.advance(1_800_000);
  await renew();
  assert.deepEqual(
    ["#10", "+10", "#11", "+11"].map((coin) => [rows().get(coin)?.settlement, rows().get(coin)?.isDelisted]),
    [
      ["0.25", true],
      ["0.25", true],
      ["0.75", true],
      ["0.75", true],
    ],
  );
});

it("goes without what an endpoint does not know, and fails where nothing is answered", async () => {
  const refused = new ProtocolError("unknown", { raw: null });
  const { renew, rows } = follow({ allPerpMetas: refused, outcomeMeta: refused });
  await renew();
  assert.deepEqual([...rows().keys()], ["@107", "@9"]);
  const away = follow({ spotMeta: new TransportError("away") });
  await assert.rejects(away.renew(), TransportError);
  away.given.spotMeta = SPOT;
  await away.renew();
  assert.equal(away.rows().get("BTC")?.name, "BTC");
});

it("reads what the simulated venue tells", async () => {
  const exchange = createVenue({ seed: 1, startMs: NOW });
  const ask = (type: string) => exchange.info({ type }).body;
  const { renew, rows } = follow({
    allPerpMetas: ask("allPerpMetas"),
    spotMeta: ask("spotMeta"),
    outcomeMeta: ask("outcomeMeta"),
  });
  await renew();
  assert.equal(rows().get("@107")?.name, "HYPE/USDC");
  assert.equal(rows().get("#10")?.kind, "outcome");
});
