/** Which source a batch's rows are counted under. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { rowSources } from "../../../src/sync/rowSources.ts";
import { fillOf, fundingOf, orderEventOf } from "../../contract/rows.ts";

it("rows are counted under the source that brought them, a table at a time", () => {
  const sources = rowSources({
    fills: [fillOf({ source: "backfill" }), fillOf({ source: "backfill", tradeId: 2 })],
    funding: [fundingOf({ source: "repair" })],
  });
  assert.equal(sources.hl_fills, "backfill");
  assert.equal(sources.hl_orders, "backfill");
  assert.equal(sources.hl_funding, "repair");
  assert.equal(sources.hl_positions, "snapshot");
});

it("rows of several sources in one batch are counted as mixed, orders by the fills and transitions they follow from", () => {
  const sources = rowSources({
    fills: [fillOf({ source: "snapshot" }), fillOf({ source: "stream", tradeId: 2 })],
    orderEvents: [orderEventOf({ source: "stream" })],
  });
  assert.deepEqual(
    [sources.hl_fills, sources.hl_order_events, sources.hl_orders],
    ["mixed", "stream", "mixed"],
  );
});
