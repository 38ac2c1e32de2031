/**
 * The store and the program behind a transaction pooler, where each statement may run on another connection of the
 * server: no named statements, no session settings, no session locks.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { add } from "../../src/runtime/decimal.ts";
import { knownMigrations, migrate, pendingMigrations } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { type DatabaseStore, openStore } from "../../src/store/store.ts";
import type { Batch } from "../../src/sync/events.ts";
import { hlsync, ofType, type Running, simulate, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { noPooler, type Pooler, startPooler } from "./pgbouncer.ts";
import {
  ACCOUNT,
  balanceOf,
  contentOf,
  dashboardOf,
  fillOf,
  fundingOf,
  ledgerOf,
  OTHER,
  orderEventOf,
  positionOf,
  T,
} from "./rows.ts";

const PAST = `0x${"d".repeat(40)}`;
const PAST_MS = 1_780_000_000_000;
const TRADER = `0x${"e".repeat(40)}`;

describe("behind a transaction pooler", { skip: noPooler, timeout: 120_000 }, () => {
  let server: TestServer;
  let pooler: Pooler;
  let db: TestDatabase;
  let url: string;
  /** Through the pooler, with more connections than the pooler has to the server. */
  let stores: DatabaseStore[];

  before(async () => {
    server = await startServer("real");
    const any = await server.newDatabase();
    pooler = await startPooler(any.url, { mode: "transaction", poolSize: 3 });
    await any.close();
  });
  after(async () => {
    await pooler?.stop();
    await server?.stop();
  });
  beforeEach(async () => {
    db = await server.newDatabase();
    url = pooler.urlOf(db.url);
    stores = [0, 1].map(() => openStore(openPostgres(url, { maxConnections: 4 })));
  });
  afterEach(async () => {
    for (const { database } of stores) await database.close();
    await db.close();
  });

  it("lends one connection of the server to several clients, as this suite assumes", async () => {
    const pids = new Set<unknown>();
    const settings = new Set<unknown>();
    for (const { database } of [...stores, ...stores]) {
      const [row] = await database.query(
        "select pg_backend_pid() as pid, current_setting('hlsync.seen', true) as seen, set_config('hlsync.seen', 'yes', false)",
      );
      pids.add(row?.pid);
      settings.add(row?.seen);
    }
    assert.equal(pids.size, 1);
    assert.ok(settings.has("yes"), "a setting of one client is seen by the next");
  });

  it("the store writes every kind of row and reads it back", async () => {
    const [a, b] = stores as [DatabaseStore, DatabaseStore];
    const batch: Batch = {
      fills: [fillOf()],
      orderEvents: [orderEventOf()],
      positions: [positionOf()],
      balances: [balanceOf()],
      funding: [fundingOf()],
      ledger: [ledgerOf()],
      dashboard: [dashboardOf()],
      coverage: [
        { account: ACCOUNT, stream: "fills", grade: "proven", fromMs: T, toMs: T + 9, reason: null },
      ],
    };
    const applied = await a.apply(batch);
    assert.ok(Object.values(applied.written).every((rows) => rows === 1));
    assert.deepEqual(await b.fills(ACCOUNT, T, T), [fillOf()]);
    assert.deepEqual(await b.orderEvents(ACCOUNT, [orderEventOf().orderId]), [orderEventOf()]);
    assert.deepEqual(await b.positions(ACCOUNT), [positionOf()]);
    assert.deepEqual(await b.funding(ACCOUNT, T, T), [fundingOf()]);
    assert.deepEqual(await b.ledger(ACCOUNT, T, T), [ledgerOf()]);
    assert.deepEqual(await b.latestDashboard(ACCOUNT), dashboardOf());
    assert.deepEqual(await b.coverage(ACCOUNT, "fills"), batch.coverage);
    const events = await b.outboxAfter("0", 100);
    assert.deepEqual(
      events.map(({ key }) => key),
      applied.events.map(({ key }) => key),
    );
  });

  it("migrations are applied once when several programs start together", async () => {
    const empty = await server.newDatabase({ migrated: false });
    const through = Array.from({ length: 4 }, () => openPostgres(pooler.urlOf(empty.url)));
    const done = await Promise.all(through.map((database) => migrate(database)));
    assert.deepEqual(
      done.flat().sort(),
      knownMigrations().map(({ name }) => name),
    );
    assert.deepEqual(await pendingMigrations(through[0]!), []);
    for (const database of through) await database.close();
    await empty.close();
  });

  it("two writers of the same rows at once end with what one of them would have written", async () => {
    const batches = Array.from({ length: 40 }, (_, i): Batch => {
      const timeMs = T + i;
      return {
        fills: [ACCOUNT, OTHER].map((account) => fillOf({ account, timeMs, tradeId: i + 1 })),
        orderEvents: [orderEventOf({ orderId: i, venueStatus: i % 2 ? "filled" : "open" })],
        positions: [positionOf({ asOfMs: timeMs, szi: `${i + 1}.0` })],
        funding: [fundingOf({ timeMs })],
      };
    });
    const orders = [batches, [...batches].reverse()];
    await Promise.all(
      stores.map(async (store, i) => {
        for (let n = 0; n < 40; n += 4)
          await Promise.all(orders[i]!.slice(n, n + 4).map((b) => store.apply(b)));
      }),
    );
    const alone = await server.newDatabase();
    for (const batch of batches) await alone.store.apply(batch);
    assert.deepEqual(await contentOf(db.database), await contentOf(alone.database));
    await alone.close();
    // What one client is told while the other writes: ids in the order of the commits, each change once.
    const keys = (await stores[0]!.outboxAfter("0", 1_000)).map(({ key }) => key);
    assert.equal(keys.filter((key) => key.startsWith("fill")).length, 80);
    assert.equal(new Set(keys).size, keys.length);
  });

  it("a lease has one holder, although connections are shared", async () => {
    const claims = await Promise.all(
      Array.from({ length: 6 }, (_, i) => stores[i % 2]!.takeLease("duty", `process ${i}`, 60_000)),
    );
    assert.deepEqual(
      claims.filter((token) => token !== null),
      [1],
    );
  });

  describe("the program", () => {
    const folder = temporaryFolder();
    const { fills, position } = history(600);
    let exchange: Running & { apiUrl: string };
    let empty: TestDatabase;
    before(async () => {
      const recorded = join(folder.path, "recorded.json");
      const states = { "": stateOf(position) };
      writeFileSync(recorded, JSON.stringify({ [PAST]: { fills, clearinghouseState: states } }));
      const trading = ["--account", TRADER, "--fills-per-second", "10"];
      exchange = await simulate("--recorded", recorded, ...trading, "--weight", "6000");
      empty = await server.newDatabase({ migrated: false });
    });
    after(async () => {
      await exchange?.stop();
      await empty?.close();
      folder.remove();
    });
    const argsOf = (account: string) => [
      ...["--account", account, "--api-url", exchange.apiUrl, "--database", pooler.urlOf(empty.url)],
      ...["--weight", "6000", "--json", "--log-level", "error"],
    ];

    it("`sync --once` migrates and brings a whole account in, and `verify` proves it", async () => {
      const synced = await hlsync(["sync", "--once", ...argsOf(PAST)]);
      assert.equal(synced.code, 0, synced.stderr);
      const [row] = await empty.database.query("select count(*) as fills from hl_fills");
      assert.equal(row?.fills, fills.length);
      const verified = await hlsync(["verify", ...argsOf(PAST)]);
      assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    });

    it("`run` streams, and hands over in order", async () => {
      const following = start(["run", "--listen", "127.0.0.1:0", ...argsOf(TRADER)]);
      await following.line((line) => {
        const event = ofType("fill.created")(line);
        return event?.source === "stream" ? event : undefined;
      });
      const { code, stderr } = await following.stop();
      assert.equal(code, 0, stderr);
      const held = await openStore(empty.database).heldLeases("follow ");
      assert.deepEqual(held, [], "the lease was given back");
    });
  });
});

/** Fills of one account whose chain is unbroken, and the position it ends at. */
function history(rows: number): { fills: Record<string, unknown>[]; position: string } {
  let position = "0";
  const fills = Array.from({ length: rows }, (_, i) => {
    const isBuy = i % 3 !== 0;
    const fill = {
      ...{ coin: "BTC", px: "60000.0", sz: "1.5", side: isBuy ? "B" : "A", time: PAST_MS + i * 700 },
      ...{ startPosition: position, dir: isBuy ? "Open Long" : "Close Long", closedPnl: "0.0" },
      ...{ hash: `0x${i.toString(16).padStart(64, "0")}`, oid: 500_000 + i, crossed: true },
      ...{ fee: "0.0125", tid: 900_000_000_000 + i, feeToken: "USDC", twapId: null },
    };
    position = add(position, isBuy ? "1.5" : "-1.5");
    return fill;
  });
  return { fills, position };
}

function stateOf(szi: string) {
  const summary = { accountValue: "100.0", totalNtlPos: "0.0", totalRawUsd: "0.0", totalMarginUsed: "0.0" };
  const position = { coin: "BTC", szi, positionValue: "1.0", unrealizedPnl: "0.0", marginUsed: "1.0" };
  return {
    ...{ marginSummary: summary, crossMarginSummary: summary, withdrawable: "0.0" },
    ...{ assetPositions: [{ type: "oneWay", position }], time: PAST_MS + 100_000_000 },
  };
}
