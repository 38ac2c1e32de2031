/** A session under any order of anything: what it promises whatever happens. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { Session, type SessionAction } from "../../../src/connection/session.ts";
import { SlidingWindow } from "../../../src/connection/slidingWindow.ts";
import { type Subscription, subscriptionKey } from "../../../src/protocol/channels.ts";

const T0 = 1_790_000_000_000;
const USERS = ["a", "b", "c"].map((letter) => `0x${letter.repeat(40)}`);
const POOL: Subscription[] = [
  ...USERS.map((user) => ({ type: "userFills", user })),
  ...USERS.map((user) => ({ type: "clearinghouseState", user, dex: "" })),
  ...USERS.map((user) => ({ type: "openOrders", user, dex: "xyz" })),
  { type: "orderUpdates", user: USERS[0] },
  { type: "webData2", user: USERS[0] },
  { type: "trades", coin: "BTC" },
  { type: "l2Book", coin: "BTC" },
];

const subscription = fc.constantFrom(...POOL);
const json = (channel: string, data: unknown) => JSON.stringify({ channel, data });
const frame = fc.oneof(
  subscription.map((s) => json("subscriptionResponse", { method: "subscribe", subscription: s })),
  subscription.map((s) => json("subscriptionResponse", { method: "unsubscribe", subscription: s })),
  fc
    .tuple(
      fc.constantFrom(
        "Already subscribed: ",
        "Already unsubscribed: ",
        "Invalid subscription ",
        "Error parsing JSON into valid websocket request: ",
      ),
      subscription,
    )
    .map(([text, s]) => json("error", text + JSON.stringify(s))),
  fc
    .constantFrom(
      "Cannot track more than 10 total users.",
      "Cannot subscribe to more than 1000 channels.",
      "Cannot send more than 2000 messages per minute.",
      "Something new",
    )
    .map((text) => json("error", text)),
  fc.constant(json("pong", undefined)),
  fc.constantFrom(...USERS).map((user) => json("userFills", { user, fills: [] })),
  fc.constantFrom(...USERS).map((user) => json("openOrders", { user, dex: "xyz", orders: [] })),
  fc
    .constantFrom("userFills", "clearinghouseState", "trades", "l2Book", "novelty")
    .chain((channel) => fc.json({ maxDepth: 2 }).map((text) => `{"channel":"${channel}","data":${text}}`)),
  fc.string(),
);

type Event =
  | { do: "frame"; text: string }
  | { do: "due" }
  | { do: "wait"; ms: number }
  | { do: "add" | "remove"; subscription: Subscription };
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: frame.map((text): Event => ({ do: "frame", text })) },
  { weight: 4, arbitrary: fc.constant<Event>({ do: "due" }) },
  {
    weight: 2,
    arbitrary: fc.integer({ min: -100_000, max: 100_000 }).map((ms): Event => ({ do: "wait", ms })),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("add", "remove"), subscription }) as fc.Arbitrary<Event>,
  },
);

it("keeps its promises under any order of frames, ticks, clock steps, additions and removals", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(subscription, { maxLength: 8, selector: subscriptionKey }),
      fc.array(event, { maxLength: 120 }),
      fc.array(subscription, { maxLength: 3 }),
      (wanted, events, blamed) => {
        const messages = new SlidingWindow(250, 61_000);
        const blamedKeys = new Set(blamed.map(subscriptionKey));
        const options = { subscriptions: wanted, messages, blamed: blamedKeys, refused: new Set<string>() };
        const session = new Session({ startedAtMs: T0, ...options });
        const wantedNow = new Set(wanted.map(subscriptionKey));
        let nowMs = T0;
        let announcements = 0;
        let isOver = false;
        const check = (actions: SessionAction[]) => {
          assert.ok(!isOver || actions.length === 0, "silent once it is over");
          for (const action of actions) {
            if (action.type === "allConfirmed") announcements += 1;
            if (action.type === "terminate") isOver = true;
            if (action.type === "message") assert.ok(wantedNow.has(subscriptionKey(action.subscription)));
          }
          const dueMs = session.dueMs();
          assert.equal(dueMs === null, isOver);
          if (dueMs !== null) assert.ok(dueMs - nowMs <= 12_000, "always awake within twelve seconds");
          for (const { state, subscription: held } of session.subscriptions()) {
            assert.ok(state === "leaving" || isOver || wantedNow.has(subscriptionKey(held)));
          }
        };
        check(session.opened(nowMs));
        for (const step of events) {
          if (step.do === "frame") check(session.received(nowMs, step.text));
          else if (step.do === "wait") nowMs += step.ms;
          else if (step.do === "due") {
            nowMs = Math.max(nowMs, session.dueMs() ?? nowMs);
            check(session.tick(nowMs));
          } else {
            const key = subscriptionKey(step.subscription);
            if (step.do === "add") wantedNow.add(key);
            else wantedNow.delete(key);
            check(session[step.do](nowMs, step.subscription));
          }
        }
        assert.ok(announcements <= 1);
        // Left to itself, in silence, it ends.
        for (let turns = 0; !isOver; turns++) {
          assert.ok(turns < 50, "it must end");
          nowMs = Math.max(nowMs, session.dueMs()!);
          check(session.tick(nowMs));
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
