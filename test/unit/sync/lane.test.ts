import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CHANNELS } from "../../../src/protocol/channels.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { ACCOUNT_DEFAULTS, Account } from "../../../src/sync/account/account.ts";
import { Dexes } from "../../../src/sync/dexes.ts";
import { LANE_DEFAULTS, Lane } from "../../../src/sync/lane.ts";
import type { StreamHandler, VenueInfo } from "../../../src/sync/ports.ts";
import { Prices } from "../../../src/sync/prices.ts";
import { Volatilities } from "../../../src/sync/volatility.ts";
import { emptyStore } from "../../support/emptyStore.ts";
import { HandClock, settle } from "../connection/handClock.ts";
import { perpState } from "./healthStates.ts";

const USER = `0x${"a".repeat(40)}`;

/** A lane whose socket is driven by hand, before a venue that takes questions and answers none. */
async function unanswered() {
  const clock = new HandClock();
  const asked: string[] = [];
  const info: VenueInfo = {
    clockOffset: () => null,
    reserve: () => () => {},
    request: ({ type }, _params, { signal }) => {
      asked.push(type);
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    },
  };
  const store = emptyStore();
  const own = { clock, info, store, log: silentLog };
  const account = new Account({
    ...{
      ...own,
      account: USER,
      alias: null,
      dexes: new Dexes(own),
      sinceMs: null,
      options: ACCOUNT_DEFAULTS,
    },
    volatilities: new Volatilities(own),
    prices: new Prices(own),
    commit: (batch) => store.apply(batch),
  });
  await account.open();
  let handler: StreamHandler | undefined;
  const lane = new Lane({
    ...{ ...own, account, subscriptions: [], options: LANE_DEFAULTS, random: { next: () => 0.5 } },
    openStream: (_subscriptions, given) => {
      handler = given;
      return { subscribe() {}, unsubscribe() {}, stop: async () => {}, status: () => lane.status().stream };
    },
    onFatal: (error) => assert.fail(String(error)),
  });
  lane.start();
  /** The first frame of a connection: a state, with the venue's time. */
  const tellState = () => {
    const channel = CHANNELS.find(({ type }) => type === "clearinghouseState")!;
    const clearinghouseState = perpState("1000", [], clock.now());
    const reading = channel.read({ dex: "", user: USER, clearinghouseState });
    handler!.onMessage(reading, channel, { type: channel.type, user: USER }, clock.now());
  };
  return { clock, lane, handler: handler!, asked, tellState };
}

describe("after a new connection", () => {
  it("asks for the fills at once when a state has told the time, and for the time first when none has", async () => {
    for (const isTold of [true, false]) {
      const { clock, lane, handler, asked, tellState } = await unanswered();
      if (isTold) tellState();
      handler.onConnected(clock.now());
      await settle();
      assert.deepEqual(
        [asked.includes("userFillsByTime"), asked.includes("exchangeStatus")],
        [isTold, !isTold],
      );
      await lane.stop();
      assert.equal(clock.timers, 0);
    }
  });

  it("does not wait for what the connection before it had asked", async () => {
    const { clock, lane, handler, asked, tellState } = await unanswered();
    const fillsAsked = () => asked.filter((type) => type === "userFillsByTime").length;
    for (let connections = 1; connections <= 3; connections++) {
      tellState();
      handler.onConnected(clock.now());
      await settle();
      assert.equal(fillsAsked(), connections);
      handler.onDisconnected(clock.now(), "cut", clock.now());
    }
    await lane.stop();
    assert.equal(clock.timers, 0);
  });
});
