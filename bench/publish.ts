/**
 * Acknowledged events a second into NATS JetStream, from a full outbox through the publisher, against the client alone with
 * the same messages, in turns of one run: as it is by default, and without its traces, as the publisher has it. The server keeps
 * its stream in files, emptied before each turn. Prints CPU of this process too: on a shared machine the clock says less.
 *
 *   npm run bench -- publish [--events 20000] [--rounds 5]
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { deliveryId } from "../src/outputs/delivery/sink.ts";
import { openOutbox } from "../src/outputs/outbox.ts";
import { registerPublisher } from "../src/outputs/publish/cursors.ts";
import { nats } from "../src/outputs/publish/nats.ts";
import { Publisher } from "../src/outputs/publish/publisher.ts";
import { BODIES } from "../src/outputs/webhooks/payload.ts";
import { systemClock as clock } from "../src/runtime/clock.ts";
import { silentLog as log } from "../src/runtime/log.ts";
import { systemRandom as random } from "../src/runtime/random.ts";
import { fillOf } from "../test/contract/rows.ts";
import { TestBroker } from "../test/support/brokers.ts";
import { startServer } from "../test/support/postgres.ts";
import { ownMs } from "./processorTime.ts";

const { values } = parseArgs({
  options: { events: { type: "string", default: "20000" }, rounds: { type: "string", default: "5" } },
});
const [EVENTS, ROUNDS] = [Number(values.events), Number(values.rounds)];
/** As many as the publisher has under way. */
const AT_ONCE = 500;
const ACCOUNTS = Array.from({ length: 10 }, (_, n) => `0x${String(n).repeat(40)}`);

const server = await startServer("real");
const target = await server.newDatabase();
const db = target.database;
const broker = await TestBroker.start("nats");
const servers = broker.url.replace("nats://", "");
const connection = await connect({ servers });
const untraced = await connect({ servers, noAsyncTraces: true });
const manager = await jetstreamManager(connection);

for (let made = 0; made < EVENTS; made += 1_000) {
  const nowMs = clock.now();
  const fills = Array.from({ length: 1_000 }, (_, n) =>
    fillOf({
      account: ACCOUNTS[n % ACCOUNTS.length]!,
      tradeId: made + n,
      orderId: made + n,
      timeMs: nowMs + n,
    }),
  );
  await target.store.apply({ fills });
}
// As autovacuum does by itself within a minute.
await db.query("analyze");
const events = (await openOutbox(db).read(new Map(), null, EVENTS)).filter(
  ({ type }) => type === "fill.created",
);

async function fresh(): Promise<void> {
  await manager.streams.delete("HLSYNC").catch(() => {});
  await manager.streams.add({ name: "HLSYNC", subjects: ["hlsync.>"] });
}

interface Cost {
  /** Events a second. */
  rate: number;
  /** Microseconds of CPU of this process, an event. */
  cpu: number;
}
function meter(): (count: number) => Cost {
  const [began, before] = [performance.now(), ownMs()];
  return (count) => ({
    rate: (count * 1_000) / (performance.now() - began),
    cpu: ((ownMs() - before) * 1_000) / count,
  });
}

async function alone(over: NatsConnection): Promise<Cost> {
  await fresh();
  const client = jetstream(over);
  const messages = events.map((event) => {
    const id = deliveryId(event.key);
    return {
      id,
      subject: `hlsync.mainnet.${event.account}.${event.type}`,
      text: BODIES.cloudevents(event, id, new Map()).text,
    };
  });
  const measured = meter();
  for (let at = 0; at < messages.length; at += AT_ONCE)
    await Promise.all(
      messages
        .slice(at, at + AT_ONCE)
        .map(({ id, subject, text }) => client.publish(subject, text, { msgID: id })),
    );
  return measured(messages.length);
}

async function published(round: number): Promise<Cost> {
  await fresh();
  const id = `pub_${round}`;
  await registerPublisher(db, { id, format: "nats", label: "bench" }, 0);
  await db.query("update hl_internal.webhook_lanes set cursor_id = 0 where endpoint_id = $1", [id]);
  const open = () => nats.open(new URL(broker.url), "mainnet");
  const publisher = new Publisher({ id, db, clock, random, log, open, holder: id, onNews: () => () => {} });
  const measured = meter();
  publisher.start();
  for (;;) {
    const { state } = await manager.streams.info("HLSYNC");
    if (state.messages >= events.length) break;
    await clock.sleep(5);
  }
  const result = measured(events.length);
  await publisher.stop();
  return result;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const costs: Record<string, Cost[]> = { "client alone": [], "without traces": [], publisher: [] };
for (let round = 0; round < ROUNDS; round++) {
  costs["client alone"]!.push(await alone(connection));
  costs["without traces"]!.push(await alone(untraced));
  costs.publisher!.push(await published(round));
}
console.log(`${events.length} events, load ${loadavg()[0]!.toFixed(1)}, medians of ${ROUNDS}`);
for (const [name, of] of Object.entries(costs)) {
  const against = (by: keyof Cost) =>
    median(of.map((cost, round) => costs["client alone"]![round]![by] / cost[by]));
  const [rate, cpu] = [median(of.map((one) => one.rate)), median(of.map((one) => one.cpu))];
  console.log(
    `${name.padEnd(15)} ${Math.round(rate)}/s ${(1 / against("rate")).toFixed(2)} x, ${cpu.toFixed(0)} µs of CPU an event ${against("cpu").toFixed(2)} x`,
  );
}
await untraced.close();
await connection.close();
await broker.close();
await target.close();
await server.stop();
