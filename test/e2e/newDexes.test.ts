/** Perp dexes that are deployed while hlsync follows: what the account then has on them is there within 30 s, or by the next pass. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../src/runtime/clock.ts";
import { add, eq } from "../../src/runtime/decimal.ts";
import type { JsonObject } from "../../src/simulator/contract.ts";
import { createVenue, type SimulatedVenue } from "../../src/simulator/exchange/venue.ts";
import { type Simulator, startSimulator } from "../../src/simulator/server/server.ts";
import { type Running, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import type { Step } from "../support/scriptedVenue.ts";
import { until } from "../support/until.ts";
import { CaseRig, fill, hashOf, USER } from "./casesRig.ts";

const WITHIN_MS = 30_000;
const COIN = "abc:GOLD";

describe("a perp dex that appears while hlsync runs", () => {
  let server: TestServer;
  let target: TestDatabase;
  let venue: SimulatedVenue;
  let exchange: Simulator;
  let running: Running;

  before(async () => {
    server = await startServer("real");
  });
  beforeEach(async () => {
    target = await server.newDatabase();
    venue = createVenue({ startMs: Date.now(), traders: { coins: ["BTC", "ETH", "SOL"] } });
    venue.deposit(USER, "1000");
    exchange = await startSimulator({ venue, limits: { weightPerMinute: 100_000 } });
  });
  afterEach(async () => {
    await running?.stop("SIGKILL");
    await exchange?.stop();
    await target?.close();
  });
  after(() => server?.stop());

  const follow = async (...command: string[]): Promise<void> => {
    running = start([
      ...command,
      ...["--account", USER, "--api-url", exchange.url, "--database", target.url, "--weight", "100000"],
    ]);
    await waited(
      "the first snapshot",
      60_000,
      async () => (await rows("select 1 from hl_dashboard")).length > 0,
    );
  };
  const rows = <R extends JsonObject = JsonObject>(sql: string): Promise<R[]> =>
    target.database.query<R>(sql);

  async function waited(what: string, timeoutMs: number, holds: () => Promise<boolean>): Promise<number> {
    return (await until(() => `${what}\n${running.stderr().slice(-2_000)}`, timeoutMs, holds)).tookMs;
  }

  const deploy = () => venue.script({ type: "deployDex", name: "abc", coins: { GOLD: "2400" } });
  /** Buys until it is stopped by the end of the test: the position never is flat. */
  const buy = (usd: string) => {
    const order = { a: asset(), b: true, p: "2450", s: usd, r: false, t: { limit: { tif: "Ioc" } } };
    const { body } = venue.execute(
      USER,
      { type: "order", orders: [order], grouping: "na" },
      { nonce: Date.now() },
    );
    assert.match(JSON.stringify(body), /filled/);
  };
  const asset = () => {
    const dexes = venue.info({ type: "perpDexs" }).body as (JsonObject | null)[];
    return 100_000 + dexes.findIndex((dex) => dex?.name === "abc") * 10_000;
  };
  const send = (amount: string) => {
    const action = {
      type: "sendAsset",
      destination: USER,
      sourceDex: "",
      destinationDex: "abc",
      token: "USDC",
      amount,
      fromSubAccount: "",
      nonce: Date.now(),
    };
    const { body } = venue.execute(USER, action, { nonce: Date.now() });
    assert.match(JSON.stringify(body), /"ok"/);
  };

  const isHeld = async (): Promise<boolean> => {
    const truth = venue.truth(USER).positions.find(({ coin }) => coin === COIN);
    const [row] = await rows<{ szi: string }>(
      `select case side when 'short' then -size else size end::text as szi from hl_positions
       where coin = '${COIN}' and dex = 'abc' and side <> 'flat'`,
    );
    return truth !== undefined && row !== undefined && eq(row.szi, truth.szi);
  };
  /** The money on all dexes, within what prices move it. */
  const isCounted = async (): Promise<boolean> => {
    const values = ["", "xyz", "abc"].map((dex) => {
      const { body } = venue.info({ type: "clearinghouseState", user: USER, dex });
      return ((body as JsonObject).marginSummary as { accountValue: string }).accountValue;
    });
    const [row] = await rows<{ equity: string }>(
      "select account_value::text as equity from hl_dashboard order by as_of desc limit 1",
    );
    return Math.abs(Number(row?.equity) - Number(values.reduce(add))) < 2;
  };

  it("run: position, equity, open order and alert within 30 s, by the same connection, and it says so", async () => {
    venue.addActiveAccount({ user: USER, fillsPerSecond: 0.5, coins: ["BTC"] });
    await follow("run", "--interval", "300", "--listen", "127.0.0.1:0", "--alert", "position=on");
    const [session] = exchange.gateway.sessions();
    await systemClock.sleep(2_000);
    deploy();
    send("300");
    buy("0.05");
    const resting = { a: asset(), b: true, p: "2000", s: "0.05", r: false, t: { limit: { tif: "Gtc" } } };
    venue.execute(USER, { type: "order", orders: [resting], grouping: "na" }, { nonce: Date.now() + 1 });
    await waited("the position", WITHIN_MS, isHeld);
    await waited("the equity", WITHIN_MS, isCounted);
    await waited("the alert", WITHIN_MS, async () => {
      return (await rows(`select 1 from hl_alerts where rule = 'position' and coin = '${COIN}'`)).length > 0;
    });
    await waited("the order", WITHIN_MS, async () => {
      return (await rows(`select 1 from hl_orders where coin = '${COIN}' and status = 'open'`)).length > 0;
    });
    await running.complaint(/new perp dex: followed from now on.*abc/);
    assert.deepEqual(exchange.gateway.sessions(), [session], "no other connection");
    const added = session!.subscriptions.filter(({ dex }) => dex === "abc").map(({ type }) => type);
    assert.deepEqual(added.sort(), ["clearinghouseState", "openOrders"]);
  });

  it("run: money that is sent there without a trade is in the equity within 30 s", async () => {
    await follow("run", "--interval", "300", "--listen", "127.0.0.1:0");
    deploy();
    send("300");
    await waited("the state of the new dex", WITHIN_MS, async () => {
      return (await rows("select 1 from hl_internal.states where dex = 'abc'")).length > 0;
    });
    await running.complaint(/new perp dex: followed from now on.*abc/);
    // Nothing came and nothing went: no snapshot says otherwise.
    const equities = await rows("select distinct account_value::text as equity from hl_dashboard");
    assert.deepEqual(equities, [{ equity: "1000" }]);
  });

  it("run: an order that rests there and nothing else is open within 30 s", async () => {
    await follow("run", "--interval", "300", "--listen", "127.0.0.1:0");
    deploy();
    send("300");
    const resting = { a: asset(), b: true, p: "2000", s: "0.05", r: false, t: { limit: { tif: "Gtc" } } };
    venue.execute(USER, { type: "order", orders: [resting], grouping: "na" }, { nonce: Date.now() + 1 });
    await waited("the order", WITHIN_MS, async () => {
      return (await rows(`select 1 from hl_orders where coin = '${COIN}' and status = 'open'`)).length > 0;
    });
  });

  it("sync --interval: all of it by the next pass", async () => {
    await follow("sync", "--interval", "5");
    deploy();
    send("300");
    buy("0.05");
    // What a pass finds out about a dex it reads in the next one.
    await waited("the position", 2 * 5_000 + 10_000, isHeld);
    await waited("the equity", 2 * 5_000 + 10_000, isCounted);
  });

  it("run: a row that names a dex that is never listed: asked for at most once a minute", async () => {
    const rig = await CaseRig.start(server);
    try {
      const program = await rig.streams();
      const asked = () => rig.venue.asked.filter(({ type }) => type === "perpDexs").length;
      const before = asked();
      let step: Step = { fills: [], ledger: [] };
      for (let i = 1; i <= 20; i++) {
        const delta = {
          type: "perpDexClassTransfer",
          amount: "1.0",
          token: "USDC",
          dex: "ghost",
          toPerp: true,
        };
        step = {
          fills: [...step.fills!, fill(`ghost:X${i}`, Date.now(), "0.0", 1)],
          ledger: [...step.ledger!, { time: Date.now(), hash: hashOf(i), delta }],
        };
        rig.venue.begin(step);
        await systemClock.sleep(250);
      }
      await program.complaint(/a row names a perp dex that the venue does not list.*ghost/);
      assert.equal(asked() - before, 1);
      await rig.until(
        "all fills",
        async () => (await rig.rows("select 1 from hl_fills")).length === 20,
        WITHIN_MS,
      );
    } finally {
      await rig.close();
    }
  });
});
