/** Subscriptions over the real model: what its events and states look like on the wire. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVenue } from "../../../src/simulator/exchange/venue.ts";
import { START_MS, setUp, USER } from "./harness.ts";

function overModel(options: Parameters<typeof createVenue>[0] = {}) {
  const model = createVenue({ seed: 7, startMs: START_MS, traders: false, ...options });
  return { ...setUp({ venue: model }), model };
}

test("a settled outcome is told by outcomeMetaUpdates, and its sides leave the mids", async () => {
  const { model, client, clock } = overModel();
  const { subscribe, take } = client();
  subscribe({ type: "outcomeMetaUpdates" });
  assert.deepEqual(
    take().map(({ channel }) => channel),
    ["subscriptionResponse"],
  );
  const mids = () => Object.keys(model.info({ type: "allMids" }).body as object);
  assert.ok(mids().includes("#10") && mids().includes("#11"));
  model.script({ type: "settleOutcome", outcome: 1, winner: 1 });
  model.advance(model.nowMs + 5_000);
  await clock.advanceBy(5_000);
  assert.deepEqual(take(), [
    { channel: "outcomeMetaUpdates", data: { updates: [{ outcomeSettled: { outcome: 1 } }] } },
  ]);
  await clock.advanceBy(5_000);
  assert.deepEqual(take(), []);
  assert.ok(!mids().includes("#10"));
});

test("both sides of an outcome are quoted, and are worth one together", () => {
  const { model } = overModel({ traders: { coins: ["#10", "#11"] } });
  model.advance(model.nowMs + 600_000);
  const mids = model.info({ type: "allMids" }).body as Record<string, string>;
  const sum = Number(mids["#10"]) + Number(mids["#11"]);
  assert.ok(Math.abs(sum - 1) < 0.01, `${mids["#10"]} + ${mids["#11"]}`);
});

test("twapStates tells the running TWAPs of the dex it was asked for", () => {
  const { model, client } = overModel();
  const { subscribe, take } = client();
  model.deposit(USER, "100000");
  const twap = { a: 110_001, b: true, s: "1", r: false, m: 5, t: false };
  model.execute(USER, { type: "twapOrder", twap }, { nonce: 1 });
  for (const dex of ["", "xyz"]) subscribe({ type: "twapStates", user: USER, dex });
  const states = take().flatMap(({ channel, data }) => (channel === "twapStates" ? [data] : []));
  assert.deepEqual(
    (states as { dex: string; states: [number, { coin: string }][] }[]).map((s) => [
      s.dex,
      s.states.map(([, { coin }]) => coin),
    ]),
    [
      ["", []],
      ["xyz", ["xyz:AAPL"]],
    ],
  );
});
