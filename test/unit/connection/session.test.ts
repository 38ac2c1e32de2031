import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Session, type SessionAction } from "../../../src/connection/session.ts";
import { SlidingWindow } from "../../../src/connection/slidingWindow.ts";
import { InvariantError } from "../../../src/errors.ts";
import { silentAfterMs } from "../../../src/protocol/cadence.ts";
import { type Subscription, subscriptionKey } from "../../../src/protocol/channels.ts";

const T0 = 1_790_000_000_000;
const ALICE = "0x00000000000000000000000000000000000000aa";
const BOB = "0x00000000000000000000000000000000000000bb";

const fills = (user = ALICE): Subscription => ({ type: "userFills", user });
const orders = (user = ALICE): Subscription => ({ type: "orderUpdates", user });
const state = (dex = "", user = ALICE): Subscription => ({ type: "clearinghouseState", user, dex });
const webData2: Subscription = { type: "webData2", user: ALICE };

const ack = (subscription: object, method = "subscribe") =>
  JSON.stringify({ channel: "subscriptionResponse", data: { method, subscription } });
const errorText = (data: string) => JSON.stringify({ channel: "error", data });
const PONG = JSON.stringify({ channel: "pong" });

const summary = { accountValue: "1.0", totalNtlPos: "0.0", totalRawUsd: "1.0", totalMarginUsed: "0.0" };
const stateFrame = (dex = "", user = ALICE) =>
  JSON.stringify({
    channel: "clearinghouseState",
    data: {
      dex,
      user,
      clearinghouseState: {
        marginSummary: summary,
        crossMarginSummary: summary,
        withdrawable: "1.0",
        assetPositions: [],
        time: T0,
      },
    },
  });
const fillsFrame = (user = ALICE) =>
  JSON.stringify({ channel: "userFills", data: { isSnapshot: true, user, fills: [] } });

interface Setup {
  messages?: SlidingWindow;
  blamed?: Subscription[];
  refused?: Subscription[];
}
const open = (subscriptions: Subscription[], setup: Setup = {}) =>
  new Session({
    startedAtMs: T0,
    subscriptions,
    messages: setup.messages ?? new SlidingWindow(2_000, 61_000),
    blamed: new Set(setup.blamed?.map(subscriptionKey)),
    refused: new Set(setup.refused?.map(subscriptionKey)),
  });

/** What was sent, shortly: `subscribe userFills`, `ping`. */
const sent = (actions: SessionAction[]): string[] =>
  actions
    .filter((action) => action.type === "send")
    .map((action) => {
      const { method, subscription } = JSON.parse(action.text);
      return subscription === undefined ? method : `${method} ${subscription.type}`;
    });
const kinds = (actions: SessionAction[]): string[] => actions.map(({ type }) => type);
const only = <T extends SessionAction["type"]>(actions: SessionAction[], type: T) =>
  actions.filter((action): action is Extract<SessionAction, { type: T }> => action.type === type);

/** Ticks at every deadline up to `untilMs`, as an owner does; all actions with their times. */
function runTo(session: Session, untilMs: number): { atMs: number; action: SessionAction }[] {
  const seen: { atMs: number; action: SessionAction }[] = [];
  for (let turns = 0; turns < 10_000; turns++) {
    const dueMs = session.dueMs();
    if (dueMs === null || dueMs > untilMs) return seen;
    for (const action of session.tick(dueMs)) seen.push({ atMs: dueMs, action });
  }
  throw new Error("the session keeps asking for ticks without time passing");
}
const ending = (seen: { atMs: number; action: SessionAction }[]) =>
  seen.find(({ action }) => action.type === "terminate");

/** An open session whose subscriptions are all confirmed. */
function live(subscriptions: Subscription[], setup: Setup = {}): Session {
  const session = open(subscriptions, setup);
  session.opened(T0);
  for (const subscription of subscriptions) session.received(T0, ack(subscription));
  return session;
}

describe("subscribing", () => {
  it("asks for every wanted subscription when the socket opens", () => {
    assert.deepEqual(sent(open([fills(), orders()]).opened(T0)), [
      "subscribe userFills",
      "subscribe orderUpdates",
    ]);
  });

  it("sends nothing before the socket opens", () => {
    const session = open([fills()]);
    assert.deepEqual(session.add(T0, orders()), []);
    assert.deepEqual(sent(session.opened(T0)), ["subscribe userFills", "subscribe orderUpdates"]);
  });

  it("takes an echo with reordered keys, defaults and lower case for its subscription", () => {
    const session = open([fills(ALICE.toUpperCase().replace("0X", "0x"))]);
    session.opened(T0);
    const actions = session.received(T0, ack({ aggregateByTime: false, user: ALICE, type: "userFills" }));
    assert.deepEqual(kinds(actions), ["confirmed", "allConfirmed"]);
  });

  it("takes an echo that leaves out an empty dex for its subscription", () => {
    const session = open([state("")]);
    session.opened(T0);
    assert.ok(
      kinds(session.received(T0, ack({ type: "clearinghouseState", user: ALICE }))).includes("confirmed"),
    );
  });

  it("gives an echo that fits two subscriptions to the one that says more", () => {
    const plain: Subscription = { type: "clearinghouseState", user: ALICE };
    for (const wanted of [
      [plain, state("xyz")],
      [state("xyz"), plain],
    ]) {
      const session = open(wanted);
      session.opened(T0);
      const [confirmed] = only(session.received(T0, ack(state("xyz"))), "confirmed");
      assert.equal(confirmed?.subscription.dex, "xyz");
    }
  });

  it("says that all is confirmed once, after the last confirmation", () => {
    const session = open([fills(), orders()]);
    session.opened(T0);
    assert.deepEqual(kinds(session.received(T0, ack(fills()))), ["confirmed"]);
    assert.deepEqual(kinds(session.received(T0, ack(orders()))), ["confirmed", "allConfirmed"]);
    assert.deepEqual(kinds(session.received(T0, ack(orders()))), []);
  });

  it("says at once that all is confirmed when nothing is wanted", () => {
    assert.deepEqual(kinds(open([]).opened(T0)), ["allConfirmed"]);
  });

  it("delivers a snapshot that comes before its confirmation", () => {
    const session = open([fills()]);
    session.opened(T0);
    assert.deepEqual(kinds(session.received(T0 + 1, fillsFrame())), ["message"]);
    assert.deepEqual(kinds(session.received(T0 + 2, ack(fills()))), ["confirmed", "allConfirmed"]);
  });

  it("takes 'Already subscribed' for a confirmation", () => {
    const session = open([fills()]);
    session.opened(T0);
    const text = `Already subscribed: ${JSON.stringify({ ...fills(), aggregateByTime: false })}`;
    assert.deepEqual(kinds(session.received(T0, errorText(text))), ["confirmed", "allConfirmed"]);
  });

  it("asks once more when no answer comes, then ends the socket and blames the subscription", () => {
    const session = open([fills()]);
    session.opened(T0);
    const heard = (atMs: number) => session.received(atMs, PONG);
    runTo(session, T0 + 4_000);
    heard(T0 + 4_000);
    runTo(session, T0 + 8_000);
    heard(T0 + 8_000);
    assert.deepEqual(sent(runTo(session, T0 + 10_000).map(({ action }) => action)), ["subscribe userFills"]);
    for (let atMs = T0 + 12_000; atMs < T0 + 20_000; atMs += 4_000) {
      heard(atMs);
      assert.equal(ending(runTo(session, atMs + 3_999)), undefined);
    }
    const end = ending(runTo(session, T0 + 20_000));
    assert.ok(end?.action.type === "terminate");
    assert.deepEqual(end.action.blame, [subscriptionKey(fills())]);
    assert.equal(session.dueMs(), null);
  });

  it("takes data instead of a lost confirmation", () => {
    const session = open([fills()]);
    session.opened(T0);
    session.received(T0 + 7_000, fillsFrame());
    const seen = runTo(session, T0 + 10_000).map(({ action }) => action.type);
    assert.deepEqual(seen, ["confirmed", "allConfirmed"]);
  });

  it("does not end a second socket for the same unanswered subscription, but asks again each minute", () => {
    const session = open([fills(), orders()], { blamed: [fills()] });
    session.opened(T0);
    session.received(T0, ack(orders()));
    const actions: { atMs: number; action: SessionAction }[] = [];
    for (let atMs = T0; atMs < T0 + 100_000; atMs += 4_000) {
      session.received(atMs, PONG);
      actions.push(...runTo(session, atMs + 3_999));
    }
    assert.equal(ending(actions), undefined);
    const told = actions.filter(({ action }) => action.type === "refused" || action.type === "allConfirmed");
    assert.deepEqual(
      told.map(({ atMs, action }) => [atMs - T0, action.type]),
      [
        [20_000, "refused"],
        [20_000, "allConfirmed"],
      ],
    );
    const asked = actions.filter(({ action }) => sent([action])[0] === "subscribe userFills");
    assert.deepEqual(
      asked.map(({ atMs }) => atMs - T0),
      [10_000, 80_000, 90_000],
    );
  });

  it("refuses two subscriptions whose frames cannot be told apart", () => {
    assert.throws(() => open([orders(ALICE), orders(BOB)]), InvariantError);
    assert.throws(() => open([fills(), { ...fills(), aggregateByTime: true }]), InvariantError);
  });
});

describe("refusals and limits", () => {
  it("marks webData2 refused for good, once, and goes on without it", () => {
    const session = open([fills(), webData2]);
    session.opened(T0);
    session.received(T0, ack(fills()));
    const frame = JSON.stringify({ method: "subscribe", subscription: webData2 });
    const text = errorText(`Error parsing JSON into valid websocket request: ${frame}`);
    const actions = session.received(T0, text);
    assert.deepEqual(kinds(actions), ["refused", "allConfirmed"]);
    assert.deepEqual([only(actions, "refused")[0]?.permanent], [true]);
    for (let atMs = T0; atMs < T0 + 200_000; atMs += 4_000) {
      session.received(atMs, PONG);
      assert.deepEqual(runTo(session, atMs + 3_999), []);
    }
  });

  it("never asks for what an earlier socket learned to be refused for good", () => {
    const session = open([fills(), webData2], { refused: [webData2] });
    assert.deepEqual(sent(session.opened(T0)), ["subscribe userFills"]);
    assert.deepEqual(kinds(session.received(T0, ack(fills()))), ["confirmed", "allConfirmed"]);
  });

  it("asks again, a minute later, for an invalid subscription, and reports it once", () => {
    const session = open([fills()]);
    session.opened(T0);
    const text = errorText(`Invalid subscription ${JSON.stringify(fills())}`);
    assert.deepEqual(only(session.received(T0, text), "refused")[0]?.permanent, false);
    for (let atMs = T0; atMs < T0 + 56_000; atMs += 4_000) session.received(atMs, PONG);
    session.received(T0 + 57_000, PONG);
    assert.deepEqual(sent(runTo(session, T0 + 60_000).map(({ action }) => action)), ["subscribe userFills"]);
    assert.deepEqual(kinds(session.received(T0 + 60_001, text)), []);
    for (let atMs = T0 + 60_000; atMs < T0 + 120_001; atMs += 4_000) session.received(atMs, PONG);
    runTo(session, T0 + 120_001);
    assert.deepEqual(kinds(session.received(T0 + 120_002, ack(fills()))), ["confirmed"]);
  });

  it("gives each 'total users' text to the oldest unanswered subscription of the user being asked for", () => {
    const session = open([fills(ALICE), state("", ALICE), fills(BOB)]);
    // Bob waits until it is known whether Alice found a place.
    assert.deepEqual(sent(session.opened(T0)), ["subscribe userFills", "subscribe clearinghouseState"]);
    const text = errorText("Cannot track more than 10 total users.");
    const first = session.received(T0, text);
    assert.deepEqual(only(first, "limited")[0]?.subscription, fills(ALICE));
    assert.deepEqual(sent(first), []);
    const second = session.received(T0, text);
    assert.deepEqual(only(second, "limited")[0]?.subscription, state("", ALICE));
    assert.deepEqual(sent(second), ["subscribe userFills"]);
    const third = session.received(T0, ack(fills(BOB)));
    assert.deepEqual(kinds(third), ["confirmed"], "not all: Alice is still without a place");
  });

  it("tries a limited user again each minute, and says so when there is room", () => {
    const session = open([fills()]);
    session.opened(T0);
    session.received(T0, errorText("Cannot track more than 10 total users."));
    for (let atMs = T0; atMs < T0 + 60_000; atMs += 4_000) {
      session.received(atMs, PONG);
      assert.deepEqual(sent(runTo(session, Math.min(atMs + 3_999, T0 + 59_999)).map((s) => s.action)), []);
    }
    assert.deepEqual(sent(runTo(session, T0 + 60_000).map(({ action }) => action)), ["subscribe userFills"]);
    assert.deepEqual(kinds(session.received(T0 + 60_001, ack(fills()))), ["confirmed", "allConfirmed"]);
  });

  it("waits and asks again after the venue said that there were too many messages", () => {
    const session = open([fills()]);
    session.opened(T0);
    session.received(T0, errorText("Cannot send more than 2000 messages per minute."));
    session.received(T0 + 4_000, PONG);
    session.received(T0 + 8_000, PONG);
    assert.deepEqual(runTo(session, T0 + 9_999), []);
    assert.deepEqual(sent(runTo(session, T0 + 10_000).map(({ action }) => action)), ["subscribe userFills"]);
    // What may not have been read was not left unanswered: it can still be asked once more.
    for (let atMs = T0 + 12_000; atMs < T0 + 20_000; atMs += 4_000) session.received(atMs, PONG);
    assert.deepEqual(sent(runTo(session, T0 + 20_000).map(({ action }) => action)), ["subscribe userFills"]);
  });

  it("never sends more messages in a minute than the budget leaves, pings aside", () => {
    const messages = new SlidingWindow(2_000, 61_000);
    const coins = Array.from({ length: 3_000 }, (_, i) => ({ type: "trades", coin: `C${i}` }));
    const session = open(coins, { messages });
    const times: number[] = [];
    const note = (atMs: number, actions: SessionAction[]) => {
      const texts = only(actions, "send").map(({ text }) => JSON.parse(text));
      for (const { subscription } of texts) {
        times.push(atMs);
        if (subscription !== undefined) note(atMs, session.received(atMs, ack(subscription)));
      }
    };
    note(T0, session.opened(T0));
    const atStart = times.length;
    for (let atMs = T0; atMs < T0 + 70_000; atMs += 4_000) {
      session.received(atMs, PONG);
      for (const { atMs: sentMs, action } of runTo(session, atMs + 3_999)) note(sentMs, [action]);
    }
    assert.equal(atStart, 1_800);
    assert.equal(times.length, 3_000);
    for (const [i, atMs] of times.entries()) {
      const inWindow = times.slice(i).findIndex((later) => later >= atMs + 60_000);
      assert.ok(inWindow <= 2_000, `${inWindow} messages in the minute from ${atMs - T0}`);
    }
  });

  it("has at most a hundred subscriptions unanswered", () => {
    const session = open(Array.from({ length: 150 }, (_, i) => ({ type: "trades", coin: `C${i}` })));
    assert.equal(sent(session.opened(T0)).length, 100);
    assert.equal(sent(session.received(T0, ack({ type: "trades", coin: "C0" }))).length, 1);
  });
});

describe("liveness", () => {
  it("gives up a handshake that does not end", () => {
    const end = ending(runTo(open([fills()]), T0 + 60_000));
    assert.equal(end?.atMs, T0 + 12_000);
  });

  it("pings after five quiet seconds and notices a half-open socket within twelve", () => {
    const session = live([fills()]);
    const seen = runTo(session, T0 + 60_000);
    assert.deepEqual(
      seen.map(({ atMs, action }) => [atMs - T0, action.type]),
      [
        [5_000, "send"],
        [10_000, "terminate"],
      ],
    );
  });

  it("takes any frame for an answer, and pings no talkative venue", () => {
    const session = live([fills()]);
    const pings: string[] = [];
    for (let atMs = T0; atMs < T0 + 60_000; atMs += 4_900) {
      session.received(atMs, fillsFrame());
      pings.push(...sent(runTo(session, atMs + 4_899).map(({ action }) => action)));
    }
    assert.deepEqual(pings, []);
  });

  it("stays far below the message limit with pings: twelve a minute at most", () => {
    const session = live([fills()]);
    let pings = 0;
    for (let atMs = T0; atMs < T0 + 60_000; ) {
      const [ping] = runTo(session, atMs + 5_000);
      assert.ok(ping !== undefined);
      pings += 1;
      atMs = ping.atMs;
      session.received(atMs, PONG);
    }
    assert.equal(pings, 12);
  });

  it("knows the round trip of the last ping", () => {
    const session = live([fills()]);
    assert.equal(session.roundTripMs, null);
    runTo(session, T0 + 5_000);
    session.received(T0 + 5_042, PONG);
    assert.equal(session.roundTripMs, 42);
  });

  it("does not blame the venue for a time when this process stood still", () => {
    const session = live([state()]);
    assert.deepEqual(session.tick(T0 + 60_000), []);
    assert.equal(session.dueMs(), T0 + 61_000);
    // It is not ended: it is asked whether it lives, and the data, which is old by now, is asked for anew.
    assert.deepEqual(
      runTo(session, T0 + 61_000).map(({ action }) => sent([action])[0] ?? action.type),
      ["ping", "stale", "unsubscribe clearinghouseState", "subscribe clearinghouseState"],
    );
  });

  it("does not wait for ever for a silent venue because this process keeps standing still", () => {
    const session = live([fills()]);
    let atMs = T0;
    while (session.dueMs() !== null && atMs < T0 + 120_000) {
      atMs = session.dueMs()! + 3_000;
      session.tick(atMs);
    }
    assert.equal(session.dueMs(), null);
    assert.ok(atMs - T0 < 25_000, `${atMs - T0} ms`);
  });

  it("goes on when the clock is stepped back", () => {
    const session = live([state()]);
    session.received(T0 - 3_600_000, stateFrame());
    const seen = runTo(session, T0 - 3_600_000 + 60_000);
    assert.equal(seen.at(-1)?.atMs, T0 - 3_600_000 + 10_000, "a silent socket is noticed all the same");
  });
});

describe("freshness", () => {
  /** The socket lives (pongs), the state channel is silent. */
  function silent(session: Session, fromMs: number, forMs: number) {
    const seen: { atMs: number; action: SessionAction }[] = [];
    for (let atMs = fromMs; atMs < fromMs + forMs && ending(seen) === undefined; atMs += 1_000) {
      for (const action of session.received(atMs, PONG)) seen.push({ atMs, action });
      const turn = runTo(session, atMs + 999);
      seen.push(...turn);
      for (const { atMs: sentMs, action } of turn) {
        if (action.type !== "send") continue;
        const { method, subscription } = JSON.parse(action.text);
        if (subscription === undefined) continue;
        for (const answer of session.received(sentMs, ack(subscription, method))) {
          seen.push({ atMs: sentMs, action: answer });
        }
      }
    }
    return seen.map(({ atMs, action }) => ({ atMs: atMs - fromMs, action }));
  }
  const story = (seen: { atMs: number; action: SessionAction }[]) =>
    seen.map(({ atMs, action }) => [atMs, ...(action.type === "send" ? sent([action]) : [action.type])]);

  it("allows a state channel twelve seconds, or 2.4 of its cadences", () => {
    assert.equal(silentAfterMs(5_000), 12_000);
    assert.equal(silentAfterMs(10_000), 24_000);
  });

  it("asks a silent state channel anew, then ends the socket", () => {
    const session = live([state(), fills()]);
    assert.deepEqual(story(silent(session, T0, 60_000)), [
      [12_000, "stale"],
      [12_000, "unsubscribe clearinghouseState"],
      [12_000, "subscribe clearinghouseState"],
      [24_000, "terminate"],
    ]);
  });

  it("blames all channels that are silent, not only the first", () => {
    const end = silent(live([state(), state("xyz"), fills()]), T0, 60_000).at(-1)?.action;
    assert.ok(end?.type === "terminate");
    assert.deepEqual(end.blame, [state(), state("xyz")].map(subscriptionKey));
  });

  it("is watched on when the clock is stepped back", () => {
    const session = live([state()]);
    const seen = silent(session, T0 - 3_600_000, 13_000);
    assert.deepEqual(story(seen)[0], [12_000, "stale"]);
  });

  it("says how old the data is and when it is fresh again", () => {
    const session = live([state()]);
    session.received(T0 + 1_000, stateFrame());
    const seen = silent(session, T0 + 1_000, 13_000);
    assert.deepEqual(
      seen.filter(({ action }) => action.type === "stale").map(({ action }) => action),
      [{ type: "stale", subscription: state(), ageMs: 12_000 }],
    );
    assert.deepEqual(kinds(session.received(T0 + 14_000, stateFrame())), ["fresh", "message"]);
    assert.equal(ending(silent(session, T0 + 14_000, 13_000)), undefined, "it is asked anew first");
  });

  it("does not take a state it cannot read for data", () => {
    const session = live([state()]);
    const unreadable = JSON.stringify({ channel: "clearinghouseState", data: { dex: "", user: ALICE } });
    const actions = session.received(T0 + 11_000, unreadable);
    assert.deepEqual(kinds(actions), ["message"]);
    assert.equal(only(actions, "message")[0]?.reading.unread.length, 1);
    const next = runTo(session, T0 + 12_000).map(({ action }) => action.type);
    assert.equal(next[0], "stale");
  });

  it("does not end a second socket for the same silent channel, but asks it anew each minute", () => {
    const session = live([state(), fills()], { blamed: [state()] });
    const seen = silent(session, T0, 200_000);
    assert.equal(ending(seen), undefined);
    assert.deepEqual(
      seen
        .filter(({ action }) => action.type === "stale" || sent([action])[0]?.startsWith("subscribe"))
        .map((s) => s.atMs),
      [12_000, 12_000, 72_000, 132_000, 192_000],
    );
  });

  it("lets quiet channels be quiet", () => {
    assert.deepEqual(silent(live([fills(), orders()]), T0, 600_000), []);
  });

  it("watches each dex by itself", () => {
    const session = live([state(""), state("xyz")]);
    session.received(T0 + 9_000, stateFrame("xyz"));
    const stale = only(
      runTo(session, T0 + 12_000).map(({ action }) => action),
      "stale",
    );
    assert.deepEqual(
      stale.map(({ subscription }) => subscription.dex),
      [""],
    );
  });
});

describe("frames", () => {
  it("passes data on with its subscription, channel and time", () => {
    const [message] = only(live([state("xyz"), state("")]).received(T0 + 5, stateFrame("xyz")), "message");
    assert.deepEqual(message?.subscription, state("xyz"));
    assert.equal(message?.channel.type, "clearinghouseState");
    assert.equal(message?.receivedAtMs, T0 + 5);
    assert.equal(message?.reading.user, ALICE);
  });

  it("quarantines frames of another account", () => {
    const actions = live([fills()]).received(T0, fillsFrame(BOB));
    assert.deepEqual(kinds(actions), ["quarantine"]);
    assert.equal(only(actions, "quarantine")[0]?.raw, fillsFrame(BOB));
  });

  it("quarantines what it does not understand, cut at 64 kB, and goes on", () => {
    const session = live([fills()]);
    const cases = ["{", '{"channel":"novelty","data":1}', "[]", '{"channel":"post","data":{"id":1}}'];
    for (const text of [...cases, errorText("Something new"), "x".repeat(100_000)]) {
      const actions = session.received(T0, text);
      assert.deepEqual(kinds(actions), ["quarantine"], text.slice(0, 40));
      assert.ok(only(actions, "quarantine")[0]!.raw.length <= 65_536);
    }
    assert.deepEqual(kinds(session.received(T0, fillsFrame())), ["message"]);
  });

  it("knows the old plain-text greeting", () => {
    assert.deepEqual(live([fills()]).received(T0, "Websocket connection established."), []);
  });

  it("tells markets apart by coin and interval", () => {
    const candle = (interval: string): Subscription => ({ type: "candle", coin: "BTC", interval });
    const session = live([candle("1m"), candle("5m"), { type: "trades", coin: "BTC" }]);
    const data = { t: T0, T: T0 + 59_999, s: "BTC", i: "5m", o: "1", c: "1", h: "1", l: "1", v: "1", n: 1 };
    const [message] = only(session.received(T0, JSON.stringify({ channel: "candle", data })), "message");
    assert.deepEqual(message?.subscription, candle("5m"));
  });

  it("finds the subscription of a frame that does not name its market, where there is only one", () => {
    const empty = JSON.stringify({ channel: "trades", data: [] });
    const one = live([{ type: "trades", coin: "BTC" }]);
    assert.deepEqual(kinds(one.received(T0, empty)), ["message"]);
    const two = live([
      { type: "trades", coin: "BTC" },
      { type: "trades", coin: "ETH" },
    ]);
    assert.deepEqual(kinds(two.received(T0, empty)), ["quarantine"]);
  });

  it("takes a context of a spot market for activeAssetCtx", () => {
    const session = live([{ type: "activeAssetCtx", coin: "@107" }]);
    const text = JSON.stringify({
      channel: "activeSpotAssetCtx",
      data: { coin: "@107", ctx: { markPx: "1" } },
    });
    assert.deepEqual(kinds(session.received(T0, text)), ["message"]);
  });
});

describe("changing what is wanted", () => {
  it("asks at once for a subscription added to an open socket", () => {
    const session = live([fills()]);
    assert.deepEqual(sent(session.add(T0, orders())), ["subscribe orderUpdates"]);
    assert.deepEqual(session.add(T0, orders()), [], "twice is once");
    assert.deepEqual(kinds(session.received(T0, ack(orders()))), ["confirmed"]);
  });

  it("says goodbye to a removed one, and drops what still comes of it", () => {
    const session = live([fills(), orders()]);
    assert.deepEqual(sent(session.remove(T0, fills())), ["unsubscribe userFills"]);
    assert.deepEqual(session.received(T0, fillsFrame()), []);
    session.received(T0, ack(fills(), "unsubscribe"));
    assert.deepEqual(
      session.subscriptions().map(({ subscription }) => subscription),
      [orders()],
    );
  });

  it("forgets one that was never asked for without a word", () => {
    const session = open([fills(), orders()]);
    assert.deepEqual(session.remove(T0, orders()), []);
    assert.deepEqual(sent(session.opened(T0)), ["subscribe userFills"]);
  });

  it("says goodbye also to one that the venue may have heard of", () => {
    const session = open([fills()]);
    session.opened(T0);
    session.received(T0, errorText("Cannot send more than 2000 messages per minute."));
    session.remove(T0, fills());
    for (let atMs = T0; atMs < T0 + 10_000; atMs += 4_000) session.received(atMs, PONG);
    assert.deepEqual(sent(runTo(session, T0 + 10_000).map(({ action }) => action)), [
      "unsubscribe userFills",
    ]);
  });

  it("can want again what it is just leaving", () => {
    const session = live([fills()]);
    session.remove(T0, fills());
    assert.deepEqual(sent(session.add(T0, fills())), ["subscribe userFills"]);
    session.received(T0, ack(fills(), "unsubscribe"));
    assert.deepEqual(kinds(session.received(T0, ack(fills()))), ["confirmed"]);
    assert.deepEqual(kinds(session.received(T0, fillsFrame())), ["message"]);
  });

  it("leaves for good when the goodbye is not answered", () => {
    const session = live([fills()]);
    session.remove(T0, fills());
    session.received(T0 + 9_000, PONG);
    runTo(session, T0 + 10_000);
    assert.deepEqual(session.subscriptions(), []);
  });
});
