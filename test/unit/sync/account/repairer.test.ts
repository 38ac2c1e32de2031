import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLog } from "../../../../src/runtime/log.ts";
import type { OrderReader } from "../../../../src/sync/account/orderReader.ts";
import { Repairer } from "../../../../src/sync/account/repairer.ts";
import type { CashCheck, CashSuspicion } from "../../../../src/sync/cashCheck.ts";
import type { DriftRow } from "../../../../src/sync/rows.ts";
import type { FillSuspicion, OrderSuspicion, SelfCheck, Suspicion } from "../../../../src/sync/selfCheck.ts";
import { HandClock } from "../../connection/handClock.ts";
import { NOW, USER } from "./rig.ts";

const chain: FillSuspicion = {
  ...{ kind: "chain", key: "chain:BTC", coin: "BTC", fromMs: 1, toMs: 5, missing: "1" },
};
const cash: CashSuspicion = {
  ...{
    kind: "cash",
    key: "cash:",
    coin: "",
    streams: ["ledger", "funding"],
    fromMs: 1,
    toMs: 5,
    moved: "-5",
  },
};
const order = (orderId: number): OrderSuspicion => ({
  ...{ kind: "order", key: `order:${orderId}`, coin: "BTC", orderId },
});

/** `explained`: keys of what a reading settles. `brought`: histories whose reading brings a row that was not known. */
function rig(
  explained: readonly string[],
  ripe: readonly Suspicion[] = [],
  lost: readonly number[] = [],
  brought: readonly string[] = [],
) {
  const asked: string[] = [];
  const drift: DriftRow[] = [];
  let open = [...ripe];
  const settle = ({ key }: Suspicion) => {
    const isExplained = explained.includes(key);
    if (isExplained) open = open.filter((one) => one.key !== key);
    return isExplained;
  };
  const repairer = new Repairer({
    account: USER,
    clock: new HandClock(NOW),
    log: silentLog,
    check: { settle, ripe: () => open } as unknown as SelfCheck,
    cash: {
      settle: (suspicion: CashSuspicion, _nowMs: number, found: boolean) => settle(suspicion) || found,
      ripe: () => [],
    } as unknown as CashCheck,
    orders: {
      isLost: (id: number) => lost.includes(id),
      resolve: async (ids: number[], { priority }: { priority: string }) =>
        void asked.push(`${priority} orders ${ids}`),
    } as unknown as OrderReader,
    readWindow: async (stream, { fromMs, toMs }, { priority }) => {
      asked.push(`${priority} ${stream} ${fromMs}–${toMs}`);
      return brought.includes(stream);
    },
    latestRowMs: () => 99,
    claimableToMs: () => 90,
    isHealingFills: () => false,
    commit: async (batch) => {
      drift.push(...(batch.drift ?? []));
      return { events: [], written: {}, known: {} };
    },
  });
  const told = () => drift.map(({ stream, cause, repairedAtMs }) => [stream, cause, repairedAtMs]);
  return { repairer, asked, told, signal: new AbortController().signal };
}

describe("a repair", () => {
  it("reads the window of a break as urgently as a heal, and records a loss that was healed", async () => {
    const { repairer, asked, told, signal } = rig([chain.key]);
    assert.equal(await repairer.repair(chain, signal), true);
    assert.deepEqual(asked, ["heal fills 1–5", "heal twapFills 1–5"]);
    assert.deepEqual(told(), [["fills", "chain", NOW]]);
  });

  it("of a position reads up to the youngest row there can be", async () => {
    const { repairer, asked, signal } = rig([]);
    const position = { key: "position:BTC", coin: "BTC", fromMs: 1, implied: "1", venue: "2" };
    await repairer.repair({ kind: "position", ...position }, signal);
    assert.deepEqual(asked, ["heal fills 1–99", "heal twapFills 1–99"]);
  });

  it("that explains nothing is recorded, but for money, of which the venue may make no row", async () => {
    const { repairer, asked, told, signal } = rig([]);
    assert.equal(await repairer.repair(chain, signal), false);
    assert.equal(await repairer.repair(cash, signal), false);
    assert.deepEqual(asked.slice(2), ["reconcile ledger 1–5", "reconcile funding 1–5"]);
    assert.deepEqual(told(), [["fills", "chain", null]]);
  });

  it("that brought a row counts as healed, in the history that it was missing in, though more is lost meanwhile", async () => {
    const balance: CashSuspicion = {
      ...cash,
      kind: "balance",
      key: "balance:HYPE",
      streams: ["fills", "ledger"],
    };
    const { repairer, told, signal } = rig([], [], [], ["fills"]);
    assert.equal(await repairer.repair(balance, signal), true);
    assert.deepEqual(told(), [["fills", "balance", NOW]]);
  });

  it("of orders asks for all of them together, and counts what is explained", async () => {
    const { repairer, asked, told, signal } = rig(["order:2"]);
    assert.equal(await repairer.repairOrders([order(1), order(2)], signal), 1);
    assert.deepEqual(asked, ["reconcile orders 1,2"]);
    assert.deepEqual(told(), [
      ["orders", "order", null],
      ["orders", "order", NOW],
    ]);
  });
});

describe("what is ripe", () => {
  it("leaves out orders that are about to be asked for anyway", () => {
    const { repairer } = rig([], [chain, order(1), order(2)], [2]);
    assert.deepEqual(repairer.ripe(NOW), [chain, order(1)]);
  });

  it("is repaired without a stream when two readings in a row left it open", async () => {
    const { repairer, asked, told, signal } = rig([chain.key], [chain]);
    await repairer.runLasting(signal);
    assert.deepEqual(asked, []);
    await repairer.runLasting(signal);
    assert.deepEqual(told(), [["fills", "chain", NOW]]);
    assert.deepEqual(repairer.ripe(NOW), []);
  });
});
