import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CASH_GRACE_MS, CashCheck } from "../../../src/sync/cashCheck.ts";
import type { FundingRow, LedgerRow } from "../../../src/sync/rows.ts";
import { ACCOUNT, fill } from "./rows.ts";

const HOUR_MS = 3_600_000;
const T0 = 1_790_000_000_000 - (1_790_000_000_000 % HOUR_MS) + 600_000;
const BTC = new Set(["BTC"]);
const NONE = new Set<string>();

const funding = (timeMs: number, usdc: string, coin = "BTC"): FundingRow => ({
  account: ACCOUNT,
  coin,
  timeMs,
  usdc,
  size: "1",
  fundingRate: "0.0000125",
  samples: null,
  raw: {},
  source: "stream",
  seenAtMs: timeMs,
});
const deposit = (timeMs: number): LedgerRow => ({
  account: ACCOUNT,
  timeMs,
  hash: "0x1",
  type: "deposit",
  token: null,
  amount: null,
  digest: "d",
  raw: {},
  source: "stream",
  seenAtMs: timeMs,
});
/** What is ripe after the grace, by key. */
const keys = (check: CashCheck, nowMs: number) => check.ripe(nowMs + CASH_GRACE_MS).map(({ key }) => key);

describe("cash of a dex", () => {
  it("is explained by fills, their fees and funding, to the last digit", () => {
    const check = new CashCheck(CASH_GRACE_MS);
    check.noteState("", T0, "1000", NONE, T0);
    check.noteFills([
      fill({ timeMs: T0 + 10, side: "buy", size: "2", price: "10", value: "20", fee: "0.009" }),
    ]);
    check.noteFunding([funding(T0 + 20, "-0.5")]);
    check.noteState("", T0 + 5_000, "979.491", BTC, T0 + 5_000);
    assert.deepEqual(keys(check, T0 + 5_000), []);
  });

  it("names the window in which a transfer is missing, and forgets it when the row was merely late", () => {
    for (const isLate of [false, true]) {
      const check = new CashCheck(CASH_GRACE_MS);
      check.noteState("", T0, "1000", NONE, T0);
      check.noteState("", T0 + 5_000, "1100", NONE, T0 + 5_000);
      check.noteState("", T0 + 10_000, "1100", NONE, T0 + 10_000);
      if (isLate) check.noteLedger([deposit(T0 + 2_000)]);
      const found = check.ripe(T0 + 5_000 + CASH_GRACE_MS);
      assert.equal(found.length, isLate ? 0 : 1);
      if (isLate) continue;
      const { kind, fromMs, toMs, moved } = found[0]!;
      assert.deepEqual([kind, fromMs, toMs, moved], ["cash", T0, T0 + 10_000, "100"]);
      check.noteLedger([deposit(T0 + 2_000)]);
      assert.equal(check.settle(found[0]!, T0 + 20_000), true);
      check.noteState("", T0 + 25_000, "1100", NONE, T0 + 25_000);
      assert.deepEqual(keys(check, T0 + 25_000), []);
    }
  });

  it("is not chased again when the venue has no row for it, and later losses are still found", () => {
    const check = new CashCheck(CASH_GRACE_MS);
    check.noteState("", T0, "1000", NONE, T0);
    check.noteState("", T0 + 5_000, "1001", NONE, T0 + 5_000);
    const [found] = check.ripe(T0 + 5_000 + CASH_GRACE_MS);
    assert.equal(check.settle(found!, T0 + 20_000), false);
    check.noteState("", T0 + 25_000, "1001", NONE, T0 + 25_000);
    check.noteState("", T0 + 30_000, "1002", NONE, T0 + 30_000);
    assert.deepEqual(keys(check, T0 + 30_000), [], "within the pause");
    check.noteState("", T0 + 90_000, "1002", NONE, T0 + 90_000);
    check.noteState("", T0 + 95_000, "1050", NONE, T0 + 95_000);
    assert.deepEqual(keys(check, T0 + 95_000), ["cash:"]);
  });

  it("is no sign where collateral is pooled, nor while a fill of the state is on its way", () => {
    const pooled = new CashCheck(CASH_GRACE_MS);
    pooled.noteState("", T0, null, NONE, T0);
    pooled.noteState("", T0 + 5_000, null, NONE, T0 + 5_000);
    assert.deepEqual(keys(pooled, T0 + 5_000), []);
    const late = new CashCheck(CASH_GRACE_MS);
    late.noteState("", T0, "1000", NONE, T0);
    late.noteState("", T0 + 5_000, "990", BTC, T0 + 5_000);
    late.noteFills([fill({ timeMs: T0 + 4_000, side: "buy", value: "10", fee: "0" })]);
    assert.deepEqual(keys(late, T0 + 5_000), []);
  });

  it("is kept for each dex by itself", () => {
    const check = new CashCheck(CASH_GRACE_MS);
    for (const dex of ["", "xyz"]) check.noteState(dex, T0, "1000", NONE, T0);
    check.noteFills([fill({ coin: "xyz:AAPL", timeMs: T0 + 10, side: "sell", value: "30", fee: "0" })]);
    check.noteState("", T0 + 5_000, "1000", NONE, T0 + 5_000);
    check.noteState("xyz", T0 + 5_000, "1031", NONE, T0 + 5_000);
    assert.deepEqual(keys(check, T0 + 5_000), ["cash:xyz"]);
  });
});

describe("funding", () => {
  const hour = T0 - 600_000 + HOUR_MS;

  it("is due for a position that was held over a full hour, in any mode", () => {
    const check = new CashCheck(CASH_GRACE_MS);
    check.noteState("", hour - 3_000, null, new Set(["BTC", "ETH"]), hour - 3_000);
    check.noteFunding([funding(hour + 30, "-1", "ETH")]);
    check.noteState("", hour + 2_000, null, new Set(["BTC", "ETH", "SOL"]), hour + 2_000);
    assert.deepEqual(keys(check, hour + 2_000), [`funding:BTC:${hour}`]);
    check.noteFunding([funding(hour + 40, "-2")]);
    assert.deepEqual(keys(check, hour + 2_000), []);
  });

  it("is not due for what was opened or closed around the hour, nor when the state before it is old", () => {
    const check = new CashCheck(CASH_GRACE_MS);
    check.noteState("", hour - 3_000, null, BTC, hour - 3_000);
    check.noteState("", hour + 2_000, null, NONE, hour + 2_000);
    assert.deepEqual(keys(check, hour + 2_000), []);
    const old = new CashCheck(CASH_GRACE_MS);
    old.noteState("", hour - 120_000, null, BTC, hour - 120_000);
    old.noteState("", hour + 2_000, null, BTC, hour + 2_000);
    assert.deepEqual(keys(old, hour + 2_000), []);
  });
});

describe("a balance of spot", () => {
  const at = (coin: string, total: string) => [{ coin, total }];

  it("that moves without a fill or transfer is suspected; one near explains it", () => {
    for (const explained of [false, true]) {
      const check = new CashCheck(CASH_GRACE_MS);
      check.noteBalances(at("HYPE", "10"), false, T0, T0);
      if (explained) check.noteFills([fill({ coin: "@107", timeMs: T0 + 1_000 })]);
      check.noteBalances(at("HYPE", "25"), false, T0 + 5_000, T0 + 5_000);
      assert.deepEqual(keys(check, T0 + 5_000), explained ? [] : ["balance:HYPE"]);
    }
  });

  it("is explained by a row of its own token only, as far as rows tell their tokens", () => {
    const sent = (timeMs: number, token: string | null, delta: Record<string, unknown> = {}): LedgerRow => ({
      ...deposit(timeMs),
      token,
      raw: { delta },
    });
    const spot = (timeMs: number, coin: string, side: "buy" | "sell", feeToken: string) =>
      fill({ timeMs, coin, side, feeToken, tradeId: timeMs });
    const bought = (check: CashCheck) =>
      check.noteFills([spot(T0 - 90_000, "@107", "buy", "HYPE"), spot(T0 - 80_000, "@107", "sell", "USDC")]);
    // biome-ignore format: a table, one row a row
    const rows: [string, (check: CashCheck) => void, boolean][] = [
      ["a transfer of it", (check) => check.noteLedger([sent(T0 + 1_000, "HYPE")]), true],
      ["a transfer of another token", (check) => check.noteLedger([sent(T0 + 1_000, "PURR")]), false],
      ["a transfer of dollars", (check) => check.noteLedger([sent(T0 + 1_000, null, { usdc: "5" })]), false],
      ["an update that tells no token", (check) => check.noteLedger([sent(T0 + 1_000, null)]), true],
      ["a fill of its pair, less its fee", (check) => { bought(check); check.noteFills([{ ...spot(T0 + 1_000, "@107", "buy", "HYPE"), size: "15.015", fee: "0.015" }]); }, true],
      ["a fill whose tip was paid in it", (check) => check.noteFills([fill({ timeMs: T0 + 1_000, raw: { priorityGas: "0.1" } })]), true],
      ["a fill of its pair of another size", (check) => { bought(check); check.noteFills([{ ...spot(T0 + 1_000, "@107", "buy", "HYPE"), size: "14", fee: "0" }]); }, false],
      ["a fill of its pair the other way", (check) => { bought(check); check.noteFills([{ ...spot(T0 + 1_000, "@107", "sell", "USDC"), size: "15" }]); }, false],
      ["a fill of another pair", (check) => check.noteFills([spot(T0 - 9_000_000, "@1", "buy", "HFUN"), spot(T0 + 1_000, "@1", "sell", "USDC")]), false],
      ["a fill of a pair not known", (check) => check.noteFills([spot(T0 + 1_000, "@1", "buy", "HFUN")]), true],
      ["a transfer of it ten seconds before", (check) => check.noteLedger([sent(T0 - 10_000, "HYPE")]), false],
    ];
    for (const [what, note, isExplained] of rows)
      for (const isLate of [false, true]) {
        const check = new CashCheck(CASH_GRACE_MS);
        check.noteBalances(at("HYPE", "10"), false, T0, T0);
        if (!isLate) note(check);
        check.noteBalances(at("HYPE", "25"), false, T0 + 5_000, T0 + 5_000);
        if (isLate) note(check);
        assert.deepEqual(keys(check, T0 + 5_000), isExplained ? [] : ["balance:HYPE"], `${what} ${isLate}`);
      }
  });

  it("is held against rows by the venue's clock, whatever ours shows", () => {
    const check = new CashCheck(CASH_GRACE_MS);
    const wrongMs = T0 + 600_000;
    check.noteBalances(at("HYPE", "10"), false, wrongMs, T0);
    check.noteLedger([{ ...deposit(T0 + 1_000), token: "HYPE" }]);
    check.noteBalances(at("HYPE", "25"), false, wrongMs + 5_000, T0 + 5_000);
    assert.deepEqual(keys(check, wrongMs + 5_000), []);
  });

  it("that comes into the list was 0 before, but not in the first list", () => {
    const check = new CashCheck(CASH_GRACE_MS);
    check.noteBalances([], false, T0, T0);
    check.noteBalances(at("HYPE", "5"), false, T0 + 5_000, T0 + 5_000);
    assert.deepEqual(keys(check, T0 + 5_000), ["balance:HYPE"]);
    const first = new CashCheck(CASH_GRACE_MS);
    first.noteBalances(at("HYPE", "5"), false, T0, T0);
    assert.deepEqual(keys(first, T0), []);
  });

  it("that leaves the list counts as 0; dollars are no sign where they are collateral", () => {
    const check = new CashCheck(CASH_GRACE_MS);
    check.noteBalances([...at("HYPE", "10"), ...at("USDC", "5")], true, T0, T0);
    check.noteBalances([...at("USDC", "7")], true, T0 + 5_000, T0 + 5_000);
    assert.deepEqual(keys(check, T0 + 5_000), ["balance:HYPE"]);
  });

  it("moves the dollars of a pooled account only by rows while no perp is held", () => {
    const moved = (...others: ((check: CashCheck) => void)[]) => {
      const check = new CashCheck(CASH_GRACE_MS);
      check.noteState("", T0, null, NONE, T0);
      check.noteBalances(at("USDC", "5"), true, T0 + 1_000, T0 + 1_000);
      check.noteBalances(at("USDC", "7"), true, T0 + 6_000, T0 + 6_000);
      for (const other of others) other(check);
      return keys(check, T0 + 6_000);
    };
    assert.deepEqual(moved(), ["balance:USDC"]);
    assert.deepEqual(
      moved((check) => check.noteLedger([deposit(T0 + 3_000)])),
      [],
    );
    // Opened and closed between the two: the rows came later than the state.
    assert.deepEqual(
      moved((check) => check.noteFills([fill({ timeMs: T0 + 3_000 })])),
      [],
    );
    assert.deepEqual(
      moved((check) => check.noteState("xyz", T0 + 7_000, null, new Set(["xyz:AAPL"]), T0)),
      [],
    );

    const held = new CashCheck(CASH_GRACE_MS);
    held.noteState("", T0, null, BTC, T0);
    held.noteBalances(at("USDC", "5"), true, T0 + 1_000, T0 + 1_000);
    // Closed meanwhile, which is heard of before the balance that it moved, and after it nothing more is held.
    held.noteState("", T0 + 3_000, null, NONE, T0 + 3_000);
    held.noteBalances(at("USDC", "7"), true, T0 + 6_000, T0 + 6_000);
    assert.deepEqual(keys(held, T0 + 6_000), []);
    held.noteBalances(at("USDC", "9"), true, T0 + 11_000, T0 + 11_000);
    assert.deepEqual(keys(held, T0 + 11_000), ["balance:USDC"]);
  });
});
