import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newTurn, Turns, type Waiting } from "../../../src/sync/turns.ts";

const POLL_MS = 15_000;
const GLANCE_MS = 200;
const READING_MS = 7_500;

interface One extends Waiting {
  name: string;
  /** It moves this often; null for never. */
  movesMs: number | null;
  movedMs: number;
  endsMs: number;
  sinceMs: number;
  glances: number[];
  readings: number[];
}

const account = (name: string, score: number, movesMs: number | null = null): One => ({
  ...{ name, turn: newTurn(0), score, movesMs, movedMs: 0, endsMs: 0, sinceMs: 0 },
  ...{ glances: [], readings: [] },
});

/** One thing at a time, as a budget of 20 weight a second lets it: a glance of 4, a reading of 150. */
function play(all: One[], toMs: number) {
  const turns = new Turns(POLL_MS);
  let freeMs = 0;
  for (let nowMs = 0; nowMs < toMs; nowMs += 100) {
    for (const one of all) {
      if (one.movesMs !== null && nowMs % one.movesMs === 0) one.movedMs = nowMs;
      if (one.turn.isGlanced && one.glances.at(-1)! + GLANCE_MS <= nowMs) {
        one.turn.isGlanced = false;
        if (one.movedMs > one.sinceMs) turns.moved(one, nowMs);
      }
      if (one.turn.reading === null || one.endsMs > nowMs) continue;
      one.turn.reading = null;
      turns.read(one, one.sinceMs);
    }
    for (let next = turns.next(all, nowMs); next !== null; next = turns.next(all, nowMs)) {
      const { one, isGlance } = next;
      (isGlance ? one.glances : one.readings).push(nowMs);
      // A glance goes at once, and what waits for the budget later.
      freeMs = Math.max(freeMs, nowMs) + (isGlance ? GLANCE_MS : READING_MS);
      if (!isGlance) Object.assign(one, { sinceMs: nowMs, endsMs: freeMs });
    }
  }
}

/** A reading asks for the states too. */
const looks = ({ glances, readings }: One) => [...glances, ...readings].sort((a, b) => a - b);

/** Longest time between two of these. */
const worst = (times: number[]) => Math.max(...times.slice(1).map((atMs, n) => atMs - times[n]!));

describe("turns of accounts without a stream", () => {
  it("glance once in pollMs and read the quiet rarely, the lively each time, where the budget allows", () => {
    const quiet = account("quiet", 0);
    const lively = account("lively", 3);
    play([quiet, lively], 240_000);
    assert.ok(worst(looks(quiet)) <= POLL_MS + 1_000, `${quiet.glances}`);
    assert.ok(quiet.readings.length >= 2 && quiet.readings.length <= 3, `${quiet.readings}`);
    assert.ok(lively.readings.length >= 12, `${lively.readings}`);
  });

  it("read at once what moved", () => {
    const one = account("one", 0, 70_000);
    play([one], 100_000);
    const [first, second] = one.readings;
    assert.equal(first, 0);
    assert.ok(second! >= 70_000 && second! <= 70_000 + POLL_MS + 1_000, `${one.readings}`);
  });

  it("take first readings at once, as many as are taken over in a second", () => {
    const all = Array.from({ length: 25 }, (_, n) => account(`${n}`, 0));
    play(all, 100);
    assert.equal(all.filter(({ readings }) => readings.length === 1).length, 20);
  });

  it("starve neither glances nor readings, where all moves all the time", () => {
    const all = Array.from({ length: 100 }, (_, n) => account(`${n}`, n < 10 ? 500 : 0, 1_000));
    play(all, 7_200_000);
    const steady = (times: number[]) => times.filter((atMs) => atMs > 1_800_000);
    for (const one of all) {
      const { name, readings } = one;
      assert.ok(worst(steady(looks(one))) < 120_000, `${name} looked at after ${worst(steady(looks(one)))}`);
      assert.ok(worst(steady(readings)) < 1_800_000, `${name} read after ${worst(steady(readings))}`);
    }
    const count = (of: One[]) =>
      of.reduce((sum, { readings }) => sum + steady(readings).length, 0) / of.length;
    assert.ok(count(all.slice(0, 10)) > 1.3 * count(all.slice(10)), "the livelier, the sooner");
  });

  it("ask one that cannot be read again after pollMs, and in between the others", () => {
    const turns = new Turns(POLL_MS);
    const failing = account("failing", 0);
    assert.deepEqual(turns.next([failing], 0), { one: failing, isGlance: false });
    failing.turn.reading = null;
    assert.equal(turns.next([failing], 1_000), null, "neither read nor glanced at");
    assert.equal(turns.nextDueMs([failing], 1_000), POLL_MS);
    assert.deepEqual(turns.next([failing], POLL_MS), { one: failing, isGlance: false });
    assert.equal(failing.turn.reading, "first");
  });

  it("glance at one whose reading waits for the budget", () => {
    const turns = new Turns(POLL_MS);
    const one = account("one", 3);
    turns.next([one], 0);
    one.turn.reading = null;
    turns.read(one, 0);
    assert.deepEqual(turns.next([one], POLL_MS), { one, isGlance: false });
    assert.equal(turns.next([one], 2 * POLL_MS - 1), null);
    assert.deepEqual(turns.next([one], 2 * POLL_MS), { one, isGlance: true });
    // What it saw is not in that reading.
    turns.moved(one, 2 * POLL_MS);
    one.turn.reading = null;
    turns.read(one, POLL_MS);
    assert.deepEqual(turns.next([one], 2 * POLL_MS), { one, isGlance: false });
  });
});
