import assert from "node:assert/strict";
import { it } from "node:test";
import { ProtocolError, TransportError } from "../../../../src/errors.ts";
import { silentLog } from "../../../../src/runtime/log.ts";
import { createVenue } from "../../../../src/simulator/exchange/venue.ts";
import { Particulars } from "../../../../src/sync/account/particulars.ts";
import type { Batch } from "../../../../src/sync/rows.ts";
import { HandClock } from "../../connection/handClock.ts";
import { type Answers, NOW, USER, venue } from "./rig.ts";

const AGENT = `0x${"b".repeat(40)}`;
const HOUR = 3_600_000;
/** By the venue's clock it is a second later. */
const AHEAD = 1_000;

const NOTHING: Answers = {
  portfolio: [],
  twapHistory: [],
  delegatorRewards: [],
  userFees: { userCrossRate: "0.00045", userAddRate: "0.00015", dailyUserVlm: [{}], feeSchedule: {} },
  userRateLimit: { cumVlm: "1.0", nRequestsUsed: 10, nRequestsCap: 10_001 },
  extraAgents: [],
  userBorrowLendInterest: [],
};

function follow(answers: Answers = {}, latestMs: number | null = null) {
  const clock = new HandClock(NOW);
  const given = { ...NOTHING, ...answers };
  const at = venue(clock, given);
  const committed: Batch[] = [];
  const particulars = new Particulars({
    account: USER,
    info: at.info,
    store: { latestMs: async () => latestMs },
    clock,
    log: silentLog,
    commit: async (batch) => void committed.push(batch),
    venueTime: (atMs) => atMs + AHEAD,
  });
  const read = () => particulars.read({ priority: "niceToHave" });
  const facts = () =>
    new Map(committed.flatMap(({ facts: rows = [] }) => rows).map((row) => [row.fact, row]));
  return { ...at, clock, given, particulars, read, committed, facts };
}

const curve = (values: [number, string, string][]) => ({
  accountValueHistory: values.map(([t, value]) => [t, value]),
  pnlHistory: values.map(([t, , pnl]) => [t, pnl]),
  vlm: "5.5",
});

it("makes one series of the venue's curves: the profit of a day counts from the beginning of the account", async () => {
  const DAY = 24 * HOUR;
  const { read, committed, facts } = follow({
    portfolio: [
      [
        "day",
        curve([
          [NOW - HOUR, "1090.0", "0.0"],
          [NOW, "1100.5", "10.5"],
        ]),
      ],
      [
        "allTime",
        curve([
          [NOW - 30 * DAY, "0.0", "0.0"],
          [NOW, "1100.5", "40.5"],
        ]),
      ],
      [
        "perpDay",
        curve([
          [NOW - HOUR, "90.0", "0.0"],
          [NOW - 1, "91.0", "1.0"],
        ]),
      ],
      ["perpAllTime", curve([[NOW, "91.0", "7.0"]])],
      ["month", { accountValueHistory: [], pnlHistory: [], vlm: "odd" }],
    ],
  });
  await read();
  const rows = committed.flatMap(({ portfolio = [] }) => portfolio);
  assert.deepEqual(
    rows.map(({ scope, timeMs, accountValue, pnl }) => [scope, timeMs - NOW, accountValue, pnl]),
    [
      ["all", -HOUR, "1090.0", "30"],
      ["all", 0, "1100.5", "40.5"],
      ["all", -30 * DAY, "0.0", "0"],
      // They do not end together: the profit is not known.
      ["perp", -HOUR, "90.0", null],
      ["perp", -1, "91.0", null],
      ["perp", 0, "91.0", "7"],
    ],
  );
  assert.deepEqual(facts().get("volumes")?.value, {
    day: "5.5",
    allTime: "5.5",
    perpDay: "5.5",
    perpAllTime: "5.5",
    month: null,
  });
});

it("keeps TWAP orders, rewards and interest as rows, and what is told as a whole as it was told", async () => {
  const state = {
    coin: "BTC",
    user: USER,
    side: "B",
    sz: "1.0",
    executedSz: "0.4",
    executedNtl: "40000.0",
    minutes: 30,
    reduceOnly: false,
    randomize: true,
    timestamp: NOW - HOUR,
    stopPx: null,
    trigger: null,
  };
  const { read, committed, facts } = follow({
    twapHistory: [
      { time: NOW / 1000, state, status: { status: "error", description: "Insufficient margin" }, twapId: 7 },
      { time: NOW / 1000 - 60, state, status: { status: "activated" }, twapId: 7 },
      { time: NOW / 1000, state, status: { status: "waitingForTrigger" } },
    ],
    delegatorRewards: [{ time: NOW - 5, source: "delegation", totalAmount: "0.25" }],
    userBorrowLendInterest: [{ time: NOW - 5, token: "USDC", borrow: "0.1", supply: "0.0" }],
    extraAgents: [{ name: "bot", address: AGENT, validUntil: NOW + HOUR }],
  });
  await read();
  const twaps = committed.flatMap(({ twaps: rows = [] }) => rows);
  assert.deepEqual(
    twaps.map(({ twapId, status, error, isEnded, side, executedSize, asOfMs }) => [
      ...[twapId, status, error, isEnded, side, executedSize, asOfMs - NOW],
    ]),
    [
      [7, "error", "Insufficient margin", true, "buy", "0.4", 0],
      [7, "activated", null, false, "buy", "0.4", -60_000],
      [twaps[2]!.twapId, "waitingForTrigger", null, false, "buy", "0.4", 0],
    ],
  );
  assert.ok(twaps[2]!.twapId < 0, "without an id it gets one of its own");
  assert.deepEqual(
    committed.flatMap(({ stakingRewards = [] }) => stakingRewards).map(({ raw: _raw, ...row }) => row),
    [{ account: USER, timeMs: NOW - 5, kind: "delegation", amount: "0.25" }],
  );
  assert.deepEqual(
    committed.flatMap(({ lendingInterest = [] }) => lendingInterest).map(({ raw: _raw, ...row }) => row),
    [{ account: USER, timeMs: NOW - 5, token: "USDC", charged: "0.1", earned: "0.0" }],
  );
  assert.deepEqual([...facts().keys()].sort(), ["agents", "fees", "requests", "volumes"]);
  assert.equal(facts().get("agents")?.asOfMs, NOW + AHEAD);
  assert.deepEqual(facts().get("fees")?.value, { userCrossRate: "0.00045", userAddRate: "0.00015" });
  const odd = follow({ extraAgents: [{ name: "bot", address: AGENT, validUntil: NOW }, { address: "odd" }] });
  await odd.read();
  assert.equal(odd.facts().get("agents"), undefined, "not of an unread list");
  const unread = odd.committed.flatMap(({ quarantine = [] }) => quarantine).map(({ subject }) => subject);
  assert.deepEqual(unread, ["extraAgents"]);
});

it("asks each once an hour, what failed at the next call, and lets no part cost another", async () => {
  const refused = new ProtocolError("unknown", { raw: null });
  const { read, given, particulars, types, clock, asked } = follow({
    userFees: new TransportError("away"),
    extraAgents: refused,
  });
  assert.ok(particulars.isDue());
  await assert.rejects(read(), TransportError);
  assert.equal(asked.length, Object.keys(NOTHING).length);
  given.userFees = NOTHING.userFees;
  asked.length = 0;
  await read();
  assert.deepEqual(types(), ["userFees"], "what the endpoint does not know is left alone for an hour");
  assert.ok(!particulars.isDue());
  await clock.advance(HOUR);
  assert.ok(particulars.isDue());
});

it("reads interest from the newest stored row on, page after page", async () => {
  const page = (from: number, count: number) =>
    Array.from({ length: count }, (_, n) => ({
      time: from + n,
      token: "USDC",
      borrow: "0.0",
      supply: "0.1",
    }));
  const asked: number[] = [];
  const { read, committed } = follow(
    {
      userBorrowLendInterest: ({ startTime }: { startTime: number }) => {
        asked.push(startTime - NOW);
        return startTime < NOW + 499 ? page(startTime, 500) : page(startTime, 3);
      },
    },
    NOW,
  );
  await read();
  assert.deepEqual(asked, [0, 499]);
  assert.equal(committed.flatMap(({ lendingInterest = [] }) => lendingInterest).length, 503);
});

it("reads all that the simulated venue tells", async () => {
  const exchange = createVenue({ seed: 1, startMs: NOW });
  const tell = (type: string) => (params: object) => exchange.info({ type, ...params } as never).body;
  const { read, committed, facts } = follow(
    Object.fromEntries(Object.keys(NOTHING).map((type) => [type, tell(type)])),
  );
  await read();
  assert.deepEqual(
    committed.flatMap(({ quarantine = [] }) => quarantine),
    [],
  );
  assert.deepEqual([...facts().keys()].sort(), ["agents", "fees", "requests", "volumes"]);
});
