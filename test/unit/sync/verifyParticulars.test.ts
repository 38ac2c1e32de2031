/** What the venue tells beside the money, against what is stored of it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtocolError, TransportError } from "../../../src/errors.ts";
import { doubtsOf } from "../../../src/sync/verify/certificate.ts";
import { balance, NOW, type Rig, sound, type Wire } from "./verifyRig.ts";

const HOUR = 3_600_000;
const VAULT = `0x${"1".repeat(40)}`;
const OTHER = `0x${"2".repeat(40)}`;
const WALLET = `0x${"3".repeat(40)}`;

const twap = (twapId: number, over: Wire = {}, status = "finished", time = NOW - HOUR) => ({
  time: time / 1000,
  state: {
    ...{ coin: "BTC", side: "B", sz: "2.0", executedSz: "2.0", executedNtl: "200.0", minutes: 30 },
    ...{ randomize: false, reduceOnly: false, stopPx: null, trigger: null, timestamp: NOW - 2 * HOUR },
    ...over,
  },
  status: { status },
  twapId,
});
const reward = (time: number, totalAmount: string) => ({ time, source: "delegation", totalAmount });
const interest = (time: number, borrow: string) => ({ time, token: "USDC", borrow, supply: "0.0" });
const curve = (value: string, pnl: string) => ({
  accountValueHistory: [[NOW - HOUR, value]],
  pnlHistory: [[NOW - HOUR, pnl]],
  vlm: "500.0",
});
const vault = (vaultAddress: string, equity: string, lockedUntilTimestamp = NOW) => ({
  ...{ vaultAddress, equity, lockedUntilTimestamp },
});

/** An account of which the venue tells everything. */
async function told(): Promise<Rig> {
  const rig = await sound();
  rig.venue.told = {
    portfolio: [["allTime", curve("100.0", "5.0")]],
    twapHistory: [twap(1), twap(1, { executedSz: "0.0" }, "activated", NOW - 2 * HOUR), twap(2)],
    delegations: [{ validator: VAULT, amount: "100.0", lockedUntilTimestamp: NOW }],
    delegatorSummary: { delegated: "100.0", undelegated: "5.0", totalPendingWithdrawal: "0.0" },
    delegatorRewards: [reward(NOW - HOUR, "0.5"), reward(NOW - 2 * HOUR, "0.25")],
    extraAgents: [{ name: "bot", address: WALLET, validUntil: NOW + HOUR }],
    userBorrowLendInterest: [interest(NOW - 2 * HOUR, "0.1"), interest(NOW - HOUR, "0.2")],
    userVaultEquities: [vault(VAULT, "1000.0")],
  };
  return rig.sync();
}
const stored = (rig: Rig, name: keyof Rig["store"]["versions"], index = 0) =>
  rig.store.versions[name]![index] as Record<string, unknown>;
const fact = (rig: Rig, name: string) =>
  rig.store.versions.facts!.find((row) => (row as { fact: string }).fact === name) as {
    value: unknown;
    asOfMs: number;
  };

describe("verify, of what is told beside the money", () => {
  it("finds nothing where both sides say the same", async () => {
    const rig = await told();
    const { findings, compared } = await rig.verify();
    assert.deepEqual(findings, []);
    assert.deepEqual([compared.hl_twaps, compared.hl_staking_rewards, compared.hl_portfolio], [2, 2, 1]);
  });

  it("names each row that differs, is missing, or is no more, by the name that people read it by", async () => {
    const cases: [string, (rig: Rig) => void][] = [
      [
        "changed hl_vault_equities",
        (rig) => Object.assign(fact(rig, "vaults"), { value: [vault(VAULT, "100")] }),
      ],
      [
        "changed hl_vault_equities",
        (rig) => Object.assign(fact(rig, "vaults"), { value: [vault(VAULT, "1000.0", NOW + 1)] }),
      ],
      ["missing hl_vault_equities", (rig) => Object.assign(fact(rig, "vaults"), { value: [] })],
      ["missing hl_vault_equities", (rig) => void rig.store.versions.facts!.splice(0)],
      ["extra hl_vault_equities", (rig) => Object.assign(rig.venue.told, { userVaultEquities: null })],
      [
        "changed hl_delegations",
        (rig) => Object.assign((fact(rig, "delegations").value as object[])[0]!, { amount: "99.0" }),
      ],
      ["extra hl_delegations", (rig) => Object.assign(rig.venue.told, { delegations: [] })],
      [
        "changed hl_account_facts",
        (rig) => Object.assign(fact(rig, "stake"), { value: { delegated: "100.0", undelegated: "6.0" } }),
      ],
      ["extra hl_api_wallets", (rig) => Object.assign(rig.venue.told, { extraAgents: [] })],
      [
        "changed hl_api_wallets",
        (rig) => Object.assign((fact(rig, "agents").value as object[])[0]!, { validUntil: NOW + 9 * HOUR }),
      ],
      [
        "changed hl_account_limits",
        (rig) =>
          Object.assign(fact(rig, "fees"), { value: { userCrossRate: "0.0004", userAddRate: "0.00015" } }),
      ],
      // A count is behind, never ahead.
      [
        "changed hl_account_limits",
        (rig) => Object.assign(fact(rig, "requests").value as object, { nRequestsUsed: 11 }),
      ],
      ["changed hl_twaps", (rig) => Object.assign(stored(rig, "twaps"), { executedSize: "1.0" })],
      ["changed hl_twaps", (rig) => Object.assign(stored(rig, "twaps", 2), { status: "terminated" })],
      ["missing hl_twaps", (rig) => void rig.store.versions.twaps!.pop()],
      ["changed hl_staking_rewards", (rig) => Object.assign(stored(rig, "stakingRewards"), { amount: "5" })],
      ["missing hl_staking_rewards", (rig) => void rig.store.versions.stakingRewards!.pop()],
      [
        "changed hl_lending_interest",
        (rig) => Object.assign(stored(rig, "lendingInterest"), { charged: "0" }),
      ],
      ["missing hl_lending_interest", (rig) => void rig.store.versions.lendingInterest!.shift()],
      ["changed hl_portfolio", (rig) => Object.assign(stored(rig, "portfolio"), { accountValue: "101" })],
      ["changed hl_portfolio", (rig) => Object.assign(stored(rig, "portfolio"), { pnl: "5.02" })],
    ];
    for (const [expected, spoil] of cases) {
      const rig = await told();
      spoil(rig);
      const { findings } = await rig.verify();
      const found = findings.map(({ kind, table }) => `${kind} ${table}`);
      assert.ok(found.includes(expected), `${expected}: ${spoil} ${JSON.stringify(findings)}`);
      assert.ok(found.length <= 3, JSON.stringify(findings));
    }
  });

  it("takes for the same what moves by itself: a vault's profit, a reward, requests, a rounding", async () => {
    const rig = await told();
    rig.venue.told = {
      ...rig.venue.told,
      userVaultEquities: [vault(VAULT, "1100.0")],
      delegations: [{ validator: VAULT, amount: "100.5", lockedUntilTimestamp: NOW }],
      delegatorSummary: { delegated: "100.5", undelegated: "5.0", totalPendingWithdrawal: "0.0" },
      delegatorRewards: [reward(NOW + 1, "0.5"), reward(NOW - HOUR, "0.5"), reward(NOW - 2 * HOUR, "0.25")],
      userRateLimit: { cumVlm: "2.0", nRequestsUsed: 30, nRequestsCap: 10_001 },
      portfolio: [["allTime", curve("100", "5.001")]],
    };
    assert.deepEqual(await rig.findings(), []);
    rig.venue.told.delegatorRewards = [reward(NOW - HOUR, "0.5"), reward(NOW - 2 * HOUR, "0.25")];
    assert.deepEqual(await rig.findings(), [
      "changed hl_account_facts stake",
      `changed hl_delegations ${VAULT}`,
    ]);
  });

  it("leaves alone what is younger than the last reading, and a state of ours that came later", async () => {
    const rig = await told();
    rig.venue.told.twapHistory = [twap(1), twap(2), twap(3, {}, "activated", NOW + 60_000)];
    rig.venue.told.delegatorRewards = [reward(NOW + 60_000, "0.5"), reward(NOW - HOUR, "0.5")];
    Object.assign(stored(rig, "twaps", 2), { status: "terminated", asOfMs: NOW + 1_000 });
    assert.deepEqual(await rig.findings(), []);
  });

  it("names what cannot be read, and excuses a refusal only where nothing is stored of it", async () => {
    const rig = await told();
    rig.venue.told.userVaultEquities = [vault(VAULT, "1000.0"), vault(OTHER, "odd")];
    assert.deepEqual(
      (await rig.verify()).findings.map(({ kind, table }) => `${kind} ${table}`),
      ["unread hl_vault_equities"],
    );
    rig.venue.told.userVaultEquities = new ProtocolError("refused", "no", { isRefusal: true });
    assert.deepEqual(await rig.kinds(), ["unread"]);
    const bare = await sound();
    bare.store.versions = {};
    for (const type of ["userVaultEquities", "twapHistory", "portfolio", "userFees"])
      bare.venue.told[type] = new ProtocolError("refused", "no", { isRefusal: true });
    assert.deepEqual(await bare.findings(), []);
    bare.venue.told.portfolio = new TransportError("away");
    await assert.rejects(bare.verify(), /away/);
  });

  it("does not call missing what the first reading has not come to", async () => {
    const rig = await told();
    rig.store.versions = {};
    rig.store.readSinceMs = null;
    assert.deepEqual(
      (await rig.findings()).filter((row) => row.startsWith("missing")),
      [],
    );
  });

  it("doubts what would not give way to the venue's words by itself", async () => {
    const rig = await told();
    Object.assign(stored(rig, "twaps"), { executedSize: "1.0" });
    rig.store.versions.lendingInterest!.shift();
    rig.venue.told.delegations = [];
    const doubts = doubtsOf(await rig.verify());
    assert.deepEqual(
      doubts.map(({ stream, table, row, fromMs }) => [stream, table, row, fromMs]),
      [
        [null, "hl_twaps", "1", NOW - HOUR],
        [null, "hl_lending_interest", `${NOW - 2 * HOUR}|USDC`, NOW - 2 * HOUR],
        [null, "hl_account_facts", "delegations", NOW - 1],
      ],
    );
  });

  it("holds what is lent against the venue too", async () => {
    const rig = await sound();
    const lent = (supplied: string) => ({ balances: [{ ...balance("USDC", "100.0"), supplied }] });
    rig.venue.spot = lent("40.0");
    await rig.sync();
    assert.deepEqual(await rig.findings(), []);
    rig.venue.spot = lent("50.0");
    const { findings } = await rig.verify();
    assert.match(
      findings[0]!.detail,
      /venue 100 \(hold 0, supplied 50\), database 100 \(hold 0, supplied 40\)/,
    );
  });
});
