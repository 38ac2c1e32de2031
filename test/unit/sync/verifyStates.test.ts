/** Positions and balances against what the venue says of them, both of which move. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { doubtsOf } from "../../../src/sync/verify/certificate.ts";
import { balance, holding, NOW, Rig, sound, state, wireFill } from "./verifyRig.ts";

describe("verify, of positions", () => {
  it("names one that is open here and closed at the venue, where another stays open (case 01)", async () => {
    const rig = await sound();
    rig.venue.perps[""] = state([holding("BTC", "0.2"), holding("TON", "0.1")]);
    await rig.sync();
    rig.venue.perps[""] = state([holding("BTC", "0.2")], { time: NOW + 1_000 });
    assert.deepEqual(await rig.findings(), ["extra hl_positions |TON"]);
  });

  it("names a state that is that of another dex, and judges nothing by it", async () => {
    const rig = await sound();
    rig.venue.perps.xyz = rig.venue.perps[""]!;
    const findings = await rig.findings();
    assert.equal(findings.length, 1, findings.join());
    assert.match(findings[0]!, /^unread hl_positions /);
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

  it("names a wrong size, side, leverage and entry", async () => {
    for (const [over, detail] of [
      [{ szi: "0.3" }, /venue long 0.2, database long 0.3/],
      [{ szi: "-0.2" }, /venue long 0.2, database short 0.2/],
      [{ leverageValue: 10 }, /venue leverage cross 20, database cross 10/],
      [{ leverageType: "isolated" }, /venue leverage cross 20, database isolated 20/],
      [{ leverageType: null, leverageValue: null }, /venue leverage cross 20, database none/],
      [{ entryPrice: "101" }, /venue entry 100, database 101/],
      [{ entryPrice: null }, /venue entry 100, database none/],
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
    Object.assign(same.store.positions[0]!, { szi: "0.20", entryPrice: "100.00" });
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

  it("compares what is borrowed, of a token that is held or not", async () => {
    for (const [own, venue, kinds] of [
      [{ total: "0.0", borrowed: "5.0" }, null, ["extra"]],
      [{ total: "0.0" }, { total: "0.0", borrowed: "5.0" }, ["missing"]],
      [{ total: "3.0", borrowed: "5.0" }, { total: "3.0" }, ["changed"]],
      [{ total: "3.0", borrowed: "0.0" }, { total: "3.0" }, []],
      [{ total: "3.0", borrowed: "5" }, { total: "3.0", borrowed: "5.00" }, []],
    ] as const) {
      const rig = await sound();
      const others = [...(rig.venue.spot.balances as object[])];
      rig.venue.spot = { balances: [...others, { ...balance("UBTC", "0"), ...own }] };
      await rig.sync();
      rig.venue.spot = {
        balances: venue === null ? others : [...others, { ...balance("UBTC", "0"), ...venue }],
      };
      assert.deepEqual(await rig.kinds(), kinds);
    }
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
