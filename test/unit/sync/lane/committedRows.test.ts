import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CommittedRows } from "../../../../src/sync/lane/committedRows.ts";
import { fill, transition } from "../rows.ts";

describe("rows committed from the stream", () => {
  it("are not written again, whichever channel brings them and whenever", () => {
    const committed = new CommittedRows();
    committed.add({ fills: [fill({ timeMs: 1 })], orderEvents: [transition(1, "open")] });
    const again = {
      fills: [fill({ timeMs: 1, source: "snapshot", seenAtMs: 99 }), fill({ timeMs: 2 })],
      orderEvents: [transition(1, "open", { seenAtMs: 99 }), transition(1, "filled")],
    };
    const fresh = committed.without(again);
    assert.deepEqual(
      [fresh.fills?.map(({ timeMs }) => timeMs), fresh.orderEvents?.map(({ venueStatus }) => venueStatus)],
      [[2], ["filled"]],
    );
  });

  it("are written again with other content, and once where a batch repeats them", () => {
    const committed = new CommittedRows();
    committed.add({ fills: [fill({ timeMs: 1 })] });
    const richer = fill({ timeMs: 1, builderFee: "0.1" });
    assert.deepEqual(committed.without({ fills: [richer, richer] }).fills, [richer]);
  });

  it("keep what else is in the batch, and remember nothing that was not committed", () => {
    const committed = new CommittedRows();
    const batch = { fills: [fill({ timeMs: 1 })], quarantine: [] };
    assert.deepEqual(committed.without(batch).quarantine, []);
    assert.equal(committed.without(batch).fills?.length, 1);
  });

  it("are forgotten from the oldest on", () => {
    const committed = new CommittedRows(2);
    const fills = [1, 2, 3].map((timeMs) => fill({ timeMs }));
    for (const row of fills) committed.add({ fills: [row] });
    assert.deepEqual(
      committed.without({ fills }).fills?.map(({ timeMs }) => timeMs),
      [1],
    );
  });
});
