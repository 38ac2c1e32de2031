/** Money that leaves the free spot balance and stays the account's own: stakes and loans. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../../src/simulator/contract.ts";
import { ALICE, type Desk, openDesk } from "./exchangeHarness.ts";

const VALIDATOR = "0x5ac99df645f3414876c816caa18b2d234024b487";

const deltas = (desk: Desk, user: string): JsonObject[] =>
  (desk.venue.truth(user).ledger as { delta: JsonObject }[]).map(({ delta }) => delta);
const summary = (desk: Desk): JsonObject =>
  desk.info({ type: "delegatorSummary", user: ALICE }) as JsonObject;

function withHype(): Desk {
  const desk = openDesk({ switches: { unstakeMs: 5000 } });
  desk.venue.script({ type: "mint", user: ALICE, token: "HYPE", amount: "10" });
  desk.tick();
  return desk;
}

test("staked HYPE leaves spot with a row, waits its time on the way back, and comes with a row", () => {
  const desk = withHype();
  desk.run(ALICE, { type: "cDeposit", wei: 400000000 });
  desk.run(ALICE, { type: "tokenDelegate", validator: VALIDATOR, isUndelegate: false, wei: 300000000 });
  assert.deepEqual(
    [summary(desk).delegated, summary(desk).undelegated, summary(desk).totalPendingWithdrawal],
    ["3.0", "1.0", "0.0"],
  );
  desk.run(ALICE, { type: "cWithdraw", wei: 100000000 });
  assert.equal(summary(desk).totalPendingWithdrawal, "1.0");
  desk.tick(6000);
  assert.equal(summary(desk).totalPendingWithdrawal, "0.0");
  const rows = deltas(desk, ALICE).filter(({ type }) => type === "cStakingTransfer");
  assert.deepEqual(rows, [
    { type: "cStakingTransfer", token: "HYPE", amount: "4.0", isDeposit: true },
    { type: "cStakingTransfer", token: "HYPE", amount: "1.0", isDeposit: false },
  ]);
});

test("more HYPE than is free is not staked", () => {
  const desk = withHype();
  desk.run(ALICE, { type: "cDeposit", wei: 1100000000 });
  assert.equal(deltas(desk, ALICE).filter(({ type }) => type === "cStakingTransfer").length, 0);
});

test("supplied dollars stay in the total, earn by the hour, and the next row tells what came together", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "usdClassTransfer", amount: "1000", toPerp: false });
  desk.run(ALICE, { type: "borrowLend", operation: "supply", token: 0, amount: "1000" });
  desk.tick(3_601_000);
  desk.run(ALICE, { type: "borrowLend", operation: "withdraw", token: 0, amount: "500" });
  const rows = deltas(desk, ALICE).filter(({ type }) => type === "borrowLend");
  assert.deepEqual(
    rows.map(({ operation, amount, interestAmount }) => [operation, amount, interestAmount]),
    [
      ["supply", "1000.0", "0.0"],
      ["withdraw", "500.0", "0.005"],
    ],
  );
});
