/** The publisher with a broker of the test's own: what it does where a broker says nothing. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Broker, Message } from "../../../src/outputs/publish/broker.ts";
import { registerPublisher } from "../../../src/outputs/publish/cursors.ts";
import { Publisher } from "../../../src/outputs/publish/publisher.ts";
import { type Clock, systemClock } from "../../../src/runtime/clock.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { ACCOUNT, fillOf, T } from "../../contract/rows.ts";
import { useDatabase } from "../../support/postgres.ts";
import { eventually } from "../../support/until.ts";

const target = useDatabase("each");

/** A second of it is over in a twentieth. */
const hasty: Clock = {
  ...systemClock,
  after: (ms, run) => systemClock.after(ms / 20, run),
  sleep: (ms, signal) => systemClock.sleep(ms / 20, signal),
};

/** Where a broker stops answering: each of its questions in turn. */
for (const silent of ["open", "newest", "publish", "close"] as const)
  it(`gives up a broker that does not answer to ${silent}, and goes on with a new connection`, async () => {
    const { database, store } = target;
    const id = "pub_test";
    await store.openAccount(ACCOUNT, null, 0);
    await registerPublisher(database, { id, format: "nats", label: "nats://test" }, 0);
    await store.apply({ fills: [fillOf({ tradeId: 1 }), fillOf({ tradeId: 2, timeMs: T + 1 })] });
    const warnings: string[] = [];
    const published: Message[] = [];
    let connections = 0;
    const open = (): Promise<Broker> => {
      connections += 1;
      const never = new Promise<never>(() => {});
      const isSilent = (what: string) => what === silent && connections === 1;
      // One that fails is closed, too.
      const fails = silent === "close" && connections === 1;
      const broker: Broker = {
        publish: async (messages) => {
          if (fails) throw new Error("refused");
          if (isSilent("publish")) return never;
          published.push(...messages);
        },
        newest: async () => (isSilent("newest") ? never : null),
        close: () => (isSilent("close") ? never : Promise.resolve()),
      };
      return isSilent("open") ? never : Promise.resolve(broker);
    };
    const publisher = new Publisher({
      ...{ id, db: database, clock: hasty, random: { next: () => 0 }, holder: "test", open },
      log: { ...silentLog, warn: (text, fields) => warnings.push(`${text} ${String(fields?.error)}`) },
      onNews: () => () => {},
    }).start();
    await eventually(
      "both fills",
      () => published.length,
      (count) => count === 2,
    );
    assert.equal(connections, 2);
    assert.match(
      warnings.join(),
      silent === "close" ? /refused/ : /publishing waits .*did not answer within 15 s/,
    );
    await publisher.stop();
  });
