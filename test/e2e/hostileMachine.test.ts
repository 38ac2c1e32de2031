/**
 * A machine that fails under a running hlsync: what is said, what is stored afterwards, and that nothing is left behind.
 *
 * kill -9, outages, a stopped and a crashed PostgreSQL, two instances: `reliability`, `contract/embedded`. Signals: `stopping`.
 * The variables of a shell: `environment`.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { systemClock } from "../../src/runtime/clock.ts";
import { hlsync, type Running, type StartOptions, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { ScriptedVenue } from "../support/scriptedVenue.ts";
import { until } from "../support/until.ts";
import { fill, SECOND_MS, USER } from "./casesRig.ts";

const AS_ROOT = process.getuid?.() === 0 && process.platform === "linux";
/** A fresh cluster has 40 MB, and as much again in WAL when it is written to. */
const SMALL_DISK_MB = 120;
const WITHIN_MS = 60 * SECOND_MS;
const STOPPED_MS = 10 * SECOND_MS;
const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const NOBODY = 65_534;

describe("a machine that fails", () => {
  let server: TestServer;
  let venue: ScriptedVenue;
  let running: Running | null = null;
  const folder = temporaryFolder();
  let postgres: number | null = null;
  let mounted: string | null = null;
  const fills: object[] = [];

  before(async () => {
    server = await startServer("real");
    venue = await ScriptedVenue.start();
  });
  afterEach(async () => {
    await running?.stop("SIGKILL");
    running = null;
    if (postgres !== null && existsSync(`/proc/${postgres}`)) process.kill(postgres, "SIGKILL");
    postgres = null;
    if (mounted !== null) {
      await systemClock.sleep(200);
      execFileSync("umount", ["-l", mounted]);
    }
    mounted = null;
  });
  after(async () => {
    await venue?.close();
    await server?.stop();
    folder.remove();
  });

  const trade = (count = 1) => {
    for (let i = 0; i < count; i++)
      fills.push(fill("BTC", Date.now() - count + i, "0.0", 0, { pad: "x".repeat(2_000) }));
    venue.begin({ fills: [...fills] });
  };
  const launch = (database: string, { env = {}, uid }: StartOptions = {}): Running => {
    running = start(
      [
        ...["run", "--account", USER, "--api-url", venue.url, "--database", database, "--weight", "100000"],
        ...["--listen", "127.0.0.1:0", "--log-level", "info"],
      ],
      { env, ...(uid !== undefined && { uid }) },
    );
    return running;
  };
  const follow = async (database: string, options: StartOptions = {}) => {
    fills.length = 0;
    trade();
    const running = launch(database, options);
    const url = await running.line((line) => /^dashboard: (\S+)/.exec(line)?.[1]);
    const readiness = async () => {
      const answer = await fetch(`${url}/readyz`);
      return answer.status === 200 ? "ready" : await answer.text();
    };
    await until("readiness", WITHIN_MS, async () => (await readiness()) === "ready");
    postgres = Number(/started the database .*pid=(\d+)/.exec(running.stderr())?.[1] ?? 0) || null;
    return { readiness, running };
  };
  const allFillsIn = (target: TestDatabase) =>
    until("all fills", WITHIN_MS, async () => {
      const rows = await target.database.query<{ count: number }>(
        "select count(*)::int as count from hl_fills",
      );
      return rows[0]!.count === fills.length;
    });
  const isLeft = () =>
    postgres !== null && existsSync(`/proc/${postgres}`) && !/\bZ\b/.test(stateOf(postgres));
  const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.slice(0, 1);

  it("is full: not ready, the reason named, all stored once there is room", {
    skip: !AS_ROOT && "needs root",
  }, async () => {
    mounted = join(folder.path, "small");
    execFileSync("mkdir", [mounted]);
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SMALL_DISK_MB}m`, "tmpfs", mounted]);
    const { readiness, running } = await follow(join(mounted, "db"));
    const filling = join(mounted, "fill");
    // Again and again: the server gives room back, as by a checkpoint that drops old segments of its log.
    const tradeOnFull = () => {
      execFileSync("sh", ["-c", `cat /dev/zero >> ${filling} 2>/dev/null || true`]);
      trade(200);
    };
    await until("the refusal", WITHIN_MS, async () => {
      tradeOnFull();
      return /takes no writes for .*No space left on device \(53100\)/.test(await readiness());
    });
    rmSync(filling);
    await until("readiness", WITHIN_MS, async () => (await readiness()) === "ready");
    await until("the refusal again", WITHIN_MS, async () => {
      tradeOnFull();
      return /takes no writes/.test(await readiness());
    });
    const startedMs = performance.now();
    const { code } = await running.stop();
    assert.ok(performance.now() - startedMs < STOPPED_MS && (code === 0 || code === 143), String(code));
    assert.ok(!isLeft(), "no server is left behind");
  });

  for (const [what, does] of Object.entries({
    moved: (path: string) => renameSync(path, `${path}-moved`),
    deleted: (path: string) => rmSync(path, { recursive: true, force: true }),
    // As a slow disk does it: the server misses its files while the folder is still there.
    "deleted file by file": (path: string) => {
      rmSync(join(path, "postgres", "base"), { recursive: true });
      setTimeout(() => rmSync(path, { recursive: true, force: true }), 700);
    },
  })) {
    it(`has its data folder ${what}: ends with one clear line, and leaves no server`, async () => {
      const path = join(folder.path, `db-${what.replaceAll(" ", "-")}`);
      const { running } = await follow(path);
      does(path);
      trade();
      const { code, stderr } = await running.finished(30 * SECOND_MS);
      assert.equal(code, 6, stderr);
      assert.match(
        stderr,
        /^hlsync: the embedded database was moved away from .* or deleted while in use: /m,
      );
      assert.ok(!isLeft(), "no server is left behind");
    });
  }

  it("makes its data folder read-only: exit 2, and the folder is named", {
    skip: !AS_ROOT && "needs root",
  }, async () => {
    const path = join(folder.path, "db-read-only");
    assert.equal((await hlsync(["migrate", "--database", path])).code, 0);
    execFileSync("mount", ["--bind", path, path]);
    mounted = path;
    execFileSync("mount", ["-o", "remount,ro,bind", path]);
    const { code, stderr } = await hlsync(["status", "--database", path]);
    assert.equal(code, 2, stderr);
    assert.match(
      stderr,
      /^hlsync: cannot keep a database in .*db-read-only: it is on a read-only file system/,
    );
  });

  it("has another user than root for it: runs, and keeps its data in a folder of his", {
    skip: !AS_ROOT && "needs root",
  }, async () => {
    const home = join(folder.path, "his");
    mkdirSync(home);
    chownSync(home, NOBODY, NOBODY);
    chmodSync(folder.path, 0o755);
    const path = join(home, "db");
    const { running } = await follow(path, { uid: NOBODY, env: { HOME: home, TMPDIR: home } });
    assert.equal((await running.stop()).code, 0);
    assert.ok(!isLeft(), "no server is left behind");
  });

  it("has its clock set: every fill is stored, nothing is claimed of the future", {
    skip: !existsSync(FAKETIME) && "needs libfaketime",
  }, async () => {
    const target = await server.newDatabase();
    const clock = join(folder.path, "clock");
    const set = (offset: string) => writeFileSync(clock, offset);
    set("+0");
    try {
      const { readiness, running } = await follow(target.url, {
        env: {
          LD_PRELOAD: FAKETIME,
          FAKETIME_TIMESTAMP_FILE: clock,
          FAKETIME_NO_CACHE: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
        },
      });
      for (const offset of ["+1h", "-1h", "+1d", "+0"]) {
        set(offset);
        trade(5);
        await allFillsIn(target);
        assert.equal(running.child.exitCode, null, running.stderr().slice(-500));
      }
      await until("readiness", WITHIN_MS, async () => (await readiness()) === "ready");
      const ahead = await target.database.query(
        "select stream, to_ms from hl_coverage where to_ms > (extract(epoch from now()) * 1000)::bigint + 60000",
      );
      assert.deepEqual(ahead, []);
      assert.equal((await running.stop()).code, 0);
    } finally {
      await target.close();
    }
  });

  it("has 80 MB of heap for 10 000 fills", async () => {
    const target = await server.newDatabase();
    try {
      const now = Date.now();
      fills.splice(
        0,
        fills.length,
        ...Array.from({ length: 10_000 }, (_, i) => fill("BTC", now - 1e7 + i, "0.0", 0)),
      );
      venue.begin({ fills }, true);
      const running = launch(target.url, { env: { NODE_OPTIONS: "--max-old-space-size=80" } });
      await allFillsIn(target);
      assert.equal((await running.stop()).code, 0);
    } finally {
      await target.close();
    }
  });

  it("stops the process for a while: what happened meanwhile is stored", async () => {
    const target = await server.newDatabase();
    try {
      const { readiness, running } = await follow(target.url);
      running.child.kill("SIGSTOP");
      await systemClock.sleep(3 * SECOND_MS);
      venue.cut();
      trade(100);
      running.child.kill("SIGCONT");
      await allFillsIn(target);
      await until("readiness", WITHIN_MS, async () => (await readiness()) === "ready");
      assert.equal((await running.stop()).code, 0);
    } finally {
      await target.close();
    }
  });
});
