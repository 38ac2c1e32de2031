/** `import-legacy`: the tables of an older program are found, moved aside, taken over; so is a CSV file. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkDatabase } from "../../src/cli/checks/database.ts";
import { importLegacy } from "../../src/cli/commands/importLegacy.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Database } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrate.ts";
import { hlsync } from "../support/cli.ts";
import { runInProcess } from "../support/inProcess.ts";
import { startServer, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { FILLS, makeLegacyTables, ORDERS, type Outcome, SNAPSHOTS } from "./legacyTables.ts";
import { ACCOUNT, contentOf, fillOf, orderEventOf, outboxOf, T, versionsOf } from "./rows.ts";

interface Told {
  type: string;
  from: string;
  read: number;
  taken: number;
  known: number;
  unread: { reason: string; rows: number; example: string }[];
}

// Times of the venue's export are those of a clock on the wall.
process.env.TZ = "UTC";

const NAMES = ["hl_fills", "hl_orders", "hl_dashboard", "hl_positions"];

describe("the tables of an older program", () => {
  let server: TestServer;
  before(async () => {
    server = await startServer("real");
  });
  after(() => server?.stop());

  /** The command itself; what only a process shows is in test/e2e. */
  async function run(url: string, ...args: string[]) {
    const file = args.filter((arg) => arg !== "--check");
    const ran = await runInProcess(
      importLegacy,
      {
        database: url,
        json: "true",
        ...(args.includes("--check") ? { check: "true" } : {}),
        ...(file.length > 0 ? { account: ACCOUNT } : {}),
      },
      file,
    );
    const told = ran.lines.map((line) => JSON.parse(line) as Told);
    return { ...ran, told, of: (from: string) => told.find((one) => one.from === from && "read" in one)! };
  }

  const originals = async (db: Database, suffix: string): Promise<string[]> => {
    const texts: string[] = [];
    for (const name of NAMES)
      for (const { text } of await db.query<{ text: string }>(
        `select t::text as text from public.${name}${suffix} t`,
      ))
        texts.push(text);
    return texts;
  };

  function assertOutcomes(told: Told, rows: readonly { outcome: Outcome }[]): void {
    const count = (outcome: Outcome) => rows.filter((row) => row.outcome === outcome).length;
    assert.equal(told.read, rows.length);
    for (const { outcome } of rows) {
      if (typeof outcome === "string") continue;
      const said = told.unread.filter(({ reason }) => outcome.test(reason));
      assert.equal(said.length, 1, `${outcome} in ${JSON.stringify(told.unread)}`);
      const alike = rows.filter((row) => String(row.outcome) === String(outcome)).length;
      assert.equal(said[0]!.rows, alike, String(outcome));
      assert.match(said[0]!.example, /^\{"/);
    }
    assert.equal(told.taken, count("taken"), JSON.stringify(told));
    assert.equal(told.known, count("double"));
  }

  for (const startPosition of ["boolean", "text"] as const)
    it(`are never overwritten, and are taken over with ${startPosition} start positions`, async () => {
      assert.ok(FILLS.length >= 60);
      const db = await server.newDatabase({ migrated: false });
      await makeLegacyTables(db.database, startPosition);
      const kept = await originals(db.database, "");

      // Whoever would make tables of these names says what to do instead.
      await assert.rejects(
        migrate(db.database),
        /hl_fills.* of another program: hlsync import-legacy moves them aside/,
      );
      const refused = await hlsync(["migrate", "--database", db.url]);
      assert.equal(refused.code, 3);
      assert.match(
        refused.stderr,
        /public\.hl_dashboard, public\.hl_fills, public\.hl_orders, public\.hl_positions of another program: hlsync import-legacy/,
      );
      const findings = await checkDatabase({ database: db.database, clock: systemClock, accounts: [] });
      const finding = findings.find(({ check }) => check === "migrations")!;
      assert.equal(finding.status, "fail");
      assert.equal(finding.exit, 3);
      assert.match(finding.fix!, /hlsync import-legacy/);

      const dry = await run(db.url, "--check");
      assert.equal(dry.code, 3);
      assert.equal(dry.told.length, 4);
      assert.deepEqual(await originals(db.database, ""), kept);

      const first = await run(db.url);
      assert.equal(first.code, 0, first.error);
      assert.deepEqual(await originals(db.database, "_legacy"), kept);
      assertOutcomes(first.of("hl_fills_legacy"), FILLS);
      assertOutcomes(first.of("hl_orders_legacy"), ORDERS);
      assertOutcomes(first.of("hl_dashboard_legacy"), SNAPSHOTS);
      assert.equal(first.of("hl_positions_legacy").read, null);
      // A view of the user goes on reading what it read.
      const [report] = await db.database.query<{ n: number }>(
        "select sum(n)::int as n from public.my_report",
      );
      assert.equal(report!.n, FILLS.length);

      const content = await contentOf(db.database);
      const versions = await versionsOf(db.database);
      assert.equal(
        content["public.hl_fills"]!.length,
        FILLS.filter(({ outcome }) => outcome === "taken").length,
      );
      assert.ok(content["public.hl_fills"]!.every((row) => /"source": "legacy"/.test(row)));
      assert.equal(content["hl_internal.coverage"], undefined, "nothing is proven by it");
      assert.deepEqual(await outboxOf(db.database), [], "it is no news");

      const second = await run(db.url);
      assert.equal(second.code, 0, second.error);
      assert.equal(second.of("hl_fills_legacy").taken, 0);
      assert.deepEqual(await contentOf(db.database), content);
      assert.deepEqual(await versionsOf(db.database), versions);

      // The views read it, and the next start finds nothing in its way.
      await db.database.query("select * from hl_round_trips; select * from hl_fees; select * from hl_equity");
      assert.deepEqual(await migrate(db.database), []);
      await db.close();
    });

  it("says exactly what they said", async () => {
    const db = await server.newDatabase({ migrated: false });
    await makeLegacyTables(db.database, "text");
    await run(db.url);
    const rows = await db.database.query<Record<string, unknown>>(
      `select trade_id, size, price, value, fee, fill_time_ms, side, start_position, crossed, closed_pnl
       from hl_fills where coin <> 'ETH' order by trade_id`,
    );
    const of = (tradeId: number) => rows.find((row) => row.trade_id === tradeId)!;
    assert.deepEqual(of(2).size, "0.00001");
    assert.deepEqual(of(2).value, "0.83");
    assert.equal(of(5).size, "0.123456789012345678901234567890");
    for (const tradeId of [12, 13, 14, 15, 16, 17])
      assert.equal(of(tradeId).fill_time_ms, T, String(tradeId));
    assert.equal(of(18).fill_time_ms, T - 851);
    assert.deepEqual(
      [of(7).start_position, of(26).start_position, of(10).start_position],
      [null, "100.25", null],
    );
    assert.deepEqual([of(19).crossed, of(20).crossed], [false, null]);
    assert.equal(of(21).fee, "-0.0012");
    const [wire] = await db.database.query(
      "select size, price, start_position, side from hl_fills where trade_id = 5050",
    );
    assert.deepEqual(wire, { size: "0.0100", price: "3900.10", start_position: "0.0200", side: "sell" });
    const orders = await db.database.query<{ order_id: number; status: string }>(
      "select order_id, status from hl_orders order by order_id",
    );
    assert.deepEqual(
      orders.map(({ status }) => status),
      ["canceled", "canceled", "filled", "open", "partially_filled"],
    );
    const [snapshot] = await db.database.query(
      "select account_value, health_score, net_worth, source from hl_dashboard order by as_of limit 1",
    );
    assert.deepEqual(snapshot, {
      account_value: "38252.7",
      health_score: null,
      net_worth: null,
      source: "legacy",
    });
    await db.close();
  });

  it("adds nothing to time that the venue proved, and gives way to what the venue says", async () => {
    const db = await server.newDatabase();
    const proven = (stream: "fills" | "twapFills") =>
      ({
        account: ACCOUNT,
        stream,
        grade: "proven",
        fromMs: T - 1_000,
        toMs: T + 1_000,
        reason: null,
      }) as const;
    await db.store.apply({
      fills: [fillOf({ startPosition: "7.5" })],
      orderEvents: [
        orderEventOf({ orderId: 1, venueStatus: "filled", statusTimeMs: T + 5, remaining: "0.0" }),
      ],
      coverage: [proven("fills"), proven("twapFills")],
    });
    await db.database.query(
      `create table public.hl_fills_legacy as select account_address, coin, fill_time_ms, side, size::text, price::text,
         fee::text, fee_token, closed_pnl::text, direction, order_id::text, n::text as trade_id
       from public.hl_fills cross join unnest(array[trade_id, 17]) n;
       create table public.hl_orders_legacy as select account_address, '1' as order_id, 'canceled' as status, coin, side,
         '1' as size, '2' as limit_price, fill_time as placed_at, fill_time as status_at from public.hl_fills`,
    );
    const before = await contentOf(db.database);
    const { code, of } = await run(db.url);
    assert.equal(code, 0);
    const told = of("hl_fills_legacy");
    assert.deepEqual([told.read, told.taken, told.known], [2, 0, 1]);
    assert.match(told.unread[0]!.reason, /the venue has no such fill at a time of which it told all/);
    assert.deepEqual([of("hl_orders_legacy").taken, of("hl_orders_legacy").known], [0, 1]);
    assert.deepEqual(await contentOf(db.database), before);
    await db.close();
  });

  it("are left alone where something else stands in the way, and are moved beside what is there", async () => {
    const db = await server.newDatabase({ migrated: false });
    await db.database.query(
      "create view public.hl_equity as select 1 as mine; create table public.hl_fills (coin text); create table public.hl_fills_legacy (id integer)",
    );
    const refused = await run(db.url);
    assert.equal(refused.code, 3);
    assert.match(refused.error, /public\.hl_equity, not made by hlsync: rename or drop that first/);
    assert.deepEqual(await db.database.query("select * from public.hl_equity"), [{ mine: 1 }]);
    await db.database.query("drop view public.hl_equity");
    const done = await run(db.url);
    assert.equal(done.code, 0, done.error);
    const names = await db.database.query(
      "select relname as name from pg_class where relname ~ '^hl_fills_legacy' order by 1",
    );
    assert.deepEqual(names, [{ name: "hl_fills_legacy" }, { name: "hl_fills_legacy_2" }]);
    await db.close();
  });

  it("may be a file: the venue's own export, of time that the venue no longer serves", async () => {
    const db = await server.newDatabase();
    const folder = temporaryFolder();
    const file = join(folder.path, "trade_history.csv");
    writeFileSync(
      file,
      "time,coin,dir,px,sz,ntl,fee,closedPnl\r\n" +
        "26/09/2026 - 00:00:00,BTC,Open Long,83000,0.5,41500,18.675,-18.675\r\n" +
        "08/03/2024 - 12:00:01,BTC,Close Short,99500,0.002,199,0.02,0.98\r\n" +
        "08/03/2024 - 12:00:01,BTC,Close Short,99500,0.002,199,0.02,0.98\r\n" +
        "08/03/2024 - 11:15:01,BTC,Open Short,100000,0.004,400,0.04,-0.04\r\n" +
        "08/03/2024 - 11:15:00,HYPE/USDC,Buy,42.184,20,843.68,0.01344,-0.56695296\r\n" +
        "08/03/2024 - 11:14:00,BTC,Liquidated Isolated Long,1,1,1,1,1\r\n",
    );
    const importFile = async () => {
      const ended = await run(db.url, file);
      return { ...ended, told: ended.told[0] };
    };
    const early = await importFile();
    assert.equal(early.code, 2);
    assert.match(early.error, /run hlsync sync --once first/);
    await db.store.apply({
      fills: [fillOf()],
      coverage: [
        {
          account: ACCOUNT,
          stream: "fills",
          grade: "unprovable",
          fromMs: T - 90_000_000_000,
          toMs: T - 1,
          reason: "too old",
        },
      ],
    });
    const first = await importFile();
    assert.equal(first.code, 0, first.error);
    assert.deepEqual([first.told!.read, first.told!.taken, first.told!.known], [6, 3, 0]);
    assert.deepEqual(
      first.told!.unread.map(({ reason, rows }) => [rows, reason]),
      [
        [1, "of a time that the venue still serves, or served to hlsync"],
        [1, "a spot pair under its name for people"],
        [1, "dir does not tell the side"],
      ],
    );
    const rows = await db.database.query(
      "select fill_time_ms, side, value, closed_pnl, start_position, order_id, trade_id < 0 as made from hl_fills where source = 'legacy' order by fill_time_ms, trade_id",
    );
    const closing = {
      fill_time_ms: Date.UTC(2024, 2, 8, 12, 0, 1),
      side: "buy",
      value: "199",
      closed_pnl: "1",
    };
    const unknown = { start_position: null, order_id: 0, made: true };
    assert.deepEqual(rows, [
      {
        fill_time_ms: Date.UTC(2024, 2, 8, 11, 15, 1),
        side: "sell",
        value: "400",
        closed_pnl: "0.0",
        ...unknown,
      },
      { ...closing, ...unknown },
      { ...closing, ...unknown },
    ]);
    const content = await contentOf(db.database);
    assert.equal((await importFile()).told!.known, 3);
    assert.deepEqual(await contentOf(db.database), content);

    // Rows of a table, as `hlsync export` writes them.
    const exported = join(folder.path, "fills.csv");
    const { stdout } = await hlsync([
      "export",
      "--table",
      "fills",
      "--account",
      ACCOUNT,
      "--database",
      db.url,
    ]);
    writeFileSync(exported, stdout);
    const other = await server.newDatabase();
    const again = await run(other.url, exported);
    assert.equal(again.told[0]!.taken, 4, JSON.stringify(again));
    await other.close();
    await db.close();
    folder.remove();
  });
});
