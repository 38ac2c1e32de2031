/** Setting up a simulated venue by text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readPairs, readSettings } from "../../../src/simulator/settings.ts";

test("pairs say the same as the JSON they stand for", () => {
  assert.deepEqual(
    readPairs(
      "restLagMs=500,selfTrades=cancelResting,rotateAfterMs=null,traders.takesPerMinute=60,traders.levels=2",
    ),
    {
      restLagMs: 500,
      selfTrades: "cancelResting",
      rotateAfterMs: null,
      traders: { takesPerMinute: 60, levels: 2 },
    },
  );
  assert.deepEqual(readPairs('{"traders":{"coins":["BTC","ETH"]}}'), { traders: { coins: ["BTC", "ETH"] } });
  assert.throws(() => readPairs("restLagMs"), /expected key=value/);
});

test("settings are the protocol's, the model's and the traders', and nothing else", () => {
  const read = readSettings(readPairs("restLagMs=500,selfTrades=cancelResting,traders=false"));
  assert.deepEqual(read, {
    server: { restLagMs: 500 },
    model: { selfTrades: "cancelResting" },
    traders: false,
  });
  assert.deepEqual(readSettings({}), { server: {}, model: {}, traders: {} });
  for (const wrong of ["restLag=5", "traders=true", "traders.step=5", "allowWebData2=1"]) {
    assert.throws(() => readSettings(readPairs(wrong)), RangeError, wrong);
  }
});
