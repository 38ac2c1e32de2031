/** What waits for a time, after the clock was set back by an hour: nothing waits longer than it ever would. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtocolError } from "../../../src/errors.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { FailedParts } from "../../../src/sync/account/failedParts.ts";
import { Belongings } from "../../../src/sync/belongings.ts";
import { CASH_GRACE_MS, CashCheck } from "../../../src/sync/cashCheck.ts";
import { Dexes } from "../../../src/sync/dexes.ts";
import type { VenueInfo } from "../../../src/sync/ports.ts";
import { Prices } from "../../../src/sync/prices.ts";
import { SelfCheck } from "../../../src/sync/selfCheck.ts";
import { SnapshotPace } from "../../../src/sync/snapshotPace.ts";
import { Volatilities } from "../../../src/sync/volatility.ts";
import { emptyStore } from "../../support/emptyStore.ts";
import { HandClock } from "../connection/handClock.ts";
import { fill, transition } from "./rows.ts";

const HOUR_MS = 3_600_000;
const NOW = 1_790_000_000_000;
const BACK = NOW - HOUR_MS;
const GRACE_MS = 2_500;
const ASK = { priority: "niceToHave" } as const;

/** A venue with one answer for each question, or none. */
function venue(answers: Record<string, unknown>) {
  const clock = new HandClock(NOW);
  const asked: string[] = [];
  const info = {
    async request({ type, read }: { type: string; read(body: unknown): unknown }) {
      asked.push(type);
      const body = answers[type];
      if (body === undefined) throw new ProtocolError("422", null);
      return { result: read(body), sentAtMs: clock.now(), receivedAtMs: clock.now(), weight: 2 };
    },
  } as unknown as VenueInfo;
  return { clock, asked, info };
}

describe("after the clock was set back by an hour", () => {
  it("a suspicion has its grace anew, and not an hour of it", () => {
    const check = new SelfCheck(GRACE_MS);
    check.noteOrderEvents([transition(1, "open")], NOW);
    check.noteOrderEvents([transition(10, "filled"), transition(30, "filled")], NOW);
    check.noteFills([fill({ timeMs: 10 }), fill({ timeMs: 30, startPosition: "3" })], NOW);
    check.noteOpenOrders("", new Set(), BACK);
    assert.deepEqual(check.ripe(BACK), []);
    assert.deepEqual(
      check.ripe(BACK + GRACE_MS).map(({ key }) => key),
      ["chain:BTC"],
    );
    check.noteOpenOrders("", new Set(), BACK + GRACE_MS);
    assert.ok(check.isSuspected(1));
  });

  it("so has one about cash, and one that was let go is raised again within an hour", () => {
    const cash = new CashCheck(CASH_GRACE_MS);
    const raise = (total: string, nowMs: number) =>
      cash.noteBalances([{ coin: "HYPE", total }], false, nowMs, nowMs);
    raise("10", NOW - 1_000);
    raise("25", NOW);
    assert.deepEqual(cash.ripe(BACK), []);
    assert.deepEqual(
      cash.ripe(BACK + CASH_GRACE_MS).map(({ key }) => key),
      ["balance:HYPE"],
    );
  });

  it("a part that failed is asked for again", () => {
    const failed = new FailedParts();
    failed.note("funding", new Error("away"), NOW);
    assert.deepEqual(failed.due(NOW + 1), []);
    assert.deepEqual(failed.due(BACK), ["funding"]);
  });

  it("a snapshot is written at its pace", () => {
    const pace = new SnapshotPace({
      dashboardMs: 60_000,
      dashboardAfterFillMs: 5_000,
      dashboardRiskMs: 3_000,
    });
    pace.noteWritten(NOW, {} as never);
    assert.deepEqual([pace.isDue(NOW, false), pace.mayBeEarly(NOW)], [false, false]);
    assert.deepEqual([pace.isDue(BACK, false), pace.mayBeEarly(BACK)], [true, true]);
  });

  it("the list of dexes is read again", async () => {
    const { clock, asked, info } = venue({ perpDexs: [null] });
    const dexes = new Dexes({ info, clock, log: silentLog });
    await dexes.renew(ASK);
    await dexes.noteNamed("xyz", ASK);
    await dexes.renew(ASK);
    await dexes.noteNamed("xyz", ASK);
    assert.equal(asked.length, 2);
    clock.step(-HOUR_MS);
    await dexes.renew(ASK);
    clock.step(-HOUR_MS);
    await dexes.noteNamed("xyz", ASK);
    assert.equal(asked.length, 4);
  });

  it("a price is not believed for an hour longer, and is asked for", async () => {
    const { clock, asked, info } = venue({ allMids: { "#10": "0.5" } });
    const prices = new Prices({ info, clock });
    const learn = (coin: string) => prices.learn([{ coin }], ASK, async () => {});
    await learn("+10");
    assert.equal(prices.of({ coin: "+10" }), "0.5");
    clock.step(-HOUR_MS);
    assert.equal(prices.of({ coin: "+10" }), null);
    await learn("+10");
    assert.equal(prices.of({ coin: "+10" }), "0.5");
    await assert.rejects(learn("HYPE"), /422/);
    clock.step(-HOUR_MS);
    await assert.rejects(learn("HYPE"), /422/);
    assert.equal(asked.filter((type) => type === "spotMeta").length, 2);
  });

  it("what was refused or kept of volatility, vaults and stake is asked for again", async () => {
    const { clock, asked, info } = venue({ userVaultEquities: [] });
    const volatilities = new Volatilities({ info, clock });
    const commit = async () => {};
    const own = new Belongings({ account: "0x1", info, clock, store: emptyStore(), commit });
    const learn = async () => {
      await volatilities.learn("BTC", ASK).catch(() => {});
      await own.refresh(clock.now(), ASK).catch(() => {});
    };
    await learn();
    await learn();
    assert.deepEqual(asked, ["candleSnapshot", "userVaultEquities", "delegatorSummary"]);
    clock.step(-7 * HOUR_MS);
    await learn();
    assert.equal(asked.length, 6);
  });
});
