/** What a ledger row does to the money of the account: case 07 and its neighbours. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Wire } from "../support/scriptedVenue.ts";
import { type CaseRig, caseFile, eachWithRig, hashOf, MINUTE_MS, USER } from "./casesRig.ts";

const OTHER = `0x${"a1".repeat(20)}`;

describe("money", () => {
  let rig: CaseRig;

  eachWithRig((made) => {
    rig = made;
  });

  // ---- ledger rows ----

  /** What the account's own dollars do: [perp side, spot side], and whether money crossed its border. */
  type Effect = [perp: number | null, spot: number | null, flow: number | null];
  interface LedgerCase {
    account: string;
    deltas: { delta: Wire; right: Effect }[];
  }

  const { rows: reported } = caseFile<{ rows: { delta: Wire; followed?: string }[] }>("07-ledger-effects");
  const deltaOf = (type: string): Wire => reported.find(({ delta }) => delta.type === type)!.delta;

  const LEDGER: LedgerCase[] = [
    {
      account: USER,
      deltas: [
        // Of the case.
        { delta: deltaOf("rewardsClaim"), right: [0, 12.5, 0] },
        { delta: deltaOf("perpDexClassTransfer"), right: [100, -100, 0] },
        { delta: deltaOf("accountActivationGas"), right: [0, -1, 0] },
        { delta: deltaOf("deployGasAuction"), right: [0, -75, 0] },
        // The leader who creates the same vault pays deposit and fee.
        { delta: deltaOf("vaultCreate"), right: [-200, 0, 0] },
        // Neighbours.
        { delta: { ...deltaOf("perpDexClassTransfer"), toPerp: false }, right: [-100, 100, 0] },
        { delta: { ...deltaOf("perpDexClassTransfer"), dex: "" }, right: [100, -100, 0] },
        { delta: { type: "rewardsClaim", amount: "3.0", token: "USDC" }, right: [0, 3, 0] },
        { delta: { type: "deployGasAuction", token: "HYPE", amount: "500.0" }, right: [0, 0, 0] },
        { delta: { type: "gossipPriorityGasAuction", token: "HYPE", amount: "0.1" }, right: [0, 0, 0] },
        { delta: { type: "welcomeBonus", usdc: "5.0" }, right: [5, 0, 0] },
        { delta: { type: "deposit", usdc: "10.0" }, right: [10, 0, 10] },
        { delta: { type: "withdraw", usdc: "10.0", nonce: 1, fee: "1.0" }, right: [-11, 0, -11] },
        {
          delta: { type: "withdraw", usdc: "0.000001", nonce: 1, fee: "0.0" },
          right: [-0.000001, 0, -0.000001],
        },
        { delta: { type: "somethingNew", usdc: "7.0" }, right: [0, 0, null] },
        { delta: { type: "somethingNew", note: "hello" }, right: [0, 0, 0] },
        { delta: { type: "deposit", usdc: "NaN" }, right: [null, 0, null] },
        { delta: { type: "deposit" }, right: [null, 0, null] },
      ],
    },
    {
      account: reported.find(({ followed }) => followed)!.followed!,
      deltas: [
        { delta: deltaOf("vaultCreate"), right: [100, 0, 100] },
        { delta: { type: "vaultDeposit", vault: OTHER, user: USER, usdc: "30.0" }, right: [30, 0, 30] },
      ],
    },
  ];

  for (const { account, deltas } of LEDGER) {
    it(`of each ledger row is what the venue means by it (case 07, ${account === USER ? "a user" : "a vault"})`, async () => {
      rig.account = account;
      const startMs = Date.now() - 5 * MINUTE_MS;
      rig.venue.begin({
        ledger: deltas.map(({ delta }, i) => ({ time: startMs + i, hash: hashOf(i + 1), delta })),
      });
      await rig.once();
      const found = await rig.rows(
        `select type, perp_usdc::float8 as perp, spot_usdc::float8 as spot, flow::float8 as flow
         from hl_flows order by ledger_time_ms`,
      );
      assert.deepEqual(
        found,
        deltas.map(({ delta, right: [perp, spot, flow] }) => ({ type: delta.type, perp, spot, flow })),
      );
      await rig.verify(0);
    });
  }

  it("of a type that nobody knows is named, not passed over in silence", async () => {
    const time = Date.now() - MINUTE_MS;
    rig.venue.begin({
      ledger: [
        { time, hash: hashOf(1), delta: { type: "zeta", usdc: "7.0" } },
        { time, hash: hashOf(1), delta: { type: "zeta", usdc: "8.0" } },
        { time, hash: hashOf(2), delta: { type: "eta" } },
      ],
    });
    await rig.once();
    assert.deepEqual(
      await rig.rows("select type, updates::int, with_amounts::int from hl_unknown_ledger order by type"),
      [
        { type: "eta", updates: 1, with_amounts: 0 },
        { type: "zeta", updates: 2, with_amounts: 2 },
      ],
    );
  });
});
