import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withoutFutureRows } from "../../../src/sync/futureRows.ts";
import { ACCOUNT, fill, transition } from "./rows.ts";

const NOW = 1_790_000_000_000;
const LATEST = NOW + 3_600_000;

describe("rows of a time that has not come", () => {
  it("go to quarantine, with what else there is; their neighbours and all else stay", () => {
    const kept = { account: ACCOUNT, subject: "frame", reason: "odd", raw: "{", seenAtMs: NOW };
    const future = [
      fill({ timeMs: LATEST + 1, raw: { time: 1 } }),
      fill({ timeMs: NOW * 1_000, raw: { time: 2 } }),
    ];
    const batch = {
      fills: [future[0]!, fill({ timeMs: LATEST }), future[1]!, fill({ timeMs: NOW })],
      orderEvents: [transition(1, "open", { statusTimeMs: NOW + 86_400_000, raw: { oid: 1 } })],
      mids: [],
      quarantine: [kept],
    };
    const { fills, orderEvents, mids, quarantine } = withoutFutureRows(batch, LATEST, NOW);
    assert.deepEqual(
      fills?.map(({ timeMs }) => timeMs),
      [LATEST, NOW],
    );
    assert.deepEqual([orderEvents, mids], [[], []]);
    assert.deepEqual(
      quarantine?.map(({ subject, reason, raw }) => [subject, reason, raw]),
      [
        ["frame", "odd", "{"],
        ["hl_fills", "a time that has not come", '{"time":1}'],
        ["hl_fills", "a time that has not come", '{"time":2}'],
        ["hl_order_events", "a time that has not come", '{"oid":1}'],
      ],
    );
  });

  it("are looked for at no cost where there are none", () => {
    const batch = { fills: [fill({ timeMs: NOW })], positions: [] };
    assert.equal(withoutFutureRows(batch, LATEST, NOW), batch);
  });
});
