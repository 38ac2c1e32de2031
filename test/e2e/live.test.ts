/** `run` following a live account: orders of a real SDK, a kill without a word, and the demo. */
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ExchangeClient, HttpTransport, InfoClient } from "@nktkas/hyperliquid";
import { privateKeyToAccount } from "viem/accounts";
import { hlsync, ofType, type Running, simulate, start } from "../support/cli.ts";
import { hlsyncHere } from "../support/inProcess.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { eventually, PATIENCE_MS, until } from "../support/until.ts";

const trader = privateKeyToAccount(`0x${"44".repeat(32)}`);
const USER = trader.address.toLowerCase();
const BUSY = `0x${"b".repeat(40)}`;

describe("a live account", () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };

  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    exchange = await simulate("--account", BUSY, "--fills-per-second", "20", "--weight", "6000");
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await server?.stop();
  });

  const run = (...accounts: string[]) =>
    start([
      ...[
        "run",
        "--api-url",
        exchange.apiUrl,
        "--database",
        target.url,
        "--listen",
        "127.0.0.1:0",
        "--weight",
        "6000",
      ],
      ...["--json", "--log-level", "warn"],
      ...accounts.flatMap((account) => (account.startsWith("--") ? [account] : ["--account", account])),
    ]);
  const control = async (path: string, body?: object) => {
    const init = body
      ? { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } }
      : {};
    const response = await fetch(`${exchange.apiUrl}/control/${path}`, init);
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as Record<string, unknown[]>;
  };
  /** Asks the database until the answer satisfies. */
  const queried = <T>(sql: string, params: unknown[], good: (rows: T[]) => boolean): Promise<T[]> =>
    eventually(sql, () => target.database.query(sql, params) as Promise<T[]>, good);

  it("shows orders placed, partly filled, modified, canceled and rejected by an SDK with their right status", async () => {
    await control("deposit", { user: USER, usd: "100000" });
    const following = run(USER);
    // Followed once the deposit is told.
    await following.line((line) => (line.includes("ledger.created") ? true : undefined));
    const transport = new HttpTransport({ apiUrl: exchange.apiUrl });
    const client = new ExchangeClient({ transport, wallet: trader });
    const info = new InfoClient({ transport });
    const mids = await info.allMids();
    const mid = Math.round(Number(mids.BTC));
    const order = (over: object) => ({
      a: 0,
      b: true,
      p: String(mid),
      s: "0.01",
      r: false,
      t: { limit: { tif: "Gtc" } },
      ...over,
    });
    const place = async (over: object) => {
      const { response } = await client.order({ orders: [order(over)] as never, grouping: "na" });
      return response.data.statuses[0] as {
        resting?: { oid: number };
        filled?: { oid: number; totalSz: string };
      };
    };
    type Row = {
      order_id: number;
      venue_status: string;
      status: string;
      filled: string;
      order_type: string | null;
    };
    const sees = (oid: number, good: (row: Row) => boolean) =>
      queried<Row>(
        "select order_id, venue_status, status, filled::text, order_type from hl_orders where order_id = $1",
        [oid],
        ([row]) => Boolean(row && good(row)),
      );

    const resting = (await place({ p: String(Math.round(mid * 0.9)) })).resting!.oid;
    await sees(resting, ({ status, order_type }) => status === "open" && order_type === "Limit");
    await client.modify({ oid: resting, order: order({ p: String(Math.round(mid * 0.91)) }) as never });
    await sees(resting, ({ status }) => status === "canceled");
    const [moved] = await queried<{ order_id: number }>(
      "select order_id from hl_orders where account_address = $1 and status = 'open'",
      [USER],
      (rows) => rows.length === 1,
    );
    await client.cancel({ cancels: [{ a: 0, o: moved!.order_id }] });
    await sees(moved!.order_id, ({ venue_status }) => venue_status === "canceled");

    const taken = (await place({ p: String(Math.round(mid * 1.02)), t: { limit: { tif: "Ioc" } } })).filled!
      .oid;
    await sees(taken, ({ status, filled }) => status === "filled" && Number(filled) === 0.01);
    const cloid = `0x${"5".repeat(32)}`;
    await assert.rejects(place({ p: String(Math.round(mid * 0.9)), t: { limit: { tif: "Ioc" } }, c: cloid }));
    const [refused] = await queried<Row>(
      "select order_id, venue_status, status, filled::text, order_type from hl_orders where cloid = $1",
      [cloid],
      (rows) => rows.length > 0,
    );
    assert.deepEqual(
      [refused!.status, refused!.venue_status, Number(refused!.filled)],
      ["rejected", "iocCancelRejected", 0],
    );

    // Much larger than what the book holds up to this price: the rest stays, partly filled, until it is canceled.
    const book = await info.l2Book({ coin: "BTC" });
    const reached = book!.levels[1].slice(0, 3);
    const held = reached.reduce((sum, { sz }) => sum + Number(sz), 0);
    const part = await place({ p: reached.at(-1)!.px, s: (held + 5).toFixed(5) });
    const partly = (part.resting ?? part.filled)!.oid;
    const isPart = ({ filled }: Row) => Number(filled) > 0 && Number(filled) < held + 5;
    await sees(
      partly,
      (row) => row.status === "partially_filled" && row.venue_status === "open" && isPart(row),
    );
    await client.cancel({ cancels: [{ a: 0, o: partly }] });
    await sees(partly, (row) => row.status === "canceled" && row.venue_status === "canceled" && isPart(row));
    await following.stop();
  });

  it("loses and doubles nothing when it is killed without a word and started again", async () => {
    const first = run(BUSY);
    await first.line(ofType("fill.created"));
    await queried(
      "select 1 from hl_fills where account_address = $1 limit 300",
      [BUSY],
      (rows) => rows.length === 300,
    );
    const killed = await first.stop("SIGKILL");
    assert.equal(killed.code, null);
    const second = run(BUSY);
    await second.line(ofType("fill.created"));
    const count = "select count(*)::int as n from hl_fills where account_address = $1";
    const [at] = (await target.database.query(count, [BUSY])) as { n: number }[];
    await queried<{ n: number }>(count, [BUSY], ([row]) => row!.n > at!.n + 50);
    await second.stop();
    assert.equal(
      (
        await hlsync([
          "sync",
          "--once",
          "--api-url",
          exchange.apiUrl,
          "--database",
          target.url,
          "--account",
          BUSY,
          "--weight",
          "6000",
        ])
      ).code,
      0,
    );
    const { fills, twapSliceFills } = await control(`truth?user=${BUSY}`);
    const stored = (await target.database.query(
      "select fill_time_ms as time, order_id, trade_id, side from hl_fills where account_address = $1",
      [BUSY],
    )) as { time: number; order_id: number; trade_id: number; side: string }[];
    const latest = Math.max(...stored.map(({ time }) => time));
    const happened = [...(fills as Wire[]), ...(twapSliceFills as { fill: Wire }[]).map(({ fill }) => fill)]
      .filter(({ time }) => time <= latest)
      .map(({ time, oid, tid, side }) => [time, oid, tid, side === "B" ? "buy" : "sell"].join());
    const own = stored.map(({ time, order_id, trade_id, side }) => [time, order_id, trade_id, side].join());
    assert.deepEqual(own.sort(), happened.sort());
    assert.ok(own.length > 350);
  });

  it("fills the market tables on demand, and takes webData2 for what has replaced it", async () => {
    const streams = "trades,candle:1m,l2Book,allMids,activeAssetCtx,webData2";
    const following = run(BUSY, "--markets=BTC,ETH", `--streams=${streams}`);
    await following.line(ofType("fill.created"));
    for (const table of ["hl_trades", "hl_candles", "hl_books", "hl_mids", "hl_asset_ctxs"]) {
      const coins = await queried<{ coin: string }>(
        `select distinct coin from ${table} order by coin`,
        [],
        (rows) => rows.length > 1,
      );
      assert.deepEqual(
        coins.map(({ coin }) => coin),
        ["BTC", "ETH"],
      );
    }
    await queried("select 1 from hl_dashboard where account_address = $1", [BUSY], (rows) => rows.length > 0);
    await queried("select 1 from hl_positions where account_address = $1", [BUSY], (rows) => rows.length > 0);
    await following.stop();
  });

  it("brings the market data of all that the venue lists, other dexes and spot included", async () => {
    const following = run(BUSY, "--markets=all", "--streams=allMids,activeAssetCtx");
    const listed = ["BTC", "PURR/USDC", "xyz:AAPL"];
    for (const table of ["hl_mids", "hl_asset_ctxs"])
      await queried<{ coin: string }>(
        `select distinct coin from ${table} where coin = any ($1)`,
        [listed],
        (rows) => rows.length === listed.length,
      );
    await following.stop();
  });

  it("stops in order on SIGTERM with exit code 0", async () => {
    const following = run(BUSY);
    await following.line(ofType("fill.created"));
    const { code, stderr } = await following.stop("SIGTERM");
    assert.equal(code, 0, stderr);
  });
});

describe("the demo", () => {
  it("streams a simulated account into the embedded database and says where to look", async (t) => {
    const folder = temporaryFolder();
    const startedAtMs = performance.now();
    const own = ["--database", join(folder.path, "db"), "--verbose"];
    const demo = start(["demo", "--listen", "127.0.0.1:0", ...own], { cwd: folder.path });
    const url = await demo.line((line) => /psql '(postgres:[^']+)'/.exec(line)?.[1]);
    assert.match(url, /^postgres:\/\//);
    await demo.line((line) => (/ (bought|sold) /.test(line) ? line : undefined));
    t.diagnostic(`the first change after ${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s`);
    const { code } = await demo.stop("SIGINT");
    assert.equal(code, 0);
    folder.remove();
  });

  it("keeps out of what is set up for a real account, and is found by commands that are told nothing", async () => {
    const folder = temporaryFolder();
    const real = join(folder.path, "real");
    const [config, dotEnv] = [join(folder.path, "config.json"), join(folder.path, ".env")];
    writeFileSync(config, JSON.stringify({ database: real, "alert-to": ["ntfy://x"] }));
    writeFileSync(dotEnv, `SUPABASE_DB_URL=${real}\nHLSYNC_LISTEN=127.0.0.1:1\n`);
    const env = { DATABASE_URL: real, HLSYNC_CONFIG: "config.json", HLSYNC_ACCOUNTS: USER };
    const demo = start(["demo", "--listen", "127.0.0.1:0"], { cwd: folder.path, env });
    await demo.line((line) => (/Ctrl-C stops/.test(line) ? line : undefined));
    assert.ok(existsSync(join(folder.path, ".hlsync", "demo", "postgres")));
    assert.ok(!existsSync(real));
    rmSync(dotEnv);
    const here = { cwd: folder.path };
    const status = await hlsync(["status", "--json"], here);
    assert.equal(status.code, 0, status.stderr);
    assert.match(status.stderr, /no account and no database named: the demo in \.\/\.hlsync\/demo/);
    for (const alias of ["swing", "maker", "vault"])
      assert.match(status.stdout, new RegExp(`"alias":"${alias}"`));
    const named = await hlsync(["verify", "--account", "0x1"], here);
    assert.equal(named.code, 2);
    assert.doesNotMatch(named.stderr, /demo/);
    const stored = ["--database", join(folder.path, ".hlsync", "demo")];
    // They begin once three months are read, which is as slow as the machine.
    await until("the alert and the healed loss, delivered", PATIENCE_MS, async () => {
      const { stdout } = await hlsyncHere(["webhooks", "deliveries", ...stored]);
      return /delivered +alert\.resolved/.test(stdout) && /delivered +drift\.found/.test(stdout);
    });
    await until("three whole histories", PATIENCE_MS, async () => {
      const { stdout } = await hlsyncHere(["status", ...stored]);
      return stdout.match(/complete since the beginning, 0 gaps/g)?.length === 3;
    });
    const verify = await hlsync(["verify"], here);
    assert.equal(verify.code, 0, verify.stdout + verify.stderr);
    assert.equal((await demo.stop("SIGINT")).code, 0);
    assert.doesNotMatch(demo.stdout(), / (bought|sold) |history:/);
    assert.doesNotMatch(demo.stdout() + demo.stderr(), new RegExp(USER));
    const stranger = await hlsync(["status", "--account", "nobody"], here);
    assert.equal(stranger.code, 2);
    assert.match(stranger.stderr, /account "nobody" is no address .* which knows .*maker/);
    const exported = await hlsync(["export", "--table", "fills", "--account", "maker"], here);
    assert.equal(exported.code, 0, exported.stderr);
    const [header, ...rows] = exported.stdout.trim().split("\n");
    const timeAt = header!.split(",").indexOf("fill_time_ms");
    const firstMs = Math.min(...rows.map((row) => Number(row.split(",")[timeAt])));
    // How many trades three months bring depends on the moment that they end at.
    assert.ok(rows.length > 500 && firstMs < Date.now() - 85 * 86_400_000, `${rows.length} since ${firstMs}`);
    folder.remove();
  });
});

type Wire = { time: number; oid: number; tid: number; side: string };
