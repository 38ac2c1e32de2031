import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CHANNELS, readFrame } from "../../../src/protocol/channels.ts";
import {
  isRead,
  isWhole,
  readJson,
  readMessage,
  readParts,
  readRows,
  type Unread,
} from "../../../src/protocol/decode.ts";
import { INFO } from "../../../src/protocol/infoRequests.ts";
import { VALUE_LIMITS } from "../../../src/protocol/limits.ts";
import * as wire from "../../../src/protocol/schemas.ts";
import {
  balance,
  fill,
  nested,
  order,
  perpState,
  position,
  T,
  transition,
  USER,
} from "../../support/wires.ts";

const kinds = (unread: readonly Unread[]) => unread.map(({ kind }) => kind);
const reasons = (unread: readonly Unread[]) => unread.map(({ reason }) => reason);

/** What `INFO[request].read` makes of a body that holds something readable. */
// biome-ignore lint/suspicious/noExplicitAny: what is read depends on the request
function read(request: keyof typeof INFO, body: unknown): any {
  const result = INFO[request].read(body) as object;
  assert.ok("value" in result || "rows" in result, "reason" in result ? String(result.reason) : request);
  return result;
}

const jsonOf = (json: { value: unknown } | Unread): unknown => ("value" in json ? json.value : null);
const long = "9".repeat(140_000);

describe("a display field that does not fit", () => {
  const fields: [string, unknown][] = [
    ["liquidationPx", ""],
    ["liquidationPx", "NaN"],
    ["liquidationPx", long],
    ["returnOnEquity", "NaN"],
    ["returnOnEquity", "Infinity"],
    ["leverage", 5],
    ["leverage", { type: "cross", value: "20" }],
    ["leverage", { type: "cross", value: 2.5 }],
    ["leverage", { type: "cross", value: 5e9 }],
    ["leverage", { value: 20 }],
    ["maxLeverage", 2.5],
    ["maxLeverage", "40"],
    ["maxLeverage", 5e9],
    ["entryPx", "1e5"],
    ["entryPx", 100_000],
    ["cumFunding", "0.0"],
    ["cumFunding", []],
  ];
  for (const [field, value] of fields) {
    it(`costs itself in a position: ${field} ${JSON.stringify(value).slice(0, 40)}`, () => {
      const body = perpState([position("BTC", { [field]: value }), position("ETH")]);
      const { value: state, unread } = read("clearinghouseState", body);
      assert.deepEqual(
        state.assetPositions.map((row: { position: { coin: string; szi: string } }) => row.position.coin),
        ["BTC", "ETH"],
      );
      const [btc, eth] = state.assetPositions;
      assert.equal(btc.position[field], undefined);
      assert.deepEqual(eth, position("ETH"));
      assert.deepEqual(kinds(unread), ["field"]);
      assert.ok(isWhole(unread));
      assert.match(unread[0].reason, new RegExp(`^position\\.${field}`));
      assert.deepEqual(
        unread[0].raw,
        { coin: "BTC", [field]: value },
        "the same report however often it is pushed",
      );
    });
  }

  it("costs one part of the funding of a position, not the others", () => {
    const cumFunding = { allTime: "NaN", sinceChange: "1.0", sinceOpen: "2.0" };
    const { value } = read("clearinghouseState", perpState([position("BTC", { cumFunding })]));
    assert.deepEqual(value.assetPositions[0].position.cumFunding, { sinceChange: "1.0", sinceOpen: "2.0" });
  });

  const ofFills: [string, unknown][] = [
    ["dir", 5],
    ["dir", "x".repeat(6_000)],
    ["hash", {}],
    ["builderFee", "NaN"],
    ["cloid", 7],
    ["cloid", "0".repeat(500)],
    ["twapId", "1"],
    ["liquidation", "yes"],
  ];
  for (const [field, value] of ofFills) {
    it(`costs itself in a fill: ${field} ${JSON.stringify(value).slice(0, 40)}`, () => {
      const spoilt = fill({ [field]: value });
      const { rows, unread } = read("userFillsByTime", [fill({ tid: 1 }), spoilt, fill({ tid: 2 })]);
      assert.equal(rows.length, 3);
      assert.equal(rows[1].value[field], undefined);
      assert.equal(rows[1].raw, spoilt, "the row keeps the venue's object");
      assert.deepEqual(kinds(unread), ["field"]);
      assert.equal(unread[0].raw, spoilt, "so that it can be read again after an upgrade");
    });
  }

  it("costs itself in an order, a transition, a payment", () => {
    for (const field of ["cloid", "orderType", "tif", "triggerPx", "reduceOnly", "isTrigger"]) {
      const { rows, unread } = read("historicalOrders", [transition({}, { [field]: {} })]);
      assert.deepEqual([rows.length, kinds(unread)], [1, ["field"]], field);
    }
    const delta = { type: "funding", coin: "BTC", usdc: "-1.0", szi: "1", fundingRate: "0.1", nSamples: 5e9 };
    const { rows, unread } = read("userFunding", [{ time: T, hash: "0x0", delta }]);
    assert.deepEqual([rows.length, kinds(unread)], [1, ["field"]]);
  });
});

describe("what money or identity needs", () => {
  it("costs its position only", () => {
    for (const field of ["coin", "szi", "positionValue", "unrealizedPnl", "marginUsed"]) {
      for (const value of [null, "NaN", 5, "", undefined]) {
        if (field === "coin" && typeof value === "string") continue;
        const body = perpState([position("A"), position("BTC", { [field]: value }), position("B")]);
        const { value: state, unread } = read("clearinghouseState", body);
        assert.equal(state.assetPositions.length, 2, `${field} ${value}`);
        assert.deepEqual(kinds(unread), ["row"]);
        assert.ok(!isWhole(unread), "absence from this list proves nothing");
        assert.deepEqual(unread[0].raw, position("BTC", { [field]: value }));
        assert.equal(state.marginSummary.accountValue, "5000.0");
      }
    }
  });

  it("costs its balance only", () => {
    const body = {
      balances: [balance("USDC"), balance("X", { total: null }), balance("Y", { borrowed: "NaN" })],
    };
    const { value, unread } = read("spotClearinghouseState", body);
    assert.deepEqual([value.balances.length, kinds(unread)], [1, ["row", "row"]]);
  });

  it("costs its fill only", () => {
    for (const field of [
      "coin",
      "px",
      "sz",
      "side",
      "time",
      "startPosition",
      "closedPnl",
      "oid",
      "fee",
      "tid",
      "feeToken",
    ]) {
      const { rows, unread } = read("userFillsByTime", [
        fill({ tid: 1 }),
        fill({ [field]: {} }),
        fill({ tid: 2 }),
      ]);
      assert.deepEqual([rows.length, kinds(unread)], [2, ["row"]], field);
    }
  });

  it("costs a row once, whatever else is wrong with it", () => {
    const body = perpState([
      position("BTC", { szi: null, liquidationPx: "", leverage: 5 }),
      7,
      null,
      position("ETH"),
    ]);
    const { value, unread } = read("clearinghouseState", body);
    assert.deepEqual([value.assetPositions.length, kinds(unread)], [1, ["row", "row", "row"]]);
  });
});

describe("a summary that cannot be read", () => {
  it("costs the summary, not the positions, and is no other number", () => {
    for (const over of [
      { marginSummary: null },
      { marginSummary: { accountValue: "NaN" } },
      { crossMarginSummary: "x" },
      { withdrawable: null },
      { crossMaintenanceMarginUsed: "" },
    ]) {
      const state = read("clearinghouseState", perpState([position("BTC")], over));
      assert.equal(state.value.assetPositions.length, 1);
      assert.deepEqual(kinds(state.unread), ["summary"]);
      assert.ok(isWhole(state.unread));
      assert.ok(!wire.tellsTotals(state));
    }
    const lost = read("clearinghouseState", perpState([], { marginSummary: 1 }));
    assert.equal(lost.value.marginSummary, null, "the cross part stands in only where there is no other");
    const { marginSummary: _, ...absent } = perpState([]);
    const old = read("clearinghouseState", absent);
    assert.deepEqual(old.value.marginSummary, old.value.crossMarginSummary);
    assert.ok(wire.tellsTotals(old));
  });

  it("is told apart from a list that cannot be read", () => {
    const state = read("clearinghouseState", perpState({ BTC: position("BTC") }));
    assert.deepEqual([state.value.assetPositions, kinds(state.unread)], [[], ["row"]]);
    const spot = read("spotClearinghouseState", { balances: null, portfolioMarginEnabled: "yes" });
    assert.deepEqual([spot.value.balances, kinds(spot.unread).sort()], [[], ["row", "summary"]]);
  });

  it("a stamp that cannot be costs the stamp: the state is as old as its arrival", () => {
    for (const time of [0, -1, 1_790_000_000, 1_790_000_000_000_000, 2 ** 53 - 1, "1790000000000", 1.5]) {
      const state = readParts(wire.WireClearinghouseState, perpState([], { time }));
      assert.ok(isRead(state), String(time));
      assert.equal(state.value.time ?? null, null, String(time));
      assert.deepEqual(kinds((state as { unread: Unread[] }).unread), ["field"], String(time));
    }
  });
});

describe("lists of the market", () => {
  it("one odd price costs that price", () => {
    const mids = { HYPE: "40.0", BTC: "100000.0", XYZ: null, ETH: "NaN", [long]: "1", SOL: long };
    const { value, unread } = read("allMids", mids);
    assert.deepEqual(value, { HYPE: "40.0", BTC: "100000.0" });
    assert.deepEqual(kinds(unread), ["row", "row", "row", "row"]);
    assert.deepEqual(unread[0].raw, { XYZ: null });
    const frame = readFrame(JSON.stringify({ channel: "allMids", data: { mids } }));
    assert.ok(frame.type === "data" && frame.reading.content.type === "mids");
    assert.deepEqual(
      [Object.fromEntries(frame.reading.content.mids), frame.reading.unread.length],
      [value, 4],
    );
  });

  it("a level costs itself, the count of its orders less", () => {
    const level = (px: unknown, n: unknown = 1) => ({ px, sz: "1.0", n });
    const levels = [[level("3"), level(null), level("1", "many")], [level("4")]];
    const frame = readFrame(JSON.stringify({ channel: "l2Book", data: { coin: "BTC", time: T, levels } }));
    assert.ok(frame.type === "data" && frame.reading.content.type === "book");
    assert.deepEqual(frame.reading.content.book.levels, [[level("3"), { px: "1", sz: "1.0" }], [level("4")]]);
    assert.deepEqual(kinds(frame.reading.unread).sort(), ["field", "row"]);
  });

  it("a market that cannot be read keeps its place, so that the contexts still match", () => {
    const market = (name: unknown) => ({ name, szDecimals: 2, maxLeverage: 10 });
    const meta = { universe: [market("A"), market(5), market("C")], marginTables: [[1, {}], "x"] };
    const contexts = [{ dayNtlVlm: "1" }, { dayNtlVlm: "2" }, 7, { dayNtlVlm: "NaN" }];
    const { value, unread } = read("metaAndAssetCtxs", [meta, contexts]);
    assert.deepEqual(
      value[0].universe.map((one: { name: string } | null) => one?.name ?? null),
      ["A", null, "C"],
    );
    assert.deepEqual(value[1], [{ dayNtlVlm: "1" }, { dayNtlVlm: "2" }, null, {}]);
    assert.equal(unread.length, 4);
  });

  it("a dex that cannot be read keeps its place; more than can be followed are not believed", () => {
    const { value, unread } = read("perpDexs", [null, { name: "xyz" }, { name: 5 }, "flx", { name: "abc" }]);
    assert.deepEqual(value, [null, { name: "xyz" }, null, null, { name: "abc" }]);
    assert.deepEqual(kinds(unread), ["row", "row"]);
    const many = [null, ...Array.from({ length: 100_000 - 1 }, (_, i) => ({ name: `d${i}` }))];
    assert.ok(!isRead(INFO.perpDexs.read(many) as never), "a list of so many is none");
    const some = read("perpDexs", many.slice(0, 5_000));
    assert.equal(some.value.length, VALUE_LIMITS.dexes);
    assert.match(some.unread[0].reason, /more than \d+ perp dexes/);
  });
});

describe("orders", () => {
  it("an order that the venue knows and that cannot be read is not forgotten", () => {
    const { value, unread } = read("orderStatus", {
      status: "order",
      order: transition({}, { limitPx: null }),
    });
    assert.deepEqual([value.status, value.order, kinds(unread)], ["order", null, ["row"]]);
    assert.equal(read("orderStatus", { status: "unknownOid" }).unread.length, 0);
    const field = read("orderStatus", { status: "order", order: transition({}, { cloid: 5 }) });
    assert.deepEqual([field.value.order.order.oid, kinds(field.unread)], [5, ["field"]]);
  });

  it("a list of open orders is incomplete without a row, and complete without a field", () => {
    const complete = (orders: unknown[]) => {
      const frame = readFrame(JSON.stringify({ channel: "openOrders", data: { user: USER, orders } }));
      assert.ok(frame.type === "data" && frame.reading.content.type === "openOrders");
      return frame.reading.content.complete;
    };
    assert.deepEqual(
      [complete([order()]), complete([order({ tif: 5 })]), complete([order({ sz: 5 })])],
      [true, true, false],
    );
  });

  it("webData2 keeps the parts that can be read", () => {
    const data = {
      user: USER,
      clearinghouseState: perpState([position("BTC", { liquidationPx: "" }), position("ETH", { szi: 1 })]),
      openOrders: [order(), order({ oid: null })],
      spotState: { balances: [balance("USDC"), balance("X", { total: null })] },
    };
    const content = (over: object) => {
      const frame = readFrame(JSON.stringify({ channel: "webData2", data: { ...data, ...over } }));
      assert.ok(frame.type === "data" && frame.reading.content.type === "webData2");
      return { ...frame.reading.content, unread: frame.reading.unread };
    };
    const { perp, spot, openOrders, complete, unread } = content({});
    assert.deepEqual([perp?.value.assetPositions.length, perp?.unread.length], [1, 2]);
    assert.deepEqual([spot?.value.balances.length, spot?.unread.length], [1, 1]);
    assert.deepEqual([openOrders.length, complete, unread.length], [1, false, 4]);
    assert.equal(content({ clearinghouseState: 5 }).spot?.value.balances.length, 1);
    assert.equal(content({ spotState: null }).spot, null);
  });
});

describe("limits of a value", () => {
  it("a key that no schema names costs itself when it is nested too deep or too long", () => {
    for (const extra of [nested(5_000), nested(VALUE_LIMITS.depth + 1), "x".repeat(100_000)]) {
      const body = [fill({ tid: 1 }), fill({ memo: extra, tid: 2 })];
      const { rows, unread } = read("userFillsByTime", body);
      assert.equal(rows.length, 2);
      assert.ok(!("memo" in rows[1].value) && !("memo" in rows[1].raw), "it is not carried along");
      assert.deepEqual(kinds(unread), ["field"]);
      JSON.stringify(rows);
      const state = read("clearinghouseState", perpState([position("BTC", { memo: extra })], { extra }));
      assert.deepEqual([state.value.assetPositions.length, kinds(state.unread)], [1, ["field", "field"]]);
      JSON.stringify(state.value);
      const frame = readFrame(
        JSON.stringify({ channel: "userFills", data: { user: USER, fills: [fill()] } }),
      );
      assert.ok(frame.type === "data");
    }
    for (const field of ["dir", "twapId"]) {
      const { rows } = read("userFillsByTime", [
        fill({ [field]: nested(5_000), liquidation: nested(5_000) }),
      ]);
      assert.ok(!(field in rows[0].raw), "also where the schema names the key");
      JSON.stringify(rows);
    }
    const { rows } = read("historicalOrders", [transition({}, { children: [nested(5_000)] })]);
    assert.equal(rows.length, 1);
    assert.equal(rows[0].value.order.children, undefined);
    JSON.stringify(rows);
  });

  it("a ledger update keeps what is new in it, but no number longer than numbers are", () => {
    const update = (delta: object) => ({ time: T, hash: "0x1", delta: { type: "brandNew", ...delta } });
    const good = update({ usdc: { nested: "1" }, memo: "hello", amount: 5 });
    const { rows, unread } = read("userNonFundingLedgerUpdates", [
      good,
      update({ usdc: long }),
      update({ type: "t".repeat(6_000) }),
      update({ amount: nested(5_000) }),
      update({ memo: nested(5_000) }),
    ]);
    assert.deepEqual([rows.length, rows[0].raw], [2, good]);
    assert.deepEqual(kinds(unread).sort(), ["field", "row", "row", "row"]);
  });

  it("a row of too many keys costs itself", () => {
    const keys = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`key${i}`, i]));
    const { rows, unread } = read("userFillsByTime", [fill({ tid: 1 }), fill(keys)]);
    assert.deepEqual([rows.length, kinds(unread)], [1, ["row"]]);
  });

  it("times are those of the venue's years", () => {
    const times = [0, -5, 1_790_000_000, 2 ** 53 - 1, T * 1000, VALUE_LIMITS.fromMs - 1, VALUE_LIMITS.toMs];
    for (const time of times) {
      const { rows, unread } = read("userFillsByTime", [fill(), fill({ time })]);
      assert.deepEqual([rows.length, kinds(unread)], [1, ["row"]], String(time));
    }
    assert.equal(read("userFillsByTime", [fill({ time: VALUE_LIMITS.fromMs })]).rows.length, 1);
  });

  it("long digits are refused at once", () => {
    const started = process.cpuUsage().user;
    const spoilt = Array.from({ length: 200 }, (_, i) => fill({ px: long, sz: long, tid: i }));
    assert.equal(read("userFillsByTime", [...spoilt, fill()]).rows.length, 1);
    assert.ok(process.cpuUsage().user - started < 2_000_000, "no arithmetic on them");
  });

  it("a list is read up to a length", () => {
    const rows = readRows(wire.WireFill, Array(VALUE_LIMITS.rows + 5).fill(7));
    assert.equal(rows.unread.length, VALUE_LIMITS.rows + 1);
    assert.match(reasons(rows.unread).at(-1)!, /more than 10000 rows/);
    const state = read("clearinghouseState", perpState(Array(VALUE_LIMITS.rows + 5).fill(7)));
    assert.deepEqual(kinds(state.unread), ["row"]);
    const mids = Object.fromEntries(Array.from({ length: VALUE_LIMITS.rows + 5 }, (_, i) => [i, null]));
    assert.ok(!isRead(INFO.allMids.read(mids) as never));
  });

  it("names that objects have anyway are names like others", () => {
    const mids = JSON.parse('{"constructor":"1","__proto__":"2","toString":null,"BTC":"3"}') as object;
    const { value, unread } = read("allMids", mids);
    assert.deepEqual([value.BTC, value.constructor, unread.length], ["3", "1", 1]);
    const deep = `${"[".repeat(5_000)}${"]".repeat(5_000)}`;
    for (const key of ["__proto__", "__pr\\u006fto__"]) {
      const text = JSON.stringify([fill()]).replace("{", `{"${key}":${deep},"constructor":5,`);
      const { rows } = read("userFillsByTime", jsonOf(readJson(text)));
      assert.equal(rows.length, 1);
      JSON.stringify(rows[0]);
    }
  });
});

it("no channel throws, whatever its data", () => {
  const odd = [null, 5, "x", [], [[]], {}, { user: USER }, nested(5_000), [nested(5_000)], Number.NaN, long];
  for (const channel of CHANNELS) {
    for (const data of odd) {
      const reading = channel.read(data);
      assert.ok(Array.isArray(reading.unread));
      const keys = [
        "fills",
        "orders",
        "mids",
        "clearinghouseState",
        "spotState",
        "funding",
        "levels",
        "userState",
      ];
      for (const key of keys) channel.read({ user: USER, [key]: data });
    }
  }
});

it("refuses JSON that is nested without end, and takes brackets in texts for what they are", () => {
  const open = "[".repeat(20_000);
  assert.deepEqual(reasons([readJson(open + "]".repeat(20_000)) as Unread]), ["too deep"]);
  assert.deepEqual(reasons([readJson(`{"a":"\\"","b":${open}`) as Unread]), ["too deep"]);
  const fits = "[".repeat(9_000) + "]".repeat(9_000);
  for (const text of [fits, `{"a":"${open}","b":["\\\\",${fits}]}`, `[${`${fits},`.repeat(20)}0]`])
    assert.ok(isRead(readJson(text)), text.slice(0, 20));
});

it("refuses a message with more values than any list that is read has, before it is parsed", () => {
  const most = VALUE_LIMITS.values;
  const tooMany = [`more than ${most} values`];
  assert.deepEqual(reasons([readMessage(`[${"[],".repeat(most)}[]]`) as Unread]), tooMany);
  assert.deepEqual(reasons([readMessage(`[${"12,".repeat(most)}1]`) as Unread]), tooMany);
  assert.deepEqual(reasons([readMessage(`{"x":[${'{"a":1},'.repeat(most)}0]}`) as Unread]), tooMany);
  for (const text of [`[${"12,".repeat(most - 2)}1]`, `["\\"${",[{".repeat(most)}"]`])
    assert.ok(isRead(readMessage(text)), text.slice(0, 20));
  assert.ok(
    isRead(readJson(`[${"12,".repeat(most)}1]`)),
    "a line of a node's file may hold a block of the whole exchange",
  );
});
