/**
 * What is told to stop stops: every command, in every state it can hang in, as a real process. A supervisor kills after
 * ten seconds; by then the process is gone, with the exit code of its documentation and without a server left behind.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { hlsync, type Running, simulate, start } from "../support/cli.ts";
import { freePort } from "../support/freePort.ts";
import { type Gate, gateTo, type Hanging, silentServer } from "../support/hanging.ts";
import { startServer, type TestServer, temporaryFolder } from "../support/postgres.ts";

const STOPPED_WITHIN_MS = 10_000;
const USERS = Array.from({ length: 12 }, (_, i) => `0x${(i + 1).toString(16).padStart(40, "0")}`);
const USER = USERS[0]!;

describe("stopping", () => {
  const folder = temporaryFolder();
  let server: TestServer;
  /** A venue with a history that costs more than a minute's budget. */
  let exchange: Running & { apiUrl: string };
  let silent: Hanging;
  let database: string;

  before(async () => {
    server = await startServer("real");
    database = (await server.newDatabase()).url;
    silent = await silentServer();
    const accounts = USERS.flatMap((user) => ["--account", user]);
    // Each process keeps to a budget of its own; together, side by side, they may spend more than one address has.
    const ample = ["--weight", "100000"];
    exchange = await simulate("--history", "20m", ...accounts, "--fills-per-second", "0.5", ...ample);
  });
  after(async () => {
    await exchange?.stop();
    silent?.close();
    await server?.stop();
    folder.remove();
  });

  const venue = (...args: string[]) => [...args, "--api-url", exchange.apiUrl];
  const nobody = (...args: string[]) => [...args, "--api-url", `http://127.0.0.1:${silent.port}`];
  const follow = ["run", "--account", USER, "--listen", "127.0.0.1:0"];

  /** Sends the signal and expects the end, in time and with one of the codes. */
  async function stops(
    process: Running,
    codes: readonly number[],
    signal: NodeJS.Signals = "SIGTERM",
  ): Promise<void> {
    const toldAtMs = Date.now();
    const { code, stderr } = await process.stop(signal);
    const tookMs = Date.now() - toldAtMs;
    assert.ok(tookMs < STOPPED_WITHIN_MS, `took ${tookMs} ms\n${stderr}`);
    assert.ok(code !== null && codes.includes(code), `exit ${code}\n${stderr}`);
  }
  const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1_000));

  describe("while the venue takes requests and never answers", () => {
    const cases: [string, () => string[], number[]][] = [
      ["run", () => nobody(...follow, "--database", database), [0, 143]],
      ["monitor", () => nobody("monitor", "--account", USER, "--database", database), [0, 143]],
      ["sync --once", () => nobody("sync", "--once", "--account", USER, "--database", database), [143]],
      [
        "sync --interval",
        () => nobody("sync", "--interval", "5", "--account", USER, "--database", database),
        [0],
      ],
      ["backfill", () => nobody("backfill", "--account", USER, "--database", database), [143]],
      ["verify", () => nobody("verify", "--account", USER, "--database", database), [143]],
      ["doctor", () => nobody("doctor", "--account", USER, "--database", database), [143]],
      [
        "alerts test",
        () => ["alerts", "test", "--alert-to", `ntfy+http://127.0.0.1:${silent.port}/topic`],
        [143],
      ],
    ];
    for (const [name, args, codes] of cases) {
      it(name, async () => {
        const reached = silent.reached();
        const process = start(args());
        await reached;
        await seconds(0.5);
        await stops(process, codes);
      });
    }
  });

  describe("while requests wait for weight", () => {
    let gate: Gate;
    before(async () => {
      gate = await gateTo(Number(new URL(exchange.apiUrl).port));
    });
    after(() => gate.close());
    const gated = (...args: string[]) => [...args, "--api-url", `http://127.0.0.1:${gate.port}`];
    const cases: [string, string[], number[], NodeJS.Signals][] = [
      ["run", ["run", "--listen", "127.0.0.1:0"], [0], "SIGTERM"],
      ["monitor", ["monitor"], [0], "SIGINT"],
      ["sync --once of many accounts", ["sync", "--once"], [143], "SIGTERM"],
      ["backfill", ["backfill"], [130], "SIGINT"],
    ];
    for (const [name, args, codes, signal] of cases) {
      it(name, async () => {
        const own = await server.newDatabase();
        const accounts = USERS.flatMap((user) => ["--account", user]);
        const reached = gate.reached();
        const process = start(gated(...args, ...accounts, "--weight", "60", "--database", own.url));
        await reached;
        await seconds(4);
        await stops(process, codes, signal);
        await own.close();
      });
    }

    it("verify, and it has said nothing false", async () => {
      const reached = gate.reached();
      const process = start(
        gated("verify", "--account", USER, "--account", USERS[1]!, "--weight", "60", "--database", database),
      );
      await reached;
      await seconds(2);
      await stops(process, [143]);
      assert.doesNotMatch(process.stdout(), /verified: nothing missing/);
    });
  });

  // These wait more than they work, each for a gate of its own: they take their time together.
  describe("while the database hangs", { concurrency: 4 }, () => {
    /** Leads to the database, or to nothing at all. */
    const gated = async (url: string, toNothing = false): Promise<{ gate: Gate; url: string }> => {
      const through = new URL(url);
      const gate = await gateTo(toNothing ? 0 : Number(through.port), toNothing);
      through.port = String(gate.port);
      return { gate, url: through.href };
    };

    const opening = ["run", "monitor", "sync --once", "backfill", "verify", "status", "tail", "export"];
    for (const name of [...opening, "health", "quarantine list", "alerts list", "webhooks list"]) {
      it(`${name}, from the start`, async () => {
        const { gate, url } = await gated(database, true);
        const { options } = /^(run|monitor|sync|backfill|verify)/.test(name)
          ? { options: venue("--account", USER) }
          : { options: [] };
        const reached = gate.reached();
        const process = start([...name.split(" "), ...options, "--database", url]);
        await reached;
        await seconds(0.5);
        await stops(process, [143]);
        gate.close();
      });
    }

    it("run, in the midst of everything, with a page, alerts and webhooks", async () => {
      const own = await server.newDatabase();
      const { gate, url } = await gated(own.url);
      const alerts = ["--alert-to", `ntfy+http://127.0.0.1:${silent.port}/topic`];
      const process = start(venue(...follow, ...alerts, "--database", url));
      await process.complaint(/following/);
      await seconds(2);
      gate.hang();
      await seconds(2);
      await stops(process, [0]);
      gate.close();
      await own.close();
    });

    for (const args of [["monitor"], ["sync", "--interval", "1"], ["tail"]]) {
      it(`${args[0]}, while it follows`, async () => {
        const { gate, url } = await gated(database);
        const rest = args[0] === "tail" ? [] : venue("--account", USER);
        const reached = gate.reached();
        const process = start([...args, ...rest, "--database", url]);
        try {
          // On a busy machine it may take seconds until it is one that can be told to stop.
          await reached;
          await seconds(args[0] === "sync" ? 7 : 3);
          gate.hang();
          await seconds(2);
          await stops(process, [0, 143]);
        } finally {
          gate.close();
        }
      });
    }
  });

  describe("with a database of its own", { concurrency: 2 }, () => {
    const serverOf = (path: string): number | null => {
      const file = join(path, "postgres", "postmaster.pid");
      return existsSync(file) ? Number(readFileSync(file, "utf8").split("\n")[0]) : null;
    };

    it("demo", async () => {
      const path = join(folder.path, "demo");
      const process = start(["demo", "--database", path, "--listen", "127.0.0.1:0"]);
      await process.line((line) => (/Ctrl-C stops/.test(line) ? line : undefined));
      await stops(process, [0], "SIGINT");
      assert.equal(serverOf(path), null);
    });

    it("demo, whose port is taken: at once, with exit code 2, and nothing is made", async () => {
      const path = join(folder.path, "taken");
      const listen = `127.0.0.1:${silent.port}`;
      const { code, stdout, stderr } = await hlsync(["demo", "--database", path, "--listen", listen]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /the port is taken/);
      assert.deepEqual([stdout, existsSync(path)], ["", false]);
    });

    it("demo, whose port is taken while it begins: by itself, with exit code 2", async () => {
      const path = join(folder.path, "taken-late");
      const port = await freePort();
      const process = start(["demo", "--database", path, "--listen", `127.0.0.1:${port}`]);
      await process.line((line) => (/^making/.test(line) ? line : undefined));
      const taker = createServer().listen(port, "127.0.0.1");
      const { code, stderr } = await process.finished();
      taker.close();
      assert.equal(code, 2, stderr);
      assert.match(stderr, /the port is taken/);
      assert.equal(serverOf(path), null);
    });

    for (const waitS of [0.3, 0.8, 1.3, 2]) {
      it(`run, ${waitS} s after its start`, async () => {
        const path = join(folder.path, `early-${waitS}`);
        const process = start(venue(...follow, "--database", path));
        await seconds(waitS);
        const { code, stderr } = await process.stop();
        // Before its handlers are there, the signal ends it in the usual way: no code.
        assert.ok(code === null || code === 143 || code === 0, stderr);
        assert.equal(serverOf(path), null, stderr);
        if (existsSync(path)) assert.ok(readdirSync(path).every((name) => !name.startsWith("init-")));
      });
    }

    it("run, while its server hangs: the next start takes it over", async () => {
      const path = join(folder.path, "hung");
      const running = start(venue(...follow, "--database", path));
      await running.complaint(/following/);
      const pid = serverOf(path)!;
      const all = [pid, ...childrenOf(pid)];
      for (const one of all) process.kill(one, "SIGSTOP");
      try {
        await seconds(1);
        await stops(running, [0]);
      } finally {
        for (const one of all) process.kill(one, "SIGCONT");
      }
      const status = await hlsync(["status", "--database", path]);
      assert.equal(status.code, 0, status.stderr);
      assert.equal(serverOf(path), null);
    });
  });

  it("simulate, while it makes a long history, and while it runs", async () => {
    const history = start(["simulate", "--port", "0", "--json", "--history", "20d"]);
    // Busy from then on: it hears the signal between two pieces of the past.
    while (cpuSeconds(history.child.pid!) < MAKING_HISTORY_CPU_SECONDS) await seconds(0.1);
    await stops(history, [143]);
    const running = await simulate();
    await stops(running, [0]);
  });

  it("export into a pipe that nobody reads", async () => {
    const own = await server.newDatabase();
    await own.database.query(
      `insert into hl_internal.accounts (account_address) values ($1) on conflict do nothing`,
      [USER],
    );
    await own.database.query(
      `insert into public.hl_funding (account_address, coin, funding_time, funding_time_ms, usdc, size, funding_rate,
         raw_funding, source, first_seen_at)
       select $1, 'BTC', to_timestamp(i), i * 1000, 1, 1, 0.0001, '{}', 'backfill', now()
       from generate_series(1, 60000) i`,
      [USER],
    );
    const process = start(["export", "--table", "funding", "--database", own.url]);
    await process.line((line) => (line.includes("BTC") ? line : undefined));
    process.child.stdout!.pause();
    await seconds(1);
    await stops(process, [143]);
    await own.close();
  });

  it("is not asked twice: the second signal ends it at once", async () => {
    const own = await server.newDatabase();
    const url = new URL(own.url);
    const gate = await gateTo(Number(url.port));
    url.port = String(gate.port);
    const process = start(venue(...follow, "--database", url.href));
    await process.complaint(/following/);
    gate.hang();
    await seconds(1);
    process.child.kill("SIGTERM");
    await process.complaint(/stopping in order/);
    const toldAtMs = Date.now();
    const { code } = await process.stop("SIGINT");
    assert.equal(code, 130);
    assert.ok(Date.now() - toldAtMs < 1_000);
    gate.close();
    await own.close();
  });

  describe("what cannot work ends at once, before anything is made", () => {
    const refusals: [string[], RegExp][] = [
      [["run"], /no account given: use --account/],
      [["monitor"], /no account given: use --account/],
      [["monitor", "--no-db"], /no account given: use --account/],
      [["sync", "--once"], /no account given/],
      [["backfill"], /no account given/],
      [["verify"], /no account given/],
      [["run", "--account", USER, "--alert", "large_fil=1"], /--alert "large_fil=1": unknown rule/],
      [["run", "--account", USER, "--alert-to", "nonsense"], /--alert-to .*: a channel is a URL/],
      [["run", "--account", USER, "--streams", "trades"], /--streams "trades": say of which coins/],
      [["export", "--table", "toString"], /--table "toString": expected one of/],
      [["alerts", "silence", "nothing"], /alerts silence "nothing": expected one of/],
      [["alerts", "unsilence", "one"], /expected the number of a silence/],
      [["alerts", "list"], /there is no database in/],
      [["alerts", "silence", "all"], /there is no database in/],
      [["webhooks", "add", "mailto:me"], /expected a URL that starts with https/],
      [
        ["webhooks", "add", "https://example.com/hook", "--events", "nope"],
        /--events "nope": expected some of/,
      ],
      [["webhooks", "replay", "wh_1"], /--since/],
      [["webhooks", "rotate", "wh_1"], /there is no database in/],
      [["quarantine", "constructor"], /quarantine "constructor": expected list or replay/],
      [["quarantine", "replay"], /there is no database in/],
      [["tail"], /there is no database in/],
    ];
    for (const [args, says] of refusals) {
      it(args.join(" "), async () => {
        const nowhere = temporaryFolder();
        const { code, stderr } = await hlsync(args, { cwd: nowhere.path });
        assert.equal(code, 2, stderr);
        assert.match(stderr, says);
        assert.equal(stderr.trim().split("\n").length, 1, stderr);
        assert.deepEqual(readdirSync(nowhere.path), []);
        nowhere.remove();
      });
    }
  });
});

/** A start takes less than half of it, twenty days of history many times as much. */
const MAKING_HISTORY_CPU_SECONDS = 2;
const TICKS_PER_SECOND = 100;

function cpuSeconds(pid: number): number {
  const [, fields] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  const [user, system] = fields!.split(" ").slice(11, 13).map(Number);
  return (user! + system!) / TICKS_PER_SECOND;
}

/** Processes that `pid` started. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number);
}
