/** The simulator on real sockets. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { afterEach, describe, it } from "node:test";
import { WebSocket } from "ws";
import { silentLog } from "../../../src/runtime/log.ts";
import { createVenue } from "../../../src/simulator/exchange/venue.ts";
import { type Simulator, startSimulator } from "../../../src/simulator/server/server.ts";
import { scriptedVenue } from "./scriptedVenue.ts";

/** What the answers read below hold, each some of it. */
interface ControlBody {
  error: string;
  user: string;
  fills: unknown[];
  ledger: { delta: { type: string } }[];
  connections: unknown[];
  faults: { rules: unknown[]; counts: Record<string, number> };
  switches: Record<string, unknown> & { snapshotRows?: Record<string, number> };
}

const USER = `0x${"a".repeat(40)}`;
const OTHER = `0x${"b".repeat(40)}`;
const JSON_TYPE = { "content-type": "application/json" };
let running: Simulator[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((simulator) => simulator.stop()));
  running = [];
});

async function start(options: Partial<Parameters<typeof startSimulator>[0]> = {}) {
  const venue = scriptedVenue(Date.now());
  venue.answers.set("allMids", { BTC: "7" });
  const simulator = await startSimulator({ venue, ...options });
  running.push(simulator);
  const json = async (path: string, body?: unknown) => {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: JSON_TYPE };
    const response = await fetch(`${simulator.url}${path}`, init);
    return { status: response.status, body: (await response.json()) as ControlBody };
  };
  return { venue, simulator, json };
}

/** An open socket, what arrived on it, and how to wait for more. */
async function open(url: string) {
  const socket = new WebSocket(url);
  const texts: string[] = [];
  socket.on("message", (data) => texts.push(data.toString()));
  await once(socket, "open");
  const message = async (): Promise<string> => {
    while (texts.length === 0) await once(socket, "message");
    return texts.shift()!;
  };
  return { socket, texts, message };
}

describe("the server", () => {
  it("listens on loopback only, answers requests and sockets, and leaves nothing behind", async () => {
    const { simulator, json, venue } = await start();
    assert.match(simulator.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.deepEqual(await json("/info", { type: "allMids" }), { status: 200, body: { BTC: "7" } });
    const { socket, message } = await open(simulator.wsUrl);
    socket.send('{"method":"ping"}');
    assert.equal(await message(), '{"channel":"pong"}');
    socket.send(JSON.stringify({ method: "subscribe", subscription: { type: "orderUpdates", user: USER } }));
    assert.match(await message(), /subscriptionResponse/);
    const at = Date.now();
    venue.block(at, [
      { type: "orderUpdate", user: USER, order: { oid: 1 }, full: {}, status: "open", statusTimestamp: at },
    ]);
    assert.equal(
      await message(),
      `{"channel":"orderUpdates","data":[{"order":{"oid":1},"status":"open","statusTimestamp":${at}}]}`,
    );
    const closed = once(socket, "close");
    await simulator.stop();
    running = [];
    assert.equal((await closed)[0], 1006);
  });

  it("makes blocks by itself, as fast as it is told", async () => {
    const { venue } = await start({ speed: 1_000, blockMs: 5 });
    const before = venue.nowMs;
    await new Promise<void>((resolve) => {
      const stop = venue.onBlock(() => {
        if (venue.nowMs - before < 20_000) return;
        stop();
        resolve();
      });
    });
    assert.ok(venue.nowMs >= before + 20_000);
  });

  it("refuses an upgrade above the connection limit with 429, and accepts when one ends", async () => {
    const { simulator } = await start({ limits: { connections: 1 } });
    const first = await open(simulator.wsUrl);
    const [error] = await once(new WebSocket(simulator.wsUrl), "error");
    assert.match(error.message, /429/);
    first.socket.close();
    await once(first.socket, "close");
    (await open(simulator.wsUrl)).socket.terminate();
  });

  it("lets a client on this machine claim another address", async () => {
    const { simulator } = await start({ limits: { connections: 0 } });
    const { url } = simulator;
    const ask = (ip: string) =>
      fetch(`${url}/info`, {
        method: "POST",
        body: '{"type":"allMids"}',
        headers: { ...JSON_TYPE, "x-forwarded-for": ip },
      });
    await ask("10.1.1.1");
    assert.deepEqual(["10.1.1.1", "127.0.0.1"].map(simulator.gateway.weightSpent), [2, 0]);
  });

  it("accepts and closes instead, where the switch says so", async () => {
    const { simulator } = await start({
      limits: { connections: 0 },
      switches: { overConnectionLimit: "close" },
    });
    const { socket } = await open(simulator.wsUrl);
    assert.equal((await once(socket, "close"))[0], 1008);
  });

  it("breaks answers off half-way, before them, and holds them back", async () => {
    const { simulator, venue, json } = await start({
      faults: [
        { fault: "truncate", times: 1 },
        { fault: "reset", times: 1 },
        { fault: "slow", times: 1, ms: 30 },
      ],
    });
    venue.answers.set("meta", { universe: Array(1000).fill({ name: "BTC" }) });
    const ask = () =>
      fetch(`${simulator.url}/info`, { method: "POST", body: '{"type":"meta"}', headers: JSON_TYPE });
    const half = await ask();
    assert.equal(half.status, 200);
    await assert.rejects(half.text());
    await assert.rejects(ask());
    const before = performance.now();
    assert.equal((await json("/info", { type: "meta" })).status, 200);
    assert.ok(performance.now() - before >= 29);
  });

  it("leaves a half-open connection open: no answer, no confirmation of a close", async () => {
    const { simulator, json } = await start();
    const { socket, texts } = await open(simulator.wsUrl);
    assert.deepEqual((await json("/control/connections", { do: "halfOpen" })).body, { connections: 1 });
    socket.send('{"method":"ping"}');
    socket.close(1000);
    // Another connection still gets its answers: by then the dead one would have had its own.
    const alive = await open(simulator.wsUrl);
    for (let turn = 0; turn < 5; turn++) {
      alive.socket.send('{"method":"ping"}');
      await alive.message();
    }
    assert.deepEqual(texts, []);
    assert.equal(socket.readyState, WebSocket.CLOSING);
    socket.terminate();
    alive.socket.terminate();
  });

  it("answers a body that is not called JSON with 415", async () => {
    const { simulator } = await start();
    for (const headers of [{}, { "content-type": "application/x-www-form-urlencoded" }]) {
      const init = { method: "POST", body: '{"type":"allMids"}', headers };
      assert.equal((await fetch(`${simulator.url}/info`, init)).status, 415);
    }
    const headers = { "content-type": "application/json; charset=utf-8" };
    const init = { method: "POST", body: '{"type":"allMids"}', headers };
    assert.equal((await fetch(`${simulator.url}/info`, init)).status, 200);
  });

  it("answers what it does not serve with 404, 405 and 413", async () => {
    const { simulator } = await start();
    const status = async (path: string, init?: RequestInit) =>
      (await fetch(`${simulator.url}${path}`, init)).status;
    assert.equal(await status("/nothing", { method: "POST", body: "{}", headers: JSON_TYPE }), 404);
    assert.equal(await status("/info"), 405);
    assert.equal(await status("/info", { method: "POST", body: "x".repeat(3_000_000) }), 413);
    const [error] = await once(new WebSocket(`${simulator.url.replace("http", "ws")}/other`), "error");
    assert.match(error.message, /404/);
  });

  it("survives what the model cannot do: 500 for a request, 1011 for a connection, and time goes on", async () => {
    const errors: string[] = [];
    const logged = new EventEmitter();
    const log = {
      ...silentLog,
      error: (message: string) => logged.emit("error line", errors.push(message)),
    };
    const { simulator, venue, json } = await start({ log, blockMs: 5 });
    const broken = () => {
      throw new TypeError("the model is broken");
    };
    venue.answers.set("webData2", broken);
    assert.deepEqual(await json("/info", { type: "webData2" }), { status: 500, body: null });
    const { socket } = await open(simulator.wsUrl);
    const closed = once(socket, "close");
    const payload = { type: "webData2" };
    socket.send(JSON.stringify({ method: "post", id: 1, request: { type: "info", payload } }));
    assert.equal((await closed)[0], 1011);
    assert.deepEqual(errors, [
      "the simulated venue failed: POST /info",
      "the simulated venue failed: message",
    ]);
    const { advance } = venue;
    venue.advance = broken;
    await once(logged, "error line");
    assert.equal(errors.at(-1), "the simulated venue failed: block");
    venue.advance = advance;
    await new Promise<void>((resolve) => {
      const stop = venue.onBlock(() => {
        stop();
        resolve();
      });
    });
    assert.equal((await json("/info", { type: "allMids" })).status, 200);
  });
});

describe("the control endpoint", () => {
  it("deposits, and tells the truth about an account", async () => {
    const { json, venue } = await start();
    assert.deepEqual(
      await json("/control/deposit", { user: USER.toUpperCase().replace("0X", "0x"), usd: "1000" }),
      {
        status: 200,
        body: { user: USER, usd: "1000" },
      },
    );
    assert.deepEqual(venue.users(), [USER]);
    const { status, body } = await json(`/control/truth?user=${USER}`);
    assert.equal(status, 200);
    assert.equal(body.user, USER);
    assert.deepEqual(body.fills, []);
  });

  it("takes faults with a duration, lists them and clears them", async () => {
    const { json, simulator } = await start();
    const { body } = await json("/control/faults", [
      { fault: "refuse", forMs: 60_000 },
      { fault: "drop", channel: "userFills", user: USER, times: 1 },
    ]);
    assert.deepEqual(body, { ids: [1, 2] });
    await assert.rejects(fetch(`${simulator.url}/info`, { method: "POST", body: "{}", headers: JSON_TYPE }));
    const [, refused] = await Promise.all([
      json("/control/faults/clear", { id: 2 }),
      json("/control/faults", { fault: "explode" }),
    ]);
    assert.equal(refused.status, 400);
    assert.match(refused.body.error, /unknown fault "explode"/);
    const state = (await json("/control/state")).body;
    assert.equal(state.faults.rules.length, 1);
    assert.equal(state.faults.counts.refuse, 1);
    await json("/control/faults/clear", {});
    assert.equal((await json("/info", { type: "allMids" })).status, 200);
  });

  it("cuts the connections of one account, and lists the rest", async () => {
    const { json, simulator } = await start();
    const [one, two] = [await open(simulator.wsUrl), await open(simulator.wsUrl)];
    one.socket.send(
      JSON.stringify({ method: "subscribe", subscription: { type: "orderUpdates", user: USER } }),
    );
    await one.message();
    const closed = once(one.socket, "close");
    assert.deepEqual((await json("/control/connections", { do: "cut", user: USER })).body, {
      connections: 1,
    });
    assert.equal((await closed)[0], 1006);
    assert.equal((await json("/control/state")).body.connections.length, 1);
    two.socket.terminate();
  });

  it("steps time only where time is stepped", async () => {
    const stepped = await start({ speed: "stepped" });
    const before = stepped.venue.nowMs;
    assert.deepEqual((await stepped.json("/control/advance", { ms: 250 })).body, {
      venueTimeMs: before + 250,
    });
    const running = await start();
    assert.equal((await running.json("/control/advance", { ms: 250 })).status, 400);
    assert.equal((await stepped.json("/control/advance", { ms: 3_600_001 })).status, 400, "an hour at once");
    assert.equal((await stepped.json("/control/clock", { skewMs: 1 })).status, 400, "it has no clock");
  });

  it("lets the venue's clock jump ahead", async () => {
    const { json, venue } = await start({ blockMs: 5 });
    const before = venue.nowMs;
    assert.deepEqual((await json("/control/clock", { skewMs: 200 })).body, { skewMs: 200 });
    await new Promise<void>((resolve) => {
      const stop = venue.onBlock(() => {
        stop();
        resolve();
      });
    });
    assert.ok(venue.nowMs >= before + 200);
  });

  it("moves a price and makes things happen, where the model can", async () => {
    const venue = createVenue({ seed: 1, activeAccounts: [{ user: USER, fillsPerSecond: 1 }] });
    venue.advance(venue.nowMs + 10_000);
    const { json } = await start({ venue, speed: "stepped" });
    assert.equal((await json("/control/oracle", { coin: "BTC", px: "50000" })).status, 200);
    const [, contexts] = (await json("/info", { type: "metaAndAssetCtxs" })).body as unknown as [
      unknown,
      { oraclePx: string }[],
    ];
    assert.equal(contexts[0]!.oraclePx, "50000.0");
    await json("/control/script", { type: "mint", user: USER, token: "HYPE", amount: "5" });
    const { ledger } = (await json(`/control/truth?user=${USER}`)).body;
    assert.equal(ledger.at(-1)!.delta.type, "spotGenesis");
    assert.equal(
      (await json("/control/trade", { user: OTHER, fillsPerSecond: 2, coins: ["BTC"] })).status,
      200,
    );
    await json("/control/advance", { ms: 20_000 });
    const { fills } = (await json(`/control/truth?user=${OTHER}`)).body;
    assert.ok(fills.length >= 20, `${fills.length} fills in 20 s at 2 a second`);
    for (const [path, body] of [
      ["/control/trade", { user: OTHER, fillsPerSecond: 0 }],
      ["/control/trade", { user: "0x1", fillsPerSecond: 1 }],
      ["/control/oracle", { coin: "NOPE", px: "1" }],
      ["/control/oracle", { coin: "BTC", px: "-1" }],
      ["/control/script", { type: "adl", user: USER, coin: "NOPE" }],
    ] as const) {
      assert.equal((await json(path, body)).status, 400, JSON.stringify(body));
    }
    const refused = [
      ["script", { type: "explode" }],
      ["script", { type: "mint", user: USER, token: "HYPE", amount: "-5" }],
      ["script", { type: "mint", user: USER, token: "HYPE", amount: "5", more: 1 }],
      ["script", { type: "mint", user: USER, token: "NOPE", amount: "5" }],
      ["script", { type: "settleOutcome", outcome: 1, winner: 2 }],
      ["trade", { user: OTHER, fillsPerSecond: 1, coins: ["NOPE"] }],
      ["trade", { user: OTHER, fillsPerSecond: 1, coin: "BTC" }],
      ["trade", { user: OTHER, fillsPerSecond: "1" }],
      ["switches", { selfTrades: "never" }],
      ["switches", { noSuchSwitch: true }],
    ] as const;
    for (const [path, body] of refused) {
      const answer = await json(`/control/${path}`, body);
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.equal(typeof answer.body.error, "string");
    }
    const scripted = await start();
    assert.equal((await scripted.json("/control/oracle", { coin: "BTC", px: "1" })).status, 400);
    assert.equal((await scripted.json("/control/script", {})).status, 400);
  });

  it("throws switches while it runs, and tells them", async () => {
    const { json, simulator } = await start({ venue: createVenue({ seed: 1, traders: false }) });
    const { socket, message } = await open(simulator.wsUrl);
    const ask = { method: "subscribe", subscription: { type: "webData2", user: USER } };
    socket.send(JSON.stringify(ask));
    assert.match(await message(), /Error parsing JSON into valid websocket request/);
    const change = { allowWebData2: true, snapshotRows: { userFills: 5 }, ledgerPageSize: 500 };
    const { status, body } = await json("/control/switches", change);
    assert.equal(status, 200);
    const { switches } = (await json("/control/state")).body;
    assert.deepEqual(body as unknown, switches);
    assert.deepEqual(
      [switches.allowWebData2, switches.ledgerPageSize, switches.selfTrades, switches.restLagMs],
      [true, 500, "trade", 0],
    );
    assert.deepEqual(
      [switches.snapshotRows?.userFills, switches.snapshotRows?.trades],
      [5, 30],
      "rows that are not named stay",
    );
    socket.send(JSON.stringify(ask));
    assert.match(await message(), /subscriptionResponse/);
    assert.match(await message(), /"channel":"webData2"/);
    socket.terminate();
  });

  it("says what is wrong with a request", async () => {
    const { json } = await start();
    for (const [path, body] of [
      ["/control/deposit", { user: "0x1", usd: "5" }],
      ["/control/deposit", { user: USER, usd: "-5" }],
      ["/control/connections", { do: "explode" }],
      ["/control/advance", { ms: -1 }],
      ["/control/deposit", { user: USER, usd: "5", currency: "USD" }],
      ["/control/deposit", [USER, "5"]],
      ["/control/faults", { fault: "drop", chanel: "userFills" }],
      ["/control/faults", { fault: "drop", user: "me" }],
      ["/control/faults", { fault: "drop", rate: "0.5" }],
      ["/control/faults", { fault: "drop", times: 1.5 }],
      ["/control/faults", [{ fault: "drop" }, { fault: "drop", forMs: "long" }]],
      ["/control/faults/clear", { id: "1" }],
      ["/control/connections", { do: "cut", user: "me" }],
      ["/control/switches", { restLagMs: -1 }],
      ["/control/switches", { snapshotRows: { userFils: 3 } }],
      ["/control/switches", { selfTrades: "trade" }],
    ] as const) {
      const answer = await json(path, body);
      assert.equal(answer.status, 400, path);
      assert.equal(typeof answer.body.error, "string");
    }
    assert.equal((await json("/control/truth")).status, 400);
    assert.equal((await json("/control/nothing")).status, 404);
    assert.equal((await json("/control/nothing", {})).status, 404);
  });
});
