import assert from "node:assert/strict";
import { it } from "node:test";
import { Activity } from "../../../src/sync/activity.ts";

const NOW = 1_790_000_000_000;
const MINUTE_MS = 60_000;

it("counts changes, those of ten minutes ago for half, and history for nothing", () => {
  const activity = new Activity();
  for (let n = 0; n < 4; n++) activity.note("a", NOW - n, NOW);
  activity.note("b", NOW - 86_400_000, NOW);
  assert.equal(activity.of("a", NOW), 4);
  assert.equal(activity.of("a", NOW + 10 * MINUTE_MS), 2);
  assert.equal(activity.of("b", NOW), 0);
  assert.equal(activity.of("c", NOW), 0);
  activity.note("a", NOW + 20 * MINUTE_MS, NOW + 20 * MINUTE_MS);
  assert.equal(activity.of("a", NOW + 20 * MINUTE_MS), 2);
  assert.equal(activity.of("a", NOW - MINUTE_MS), 2, "a clock that was stepped back makes nobody livelier");
});
