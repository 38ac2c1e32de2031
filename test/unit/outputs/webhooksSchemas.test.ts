/** The published schemas against what the database really puts into the outbox. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { ruleSet } from "../../../src/outputs/alerts/ruleSet.ts";
import { AlertWatch, WATCH_DEFAULTS } from "../../../src/outputs/alerts/watch.ts";
import { deliveryId } from "../../../src/outputs/delivery/sink.ts";
import { EVENT_TYPES } from "../../../src/outputs/eventTypes.ts";
import { type OutboxEvent, openOutbox } from "../../../src/outputs/outbox.ts";
import { BODIES } from "../../../src/outputs/webhooks/payload.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { CHANGE_TYPES } from "../../../src/sync/rows.ts";
import {
  ACCOUNT,
  dashboardOf,
  fillOf,
  fundingOf,
  ledgerOf,
  orderEventOf,
  positionOf,
  T,
} from "../../contract/rows.ts";
import { startServer, type TestServer } from "../../support/postgres.ts";
import { PATIENCE_MS } from "../../support/until.ts";

interface Schema {
  title: string;
  properties: { data: { required: string[]; properties: Record<string, unknown> } };
}

const FOLDER = new URL("../../../docs/schemas/", import.meta.url);
const read = (name: string): Schema =>
  JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8")) as Schema;
const validator = (schema: Schema) => z.fromJSONSchema(schema as never);

describe("schemas of the payloads", () => {
  let server: TestServer;
  const events = new Map<string, OutboxEvent[]>();

  before(async () => {
    server = await startServer();
    const { store, database } = await server.newDatabase();
    await store.openAccount(ACCOUNT, null, T);
    const nowMs = Date.now();
    const more = { cloid: "0xabc", builderFee: "0.1", twapId: 5, hash: null, tradeId: -4 };
    await store.apply({
      fills: [
        fillOf(),
        fillOf({ ...more, liquidation: { liquidatedUser: ACCOUNT, markPx: "1.0", method: "market" } }),
        fillOf({ tradeId: 9, orderId: 9, timeMs: nowMs, value: "900000.00" }),
      ],
      orderEvents: [
        orderEventOf(),
        orderEventOf({
          orderId: 3,
          orderType: "Stop Market",
          tif: "Gtc",
          triggerPrice: "5.0",
          reduceOnly: true,
        }),
        orderEventOf({ orderId: 4, size: "0.0", remaining: "0.0" }),
      ],
      positions: [positionOf({ asOfMs: nowMs, liquidationDistancePct: "3.9", liquidationPrice: "58817.0" })],
      funding: [fundingOf(), fundingOf({ timeMs: T + 1, samples: 3 })],
      ledger: [
        ledgerOf(),
        ledgerOf({
          type: "spotGenesis",
          token: "PURR",
          amount: "1.5",
          raw: { delta: { type: "spotGenesis", token: "PURR", amount: "1.5" } },
        }),
      ],
      dashboard: [dashboardOf({ asOfMs: nowMs })],
      drift: [
        {
          account: ACCOUNT,
          stream: "fills",
          cause: "chain",
          detail: { missing: "1" },
          foundAtMs: T,
          repairedAtMs: null,
        },
      ],
    });
    const { rules, prices } = ruleSet(["health_score=off"]);
    const gap = { ...rules.get("gap")!, forMs: 0 } as never;
    const lease = { lease: `follow ${ACCOUNT}`, holder: "test", token: 1 };
    await database.query("insert into hl_internal.claims values ($1, 'test', 1, null, now())", [lease.lease]);
    const watch = new AlertWatch({
      db: database,
      clock: systemClock,
      log: silentLog,
      holder: "test",
      channels: [],
      ping: null,
      rules: { prices, rules: new Map(rules).set("gap", gap) },
      followed: () => [{ account: ACCOUNT, lease, lastDataMs: null, streamed: false }],
      clockOffsetMs: () => 0,
      options: { ...WATCH_DEFAULTS, eventsMs: 10, conditionsMs: 10, slowMs: 20, gapMs: 0 },
    }).start();
    const has = async (type: string): Promise<void> => {
      for (const giveUpMs = Date.now() + PATIENCE_MS; ; ) {
        const rows = await database.query("select 1 from hl_internal.outbox where type = $1", [type]);
        if (rows.length > 0) return;
        assert.ok(Date.now() < giveUpMs, `${type} did not come`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await Promise.all(["alert.fired", "gap.opened"].map(has));
    const coverage = (["fills", "twapFills", "orders", "funding", "ledger"] as const).map((stream) => ({
      account: ACCOUNT,
      stream,
      grade: "proven" as const,
      fromMs: 0,
      toMs: nowMs,
      reason: null,
    }));
    await store.apply({ coverage });
    await Promise.all(["alert.resolved", "gap.closed"].map(has));
    await watch.stop();
    await database.query(
      "insert into hl_internal.webhook_endpoints (id, format, events, since_ms) values ('wh_1', 'standard', '{*}', 0)",
    );
    await database.query("select hl_internal.disable_endpoint('wh_1', 'answered 410 Gone', 5)");
    for (const event of await openOutbox(database).read(new Map(), null, 1_000))
      events.set(event.type, [...(events.get(event.type) ?? []), event]);
  });
  after(() => server.stop());

  it("are one per type of event, and one for CloudEvents", () => {
    const names = readdirSync(FOLDER).map((file) => file.replace(".json", ""));
    assert.deepEqual(names.sort(), [...Object.keys(EVENT_TYPES), "cloudevents"].sort());
    for (const type of CHANGE_TYPES) assert.ok(type in EVENT_TYPES, type);
  });

  for (const type of Object.keys(EVENT_TYPES).filter((name) => name !== "webhook.test")) {
    it(`fit ${type}, field by field`, () => {
      const schema = read(type);
      const check = validator(schema);
      const found = events.get(type) ?? [];
      assert.ok(found.length > 0, "no such event was made");
      const { required, properties } = schema.properties.data;
      for (const event of found) {
        const body: unknown = JSON.parse(BODIES.standard(event, "", new Map()).text);
        const result = check.safeParse(body);
        assert.ok(result.success, `${JSON.stringify(body)} ${JSON.stringify(result.error?.issues)}`);
        assert.deepEqual(Object.keys(event.data).sort(), Object.keys(properties).sort());
      }
      assert.deepEqual([...required].sort(), Object.keys(properties).sort());
    });
  }

  it("refuse a number where a decimal belongs", () => {
    const [event] = events.get("fill.created")!;
    const check = validator(read("fill.created"));
    const body = JSON.parse(BODIES.standard(event!, "", new Map()).text) as { data: Record<string, unknown> };
    assert.ok(check.safeParse(body).success);
    assert.ok(!check.safeParse({ ...body, data: { ...body.data, size: 0.5 } }).success);
  });

  it("fit CloudEvents of every event", () => {
    const check = validator(read("cloudevents"));
    for (const event of [...events.values()].flat()) {
      const body: unknown = JSON.parse(BODIES.cloudevents(event, deliveryId(event.key), new Map()).text);
      const result = check.safeParse(body);
      assert.ok(result.success, JSON.stringify(result.error?.issues));
    }
  });
});
