/** A perp dex that leaves the venue's list while the account is followed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtocolError, TransportError } from "../../../src/errors.ts";
import type { InfoRequest } from "../../../src/protocol/infoRequests.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { ACCOUNT_DEFAULTS, Account } from "../../../src/sync/account/account.ts";
import { Dexes } from "../../../src/sync/dexes.ts";
import { Markets } from "../../../src/sync/markets.ts";
import type { VenueInfo } from "../../../src/sync/ports.ts";
import { Prices } from "../../../src/sync/prices.ts";
import type { Batch, StateRow } from "../../../src/sync/rows.ts";
import { Volatilities } from "../../../src/sync/volatility.ts";
import { emptyStore } from "../../support/emptyStore.ts";
import { HandClock } from "../connection/handClock.ts";
import { perpState } from "./healthStates.ts";
import { ACCOUNT } from "./rows.ts";

const GOLD = { coin: "xyz:GOLD", size: "3", mark: "10", maxLeverage: 10 };

/** Polls until the list was read so many times more. */
async function followed() {
  const clock = new HandClock();
  const venue = { listed: ["xyz"], asked: [] as string[], xyz: null as Error | null, lists: 0 };
  const answer = (type: string, { dex }: { dex?: string }): unknown => {
    venue.asked.push(`${type} ${dex ?? ""}`.trim());
    if (type === "perpDexs") {
      venue.lists += 1;
      return [null, ...venue.listed.map((name) => ({ name }))];
    }
    if (type === "exchangeStatus") return { time: clock.now(), specialStatuses: null };
    if (type === "clearinghouseState") {
      if (dex === "xyz" && venue.xyz) throw venue.xyz;
      return perpState("500", dex === "xyz" ? [GOLD] : [], clock.now());
    }
    if (type === "spotClearinghouseState") return { balances: [] };
    if (type === "userAbstraction") return "disabled";
    if (type === "delegatorSummary")
      return { delegated: "0.0", undelegated: "0.0", totalPendingWithdrawal: "0.0", nPendingWithdrawals: 0 };
    return [];
  };
  const info: VenueInfo = {
    clockOffset: () => null,
    reserve: () => () => {},
    request: async <P, R>(row: InfoRequest<P, R>, params: P) => {
      const result = row.read(answer(row.type, params as { dex?: string }));
      const at = { sentAtMs: clock.now(), receivedAtMs: clock.now() };
      return { result: result as Exclude<R, { reason: string }>, ...at, weight: row.weight };
    },
  };
  const own = { clock, info, store: emptyStore(), log: silentLog };
  const dexes = new Dexes(own);
  const batches: Batch[] = [];
  const account = new Account({
    ...own,
    account: ACCOUNT,
    alias: null,
    dexes,
    sinceMs: null,
    options: ACCOUNT_DEFAULTS,
    volatilities: new Volatilities(own),
    prices: new Prices(own),
    markets: new Markets(own),
    async commit(batch) {
      batches.push(batch);
      return { events: [], written: {}, known: {} };
    },
  });
  const { signal } = new AbortController();
  await dexes.open(signal);
  await account.open();
  const poll = async () => {
    await clock.advance(60_000);
    await account.catchUp("poll", signal);
  };
  const untilListed = async (times: number) => {
    for (const until = venue.lists + times; venue.lists < until; ) await poll();
  };
  /** What of the dex was committed since the last question. */
  const told = (): StateRow[] =>
    batches.splice(0).flatMap(({ states = [] }) => states.filter(({ dex }) => dex === "xyz"));
  return { venue, account, poll, untilListed, told };
}

describe("a perp dex whose state was never read", () => {
  it("is asked for at the next reading, and until then the equity is null: money may lie there", async () => {
    const { venue, account, poll } = await followed();
    venue.xyz = new TransportError("HTTP 500", { status: 500 });
    await poll();
    await poll();
    assert.deepEqual(
      account.failures.map(({ part }) => part),
      ["states"],
    );
    const { accountValue, accountValueReason, netWorth } = account.look().snapshot!;
    assert.deepEqual([accountValue, netWorth], [null, null]);
    assert.equal(accountValueReason, "the state of xyz is not known yet");
    venue.xyz = null;
    // No thorough reading is needed.
    await poll();
    assert.equal(account.look().snapshot?.accountValue, "1000");
    assert.equal(account.look().snapshot?.netWorth, "1000");
  });
});

describe("a perp dex that leaves the list", () => {
  it("holds nothing once the venue does not answer for it either, time by time; then it is asked no more", async () => {
    const { venue, account, poll, told } = await followed();
    await poll();
    assert.deepEqual(
      told().map(({ coins }) => coins),
      [["xyz:GOLD"]],
    );
    venue.listed = [];
    venue.xyz = new ProtocolError("no such dex", null);
    // A refusal has the list read again.
    await poll();
    await poll();
    const gone = told();
    assert.deepEqual(
      gone.map(({ coins }) => coins),
      [[], []],
    );
    assert.ok(gone[0]!.asOfMs < gone[1]!.asOfMs, "two witnesses of two moments");
    assert.deepEqual(account.failures, []);
    assert.equal(
      account.look().snapshot?.accountValue,
      "500",
      "its money is no part of the account any more",
    );
    venue.asked.length = 0;
    await poll();
    assert.deepEqual(
      venue.asked.filter((asked) => asked.endsWith("xyz")),
      [],
    );
  });

  it("is listed and refuses its state: that is a failure of this part, and nothing is closed", async () => {
    const { venue, account, poll, told } = await followed();
    await poll();
    told();
    venue.xyz = new ProtocolError("no such dex", null);
    await poll();
    await poll();
    assert.deepEqual([told(), account.failures.map(({ part }) => part)], [[], ["states"]]);
  });

  it("holds what its state says as long as the venue answers for it", async () => {
    const { venue, account, untilListed, told } = await followed();
    venue.listed = [];
    await untilListed(2);
    assert.deepEqual(new Set(told().flatMap(({ coins }) => coins)), new Set(["xyz:GOLD"]));
    assert.equal(account.look().snapshot?.accountValue, "1000");
  });

  it("is not taken for gone by an answer that never came, and is back when it is listed again", async () => {
    const { venue, account, poll, untilListed, told } = await followed();
    await poll();
    venue.listed = [];
    venue.xyz = new TransportError("reset");
    told();
    await untilListed(1);
    await poll();
    assert.deepEqual(told(), []);
    venue.xyz = new TransportError("HTTP 500", { status: 500 });
    await poll();
    await poll();
    assert.deepEqual(
      told().map(({ coins }) => coins),
      [[], []],
    );
    [venue.listed, venue.xyz] = [["xyz"], null];
    await untilListed(1);
    assert.deepEqual(told().at(-1)?.coins, ["xyz:GOLD"]);
    assert.equal(account.look().snapshot?.accountValue, "1000");
  });
});
