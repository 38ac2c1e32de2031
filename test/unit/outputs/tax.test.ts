/** The files for tax programs, from real rows in a real database: what they add up to, and how a row looks. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LAYOUTS } from "../../../src/outputs/tax/layouts.ts";
import { leftOutText, taxLines } from "../../../src/outputs/tax/taxExport.ts";
import { add, sub } from "../../../src/runtime/decimal.ts";
import type { FillRow, LedgerRow } from "../../../src/sync/rows.ts";
import { ACCOUNT, fillOf, fundingOf, ledgerOf, OTHER } from "../../contract/rows.ts";
import { startServer, type TestDatabase, type TestServer } from "../../support/postgres.ts";

const AT = Date.UTC(2026, 2, 4, 9, 30, 1, 250);
const HASH = `0x${"c".repeat(64)}`;

let server: TestServer;
let db: TestDatabase;
before(async () => {
  server = await startServer();
  db = await server.newDatabase();
  await db.store.apply({ fills: FILLS, funding: FUNDING, ledger: LEDGER });
});
after(async () => {
  await db?.close();
  await server?.stop();
});

let id = 0;
const fill = (change: Partial<FillRow>): FillRow => {
  id += 1;
  return fillOf({ orderId: 7, tradeId: id, timeMs: AT, hash: HASH, fee: "0", ...change });
};
const ledger = (type: string, delta: object, change: Partial<LedgerRow> = {}): LedgerRow => {
  id += 1;
  return ledgerOf({
    type,
    timeMs: AT,
    digest: String(id).padStart(16, "0"),
    hash: `0x${String(id).repeat(8)}`,
    raw: { time: AT, hash: "0x1", delta: { type, ...delta } },
    ...change,
  });
};

const FILLS = [
  // One order, two executions of one transaction; a loss beside them; a rebate in another second.
  fill({ closedPnl: "10.5", fee: "0.2", direction: "Close Long", side: "sell" }),
  fill({ closedPnl: "4.5", fee: "0.3", direction: "Close Long", side: "sell", timeMs: AT + 300 }),
  fill({ closedPnl: "-3", fee: "0.1", coin: "ETH", direction: "Close Short" }),
  fill({ closedPnl: "0", fee: "-0.05", coin: "ETH", timeMs: AT + 5_000 }),
  // A dex with a collateral of its own.
  fill({
    closedPnl: "2",
    fee: "0.01",
    feeToken: "USDH",
    coin: "xyz:GOLD",
    timeMs: AT + 6_000,
    direction: "Close Long",
  }),
  // Spot: the buyer pays in what it buys, the seller in what it gets.
  fill({
    coin: "@107",
    size: "10",
    value: "400",
    fee: "0.004",
    feeToken: "HYPE",
    direction: "Buy",
    timeMs: AT + 7_000,
  }),
  fill({
    coin: "@107",
    size: "4",
    value: "180",
    fee: "0.09",
    feeToken: "USDC",
    direction: "Sell",
    side: "sell",
    timeMs: AT + 8_000,
  }),
  // Not of this year.
  fill({ closedPnl: "999", coin: "SOL", timeMs: Date.UTC(2025, 11, 31, 23, 59, 59, 999) }),
  fill({ closedPnl: "999", coin: "SOL", timeMs: Date.UTC(2027, 0, 1) }),
];
const FUNDING = [
  fundingOf({ coin: "BTC", usdc: "-1.25", timeMs: AT }),
  // The same amount in the same second: programs skip one of two equal rows.
  fundingOf({ coin: "ETH", usdc: "-1.25", timeMs: AT + 20 }),
  fundingOf({ coin: "xyz:GOLD", usdc: "0.5", timeMs: AT }),
];
const LEDGER = [
  ledger("deposit", { usdc: "1000" }),
  ledger("withdraw", { usdc: "99", fee: "1", nonce: 1 }),
  ledger("accountClassTransfer", { usdc: "50", toPerp: true }),
  ledger("vaultDeposit", { usdc: "100", vault: OTHER }),
  ledger("vaultWithdraw", {
    vault: OTHER,
    user: ACCOUNT,
    requestedUsd: "130",
    commission: "3",
    closingCost: "0",
    basis: "100",
    netWithdrawnUsd: "127",
  }),
  ledger(
    "spotTransfer",
    { token: "HYPE", amount: "2", usdcValue: "80", user: ACCOUNT, destination: OTHER, fee: "1", nonce: null },
    { token: "HYPE", amount: "2" },
  ),
  ledger("rewardsClaim", { amount: "7", token: "USDC" }, { token: "USDC", amount: "7" }),
  ledger("spotGenesis", { amount: "3", token: "PURR" }, { token: "PURR", amount: "3" }),
  ledger("vaultDistribution", { usdc: "5", vault: OTHER }),
  ledger("somethingNew", { what: "?" }),
  ledger("somethingNew", { what: "?" }, { timeMs: Date.UTC(2027, 5, 1) }),
];

async function linesOf(layout: keyof typeof LAYOUTS, year: number | null = 2026) {
  const leftOut = new Map<string, number>();
  const lines: string[] = [];
  const asked = { account: ACCOUNT, year, layout: LAYOUTS[layout] };
  for await (const line of taxLines(db.database, asked, leftOut)) lines.push(line);
  return { lines, leftOut };
}

/** Received less sent and fee, by token; `at`: places of the amounts, each before its token. */
function totals(lines: readonly string[], plus: number, ...minus: number[]): Record<string, string> {
  const sums: Record<string, string> = {};
  for (const line of lines.slice(1)) {
    const cells = line.split(",");
    const token = (at: number) => cells[at + 1]!;
    if (cells[plus]) sums[token(plus)] = add(sums[token(plus)] ?? "0", cells[plus]);
    for (const at of minus) if (cells[at]) sums[token(at)] = sub(sums[token(at)] ?? "0", cells[at]);
  }
  return sums;
}

/** By hand: what the rows above did to what the account owns, money in the vault at its cost. */
const OWNED = {
  // 15 − 0.5, −3 − 0.1, 0.05 · −400 + 180 − 0.09 · −2.5 · 1000 − 100, 27 of the vault, −1 of the transfer, 7
  USDC: "721.86",
  // 2 − 0.01 + 0.5
  USDH: "2.49",
  // 10 − 0.004 − 4 − 2
  HYPE: "3.996",
  PURR: "3",
};

test("both files add up to what the rows did to what the account owns, and say what they leave out", async () => {
  const koinly = await linesOf("koinly");
  assert.deepEqual(totals(koinly.lines, 3, 1, 5), OWNED);
  const cointracking = await linesOf("cointracking");
  assert.deepEqual(totals(cointracking.lines, 1, 3), OWNED);
  for (const { leftOut } of [koinly, cointracking])
    assert.equal(
      leftOutText(leftOut),
      "left out, their amounts are not told: 1 vaultDistribution, 1 somethingNew",
    );
  const all = await linesOf("koinly", null);
  assert.equal(totals(all.lines, 3, 1, 5).USDC, add(OWNED.USDC, "1998"), "without a year all that is stored");
});

test("no two rows are such that a program would skip one, and gains stay apart from losses", async () => {
  const { lines } = await linesOf("koinly");
  const seen = lines.slice(1).map((line) => line.split(",").toSpliced(10, 1).join());
  assert.equal(new Set(seen).size, seen.length);
  const of = (tag: string) => lines.filter((line) => line.split(",")[9] === tag);
  assert.deepEqual(of("realized gain"), [
    `2026-03-04 09:30:01 UTC,,,15,USDC,,,,,realized gain,BTC Close Long (2 rows),${HASH}`,
    `2026-03-04 09:30:01 UTC,3,USDC,,,,,,,realized gain,ETH Close Short,${HASH}`,
    `2026-03-04 09:30:01 UTC,,,27,USDC,,,,,realized gain,vaultWithdraw,${lines
      .find((l) => l.includes("vaultWithdraw"))!
      .split(",")
      .at(-1)}`,
    `2026-03-04 09:30:07 UTC,,,2,USDH,,,,,realized gain,xyz:GOLD Close Long,${HASH}`,
  ]);
  assert.deepEqual(
    of("funding fee").filter((line) => line.includes("BTC")),
    [`2026-03-04 09:30:01 UTC,2.5,USDC,,,,,,,funding fee,"BTC funding, ETH funding (2 rows)",`],
  );
  assert.ok(
    of("").some((line) => line.includes(",99,USDC,,,1,USDC,")),
    "a fee beside what arrives elsewhere",
  );
});

test("CoinTracking gets what came and went, fees inside of trades and in rows of their own elsewhere", async () => {
  const { lines } = await linesOf("cointracking");
  assert.deepEqual(
    lines.filter((line) => line.startsWith("Trade,")),
    [
      `Trade,9.996,HYPE,400,USDC,,,Hyperliquid,Spot,HYPE Buy,2026-03-04 09:30:08,${HASH}`,
      `Trade,179.91,USDC,4,HYPE,,,Hyperliquid,Spot,HYPE Sell,2026-03-04 09:30:09,${HASH}`,
    ],
  );
  const types = new Set(lines.slice(1).map((line) => line.split(",")[0]));
  assert.deepEqual(
    [...types].sort(),
    [
      ...["Airdrop", "Deposit", "Derivatives / Futures Loss", "Derivatives / Futures Profit", "Margin Fee"],
      ...["Other Fee", "Other Income", "Reward / Bonus", "Trade", "Withdrawal"],
    ].sort(),
  );
});
