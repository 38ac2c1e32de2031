/**
 * What people and scripts see of a live account: the screen on a real terminal (tmux; skipped where there is none), lines
 * without one, NDJSON under load, `tail` and `export` of a database that another process writes.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { hlsync, ofType, PROGRAM, type Running, simulate, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { eventually, PATIENCE_MS } from "../support/until.ts";
import { makeAccount } from "./dashboardAccount.ts";

const USER = `0x${"5".repeat(40)}`;
const hasTmux = spawnSync("tmux", ["-V"]).status === 0;

describe("a live account to look at", () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };
  const account = () => ["--api-url", exchange.apiUrl, "--account", `${USER}=main`, "--weight", "100000"];

  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase();
    exchange = await simulate("--account", USER, "--fills-per-second", "10", "--weight", "100000");
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await server?.stop();
  });

  it("prints NDJSON and nothing else while fills pour in, to the last whole line", async () => {
    const monitor = start(["monitor", "--json", "--no-db", ...account(), "--log-level", "warn"]);
    let fills = 0;
    await monitor.line((text) => (ofType("fill.created")(text) && ++fills >= 300 ? true : undefined));
    const { code, stdout } = await monitor.stop("SIGINT");
    assert.equal(code, 0);
    assert.ok(stdout.endsWith("\n"));
    const lines = stdout.trimEnd().split("\n");
    const ids = new Set<string>();
    for (const text of lines) {
      const event = JSON.parse(text) as Record<string, unknown>;
      assert.deepEqual(Object.keys(event), ["type", "id", "key", "account", "time", "source", "data"]);
      assert.equal(event.account, USER);
      ids.add(String(event.id));
      const data = event.data as Record<string, unknown>;
      if (event.type === "fill.created")
        for (const key of ["size", "price", "fee", "closed_pnl"]) assert.equal(typeof data[key], "string");
    }
    assert.equal(ids.size, lines.length);
  });

  it("prints one clean line per event when nobody looks", async () => {
    const monitor = start(["monitor", "--no-db", ...account(), "--log-level", "warn"]);
    const seen = new Set<string>();
    await monitor.line((text) =>
      seen.add(text.slice(13, 25)).size > 0 && / (bought|sold) /.test(text) ? text : undefined,
    );
    const { code, stdout, stderr } = await monitor.stop();
    assert.equal(code, 0);
    const strange = stdout
      .trimEnd()
      .split("\n")
      .filter((text) => !/^(\d\d:\d\d:\d\d\.\d{3} main [a-z]\w+( |$)|… )/.test(text));
    assert.deepEqual(strange, []);
    assert.ok(!stdout.includes("\u001b"), "no colors without a terminal");
    assert.ok(!/\n\s+at /.test(stderr), stderr);
  });

  it("tail follows what another process commits, each account's events in order; export has every row, exact", async () => {
    const writer = start([
      "run",
      "--json",
      "--database",
      target.url,
      "--listen",
      "127.0.0.1:0",
      ...account(),
      "--log-level",
      "warn",
    ]);
    await writer.line(ofType("fill.created"));
    const tail = start(["tail", "--json", "--database", target.url, "--log-level", "warn"]);
    let told = 0;
    await tail.line((text) => (ofType("fill.created")(text) && ++told >= 40 ? true : undefined));
    await writer.stop();
    const rest = await hlsync([
      "tail",
      "--json",
      "--once",
      "--since",
      "2020-01-01",
      "--database",
      target.url,
      "--log-level",
      "warn",
    ]);
    const last = rest.stdout.trimEnd().split("\n").at(-1)!;
    await tail.line((text) => (text === last ? true : undefined));
    const followed = (await tail.stop("SIGINT")).stdout.trimEnd().split("\n");
    assert.deepEqual(
      followed.map((text) => JSON.parse(text).id as string).map(Number),
      [...new Set(followed.map((text) => Number(JSON.parse(text).id)))].sort((a, b) => a - b),
    );
    assert.deepEqual(rest.stdout.trimEnd().split("\n").slice(-followed.length), followed);

    const [{ rows, money } = { rows: 0, money: "" }] = await target.database.query<{
      rows: number;
      money: string;
    }>("select count(*) as rows, sum(fee)::text as money from hl_fills");
    const csv = await hlsync(["export", "--database", target.url, "--table", "fills", "--log-level", "warn"]);
    assert.equal(csv.code, 0, csv.stderr);
    const [head, ...body] = csv.stdout.trimEnd().split("\n");
    assert.equal(body.length, rows);
    const feeAt = head!.split(",").indexOf("fee");
    const fees = body.map((text) => text.split(",")[feeAt]!);
    const [{ total } = { total: "" }] = await target.database.query<{ total: string }>(
      "select sum(x::numeric)::text as total from unnest($1::text[]) x",
      [fees],
    );
    assert.equal(total, money);
    const json = await hlsync([
      "export",
      "--json",
      "--database",
      target.url,
      "--table",
      "fills",
      "--log-level",
      "warn",
    ]);
    const parsed = json.stdout
      .trimEnd()
      .split("\n")
      .map((text) => JSON.parse(text) as Record<string, unknown>);
    assert.deepEqual(
      parsed.map(({ fee }) => fee),
      fees,
    );
    const later = await hlsync([
      "export",
      "--database",
      target.url,
      "--since",
      new Date().toISOString(),
      "--log-level",
      "warn",
    ]);
    assert.deepEqual([later.code, later.stdout.trimEnd()], [0, head]);
    const unknown = await hlsync(["export", "--database", target.url, "--table", "nope"]);
    assert.deepEqual([unknown.code, /expected one of fills, orders/.test(unknown.stderr)], [2, true]);
  });

  it("export and tail end in order when their reader leaves", async () => {
    const full = await server.newDatabase();
    await makeAccount(full.store, { fills: 3_000, nowMs: Date.now(), seed: 3 });
    for (const args of [
      ["export", "--table", "fills"],
      ["export", "--table", "fills", "--json"],
      ["tail", "--json", "--since", "2020-01-01"],
    ]) {
      const command = [process.execPath, PROGRAM, ...args, "--database", full.url, "--log-level", "warn"];
      const { status, stdout, stderr } = spawnSync(
        "sh",
        ["-c", '{ "$@"; echo "code $?" >&2; } | head -n 1', "sh", ...command],
        { encoding: "utf8", timeout: PATIENCE_MS },
      );
      assert.deepEqual([status, stdout.split("\n").length, stderr], [0, 2, "code 0\n"], args.join(" "));
    }
    await full.close();
  });

  it("status and health read the same figures from the database", async () => {
    const [now] = await target.database.query<Record<string, unknown>>("select * from hl_account_now");
    const status = await hlsync(["status", "--database", target.url, "--log-level", "warn"]);
    assert.match(status.stdout, /main 0x5555…5555 {2}complete since the beginning, 0 gaps/);
    assert.ok(status.stdout.includes(`equity     ${now!.account_value} (standard)`), status.stdout);
    await target.database.query(
      `insert into hl_internal.latency_minutes (minute_ms, hop, instance, samples, p50_ms, p90_ms, p99_ms, max_ms)
       select (extract(epoch from now()) * 1000)::bigint - minutes * 60000, 'delivered', 'other', 10, p50, p50, p50 * 2, p50 * 3
       from (values (1, 40), (2, 40), (61, 9000)) as x(minutes, p50)`,
    );
    const again = await hlsync(["status", "--database", target.url, "--log-level", "warn"]);
    assert.match(
      again.stdout,
      /^latency {3}of live changes in the last hour, p50 \/ p99: .*delivered 40 \/ 80 ms/m,
    );
    const json = await hlsync(["status", "--json", "--database", target.url, "--log-level", "warn"]);
    assert.ok(
      json.stdout.includes('{"type":"latency","hop":"delivered","samples":20,"p50Ms":40,"p99Ms":80}'),
    );
    const health = await hlsync([
      "health",
      "--explain",
      "--json",
      "--database",
      target.url,
      "--log-level",
      "warn",
    ]);
    const told = JSON.parse(health.stdout) as Record<string, unknown>;
    assert.equal(told.type, "health");
    assert.deepEqual(told.health_components, now!.health_components);
    const explained = await hlsync(["health", "--explain", "--database", target.url, "--log-level", "warn"]);
    for (const part of ["margin", "distance", "concentration", "drawdown", "stops", "limited by"])
      assert.ok(explained.stdout.includes(part), explained.stdout);
  });

  it("colors nothing under NO_COLOR, and something without it", {
    skip: hasTmux ? false : "tmux is not installed",
  }, async () => {
    const folder = temporaryFolder();
    const socket = join(folder.path, "tmux");
    const tmux = (...args: string[]) => execFileSync("tmux", ["-S", socket, ...args], { encoding: "utf8" });
    const command = [process.execPath, PROGRAM, "monitor", "--database", target.url, ...account()].join(" ");
    const painted = async (name: string, environment: string): Promise<string> => {
      tmux(
        ...["-f", "/dev/null", "new-session", "-d", "-s", name, "-x", "100", "-y", "30"],
        `env -u NO_COLOR ${environment} ${command}`,
      );
      for (const giveUpMs = performance.now() + PATIENCE_MS; ; ) {
        const text = tmux("capture-pane", "-p", "-e", "-t", name);
        if (/● live/.test(text) && /equity/.test(text)) return text;
        assert.ok(performance.now() < giveUpMs, text);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colors are control sequences
    const color = /\u001b\[[\d;]*3[0-7][\d;]*m/;
    try {
      assert.match(await painted("colored", ""), color);
      assert.doesNotMatch(await painted("plain", "NO_COLOR=1"), color);
    } finally {
      spawnSync("tmux", ["-S", socket, "kill-server"]);
      folder.remove();
    }
  });

  it("stops in order at the first signal and at once at the second", async () => {
    const follow = () => start(["run", "--database", target.url, "--listen", "127.0.0.1:0", ...account()]);
    const patient = follow();
    await patient.complaint(/listening/);
    assert.equal((await patient.stop("SIGINT")).code, 0);
    const hasty = follow();
    await hasty.complaint(/listening/);
    // Whoever stops in order gives back what it did, and waits for that.
    const held = target.database
      .query("lock table hl_internal.claims in access exclusive mode; select pg_sleep(60)")
      .catch(() => {});
    const holders = "from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    try {
      while ((await target.database.query(`select 1 ${holders}`)).length === 0);
      hasty.child.kill("SIGINT");
      await hasty.complaint(/stopping in order/);
      assert.equal((await hasty.stop("SIGTERM")).code, 143);
    } finally {
      await target.database.query(`select pg_cancel_backend(pid) ${holders}`);
      await held;
    }
  });

  for (const [columns, rows] of [
    [80, 24],
    [200, 50],
  ] as const) {
    it(`shows the live screen at ${columns}×${rows}, obeys its keys and gives the terminal back`, {
      skip: hasTmux ? false : "tmux is not installed",
    }, async () => {
      const folder = temporaryFolder();
      const socket = join(folder.path, "tmux");
      const tmux = (...args: string[]) => execFileSync("tmux", ["-S", socket, ...args], { encoding: "utf8" });
      const command = [process.execPath, PROGRAM, "monitor", "--database", target.url, ...account()].join(
        " ",
      );
      try {
        tmux(
          "-f",
          "/dev/null",
          "new-session",
          "-d",
          "-s",
          "m",
          "-x",
          String(columns),
          "-y",
          String(rows),
          `${command}; echo "ended $?"; exec sleep 60`,
        );
        const capture = () => tmux("capture-pane", "-p", "-t", "m");
        // A capture may show a screen that is half drawn: all must stand in one.
        const until = (...parts: RegExp[]): Promise<string> =>
          eventually(parts.join(", "), capture, (text) => parts.every((part) => part.test(text)));
        const keys = (...pressed: string[]) => tmux("send-keys", "-t", "m", ...pressed);

        await until(
          /equity \d[\s\S]*today net[\s\S]*(bought|sold)[\s\S]*complete since/,
          /main 0x5555…5555/,
          /● live/,
          /equity \d/,
          /health \d+ \w+/,
          /─ positions/,
          /─ open orders/,
          /─ tape/,
        );
        keys("?");
        await until(/next and previous view/);
        keys("4");
        await until(/─ tape/, /^(?![\s\S]*─ positions)/);
        keys("/", "E", "T", "H", "Enter");
        await until(/\/ETH/, /^(?![\s\S]*(bought|sold).*(BTC|SOL))/);
        keys("p");
        await until(/paused/);
        tmux("resize-window", "-t", "m", "-x", "60", "-y", "16");
        await until(/● live[^\n]*\n/, /^(?![\s\S]*[^\n]{61})/);
        keys("q");
        const after = await until(/ended \d+/);
        assert.match(after, /ended 0/);
        assert.ok(!after.includes("equity"), "the screen is gone");
      } finally {
        spawnSync("tmux", ["-S", socket, "kill-server"]);
        folder.remove();
      }
    });
  }
});
