import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withNode } from "../../../src/connection/nodeInfo.ts";
import { TransportError } from "../../../src/errors.ts";
import { INFO, type InfoRequest } from "../../../src/protocol/infoRequests.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import type { InfoAnswer, InfoOptions, VenueInfo } from "../../../src/sync/ports.ts";
import { HandClock } from "./handClock.ts";

const USER = `0x${"a".repeat(40)}`;

/** A venue half a second ahead of our clock, and a node that is `behindMs` behind it. */
function both({ offsetMs = 500, isKnown = true } = {}) {
  const clock = new HandClock();
  const asked: string[] = [];
  const node = { behindMs: 0, error: null as Error | null };
  const answering = (who: string) => ({
    async request<P, R>(row: InfoRequest<P, R>, _: P, { signal }: InfoOptions): Promise<InfoAnswer<R>> {
      asked.push(`${who} ${row.type}`);
      await Promise.resolve();
      signal?.throwIfAborted();
      if (who === "node" && node.error) throw node.error;
      const time = clock.now() + offsetMs - node.behindMs;
      const result = { value: { time, who }, unread: [] } as unknown as R;
      return { result, sentAtMs: clock.now(), receivedAtMs: clock.now(), weight: 2 };
    },
  });
  const venue: VenueInfo = {
    ...answering("venue"),
    clockOffset: () => (isKnown ? { offsetMs, uncertaintyMs: 5, measuredAtMs: clock.now() } : null),
    reserve: () => () => {},
  };
  const info = withNode({ venue, node: answering("node"), clock, log: silentLog });
  const options = { priority: "reconcile" } as const;
  const state = () => info.request(INFO.clearinghouseState, { user: USER, dex: "" }, options);
  return { info, clock, asked, node, state, options };
}

describe("a node beside the venue", () => {
  it("answers for states, without weight, and the venue for everything else", async () => {
    const { info, asked, state, options } = both();
    assert.equal((await state()).weight, 0);
    await info.request(INFO.spotClearinghouseState, { user: USER }, options);
    await info.request(INFO.frontendOpenOrders, { user: USER, dex: "" }, options);
    await info.request(INFO.userAbstraction, { user: USER }, options);
    await info.request(INFO.exchangeStatus, {}, options);
    assert.deepEqual(asked, [
      "node exchangeStatus",
      "node clearinghouseState",
      "node spotClearinghouseState",
      "node frontendOpenOrders",
      "venue userAbstraction",
      "venue exchangeStatus",
    ]);
  });

  it("is asked for its time again after a while, once for many", async () => {
    const { asked, clock, state } = both();
    await state();
    await clock.advance(600);
    await Promise.all([state(), state(), state()]);
    assert.equal(asked.filter((one) => one === "node exchangeStatus").length, 2);
  });

  it("that is behind is left alone, until it has caught up", async () => {
    const { asked, clock, node, state } = both();
    node.behindMs = 1_600;
    await state();
    await state();
    assert.deepEqual(asked, ["node exchangeStatus", "venue clearinghouseState", "venue clearinghouseState"]);
    node.behindMs = 900;
    await clock.advance(5_000);
    await state();
    assert.deepEqual(asked.slice(3), ["node exchangeStatus", "node clearinghouseState"]);
  });

  it("that does not answer costs no state", async () => {
    const { asked, node, state } = both();
    await state();
    node.error = new TransportError("away");
    assert.equal((await state()).weight, 2);
    await state();
    assert.deepEqual(asked.slice(2), [
      "node clearinghouseState",
      "venue clearinghouseState",
      "venue clearinghouseState",
    ]);
  });

  it("is not believed before the venue has told its time", async () => {
    const { asked, state } = both({ isKnown: false });
    await state();
    assert.deepEqual(asked, ["venue clearinghouseState"]);
  });

  it("is not asked on behalf of who has gone", async () => {
    const { info, asked, state } = both();
    await state();
    const signal = AbortSignal.abort(new Error("stopped"));
    const options = { priority: "reconcile", signal } as const;
    await assert.rejects(info.request(INFO.clearinghouseState, { user: USER, dex: "" }, options), /stopped/);
    assert.ok(!asked.includes("venue clearinghouseState"));
  });
});
