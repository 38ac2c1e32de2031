import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject, VenueEvent } from "../../../src/simulator/contract.ts";
import { type FaultRule, Faults } from "../../../src/simulator/faults.ts";
import { VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import { OTHER, START_MS, setUp, USER } from "./harness.ts";

const IP = "10.0.0.1";
const fill = (tid: number, user = USER): VenueEvent => ({ type: "fill", user, fill: { tid } });
const tids = (frames: { channel: string; data: Json }[], channel = "userFills") =>
  frames
    .filter((frame) => frame.channel === channel)
    .flatMap(({ data }) => ((data as JsonObject).fills as { tid: number }[]).map(({ tid }) => tid));

/** A client that follows a user's fills on two channels, behind these faults. */
function following(...faults: FaultRule[]) {
  const parts = setUp();
  const connection = parts.client();
  connection.subscribe({ type: "userFills", user: USER });
  connection.subscribe({ type: "userEvents", user: USER });
  connection.take();
  for (const rule of faults) parts.gateway.faults.add(rule);
  return { ...parts, connection };
}

describe("decisions", () => {
  it("are the same for the same seed, subject and attempt, whatever else happens in between", () => {
    const seed = 5;
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (faultSeed, rate) => {
        const make = () =>
          new Faults({ seed: faultSeed, clock: new VirtualClock(0), rules: [{ fault: "drop", rate }] });
        const subject = { channel: "userFills", user: USER, ip: IP };
        const [plain, disturbed] = [make(), make()];
        for (let attempt = 0; attempt < 20; attempt++) {
          disturbed.frame({ ...subject, channel: "trades" });
          assert.equal(plain.frame(subject) === null, disturbed.frame(subject) === null);
        }
      }),
      { seed, numRuns: 100 },
    );
  });

  it("happen about as often as the rate says", () => {
    const faults = new Faults({ seed: 1, clock: new VirtualClock(0), rules: [{ fault: "drop", rate: 0.2 }] });
    let dropped = 0;
    for (let attempt = 0; attempt < 10_000; attempt++) {
      if (faults.frame({ channel: "trades", ip: IP }) !== null) dropped++;
    }
    assert.ok(dropped > 1_850 && dropped < 2_150, `${dropped} of 10000`);
    assert.deepEqual(faults.counts(), { drop: dropped });
  });

  it("refuse a rule that makes no sense, and one too many", () => {
    const faults = new Faults({ seed: 1, clock: new VirtualClock(0) });
    for (const rule of [
      { fault: "explode" },
      { fault: "drop", rate: 2 },
      { fault: "drop", times: 0 },
      { fault: "drop", skip: -1 },
      { fault: "delay", ms: -5 },
    ]) {
      assert.throws(() => faults.add(rule as FaultRule), RangeError, JSON.stringify(rule));
    }
    for (let count = 0; count < 1_000; count++) faults.add({ fault: "drop" });
    assert.throws(() => faults.add({ fault: "drop" }), /more than 1000/);
  });
});

describe("a script", () => {
  it("drops the next userFills frame of one user, and nothing else", () => {
    const { venue, connection } = following({ fault: "drop", channel: "userFills", user: USER, times: 1 });
    venue.block(START_MS + 100, [fill(1), fill(9, OTHER)]);
    venue.block(START_MS + 200, [fill(2)]);
    const frames = connection.take();
    assert.deepEqual(tids(frames), [2]);
    assert.deepEqual(tids(frames, "user"), [1, 2]);
  });

  it("knows whose frame it is also where the frame does not say", () => {
    const { venue, connection } = following({ fault: "drop", channel: "user", user: OTHER });
    venue.block(START_MS + 100, [fill(1)]);
    assert.deepEqual(tids(connection.take(), "user"), [1]);
  });

  it("lets some pass first, and ends with its window", async () => {
    const { venue, connection, clock } = following({
      fault: "drop",
      channel: "userFills",
      skip: 1,
      untilMs: START_MS + 1_000,
    });
    venue.block(START_MS + 100, [fill(1)]);
    venue.block(START_MS + 200, [fill(2)]);
    await clock.advanceTo(START_MS + 1_000);
    venue.block(START_MS + 1_000, [fill(3)]);
    assert.deepEqual(tids(connection.take()), [1, 3]);
  });
});

describe("faulty frames", () => {
  const channel = "userFills";

  it("come twice", () => {
    const { venue, connection } = following({ fault: "duplicate", channel, times: 1 });
    venue.block(START_MS + 100, [fill(1)]);
    venue.block(START_MS + 200, [fill(2)]);
    assert.deepEqual(tids(connection.take()), [1, 1, 2]);
  });

  it("come late, overtaken by the next", async () => {
    const { venue, connection, clock } = following({ fault: "delay", channel, ms: 1_000, times: 1 });
    venue.block(START_MS + 100, [fill(1)]);
    venue.block(START_MS + 200, [fill(2)]);
    assert.deepEqual(tids(connection.take()), [2]);
    await clock.advanceBy(1_500);
    assert.deepEqual(tids(connection.take()), [1]);
  });

  it("change places with the next frame of whatever channel, and come anyway when none follows", async () => {
    const { venue, connection, clock, gateway } = following();
    venue.block(START_MS + 100, [fill(1)]);
    assert.deepEqual(
      connection.take().map((frame) => frame.channel),
      ["user", "userFills"],
      "in every other block userEvents come first",
    );
    venue.block(START_MS + 200, []);
    gateway.faults.add({ fault: "reorder", channel: "user", times: 2, ms: 500 });
    venue.block(START_MS + 300, [fill(2)]);
    assert.deepEqual(
      connection.take().map((frame) => frame.channel),
      ["userFills", "user"],
    );
    venue.block(START_MS + 400, [fill(3)]);
    assert.deepEqual(
      connection.take().map((frame) => frame.channel),
      ["userFills"],
    );
    await clock.advanceBy(500);
    assert.deepEqual(tids(connection.take(), "user"), [3]);
  });

  it("are unreadable, in every variant without the frame itself", () => {
    const { venue, connection } = following({ fault: "malform", channel });
    for (let tid = 1; tid <= 200; tid++) venue.block(START_MS + tid, [fill(tid)]);
    const texts = connection.texts.filter((text) => !text.startsWith('{"channel":"user",'));
    assert.equal(texts.length, 200);
    assert.ok(new Set(texts.map((text) => text.replace(/\d+/g, "#"))).size >= 7, "all variants occur");
  });

  it("have unknown keys, after a frame of an unknown channel, and still say what they said", () => {
    const { venue, connection } = following({ fault: "unknownShape", channel });
    venue.block(START_MS + 100, [fill(1)]);
    const frames = connection.take();
    assert.ok(frames.some((frame) => frame.channel === "somethingNew"));
    assert.deepEqual(tids(frames), [1]);
    const data = frames.find((frame) => frame.channel === "userFills")!.data as JsonObject;
    assert.ok("addedLater" in data);
  });
});

describe("faulty connections", () => {
  it("break without a close frame, before the frame", () => {
    const { venue, connection, gateway } = following({ fault: "cut", channel: "userFills", times: 1 });
    venue.block(START_MS + 100, [fill(1)]);
    venue.block(START_MS + 200, [fill(2)]);
    assert.deepEqual(connection.ended, ["terminated"]);
    assert.deepEqual(tids(connection.take()), []);
    assert.equal(gateway.sessions().length, 0);
  });

  it("close with Expired", () => {
    const { venue, connection } = following({ fault: "expire", times: 1 });
    venue.block(START_MS + 100, [fill(1)]);
    assert.deepEqual(connection.ended, ["close 1000 Expired"]);
  });

  it("stay open and dead: pings go unanswered, and the server forgets them after a minute", async () => {
    const { venue, connection, clock, gateway } = following({ fault: "halfOpen", times: 1 });
    venue.block(START_MS + 100, [fill(1)]);
    connection.send({ method: "ping" });
    venue.block(START_MS + 200, [fill(2)]);
    assert.deepEqual(connection.take(), []);
    assert.deepEqual(connection.ended, ["frozen"]);
    await clock.advanceBy(60_000);
    assert.equal(gateway.sessions().length, 0);
    assert.deepEqual(connection.ended, ["frozen"], "and the client is not told");
  });

  it("are refused during an outage, requests included", async () => {
    const { gateway, clock } = setUp();
    gateway.faults.add({ fault: "refuse", untilMs: START_MS + 3_000 });
    assert.deepEqual(gateway.admit(IP), { admitted: false, status: 0 });
    assert.equal(gateway.http("/info", "{}", IP).breaks, "before");
    await clock.advanceBy(3_000);
    assert.deepEqual(gateway.admit(IP), { admitted: true });
  });
});

describe("sockets alone", () => {
  it("are refused while requests are answered", async () => {
    const { gateway, venue, clock } = setUp();
    venue.answers.set("meta", { universe: [] });
    gateway.faults.add({ fault: "refuseSockets", untilMs: START_MS + 3_000 });
    assert.deepEqual(gateway.admit(IP), { admitted: false, status: 0 });
    assert.equal(gateway.http("/info", '{"type":"meta"}', IP).status, 200);
    await clock.advanceBy(3_000);
    assert.deepEqual(gateway.admit(IP), { admitted: true });
  });
});

describe("faulty answers", () => {
  const ask = (rule: FaultRule) => {
    const { gateway, venue } = setUp({ faults: [rule] });
    venue.answers.set("meta", { universe: [] });
    return gateway.http("/info", '{"type":"meta"}', IP);
  };

  it("are those of the venue and of what stands before it", () => {
    assert.deepEqual([ask({ fault: "http429" }).status, ask({ fault: "http429" }).body], [429, "null"]);
    assert.deepEqual([ask({ fault: "http500" }).status, ask({ fault: "http500" }).body], [500, "null"]);
    const gatewayError = ask({ fault: "http502" });
    assert.equal(gatewayError.status, 502);
    assert.match(gatewayError.body, /^<html>/);
    assert.equal(gatewayError.headers["content-type"], "text/html");
  });

  it("break off, are lost after the deed, or come late", () => {
    assert.equal(ask({ fault: "truncate" }).breaks, "midway");
    assert.equal(ask({ fault: "reset" }).breaks, "before");
    assert.equal(ask({ fault: "slow", ms: 700 }).lateMs, 700);
  });

  it("strike one request type only when told so", () => {
    assert.equal(ask({ fault: "http500", request: "userFills" }).status, 200);
    assert.equal(ask({ fault: "http500", request: "meta" }).status, 500);
  });

  it("are stale: lists end earlier, states are those of a while ago", () => {
    const { gateway, venue } = setUp({ faults: [{ fault: "stale", ms: 1_000 }] });
    venue.answers.set("userFills", [{ time: START_MS + 2_500 }, { time: START_MS + 500 }]);
    let value = 1;
    venue.answers.set("clearinghouseState", () => ({ status: 200, body: { value } }));
    const body = (type: string) => JSON.parse(gateway.http("/info", JSON.stringify({ type }), IP).body);
    assert.deepEqual(body("clearinghouseState"), { value: 1 });
    venue.block(START_MS + 1_000, []);
    value = 2;
    venue.block(START_MS + 2_000, []);
    assert.deepEqual(body("clearinghouseState"), { value: 1 });
    venue.block(START_MS + 3_000, []);
    assert.deepEqual(body("userFills"), [{ time: START_MS + 500 }]);
    assert.deepEqual(body("clearinghouseState"), { value: 2 });
  });
});
