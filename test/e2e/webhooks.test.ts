/** Webhooks end to end: real processes, a receiver that misbehaves, kill -9 in between. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { newSecret } from "../../src/outputs/delivery/secret.ts";
import { deliveryId } from "../../src/outputs/delivery/sink.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { hlsync, ofType, type Running, simulate, start } from "../support/cli.ts";
import { hlsyncHere } from "../support/inProcess.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { PATIENCE_MS, until } from "../support/until.ts";
import { type Receiver, startReceiver } from "../unit/outputs/receiver.ts";

const BUSY = [`0x${"b".repeat(40)}`, `0x${"c".repeat(40)}`];

describe("webhooks", () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };
  let receiver: Receiver;

  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    exchange = await simulate(
      ...BUSY.flatMap((account) => ["--account", account]),
      ...["--fills-per-second", "2", "--weight", "6000"],
    );
    receiver = await startReceiver();
  });
  after(async () => {
    await exchange?.stop();
    await receiver?.close();
    await target?.close();
    await server?.stop();
  });

  const webhooks = async (...args: string[]) => {
    const { code, stdout, stderr } = await hlsyncHere([
      ...["webhooks", ...args, "--database", target.url, "--json"],
    ]);
    const rows = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, string | number | boolean | null>);
    return { code, rows, stderr, text: stdout + stderr };
  };
  const run = () =>
    start([
      ...["run", "--api-url", exchange.apiUrl, "--database", target.url, "--listen", "127.0.0.1:0"],
      ...["--weight", "6000", "--json", "--log-level", "debug"],
      // A minute and more, in small steps.
      ...["--webhook-retry", ["0", ...Array(20).fill("0.05"), ...Array(150).fill("0.4")].join(",")],
      ...BUSY.flatMap((account) => ["--account", account]),
    ]);

  let endpoint = "";
  let secret = "";

  it("are added, shown without what is secret, and tried", async () => {
    const refused = await webhooks("add", `${receiver.url}/secret-path`);
    assert.equal(refused.code, 2);
    assert.ok(!refused.text.includes("secret-path"), refused.text);
    for (const host of ["127.0.0.1", "[::ffff:169.254.169.254]", "localhost"]) {
      const { code, stderr } = await webhooks("add", `https://${host}/secret-path`);
      assert.equal(code, 2, host);
      assert.match(stderr, /^hlsync: webhooks add: .* private.*--allow-private\n$/);
      assert.ok(!stderr.includes("secret-path"));
    }
    assert.deepEqual((await webhooks("list")).rows, []);
    const url = `${receiver.url}/secret-path?key=secret-query`;
    const added = await webhooks("add", url, "--allow-private", "--events", "fill.*,order.*");
    assert.equal(added.code, 0, added.text);
    endpoint = String(added.rows[0]!.endpoint);
    secret = String(added.rows[0]!.secret);
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    receiver.secret = secret;
    const tried = await webhooks("test", endpoint.slice(0, 5));
    assert.deepEqual([tried.code, tried.rows[0]!.status], [0, 204]);
    assert.equal(receiver.accepted[0]!.type, "webhook.test");
    receiver.accepted.length = 0;
    const listed = await webhooks("list");
    assert.equal(listed.rows[0]!.url, `${new URL(url).origin}/…`);
    for (const hidden of [secret.slice(6), "secret-path", "secret-query"]) {
      assert.ok(!listed.text.includes(hidden), listed.text);
    }
  });

  it("arrive at least once, in order per account, once by id, at a receiver that fails, hangs, throttles and dies, though hlsync is killed", async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    let hung = 0;
    let throttled = 0;
    receiver.answer = () => {
      const draw = random.next();
      if (draw < 0.2) return 500;
      if (draw < 0.21 && throttled++ < 2) return { status: 429, headers: { "retry-after": "1" } };
      // Lets go only when hlsync is killed, or gives up after 15 s.
      if (draw < 0.22 && hung++ < 1) return "hang";
      return 204;
    };
    const logs: string[] = [];
    const leave = (process: Running) => logs.push(process.stdout(), process.stderr());
    const kill = async (process: Running) => {
      process.child.kill("SIGKILL");
      await process.finished();
      leave(process);
    };
    /** Attempts in a row that nobody answered, of the sequence that has the fewest. */
    const refused = async (): Promise<number> => {
      const [row] = await target.database.query<{ sequences: number; attempts: number }>(
        `select count(*) as sequences, coalesce(min(attempts), 0)::int as attempts from hl_internal.webhook_deliveries
         where status = 'retrying' and error like '%connection refused'`,
      );
      return row!.sequences < BUSY.length ? 0 : row!.attempts;
    };
    const refusedMore = async (attempts: number) => {
      await until(`${attempts} attempts`, PATIENCE_MS, async () => (await refused()) >= attempts);
    };
    const first = run();
    await receiver.until(() => receiver.accepted.length >= 100);
    await kill(first);
    const second = run();
    await receiver.until(() => receiver.accepted.length >= 200);
    // Nobody listens any more; hlsync is killed and started again while it is so.
    await receiver.die();
    const diedMs = performance.now();
    await refusedMore(10);
    await kill(second);
    const third = run();
    await refusedMore((await refused()) + 15);
    await receiver.live();
    t.diagnostic(`dead for ${((performance.now() - diedMs) / 1000).toFixed(1)} s`);
    await receiver.until(() => receiver.accepted.length >= 320);
    await kill(third);
    const last = run();
    await last.line(ofType("fill.created"));
    // New trades go on for ever: what was committed until now is to be delivered.
    const [head] = await target.database.query<{ id: number }>(
      "select max(id) as id from hl_internal.outbox",
    );
    const expected = await target.database.query<{ id: string; account: string }>(
      `select 'msg_' || substr(encode(sha256(convert_to(event_key, 'UTF8')), 'hex'), 1, 32) as id, account_address as account
       from hl_internal.outbox o
       where o.id <= $1 and type in ('fill.created', 'order.updated')
         and time_ms >= (select since_ms from hl_internal.webhook_endpoints) order by o.id`,
      [head!.id],
    );
    assert.ok(expected.length > 300, `${expected.length} events`);
    const got = () => new Set(receiver.accepted.map(({ id }) => id));
    await receiver.until(() => {
      const ids = got();
      return expected.every(({ id }) => ids.has(id));
    });
    await last.stop("SIGTERM");
    leave(last);
    receiver.answer = () => 204;

    for (const account of BUSY) {
      const wanted = [...new Set(expected.filter((event) => event.account === account).map(({ id }) => id))];
      const first = [
        ...new Set(receiver.accepted.filter((got) => got.account === account).map(({ id }) => id)),
      ];
      assert.deepEqual(first.slice(0, wanted.length), wanted);
    }
    // A kill between an answer and its record repeats that one event of each account, and nothing else.
    const repeated = receiver.accepted.length - got().size;
    t.diagnostic(
      `${expected.length} events, ${receiver.seen.length} attempts, ${repeated} repeated after 3 kills`,
    );
    assert.ok(repeated <= 3 * BUSY.length, `${repeated} repeated`);
    assert.deepEqual(receiver.forged, []);
    const text = logs.join("\n");
    for (const hidden of [secret.slice(6, 30), "secret-path", "secret-query"]) {
      assert.ok(!text.includes(hidden), text.slice(text.indexOf(hidden) - 200, text.indexOf(hidden) + 50));
    }
  });

  it("tell a fill once that the stream, a repair and a backfill found", async (t) => {
    const [account] = BUSY;
    const query = target.database.query.bind(target.database);
    const fillsAfter = (id: number, source: string) =>
      query<{ key: string; id: number; trade: number }>(
        `select event_key as key, id, (data ->> 'trade_id')::bigint as trade from hl_internal.outbox
         where type = 'fill.created' and account_address = $1 and id > $2 and source = $3 order by id`,
        [account, id, source],
      );
    const times = (key: string) => receiver.accepted.filter(({ id }) => id === deliveryId(key)).length;
    const process = run();
    await process.line(ofType("fill.created"));
    const [head] = await query<{ id: number }>("select max(id) as id from hl_internal.outbox");
    // Both ways in which a fill is told are lost for a while, until that has hit one.
    const lost = ["userFills", "user"].map((channel) => ({
      fault: "drop",
      channel,
      user: account,
      forMs: 700,
    }));
    const giveUpMs = performance.now() + PATIENCE_MS;
    let losingMs = 0;
    let [streamed, repaired]: Awaited<ReturnType<typeof fillsAfter>>[] = [[], []];
    while (repaired!.length === 0 || streamed!.length < 3) {
      const nowMs = performance.now();
      assert.ok(nowMs < giveUpMs, `${repaired!.length} repaired, ${streamed!.length} streamed`);
      if (nowMs > losingMs) {
        losingMs = nowMs + 5_000;
        const init = { method: "POST", body: JSON.stringify(lost) };
        assert.equal((await fetch(`${exchange.apiUrl}/control/faults`, init)).status, 200);
      }
      repaired = await fillsAfter(head!.id, "repair");
      streamed = await fillsAfter(head!.id, "stream");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const chosen = [...repaired!.slice(0, 3), ...streamed!.slice(0, 3)];
    await receiver.until(() => chosen.every(({ key }) => times(key) > 0));
    await process.stop("SIGTERM");

    // As if they had never been written: verify names them, a backfill finds them again.
    const trades = chosen.map(({ trade }) => trade);
    await query("delete from public.hl_fills where account_address = $1 and trade_id = any ($2::bigint[])", [
      account,
      trades,
    ]);
    const common = [
      "--api-url",
      exchange.apiUrl,
      "--database",
      target.url,
      "--account",
      account!,
      "--weight",
      "6000",
    ];
    // What is younger than five seconds is left alone: it may be on its way.
    let found: number | null = 0;
    while (found === 0 && performance.now() < giveUpMs) found = (await hlsync(["verify", ...common])).code;
    assert.equal(found, 4);
    const [before] = await query<{ id: number }>("select max(id) as id from hl_internal.outbox");
    const read = await hlsync(["backfill", ...common]);
    assert.equal(read.code, 0, read.stderr);
    const again = await fillsAfter(before!.id, "backfill");
    for (const { key } of chosen)
      assert.ok(
        again.some((event) => event.key === key),
        key,
      );

    const next = run();
    const fresh = await next.line((line) => {
      const event = ofType("fill.created")(line);
      return event !== undefined && event.account === account ? String(event.key) : undefined;
    });
    // What came after them has arrived, so they were passed.
    await receiver.until(() => times(fresh) > 0);
    await next.stop("SIGTERM");
    assert.deepEqual(
      chosen.map(({ key }) => times(key)),
      chosen.map(() => 1),
    );
    t.diagnostic(`${repaired!.length} repaired; ${again.length} found again by a backfill`);
  });

  it("show what became of them, replay, rotate and end", async () => {
    const rows = (await webhooks("deliveries", endpoint, "--limit", "5", "--status", "delivered")).rows;
    assert.equal(rows.length, 5);
    assert.ok(rows.every(({ status, attempts }) => status === "delivered" && Number(attempts) >= 1));
    const rotated = await webhooks("rotate", endpoint);
    const young = String(rotated.rows[0]!.secret);
    assert.notEqual(young, secret);
    receiver.accepted.length = 0;
    // The receiver knows the new secret only.
    receiver.secret = young;
    const since = String(rows[0]!.eventTimeMs);
    const replayed = Number((await webhooks("replay", endpoint, "--since", since)).rows[0]!.events);
    assert.ok(replayed >= 1);
    const process = run();
    await receiver.until(() => receiver.accepted.some(({ id }) => id === rows[0]!.webhookId));
    assert.deepEqual(receiver.forged, []);
    assert.equal((await webhooks("disable", endpoint)).code, 0);
    assert.equal((await webhooks("list")).rows[0]!.state, "disabled");
    assert.equal((await webhooks("enable", endpoint)).code, 0);
    assert.equal((await webhooks("remove", endpoint)).code, 0);
    assert.deepEqual((await webhooks("list")).rows, []);
    await process.stop("SIGTERM");
    assert.equal((await webhooks("remove", endpoint)).code, 2);
  });

  it("and alert channels show no secret when they fail: in no log, error, status, health or metric", async () => {
    const added = await webhooks("add", `${receiver.url}/path-secret?key=query-secret`, "--allow-private");
    const signing = newSecret().reveal();
    const env = {
      // Nobody listens on port 1.
      HLSYNC_ALERT_TO: [
        "ntfy+http://ntfy-secret@127.0.0.1:1/topic-secret",
        "smtp://me%40x.org:mail-secret@127.0.0.1:1?to=a@b.c",
        "apprise://127.0.0.1:1/notify/apprise-secret",
        `https://127.0.0.1:1/hook-secret#${signing}`,
      ].join(","),
      HLSYNC_DEAD_MAN_URL: "http://127.0.0.1:1/ping-secret",
      HLSYNC_TOKEN: "token-secret",
    };
    const { password } = new URL(target.url);
    const hidden = [
      ...["path-secret", "query-secret", "ntfy-secret", "topic-secret", "mail-secret", "apprise-secret"],
      ...["hook-secret", "ping-secret", "token-secret", signing.slice(6, 30)],
      ...[String(added.rows[0]!.secret).slice(6, 30), ...(password.length > 8 ? [password] : [])],
    ];
    const clean = (what: string, text: string) => {
      for (const secret of hidden) {
        const at = text.indexOf(secret);
        assert.equal(at, -1, `${what}: ${text.slice(Math.max(0, at - 200), at + 50)}`);
      }
    };
    receiver.answer = () => 500;
    const process = start(
      [
        ...["run", "--api-url", exchange.apiUrl, "--database", target.url, "--listen", "127.0.0.1:0"],
        ...["--account", BUSY[0]!, "--log-level", "debug", "--alert", "large_fill=1", "--weight", "6000"],
      ],
      { env },
    );
    const url = (await process.complaint(/http:\/\/127\.0\.0\.1:\d+(?=\s)/)).trim();
    for (const endpoint of ["alert_ntfy", "alert_email", "alert_apprise", "alert_webhook", "wh_"])
      await process.complaint(
        new RegExp(`webhook not delivered.*${endpoint}|${endpoint}.*webhook not delivered`),
      );
    await process.complaint(/a call of the dead-man URL failed/);
    const headers = { authorization: "Bearer token-secret" };
    for (const path of ["healthz", "metrics", "readyz", "api/status", "api/alerts", "api/deliveries"]) {
      const answer = await fetch(`${url}/${path}`, { headers });
      assert.ok([200, 503].includes(answer.status), path);
      clean(path, await answer.text());
    }
    const database = ["--database", target.url];
    for (const args of [
      ["status", ...database],
      ["status", "--json", ...database],
      ["doctor", "--api-url", exchange.apiUrl, "--account", BUSY[0]!, ...database],
      ["alerts", "list", ...database],
      ["webhooks", "list", ...database],
      ["webhooks", "deliveries", "--limit", "100", ...database],
      ["alerts", "test", ...database],
      ["webhooks", "rotate", "alert_webhook", ...database],
    ]) {
      const { stdout, stderr } = await hlsync(args, { env });
      assert.ok(`${stdout}${stderr}`.length > 0, args.join(" "));
      clean(args.join(" "), stdout + stderr);
    }
    const channels = async () => (await webhooks("list")).rows.filter(({ url }) => url === "(configuration)");
    assert.deepEqual(
      (await channels()).map(({ served }) => served),
      [true, true, true, true],
    );
    const rotated = await webhooks("rotate", "alert_webhook");
    assert.deepEqual([rotated.code, rotated.rows], [2, []]);
    assert.match(rotated.stderr, /is an alert channel/);
    await process.stop("SIGTERM");
    assert.ok((await channels()).every(({ served }) => served === false));
    const list = await hlsync(["webhooks", "list", ...database]);
    assert.match(list.stdout, /no running hlsync has it in its configuration/);
    clean("the log", process.stdout() + process.stderr());
  });
});
