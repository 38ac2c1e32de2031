/** `verify` against a venue and a database that are bent one thing at a time. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { doubtsOf, FINDINGS_MAX, passed } from "../../../src/sync/verify/certificate.ts";
import {
  covered,
  holding,
  NOW,
  Rig,
  SINCE,
  state,
  transition,
  wireFill,
  wireFunding,
  wireLedger,
  wireOrder,
} from "./verifyRig.ts";

/** An account with something in every table. */
async function sound(): Promise<Rig> {
  const rig = new Rig();
  const { venue } = rig;
  venue.dexs = [null, { name: "xyz" }];
  venue.fills = [wireFill("BTC", "B", "0.1", "0.0"), wireFill("xyz:TSLA", "A", "3.0", "0.0")];
  venue.twapFills = [{ fill: wireFill("BTC", "B", "0.1", "0.1"), twapId: 7 }];
  venue.funding = [1, 2, 3].map((hour) => wireFunding(NOW - hour * 3_600_000));
  venue.ledger = [1, 2, 3].map((hour) => wireLedger(NOW - hour * 3_600_000));
  venue.historical = [
    transition(wireOrder(900, { sz: "0.0" }), "filled", NOW - 400_000),
    transition(wireOrder(901), "open", NOW - 500_000),
    transition(wireOrder(900), "open", NOW - 500_000),
  ];
  venue.open = { "": [wireOrder(901)] };
  venue.perps = { "": state([holding("BTC", "0.2")]), xyz: state([holding("xyz:TSLA", "-3.0")]) };
  venue.spot = { balances: [balance("USDC", "100.0"), balance("HYPE", "10.0"), balance("+9130", "25.0")] };
  return rig.sync();
}

const balance = (coin: string, total: string, hold = "0.0") => ({
  coin,
  token: 1,
  total,
  hold,
  entryNtl: "0.0",
});

describe("verify, of an account that is as the venue says", () => {
  it("finds nothing, and says what it compared", async () => {
    const rig = await sound();
    const certificate = await rig.verify();
    assert.deepEqual(certificate.findings, []);
    assert.ok(passed(certificate));
    assert.deepEqual(certificate.compared, {
      ...{ hl_fills: 3, hl_funding: 3, hl_ledger: 3, hl_orders: 2, hl_order_events: 3 },
      ...{ hl_positions: 2, hl_balances: 3 },
    });
    assert.equal(certificate.provenToMs.fills, NOW - 2_000);
    assert.equal(rig.nowMs, NOW, "it did not wait");
  });
});

describe("verify, of positions", () => {
  it("names one that is open here and closed at the venue, where another stays open (case 01)", async () => {
    const rig = await sound();
    rig.venue.perps[""] = state([holding("BTC", "0.2"), holding("TON", "0.1")]);
    await rig.sync();
    rig.venue.perps[""] = state([holding("BTC", "0.2")], { time: NOW + 1_000 });
    assert.deepEqual(await rig.findings(), ["extra hl_positions |TON"]);
  });

  it("names it also where it was the only one, and a fill of before the newest stored state closed it", async () => {
    const rig = new Rig();
    const opened = wireFill("TON", "B", "0.1", "0.0");
    rig.venue.fills = [opened];
    rig.venue.perps[""] = state([holding("TON", "0.1")], { time: NOW - 60_000 });
    await rig.sync();
    const closed = wireFill("TON", "A", "0.1", "0.1", { time: NOW - 50_000 });
    rig.venue.fills = [opened, closed];
    rig.store.fills.push({
      ...rig.store.fills[0]!,
      side: "sell",
      startPosition: "0.1",
      timeMs: NOW - 50_000,
    });
    Object.assign(rig.store.fills.at(-1)!, { orderId: closed.oid, tradeId: closed.tid });
    rig.store.states[0]!.asOfMs = NOW - 30_000;
    rig.venue.perps[""] = state();
    assert.deepEqual(await rig.findings(), ["extra hl_positions |TON"]);
  });

  it("names what the venue holds and we do not, on a dex that no row names, listed after the start", async () => {
    const rig = await sound();
    rig.venue.dexs = [null, { name: "xyz" }, { name: "new" }];
    rig.venue.perps.new = state([holding("new:GOLD", "2.0")]);
    assert.deepEqual(await rig.findings(), ["missing hl_positions new|new:GOLD"]);
    rig.store.positions.push({ ...rig.store.positions[0]!, dex: "new", coin: "new:GOLD", szi: "0" });
    assert.deepEqual(
      await rig.findings(),
      ["missing hl_positions new|new:GOLD"],
      "a flat row is no position",
    );
  });

  it("names a wrong size, a wrong side and a wrong leverage", async () => {
    for (const [over, detail] of [
      [{ szi: "0.3" }, /venue long 0.2, database long 0.3/],
      [{ szi: "-0.2" }, /venue long 0.2, database short 0.2/],
      [{ leverageValue: 10 }, /venue leverage cross 20, database cross 10/],
      [{ leverageType: "isolated" }, /venue leverage cross 20, database isolated 20/],
      [{ leverageType: null, leverageValue: null }, /database {2}as of|database {2,}/],
    ] as const) {
      const rig = await sound();
      Object.assign(rig.store.positions[0]!, over);
      const { findings } = await rig.verify();
      assert.deepEqual(
        findings.map(({ kind, table }) => `${kind} ${table}`),
        ["changed hl_positions"],
      );
      assert.match(findings[0]!.detail, detail);
    }
    const same = await sound();
    same.store.positions[0]!.szi = "0.20";
    assert.deepEqual(await same.findings(), [], "numbers, not texts");
  });

  it("names an open position on a dex that the venue lists no more, unless the list was not read whole", async () => {
    const rig = await sound();
    rig.venue.dexs = [null];
    assert.ok((await rig.findings()).includes("extra hl_positions xyz|xyz:TSLA"));
    rig.venue.dexs = "odd";
    const kinds = await rig.kinds();
    assert.ok(kinds.includes("unread"));
    assert.ok(!kinds.includes("extra"));
  });

  it("waits for a state that is on its way", async () => {
    const rig = await sound();
    rig.venue.perps[""] = state([holding("BTC", "0.2"), holding("ETH", "1.0")], { time: NOW });
    rig.onSleep = () => {
      const eth = { ...rig.store.positions[0]!, coin: "ETH", szi: "1.0" };
      if (rig.store.positions.length === 2) rig.store.positions.push(eth);
    };
    assert.deepEqual(await rig.findings(), []);
  });

  it("takes no position that moved by a fill in between for a finding, in either direction", async () => {
    const rig = await sound();
    const fill = {
      ...rig.store.fills[0]!,
      coin: "BTC",
      startPosition: "0.2",
      size: "0.5",
      timeMs: NOW + 500,
    };
    // The venue's state is younger than ours, and the fill is there.
    rig.store.fills.push({ ...fill, tradeId: 77 });
    rig.venue.perps[""] = state([holding("BTC", "0.7")], { time: NOW + 1_000 });
    assert.deepEqual(await rig.findings(), []);
    // Ours is younger than a state that the venue kept.
    const late = await sound();
    late.store.fills.push({ ...fill, tradeId: 77 });
    Object.assign(late.store.positions[0]!, { szi: "0.7", asOfMs: NOW + 1_000 });
    assert.deepEqual(await late.findings(), []);
    // A fill of long before does not account for it.
    const wrong = await sound();
    wrong.store.positions[0]!.szi = "0.1";
    assert.deepEqual(await wrong.findings(), ["changed hl_positions |BTC"]);
  });

  it("is not led astray by one stale answer", async () => {
    const rig = await sound();
    const now = rig.venue.perps[""]!;
    rig.venue.perps[""] = state([], { time: NOW - 60_000 });
    rig.onSleep = () => {
      rig.venue.perps[""] = now;
    };
    const { findings } = await rig.verify();
    assert.deepEqual(
      findings.filter(({ table }) => table === "hl_positions"),
      [],
    );
  });

  it("names an old one with its age while the account is followed, and not where it is not", async () => {
    const rig = await sound();
    rig.store.positions[0]!.asOfMs = NOW - 12 * 60_000;
    const { findings } = await rig.verify();
    assert.equal(findings.length, 1);
    assert.equal(findings[0]!.kind, "stale");
    assert.match(findings[0]!.detail, /long 0.2 as of .*, 12 min old/);
    rig.store.pollMs = 150_000;
    assert.deepEqual(await rig.kinds(), [], "polled this slowly, 15 min are normal");
    rig.store.pollMs = null;
    for (const row of rig.store.coverage) row.toMs = NOW - 3_600_000;
    assert.deepEqual(await rig.findings(), []);
  });

  it("names a row from the future, and has it give way to the next state", async () => {
    const rig = await sound();
    Object.assign(rig.store.positions[0]!, { asOfMs: NOW + 3_600_000 });
    Object.assign(rig.store.balances[0]!, { asOfMs: NOW + 3_600_000 });
    const certificate = await rig.verify();
    const rows = certificate.findings.map(({ kind, table, row }) => `${kind} ${table} ${row}`);
    assert.deepEqual(rows, ["future hl_positions |BTC", "future hl_balances USDC"]);
    assert.deepEqual(
      doubtsOf(certificate).map(({ stream, fromMs, table, row }) => ({ stream, fromMs, table, row })),
      [
        { stream: null, fromMs: NOW - 1, table: "hl_positions", row: "|BTC" },
        { stream: null, fromMs: NOW - 1, table: "hl_balances", row: "USDC" },
      ],
    );
  });
});

describe("verify, of balances", () => {
  it("names what left the venue's list, what is missing here, and what differs (case 02)", async () => {
    const rig = await sound();
    rig.venue.spot = {
      balances: [balance("USDC", "125.0"), balance("PURR", "3.0"), balance("o9130", "0.0")],
    };
    assert.deepEqual(await rig.findings(), [
      "changed hl_balances USDC",
      "missing hl_balances PURR",
      "extra hl_balances HYPE",
      "extra hl_balances +9130",
    ]);
  });

  it("takes 0 for absent, on both sides", async () => {
    const rig = await sound();
    rig.venue.spot = {
      balances: [balance("USDC", "100.0"), balance("HYPE", "10"), balance("NEW", "0.0")],
    };
    Object.assign(rig.store.balances[2]!, { total: "0", hold: "0.0" });
    assert.deepEqual(await rig.findings(), []);
  });

  it("compares what orders hold, also below zero", async () => {
    const rig = await sound();
    rig.store.balances[0]!.hold = "-1";
    assert.deepEqual(await rig.findings(), ["changed hl_balances USDC"]);
  });

  it("says of one that changes at each look on both sides that it was not judged", async () => {
    const rig = await sound();
    let turn = 0;
    rig.onSleep = () => {
      turn += 1;
      rig.store.balances[0]!.total = `${100 + turn}`;
      rig.venue.spot = { balances: [balance("USDC", `${200 + turn}`), ...others] };
    };
    const others = [balance("HYPE", "10.0"), balance("+9130", "25.0")];
    rig.venue.spot = { balances: [balance("USDC", "150"), ...others] };
    const certificate = await rig.verify();
    assert.deepEqual(certificate.findings, []);
    assert.deepEqual(certificate.unsettled, ["hl_balances USDC"]);
  });
});

describe("verify, of what cannot be read", () => {
  const odd = { limitPx: null };
  for (const [what, bend, finding] of [
    [
      "a fill",
      (rig: Rig) => rig.venue.fills.push({ ...wireFill("BTC", "B", "1", "0"), px: null }),
      "hl_fills",
    ],
    [
      "a TWAP slice",
      (rig: Rig) => rig.venue.twapFills.push({ fill: wireFill("BTC", "B", "1", "0"), twapId: "x" }),
      "hl_fills",
    ],
    [
      "a funding payment",
      (rig: Rig) => rig.venue.funding.push({ time: NOW - 10_000, delta: {} }),
      "hl_funding",
    ],
    ["a ledger update", (rig: Rig) => rig.venue.ledger.push({ time: NOW - 10_000, hash: 5 }), "hl_ledger"],
    [
      "an order in the list of transitions (case 08)",
      (rig: Rig) => rig.venue.historical.push(transition(wireOrder(2, odd), "filled", NOW - 100_000)),
      "hl_orders",
    ],
    [
      "an order in the list of what is open (case 08, variant)",
      (rig: Rig) => rig.venue.open[""]!.push(wireOrder(2, odd)),
      "hl_orders",
    ],
    ["a whole state", (rig: Rig) => (rig.venue.perps.xyz = { odd: true }), "hl_positions"],
    ["the spot state", (rig: Rig) => (rig.venue.spot = { odd: true }), "hl_balances"],
    ["the list of dexes", (rig: Rig) => (rig.venue.dexs = { odd: true }), "perpDexs"],
    [
      "a whole list",
      (rig: Rig) => Object.assign(rig.venue, { ledger: [] as never, fills: [7] as never }),
      "hl_fills",
    ],
  ] as const) {
    it(`names ${what}`, async () => {
      const rig = await sound();
      bend(rig);
      const certificate = await rig.verify();
      assert.ok(!passed(certificate));
      const unread = certificate.findings.filter(({ kind }) => kind === "unread");
      assert.deepEqual(
        unread.map(({ table }) => table),
        [finding],
      );
    });
  }

  it("takes no row that we hold for extra because the venue's version of it cannot be read", async () => {
    const rig = await sound();
    rig.venue.funding[1] = { ...rig.venue.funding[1]!, delta: { coin: "BTC" } };
    assert.deepEqual(await rig.kinds(), ["unread"]);
    // One that does not even tell its time may be any row.
    rig.venue.funding = [rig.venue.funding[0]!, { delta: {} }];
    assert.deepEqual(await rig.kinds(), ["unread"]);
  });

  it("goes on with the other parts when one answer cannot be read at all", async () => {
    const rig = await sound();
    rig.venue.spot = { odd: true };
    rig.store.positions[0]!.szi = "9";
    assert.deepEqual(await rig.kinds(), ["unread", "changed"]);
  });

  it("counts what is in quarantine, and names what is in no table", async () => {
    const rig = await sound();
    const message = (subject: string, raw: unknown) => ({
      ...{ subject, reason: "odd", ofSubject: 3 },
      raw: typeof raw === "string" ? raw : JSON.stringify(raw),
    });
    rig.store.quarantine = [
      message("orderUpdates", { order: wireOrder(7, odd), status: "open" }),
      message("orderUpdates", { order: wireOrder(901, odd), status: "open" }),
      message("userFills", { ...wireFill("BTC", "B", "1", "0"), px: null, oid: 55, time: NOW - 9_000 }),
      message("userFills", { ...wireFill("BTC", "B", "1", "0"), px: null, oid: 55, time: SINCE - 9_000 }),
      message("userTwapSliceFills", { fill: rig.venue.twapFills[0]!.fill, twapId: "x" }),
      message("userFundings", { coin: "SOL", time: NOW - 3_600_000 }),
      message("userFunding", { time: NOW - 3_600_000, delta: { coin: "BTC" } }),
      message("userNonFundingLedgerUpdates", { hash: "0xabc", time: NOW - 3_600_000 }),
      message("frame", "{garbled"),
      message("l2Book", { coin: "BTC" }),
    ];
    const certificate = await rig.verify();
    assert.deepEqual(
      certificate.findings.map(({ kind, table, row }) => `${kind} ${table} ${row}`),
      [
        "quarantined hl_orders 7",
        `quarantined hl_fills 55|${NOW - 9_000}`,
        `quarantined hl_funding SOL|${NOW - 3_600_000}`,
        `quarantined hl_ledger 0xabc|${NOW - 3_600_000}`,
      ],
    );
    assert.equal(certificate.quarantine.orderUpdates, 3);
    assert.equal(certificate.quarantine.frame, 3);
  });
});

describe("verify, of histories", () => {
  it("takes every row that the venue does not serve for extra where the list is whole, empty ones included", async () => {
    const rig = await sound();
    rig.venue.ledger = [];
    rig.venue.funding = rig.venue.funding.slice(0, 1);
    rig.venue.fills = [];
    rig.venue.twapFills = [];
    const kinds = (await rig.findings())
      .filter((row) => row.startsWith("extra"))
      .map((row) => row.split(" ")[1]);
    assert.deepEqual(kinds, [
      ...["hl_fills", "hl_fills", "hl_fills"],
      ...["hl_funding", "hl_funding"],
      ...["hl_ledger", "hl_ledger", "hl_ledger"],
    ]);
  });

  it("asks a second time before it says extra", async () => {
    const rig = await sound();
    const all = rig.venue.ledger;
    rig.venue.ledger = [];
    const answer = rig.venue.answer.bind(rig.venue);
    rig.venue.answer = (type, params) => {
      const body = answer(type, params);
      if (type === "userNonFundingLedgerUpdates") rig.venue.ledger = all;
      return body;
    };
    assert.deepEqual(await rig.findings(), []);
  });

  it("says nothing of fills at and before the edge of what the venue serves", async () => {
    const rig = await sound();
    const many = Array.from({ length: 10_010 }, (_, i) =>
      wireFill("@1", "B", "1.0", "0.0", { time: NOW - 60_000 + Math.floor(i / 4) }),
    );
    rig.venue.fills = many;
    rig.venue.twapFills = [];
    rig.venue.perps = { "": state() };
    await rig.sync();
    assert.deepEqual(await rig.findings(), [], "ten are older than the horizon, some share its millisecond");
    // Inside of what it serves an extra row is one.
    const inside = { ...rig.store.fills[5_000]!, tradeId: -1 };
    rig.store.fills.push(inside);
    assert.deepEqual((await rig.findings()).length, 1);
  });

  it("names what is missing and what differs", async () => {
    const rig = await sound();
    rig.store.funding.shift();
    rig.store.ledger[0]!.raw = { delta: { type: "deposit", usdc: "11" } };
    rig.store.fills[0]!.liquidation = { liquidatedUser: "0x1" };
    rig.venue.fills[0]!.liquidation = { liquidatedUser: "0x2" };
    const findings = (await rig.findings()).map((row) => row.split(" ").slice(0, 2).join(" "));
    assert.deepEqual(findings, ["changed hl_fills", "missing hl_funding", "changed hl_ledger"]);
  });

  it("counts what it no longer lists, and has all of it read again", async () => {
    const rig = await sound();
    rig.venue.ledger = Array.from({ length: 300 }, (_, i) => wireLedger(NOW - 3_600_000 + i));
    const certificate = await rig.verify();
    const missing = certificate.findings.filter(({ kind }) => kind === "missing");
    assert.equal(missing.length, FINDINGS_MAX);
    assert.deepEqual(
      certificate.counts.find(({ kind }) => kind === "missing"),
      {
        ...{ kind: "missing", table: "hl_ledger", count: 299 },
        interval: { fromMs: NOW - 3_599_999, toMs: NOW - 3_599_701 },
      },
    );
    const last = NOW - 3_599_701;
    assert.ok(doubtsOf(certificate).some(({ fromMs, toMs }) => fromMs < last && toMs >= last));
  });
});

describe("verify, of orders", () => {
  it("names a transition that is in no table although its order is", async () => {
    const rig = await sound();
    rig.store.orderEvents = rig.store.orderEvents.filter(
      ({ orderId, venueStatus }) => !(orderId === 900 && venueStatus === "open"),
    );
    assert.deepEqual(await rig.findings(), [`missing hl_order_events 900|${NOW - 500_000}|open`]);
  });

  it("names one that is open on one side only, after asking for it", async () => {
    const rig = await sound();
    rig.venue.open = { "": [], xyz: [wireOrder(77, { coin: "xyz:TSLA" })] };
    const ended = transition(wireOrder(901), "canceled", NOW - 100_000);
    rig.venue.orders = {
      901: { status: "order", order: ended },
      77: { status: "order", order: transition(wireOrder(77), "open", NOW - 500_000) },
    };
    assert.deepEqual(await rig.findings(), ["changed hl_orders 901", "missing hl_orders 77"]);
  });

  it("drops none of many that differ", async () => {
    const rig = await sound();
    rig.venue.open = { "": [wireOrder(901), ...Array.from({ length: 450 }, (_, i) => wireOrder(5_000 + i))] };
    for (let i = 0; i < 450; i++)
      rig.venue.orders[5_000 + i] = {
        status: "order",
        order: transition(wireOrder(5_000 + i), "open", NOW - 500_000),
      };
    const { counts } = await rig.verify();
    assert.equal(
      counts.reduce((sum, { count }) => sum + count, 0),
      450,
    );
  });
});

describe("verify, of what is claimed", () => {
  it("gives each unprovable stretch its own reason", async () => {
    const rig = await sound();
    const { coverage } = rig.store;
    coverage.push(covered("orders", "unprovable", SINCE, SINCE + 10, "older than the list"));
    coverage.push(covered("orders", "unprovable", SINCE + 100, SINCE + 100, "not understood"));
    coverage[2]!.fromMs = SINCE + 101;
    coverage.push(covered("orders", "proven", SINCE + 11, SINCE + 99));
    const { findings } = await rig.verify();
    assert.deepEqual(
      findings.map(({ kind, row, detail }) => [kind, row, detail]),
      [
        ["unprovable", `${SINCE}..${SINCE + 10}`, "older than the list"],
        ["unprovable", `${SINCE + 100}..${SINCE + 100}`, "not understood"],
      ],
    );
  });

  it("says of a stretch that was watched without loss that it is not confirmed, and passes", async () => {
    const rig = await sound();
    const { coverage } = rig.store;
    Object.assign(coverage[2]!, { toMs: NOW - 3_600_000 });
    coverage.push(covered("orders", "streamed", NOW - 3_599_999, NOW - 1_800_000));
    coverage.push(covered("orders", "proven", NOW - 1_799_999, NOW - 2_000));
    const certificate = await rig.verify();
    assert.deepEqual(
      certificate.findings.map(({ kind, table }) => `${kind} ${table}`),
      ["streamed orders"],
    );
    assert.ok(passed(certificate));
    assert.equal(
      certificate.completeSinceMs.orders,
      NOW - 1_799_999,
      "only what was read counts as complete",
    );
    coverage.splice(5, 1);
    assert.deepEqual(await rig.kinds(), ["gap"]);
  });

  it("names a claim that reaches beyond the venue's present, and does not count it", async () => {
    const rig = await sound();
    const { coverage } = rig.store;
    Object.assign(coverage[0]!, { toMs: NOW - 3_600_000 });
    coverage.push(covered("fills", "proven", NOW - 60_000, NOW + 3_600_000));
    Object.assign(coverage[1]!, { toMs: NOW + 30_000 });
    const certificate = await rig.verify();
    assert.deepEqual(
      certificate.findings.map(({ kind, table }) => `${kind} ${table}`),
      ["future fills"],
      "answers lag each other by seconds",
    );
    assert.deepEqual(doubtsOf(certificate), [
      { stream: "fills", fromMs: NOW - 60_000, toMs: NOW + 3_600_000, table: null, row: null },
    ]);
    assert.equal(certificate.provenToMs.fills, NOW - 3_600_000);
  });

  it("names rows from the future", async () => {
    const rig = await sound();
    const timeMs = NOW + 61_000;
    rig.store.fills.push({ ...rig.store.fills[0]!, timeMs, tradeId: 1_000_001, coin: "@1" });
    rig.store.funding.push({ ...rig.store.funding[0]!, timeMs });
    rig.store.ledger.push({ ...rig.store.ledger[0]!, timeMs });
    rig.store.orders.push({ ...rig.store.orders[0]!, orderId: 5, statusTimeMs: timeMs });
    assert.deepEqual(
      (await rig.findings()).map((row) => row.split(" ").slice(0, 2).join(" ")),
      ["future hl_fills", "future hl_funding", "future hl_ledger", "future hl_orders"],
    );
  });

  it("says of an account of which nothing is proven that all of it is a gap", async () => {
    const rig = await sound();
    rig.store.coverage = [];
    assert.deepEqual(await rig.kinds(), ["gap", "gap", "gap", "gap", "gap"]);
  });
});
