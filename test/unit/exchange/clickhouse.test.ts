/** ClickHouse over HTTP, against a server that records what it is told and answers as ClickHouse does; and the printed schema. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, StoreError } from "../../../src/errors.ts";
import { clickHouseServer, openClickHouse } from "../../../src/exchange/clickhouse.ts";
import { schemaStatements } from "../../../src/exchange/ddl.ts";
import { Refused } from "../../../src/exchange/engine.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { seededRandom } from "../../../src/runtime/random.ts";

const SERVER = clickHouseServer("clickhouse://loader:s%40cret@db.example/hl")!;

type Answer = { status?: number; code?: number; text?: string } | Error;

function recorded(...answers: Answer[]) {
  const requests: { url: URL; headers: Record<string, string>; body: string }[] = [];
  // Nobody waits in earnest.
  const clock = { ...systemClock, sleep: async () => {} };
  const send = (async (url: string, init: RequestInit) => {
    const headers = init.headers as Record<string, string>;
    requests.push({ url: new URL(url), headers, body: Buffer.from(init.body as Uint8Array).toString() });
    const answer = answers[requests.length - 1] ?? {};
    if (answer instanceof Error) throw answer;
    const { status = 200, code, text = "" } = answer;
    return new Response(text, {
      status,
      headers: code === undefined ? {} : { "x-clickhouse-exception-code": String(code) },
    });
  }) as typeof fetch;
  const { signal } = new AbortController();
  const engine = openClickHouse(SERVER, { send, clock, random: seededRandom(1), signal });
  return { engine, requests };
}

describe("ClickHouse over HTTP", () => {
  it("is named by URLs of both kinds, with its usual ports", () => {
    const { url, headers, database } = SERVER;
    assert.deepEqual([url, database], ["http://db.example:8123/", "hl"]);
    assert.deepEqual(headers, { "x-clickhouse-user": "loader", "x-clickhouse-key": "s@cret" });
    for (const [text, at, name] of [
      ["clickhouses://h", "https://h:8443/", "hyperliquid"],
      ["https://h:9000/x/", "https://h:9000/", "x"],
      ["http://[::1]:1", "http://[::1]:1/", "hyperliquid"],
    ] as const) {
      const server = clickHouseServer(text)!;
      assert.deepEqual([server.url, server.database], [at, name]);
    }
    for (const folder of ["./ch", "/data/clickhouse", "C:\\ch"]) assert.equal(clickHouseServer(folder), null);
    for (const bad of ["clickhouse://h/a b", "clickhouse://h/x;drop", "clickhouse://:x:y"])
      assert.throws(() => clickHouseServer(bad), ConfigError);
  });

  it("inserts with the statement in the address and the rows as body, acknowledged by the shards", async () => {
    const { engine, requests } = recorded();
    await engine.insertLines("hl.fill_lines", Buffer.from('{"a":1}\n'));
    await engine.insertRows("hl.loads", [{ digest: "x" }]);
    const [lines, rows] = requests;
    assert.equal(lines!.url.searchParams.get("query"), "INSERT INTO hl.fill_lines FORMAT TabSeparated");
    assert.equal(lines!.url.searchParams.get("distributed_foreground_insert"), "1");
    assert.equal(lines!.body, '{"a":1}\n');
    assert.equal(rows!.body, '{"digest":"x"}\n');
    assert.ok(!lines!.url.href.includes("cret"), "the password stands in no address");
  });

  it("reads rows and files", async () => {
    const { engine, requests } = recorded(
      { text: '{"day":"2026-04-01"}\n{"day":"2026-04-02"}\n' },
      { text: "PAR1" },
    );
    assert.deepEqual(await engine.rows("SELECT 1"), [{ day: "2026-04-01" }, { day: "2026-04-02" }]);
    const parts: Buffer[] = [];
    for await (const part of engine.read("SELECT 2", "Parquet")) parts.push(part);
    assert.equal(Buffer.concat(parts).toString(), "PAR1");
    assert.deepEqual(
      requests.map(({ body }) => body),
      ["SELECT 1 FORMAT JSONEachRow", "SELECT 2 FORMAT Parquet"],
    );
  });

  it("tries again what passes by itself, a bounded number of times", async () => {
    const passing: Answer[] = [
      new Error("reset"),
      { status: 502 },
      { status: 500, code: 252, text: "parts" },
    ];
    const patient = recorded(...passing);
    await patient.engine.run("X");
    assert.equal(patient.requests.length, 4);
    const away = recorded(...Array.from({ length: 20 }, () => new Error("refused")));
    await assert.rejects(away.engine.run("X"), (error) => error instanceof StoreError && error.transient);
    assert.equal(away.requests.length, 6);
  });

  it("tells a value that is refused from a statement, and a password", async () => {
    for (const [code, isOfValue] of [
      [395, true],
      [6, true],
      [60, false],
      [243, false],
    ] as const) {
      const { engine, requests } = recorded({ status: 500, code, text: `Code: ${code}.` });
      await assert.rejects(
        engine.run("X"),
        (error) => error instanceof Refused && error.isOfValue === isOfValue,
      );
      assert.equal(requests.length, 1);
    }
    await assert.rejects(recorded({ status: 403, code: 516 }).engine.run("X"), ConfigError);
  });
});

describe("the schema of the exchange", () => {
  it("replaces by key, and is read through views alone on one server", () => {
    const statements = schemaStatements({ database: "hl", cluster: null });
    assert.equal(statements[0], "CREATE DATABASE IF NOT EXISTS hl");
    const tables = statements.filter((one) => /ENGINE = ReplacingMergeTree/.test(one));
    assert.deepEqual(
      tables.map((one) => /hl\.(\w+)/.exec(one)![1]),
      ["fills", "positions", "funding", "ledger", "loads", "unread"],
    );
    assert.ok(
      !statements.some((one) => /ON CLUSTER|Replicated|Distributed|undefined|\{db\}|\{lines\}/.test(one)),
    );
    const views = statements.filter((one) => one.startsWith("CREATE OR REPLACE VIEW"));
    for (const view of views) assert.match(view, /FINAL/, "what was loaded twice counts once");
  });

  it("is replicated and distributed on a cluster", () => {
    const statements = schemaStatements({ database: "hl", cluster: "main" });
    assert.ok(statements.every((one) => one.includes("ON CLUSTER main")));
    for (const name of ["fills", "positions", "funding", "ledger", "loads", "unread"]) {
      const local = statements.find((one) => one.includes(`hl.${name}_local ON CLUSTER`))!;
      assert.match(local, /ENGINE = ReplicatedReplacingMergeTree/);
      const whole = statements.find((one) => one.includes(`hl.${name} ON CLUSTER`))!;
      assert.match(whole, new RegExp(`Distributed\\(main, hl, ${name}_local, cityHash64`));
    }
    // Each shard keeps the positions of its own accounts.
    const kept = statements.find((one) => one.includes("VIEW IF NOT EXISTS hl.read_positions"))!;
    assert.match(kept, /TO hl\.positions_local AS\n(.*\n)*FROM hl\.fills_local/);
  });
});
