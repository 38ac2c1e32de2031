/** Every change at real brokers, once and in order, through kills of hlsync and of the brokers. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createClient } from "@redis/client";
import { deliveryId } from "../../src/outputs/delivery/sink.ts";
import { noBroker, TestBroker } from "../support/brokers.ts";
import { type Running, simulate, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { PATIENCE_MS, untilDespiteErrors } from "../support/until.ts";

const ACCOUNTS = ["a", "b", "c"].map((digit) => `0x${digit.repeat(40)}`);

interface Published {
  account: string;
  id: string;
  type: string;
}

describe("publishing", { skip: noBroker("nats") || noBroker("redis") }, () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };
  let nats: TestBroker;
  let redis: TestBroker;

  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    const users = ACCOUNTS.flatMap((account) => ["--account", account]);
    exchange = await simulate(...users, "--fills-per-second", "5", "--weight", "60000");
    [nats, redis] = await Promise.all([TestBroker.start("nats"), TestBroker.start("redis")]);
  });
  after(async () => {
    await Promise.all([exchange?.stop(), nats?.close(), redis?.close()]);
    await target?.close();
    await server?.stop();
  });

  const run = () =>
    start([
      ...["run", "--api-url", exchange.apiUrl, "--database", target.url, "--listen", "127.0.0.1:0"],
      ...["--log-level", "info", "--weight", "60000", "--publish", nats.url, "--publish", redis.url],
      ...ACCOUNTS.flatMap((account) => ["--account", account]),
    ]);

  /** All that the broker holds, in its order. */
  async function inNats(): Promise<Published[]> {
    const connection = await connect({ servers: nats.url.replace("nats://", "") });
    try {
      const client = jetstream(connection);
      const stream = await client.streams.get("HLSYNC");
      const { messages } = (await stream.info()).state;
      const consumer = await client.consumers.get("HLSYNC");
      const published: Published[] = [];
      if (messages === 0) return published;
      for await (const message of await consumer.consume()) {
        const [, network, account, ...type] = message.subject.split(".");
        assert.equal(network, "mainnet");
        const event = message.json<{ id: string; type: string; specversion: string }>();
        assert.equal(event.specversion, "1.0");
        assert.equal(event.id, message.headers?.get("Nats-Msg-Id"));
        published.push({ account: account!, id: event.id, type: type.join(".") });
        if (message.info.pending === 0) break;
      }
      return published;
    } finally {
      await connection.close();
    }
  }

  async function inRedis(): Promise<Published[]> {
    const client = createClient({ url: redis.url });
    client.on("error", () => {});
    await client.connect();
    const published: Published[] = [];
    for (const account of ACCOUNTS) {
      const entries = await client.xRange(`hlsync:mainnet:${account}`, "-", "+");
      for (const { message } of entries ?? []) {
        const { id, type, event } = message as { id: string; type: string; event: string };
        assert.equal((JSON.parse(event) as { id: string }).id, id);
        published.push({ account, id, type });
      }
    }
    client.destroy();
    return published;
  }

  /** Ids of the account's events as they were committed up to that place, repetitions left out. */
  async function committed(account: string, upTo: number): Promise<string[]> {
    const rows = await target.database.query<{ key: string }>(
      "select event_key as key from hl_internal.outbox where account_address = $1 and id <= $2 order by id",
      [account, upTo],
    );
    return [...new Set(rows.map(({ key }) => deliveryId(key)))];
  }

  const head = async (): Promise<number> => {
    const [row] = await target.database.query<{ head: number }>(
      "select coalesce(max(id), 0)::bigint as head from hl_internal.outbox",
    );
    return row!.head;
  };
  const grows = async (by: number) => {
    const from = await head();
    await untilDespiteErrors("more changes", PATIENCE_MS, async () => (await head()) >= from + by);
  };

  it("every change comes once and in order, whoever is killed", async (t) => {
    const first = run();
    await untilDespiteErrors("something published", PATIENCE_MS, async () => {
      const rows = await target.database
        .query("select 1 from hl_internal.webhook_lanes where endpoint_id like 'pub_%' and cursor_id > 0")
        .catch(() => []);
      return rows.length >= 2 * ACCOUNTS.length;
    });
    await grows(100);
    await first.stop("SIGKILL");
    const second = run();
    await second.complaint(/following/);
    await grows(100);
    await nats.kill();
    await redis.kill();
    await second.complaint(/publishing waits/);
    await grows(100);
    await Promise.all([nats.start(), redis.start()]);
    await second.complaint(/publishing goes on/);
    await grows(50);
    // Changes go on coming: what was committed until now is waited for, what comes meanwhile may be there or not.
    const until = await head();
    await untilDespiteErrors("all to be published", PATIENCE_MS, async () => {
      const [row] = await target.database.query<{ left: number }>(
        `select count(*) as left from hl_internal.webhook_lanes l
         where l.endpoint_id like 'pub_%' and exists (
           select from hl_internal.outbox o
           where o.account_address = l.account_address and o.id > l.cursor_id and o.id <= $1)`,
        [until],
      );
      return row!.left === 0;
    });
    for (const [name, read] of [
      ["nats", inNats],
      ["redis", inRedis],
    ] as const) {
      const published = await read();
      t.diagnostic(`${name}: ${published.length} messages`);
      for (const account of ACCOUNTS) {
        const told = published.filter((one) => one.account === account).map(({ id }) => id);
        const waitedFor = await committed(account, until);
        // What was committed before the publisher was there is history to it.
        const from = waitedFor.indexOf(told[0]!);
        assert.ok(from >= 0 && told.length > 50, `${name} ${account}: ${told.length} messages`);
        assert.ok(told.length >= waitedFor.length - from, `${name} ${account}: all that was waited for`);
        const all = await committed(account, await head());
        assert.deepEqual(told, all.slice(from, from + told.length), `${name} ${account}`);
      }
    }
    await second.stop();
  });
});
