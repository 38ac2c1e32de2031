import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readFrame } from "../../../../src/protocol/channels.ts";
import type { Unread } from "../../../../src/protocol/decode.ts";
import type { WireSpotState, WireStateParts } from "../../../../src/protocol/schemas.ts";
import { stringify } from "../../../../src/runtime/jsonText.ts";
import { silentLog } from "../../../../src/runtime/log.ts";
import { StateBook } from "../../../../src/sync/account/states.ts";
import { dashboardRow } from "../../../../src/sync/accountSnapshot.ts";
import { CASH_GRACE_MS, CashCheck } from "../../../../src/sync/cashCheck.ts";
import { Dexes } from "../../../../src/sync/dexes.ts";
import { HealthWatch } from "../../../../src/sync/healthWatch.ts";
import { Markets } from "../../../../src/sync/markets.ts";
import { Prices } from "../../../../src/sync/prices.ts";
import { SelfCheck } from "../../../../src/sync/selfCheck.ts";
import { Volatilities } from "../../../../src/sync/volatility.ts";
import { emptyStore } from "../../../support/emptyStore.ts";
import { HandClock } from "../../connection/handClock.ts";
import { perpState, spotState } from "../healthStates.ts";
import { fill } from "../rows.ts";
import { NOW, USER, venue } from "./rig.ts";

const LOST: Unread = { kind: "row", raw: {}, reason: "odd" };
const FIELD: Unread = { kind: "field", raw: {}, reason: "odd" };
const BTC = { coin: "BTC", size: "1", mark: "100", maxLeverage: 40 };

async function states(dexNames: (string | null)[] = [null, "xyz"]) {
  const clock = new HandClock(NOW);
  const { info } = venue(clock, { perpDexs: dexNames.map((name) => (name === null ? null : { name })) });
  const own = { clock, info, log: silentLog, store: emptyStore(), commit: async () => {} };
  const dexes = new Dexes(own);
  await dexes.open(new AbortController().signal);
  const check = new SelfCheck(2_500);
  const cash = new CashCheck(CASH_GRACE_MS);
  const health = new HealthWatch({
    ...own,
    account: USER,
    volatilities: new Volatilities(own),
    prices: new Prices(own),
    markets: new Markets(own),
  });
  const book = new StateBook({ account: USER, clock, dexes, check, cash, health });
  const perp = (dex: string, value: WireStateParts, unread: Unread[] = [], atMs = NOW) =>
    book.takePerp(dex, { value, raw: value, unread }, atMs);
  const spot = (value: WireSpotState, unread: Unread[] = []) =>
    book.takeSpot({ value, raw: value, unread }, NOW, NOW - 5);
  return { book, check, cash, clock, perp, spot };
}

describe("the state of a perp dex", () => {
  it("goes to the database with the list of what it holds", async () => {
    const { perp } = await states();
    const { positions, states: rows } = perp("", perpState("1000", [BTC], NOW - 7));
    assert.deepEqual(
      positions?.map(({ coin, szi }) => [coin, szi]),
      [["BTC", "1"]],
    );
    assert.deepEqual(rows, [
      { account: USER, kind: "perp", dex: "", coins: ["BTC"], asOfMs: NOW - 7, receivedAtMs: NOW },
    ]);
  });

  it("is kept as the venue wrote it, keys that no schema names included, when it was read from the text of a frame", async () => {
    const { book } = await states();
    const { time, ...told } = perpState("1000", [BTC], NOW - 7);
    const written = { ...told, time, venueFlag: "new" };
    const text = (state: object) =>
      JSON.stringify({
        channel: "clearinghouseState",
        data: { dex: "", user: USER, clearinghouseState: state },
      });
    const taken = (state: object) => {
      const frame = readFrame(text(state));
      assert.ok(frame.type === "data" && frame.reading.content.type === "clearinghouseState");
      const { positions } = book.takePerp("", frame.reading.content.state, NOW);
      const { raw } = dashboardRow(book.watched(NOW, NOW));
      return JSON.parse(stringify({ raw, positions: positions?.map((row) => row.raw) }));
    };
    const position = { ...told.assetPositions[0]!.position, adl: "3" };
    for (const state of [written, { ...written, assetPositions: [{ type: "oneWay", position }] }]) {
      assert.deepEqual(taken(state), {
        raw: { perps: { "": state }, spot: null },
        positions: state.assetPositions.map((row) => row.position),
      });
    }
  });

  it("is not taken from an answer that holds positions of another: they and its money would count twice", async () => {
    for (const [dex, coin] of [
      ["xyz", "BTC"],
      ["xyz", "abc:BTC"],
      ["", "xyz:BTC"],
    ] as const) {
      const { book, check, perp } = await states();
      perp("", perpState("1000", [], NOW));
      perp("xyz", perpState("0", [], NOW));
      const {
        positions,
        states: rows,
        quarantine,
      } = perp(dex, perpState("700", [{ ...BTC, coin }], NOW + 1));
      assert.deepEqual([positions, rows, book.positions()], [undefined, undefined, []]);
      assert.match(quarantine![0]!.reason, /holds .*BTC: it is that of another/);
      assert.deepEqual(check.ripe(NOW + 60_000), []);
    }
  });

  it("that was not read whole closes nothing, and what is reckoned goes on with the last that was", async () => {
    const { book, perp } = await states();
    perp("", perpState("1000", [BTC], NOW - 7));
    const { states: rows } = perp("", perpState("5", [], NOW), [LOST]);
    assert.deepEqual(
      rows?.map(({ coins }) => coins),
      [null],
    );
    assert.equal(
      book.watched(NOW, NOW).perps.get("")?.marginSummary.accountValue,
      perpState("1000", [BTC]).marginSummary.accountValue,
    );
    assert.equal(book.positions().length, 1);
    // A field that was not read makes no list incomplete.
    assert.deepEqual(perp("", perpState("1000", [], NOW), [FIELD]).states?.[0]?.coins, []);
  });

  it("without a time is as old as its arrival", async () => {
    const { perp } = await states();
    const { time: _time, ...value } = perpState("1000", []);
    assert.equal(perp("", value, [], NOW + 3).states?.[0]?.asOfMs, NOW + 3);
  });

  it("tells the self-check where the positions are", async () => {
    const { check, perp } = await states();
    check.noteFills([fill({ timeMs: NOW - 100 })], NOW);
    perp("", perpState("1000", [{ ...BTC, size: "3" }], NOW));
    assert.ok(check.ripe(NOW + 2_500).some(({ key }) => key === "position:BTC"));
  });

  it("makes a dex one that is used, where it has money, a position, or rows that could not be read", async () => {
    const cases: [WireStateParts, Unread[], boolean][] = [
      [perpState("0", []), [], false],
      [perpState("1", []), [], true],
      [perpState("0", [{ ...BTC, coin: "xyz:AAPL" }]), [], true],
      [perpState("0", []), [LOST], true],
    ];
    for (const [value, unread, isUsed] of cases) {
      const { book, perp } = await states();
      assert.deepEqual([book.isUsed(""), book.isUsed("xyz")], [true, false]);
      perp("xyz", value, unread);
      assert.equal(book.isUsed("xyz"), isUsed);
    }
  });
});

describe("the state of spot", () => {
  it("has no time of its own: it is of the venue's present", async () => {
    const { spot } = await states();
    const { balances, states: rows } = spot(spotState([{ coin: "HYPE", token: 150, total: "2" }]));
    assert.deepEqual(
      balances?.map(({ coin, total, asOfMs }) => [coin, total, asOfMs]),
      [["HYPE", "2", NOW - 5]],
    );
    assert.deepEqual(rows, [
      { account: USER, kind: "spot", dex: "", coins: ["HYPE"], asOfMs: NOW - 5, receivedAtMs: NOW },
    ]);
    assert.equal(spot(spotState([]), [LOST]).states?.[0]?.coins, null);
  });

  it("is suspected where a balance moves alone, but not where it was not read whole", async () => {
    const { cash, spot } = await states();
    const ripe = () => cash.ripe(NOW + CASH_GRACE_MS).map(({ key }) => key);
    spot(spotState([{ coin: "HYPE", token: 150, total: "2" }]));
    spot(spotState([]), [LOST]);
    assert.deepEqual(ripe(), []);
    spot(spotState([{ coin: "HYPE", token: 150, total: "3" }]));
    assert.deepEqual(ripe(), ["balance:HYPE"]);
  });
});

describe("the states together", () => {
  it("are complete when every dex in use was told, and spot where dollars are or may be collateral", async () => {
    const { book, perp, spot } = await states();
    perp("", perpState("1", []));
    assert.equal(book.isComplete, false, "the mode is not known yet");
    book.noteAbstraction("default");
    assert.equal(book.isComplete, true);
    book.noteUsed("xyz");
    assert.equal(book.isComplete, false);
    perp("xyz", perpState("1", []));
    assert.equal(book.isComplete, true);
    book.noteAbstraction("unifiedAccount");
    assert.deepEqual([book.mode, book.isComplete], ["unified", false]);
    spot(spotState([]));
    assert.equal(book.isComplete, true);
  });

  it("are as young as the newest of a dex in use", async () => {
    const { book, perp } = await states();
    perp("", perpState("1", [], NOW - 100));
    perp("xyz", perpState("0", [], NOW - 1));
    assert.equal(book.watched(NOW, NOW).asOfMs, NOW - 100);
    book.noteUsed("xyz");
    const watched = book.watched(NOW - 1, NOW);
    assert.deepEqual(
      [watched.asOfMs, [...watched.dexesInUse], watched.venueTimeMs, watched.venueNowMs],
      [NOW - 1, ["", "xyz"], NOW - 1, NOW],
    );
  });
});
