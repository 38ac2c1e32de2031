/** Accounts in the database, and the processes that share them: real ones, each with an address of its own. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { LIMITS } from "../../src/protocol/limits.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { hlsync, type Running, simulate, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { PATIENCE_MS, until } from "../support/until.ts";
import { FleetScenario, user } from "./fleetScenario.ts";
import { Cluster } from "./reliabilityRig.ts";

/** What the documentation promises. */
const EFFECT_MS = 5_000;

describe("accounts in the database", () => {
  const folder = temporaryFolder();
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };

  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    const accounts = [0, 1, 2].flatMap((n) => ["--account", user(n)]);
    exchange = await simulate(...accounts, "--fills-per-second", "2", "--weight", "60000");
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await server?.stop();
    folder.remove();
  });

  const accounts = async (...args: string[]) => {
    const { code, stdout, stderr } = await hlsync(["accounts", ...args, "--database", target.url], {
      cwd: folder.path,
    });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const run = () =>
    start(
      [
        ...["run", "--api-url", exchange.apiUrl, "--database", target.url, "--listen", "127.0.0.1:0"],
        ...["--json", "--log-level", "info", "--weight", "60000"],
      ],
      { cwd: folder.path },
    );

  it("are followed and left by a process that goes on, within seconds", async () => {
    const nothing = await run().finished();
    assert.equal(nothing.code, 2, nothing.stderr);
    assert.match(nothing.stderr, /no account given.*hlsync accounts add/);

    await accounts("add", `${user(0)}=first`, "--tag", "desk");
    const following = run();
    const told = (n: number) =>
      following.line((line) => (line.includes("fill.created") && line.includes(user(n)) ? true : undefined));
    await told(0);
    writeFileSync(join(folder.path, "list.csv"), `address,alias\n${user(1)},second\n${user(2)},third\n`);
    await accounts("import", "list.csv");
    const addedMs = performance.now();
    await Promise.all([told(1), told(2)]);
    assert.ok(performance.now() - addedMs < EFFECT_MS, "a new account is followed within 5 s");

    await accounts("pause", "second");
    await accounts("remove", "third");
    await following.complaint(new RegExp(`left.*${user(2)}`), EFFECT_MS);
    assert.match(
      await accounts("list"),
      new RegExp(`${user(0)}  first  stream  #desk\n${user(1)}  second  paused\n`),
    );
    const count = async (n: number) => {
      const [row] = await target.database.query<{ count: number }>(
        "select count(*) as count from hl_fills where account_address = $1",
        [user(n)],
      );
      return row!.count;
    };
    const [stopped, going] = [await count(2), await count(0)];
    assert.ok(stopped > 0, "what is stored of it stays");
    await until("fills of the others", PATIENCE_MS, async () => (await count(0)) > going);
    assert.equal(await count(2), stopped);

    await accounts("resume", "second");
    const before = await count(1);
    await until("fills of the resumed one", PATIENCE_MS, async () => (await count(1)) > before);
    await following.stop();
  });
});

/** What the documentation promises of a process that died. */
const TAKEN_OVER_MS = 10_000;

async function sharedServer() {
  const server = await startServer("real");
  const target = await server.newDatabase({ migrated: false });
  const close = async () => {
    await target.close();
    await server.stop();
  };
  return { database: target.database, url: target.url, restart: null, close };
}

async function ownServer() {
  const cluster = await Cluster.start();
  const { url } = await cluster.newDatabase();
  const database = openPostgres(url);
  const restart = async (how: "fast" | "immediate") => {
    await cluster.stop(how);
    await cluster.start();
  };
  const close = async () => {
    await database.close();
    await cluster.close();
  };
  return { database, url, restart, close };
}

describe("a fleet", () => {
  it("loses and doubles nothing when workers die, come and go, and keeps each address within the venue's limits", async (t) => {
    // `npm run fleet` has more of them, the venue's own weight, a database of its own to stop, and a cut network.
    const [accounts = 12, fillsPerSecond = 0.5] = process.env.HLSYNC_FLEET?.split("x").map(Number) ?? [];
    const isLong = process.env.HLSYNC_FLEET !== undefined;
    const weight = isLong ? LIMITS.weightPerMinute : 2_400;
    const { database, url, restart, close } = isLong ? await ownServer() : await sharedServer();
    const options = { database, databaseUrl: url, accounts, fillsPerSecond, weight, restart };
    const fleet = await FleetScenario.start(options);
    try {
      const report = await fleet.run();
      t.diagnostic(JSON.stringify(report));
      assert.deepEqual([report.lost, report.extra, report.refused], [0, 0, 0]);
      for (const tookMs of [report.takenOverMs, report.cutOverMs ?? 0])
        assert.ok(tookMs <= TAKEN_OVER_MS, `taken over in ${tookMs} ms`);
      assert.equal(report.moved ?? 0, 0, "a database that is started again moves nothing");
      const { most } = report;
      const isWithin =
        most.connections <= LIMITS.connections &&
        most.dials <= LIMITS.connectionsPerMinute &&
        most.users <= LIMITS.users &&
        most.subscriptions <= LIMITS.subscriptions &&
        most.messages <= LIMITS.clientMessagesPerMinute &&
        most.weight <= weight;
      assert.ok(isWithin, JSON.stringify(most));
    } finally {
      await fleet.close();
      await close();
    }
  });
});
