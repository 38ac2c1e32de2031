import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLog } from "../../../../src/runtime/log.ts";
import { CoverageBook } from "../../../../src/sync/account/coverageBook.ts";
import { FutureClaims } from "../../../../src/sync/account/futureClaims.ts";
import { TIME_LIMITS, VenueTime } from "../../../../src/sync/account/venueTime.ts";
import type { Doubt, Store } from "../../../../src/sync/ports.ts";
import type { Batch, CoverageRow } from "../../../../src/sync/rows.ts";
import { balanceOf, positionOf } from "../../../contract/rows.ts";
import { emptyStore } from "../../../support/emptyStore.ts";
import { HandClock } from "../../connection/handClock.ts";
import { NOW, USER } from "./rig.ts";

const LATE = NOW + TIME_LIMITS.claimAheadMaxMs + 3_600_000;

const proven = (toMs: number): CoverageRow => ({
  ...{ account: USER, stream: "fills", grade: "proven", fromMs: 0, toMs, reason: null },
});

function claims(over: Partial<Store>) {
  const clock = new HandClock(NOW);
  const time = new VenueTime();
  time.note(NOW, NOW);
  const doubts: Doubt[] = [];
  const committed: Batch[] = [];
  let looks = 0;
  const positions = over.positions ?? (async () => []);
  const store: Store = {
    ...emptyStore(),
    ...over,
    doubt: async (_account, given) => void doubts.push(...given),
    positions: (account) => {
      looks += 1;
      return positions(account);
    },
  };
  const book = new CoverageBook();
  const commit = async (batch: Batch) => {
    committed.push(batch);
    return { events: [], written: {}, known: {} };
  };
  const future = new FutureClaims({ account: USER, store, clock, log: silentLog, book, time, commit });
  return { future, book, doubts, committed, looks: () => looks };
}

describe("claims on the future", () => {
  it("are not believed at the start, and are withdrawn and recorded by the next reading", async () => {
    const { future, book, doubts, committed } = claims({ coverage: async () => [proven(LATE)] });
    future.open(0, [proven(LATE)]);
    assert.equal(future.isClaimed, true);
    await future.recall();
    assert.equal(future.isClaimed, false);
    assert.deepEqual(
      doubts.map(({ stream, toMs, table }) => [stream, toMs, table]),
      [["fills", LATE, null]],
    );
    const [drift] = committed.flatMap((batch) => batch.drift ?? []);
    assert.deepEqual([drift?.cause, drift?.repairedAtMs], ["future", NOW]);
    assert.ok((book.provenToMs("fills") ?? 0) < LATE);
  });

  it("are none where everything is past: nothing is withdrawn, and states are looked at once", async () => {
    const { future, doubts, committed, looks } = claims({ coverage: async () => [proven(NOW)] });
    future.open(0, [proven(NOW)]);
    assert.equal(future.isClaimed, false);
    await future.recall();
    await future.recall();
    assert.deepEqual([doubts, committed, looks()], [[], [], 1]);
  });

  it("are also made by states: no other would ever replace them", async () => {
    const { future, doubts } = claims({
      positions: async () => [
        positionOf({ dex: "xyz", coin: "xyz:AAPL", asOfMs: LATE }),
        positionOf({ asOfMs: NOW }),
      ],
      balances: async () => [balanceOf({ asOfMs: LATE })],
    });
    await future.recall();
    assert.deepEqual(
      doubts.map(({ stream, table, row }) => [stream, table, row]),
      [
        [null, "hl_positions", "xyz|xyz:AAPL"],
        [null, "hl_balances", "USDC"],
      ],
    );
  });
});
