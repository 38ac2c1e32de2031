/** Times of fills as older programs kept them: one that was cut to the second is not that of the venue's fill. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type LegacyRow, Unread } from "../../../../src/sync/legacy/cells.ts";
import { legacyFill, TimeColumns } from "../../../../src/sync/legacy/rows.ts";
import { ACCOUNT } from "../rows.ts";

const T = Date.UTC(2026, 8, 25, 18, 17, 36, 851);
const SECOND = T - 851;

const row = (n: number, times: LegacyRow, more: LegacyRow = {}): LegacyRow => ({
  account_address: ACCOUNT,
  coin: "BTC",
  side: "buy",
  size: "1",
  price: "2",
  fee: "0.1",
  closed_pnl: "0",
  order_id: "7",
  trade_id: String(n + 1),
  ...times,
  ...more,
});

/** Of each row its time, or why it is not taken. */
function taken(rows: readonly LegacyRow[]): (number | string)[] {
  const times = new TimeColumns();
  times.note(rows);
  const table = { account: null, cutColumns: times.cut };
  return rows.map((one) => {
    try {
      return legacyFill(one, table).timeMs;
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      return error.message;
    }
  });
}
const iso = (ms: number) => new Date(ms).toISOString();
/** `whole` of `all` times at a whole second. */
const mixed = (whole: number, all: number, timesOf: (ms: number) => LegacyRow) =>
  Array.from({ length: all }, (_, n) => row(n, timesOf(n < whole ? SECOND + n * 1_000 : T + n * 1_000)));

describe("the time of a fill that an older program kept", () => {
  it("is refused where its column promises milliseconds and has seconds", () => {
    for (const seconds of [String(SECOND / 1_000), `${SECOND / 1_000}.0`, "1790360256.851"])
      assert.deepEqual(taken([row(0, { fill_time_ms: seconds, fill_time: iso(T) })]), [
        "fill_time_ms is not in milliseconds",
      ]);
    assert.deepEqual(taken([row(0, { fill_time_ms: String(T) }), row(1, { time_ms: `${T}000` })]), [T, T]);
  });

  it("is refused where it stands at a whole second, as all of its column do", () => {
    for (const [column, value] of [
      ["fill_time", iso(SECOND)],
      ["fill_time", String(SECOND / 1_000)],
      ["timestamp", String(SECOND)],
      ["fill_time_ms", String(SECOND)],
    ] as const)
      assert.deepEqual(taken([row(0, { [column]: value }), row(1, { [column]: value })]), [
        `${column} was cut to the second`,
        `${column} was cut to the second`,
      ]);
  });

  it("is refused where whole seconds are more than chance, though others have a fraction", () => {
    for (const [whole, all] of [
      [9, 10],
      [29, 30],
      [2, 30],
    ] as const) {
      const told = taken(mixed(whole, all, (ms) => ({ fill_time: iso(ms) })));
      assert.deepEqual(told.slice(0, whole), Array(whole).fill("fill_time was cut to the second"));
      assert.ok(told.slice(whole).every((ms) => typeof ms === "number"));
    }
  });

  it("is believed where whole seconds are as rare as chance has them", () => {
    for (const [whole, all] of [
      [1, 2],
      [1, 100],
      [5, 100],
    ] as const)
      assert.ok(taken(mixed(whole, all, (ms) => ({ fill_time: iso(ms) }))).every((ms) => Number(ms) > 0));
  });

  it("is judged by the column that is used: another one proves nothing of it", () => {
    const cut = mixed(20, 20, (ms) => ({ fill_time: iso(ms), timestamp: iso(T) }));
    const whole = mixed(0, 40, (ms) => ({ fill_time: null, timestamp: iso(ms) }));
    const told = taken([...cut, ...whole]);
    assert.deepEqual(told.slice(0, 20), Array(20).fill("fill_time was cut to the second"));
    assert.ok(told.slice(20).every((ms) => typeof ms === "number"));
  });

  it("is the venue's own where that was kept, and that of a row which hlsync made of an export", () => {
    const raw = JSON.stringify({
      ...{ coin: "BTC", px: "2", sz: "1", side: "B", time: T, startPosition: "0", dir: "Open Long" },
      ...{ closedPnl: "0", hash: `0x${"1".repeat(64)}`, oid: 7, crossed: true, fee: "0.1", tid: 9 },
      feeToken: "USDC",
    });
    const cut = { fill_time: iso(SECOND) };
    assert.deepEqual(taken([row(0, cut, { raw_fill: raw }), row(1, cut, { trade_id: "-12" }), row(2, cut)]), [
      T,
      SECOND,
      "fill_time was cut to the second",
    ]);
  });
});
