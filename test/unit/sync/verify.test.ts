/** `verify` against a venue and a database that are bent one thing at a time. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RateLimitError, TransportError } from "../../../src/errors.ts";
import { FUTURE_ROW } from "../../../src/sync/futureRows.ts";
import { doubtsOf, FINDINGS_MAX, isOnlyBegun, passed } from "../../../src/sync/verify/certificate.ts";
import {
  balance,
  covered,
  holding,
  NOW,
  Rig,
  SINCE,
  sound,
  state,
  transition,
  wireFill,
  wireLedger,
  wireOrder,
} from "./verifyRig.ts";

describe("verify, of an account that is as the venue says", () => {
  it("finds nothing, and says what it compared", async () => {
    const rig = await sound();
    const certificate = await rig.verify();
    assert.deepEqual(certificate.findings, []);
    assert.ok(passed(certificate));
    assert.deepEqual(certificate.compared, {
      hl_fills: 3,
      hl_funding: 3,
      hl_ledger: 3,
      hl_orders: 2,
      hl_order_events: 3,
      hl_positions: 2,
      hl_balances: 3,
      hl_portfolio: 0,
      hl_twaps: 0,
      hl_staking_rewards: 0,
      hl_lending_interest: 0,
    });
    assert.equal(certificate.provenToMs.fills, NOW - 2_000);
    assert.equal(rig.nowMs, NOW, "it did not wait");
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

  it("names a field that is only shown, and a row of a state that hides its own coin alone (case 05)", async () => {
    const rig = await sound();
    rig.venue.perps[""] = state([holding("BTC", "0.2", { liquidationPx: "NaN" })]);
    const shown = await rig.verify();
    assert.deepEqual(
      shown.findings.map(({ kind, table, detail }) => [kind, table, /liquidationPx/.test(detail)]),
      [["unread_field", "hl_positions", true]],
    );
    assert.ok(passed(shown), "the row is there, and says that this is not told");
    rig.venue.perps[""] = state([holding("BTC", "NaN")]);
    rig.venue.spot = { balances: [{ ...balance("HYPE", "10.0"), total: null }, balance("USDC", "100.0")] };
    assert.deepEqual(
      await rig.findings().then((rows) => rows.map((row) => row.split(" ").slice(0, 2).join(" "))),
      [...["unread hl_positions", "unread hl_balances", "extra hl_balances"]],
    );
    rig.venue.perps[""] = state([{ coin: "BTC", szi: "0.2" }, holding("ETH", "1.0")]);
    rig.venue.spot = { balances: "none" };
    assert.deepEqual(await rig.kinds(), ["unread", "unread", "missing"]);
  });

  it("fails where what a state says in total cannot be read", async () => {
    const rig = await sound();
    rig.venue.perps.xyz = { ...rig.venue.perps.xyz, withdrawable: "NaN" };
    const certificate = await rig.verify();
    assert.deepEqual(
      certificate.findings.map(({ kind, table }) => `${kind} ${table}`),
      ["unread hl_positions"],
    );
    assert.ok(!passed(certificate));
  });

  it("goes on with the other parts when one answer cannot be read at all", async () => {
    const rig = await sound();
    rig.venue.spot = { odd: true };
    rig.store.positions[0]!.szi = "9";
    assert.deepEqual(await rig.kinds(), ["unread", "changed"]);
  });

  it("goes on with the other parts where one question alone is always answered with an error", async () => {
    for (const type of [
      "perpDexs",
      "exchangeStatus",
      "userFillsByTime",
      "spotClearinghouseState",
      "portfolio",
      "userRateLimit",
    ]) {
      const rig = await sound();
      rig.venue.told[type] = new TransportError(`HTTP 500 to ${type}`, { status: 500 });
      rig.store.positions[0]!.szi = "9";
      assert.deepEqual((await rig.kinds()).sort(), ["changed", "unread"], type);
    }
  });

  it("gives no certificate where the venue answers nothing, or no more within its budget", async () => {
    for (const failure of [
      new TransportError("no answer"),
      new RateLimitError("429", 1),
      new TransportError("HTTP 502", { status: 502 }),
    ]) {
      const rig = await sound();
      rig.venue.told.userFunding = failure;
      if (failure.status === 502) {
        rig.venue.told.exchangeStatus = failure;
        rig.venue.told.perpDexs = failure;
      }
      await assert.rejects(rig.verify(), failure);
    }
  });

  it("counts what is in quarantine, and names what is in no table", async () => {
    const rig = await sound();
    const message = (subject: string, raw: unknown) => ({
      subject,
      reason: "odd",
      ofSubject: 3,
      raw: typeof raw === "string" ? raw : JSON.stringify(raw),
    });
    rig.store.quarantine = [
      message("orderUpdates", { order: wireOrder(7, odd), status: "open" }),
      message("orderUpdates", { order: wireOrder(901, odd), status: "open" }),
      message("userFills", {
        ...wireFill("BTC", "B", "1", "0"),
        px: null,
        oid: 55,
        tid: 155,
        time: NOW - 9_000,
      }),
      message("userFills", { ...wireFill("BTC", "B", "1", "0"), px: null, oid: 55, time: SINCE - 9_000 }),
      message("userTwapSliceFills", { fill: rig.venue.twapFills[0]!.fill, twapId: "x" }),
      message("userFundings", { coin: "SOL", time: NOW - 3_600_000 }),
      message("hl_fills", { ...wireFill("BTC", "B", "1", "0"), oid: 56, tid: 156, time: NOW - 9_000 }),
      message("hl_order_events", transition(wireOrder(8), "open", NOW)),
      message("userFunding", { time: NOW - 3_600_000, delta: { coin: "BTC" } }),
      message("userNonFundingLedgerUpdates", { hash: "0xabc", time: NOW - 3_600_000 }),
      message("frame", "{garbled"),
      message("l2Book", { coin: "BTC" }),
      // Spoilt where it would say which row it is, or too young to be judged.
      message("orderUpdates", { order: wireOrder(-1), status: "open" }),
      message("userFills", { ...wireFill("BTC", "B", "1", "0"), oid: -1, time: NOW - 9_000 }),
      message("userFills", { ...wireFill("BTC", "B", "1", "0"), oid: "57", time: NOW - 9_000 }),
      message("userFills", { ...wireFill("BTC", "B", "1", "0"), oid: 57, time: (NOW - 9_000) * 1_000 }),
      message("userFills", { ...wireFill("BTC", "B", "1", "0"), oid: 57, time: Number.MAX_SAFE_INTEGER }),
      message("userFundings", { coin: "SOL", time: 0 }),
      message("hl_fills", { ...wireFill("BTC", "B", "1", "0"), oid: 58, time: NOW - 1_000 }),
      {
        ...message("hl_fills", { ...wireFill("BTC", "B", "1", "0"), oid: 59, time: NOW - 9_000 }),
        reason: FUTURE_ROW,
      },
    ];
    const certificate = await rig.verify();
    assert.deepEqual(
      certificate.findings.map(({ kind, table, row }) => `${kind} ${table} ${row}`),
      [
        "quarantined hl_orders 7",
        `quarantined hl_fills 55|${NOW - 9_000}|155`,
        `quarantined hl_funding SOL|${NOW - 3_600_000}`,
        `quarantined hl_fills 56|${NOW - 9_000}|156`,
        "quarantined hl_orders 8",
        `quarantined hl_ledger 0xabc|${NOW - 3_600_000}`,
      ],
    );
    assert.equal(certificate.quarantine.orderUpdates, 3);
    assert.equal(certificate.quarantine.frame, 3);
  });

  it("does not pass where time is claimed from the first day on, and a position was there before its first fill", async () => {
    for (const [fromMs, kinds] of [
      [SINCE, []],
      [0, ["chain_break hl_fills"]],
    ] as const) {
      const rig = new Rig();
      // Bought before all that the venue serves.
      rig.venue.fills = [wireFill("DOGE", "A", "2.0", "2.0")];
      await rig.sync();
      rig.store.sinceMs = fromMs;
      rig.store.readSinceMs = fromMs;
      for (const row of rig.store.coverage) row.fromMs = fromMs;
      const { findings } = await rig.verify();
      assert.deepEqual(
        findings.map(({ kind, table }) => `${kind} ${table}`),
        kinds,
      );
      for (const { detail } of findings)
        assert.equal(detail, "2 DOGE was held before its first fill, which nothing tells of");
    }
  });

  it("takes a second fill of an order in one millisecond, and a second update of a transaction, for rows of their own", async () => {
    const rig = await sound();
    const fill = rig.venue.fills[0]!;
    const update = rig.venue.ledger[0] as { delta: object };
    const refused = (subject: string, raw: object) => ({
      subject,
      reason: "refused",
      ofSubject: 1,
      raw: JSON.stringify(raw),
    });
    rig.store.quarantine = [
      refused("hl_fills", fill),
      refused("hl_fills", { ...fill, tid: 1_999 }),
      refused("hl_ledger", update),
      refused("hl_ledger", { ...update, delta: { ...update.delta, usdc: "77.0" } }),
      // What could not be read may be the stored one.
      refused("userNonFundingLedgerUpdates", { ...update, delta: { ...update.delta, usdc: {} } }),
    ];
    const { findings } = await rig.verify();
    assert.deepEqual(
      findings.map(({ kind, table }) => `${kind} ${table}`),
      ["quarantined hl_fills", "quarantined hl_ledger"],
    );
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
        kind: "missing",
        table: "hl_ledger",
        count: 299,
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

  it("names an order of another dex in a list, and judges the rest of the list", async () => {
    const rig = await sound();
    rig.venue.open.xyz = [wireOrder(901), wireOrder(77, { coin: "xyz:TSLA" })];
    rig.venue.orders = {
      77: { status: "order", order: transition(wireOrder(77), "open", NOW - 500_000) },
    };
    const findings = await rig.findings();
    assert.equal(findings.length, 2, findings.join());
    assert.match(findings[0]!, /^unread hl_orders .*901/);
    assert.equal(findings[1], "missing hl_orders 77");
  });

  it("judges no order by an answer about another", async () => {
    const rig = await sound();
    rig.venue.open = {};
    rig.venue.orders = { 901: { status: "order", order: transition(wireOrder(902), "canceled", NOW - 1e5) } };
    const findings = await rig.findings();
    assert.equal(findings.length, 1, findings.join());
    assert.match(findings[0]!, /^unread hl_orders /);
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

/** As `sound`, but its first reading has just begun: the old end of two histories, one state, and what was watched live. */
async function begun(): Promise<Rig> {
  const rig = await sound();
  const { store, venue } = rig;
  venue.fills = [
    wireFill("BTC", "B", "0.1", "0.0", { time: NOW - 7_200_000 }),
    wireFill("BTC", "B", "0.1", "0.1", { time: NOW - 3_600_000 }),
    wireFill("BTC", "A", "0.1", "0.2", { time: NOW - 60_000 }),
    wireFill("xyz:TSLA", "A", "3.0", "0.0", { time: NOW - 3_600_000 }),
  ];
  venue.twapFills = [];
  venue.perps[""] = state([holding("BTC", "0.1")]);
  await rig.sync();
  store.readSinceMs = null;
  store.fills = store.fills.filter(({ timeMs }) => timeMs !== NOW - 3_600_000);
  store.funding = store.funding.filter(({ timeMs }) => timeMs < NOW - 2.5 * 3_600_000);
  store.orders = [];
  store.orderEvents = [];
  store.positions = store.positions.filter(({ dex }) => dex === "");
  store.balances = [];
  store.states = store.states.filter(({ kind, dex }) => kind === "perp" && dex === "");
  store.coverage = [
    covered("fills", "proven", SINCE, NOW - 7_000_000),
    covered("fills", "streamed", NOW - 100_000, NOW - 1_000),
    covered("twapFills", "proven", SINCE, NOW - 2_000),
    covered("funding", "proven", SINCE, NOW - 2.5 * 3_600_000),
    covered("ledger", "proven", SINCE, NOW - 2_000),
  ];
  return rig;
}

describe("verify, before the first reading has come to its end", () => {
  it("names what is still to come, and calls nothing of it missing", async () => {
    const rig = await begun();
    const certificate = await rig.verify();
    assert.deepEqual(
      certificate.findings.map(({ kind, table, detail }) => [kind, table, detail]),
      [
        ["gap", "hl_positions", "no state was read yet"],
        ["gap", "hl_balances", "no state was read yet"],
        ["gap", "fills", "not read yet, 2 rows of the venue lie there"],
        ["gap", "orders", "not read yet, 2 rows of the venue lie there"],
        ["gap", "funding", "not read yet, 2 rows of the venue lie there"],
      ],
    );
    assert.ok(!passed(certificate), "a gap is a gap");
    assert.ok(isOnlyBegun(certificate));
    assert.deepEqual(doubtsOf(certificate), []);
    assert.equal(certificate.completeSinceMs.ledger, SINCE, "what is proven so far");
  });

  it("names what is wrong in what was read", async () => {
    for (const [bend, finding] of [
      [(rig: Rig) => rig.store.fills.shift(), "missing hl_fills"],
      [(rig: Rig) => rig.store.fills.pop(), "missing hl_fills"],
      [(rig: Rig) => rig.store.ledger.shift(), "missing hl_ledger"],
      [
        (rig: Rig) => rig.venue.twapFills.push({ fill: wireFill("@1", "B", "1", "0"), twapId: 7 }),
        "missing hl_fills",
      ],
      [(rig: Rig) => (rig.store.positions[0]!.szi = "9"), "changed hl_positions"],
    ] as const) {
      const rig = await begun();
      bend(rig);
      const certificate = await rig.verify();
      const wrong = certificate.findings.filter(({ kind }) => kind !== "gap");
      assert.deepEqual(
        wrong.map(({ kind, table }) => `${kind} ${table}`),
        [finding],
      );
      assert.ok(!isOnlyBegun(certificate));
    }
  });

  it("judges no state that nothing renews while fills after it are still to be read", async () => {
    const rig = await begun();
    rig.store.coverage = rig.store.coverage.filter(({ grade }) => grade === "proven");
    for (const row of [...rig.store.states, ...rig.store.positions]) row.asOfMs = NOW - 120_000;
    rig.store.positions[0]!.szi = "9";
    const certificate = await rig.verify();
    assert.deepEqual(new Set(certificate.findings.map(({ kind }) => kind)), new Set(["gap"]));
    rig.store.readSinceMs = SINCE;
    assert.ok((await rig.findings()).includes("changed hl_positions |BTC"));
  });

  it("excuses nothing after that, until an earlier start is wanted", async () => {
    const rig = await begun();
    rig.store.readSinceMs = SINCE;
    const kinds = await rig.kinds();
    for (const kind of ["missing", "chain_break", "gap"] as const) assert.ok(kinds.includes(kind), kind);
    rig.store.readSinceMs = SINCE + 1;
    assert.deepEqual(new Set(await rig.kinds()), new Set(["gap"]));
  });

  it("passes when nothing is left, and of an account that was never followed says what is missing", async () => {
    const rig = await sound();
    rig.store.readSinceMs = null;
    assert.ok(passed(await rig.verify()), "the present is always on its way");
    rig.store.sinceMs = null;
    rig.store.coverage = [];
    rig.store.fills = [];
    assert.ok((await rig.kinds()).includes("missing"));
  });
});

describe("verify, of what is claimed", () => {
  it("does not pass where nothing is proven, although there is no time to compare yet", async () => {
    for (const [sinceMs, readSinceMs] of [
      [NOW + 86_400_000, NOW + 86_400_000],
      [NOW + 86_400_000, null],
      [NOW - 1_000, null],
    ] as const) {
      const rig = await new Rig().sync();
      Object.assign(rig.store, { sinceMs, readSinceMs });
      assert.ok(passed(await rig.verify()), "an empty account that was read");
      rig.store.coverage = [];
      const certificate = await rig.verify();
      assert.deepEqual(
        certificate.findings.map(({ kind, table, detail }) => [kind, table, detail]),
        ["fills", "twapFills", "funding", "ledger"].map((stream) => [
          "gap",
          stream,
          `nothing of ${stream} is proven yet: sync --once, then verify again`,
        ]),
      );
      assert.ok(!passed(certificate));
    }
  });

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

  for (const [name, time] of Object.entries({
    "a day ahead": NOW + 86_400_000,
    "a day behind": NOW - 86_400_000,
    "in microseconds": NOW * 1_000,
    "of 1970": 1,
    "20 minutes ahead": NOW + 1_200_000,
    "that is no number": "noon",
    "that is not there": undefined,
  }))
    it(`takes no time ${name} for the present: it is a finding, and what lies in the future another`, async () => {
      const rig = await sound();
      rig.venue.time = time as number;
      assert.deepEqual(new Set(await rig.kinds()), new Set(["unread"]));
      const toMs = NOW + 900_000;
      rig.store.coverage.push(covered("fills", "proven", NOW - 3_600_000, toMs));
      rig.store.funding.push({ ...rig.store.funding[0]!, timeMs: toMs });
      const found = (await rig.findings()).map((row) => row.split(" ").slice(0, 2).join(" "));
      assert.deepEqual(found.toSorted(), ["future fills", "future hl_funding", "unread exchangeStatus"]);
    });

  it("believes the venue where its clock and its states agree, however wrong ours is", async () => {
    for (const byMs of [86_400_000, -86_400_000]) {
      const rig = await sound();
      rig.nowMs += byMs;
      assert.deepEqual(
        (await rig.kinds()).filter((kind) => kind !== "stale"),
        [],
      );
    }
  });

  it("goes by this machine's clock where no answer tells the time", async () => {
    const rig = await sound();
    rig.venue.time = NOW + 86_400_000;
    rig.venue.perps = { "": { ...rig.venue.perps[""], time: NOW - 86_400_000 }, xyz: rig.venue.perps.xyz! };
    assert.deepEqual(await rig.findings(), [`unread exchangeStatus {"time":${NOW + 86_400_000}}`]);
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
