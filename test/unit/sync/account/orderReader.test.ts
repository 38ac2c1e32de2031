import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtocolError, TransportError } from "../../../../src/errors.ts";
import type { Asking } from "../../../../src/sync/account/asking.ts";
import { CoverageBook } from "../../../../src/sync/account/coverageBook.ts";
import { OrderReader } from "../../../../src/sync/account/orderReader.ts";
import type { Store } from "../../../../src/sync/ports.ts";
import type { Batch, OrderEventRow } from "../../../../src/sync/rows.ts";
import { SelfCheck } from "../../../../src/sync/selfCheck.ts";
import { emptyStore } from "../../../support/emptyStore.ts";
import { HandClock } from "../../connection/handClock.ts";
import { transition } from "../rows.ts";
import { type Answers, NOW, USER, venue } from "./rig.ts";

const ASKING: Asking = {
  priority: "reconcile",
  source: "reconcile",
  signal: new AbortController().signal,
};
const order = (oid: number, timestamp = NOW) => ({
  coin: "BTC",
  side: "B",
  limitPx: "10",
  sz: "1",
  origSz: "1",
  oid,
  timestamp,
});
const told = (oid: number, status: string, statusTimestamp = NOW) => ({
  order: order(oid, statusTimestamp),
  status,
  statusTimestamp,
});
const found = ({ oid }: { oid: number }) => ({ status: "order", order: told(oid, "filled") });
const FORGOTTEN = { status: "unknownOid" };

function read(answers: Answers, over: Partial<Store> = {}) {
  const { info, asked, types } = venue(new HandClock(NOW), {
    frontendOpenOrders: [],
    historicalOrders: [],
    orderStatus: found,
    ...answers,
  });
  const check = new SelfCheck(2_500);
  const book = new CoverageBook();
  const committed: Batch[] = [];
  const listed: { dex: string; rows: OrderEventRow[] }[] = [];
  const reader = new OrderReader({
    account: USER,
    info,
    store: { ...emptyStore(), ...over },
    check,
    book,
    latestRowMs: () => NOW + 3_600_000,
    claimableToMs: () => NOW,
    commit: async (batch) => {
      committed.push(batch);
      check.noteOrderEvents(batch.orderEvents ?? [], NOW);
      for (const row of batch.coverage ?? []) book.note(row);
      return { events: [], written: {}, known: {} };
    },
    onListed: (dex, rows) => listed.push({ dex, rows }),
  });
  const rows = () => committed.flatMap(({ orderEvents = [] }) => orderEvents);
  const claims = () =>
    committed.flatMap(({ coverage = [] }) =>
      coverage.map(({ grade, fromMs, toMs }) => [grade, fromMs, toMs]),
    );
  const statusAsked = () => asked.flatMap(({ type, params }) => (type === "orderStatus" ? [params.oid] : []));
  return { reader, check, book, committed, listed, rows, claims, types, statusAsked };
}

describe("reading the orders", () => {
  it("asks one by one for what we hold open and no list has, newest first", async () => {
    const { reader, check, rows, statusAsked } = read({ frontendOpenOrders: [order(1)] });
    for (const orderId of [1, 2, 3]) check.noteOpenOrder(orderId, "BTC", NOW);
    await reader.read([""], NOW, ASKING);
    assert.deepEqual(statusAsked(), [3, 2]);
    assert.deepEqual(
      rows().map(({ orderId, venueStatus, source }) => [orderId, venueStatus, source]),
      [
        [1, "open", "reconcile"],
        [3, "filled", "reconcile"],
        [2, "filled", "reconcile"],
      ],
    );
    assert.deepEqual(check.openOrderIds, [1]);
  });

  it("takes no order for forgotten of which a server that is behind cannot know yet", async () => {
    for (const [agoMs, ended] of [
      [-300, []],
      [300, [7]],
    ] as const) {
      const heard = transition(7, "open", { statusTimeMs: NOW - agoMs });
      const { reader, check, rows } = read({ orderStatus: FORGOTTEN }, { orderEvents: async () => [heard] });
      check.noteOpenOrder(7, "BTC", NOW);
      await reader.read([""], NOW, ASKING);
      assert.deepEqual(
        rows().map(({ orderId }) => orderId),
        ended,
      );
      assert.equal(check.isOpen(7), ended.length === 0);
    }
  });

  it("does not ask for what the newest transitions tell", async () => {
    const { reader, check, statusAsked } = read({ historicalOrders: [told(2, "canceled")] });
    check.noteOpenOrder(2, "BTC", NOW);
    await reader.read([""], NOW, ASKING);
    assert.deepEqual(statusAsked(), []);
  });

  it("takes nothing for ended where a list was not read whole, or could not be read", async () => {
    for (const list of [[order(1), { coin: 5 }], new ProtocolError("422", null)]) {
      const { reader, check, listed, types, statusAsked } = read({ frontendOpenOrders: list });
      check.noteOpenOrder(2, "BTC", NOW);
      const reading = reader.read([""], NOW, ASKING);
      if (list instanceof Error) await assert.rejects(reading, /422/);
      else await reading;
      assert.deepEqual([statusAsked(), listed], [[], []]);
      assert.ok(types().includes("historicalOrders"), "the others have their turn");
    }
  });

  it("reads the list of a dex row by row: an order of another one is refused by itself", async () => {
    const own = { ...order(7), coin: "xyz:TSLA" };
    const lists: Record<string, unknown> = { "": [order(1)], xyz: [order(1), own] };
    const { reader, check, rows, committed, listed, statusAsked } = read({
      frontendOpenOrders: ({ dex }: { dex: string }) => lists[dex],
    });
    for (const [orderId, coin] of [
      [1, "BTC"],
      [2, "BTC"],
      [8, "xyz:TSLA"],
    ] as const)
      check.noteOpenOrder(orderId, coin, NOW);
    await reader.read(["", "xyz"], NOW, ASKING);
    assert.deepEqual(
      rows().flatMap(({ orderId, coin, venueStatus }) => (venueStatus === "open" ? [[orderId, coin]] : [])),
      [
        [1, "BTC"],
        [7, "xyz:TSLA"],
      ],
    );
    assert.deepEqual(
      committed.flatMap(({ quarantine = [] }) => quarantine.map(({ subject, reason }) => [subject, reason])),
      [["frontendOpenOrders", 'in the open orders of dex "xyz", but of another dex']],
    );
    assert.deepEqual(
      listed.map(({ dex }) => dex),
      [""],
    );
    assert.deepEqual(statusAsked(), [2], "what the odd list lacks may be open, other dexes go on");
    lists.xyz = [own];
    await reader.read(["", "xyz"], NOW, ASKING);
    assert.deepEqual(statusAsked(), [2, 8]);
  });

  it("looks for the orders of other dexes where the list of one is refused", async () => {
    const refusal = new ProtocolError("422", null);
    const { reader, check, statusAsked } = read({
      frontendOpenOrders: ({ dex }: { dex: string }) => (dex === "xyz" ? refusal : []),
    });
    check.noteOpenOrder(2, "BTC", NOW);
    check.noteOpenOrder(8, "xyz:TSLA", NOW);
    await assert.rejects(reader.read(["", "xyz"], NOW, ASKING), /422/);
    assert.deepEqual(statusAsked(), [2]);
  });

  it("tells which dexes were listed", async () => {
    const { reader, listed } = read({
      frontendOpenOrders: ({ dex }: { dex: string }) => (dex === "" ? [order(1)] : []),
    });
    await reader.read(["", "xyz"], NOW, ASKING);
    assert.deepEqual(
      listed.map(({ dex, rows }) => [dex, rows.length]),
      [
        ["", 1],
        ["xyz", 0],
      ],
    );
  });
});

/** Of 2000 orders that came and went since; the oldest millisecond of a full list may be cut. */
const FULL_LIST = Array.from({ length: 2_000 }, (_, index) => told(1_000_000 - index, "filled", NOW - index));
const LIST_BEGINS = NOW - 1_998;

describe("more orders held open than one catch-up asks for", () => {
  const HELD = Array.from({ length: 1_500 }, (_, index) => 1_000 + index);
  const ended = (rows: readonly OrderEventRow[], status: string) =>
    rows.filter(({ venueStatus }) => venueStatus === status).map(({ orderId }) => orderId);

  function hold(answers: Answers, lastTold: (orderId: number) => number = () => LIST_BEGINS - 1) {
    const at = read(answers, {
      orderEvents: async (_account, ids) =>
        ids.map((orderId) => ({ ...transition(orderId, "open"), statusTimeMs: lastTold(orderId) })),
    });
    for (const orderId of HELD) at.check.noteOpenOrder(orderId, "BTC", NOW);
    return at;
  }

  it("end when the venue has forgotten those that are older than its list, without a question for each", async () => {
    const orderStatus = ({ oid }: { oid: number }) => (oid >= 2_450 ? found({ oid }) : FORGOTTEN);
    const { reader, check, rows, statusAsked } = hold({ historicalOrders: FULL_LIST, orderStatus });
    await reader.read([""], NOW, ASKING);
    assert.deepEqual([check.openOrderIds, reader.hasLost], [[], false]);
    assert.equal(ended(rows(), "unknownOid").length, 1_450);
    assert.ok(statusAsked().length <= 50 + 25 + 8, `${statusAsked().length} questions`);
    assert.ok(
      statusAsked().every((oid) => Number(oid) > 2_400),
      "newest first",
    );
  });

  it("are asked for until nothing is left where the venue knows them all", async () => {
    const { reader, check, rows, statusAsked } = hold({ historicalOrders: FULL_LIST });
    await reader.read([""], NOW, ASKING);
    assert.deepEqual([statusAsked().length, reader.hasLost, reader.isLost(1_000)], [100, true, true]);
    await reader.resolveLost(ASKING);
    assert.deepEqual([check.openOrderIds, reader.hasLost], [[], false]);
    assert.equal(ended(rows(), "filled").length - 2_000, 1_500);
    assert.equal(new Set(statusAsked()).size, statusAsked().length, "none twice");
  });

  it("are asked for each where the list is not cut, or where they were heard of since it begins", async () => {
    for (const [list, lastMs] of [
      [FULL_LIST.slice(0, 1_999), LIST_BEGINS - 1],
      [FULL_LIST, LIST_BEGINS],
    ] as const) {
      const { reader, statusAsked } = hold({ historicalOrders: list, orderStatus: FORGOTTEN }, () => lastMs);
      await reader.read([""], NOW, ASKING);
      await reader.resolveLost(ASKING);
      assert.equal(statusAsked().length, 1_500);
    }
  });

  it("stay to be asked for where a question fails", async () => {
    let isAway = true;
    const orderStatus = ({ oid }: { oid: number }) =>
      isAway && oid === 2_450 ? new TransportError("reset") : found({ oid });
    const { reader, check } = hold({ orderStatus });
    await assert.rejects(reader.read([""], NOW, ASKING), /reset/);
    assert.ok(reader.isLost(2_450));
    isAway = false;
    await reader.resolveLost(ASKING);
    assert.deepEqual([check.openOrderIds, reader.hasLost], [[], false]);
  });

  it("are not asked for once the stream told their end", async () => {
    const { reader, check, statusAsked } = hold({});
    await reader.read([""], NOW, ASKING);
    const left = check.openOrderIds;
    check.noteOrderEvents(
      left.map((orderId) => transition(orderId, "canceled")),
      NOW,
    );
    await reader.resolveLost(ASKING);
    assert.deepEqual([statusAsked().length, reader.hasLost], [100, false]);
  });
});

describe("the newest transitions", () => {
  it("prove all of the time where the list is not full", async () => {
    const { reader, claims } = read({
      historicalOrders: [told(2, "filled", NOW - 10), told(1, "open", NOW - 50)],
    });
    await reader.readTransitions(NOW - 5, ASKING);
    assert.deepEqual(claims(), [
      ["proven", NOW - 50, NOW - 5],
      ["unprovable", 0, NOW - 51],
    ]);
  });

  it("prove the time behind their oldest millisecond where it is full: what is older cannot be proven any more", async () => {
    const list = Array.from({ length: 2_000 }, (_, index) => told(index + 1, "filled", NOW - index));
    const { reader, book, claims } = read({ historicalOrders: list });
    book.note({
      account: USER,
      stream: "orders",
      grade: "proven",
      fromMs: 0,
      toMs: NOW - 5_001,
      reason: null,
    });
    await reader.readTransitions(NOW, ASKING);
    assert.deepEqual(claims(), [
      ["proven", NOW - 1_998, NOW],
      ["unprovable", NOW - 5_000, NOW - 1_999],
    ]);
  });

  it("claim and deny no time that has not come where a transition is stamped in the future, alone or among others", async () => {
    const future = { ...told(1, "open"), statusTimestamp: NOW + 172_800_000 };
    const alone = read({ historicalOrders: [future] });
    await alone.reader.read([""], NOW, ASKING);
    assert.deepEqual(alone.claims(), [["unprovable", 0, NOW]]);
    const among = read({ historicalOrders: [told(3, "open", NOW - 5), future, told(2, "open", NOW - 9)] });
    await among.reader.read([""], NOW, ASKING);
    assert.deepEqual(
      among.rows().map(({ orderId }) => orderId),
      [3, 2],
    );
    assert.ok(among.claims().every(([, , toMs]) => Number(toMs) <= NOW));
    assert.deepEqual(
      among.committed.flatMap(({ quarantine = [] }) => quarantine.map(({ subject }) => subject)),
      ["historicalOrders"],
    );
  });

  it("deny no time that was not read where all that is listed is younger", async () => {
    const { reader, claims } = read({ historicalOrders: [told(1, "open", NOW + 50)] });
    await reader.read([""], NOW, ASKING);
    assert.deepEqual(claims(), [["unprovable", 0, NOW]]);
  });

  it("say what was at least watched live", async () => {
    const { reader, book, committed } = read({ historicalOrders: [told(1, "open", NOW - 50)] });
    book.note({ account: USER, stream: "orders", grade: "streamed", fromMs: 100, toMs: 200, reason: null });
    await reader.readTransitions(NOW, ASKING);
    const unproven = committed[0]!.coverage!.filter(({ grade }) => grade === "unprovable");
    assert.deepEqual(
      unproven.map(({ fromMs, toMs, reason }) => [fromMs, toMs, reason?.startsWith("watched live")]),
      [
        [100, 200, true],
        [0, 99, false],
        [201, NOW - 51, false],
      ],
    );
  });

  it("of which there are none prove all, and are read again after many, but not at once", async () => {
    const { reader, claims } = read({});
    assert.equal(reader.isListDue(NOW), false);
    await reader.readTransitions(NOW, ASKING);
    assert.deepEqual(claims(), [["proven", 0, NOW]]);
    reader.noteTransitions(1_199);
    assert.equal(reader.isListDue(NOW + 20_000), false);
    reader.noteTransitions(1);
    assert.deepEqual([reader.isListDue(NOW + 19_999), reader.isListDue(NOW + 20_000)], [false, true]);
    await reader.readTransitions(NOW, ASKING);
    assert.equal(reader.isListDue(NOW + 20_000), false);
  });
});

describe("asking for one order", () => {
  it("ends it as unknown where the venue has forgotten what we saw", async () => {
    const { reader, rows } = read(
      { orderStatus: FORGOTTEN },
      { orderEvents: async () => [transition(7, "open")] },
    );
    assert.equal(await reader.resolveOne(7, ASKING), NOW);
    assert.deepEqual(
      rows().map(({ orderId, venueStatus, statusTimeMs }) => [orderId, venueStatus, statusTimeMs]),
      [[7, "unknownOid", NOW]],
    );
  });

  it("writes nothing of one that nobody ever saw, and asks for it no more", async () => {
    const { reader, check, rows } = read({ orderStatus: FORGOTTEN });
    check.noteOpenOrder(7, "BTC", NOW);
    await reader.resolveOne(7, ASKING);
    check.noteOpenOrder(8, "BTC", NOW);
    check.noteOpenOrder(7, "BTC", NOW);
    assert.deepEqual([rows(), check.openOrderIds.includes(8)], [[], true]);
  });

  it("takes an answer about another order for none about this one", async () => {
    const { reader, rows, committed, check } = read({ orderStatus: found({ oid: 8 }) });
    check.noteOpenOrder(7, "BTC", NOW);
    check.noteOpenOrder(8, "BTC", NOW);
    assert.equal(await reader.resolveOne(7, ASKING), null);
    assert.deepEqual([rows(), check.openOrderIds], [[], [7, 8]]);
    assert.match(committed[0]!.quarantine![0]!.reason, /asked for order 7, answered of 8/);
  });

  it("keeps an answer that could not be read, and takes it for no end", async () => {
    const odd = { status: "order", order: { order: { oid: "x" }, status: 5 } };
    const { reader, rows, committed } = read({ orderStatus: odd });
    assert.equal(await reader.resolveOne(7, ASKING), null);
    assert.deepEqual([rows(), committed[0]?.quarantine?.length], [[], 1]);
  });
});

describe("asking for many orders", () => {
  it("reads the list first, and then only what is still suspected", async () => {
    const ids = Array.from({ length: 40 }, (_, index) => index + 1);
    const list = ids.slice(0, 39).map((oid) => told(oid, "filled"));
    const { reader, check, types, statusAsked } = read({ historicalOrders: list });
    for (const orderId of ids) check.noteOpenOrder(orderId, "BTC", NOW - 60_000);
    check.noteOpenOrders("", new Set(), NOW);
    await reader.resolve(ids, ASKING, NOW);
    assert.deepEqual([types()[0], statusAsked()], ["historicalOrders", [40]]);
  });

  it("asks for each where they are few, or where time may not be claimed", async () => {
    const { reader, statusAsked, types } = read({});
    await reader.resolve([1, 2, 3], ASKING, NOW);
    await reader.resolve(
      Array.from({ length: 40 }, (_, index) => index + 10),
      ASKING,
    );
    assert.equal(statusAsked().length, 43);
    assert.ok(!types().includes("historicalOrders"));
  });
});

describe("orders that the venue no longer lists", () => {
  it("are asked for where fills are complete, once, and not beyond what the venue remembers", async () => {
    const newest = Array.from({ length: 60 }, (_, index) => 1_000 - index);
    const { reader, book, statusAsked } = read(
      { orderStatus: ({ oid }: { oid: number }) => (oid > 990 ? found({ oid }) : FORGOTTEN) },
      {
        ordersKnownByFills: async (_account, _fromMs, _toMs, belowId) =>
          newest.filter((orderId) => orderId < belowId).slice(0, 100),
      },
    );
    const note = (
      stream: "fills" | "twapFills" | "orders",
      grade: "proven" | "unprovable",
      { fromMs, toMs } = { fromMs: 100, toMs: 200 },
    ) => book.note({ account: USER, stream, grade, fromMs, toMs, reason: null });
    note("orders", "unprovable");
    note("fills", "proven");
    assert.deepEqual(reader.unlisted(), []);
    note("twapFills", "proven");
    const [window] = reader.unlisted();
    assert.deepEqual(window, { fromMs: 100, toMs: 200 });
    await reader.resolveUnlisted(ASKING);
    // Ten are remembered, then 25 in a row are not.
    assert.equal(statusAsked().length, 35);
    assert.deepEqual(reader.unlisted(), []);
    note("orders", "unprovable", { fromMs: 300, toMs: 400 });
    note("fills", "proven", { fromMs: 300, toMs: 400 });
    note("twapFills", "proven", { fromMs: 300, toMs: 400 });
    assert.deepEqual(reader.unlisted(), [{ fromMs: 300, toMs: 400 }]);
  });
});
