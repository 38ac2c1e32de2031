/** Alerts and webhooks over HTTP: what a page shows of them, what it may change, and that the command line reads the same. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { alerts } from "../../../src/cli/commands/alerts.ts";
import { webhooks } from "../../../src/cli/commands/webhooks.ts";
import { endSilence, readSilences } from "../../../src/outputs/alerts/alertStore.ts";
import { ruleSet } from "../../../src/outputs/alerts/ruleSet.ts";
import { addEndpoint, readEndpoints } from "../../../src/outputs/delivery/endpoints.ts";
import { Secret } from "../../../src/outputs/delivery/secret.ts";
import { registerPublisher } from "../../../src/outputs/publish/cursors.ts";
import { fillOf } from "../../contract/rows.ts";
import { ACCOUNT, type MadeAccount } from "../../e2e/dashboardAccount.ts";
import { type HandServer, startHandServer } from "../../e2e/dashboardServer.ts";
import { runInProcess } from "../../support/inProcess.ts";
import { startServer, type TestDatabase, type TestServer } from "../../support/postgres.ts";
import { type Receiver, startReceiver } from "./receiver.ts";

const TOKEN = "the-token-of-this-test";
const HOUR = 3_600_000;

describe("alerts and webhooks over HTTP", () => {
  let postgres: TestServer;
  let target: TestDatabase;
  let closed: HandServer;
  let open: HandServer;
  let receiver: Receiver;

  before(async () => {
    postgres = await startServer();
    target = await postgres.newDatabase();
    const nowMs = Date.now();
    await target.store.apply({ fills: [fillOf({ account: ACCOUNT, timeMs: nowMs - 1_000 })] });
    await target.database.query(
      `insert into public.hl_markets (coin, kind, name, is_delisted, as_of_ms)
       values ('BTC', 'perp', 'BTC', false, 1), ('@107', 'spot', 'HYPE/USDC', false, 1)`,
    );
    const made = { candles: () => [] } as unknown as MadeAccount;
    closed = await startHandServer(target.store, made, undefined, TOKEN);
    open = await startHandServer(target.store, made);
    receiver = await startReceiver();
    const secret = await addEndpoint(target.database, {
      id: "wh_1",
      url: new Secret(`${receiver.url}/hidden-path`),
      format: "standard",
      events: ["*"],
      accounts: null,
      description: "mine",
      allowPrivate: true,
      maxAgeMs: null,
      sinceMs: nowMs - HOUR,
    });
    receiver.secret = secret!.reveal();
  });
  after(async () => {
    await open?.stop();
    await closed?.stop();
    await receiver?.close();
    await target?.close();
    await postgres?.stop();
  });

  const call = async (server: HandServer, path: string, body?: unknown, token: string | null = TOKEN) => {
    const answer = await fetch(server.url + path, {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
    return { status: answer.status, body: (await answer.json()) as any };
  };

  it("shows every rule with its thresholds and where it stands", async () => {
    const { body } = await call(closed, "/api/rules");
    assert.deepEqual(
      body.rows.map(({ name }: { name: string }) => name),
      [...ruleSet([]).rules.keys()],
    );
    const distance = body.rows.find(({ name }: { name: string }) => name === "liquidation_distance");
    assert.deepEqual(
      [distance.kind, distance.direction, distance.pending, distance.firing],
      ["condition", "below", 0, 0],
    );
    assert.ok(distance.levels.length > 0);
    assert.deepEqual([body.may_change, body.silences, body.prices], [true, [], []]);
  });

  it("silences and ends a silence where the command line reads it", async () => {
    const asked = { rule: "drawdown", account_address: ACCOUNT, coin: "BTC", for_ms: HOUR };
    const { body } = await call(closed, "/api/silences", asked);
    const [silence] = await readSilences(target.database, Date.now());
    assert.deepEqual(silence, {
      id: body.id,
      rule: "drawdown",
      account: ACCOUNT,
      coin: "BTC",
      untilMs: body.until_ms,
    });
    assert.equal((await call(closed, "/api/rules")).body.silences.length, 1);
    assert.equal((await call(closed, "/api/silences/end", { id: body.id })).status, 200);
    assert.deepEqual(await readSilences(target.database, Date.now()), []);
    assert.equal((await call(closed, "/api/silences/end", { id: body.id })).status, 404);
  });

  it("silences a market by its coin or its name, and none that it does not know", async () => {
    const silenced = async (target: string, coin: string) => {
      const { code, lines, error } = await runInProcess(alerts, { database: url, coin, json: "true" }, [
        "silence",
        target,
      ]);
      const made = lines.map((line) => JSON.parse(line));
      for (const { id } of made) await endSilence(db, id);
      return code === 0 ? made.map((one) => [one.rule, one.coin]) : error;
    };
    const { url, database: db } = target;
    assert.deepEqual(await silenced("drawdown", "BTC"), [["drawdown", "BTC"]]);
    assert.deepEqual(await silenced("large_fill", "HYPE/USDC"), [["large_fill", "@107"]]);
    // The alert of a price is about the name that the user wrote.
    const both = [
      [null, "@107"],
      ["price", "HYPE/USDC"],
    ];
    assert.deepEqual(await silenced("all", "HYPE/USDC"), both);
    assert.deepEqual(await silenced("all", "@107"), both);
    assert.match(String(await silenced("all", "hype/usdc")), /did you mean "HYPE\/USDC"\?$/);
    assert.equal((await runInProcess(alerts, { database: url, coin: "btc" }, ["silence", "all"])).code, 2);
    const asked = { coin: "HYPE/USDC", for_ms: HOUR };
    const { ids } = (await call(closed, "/api/silences", asked)).body;
    assert.equal(ids.length, 2);
    for (const id of ids) await call(closed, "/api/silences/end", { id });
    assert.deepEqual(await readSilences(db, Date.now()), []);
  });

  it("tells no address of a receiver, and tests, stops and repeats deliveries", async () => {
    const { body } = await call(closed, "/api/endpoints");
    assert.deepEqual([body.rows.length, body.rows[0].id, body.rows[0].state], [1, "wh_1", "enabled"]);
    assert.doesNotMatch(JSON.stringify(body), /hidden-path|whsec_/);
    const tested = await call(closed, "/api/endpoints/test", { id: "wh_1" });
    assert.deepEqual([tested.body.status, tested.body.error], [204, null]);
    assert.deepEqual([receiver.accepted.at(-1)?.type, receiver.forged], ["webhook.test", []]);
    await call(closed, "/api/endpoints/disable", { id: "wh_1" });
    assert.equal((await readEndpoints(target.database))[0]!.state, "disabled");
    await call(closed, "/api/endpoints/enable", { id: "wh_1" });
    assert.equal((await readEndpoints(target.database))[0]!.state, "enabled");
    const replayed = await call(closed, "/api/endpoints/replay", { id: "wh_1", since_ms: 0 });
    assert.ok(replayed.body.events > 0);
    // What a broker acknowledged is not counted as deliveries are.
    await registerPublisher(
      target.database,
      { id: "pub_1", format: "nats", label: "nats://host" },
      Date.now(),
    );
    const { rows } = (await call(closed, "/api/endpoints")).body;
    assert.deepEqual(rows.map(({ id, is_broker }: Record<string, unknown>) => [id, is_broker]).sort(), [
      ["pub_1", true],
      ["wh_1", false],
    ]);
    for (const action of ["replay", "disable"])
      assert.deepEqual(
        [
          (await call(closed, `/api/endpoints/${action}`, { id: "pub_1", since_ms: 0 })).status,
          (await runInProcess(webhooks, { database: target.url, since: "2020-01-01" }, [action, "pub_1"]))
            .code,
        ],
        [409, 2],
        action,
      );
    const listed = await runInProcess(webhooks, { database: target.url }, ["list"]);
    const counted = listed.lines.filter((line) => line.includes("pending"));
    assert.deepEqual(
      counted.map((line) => line.includes("delivered")),
      [true, false],
      counted.join("\n"),
    );
  });

  it("refuses what makes no sense, in one line", async () => {
    for (const [path, body, status, error] of [
      ["/api/silences", { rule: "drawdonw", for_ms: HOUR }, 400, /^rule: expected one of all, price, /],
      ["/api/silences", { for_ms: 1 }, 400, /^for_ms: expected a whole number from 60000 to /],
      ["/api/silences", { account_address: "mian", for_ms: HOUR }, 400, /^account: expected 0x/],
      ["/api/silences", { coin: "BTC;drop", for_ms: HOUR }, 400, /^coin: expected a market/],
      [
        "/api/silences",
        { coin: "btc", for_ms: HOUR },
        400,
        /^coin "btc": no market .*, did you mean "BTC"\?$/,
      ],
      ["/api/silences", { coin: "BTCC", for_ms: HOUR }, 400, /^coin "BTCC": no market is called so$/],
      ["/api/silences", ["all"], 400, /^expected a JSON object$/],
      ["/api/alerts/test", {}, 404, /^there is no such channel/],
      ["/api/endpoints/test", { id: "wh_2" }, 404, /^there is no such endpoint$/],
      ["/api/endpoints/replay", { id: "wh_1", since_ms: "yesterday" }, 400, /^since_ms: expected a whole/],
      ["/api/endpoints/replay", { id: "wh_1", since_ms: 9e15 }, 400, /^since_ms: expected a whole/],
    ] as const) {
      const answer = await call(closed, path, body);
      assert.equal(answer.status, status, `${path} ${JSON.stringify(body)}`);
      assert.match(answer.body.error, error);
    }
  });

  it("changes nothing without a token, and says so to the page", async () => {
    for (const path of ["silences", "silences/end", "alerts/test", "endpoints/test", "endpoints/replay"]) {
      const asked = { id: "wh_1", rule: "all", for_ms: HOUR, since_ms: 0 };
      const bare = await call(open, `/api/${path}`, asked, null);
      assert.deepEqual([bare.status, /HLSYNC_TOKEN/.test(bare.body.error)], [403, true], path);
      assert.equal((await call(closed, `/api/${path}`, asked, "another")).status, 401, path);
    }
    assert.deepEqual(await readSilences(target.database, Date.now()), []);
    for (const path of ["/api/rules", "/api/endpoints"])
      assert.equal((await call(open, path, undefined, null)).body.may_change, false);
    const painted = await fetch(`${open.url}/api/painted`, { method: "POST", body: '{"lags_ms":[3]}' });
    assert.equal(painted.status, 204, "which changes nothing");
  });
});
