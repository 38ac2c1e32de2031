/**
 * The SQL of the exchange on ClickHouse itself, which is here the one of `chdb`: in a folder, and through a small HTTP server over
 * it (no ClickHouse server can be had for tests). `HLSYNC_TEST_CHDB` names the folder where `npm install chdb` was run.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { clickHouseServer, openClickHouse } from "../../../src/exchange/clickhouse.ts";
import { mergeStatements, schemaStatements } from "../../../src/exchange/ddl.ts";
import { openEmbeddedClickHouse } from "../../../src/exchange/embedded.ts";
import type { ClickHouse } from "../../../src/exchange/engine.ts";
import { codeIn } from "../../../src/exchange/engine.ts";
import { loadFile } from "../../../src/exchange/load.ts";
import { parquetFiles } from "../../../src/exchange/parquet.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { seededRandom } from "../../../src/runtime/random.ts";
import { blockLine, nodeTime } from "../../support/nodeFiles.ts";
import { temporaryFolder } from "../../support/postgres.ts";

const CHDB = process.env.HLSYNC_TEST_CHDB;
const skip = CHDB === undefined && "HLSYNC_TEST_CHDB is not set: npm install --prefix FOLDER chdb";

const T = Date.UTC(2026, 3, 1);
const user = (n: number) => `0x${n.toString(16).padStart(40, "0")}`;
/** Both rows of a trade. */
const trade = (ms: number, coin: string, px: string, sz: string, tid: number, more: object = {}) =>
  (["B", "A"] as const).map((side, n) => [
    user(n + 1),
    {
      ...{ coin, px, sz, side, time: ms, startPosition: n === 0 ? "2.0" : "-1.0", dir: "Open Long" },
      ...{ closedPnl: n === 0 ? "10.5" : "-3.0", hash: `0x${"0".repeat(64)}`, oid: tid * 2 + n },
      ...{ crossed: n === 0, fee: "0.25", tid, feeToken: "USDC", twapId: null, ...more },
    },
  ]);
const funding = (ms: number, usdc: string) => ({
  ...{ time: nodeTime(ms), hash: `0x${"0".repeat(64)}` },
  inner: {
    Funding: {
      deltas: [{ user: user(1), coin: "BTC", funding_amount: usdc, szi: "3", funding_rate: "0.0000125" }],
    },
  },
});
const sent = (ms: number) => ({
  ...{ time: nodeTime(ms), hash: `0x${"1".repeat(64)}` },
  inner: {
    LedgerUpdate: { users: [user(1), user(2)], delta: { type: "send", token: "USDC", amount: "5.5" } },
  },
});

const FILLS = [
  blockLine(10, T, trade(T, "BTC", "100.5", "2", 1)),
  blockLine(11, T + 1, []),
  blockLine(12, T + 2, [
    ...trade(T + 2, "BTC", "200", "1", 2, { builderFee: "0.1", builder: user(9) }),
    ...trade(T + 2, "@107", "3", "1", 3),
    ...trade(T + 2, "ETH", "1", "1", 4, {
      liquidation: { liquidatedUser: user(2), markPx: "1", method: "market" },
    }),
  ]),
].join("");
const MISC = blockLine(13, T, [
  funding(T, "-1.5"),
  sent(T),
  { time: nodeTime(T), hash: "0x", inner: { CDeposit: {} } },
]);

describe("the exchange in ClickHouse", { skip }, () => {
  const folder = temporaryFolder();
  let embedded: ClickHouse;
  let overHttp: ClickHouse;
  let close = async () => {};

  before(async () => {
    embedded = openEmbeddedClickHouse(join(folder.path, "db"), [join(CHDB!, "package.json")]);
    const { port, stop } = await serve(embedded);
    close = stop;
    const server = clickHouseServer(`clickhouse://127.0.0.1:${port}/over_http`)!;
    const { signal } = new AbortController();
    overHttp = openClickHouse(server, { send: fetch, clock: systemClock, random: seededRandom(1), signal });
  });
  after(async () => {
    await close();
    await embedded?.close();
    folder.remove();
  });

  for (const name of ["in_folder", "over_http"]) {
    const engine = () => (name === "in_folder" ? embedded : overHttp);
    const load = async (text: string, kind: "fill" | "misc") =>
      loadFile(
        { path: "f", kind, content: one(text) },
        { engine: engine(), database: name, signal: new AbortController().signal },
      );
    const rows = (sql: string) => engine().rows<Record<string, unknown>>(sql.replaceAll("{db}", name));

    it(`is the same however often it is loaded (${name})`, async () => {
      for (let time = 0; time < 2; time++) {
        for (const statement of schemaStatements({ database: name, cluster: null }))
          await engine().run(statement);
        assert.equal((await load(FILLS, "fill")).unread, 0);
        assert.equal((await load(MISC, "misc")).unread, 0);
      }
      const text = "toString(net_pnl) AS net, toString(volume) AS volume";
      assert.deepEqual(await rows(`SELECT account, fills, ${text} FROM {db}.traders ORDER BY net_pnl DESC`), [
        { account: user(1), fills: 4, net: "39.5", volume: "405" },
        { account: user(2), fills: 4, net: "-13", volume: "405" },
      ]);
      assert.deepEqual(
        await rows("SELECT coin, toString(volume) AS volume FROM {db}.coin_days ORDER BY coin"),
        [
          { coin: "@107", volume: "3" },
          { coin: "BTC", volume: "401" },
          { coin: "ETH", volume: "1" },
        ],
      );
      assert.deepEqual(
        await rows(
          "SELECT coin, toString(longs) AS l, toString(shorts) AS s FROM {db}.open_interest ORDER BY coin",
        ),
        [
          { coin: "BTC", l: "3", s: "2" },
          { coin: "ETH", l: "3", s: "2" },
        ],
      );
      assert.deepEqual(await rows("SELECT account, coin FROM {db}.liquidations"), [
        { account: user(2), coin: "ETH" },
      ]);
      assert.deepEqual(await rows("SELECT builder, toString(revenue) AS r FROM {db}.builder_days"), [
        { builder: user(9), r: "0.2" },
      ]);
      assert.deepEqual(
        (await rows(`SELECT block FROM {db}.account_fills(account = '${user(2)}') ORDER BY time, place`)).map(
          ({ block }) => Number(block),
        ),
        [10, 12, 12, 12],
      );
      const ledger = await rows(
        "SELECT account, type, toString(amount) AS amount FROM {db}.ledger FINAL ORDER BY account",
      );
      assert.deepEqual(
        ledger,
        [1, 2].map((n) => ({ account: user(n), type: "send", amount: "5.5" })),
      );
    });

    it(`has each position as the last fill left it, in whatever order days are loaded (${name})`, async () => {
      const sold = (ms: number, startPosition: string) =>
        blockLine(30, ms, [
          [user(4), { ...(trade(ms, "DOGE", "1", "1", ms)[1]![1] as object), startPosition }],
        ]);
      const day = 86_400_000;
      for (const text of [sold(T + day, "5.0"), sold(T + 2 * day, "4.0"), sold(T, "6.0")])
        await load(text, "fill");
      const asked =
        "SELECT toString(longs) AS l, toString(as_of) AS t FROM {db}.open_interest WHERE coin = 'DOGE'";
      const expected = [{ l: "3", t: "2026-04-03 00:00:00.000" }];
      assert.deepEqual(await rows(asked), expected);
      for (const statement of mergeStatements(name)) await engine().run(statement);
      assert.deepEqual(await rows(asked), expected);
      const parts = `SELECT partition FROM system.parts WHERE active AND database = '${name}' AND table = 'fills' GROUP BY partition HAVING count() > 1`;
      assert.deepEqual(await rows(parts), [], "each day is one part");
    });

    it(`keeps what cannot be read, and reads all around it (${name})`, async () => {
      const broken = blockLine(20, T + 5, [
        ...trade(T + 5, "SOL", "1", "1", 50),
        [user(7), { coin: "SOL", px: "much", sz: "1", side: "B", time: T + 5 }],
        ["0x12", trade(T + 5, "SOL", "1", "1", 51)[0]![1]],
        [user(7), { px: "1" }],
      ]);
      assert.equal((await load(`${broken}{"events":[\n`, "fill")).unread, 4);
      const [sol] = await rows("SELECT toUInt8(count()) AS n FROM {db}.fills FINAL WHERE coin = 'SOL'");
      assert.equal(sol!.n, 2);
      const [kept] = await rows("SELECT toUInt8(count()) AS n FROM {db}.unread FINAL WHERE reason != ''");
      assert.equal(kept!.n, 4);
    });

    it(`takes nothing in a file for SQL (${name})`, async () => {
      const sql = `CREATE TABLE ${name}.told (x Int8) ENGINE = Memory;\n`;
      const text = `${blockLine(40, T + 9, trade(T + 9, "SUI", "1", "1", 90))}\n${sql}`;
      assert.equal((await load(text, "fill")).unread, 1);
      assert.deepEqual(
        await rows("SELECT name FROM system.tables WHERE database = '{db}' AND name = 'told'"),
        [],
      );
      const [sui] = await rows("SELECT toUInt8(count()) AS n FROM {db}.fills FINAL WHERE coin = 'SUI'");
      assert.equal(sui!.n, 2);
    });

    it(`is written as Parquet, one file a table and day (${name})`, async () => {
      const names: string[] = [];
      for await (const file of parquetFiles(engine(), name, { fromMs: T, toMs: T + 1 })) {
        names.push(file.name);
        const parts: Buffer[] = [];
        for await (const part of file.content) parts.push(part);
        assert.equal(Buffer.concat(parts).toString("latin1").slice(0, 4), "PAR1");
      }
      assert.deepEqual(
        names,
        ["fills", "funding", "ledger"].map((table) => `${table}/2026-04-01.parquet`),
      );
    });
  }
});

async function* one(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

/** As much of ClickHouse's HTTP interface as is used. */
async function serve(engine: ClickHouse): Promise<{ port: number; stop(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    try {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const body = Buffer.concat(parts);
      const query = new URL(request.url!, "http://x").searchParams.get("query");
      const [, table, format] = /^INSERT INTO (\S+) FORMAT (\w+)$/.exec(query ?? "") ?? [];
      if (format === "TabSeparated") {
        const lines = body.toString().replaceAll("\\\\", "\\");
        await engine.insertLines(table!, Buffer.from(lines));
      } else if (format === "JSONEachRow") {
        const lines = body.toString().trimEnd().split("\n");
        await engine.insertRows(
          table!,
          lines.map((line) => JSON.parse(line) as object),
        );
      } else {
        const [, sql, as] = /^([\s\S]*) FORMAT (\w+)$/.exec(body.toString()) ?? [];
        if (as === undefined) await engine.run(body.toString());
        else for await (const part of engine.read(sql!, as)) response.write(part);
      }
      response.end();
    } catch (error) {
      const { message } = error as Error;
      response.writeHead(500, { "x-clickhouse-exception-code": String(codeIn(message) ?? 0) }).end(message);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port, stop };
}
