import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtocolError, StoreError, TransportError } from "../../../../src/errors.ts";
import { PURPOSES, type PurposeName } from "../../../../src/sync/account/purpose.ts";
import type { Store } from "../../../../src/sync/ports.ts";
import type { CoverageRow } from "../../../../src/sync/rows.ts";
import type { RowOf } from "../../../../src/sync/tables.ts";
import * as wires from "../../../support/wires.ts";
import { perpState } from "../healthStates.ts";
import { fill as fillRow } from "../rows.ts";
import { wireFill } from "../verifyRig.ts";
import { type Answers, follow, NOW, USER } from "./rig.ts";

const LAG_MS = 2_000;
const HOUR_MS = 3_600_000;

const fill = (tid: number, time: number, more = {}) =>
  wires.fill({ px: "10", sz: "1", time, startPosition: "0", oid: tid, tid, ...more });

describe("a catch-up", () => {
  it("reads every stream, and claims what is old enough by the venue's time", async () => {
    const { account, claims, signal, committed } = follow({ userFillsByTime: [fill(1, NOW - HOUR_MS)] });
    await account.open();
    const read: string[] = [];
    await account.catchUp("reconcile", signal, (stream) => read.push(stream));
    assert.deepEqual(read.sort(), ["fills", "funding", "ledger", "twapFills"]);
    for (const stream of ["fills", "twapFills", "funding", "ledger", "orders"] as const)
      assert.deepEqual(account.known(stream, "proven"), [{ fromMs: 0, toMs: NOW - LAG_MS }], stream);
    assert.ok(claims("fills").every(({ toMs }) => toMs <= NOW - LAG_MS));
    const [row] = committed.flatMap(({ fills = [] }) => fills);
    assert.deepEqual([row?.tradeId, row?.source], [1, "reconcile"]);
    assert.ok(account.look().snapshot);
    assert.equal(account.hasOldGaps(), false);
  });

  it("of an account where nothing happened takes two commits and one look at what is known, where it goes on from", async () => {
    for (const name of ["reconcile", "poll"] as const) {
      let looks = 0;
      const known: CoverageRow[] = [];
      const facts: RowOf<"facts">[] = [];
      const { account, answers, claims, clock, committed, signal } = follow(
        {},
        {
          coverage: async () => {
            looks += 1;
            return known;
          },
          versions: (async () => facts) as unknown as Store["versions"],
        },
      );
      await account.open();
      await account.catchUp(name, signal);
      known.push(...committed.flatMap(({ coverage = [] }) => coverage));
      facts.push(...committed.flatMap(({ facts: told = [] }) => told));
      await clock.advance(5 * 60_000);
      answers.exchangeStatus = { time: clock.now() };
      answers.clearinghouseState = perpState("1000", [], clock.now());
      [committed.length, looks] = [0, 0];
      await account.catchUp(name, signal);
      assert.deepEqual([committed.length, looks], [2, 1], name);
      for (const stream of ["fills", "twapFills", "funding", "ledger", "orders"] as const) {
        assert.equal(claims(stream).at(-1)?.toMs, clock.now() - LAG_MS, stream);
        assert.deepEqual(
          account.known(stream, "proven"),
          [{ fromMs: 0, toMs: clock.now() - LAG_MS }],
          stream,
        );
      }
    }
  });

  it("whose mode cannot be read has a snapshot without a value, that says so, until it is told", async () => {
    const unreachable = new TransportError("HTTP 500", { status: 500 });
    const { account, answers, committed, clock, signal } = follow({ userAbstraction: unreachable });
    await account.open();
    await account.catchUp("reconcile", signal);
    assert.deepEqual(
      account.failures.map(({ part, error }) => [part, error.message]),
      [["states", "HTTP 500"]],
    );
    const [unknown] = committed.flatMap(({ dashboard = [] }) => dashboard);
    const reason = /pools its collateral \(userAbstraction\) could not be read/;
    assert.deepEqual(
      [unknown?.accountValue, unknown?.netWorth, unknown?.healthScore, unknown?.totalRawUsd],
      [null, null, null, "1000"],
    );
    assert.match(unknown!.accountValueReason!, reason);
    assert.match(unknown!.netWorthReason!, reason);
    // An endpoint of another day does not know the question: then none pools.
    answers.userAbstraction = new ProtocolError("HTTP 422", null, { isRefusal: true });
    await clock.advance(60_000);
    await account.catchUp("reconcile", signal);
    assert.equal(account.look().snapshot?.accountValue, "1000");
    answers.userAbstraction = "unifiedAccount";
    await clock.advance(60_000);
    await account.catchUp("reconcile", signal);
    assert.equal(account.look().snapshot?.accountMode, "unified");
  });

  it("takes an answer that cannot be read for no word that there is none: of the mode, of the list of dexes, of an entry of it", async () => {
    const odd = new ProtocolError("does not fit", {});
    const clearinghouseState = ({ dex }: { dex: string }) =>
      perpState(dex === "xyz" ? "3000" : "1000", [], NOW);
    const userFillsByTime = [wireFill("xyz:TSLA", "B", "1", "0", { time: NOW - 60_000 })];
    const worth = async (answers: Answers) => {
      const { account, committed, signal } = follow({ ...answers, clearinghouseState, userFillsByTime });
      await account.open();
      await account.catchUp("reconcile", signal).catch(() => {});
      return committed.flatMap(({ dashboard = [] }) => dashboard).at(-1);
    };
    const mode = await worth({ userAbstraction: odd });
    assert.match(mode!.accountValueReason!, /userAbstraction\) could not be read/);
    assert.equal(await worth({ perpDexs: odd }), undefined);
    const missed = await worth({ perpDexs: [null, { name: { of: "another shape" } }] });
    assert.equal(missed!.accountValue, "4000");
  });

  it("asks again for what has no coverage when another process doubted it", async () => {
    let doubtedMs: number | null = NOW;
    const { account, asked, clock, signal } = follow(
      { userBorrowLendInterest: [] },
      {
        openAccount: async () => ({ sinceMs: 0, doubtedMs, coverage: [], openOrders: [], positions: [] }),
        followedAs: async () => ({ sinceMs: 0, readSinceMs: 0, pollMs: null, doubtedMs }),
      },
    );
    await account.open();
    const askedOf = async () => {
      asked.length = 0;
      await account.catchUp("reconcile", signal);
      // The others have no answer here.
      await assert.rejects(account.learnMore(signal));
      await clock.advance(60_000);
      return asked.some(({ type }) => type === "userBorrowLendInterest");
    };
    assert.deepEqual([await askedOf(), await askedOf()], [true, false]);
    doubtedMs = NOW + 1;
    assert.deepEqual([await askedOf(), await askedOf()], [true, false]);
  });

  it("writes a claim with the rows that prove it, and what others claim when one of them cannot be read", async () => {
    const { account, answers, claims, clock, committed, signal } = follow();
    await account.open();
    await account.catchUp("reconcile", signal);
    await clock.advance(5 * 60_000);
    const now = clock.now();
    Object.assign(answers, {
      exchangeStatus: { time: now },
      userFillsByTime: [fill(1, now - 60_000)],
      userFunding: new TransportError("away"),
    });
    committed.length = 0;
    await account.catchUp("reconcile", signal);
    const withFill = committed.filter(({ fills = [] }) => fills.length > 0);
    assert.deepEqual(
      withFill.flatMap(({ coverage = [] }) => coverage).map(({ stream }) => stream),
      ["fills"],
    );
    for (const stream of ["fills", "twapFills", "ledger", "orders"])
      assert.equal(Math.max(...claims(stream).map(({ toMs }) => toMs)), now - LAG_MS, stream);
    assert.ok(claims("funding").every(({ toMs }) => toMs <= NOW - LAG_MS));
  });

  it("asks with the priority of its purpose, the fills first", async () => {
    for (const name of Object.keys(PURPOSES) as PurposeName[]) {
      const { account, asked, signal } = follow();
      await account.open();
      await account.catchUp(name, signal);
      const priorityOf = (type: string) => asked.find((one) => one.type === type)?.options.priority;
      assert.equal(priorityOf("userFillsByTime"), PURPOSES[name].priority);
      assert.equal(priorityOf("userFunding"), PURPOSES[name].restPriority);
    }
  });

  it("that heals takes a time heard a moment ago, and asks for it where none was", async () => {
    for (const isHeard of [true, false]) {
      const { account, types, signal } = follow();
      await account.open();
      const value = perpState("1000", [], NOW);
      if (isHeard) account.states.perp("", { value, raw: value, unread: [] }, NOW);
      await account.catchUp("heal", signal);
      assert.equal(types().includes("exchangeStatus"), !isHeard);
    }
  });

  it("takes no snapshot before it has the state of a dex that only an order names, however late that comes", async () => {
    const order = { coin: "xyz:TSLA", side: "B", limitPx: "1", sz: "1", origSz: "1", oid: 5 };
    const placed = { ...order, timestamp: NOW, isTrigger: false, triggerPx: "0.0", children: [] };
    const more = { isPositionTpsl: false, reduceOnly: false, orderType: "Market", tif: "Ioc", cloid: null };
    const { account, answers, clock, committed, signal } = follow({
      perpDexs: [null, { name: "xyz" }],
      allMids: {},
      clearinghouseState: ({ dex }: { dex: string }) => perpState(dex === "" ? "1000" : "0", [], clock.now()),
    });
    await account.open();
    await account.catchUp("reconcile", signal);
    await clock.advance(HOUR_MS);
    const later = NOW + HOUR_MS;
    answers.exchangeStatus = { time: later };
    answers.historicalOrders = async () => {
      for (let turn = 0; turn < 500; turn++) await Promise.resolve();
      const order = { ...placed, ...more, timestamp: later - 5_000 };
      return [{ order, status: "iocCancelRejected", statusTimestamp: later - 5_000 }];
    };
    await account.catchUp("poll", signal);
    const shot = committed.flatMap(({ dashboard = [] }) => dashboard).at(-1)!;
    assert.equal(shot.asOfMs, later);
    assert.equal(shot.netWorthReason?.includes("xyz") ?? false, false, shot.netWorthReason ?? "");
  });

  it("costs a part that is refused that part alone, which is asked for again", async () => {
    const { account, answers, clock, signal, claims } = follow({
      userFunding: new ProtocolError("422", null),
    });
    await account.open();
    await account.catchUp("reconcile", signal);
    assert.deepEqual(
      account.failures.map(({ part }) => part),
      ["funding"],
    );
    assert.deepEqual(account.known("funding", "proven"), []);
    assert.ok(claims("ledger").length > 0);
    assert.equal(account.hasOldGaps(), false, "not at once");
    await clock.advance(15_000);
    assert.equal(account.hasOldGaps(), true);
    answers.userFunding = [];
    await account.backfill("backfill", signal);
    assert.deepEqual(account.failures, []);
    assert.deepEqual(account.known("funding", "proven"), [{ fromMs: 0, toMs: NOW - LAG_MS }]);
  });

  it("is none without fills, though what else was read stays", async () => {
    const { account, claims, signal } = follow({ userFillsByTime: new TransportError("away") });
    await account.open();
    await assert.rejects(account.catchUp("reconcile", signal), /away/);
    assert.ok(claims("funding").length > 0);
    assert.deepEqual(account.known("fills", "proven"), []);
  });

  it("goes on where fills are refused, but not where everything is", async () => {
    const refused = new ProtocolError("422", null);
    const one = follow({ userFillsByTime: refused });
    await one.account.open();
    await one.account.catchUp("reconcile", one.signal);
    const types = [
      "userFillsByTime",
      "userTwapSliceFillsByTime",
      "userFunding",
      "userNonFundingLedgerUpdates",
    ];
    const others = ["frontendOpenOrders", "historicalOrders", "clearinghouseState"];
    const all = follow(Object.fromEntries([...types, ...others].map((type) => [type, refused])));
    await all.account.open();
    await assert.rejects(all.account.catchUp("reconcile", all.signal), /422/);
  });

  it("passes on what the database refuses for good, whatever part wrote it", async () => {
    const refusal = new StoreError("no privilege", { transient: false, sqlState: "42501" });
    const { account, signal } = follow(
      {},
      {
        apply: async ({ coverage = [] }) => {
          if (coverage.some(({ stream }) => stream === "funding")) throw refusal;
          return { events: [], written: {}, known: {} };
        },
      },
    );
    await account.open();
    await assert.rejects(account.catchUp("reconcile", signal), refusal);
  });

  it("ends with its signal", async () => {
    const { account } = follow();
    await account.open();
    const stopped = new AbortController();
    const catchUp = account.catchUp("reconcile", stopped.signal);
    stopped.abort(new Error("stopped"));
    await assert.rejects(catchUp, /stopped/);
  });

  it("reads anew after a long absence from the young end, and leaves the gap to be backfilled", async () => {
    const old: CoverageRow = {
      account: USER,
      stream: "fills",
      grade: "proven",
      fromMs: 0,
      toMs: NOW - 10 * HOUR_MS,
      reason: null,
    };
    const state = { sinceMs: 0, doubtedMs: null, coverage: [old], openOrders: [], positions: [] };
    const { account, asked, signal } = follow(
      {},
      { openAccount: async () => state, coverage: async () => [old] },
    );
    await account.open();
    await account.catchUp("reconcile", signal);
    const startTime = asked.find(({ type }) => type === "userFillsByTime")?.params.startTime;
    assert.equal(startTime, NOW - HOUR_MS);
    assert.equal(account.hasOldGaps(), true);
    await account.backfill("backfill", signal);
    assert.equal(account.hasOldGaps(), false);
    assert.deepEqual(account.known("fills", "proven"), [{ fromMs: 0, toMs: NOW - LAG_MS }]);
  });
});

describe("weight kept for a heal", () => {
  it("is kept once, and given back when the fills are there", async () => {
    const { account, reserved, signal } = follow();
    await account.open();
    account.expectHeal();
    const weight = reserved();
    account.expectHeal();
    assert.ok(weight > 0);
    assert.equal(reserved(), weight);
    await account.catchUp("reconcile", signal);
    assert.equal(reserved(), weight, "no heal");
    await account.catchUp("heal", signal);
    assert.equal(reserved(), 0);
    account.expectHeal();
    account.endHeal();
    account.endHeal();
    assert.equal(reserved(), 0);
  });

  it("is kept while the fills cannot be read", async () => {
    const { account, reserved, signal } = follow({ userFillsByTime: new TransportError("away") });
    await account.open();
    account.expectHeal();
    await assert.rejects(account.catchUp("heal", signal));
    assert.ok(reserved() > 0);
  });
});

describe("claims on the future", () => {
  it("are dropped, withdrawn at the next reading, and told", async () => {
    const future: CoverageRow = {
      account: USER,
      stream: "ledger",
      grade: "proven",
      fromMs: NOW,
      toMs: NOW + 24 * HOUR_MS,
      reason: null,
    };
    const doubted: unknown[] = [];
    const { account, committed, signal } = follow(
      {},
      {
        openAccount: async () => ({
          sinceMs: 0,
          doubtedMs: null,
          coverage: [future],
          openOrders: [],
          positions: [],
        }),
        coverage: async () => [future],
        doubt: async (_account, doubts) => {
          doubted.push(...doubts);
        },
      },
    );
    await account.open();
    assert.deepEqual(account.known("ledger", "proven"), []);
    await account.catchUp("heal", signal);
    assert.deepEqual(doubted, [
      { stream: "ledger", fromMs: NOW, toMs: NOW + 24 * HOUR_MS, table: null, row: null },
    ]);
    const drift = committed.flatMap((batch) => batch.drift ?? []);
    assert.deepEqual(
      drift.map(({ stream, cause }) => [stream, cause]),
      [["ledger", "future"]],
    );
    assert.deepEqual(account.known("ledger", "proven"), [{ fromMs: 0, toMs: NOW - LAG_MS }]);
  });
});

describe("confirming", () => {
  it("asks for the time, and reads what was too young", async () => {
    const { account, answers, clock, types, signal } = follow();
    await account.open();
    await account.catchUp("heal", signal);
    const before = types().length;
    await clock.advance(3_000);
    answers.exchangeStatus = { time: NOW + 3_000 };
    await account.confirm(["fills", "ledger"], signal);
    assert.deepEqual(types().slice(before).sort(), [
      "exchangeStatus",
      "userFillsByTime",
      "userNonFundingLedgerUpdates",
    ]);
    assert.deepEqual(account.known("fills", "proven"), [{ fromMs: 0, toMs: NOW + 1_000 }]);
    assert.deepEqual(account.known("funding", "proven"), [{ fromMs: 0, toMs: NOW - LAG_MS }]);
  });
});

describe("repairing", () => {
  it("a break of the chain reads its window, and tells what became of it", async () => {
    const lost = fill(2, NOW - 500, { startPosition: "1" });
    const { account, answers, asked, committed, signal } = follow();
    await account.open();
    await account.catchUp("heal", signal);
    const row = (tid: number, timeMs: number, startPosition: string) =>
      fillRow({ account: USER, orderId: tid, tradeId: tid, timeMs, startPosition });
    const fills = [row(1, NOW + 1_000, "0"), row(3, NOW + 2_000, "2")];
    await account.commit({ fills }, NOW);
    const [suspicion] = account.repairs.ripe(NOW + 60_000).filter(({ kind }) => kind === "chain");
    assert.ok(suspicion?.kind === "chain");
    answers.userFillsByTime = [{ ...lost, time: NOW + 1_500 }];
    const before = asked.length;
    assert.equal(await account.repairs.repair(suspicion, signal), true);
    const window = asked.slice(before).find(({ type }) => type === "userFillsByTime");
    assert.deepEqual(
      [window?.params.startTime, window?.params.endTime, window?.options.priority],
      [NOW + 1_000, NOW + 2_000, "heal"],
    );
    assert.deepEqual(
      committed.flatMap(({ drift = [] }) => drift).map(({ cause, repairedAtMs }) => [cause, repairedAtMs]),
      [["chain", NOW]],
    );
  });

  it("an order that ends is asked for by its id; one that the venue calls open is not explained", async () => {
    const order = { coin: "BTC", side: "B", limitPx: "10", sz: "1", oid: 5, timestamp: NOW };
    for (const status of ["filled", "open"]) {
      const told = { status: "order", order: { order, status, statusTimestamp: NOW } };
      const { account, signal } = follow(
        { orderStatus: told },
        {
          openAccount: async () => ({
            sinceMs: 0,
            doubtedMs: null,
            coverage: [],
            openOrders: [{ orderId: 5, coin: "BTC", status: "open", placedAtMs: NOW - 9 }],
            positions: [],
          }),
        },
      );
      await account.open();
      account.openOrders("", [], true, NOW + 10_000);
      const orders = account.repairs.ripe(NOW + 60_000).filter((one) => one.kind === "order");
      assert.equal(orders.length, 1);
      assert.equal(await account.repairs.repairOrders(orders, signal), status === "filled" ? 1 : 0);
    }
  });
});

it("a state's time is claimed as far as may be, and not at all where it is not believed", () => {
  const claimed = (...times: number[]) => {
    const { account } = follow();
    return times.map((time) => {
      const value = perpState("1000", [], time);
      account.states.perp("", { value, raw: value, unread: [] }, NOW);
      return account.claimableOf(time);
    });
  };
  assert.deepEqual(claimed(NOW, NOW - 5, NOW + 60_000), [NOW, NOW - 5, null]);
  // Our clock may be slow: believed, and claimed no further than clocks differ.
  assert.deepEqual(claimed(NOW + 30_000), [NOW + 10_000]);
});

it("time watched live is claimed for the streams that were watched, and none where there is none", () => {
  const { account } = follow();
  assert.deepEqual(
    account
      .streamed(["fills", "ledger"], { fromMs: 5, toMs: 9 })
      .map(({ stream, grade, fromMs, toMs }) => [stream, grade, fromMs, toMs]),
    ["fills", "ledger"].map((stream) => [stream, "streamed", 5, 9]),
  );
  assert.deepEqual(account.streamed(["fills"], { fromMs: 9, toMs: 5 }), []);
});
