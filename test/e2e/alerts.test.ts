/** Alerts end to end: a trading account, a channel, kill -9, silences, and the command line. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { newSecret } from "../../src/outputs/delivery/secret.ts";
import { hlsync, type Running, simulate, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { type Receiver, startReceiver } from "../unit/outputs/receiver.ts";

const BUSY = `0x${"d".repeat(40)}`;

describe("alerts", () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };
  let receiver: Receiver;
  let channel: string;

  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    exchange = await simulate("--account", BUSY, "--fills-per-second", "4", "--weight", "6000");
    receiver = await startReceiver();
    receiver.secret = newSecret().reveal();
    channel = `${receiver.url}#${receiver.secret}`;
  });
  after(async () => {
    await exchange?.stop();
    await receiver?.close();
    await target?.close();
    await server?.stop();
  });

  const run = () =>
    start(
      [
        ...["run", "--api-url", exchange.apiUrl, "--database", target.url, "--listen", "127.0.0.1:0"],
        ...["--weight", "6000", "--account", `${BUSY}=bot`],
        ...["--alert", "large_fill=30", "--alert", "health_score=off"],
      ],
      { env: { HLSYNC_ALERT_TO: channel } },
    );
  const alerts = (...args: string[]) => hlsync(["alerts", ...args, "--database", target.url]);
  const keys = () => receiver.accepted.map(({ body }) => String(body.data.key));

  it("arrive through a channel, one per order, also when hlsync is killed", async () => {
    for (const count of [5, 10, 15]) {
      const process = run();
      await receiver.until(() => receiver.accepted.length >= count);
      process.child.kill("SIGKILL");
      await process.finished();
    }
    const process = run();
    await receiver.until(() => receiver.accepted.length >= 20);
    await process.stop("SIGTERM");
    assert.deepEqual(receiver.forged, []);
    // One alert per order; a kill between an answer and its record repeats one, with the same id.
    const ids = new Set(receiver.accepted.map(({ id }) => id));
    assert.equal(new Set(keys()).size, ids.size);
    assert.ok(receiver.accepted.length - ids.size <= 3);
    const [sent] = receiver.accepted;
    assert.equal(sent!.type, "alert.fired");
    assert.match(
      String(sent!.body.data.message),
      /^INFO (bought|sold) .* Threshold 30 USD\. \d+(\.\d)? s old\.$/,
    );
    const stored = await target.database.query<{ key: string; n: number }>(
      "select key, count(*) as n from hl_alerts group by key having count(*) > 1",
    );
    assert.deepEqual(stored, []);
  });

  it("are listed, with the rules and what is silenced", async () => {
    const list = await alerts("list", "--limit", "3");
    assert.equal(list.stdout.trim().split("\n").length, 3);
    // On a busy machine others may be newer than the fills.
    assert.match((await alerts("list", "--limit", "500")).stdout, /event .*INFO (bought|sold)/);
    const others = await alerts("list", "--limit", "500", "--only-account", `0x${"e".repeat(40)}`);
    assert.equal(others.stdout.trim(), "no alerts");
    const rules = await alerts("rules", "--alert", "large_fill=77");
    assert.match(rules.stdout, /large_fill +on +info from 77 USD/);
    assert.equal((await alerts("silence", "nonsense")).code, 2);
    const silence = await alerts("silence", "all", "--for", "30m", "--only-account", BUSY);
    const id = /silence (\d+): all rules 0xd+ until/.exec(silence.stdout)?.[1];
    assert.ok(id, silence.stdout);
    const process = run();
    // Alerts go on being found, and are not told; what the last process left untold is another matter.
    let silenced: { key: string }[] = [];
    while (silenced.length < 3) {
      silenced = await target.database.query<{ key: string }>(
        "select key from hl_alerts where notified_at is null and state = 'event'",
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const before = receiver.accepted.length;
    assert.equal((await alerts("unsilence", id)).code, 0);
    await receiver.until(() => receiver.accepted.length > before);
    await process.stop("SIGTERM");
    const told = new Set(keys());
    assert.ok(silenced.every(({ key }) => !told.has(key)));
  });

  it("are tried through every channel, without a database", async () => {
    const before = receiver.accepted.length;
    const options = { env: { HLSYNC_ALERT_TO: `${channel},ntfy+http://127.0.0.1:1/topic` } };
    const { code, stdout, stderr } = await hlsync(["alerts", "test", "--database", "/nowhere"], options);
    assert.equal(code, 1);
    assert.match(stdout, /^webhook 127\.0\.0\.1:\d+: delivered$/m);
    assert.match(stdout, /^ntfy 127\.0\.0\.1:1: 127\.0\.0\.1: connection refused$/m);
    assert.ok(!`${stdout}${stderr}`.includes(receiver.secret!.slice(6, 20)));
    assert.equal(receiver.accepted.length, before + 1);
  });

  it("with settings or channels that make no sense stop the program with one line", async () => {
    for (const [args, env, pattern] of [
      [["--alert", "nonsense=1"], {}, /^hlsync: --alert "nonsense=1": unknown rule/m],
      [
        [],
        { HLSYNC_ALERT_TO: "telegram://hidden-token" },
        /^hlsync: --alert-to \(HLSYNC_ALERT_TO\): expected telegram/m,
      ],
    ] as const) {
      const options = { env };
      const { code, stderr } = await hlsync(
        ["run", "--api-url", exchange.apiUrl, "--database", target.url, "--account", BUSY, ...args],
        options,
      );
      assert.equal(code, 2, stderr);
      assert.match(stderr, pattern);
      assert.ok(!stderr.includes("hidden-token"));
    }
  });
});
