import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtocolError } from "../../../src/errors.ts";
import { VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import { Belongings, vaultEquityOf } from "../../../src/sync/belongings.ts";
import type { StoredLedger, VenueInfo } from "../../../src/sync/ports.ts";
import type { Batch, DashboardRow, LedgerRow } from "../../../src/sync/rows.ts";
import type { RowOf, TableName } from "../../../src/sync/tables.ts";
import { emptyStore } from "../../support/emptyStore.ts";

const START = 1_790_000_000_000;
const ACCOUNT = `0x${"a".repeat(40)}`;
const ASK = { priority: "niceToHave" } as const;
const STAKE = {
  delegated: "100.0",
  undelegated: "5.5",
  totalPendingWithdrawal: "0.0",
  nPendingWithdrawals: 0,
};
const NONE = { delegated: "0.0", undelegated: "0.0", totalPendingWithdrawal: "0.0" };
const equity = (value: string) => ({ vaultAddress: "0x1", equity: value, lockedUntilTimestamp: 1 });

function rig(
  answers: Record<string, () => unknown> = {},
  newest: Partial<DashboardRow> | null = null,
  stored: LedgerRow[] = [],
  facts = ["vaults", "stake", "delegations"],
) {
  const asked: string[] = [];
  const kept: Batch[] = [];
  const clock = new VirtualClock(START);
  const info = {
    async request(request: { type: string; read(body: unknown): unknown }) {
      asked.push(request.type);
      const usual = () => (request.type === "delegatorSummary" ? NONE : []);
      const body = (answers[request.type] ?? usual)();
      if (body instanceof Error) throw body;
      return { result: request.read(body), sentAtMs: clock.now(), receivedAtMs: clock.now(), weight: 20 };
    },
    clockOffset: () => null,
    reserve: () => () => {},
  } as unknown as VenueInfo;
  const store = {
    ...emptyStore(),
    versions: async <T extends TableName>() =>
      facts.map((fact) => ({ fact, asOfMs: START - 1_810_000 })) as unknown as RowOf<T>[],
    latestDashboard: async () => newest as DashboardRow | null,
    ledger: async (_account: string, fromMs: number) =>
      stored
        .filter(({ timeMs }) => timeMs >= fromMs)
        .map((row): StoredLedger => ({ ...row, blockNumber: null })),
  };
  const commit = async (batch: Batch) => kept.push(batch);
  const own = new Belongings({ account: ACCOUNT, info, store, clock, commit });
  const refresh = () => own.refresh(clock.now(), ASK);
  const amounts = () => [own.vaults(clock.now())?.amount ?? null, own.stake(clock.now())?.amount ?? null];
  return { own, refresh, amounts, asked, kept, clock };
}
const moved = (type: string, timeMs: number) => ({ type, timeMs }) as LedgerRow;

describe("vault equity and stake", () => {
  it("are the sum of all vaults, and all HYPE of the staking account, what is on its way out too", async () => {
    const pending = { ...STAKE, totalPendingWithdrawal: "1.25" };
    const { refresh, amounts } = rig({
      userVaultEquities: () => [equity("688536.0314879999"), equity("100.003834")],
      delegatorSummary: () => pending,
    });
    assert.deepEqual(amounts(), [null, null]);
    await refresh();
    assert.deepEqual(amounts(), ["688636.0353219999", "106.75"]);
  });

  it("are asked for seldom: hourly where there is nothing, every ten minutes else, sooner while something leaves", async () => {
    let stake: object = NONE;
    const { refresh, asked, clock } = rig({ delegatorSummary: () => stake });
    const after = async (ms: number) => {
      asked.length = 0;
      await clock.advanceBy(ms);
      await refresh();
      return [...asked];
    };
    assert.deepEqual(await after(0), ["userVaultEquities", "delegatorSummary"]);
    assert.deepEqual(await after(3_000_000), []);
    stake = STAKE;
    assert.deepEqual(await after(700_000), ["userVaultEquities", "delegatorSummary", "delegations"]);
    assert.deepEqual(await after(500_000), []);
    stake = { ...STAKE, totalPendingWithdrawal: "1.0" };
    assert.deepEqual(await after(200_000), ["delegatorSummary", "delegations"]);
    assert.deepEqual(await after(61_000), ["delegatorSummary", "delegations"]);
  });

  it("are not known from a move on until they were read after it", async () => {
    const { own, refresh, amounts, asked, clock } = rig({ userVaultEquities: () => [equity("10")] });
    await refresh();
    own.noteLedger([moved("deposit", clock.now() + 1), moved("vaultDeposit", clock.now())]);
    assert.deepEqual(amounts(), [null, "0"]);
    await clock.advanceBy(60_000);
    asked.length = 0;
    await refresh();
    assert.deepEqual([amounts(), asked], [["10", "0"], ["userVaultEquities"]]);
    own.noteLedger([moved("cStakingTransfer", clock.now())]);
    assert.deepEqual(amounts(), ["10", null]);
    // Pushed before the move, and after it.
    own.noteLedger([moved("vaultWithdraw", clock.now() + 5)]);
    own.noteVaults("7", clock.now() + 5);
    assert.equal(amounts()[0], null);
    own.noteVaults("8", clock.now() + 6);
    assert.equal(amounts()[0], "8");
  });

  it("tell to whom HYPE is delegated, without a question where none is", async () => {
    let stake: object = STAKE;
    const validator = `0x${"b".repeat(40)}`;
    const list = [{ validator, amount: "100.0", lockedUntilTimestamp: START }];
    const { refresh, asked, clock, kept } = rig({ delegatorSummary: () => stake, delegations: () => list });
    const told = () => kept.flatMap(({ facts = [] }) => facts).filter(({ fact }) => fact === "delegations");
    await refresh();
    assert.deepEqual(told().at(-1)!.value, list);
    stake = NONE;
    await clock.advanceBy(700_000);
    asked.length = 0;
    await refresh();
    assert.deepEqual([told().at(-1)!.value, asked.includes("delegations")], [[], false]);
  });

  it("are listed anew after a move although their sum is pushed", async () => {
    const vaults = [equity("10")];
    const { own, refresh, asked, clock, kept } = rig({ userVaultEquities: () => vaults });
    own.noteVaults("10", clock.now());
    await refresh();
    own.noteVaults("10", clock.now());
    await refresh();
    assert.deepEqual(asked, ["userVaultEquities", "delegatorSummary"]);
    own.noteLedger([moved("vaultDeposit", clock.now())]);
    vaults.push({ ...equity("5"), vaultAddress: "0x2" });
    await clock.advanceBy(15_000);
    own.noteVaults("15", clock.now());
    asked.length = 0;
    await refresh();
    await refresh();
    assert.deepEqual(asked, ["userVaultEquities"]);
    const told = kept.flatMap(({ facts = [] }) => facts).filter(({ fact }) => fact === "vaults");
    assert.equal((told.at(-1)!.value as unknown[]).length, 2);
    // Later the sum goes on, and the list is renewed as without it.
    await clock.advanceBy(610_000);
    own.noteVaults("16", clock.now());
    await refresh();
    assert.equal(asked.filter((type) => type === "userVaultEquities").length, 2);
  });

  it("are believed for two hours, and not while a part of the answer is unread", async () => {
    const { refresh, amounts, clock, kept } = rig({ userVaultEquities: () => [equity("10"), equity("odd")] });
    await assert.rejects(refresh(), /could not be read/);
    assert.deepEqual(amounts(), [null, "0"]);
    assert.equal(kept.flatMap(({ quarantine = [] }) => quarantine).length, 1);
    await clock.advanceBy(7_200_000);
    assert.deepEqual(amounts(), [null, "0"]);
    await clock.advanceBy(20_000);
    assert.deepEqual(amounts(), [null, null]);
  });

  it("begin with what the last snapshot knew, whichever process wrote it", async () => {
    const at = (ageMs: number): [number, number] => [START - ageMs - 20_000, START - ageMs];
    const newest = {
      netWorthParts: {
        tokens: [],
        vaults: "0",
        stake: { coin: "HYPE", amount: "105.5", price: "40", value: "4220" },
        read: { vaults: at(1_800_000), stake: at(1_800_000) },
      },
    };
    const { refresh, amounts, asked } = rig({ delegatorSummary: () => STAKE }, newest);
    await refresh();
    // Nothing is kept for an hour, something for ten minutes.
    assert.deepEqual(
      [asked, amounts()],
      [
        ["delegatorSummary", "delegations"],
        ["0", "105.5"],
      ],
    );
    // Nor is what moved since, which another process has stored.
    const later = rig({}, newest, [moved("vaultDeposit", START - 60_000), moved("deposit", START - 50_000)]);
    await later.refresh();
    assert.deepEqual(later.asked, ["userVaultEquities", "delegatorSummary"]);
    const sooner = rig({ delegatorSummary: () => STAKE }, newest, [moved("vaultDeposit", START - 1_900_000)]);
    await sooner.refresh();
    assert.deepEqual(sooner.asked, ["delegatorSummary", "delegations"]);
    // Nor what `verify` took back.
    const doubted = rig({}, newest, [], ["stake"]);
    await doubted.refresh();
    assert.deepEqual(doubted.asked, ["userVaultEquities", "delegatorSummary"]);
    // Nor a list that is older than a move which the pushed sum already knows.
    const pushed = {
      netWorthParts: { ...newest.netWorthParts, read: { vaults: at(0), stake: at(1_800_000) } },
    };
    const behind = rig({}, pushed, [moved("vaultDeposit", START - 60_000)]);
    await behind.refresh();
    assert.deepEqual(behind.asked, ["userVaultEquities", "delegatorSummary"]);
  });

  it("are asked for again when the database does not hold the list any more", async () => {
    const facts = ["vaults", "stake", "delegations"];
    const { own, refresh, asked, clock } = rig({}, null, [], facts);
    await refresh();
    facts.shift();
    await clock.advanceBy(60_000);
    await refresh();
    assert.deepEqual(asked, ["userVaultEquities", "delegatorSummary"]);
    await own.recall();
    await refresh();
    assert.deepEqual(asked.slice(2), ["userVaultEquities"]);
  });

  it("are asked for seldom where the venue refuses, soon where it was away", async () => {
    let error: Error = new ProtocolError("422", null);
    const { refresh, asked, clock } = rig({ delegatorSummary: () => error });
    await assert.rejects(refresh(), /422/);
    await clock.advanceBy(300_000);
    await refresh();
    assert.equal(asked.filter((type) => type === "delegatorSummary").length, 1);
    error = new Error("away");
    await clock.advanceBy(301_000);
    await assert.rejects(refresh(), /away/);
    await clock.advanceBy(21_000);
    await assert.rejects(refresh(), /away/);
  });

  it("are pushed by dex, and taken only when every dex tells", () => {
    const told = (...equities: unknown[]) =>
      vaultEquityOf(equities.map((totalVaultEquity) => ({ totalVaultEquity })));
    assert.equal(told("0.0"), "0");
    assert.equal(told("10.5", "0.0", "2.25"), "12.75");
    assert.equal(told("10.5", null), null);
    assert.equal(told("NaN"), null);
    assert.equal(vaultEquityOf([null]), null);
    assert.equal(vaultEquityOf([]), null);
    assert.equal(vaultEquityOf("0.0"), null);
  });
});
