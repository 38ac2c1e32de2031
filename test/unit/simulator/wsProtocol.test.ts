/** The venue's WebSocket protocol, fact by fact. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inflateRawSync } from "node:zlib";
import type { Json, JsonObject, VenueEvent } from "../../../src/simulator/contract.ts";
import { OTHER, START_MS, setUp, USER } from "./harness.ts";
import { emptyTruth } from "./scriptedVenue.ts";

const fill = (tid: number, user = USER): VenueEvent => ({
  type: "fill",
  user,
  fill: { coin: "BTC", oid: 1, tid },
});
const orderUpdate = (oid: number, status: string, user = USER): VenueEvent => ({
  type: "orderUpdate",
  user,
  order: { coin: "BTC", oid },
  full: { coin: "BTC", oid, orderType: "Limit" },
  status,
  statusTimestamp: START_MS,
});

describe("subscribing", () => {
  it("echoes the normal form: defaults filled in, addresses lower-cased, unknown keys dropped", () => {
    const { client, venue } = setUp();
    venue.answers.set("l2Book", { coin: "BTC", time: 1, levels: [[], []] });
    const cases: [JsonObject, JsonObject][] = [
      [
        { user: USER.toUpperCase().replace("0X", "0x"), type: "userFills", extra: 1 },
        { type: "userFills", user: USER, aggregateByTime: false },
      ],
      [
        { type: "l2Book", coin: "BTC" },
        { type: "l2Book", coin: "BTC", nSigFigs: null, mantissa: null, fast: false },
      ],
      [
        { type: "spotState", user: USER, isPortfolioMargin: true },
        { type: "spotState", user: USER, ignorePortfolioMargin: true },
      ],
      [
        { type: "orderUpdates", user: USER },
        { type: "orderUpdates", user: USER },
      ],
    ];
    for (const [sent, echoed] of cases) {
      const connection = client();
      connection.subscribe(sent);
      const expected = { method: "subscribe", subscription: echoed };
      assert.deepEqual(connection.frames[0], { channel: "subscriptionResponse", data: expected });
      connection.closed();
    }
  });

  it("refuses the same subscription twice, and an end without a beginning, by the normal form", () => {
    const connection = setUp().client();
    const text = JSON.stringify({ type: "userFills", user: USER, aggregateByTime: false });
    connection.subscribe({ type: "userFills", user: USER });
    connection.take();
    connection.subscribe({ type: "userFills", user: USER, aggregateByTime: false });
    assert.deepEqual(connection.take(), [{ channel: "error", data: `Already subscribed: ${text}` }]);
    connection.unsubscribe({ user: USER, type: "userFills" });
    assert.equal(connection.take()[0]!.channel, "subscriptionResponse");
    connection.unsubscribe({ type: "userFills", user: USER });
    assert.deepEqual(connection.take(), [{ channel: "error", data: `Already unsubscribed: ${text}` }]);
  });

  it("quotes a well-formed subscription that it refuses", () => {
    const connection = setUp().client();
    for (const subscription of [
      { type: "userFills", user: "0x12" },
      { type: "trades", coin: "NOPE" },
      { type: "l2Book", coin: "BTC", nSigFigs: 7 },
      { type: "l2Book", coin: "BTC", nSigFigs: 4, mantissa: 5 },
    ]) {
      connection.subscribe(subscription);
      assert.deepEqual(connection.take(), [
        { channel: "error", data: `Invalid subscription ${JSON.stringify(subscription)}` },
      ]);
    }
  });

  it("quotes a dex nobody has and a spot coin where only perps have limits", () => {
    const { client } = setUp();
    const { subscribe, frames } = client();
    const refused = [
      ...["allMids", "assetCtxs"].map((type) => ({ type, dex: "nope" })),
      ...["clearinghouseState", "openOrders", "twapStates"].map((type) => ({
        type,
        user: USER,
        dex: "nope",
      })),
      { type: "activeAssetData", user: USER, coin: "@107" },
    ];
    for (const subscription of refused) subscribe(subscription);
    assert.deepEqual(
      frames,
      refused.map((one) => ({ channel: "error", data: `Invalid subscription ${JSON.stringify(one)}` })),
    );
    subscribe({ type: "assetCtxs", dex: "xyz" });
    assert.equal(frames.at(-2)?.channel, "subscriptionResponse");
  });

  it("quotes the raw frame when it is not a request it knows, webData2 included", () => {
    const { client, venue } = setUp();
    const connection = client();
    for (const text of [
      "{not json",
      '{"method":"subscribe","subscription":{"type":"webData2","user":"0x1"}}',
      '{"method":"subscribe","subscription":{"type":"allFills"}}',
      '{"method":"subscribe","subscription":{"type":"candle","coin":"BTC","interval":"2m"}}',
      '{"method":"post","id":1,"request":{"type":"explorer","payload":{}}}',
      '{"method":"post","id":1,"request":{"type":"info","payload":{"type":"nothingLikeIt"}}}',
      '{"method":"hello"}',
      "[]",
    ]) {
      connection.send(text);
      const data = `Error parsing JSON into valid websocket request: ${text}`;
      assert.deepEqual(connection.take(), [{ channel: "error", data }]);
    }
    venue.answers.set("webData2", { user: USER });
    const lenient = setUp({ switches: { allowWebData2: true } });
    lenient.venue.answers.set("webData2", { user: USER });
    const allowed = lenient.client();
    allowed.subscribe({ type: "webData2", user: USER });
    assert.deepEqual(allowed.frames[1], { channel: "webData2", data: { user: USER } });
  });

  it("answers a ping", () => {
    const connection = setUp().client();
    connection.send({ method: "ping" });
    assert.deepEqual(connection.texts, ['{"channel":"pong"}']);
  });
});

describe("first messages", () => {
  it("give the 30 newest fills, flagged, and later messages have no flag at all", () => {
    const { venue, client } = setUp();
    venue.answers.set(
      "userFills",
      Array.from({ length: 100 }, (_, index) => ({ tid: 100 - index })),
    );
    const connection = client();
    connection.subscribe({ type: "userFills", user: USER });
    const data = connection.take()[1]!.data as { isSnapshot: boolean; fills: { tid: number }[] };
    assert.equal(data.isSnapshot, true);
    assert.deepEqual(
      data.fills.map(({ tid }) => tid),
      Array.from({ length: 30 }, (_, index) => 100 - index),
    );
    venue.block(START_MS + 100, [fill(101), fill(102), fill(7, OTHER)]);
    assert.deepEqual(connection.take(), [
      {
        channel: "userFills",
        data: {
          user: USER,
          fills: [
            { coin: "BTC", oid: 1, tid: 101 },
            { coin: "BTC", oid: 1, tid: 102 },
          ],
        },
      },
    ]);
  });

  it("come for an empty account too, unless the switch says not", () => {
    const connection = setUp().client();
    connection.subscribe({ type: "userFills", user: USER });
    assert.deepEqual(connection.frames[1]!.data, { isSnapshot: true, user: USER, fills: [] });
    const silent = setUp({ switches: { emptySnapshots: false } }).client();
    silent.subscribe({ type: "userFills", user: USER });
    assert.equal(silent.frames.length, 1);
  });

  it("do not exist for orderUpdates, userEvents and notification, whose frames name no user", () => {
    const { venue, client } = setUp();
    const connection = client();
    for (const type of ["orderUpdates", "userEvents", "notification"])
      connection.subscribe({ type, user: USER });
    assert.deepEqual(
      connection.take().map(({ channel }) => channel),
      ["subscriptionResponse", "subscriptionResponse", "subscriptionResponse"],
    );
    venue.block(START_MS + 100, [
      orderUpdate(5, "open"),
      orderUpdate(5, "filled"),
      fill(1),
      { type: "notification", user: USER, notification: "Resting order filled" },
      { type: "nonUserCancel", user: USER, coin: "BTC", oid: 9 },
      {
        type: "funding",
        user: USER,
        funding: { time: 1, coin: "BTC", usdc: "-1", szi: "2", fundingRate: "0.1" },
      },
    ]);
    const frames = connection.take();
    assert.ok(!JSON.stringify(frames).includes(USER), "no frame names the user");
    const of = (channel: string) =>
      frames.filter((frame) => frame.channel === channel).map(({ data }) => data);
    // Several transitions of one oid share a frame.
    assert.deepEqual(of("orderUpdates"), [
      [
        { order: { coin: "BTC", oid: 5 }, status: "open", statusTimestamp: START_MS },
        { order: { coin: "BTC", oid: 5 }, status: "filled", statusTimestamp: START_MS },
      ],
    ]);
    // userEvents come on the channel `user`, exactly one key per message.
    assert.deepEqual(of("user"), [
      { fills: [{ coin: "BTC", oid: 1, tid: 1 }] },
      { funding: { time: 1, coin: "BTC", usdc: "-1", szi: "2", fundingRate: "0.1", nSamples: null } },
      { nonUserCancel: [{ coin: "BTC", oid: 9 }] },
    ]);
    assert.deepEqual(of("notification"), [{ notification: "Resting order filled" }]);
  });

  it("of funding and ledger are the newest rows; funding is flat although /info nests it", () => {
    const { venue, client } = setUp();
    const payment = { coin: "BTC", usdc: "-1.5", szi: "2", fundingRate: "0.0001", nSamples: 3 };
    venue.truth = (user) => ({
      ...emptyTruth(user),
      funding: [{ time: 1, hash: "0x0", delta: { type: "funding", ...payment } }],
      ledger: Array.from({ length: 150 }, (_, time) => ({
        time,
        hash: "0x1",
        delta: { type: "deposit", usdc: "1" },
      })),
    });
    const connection = client();
    connection.subscribe({ type: "userFundings", user: USER });
    connection.subscribe({ type: "userNonFundingLedgerUpdates", user: USER });
    const [, fundings, , ledger] = connection.take();
    assert.deepEqual(fundings!.data, { isSnapshot: true, user: USER, fundings: [{ time: 1, ...payment }] });
    const rows = (ledger!.data as { nonFundingLedgerUpdates: { time: number }[] }).nonFundingLedgerUpdates;
    assert.equal(rows.length, 100);
    assert.equal(rows.at(-1)!.time, 149);
  });

  it("send nothing again after unsubscribing", () => {
    const { venue, client } = setUp();
    const connection = client();
    connection.subscribe({ type: "userFills", user: USER });
    connection.unsubscribe({ type: "userFills", user: USER });
    connection.take();
    venue.block(START_MS + 100, [fill(1)]);
    assert.deepEqual(connection.take(), []);
  });
});

describe("states", () => {
  it("come again in full every five seconds, unflagged, and not in the block of a change", async () => {
    const { venue, client, clock } = setUp();
    venue.answers.set("clearinghouseState", (request) => ({
      status: 200,
      body: { dex: request.dex ?? "", time: venue.nowMs },
    }));
    venue.answers.set("frontendOpenOrders", [{ oid: 1 }]);
    venue.answers.set("spotClearinghouseState", { balances: [] });
    const connection = client();
    connection.subscribe({ type: "clearinghouseState", user: USER, dex: "xyz" });
    connection.subscribe({ type: "openOrders", user: USER });
    connection.subscribe({ type: "spotState", user: USER });
    connection.subscribe({ type: "allDexsClearinghouseState", user: USER });
    const first = connection.take().filter(({ channel }) => channel !== "subscriptionResponse");
    assert.deepEqual(first, [
      {
        channel: "clearinghouseState",
        data: { dex: "xyz", user: USER, clearinghouseState: { dex: "xyz", time: START_MS } },
      },
      { channel: "openOrders", data: { dex: "", user: USER, orders: [{ oid: 1 }] } },
      { channel: "spotState", data: { user: USER, spotState: { balances: [] } } },
      {
        channel: "allDexsClearinghouseState",
        data: {
          user: USER,
          clearinghouseStates: [
            ["", { dex: "", time: START_MS }],
            ["xyz", { dex: "xyz", time: START_MS }],
          ],
        },
      },
    ]);
    venue.block(START_MS + 100, [{ type: "state", user: USER }]);
    await clock.advanceBy(4_999);
    assert.deepEqual(connection.take(), []);
    await clock.advanceBy(1);
    assert.deepEqual(
      connection.take().map(({ channel }) => channel),
      ["clearinghouseState", "openOrders", "spotState", "allDexsClearinghouseState"],
    );
    await clock.advanceBy(10_000);
    assert.equal(connection.take().length, 8);
  });

  it("come in the block of a change too when the switch says so", () => {
    const { venue, client } = setUp({ switches: { promptStates: true } });
    venue.answers.set("spotClearinghouseState", { balances: [] });
    const connection = client();
    connection.subscribe({ type: "spotState", user: USER });
    connection.take();
    venue.block(START_MS + 100, [{ type: "state", user: OTHER }]);
    assert.deepEqual(connection.take(), []);
    venue.block(START_MS + 200, [{ type: "state", user: USER }]);
    assert.deepEqual(
      connection.take().map(({ channel }) => channel),
      ["spotState"],
    );
  });

  it("stop when the connection ends", async () => {
    const { venue, client, clock } = setUp();
    venue.answers.set("spotClearinghouseState", { balances: [] });
    const connection = client();
    connection.subscribe({ type: "spotState", user: USER });
    connection.take();
    connection.closed();
    await clock.advanceBy(60_000);
    assert.deepEqual(connection.take(), []);
  });
});

describe("markets", () => {
  it("send the fast book with five levels every half second, the slow one with all every five", async () => {
    const { venue, client, clock } = setUp();
    const levels = Array.from({ length: 20 }, (_, index) => ({ px: String(100 - index), sz: "1", n: 1 }));
    venue.answers.set("l2Book", { coin: "BTC", time: START_MS, levels: [levels, levels] });
    const connection = client();
    connection.subscribe({ type: "l2Book", coin: "BTC" });
    connection.subscribe({ type: "l2Book", coin: "BTC", fast: true });
    const [, slow, , fast] = connection.take();
    assert.equal(((slow!.data as JsonObject).levels as Json[][])[0]!.length, 20);
    assert.ok(!("fast" in (slow!.data as JsonObject)));
    assert.equal(((fast!.data as JsonObject).levels as Json[][])[1]!.length, 5);
    assert.equal((fast!.data as JsonObject).fast, true);
    await clock.advanceBy(5_000);
    const kinds = connection.take().map(({ data }) => (data as JsonObject).fast ?? false);
    assert.deepEqual([kinds.filter(Boolean).length, kinds.filter((kind) => !kind).length], [10, 1]);
  });

  it("send the best prices in a block that changed them, and only then", () => {
    const { venue, client } = setUp();
    let bid = "99";
    venue.answers.set("l2Book", () => ({
      status: 200,
      body: { coin: "BTC", time: venue.nowMs, levels: [[{ px: bid, sz: "1", n: 1 }], []] },
    }));
    const connection = client();
    connection.subscribe({ type: "bbo", coin: "BTC" });
    const best = (px: string, time: number) => ({
      channel: "bbo",
      data: { coin: "BTC", time, bbo: [{ px, sz: "1", n: 1 }, null] },
    });
    assert.deepEqual(connection.take()[1], best("99", START_MS));
    venue.block(START_MS + 100, [{ type: "book", coin: "BTC" }]);
    assert.deepEqual(connection.take(), []);
    bid = "98";
    venue.block(START_MS + 200, []);
    assert.deepEqual(connection.take(), []);
    venue.block(START_MS + 300, [{ type: "book", coin: "BTC" }]);
    assert.deepEqual(connection.take(), [best("98", START_MS + 300)]);
  });

  it("send about 30 recent trades first, unflagged, then each block's", () => {
    const { venue, client } = setUp();
    venue.answers.set(
      "recentTrades",
      Array.from({ length: 50 }, (_, tid) => ({ tid })),
    );
    const connection = client();
    connection.subscribe({ type: "trades", coin: "BTC" });
    assert.equal((connection.take()[1]!.data as Json[]).length, 30);
    const trade = (coin: string, tid: number): VenueEvent => ({ type: "trade", coin, trade: { tid } });
    venue.block(START_MS + 100, [trade("BTC", 1), trade("ETH", 2), trade("BTC", 3)]);
    assert.deepEqual(connection.take(), [{ channel: "trades", data: [{ tid: 1 }, { tid: 3 }] }]);
  });

  it("send spot contexts on a channel of their own, every second", async () => {
    const { venue, client, clock } = setUp();
    venue.answers.set("spotMetaAndAssetCtxs", [{}, [{ coin: "@107", markPx: "40" }]]);
    venue.answers.set("metaAndAssetCtxs", (request) => ({
      status: 200,
      body: [{ universe: [{ name: request.dex === "xyz" ? "xyz:AAPL" : "BTC" }] }, [{ markPx: "7" }]],
    }));
    const connection = client();
    for (const coin of ["@107", "BTC", "xyz:AAPL"]) connection.subscribe({ type: "activeAssetCtx", coin });
    const data = connection.take().filter(({ channel }) => channel !== "subscriptionResponse");
    assert.deepEqual(data, [
      { channel: "activeSpotAssetCtx", data: { coin: "@107", ctx: { coin: "@107", markPx: "40" } } },
      { channel: "activeAssetCtx", data: { coin: "BTC", ctx: { markPx: "7" } } },
      { channel: "activeAssetCtx", data: { coin: "xyz:AAPL", ctx: { markPx: "7" } } },
    ]);
    await clock.advanceBy(1_000);
    assert.equal(connection.take().length, 3);
  });

  it("send fastAssetCtxs compressed: everything first, then what changed", async () => {
    const { venue, client, clock } = setUp();
    let mark = "7";
    venue.answers.set("perpDexs", [null]);
    venue.answers.set("metaAndAssetCtxs", () => ({
      status: 200,
      body: [
        { universe: [{ name: "BTC" }, { name: "ETH" }] },
        [
          { markPx: mark, midPx: null },
          { markPx: "3", midPx: "3.5" },
        ],
      ],
    }));
    const connection = client();
    connection.subscribe({ type: "fastAssetCtxs" });
    const unpack = (data: Json) => JSON.parse(inflateRawSync(Buffer.from(String(data), "base64")).toString());
    assert.deepEqual(unpack(connection.take()[1]!.data), {
      BTC: { markPx: "7", midPx: null },
      ETH: { markPx: "3", midPx: "3.5" },
    });
    await clock.advanceBy(1_000);
    assert.deepEqual(connection.take(), [], "nothing changed");
    mark = "8";
    venue.block(START_MS + 1_500, []);
    await clock.advanceBy(1_000);
    assert.deepEqual(unpack(connection.take()[0]!.data), { BTC: { markPx: "8" } });
  });
});

describe("orders of arrival that the venue does not promise", () => {
  it("the first message comes before its acknowledgement, as often as the switch says", () => {
    const { client } = setUp({ switches: { unordered: { snapshotBeforeAck: 0.5 } } });
    const { subscribe, unsubscribe, take } = client();
    const firsts = Array.from({ length: 40 }, () => {
      subscribe({ type: "userFills", user: USER });
      unsubscribe({ type: "userFills", user: USER });
      return take()[0]!.channel;
    });
    const early = firsts.filter((channel) => channel === "userFills").length;
    assert.ok(early > 5 && early < 35, `${early} of 40`);
  });

  it("the fills of a block come before its order updates by switch, whoever subscribed first", () => {
    const { client, venue } = setUp({ switches: { unordered: { fillsBeforeOrders: 1 } } });
    const { subscribe, take } = client();
    for (const type of ["orderUpdates", "userFills"]) subscribe({ type, user: USER });
    take();
    for (let n = 1; n <= 4; n++) {
      venue.block(START_MS + n, [
        { type: "orderUpdate", user: USER, order: {}, full: {}, status: "open", statusTimestamp: n },
        { type: "fill", user: USER, fill: { tid: n } },
      ]);
      assert.deepEqual(
        take().map(({ channel }) => channel),
        ["userFills", "orderUpdates"],
      );
    }
  });

  it("what an action caused comes before its answer by switch", () => {
    for (const updatesBeforeReply of [0, 1]) {
      const { client, venue } = setUp({ switches: { unordered: { updatesBeforeReply } } });
      const { send, subscribe, take } = client();
      subscribe({ type: "orderUpdates", user: USER });
      take();
      // The venue of this test makes its block when it is advanced, as the model sends the one it builds.
      venue.advance = () =>
        venue.block(venue.nowMs, [
          { type: "orderUpdate", user: USER, order: {}, full: {}, status: "open", statusTimestamp: 1 },
        ]);
      const payload = { action: { type: "noop" }, nonce: START_MS, signature: { r: "0x0", s: "0x1", v: 27 } };
      send({ method: "post", id: 1, request: { type: "action", payload } });
      assert.deepEqual(
        take().map(({ channel }) => channel),
        updatesBeforeReply === 1 ? ["orderUpdates", "post"] : ["post"],
      );
    }
  });
});

describe("posts", () => {
  it("answer info requests with their type, and actions, under the id", () => {
    const { venue, client } = setUp();
    venue.answers.set("allMids", { BTC: "7" });
    const connection = client();
    connection.send({ method: "post", id: 7, request: { type: "info", payload: { type: "allMids" } } });
    const payload = { action: { type: "noop" }, nonce: START_MS, signature: { r: "0x0", s: "0x1", v: 27 } };
    connection.send({ method: "post", id: 8, request: { type: "action", payload } });
    assert.deepEqual(connection.take(), [
      {
        channel: "post",
        data: { id: 7, response: { type: "info", payload: { type: "allMids", data: { BTC: "7" } } } },
      },
      {
        channel: "post",
        data: {
          id: 8,
          response: { type: "action", payload: { status: "err", response: "Unable to recover signer." } },
        },
      },
    ]);
  });

  it("fail with the status as text, and spend the same weight as requests", () => {
    const { venue, client, gateway } = setUp({ limits: { weightPerMinute: 4 } });
    venue.answers.set("allMids", {});
    const connection = client();
    const post = (id: number) => ({
      method: "post",
      id,
      request: { type: "info", payload: { type: "allMids" } },
    });
    gateway.http("/info", '{"type":"allMids"}', "10.0.0.1");
    connection.send(post(1));
    connection.send(post(2));
    assert.deepEqual(connection.take().at(-1), {
      channel: "post",
      data: { id: 2, response: { type: "error", payload: "429 Too Many Requests: null" } },
    });
  });

  it("fail with the body as it would be on the wire, or with the status alone by switch", () => {
    for (const [postErrorText, text] of [
      ["statusAndBody", /^502 Bad Gateway: <html>\r\n/],
      ["statusOnly", /^502 Bad Gateway$/],
    ] as const) {
      const { client } = setUp({ switches: { postErrorText }, faults: [{ fault: "http502" }] });
      const connection = client();
      connection.send({ method: "post", id: 1, request: { type: "info", payload: { type: "allMids" } } });
      const { response } = connection.take()[0]!.data as { response: { payload: string } };
      assert.match(response.payload, text);
    }
  });

  it("are refused by id above the limit of pending ones", async () => {
    const { venue, client, clock } = setUp({
      limits: { inflightPosts: 2 },
      faults: [{ fault: "slow", ms: 1_000 }],
    });
    venue.answers.set("allMids", {});
    const connection = client();
    for (const id of [1, 2, 3]) {
      connection.send({ method: "post", id, request: { type: "info", payload: { type: "allMids" } } });
    }
    assert.deepEqual(connection.take(), [{ channel: "error", data: "too many pending post requests id=3" }]);
    await clock.advanceBy(1_000);
    assert.deepEqual(
      connection.take().map(({ data }) => (data as JsonObject).id),
      [1, 2],
    );
  });
});

describe("limits per address", () => {
  it("cap unique users, and free a user with its last subscription", () => {
    const { client } = setUp({ limits: { users: 1 } });
    const [one, two, elsewhere] = [client(), client(), client("10.0.0.2")];
    one.subscribe({ type: "orderUpdates", user: USER });
    two.subscribe({ type: "userEvents", user: USER });
    two.take();
    two.subscribe({ type: "orderUpdates", user: OTHER });
    assert.deepEqual(two.take(), [{ channel: "error", data: "Cannot track more than 1 total users." }]);
    elsewhere.subscribe({ type: "orderUpdates", user: OTHER });
    assert.equal(elsewhere.take()[0]!.channel, "subscriptionResponse");
    one.closed();
    two.unsubscribe({ type: "userEvents", user: USER });
    two.take();
    two.subscribe({ type: "orderUpdates", user: OTHER });
    assert.equal(two.take()[0]!.channel, "subscriptionResponse");
  });

  it("cap subscriptions over all connections", () => {
    const { client } = setUp({ limits: { subscriptions: 2 } });
    const [one, two] = [client(), client()];
    one.subscribe({ type: "orderUpdates", user: USER });
    two.subscribe({ type: "orderUpdates", user: USER });
    two.take();
    two.subscribe({ type: "userEvents", user: USER });
    assert.deepEqual(two.take(), [{ channel: "error", data: "Cannot subscribe to more than 2 channels." }]);
  });

  it("cap messages a minute", async () => {
    const { client, clock } = setUp({ limits: { clientMessagesPerMinute: 2 } });
    const connection = client();
    for (let turn = 0; turn < 3; turn++) connection.send({ method: "ping" });
    assert.deepEqual(
      connection.take().map(({ channel, data }) => data ?? channel),
      ["pong", "pong", "Cannot send more than 2 messages per minute."],
    );
    await clock.advanceBy(60_000);
    const later = client();
    later.send({ method: "ping" });
    assert.deepEqual(later.texts, ['{"channel":"pong"}']);
  });

  it("cap open and new connections", async () => {
    const { gateway, client, clock } = setUp({ limits: { connections: 2, connectionsPerMinute: 3 } });
    const first = client();
    client();
    assert.deepEqual(gateway.admit("10.0.0.1"), { admitted: false, status: 429 });
    first.closed();
    client().closed();
    assert.deepEqual(
      gateway.admit("10.0.0.1"),
      { admitted: false, status: 429 },
      "three were opened already",
    );
    await clock.advanceBy(60_000);
    assert.deepEqual(gateway.admit("10.0.0.1"), { admitted: true });
  });
});

describe("the server closes", () => {
  it("a connection to which it sent nothing for a minute; a pong counts", async () => {
    const { client, clock } = setUp();
    const [quiet, pinging] = [client(), client()];
    await clock.advanceBy(50_000);
    pinging.send({ method: "ping" });
    await clock.advanceBy(10_000);
    assert.deepEqual(quiet.ended, ["close 1000 Inactive"]);
    assert.deepEqual(pinging.ended, []);
    await clock.advanceBy(50_000);
    assert.deepEqual(pinging.ended, ["close 1000 Inactive"]);
  });

  it("an old connection with 1000 Expired", async () => {
    const { client, clock } = setUp({ switches: { rotateAfterMs: 90_000 } });
    const connection = client();
    await clock.advanceBy(40_000);
    connection.send({ method: "ping" });
    await clock.advanceBy(50_000);
    assert.deepEqual(connection.ended, ["close 1000 Expired"]);
  });
});
