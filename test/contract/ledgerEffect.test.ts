/** `hl_internal.ledger_effect`: what each type of ledger update does to the money of the account, from every side. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ledgerRow, type Origin } from "../../src/sync/normalize.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, OTHER, T } from "./rows.ts";

type Delta = Record<string, unknown> & { type: string };
/** [what it is, delta, effect, perp, spot, usdc of hl_ledger, flow, earned, leaves] */
type Case = [string, Delta, ...(string | null | boolean)[]];

const sent = { user: ACCOUNT, destination: OTHER };
const received = { user: OTHER, destination: ACCOUNT };
const own = { user: ACCOUNT, destination: ACCOUNT };
const usdc = { token: "USDC", amount: "30.0", usdcValue: "30.0", fee: "0.0", feeToken: "" };
const hype = { token: "HYPE", amount: "3.0", usdcValue: "120.0", fee: "0.0", feeToken: "" };

// biome-ignore format: a table, one update a row
const CASES: Case[] = [
  ["a deposit", { type: "deposit", usdc: "100.5" }, "flow", "100.5", "0", "100.5", "100.5", null, false],
  ["a withdrawal: its usdc is what arrives, its fee left too", { type: "withdraw", usdc: "2010.0", nonce: 1, fee: "1.0" }, "flow", "-2011", "0", "-2011", "-2011", null, true],
  ["money sent", { type: "internalTransfer", usdc: "10.0", fee: "1.0", ...sent }, "flow", "-11", "0", "-11", "-11", null, true],
  ["money received", { type: "internalTransfer", usdc: "10.0", fee: "1.0", ...received }, "flow", "10", "0", "10", "10", null, false],
  ["money sent to oneself", { type: "internalTransfer", usdc: "10.0", fee: "1.0", ...own }, "inside", "-1", "0", "-1", "0", "-1", false],
  ["to a sub-account", { type: "subAccountTransfer", usdc: "7.0", ...sent }, "flow", "-7", "0", "-7", "-7", null, true],
  ["from a sub-account", { type: "subAccountTransfer", usdc: "7.0", ...received }, "flow", "7", "0", "7", "7", null, false],
  ["to the perps", { type: "accountClassTransfer", usdc: "5.0", toPerp: true }, "inside", "5", "-5", "5", "0", null, false],
  ["to spot", { type: "accountClassTransfer", usdc: "5.0", toPerp: false }, "inside", "-5", "5", "-5", "0", null, false],
  ["to a dex of the account", { type: "perpDexClassTransfer", amount: "100.0", token: "USDC", dex: "xyz", toPerp: true }, "inside", "100", "-100", "100", "0", null, false],
  ["back from it", { type: "perpDexClassTransfer", amount: "100.0", token: "USDH", dex: "hyna", toPerp: false }, "inside", "-100", "100", "-100", "0", null, false],
  ["dollars sent from spot", { type: "spotTransfer", ...usdc, fee: "1.0", ...sent }, "flow", "0", "-31", "-31", "-31", null, true],
  ["dollars received in spot", { type: "spotTransfer", ...usdc, ...received }, "flow", "0", "30", "30", "30", null, false],
  ["tokens received, at the venue's value", { type: "spotTransfer", ...hype, ...received }, "flow", "0", "0", "120", "120", null, false],
  ["tokens sent; a fee in another token is no dollars", { type: "spotTransfer", ...hype, fee: "0.1", feeToken: "HYPE", ...sent }, "flow", "0", "0", "-120", "-120", null, true],
  ["tokens sent with a fee in dollars", { type: "spotTransfer", ...hype, fee: "1.0", ...sent }, "flow", "0", "-1", "-121", "-121", null, true],
  ["tokens without a value", { type: "spotTransfer", ...hype, usdcValue: null, ...received }, "flow", "0", "0", null, null, null, false],
  ["tokens without a value sent", { type: "spotTransfer", ...hype, usdcValue: "NaN", ...sent }, "flow", "0", "0", null, null, null, true],
  ["tokens to oneself", { type: "spotTransfer", ...hype, ...own }, "inside", "0", "0", "0", "0", "0", false],
  ["sent from a dex", { type: "send", ...usdc, ...sent, sourceDex: "", destinationDex: "spot" }, "flow", "-30", "0", "-30", "-30", null, true],
  ["sent from spot", { type: "send", ...usdc, fee: "1.0", ...sent, sourceDex: "spot", destinationDex: "" }, "flow", "0", "-31", "-31", "-31", null, true],
  ["received on a dex", { type: "send", ...usdc, ...received, sourceDex: "spot", destinationDex: "xyz" }, "flow", "30", "0", "30", "30", null, false],
  ["tokens received by a send", { type: "send", ...hype, ...received, sourceDex: "spot", destinationDex: "spot" }, "flow", "0", "0", "120", "120", null, false],
  ["between own dexes", { type: "send", ...usdc, ...own, sourceDex: "", destinationDex: "xyz" }, "inside", "0", "0", "0", "0", "0", false],
  ["from own spot to a dex", { type: "send", ...usdc, ...own, sourceDex: "spot", destinationDex: "" }, "inside", "30", "-30", "0", "0", "0", false],
  ["a vault is opened", { type: "vaultCreate", vault: OTHER, usdc: "100.0", fee: "100.0" }, "inside", "-200", "0", "-200", "0", "-100", true],
  ["the vault's own side of it", { type: "vaultCreate", vault: ACCOUNT, usdc: "100.0", fee: "100.0" }, "flow", "100", "0", "100", "100", null, false],
  ["a vault deposit", { type: "vaultDeposit", vault: OTHER, usdc: "50.0" }, "inside", "-50", "0", "-50", "0", "0", true],
  ["a vault gets one", { type: "vaultDeposit", vault: ACCOUNT, user: OTHER, usdc: "50.0" }, "flow", "50", "0", "50", "50", null, false],
  ["from a vault comes the net, commission and cost are paid", { type: "vaultWithdraw", vault: OTHER, user: ACCOUNT, requestedUsd: "20.0", commission: "1.5", closingCost: "0.5", netWithdrawnUsd: "18.0" }, "inside", "18", "0", "18", "0", "-2", false],
  ["a vault pays what was asked of it", { type: "vaultWithdraw", vault: ACCOUNT, user: OTHER, requestedUsd: "20.0", netWithdrawnUsd: "18.0" }, "flow", "-20", "0", "-20", "-20", null, true],
  ["a vault distributes to us", { type: "vaultDistribution", vault: OTHER, usdc: "3.0" }, "inside", "3", "0", "3", "0", null, false],
  ["a vault distributes", { type: "vaultDistribution", vault: ACCOUNT, usdc: "3.0" }, "flow", "-3", "0", "-3", "-3", null, true],
  ["a leader's commission", { type: "vaultLeaderCommission", user: ACCOUNT, usdc: "4.0" }, "income", "4", "0", "4", "0", "4", false],
  ["staking", { type: "cStakingTransfer", token: "HYPE", amount: "632.97", isDeposit: true }, "inside", "0", "0", null, "0", null, true],
  ["unstaking", { type: "cStakingTransfer", token: "HYPE", amount: "632.97", isDeposit: false }, "inside", "0", "0", null, "0", null, false],
  ["lending, with what was earned so far", { type: "borrowLend", operation: "supply", token: "USDC", amount: "100.0", interestAmount: "0.25" }, "inside", "0", "0", "0", "0", "0.25", true],
  ["borrowing, with what is owed for it", { type: "borrowLend", operation: "borrow", token: "USDC", amount: "100.0", interestAmount: "0.25" }, "inside", "0", "0", "0", "0", "-0.25", false],
  ["an old reward: no token is USDC", { type: "rewardsClaim", amount: "12.5", token: "" }, "income", "0", "12.5", "12.5", "0", "12.5", false],
  ["a reward without a token", { type: "rewardsClaim", amount: "1.5" }, "income", "0", "1.5", "1.5", "0", "1.5", false],
  ["a reward in another token", { type: "rewardsClaim", amount: "1.5", token: "HYPE" }, "income", "0", "0", null, "0", null, false],
  ["an airdrop", { type: "spotGenesis", amount: "1.5", token: "PURR" }, "income", "0", "0", null, "0", null, false],
  ["a bonus", { type: "welcomeBonus", usdc: "25.0" }, "income", "25", "0", "25", "0", "25", false],
  ["a bonus told as an amount", { type: "welcomeBonus", amount: "25.0", token: "USDC" }, "income", "25", "0", "25", "0", "25", false],
  ["gas of an activation", { type: "accountActivationGas", amount: "1.0", token: "USDC" }, "cost", "0", "-1", "-1", "0", "-1", false],
  ["gas in another dollar", { type: "accountActivationGas", amount: "1.0", token: "USDH" }, "cost", "0", "-1", "-1", "0", "-1", false],
  ["a deployment auction", { type: "deployGasAuction", token: "USDC", amount: "75.0" }, "cost", "0", "-75", "-75", "0", "-75", false],
  ["one in HYPE", { type: "deployGasAuction", token: "HYPE", amount: "500.0" }, "cost", "0", "0", null, "0", null, false],
  ["a priority auction", { type: "gossipPriorityGasAuction", token: "HYPE", amount: "0.1" }, "cost", "0", "0", null, "0", null, false],
  ["dex abstraction", { type: "activateDexAbstraction", dex: "xyz", token: "USDC", amount: "1.0" }, "cost", "0", "-1", "-1", "0", "-1", false],
  ["backing a liquidator", { type: "hip3LiquidatorDeposit", dex: "xyz", token: "USDC", amount: "9.0" }, "flow", "0", "-9", "-9", "-9", null, true],
  ["backing one in tokens", { type: "hip3LiquidatorDeposit", dex: "xyz", token: "HYPE", amount: "9.0" }, "flow", "0", "0", null, null, null, true],
  ["a liquidation, told by its fills", { type: "liquidation", accountValue: "3.0", liquidatedPositions: [] }, "note", "0", "0", null, "0", null, false],
  ["an unknown type that may be money", { type: "somethingNew", usdc: "1.0" }, "unknown", "0", "0", null, null, null, false],
  ["one that tells no amount", { type: "somethingNew", name: "x", nonce: 5, usdc: "0.0" }, "unknown", "0", "0", null, "0", null, false],
  ["a deposit that tells no number", { type: "deposit", usdc: "1e999" }, "flow", null, null, null, null, null, false],
];

describe("the effect of a ledger update", () => {
  const db = useDatabase("each");

  const rows = (sql: string) => db.database.query<Record<string, unknown>>(sql);
  const origin: Origin = { account: ACCOUNT, source: "stream", seenAtMs: T };
  const put = (deltas: readonly Delta[]) =>
    db.store.apply({
      ledger: deltas.map((delta, n) => {
        const raw = { time: T + n, hash: `0x${"1".repeat(64)}`, delta };
        return ledgerRow(origin, { value: raw, raw });
      }),
    });

  it("is what each type means, from every side", async () => {
    const applied = await put(CASES.map(([, delta]) => delta));
    const found = await rows(
      `select f.effect, f.perp_usdc, f.spot_usdc, trim_scale(l.usdc) as usdc, f.flow, f.earned
       from hl_flows f join hl_ledger l using (account_address, ledger_time_ms, hash, type, digest)
       order by ledger_time_ms`,
    );
    for (const [n, [what, , ...expected]] of CASES.entries()) {
      const leaves = applied.events[n]!.data.leaves;
      const own = Object.values(found[n]!);
      // What is not told of a deposit's number is known of neither side.
      if (what === "a deposit that tells no number") own[2] = null;
      assert.deepEqual([...own, leaves], expected, what);
    }
  });

  it("moves nothing but its fee when it stays inside, and never profit", async () => {
    await put(CASES.map(([, delta]) => delta));
    assert.deepEqual(
      await rows(
        "select type from hl_ledger where effect in ('inside', 'income', 'cost', 'note') and flow_usd <> 0",
      ),
      [],
    );
  });

  it("names what it could not price or does not know", async () => {
    await put(CASES.map(([, delta]) => delta));
    assert.deepEqual(
      await rows(
        'select type, token, updates, amount from hl_unpriced_flows order by type collate "C", token',
      ),
      [
        { type: "deposit", token: "USDC", updates: 1, amount: null },
        { type: "hip3LiquidatorDeposit", token: "HYPE", updates: 1, amount: "9" },
        { type: "spotTransfer", token: "HYPE", updates: 2, amount: "6" },
      ],
    );
    assert.deepEqual(await rows("select type, updates, with_amounts from hl_unknown_ledger"), [
      { type: "somethingNew", updates: 2, with_amounts: 1 },
    ]);
  });

  it("is made anew where an older rule had made another", async () => {
    await put([{ type: "rewardsClaim", amount: "12.5", token: "" }]);
    await rows("update hl_ledger set usdc = null, effect = 'unknown', flow_usd = null");
    await rows("update hl_internal.definitions set checksum = 'of an older program'");
    const { migrate } = await import("../../src/store/migrate.ts");
    await migrate(db.database);
    assert.deepEqual(await rows("select usdc, effect, flow_usd from hl_ledger"), [
      { usdc: "12.5", effect: "income", flow_usd: "0" },
    ]);
  });

  it("that was changed by hand shows as a row that the venue did not tell", async () => {
    await put([{ type: "deposit", usdc: "100.0" }]);
    assert.notEqual((await db.store.ledger(ACCOUNT, T, T))[0]!.raw, null);
    await rows("update hl_ledger set usdc = 1000, flow_usd = 1000");
    assert.equal((await db.store.ledger(ACCOUNT, T, T))[0]!.raw, null);
  });
});
