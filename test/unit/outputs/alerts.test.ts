/** The pure parts of alerting: the life of a condition, grouping of events, settings, words, channels. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { ConfigError, StoreError } from "../../../src/errors.ts";
import { openChannel } from "../../../src/outputs/alerts/channels.ts";
import { DatabasePulse } from "../../../src/outputs/alerts/databasePulse.ts";
import { openDeadMan } from "../../../src/outputs/alerts/deadMan.ts";
import { type EventAlert, EventWatch, OLD_MS } from "../../../src/outputs/alerts/eventAlerts.ts";
import { type Gap, type GapStep, stepGap } from "../../../src/outputs/alerts/gapEvents.ts";
import {
  type Condition,
  type Memory,
  type Notice,
  type Observation,
  step,
} from "../../../src/outputs/alerts/machine.ts";
import { type Letter, sendMail } from "../../../src/outputs/alerts/mailSend.ts";
import { seenOf } from "../../../src/outputs/alerts/observe.ts";
import { type ConditionRule, ruleOf as plainRule, ruleSet } from "../../../src/outputs/alerts/ruleSet.ts";
import { LISTED, type ListedName } from "../../../src/outputs/alerts/rules/index.ts";
import { conditionMessage } from "../../../src/outputs/alerts/steps.ts";
import type { HttpRequest } from "../../../src/outputs/delivery/httpSend.ts";
import { newSecret, Secret } from "../../../src/outputs/delivery/secret.ts";
import type { OutboxEvent } from "../../../src/outputs/outbox.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { isDecimal } from "../../../src/runtime/decimal.ts";

const T = 1_790_360_256_851;
const ACCOUNT = `0x${"a".repeat(40)}`;

const RULES = LISTED.map(plainRule);

const ruleOf = (name: ListedName, ...settings: string[]): ConditionRule => {
  const rule = ruleSet(settings).rules.get(name);
  assert.ok(rule?.kind === "condition", name);
  return rule;
};

/** A condition followed through a series of values, one a second. */
class Life {
  nowMs = T;
  condition: Condition | null = null;
  memory: Memory | null = null;
  told: Exclude<Notice, null>[] = [];
  get phase(): string | null {
    return this.condition?.phase ?? null;
  }
  readonly rule: ConditionRule;
  constructor(rule: ConditionRule) {
    this.rule = rule;
  }
  see(
    value: number | null,
    change: Partial<Observation> & { silenced?: boolean; afterMs?: number } = {},
  ): this {
    const { silenced = false, afterMs = 1_000, ...observed } = change;
    this.nowMs += afterMs;
    const before = this.condition;
    const seen = { value, atMs: this.nowMs, ...observed };
    const { after, notice: tell } = step(this.rule, before, this.memory, seen, this.nowMs, silenced);
    this.condition = after;
    if (tell !== null) {
      this.told.push(tell);
      this.memory = { notifiedMs: this.nowMs, severity: (after ?? before)!.severity };
    }
    return this;
  }
}

describe("a condition", () => {
  it("that moves around its threshold fires once and resolves once", () => {
    const life = new Life(ruleOf("margin_ratio"));
    for (const value of [40, 59.9, 60, 61, 59, 60.5, 55, 60, 51, 62, 50.1]) life.see(value);
    assert.deepEqual(life.told, ["fired"]);
    for (const value of [50, 49, 51, 59]) life.see(value);
    assert.deepEqual(life.told, ["fired", "resolved"]);
  });

  it("never fires more often than its value goes all the way from one threshold to the other and back", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 200 }), (values) => {
        const life = new Life({ ...ruleOf("margin_ratio"), cooldownMs: 0 });
        let up = false;
        let crossings = 0;
        for (const value of values) {
          life.see(value);
          if (!up && value >= 60) crossings += 1;
          up = up ? value > 50 : value >= 60;
        }
        assert.equal(life.told.filter((tell) => tell === "fired").length, crossings);
        assert.equal(life.told.filter((tell) => tell === "resolved").length, crossings - (up ? 1 : 0));
      }),
    );
  });

  it("is told again at once when it gets worse, and only then, within its cooldown", () => {
    const life = new Life(ruleOf("margin_ratio"));
    life.see(65).see(79).see(85).see(75).see(90);
    assert.deepEqual(life.told, ["fired", "escalated"]);
    assert.equal(life.condition?.severity, "crit");
    life.see(40);
    assert.deepEqual(life.told, ["fired", "escalated", "resolved"]);
    // Back within the cooldown: it waits, unless it is worse than what was told last.
    life.see(85).see(85);
    assert.equal(life.condition?.phase, "pending");
    life.see(85, { afterMs: life.rule.cooldownMs });
    assert.deepEqual(life.told.slice(3), ["fired"]);
    const mild = new Life(ruleOf("margin_ratio"));
    mild.see(65).see(40).see(65).see(85);
    assert.deepEqual(mild.told, ["fired", "resolved", "fired"]);
  });

  it("that got milder for longer than its cooldown is told again when it gets worse, within one life", () => {
    const life = new Life(ruleOf("margin_ratio"));
    life.see(65).see(85);
    // A short dip is no news, and neither is what follows it.
    life.see(65).see(85);
    assert.deepEqual(life.told, ["fired", "escalated"]);
    life.see(65).see(65, { afterMs: 86_400_000 }).see(90, { afterMs: 86_400_000 });
    assert.deepEqual(life.told, ["fired", "escalated", "escalated"]);
    life.see(40);
    assert.deepEqual(life.told, ["fired", "escalated", "escalated", "resolved"]);
  });

  it("that was told is told to be over also while it is silenced", () => {
    const life = new Life(ruleOf("margin_ratio"));
    life.see(65).see(40, { silenced: true });
    assert.deepEqual(life.told, ["fired", "resolved"]);
  });

  it("waits as pending for as long as its rule says, and leaves no trace when it passes before", () => {
    const life = new Life(ruleOf("drift"));
    life.see(1).see(2, { afterMs: 50_000 });
    assert.equal(life.condition?.phase, "pending");
    life.see(0);
    assert.deepEqual([life.condition, life.told], [null, []]);
    life.see(1).see(1, { afterMs: 60_000 });
    assert.deepEqual(life.told, ["fired"]);
  });

  it("does not change while its data is stale, whatever the value", () => {
    const life = new Life(ruleOf("liquidation_distance"));
    life.see(3, { atMs: T - 60_000 });
    assert.deepEqual([life.condition, life.told], [null, []]);
    life.see(8);
    assert.deepEqual(life.told, ["fired"]);
    const held = life.condition;
    life.see(90, { atMs: life.nowMs - 40_000 }).see(1, { atMs: life.nowMs - 40_000 });
    assert.deepEqual([life.condition, life.told], [held, ["fired"]]);
    life.see(90);
    assert.deepEqual(life.told, ["fired", "resolved"]);
  });

  it("is followed but not told while silenced, and told when the silence ends if it still holds", () => {
    const life = new Life(ruleOf("health_score"));
    life.see(30, { silenced: true });
    assert.equal(life.condition?.phase, "firing");
    assert.deepEqual(life.told, []);
    life.see(30);
    assert.deepEqual(life.told, ["fired"]);
    const other = new Life(ruleOf("health_score"));
    other.see(30, { silenced: true }).see(80);
    assert.deepEqual([other.condition, other.told], [null, []]);
  });

  it("fires at a distance in % or in daily moves, whichever is reached first", () => {
    const calm = new Life(ruleOf("liquidation_distance"));
    calm.see(11, { dailyMovePct: 2.5 }).see(9.9, { dailyMovePct: 2.5 });
    assert.equal(calm.condition?.severity, "warn");
    const wild = new Life(ruleOf("liquidation_distance"));
    wild.see(18, { dailyMovePct: 9 });
    assert.equal(wild.condition?.severity, "warn");
    wild.see(9, { dailyMovePct: 9 });
    assert.deepEqual([wild.condition?.severity, wild.told], ["crit", ["fired", "escalated"]]);
    // The position is closed: nothing is wrong with it.
    wild.see(null);
    assert.deepEqual(wild.told, ["fired", "escalated", "resolved"]);
  });

  it("says what, how much, threshold and age", () => {
    const [seen] = seenOf("position", [
      {
        account: ACCOUNT,
        coin: "BTC",
        subject: null,
        atMs: T,
        side: "long",
        positionValue: "100",
        markPrice: "61204.0",
        liquidationPrice: "58817",
        distancePct: "3.9",
        maxLeverage: 40,
        hasStop: true,
        volatility: "0.026",
        equity: null,
      },
    ]);
    assert.deepEqual(
      [seen!.rule, seen!.account, seen!.coin, seen!.value],
      ["liquidation_distance", ACCOUNT, "BTC", 3.9],
    );
    const rule = ruleOf("liquidation_distance");
    const fired = { severity: "crit" as const, firedMs: T - 120_000 };
    assert.equal(
      conditionMessage(rule, seen!, { severity: "crit", fire: 5, clear: 6 }, fired, false, T + 600),
      "CRIT BTC long 3.9 % from liquidation (1.5 daily moves). Threshold 5 %. Mark 61204, liq 58817. 0.6 s old.",
    );
    assert.equal(
      conditionMessage(rule, seen!, { severity: "crit", fire: 5, clear: 6 }, fired, true, T),
      "RESOLVED BTC long 3.9 % from liquidation (1.5 daily moves). Threshold 6 %. After 2 min. Mark 61204, liq 58817. 0 s old.",
    );
  });
});

describe("a gap", () => {
  const HALF_HOUR = 1_800_000;
  const follow = (...looks: [afterMs: number, missing: number, sinceMs?: number][]) => {
    const published: string[] = [];
    let gap: Gap | null = null;
    for (const [afterMs, value, sinceMs] of looks) {
      const seen = { value, ...(sinceMs === undefined ? {} : { sinceMs }) };
      const { after, publish }: GapStep = stepGap(gap, seen, T + afterMs, HALF_HOUR);
      gap = after;
      if (publish !== null) published.push(`${publish} ${afterMs}`);
    }
    return published;
  };

  it("is published half an hour after it began, once, and when it is closed", () => {
    const began = T - 900_000;
    assert.deepEqual(
      follow([0, 1, began], [899_999, 1, began], [900_000, 1, began], [999_999, 1], [1_000_000, 0]),
      ["opened 900000", "closed 1000000"],
    );
  });

  it("of which only the first sight is known is published half an hour after that", () => {
    assert.deepEqual(follow([0, 1], [HALF_HOUR - 1, 1], [HALF_HOUR, 1]), [`opened ${HALF_HOUR}`]);
  });

  it("that is closed before is nobody's business", () => {
    assert.deepEqual(follow([0, 1], [HALF_HOUR - 1, 0], [HALF_HOUR, 1]), []);
  });
});

describe("the silence of a database", () => {
  let nowMs = T;
  const answers: ((error?: Error) => void)[] = [];
  const pulse = () => {
    nowMs = T;
    answers.length = 0;
    const made = new DatabasePulse({ now: () => nowMs });
    const db = made.over({
      query: () =>
        new Promise((resolve, reject) => answers.push((error) => (error ? reject(error) : resolve([])))),
    });
    const ask = () => db.query("select 1").catch(() => {});
    const lookFor = (ms: number): number => {
      let silentMs = made.silentMs();
      for (let look = 0; look < ms; look += 1_000) {
        nowMs += 1_000;
        silentMs = made.silentMs();
      }
      return silentMs;
    };
    return { made, ask, lookFor };
  };
  const away = new StoreError("connection refused", { transient: true });

  it("is counted from the first query that waits or fails, and ends with any answer", async () => {
    const { ask, lookFor } = pulse();
    assert.equal(lookFor(90_000), 0);
    const waiting = ask();
    assert.equal(lookFor(10_000), 10_000);
    answers[0]!(away);
    await waiting;
    assert.equal(lookFor(10_000), 20_000);
    const back = ask();
    answers[1]!(new StoreError("no such table", { transient: false, sqlState: "42P01" }));
    await back;
    assert.equal(lookFor(10_000), 0);
  });

  it("does not contain the time in which the machine slept or the clock was set", async () => {
    const { made, ask, lookFor } = pulse();
    const waiting = ask();
    nowMs += 8 * 3_600_000;
    assert.ok(made.silentMs() <= 3_000);
    nowMs -= 9 * 3_600_000;
    assert.ok(made.silentMs() <= 3_000);
    assert.ok(lookFor(10_000) >= 10_000);
    answers[0]!();
    await waiting;
    nowMs += 60_000;
    assert.equal(made.silentMs(), 0);
  });
});

describe("events", () => {
  let nextId = 1;
  const event = (
    type: string,
    data: Record<string, unknown>,
    change: Partial<OutboxEvent> = {},
  ): OutboxEvent => {
    const id = nextId++;
    return {
      id,
      key: `${type}:${id}`,
      type,
      account: ACCOUNT,
      timeMs: T,
      source: "stream",
      committedAtMs: T,
      data,
      ...change,
    };
  };
  const fill = (data: Record<string, unknown> = {}, change: Partial<OutboxEvent> = {}): OutboxEvent => {
    const { size = "0.01", price = "83000" } = data as { size?: string; price?: string };
    const value = String(Number(size) * Number(price));
    assert.ok(isDecimal(value));
    const common = { coin: "BTC", side: "buy", order_id: 7, twap_id: null, liquidation: null };
    return event("fill.created", { ...common, size, price, value, ...data }, change);
  };
  const watch = (settings: string[] = [], equity: string | null = null) =>
    new EventWatch(ruleSet(settings), {
      equity: () => equity,
      wasRead: (_account, atMs) => atMs > T - 60_000,
    });

  it("40 partial fills of one order are one message with their sum", () => {
    const events = watch();
    let nowMs = T;
    const told: EventAlert[] = [];
    for (let n = 0; n < 40; n++) {
      nowMs += 100;
      events.take(fill({}, { timeMs: nowMs }), nowMs);
      told.push(...events.due(nowMs));
    }
    assert.equal(told.length, 0);
    told.push(...events.due(nowMs + 2_000), ...events.due(nowMs + 60_000));
    assert.equal(told.length, 1);
    assert.equal(
      told[0]!.message,
      "INFO bought 0.4 BTC at 83000 (33200 USD, 40 fills, order 7). Threshold 10000 USD. 2 s old.",
    );
    // What the order fills later is not told again.
    events.take(fill({}, { timeMs: nowMs + 61_000 }), nowMs + 61_000);
    assert.deepEqual(events.due(nowMs + 120_000), []);
  });

  it("an order that fills slowly is told when its sum reaches the threshold", () => {
    const events = watch();
    let told = 0;
    for (let n = 0; n < 30; n++) {
      const nowMs = T + n * 60_000;
      events.take(fill({ size: "0.01" }, { timeMs: nowMs }), nowMs);
      told += events.due(nowMs + 5_000).length;
      assert.equal(told, n >= 12 ? 1 : 0, `${n + 1} fills`);
    }
  });

  it("an order that fills without a pause is told within 15 s", () => {
    const events = watch();
    let firstMs: number | null = null;
    for (let nowMs = T; nowMs < T + 60_000; nowMs += 500) {
      events.take(fill({ size: "0.1" }, { timeMs: nowMs }), nowMs);
      if (events.due(nowMs).length > 0) firstMs ??= nowMs;
    }
    assert.equal(firstMs, T + 15_000);
  });

  it("slices of a TWAP are one order", () => {
    const events = watch();
    const told = [];
    for (let n = 0; n < 20; n++) {
      const nowMs = T + n * 30_000;
      events.take(fill({ order_id: 100 + n, twap_id: 5 }, { timeMs: nowMs }), nowMs);
      told.push(...events.due(nowMs + 3_000));
    }
    assert.equal(told.length, 1);
    assert.match(told[0]!.message, /twap 5/);
  });

  it("9 000 backfilled fills, and anything else that is older than five minutes, tell nothing", () => {
    const events = watch(["position=on", "funding_cost=1"]);
    for (let n = 0; n < 9_000; n++) {
      const timeMs = T - OLD_MS - 1 - n * 1_000;
      events.take(fill({ order_id: n, size: "5" }, { timeMs, source: "backfill" }), T);
    }
    const old = { timeMs: T - OLD_MS - 1 };
    events.take(event("order.updated", { venue_status: "perpMarginRejected" }, old), T);
    events.take(event("ledger.created", { type: "withdraw", usdc: "-100", leaves: true }, old), T);
    events.take(event("funding.created", { coin: "BTC", usdc: "-100" }, old), T);
    events.take(event("position.updated", { coin: "BTC", side: "long" }, old), T);
    assert.deepEqual(events.due(T + 60_000), []);
  });

  it("a threshold may be a share of equity, and is not reached while equity is unknown", () => {
    for (const [equity, told] of [
      ["3000", 1],
      ["4000", 0],
      [null, 0],
    ] as const) {
      const events = watch(["large_fill=25%"], equity);
      events.take(fill({ size: "0.01" }), T);
      assert.equal(events.due(T + 3_000).length, told, String(equity));
    }
  });

  it("an own liquidation is told, however small; taking over another's is not", () => {
    const events = watch();
    const liquidation = { markPx: "83000", method: "market" };
    events.take(fill({ size: "0.0001", order_id: 1, liquidation, liquidated: true }), T);
    events.take(fill({ size: "0.0001", order_id: 2, liquidation, liquidated: false }), T);
    const told = events.due(T + 3_000);
    assert.equal(told.length, 1);
    assert.match(told[0]!.message, /^CRIT LIQUIDATED: bought 0\.0001 BTC/);
  });

  it("rejections come one at a time: further ones are counted and told at the end of the cooldown", () => {
    const events = watch();
    const rejected = (n: number, venueStatus = "perpMarginRejected") =>
      event(
        "order.updated",
        {
          coin: "BTC",
          order_id: n,
          status: "rejected",
          venue_status: venueStatus,
          side: "sell",
          size: "1",
          limit_price: "61000",
          filled: "0",
        },
        { timeMs: T },
      );
    for (let n = 0; n < 12; n++) events.take(rejected(n), T);
    for (const status of ["canceled", "filled", "open", "siblingFilledCanceled", "scheduledCancel"]) {
      events.take(rejected(99, status), T);
    }
    const told = events.due(T);
    assert.equal(told.length, 1);
    assert.equal(
      told[0]!.message,
      "WARN BTC order 0 rejected (perpMarginRejected): sell 1 at 61000, 0 filled. 0 s old.",
    );
    const later = events.due(T + 300_000);
    assert.equal(later.length, 1);
    assert.match(
      later[0]!.message,
      /^WARN BTC order 11 rejected .* 5 min old\. And 10 more in the last 5 min\.$/,
    );
    // It is news of now, though what it sums up is not.
    assert.equal(later[0]!.atMs, T + 300_000);
    assert.deepEqual(events.due(T + 3_000_000), []);
  });

  it("money that leaves is told; money that comes, or moves between own sides, is not", () => {
    const events = watch();
    for (const [type, usdc, leaves] of [
      ["withdraw", "-2500.5", true],
      ["deposit", "100", false],
      ["accountClassTransfer", "-100", false],
      ["internalTransfer", "50", false],
    ]) {
      events.take(event("ledger.created", { type, usdc, leaves }), T);
    }
    assert.deepEqual(
      events.due(T + 1_000).map(({ message }) => message),
      ["WARN 2500.5 USD left the account (withdraw). 0 s old."],
    );
  });

  it("tokens that leave without a worth in USD are told as such; those that come back are not", () => {
    const events = watch();
    const move = (type: string, usdc: string | null, leaves: boolean) =>
      events.take(event("ledger.created", { type, usdc, token: "HYPE", amount: "100.5", leaves }), T);
    move("cStakingTransfer", null, true);
    move("cStakingTransfer", null, false);
    move("borrowLend", "0", true);
    move("borrowLend", "0", false);
    move("send", null, true);
    move("send", "0", false);
    move("spotGenesis", null, false);
    assert.deepEqual(
      events.due(T).map(({ message }) => message),
      ["cStakingTransfer", "borrowLend", "send"].map(
        (type) => `WARN 100.5 HYPE left the account (${type}). 0 s old.`,
      ),
    );
  });

  it("positions are told when they open, close and flip, not when they only grow", () => {
    const events = watch(["position=on"]);
    const position = (side: string) =>
      events.take(event("position.updated", { coin: "BTC", side, size: "1", entry_price: "61000" }), T);
    for (const side of ["long", "long", "short", "flat"]) position(side);
    assert.deepEqual(
      events.due(T).map(({ message }) => message),
      [
        "INFO BTC long opened: 1 at 61000. 0 s old.",
        "INFO BTC flipped from long to short: 1 at 61000. 0 s old.",
        "INFO BTC short closed. 0 s old.",
      ],
    );
  });

  it("a position is told to be opened when it is the first in its coin, but not when it was there before the account was read, or nobody knows", () => {
    const events = watch(["position=on"]);
    const position = (coin: string, side: string, committedAtMs: number) =>
      events.take(event("position.updated", { coin, side, size: "1" }, { committedAtMs }), T);
    position("BTC", "long", T - 60_000);
    position("ETH", "long", T);
    events.notePosition(ACCOUNT, "SOL", null);
    position("SOL", "long", T);
    for (const coin of ["BTC", "ETH", "SOL"]) position(coin, "flat", T);
    assert.deepEqual(
      events.due(T).map(({ message }) => message.replace(/:.*/, "")),
      [
        "INFO ETH long opened",
        "INFO BTC long closed. 0 s old.",
        "INFO ETH long closed. 0 s old.",
        "INFO SOL long closed. 0 s old.",
      ],
    );
  });

  it("funding is told when it costs enough and when it turns", () => {
    const events = watch(["funding_cost=10", "funding_flip=on"]);
    for (const usdc of ["5", "-9.99", "-10", "20"])
      events.take(event("funding.created", { coin: "BTC", usdc, funding_rate: "0.0001" }), T);
    assert.deepEqual(
      events.due(T).map(({ rule, value }) => `${rule.name} ${value}`),
      ["funding_flip -9.99", "funding_cost 10", "funding_flip 20"],
    );
  });

  it("control characters from the wire do not reach a message", () => {
    const events = watch(["large_fill=1"]);
    events.take(fill({ coin: "BTC\n\u001b[31m\u202e" }), T);
    const [alert] = events.due(T + 3_000);
    assert.ok(!/[\p{Cc}\u202e]/u.test(alert!.message), alert!.message);
  });
});

describe("settings", () => {
  it("turn rules on, silent and off, and move their thresholds", () => {
    const { rules, prices } = ruleSet([
      "large_fill=50000",
      "order_rejected=silent",
      "health_score=off",
      "leverage=5",
      "liquidation_distance=crit:4/6",
      "margin_ratio=70/65",
      "price=BTC>70000",
      "price=xyz:AAPL<200.5",
    ]);
    const at = (name: ListedName) => rules.get(name) as ConditionRule;
    assert.deepEqual(
      [rules.get("large_fill")].map((rule) => rule?.kind === "event" && rule.least),
      [50_000],
    );
    assert.equal(at("order_rejected").loudness, "silent");
    assert.equal(at("health_score").loudness, "off");
    assert.deepEqual(
      [at("leverage").loudness, at("leverage").levels[0]],
      ["on", { severity: "warn", fire: 5, clear: 4 }],
    );
    assert.deepEqual(at("liquidation_distance").levels[1], { severity: "crit", fire: 4, clear: 6 });
    assert.deepEqual(at("margin_ratio").levels[0], { severity: "warn", fire: 70, clear: 65 });
    assert.deepEqual(prices, [
      { coin: "BTC", direction: "above", price: 70_000 },
      { coin: "xyz:AAPL", direction: "below", price: 200.5 },
    ]);
  });

  it("may be in daily moves where the rule has them", () => {
    const life = new Life(ruleOf("liquidation_distance", "liquidation_distance=warn:3d"));
    life.see(9, { dailyMovePct: 2.5 });
    assert.equal(life.phase, null);
    life.see(7.5, { dailyMovePct: 2.5 });
    assert.equal(life.phase, "firing");
  });

  it("of a health score clear at 100 at the latest", () => {
    const life = new Life(ruleOf("health_score", "health_score=85"));
    life.see(84).see(99).see(100);
    assert.deepEqual(life.told, ["fired", "resolved"]);
    for (const setting of ["health_score=100", "health_score=85/101"])
      assert.throws(() => ruleSet([setting]), ConfigError);
  });

  it("that make no sense are refused in one line", () => {
    for (const setting of [
      ...["nonsense=on", "large_fill", "large_fill=much", "margin_ratio=50/60", "health_score=40/30"],
      ...["margin_ratio=info:5", "margin_ratio=5d", "price=BTC", "price=BTC=5", "liquidation=5"],
    ]) {
      assert.throws(
        () => ruleSet([setting]),
        (error: Error) =>
          error instanceof ConfigError && error.message.includes(setting) && !error.message.includes("\n"),
        setting,
      );
    }
  });

  it("know the rules by name: one that is none does not compile", () => {
    // @ts-expect-error
    assert.equal(ruleSet([]).rules.get("liquidation_distanze"), undefined);
    // @ts-expect-error
    assert.throws(() => plainRule("drifft"));
  });

  it("of the table itself make sense", () => {
    for (const rule of RULES) {
      if (rule.kind === "event") continue;
      const worse = rule.direction === "above" ? 1 : -1;
      for (const [index, level] of rule.levels.entries()) {
        assert.ok(worse * (level.fire - level.clear) >= 0, rule.name);
        const above = rule.levels[index + 1];
        if (above) assert.ok(worse * (above.fire - level.fire) > 0, rule.name);
      }
    }
  });
});

describe("channels", () => {
  const data = {
    key: "margin_ratio:0xaa::",
    rule: "margin_ratio",
    severity: "crit",
    state: "firing",
    silent: false,
    message: "CRIT margin ratio 85 %. Threshold 80 %.",
  };
  const alert = (change: Record<string, unknown> = {}, type = "alert.fired"): OutboxEvent => ({
    id: 1,
    key: "alert:x",
    type,
    account: ACCOUNT,
    timeMs: T,
    source: "stream",
    committedAtMs: T,
    data: { ...data, ...change },
  });

  /** What a channel sends, as (url, headers, body). */
  async function sent(text: string, event = alert()) {
    const requests: HttpRequest[] = [];
    const letters: { server: string; letter: Letter }[] = [];
    const channel = openChannel(text, {
      http: {
        async send(request) {
          requests.push(request);
          return { status: 200, retryAfter: undefined };
        },
        close() {},
      },
      async mail(server, letter) {
        letters.push({ server: server.reveal(), letter });
        return { kind: "delivered" as const, code: 250, error: null, retryAfterMs: null };
      },
      clock: systemClock,
      aliases: new Map([[ACCOUNT, "main"]]),
    });
    const attempt = await channel.deliver(event, "msg_1", new AbortController().signal);
    assert.equal(attempt.error, null);
    const [request] = requests;
    const body = request ? (JSON.parse(request.body) as Record<string, never>) : {};
    return { channel, letter: letters[0], url: request?.url.reveal(), headers: request?.headers ?? {}, body };
  }
  const TEXT = "CRIT margin ratio 85 %. Threshold 80 %. (main)";

  it("speak Telegram", async () => {
    for (const [text, chatId] of [
      ["telegram://123456:AA-bb_cc@-100987", -100_987],
      ["telegram://123456:AA-bb_cc@somechannel", "@somechannel"],
      ["tgram://123456:AA-bb_cc/42", 42],
    ] as const) {
      const { url, body } = await sent(text, alert({ silent: true }));
      assert.equal(url, "https://api.telegram.org/bot123456:AA-bb_cc/sendMessage");
      assert.deepEqual(body, {
        chat_id: chatId,
        text: TEXT,
        disable_notification: true,
        link_preview_options: { is_disabled: true },
      });
    }
  });

  it("speak Discord and Slack", async () => {
    const discord = await sent("https://discord.com/api/webhooks/1/abc", alert({ silent: true }));
    assert.equal(discord.url, "https://discord.com/api/webhooks/1/abc");
    assert.deepEqual(discord.body, {
      content: TEXT.replace("(main)", "\\(main\\)"),
      allowed_mentions: { parse: [] },
      flags: 4096,
    });
    const slack = await sent("https://hooks.slack.com/services/T/B/x");
    assert.deepEqual([slack.url, slack.body], ["https://hooks.slack.com/services/T/B/x", { text: TEXT }]);
  });

  it("speak ntfy, with a priority by severity", async () => {
    const loud = await sent("ntfy://tk_abc@ntfy.example/my-topic");
    assert.equal(loud.url, "https://ntfy.example/");
    assert.equal(loud.headers.authorization, "Bearer tk_abc");
    assert.deepEqual(loud.body, { topic: "my-topic", message: TEXT, priority: 5, tags: ["rotating_light"] });
    assert.equal((await sent("https://ntfy.sh/t", alert({ silent: true }))).body.priority, 2);
    const over = await sent("ntfy+http://10.0.0.5:8080/t", alert({}, "alert.resolved"));
    assert.deepEqual([over.url, over.body.priority], ["http://10.0.0.5:8080/", 3]);
  });

  it("speak PagerDuty, and resolve what they triggered", async () => {
    const fired = await sent("pagerduty://R0uT1ngKeY");
    assert.equal(fired.url, "https://events.pagerduty.com/v2/enqueue");
    const {
      routing_key: key,
      event_action: action,
      dedup_key: dedup,
      payload,
    } = fired.body as Record<string, unknown>;
    assert.deepEqual([key, action, dedup], ["R0uT1ngKeY", "trigger", data.key]);
    assert.equal((payload as { severity: string }).severity, "critical");
    const over = (await sent("pagerduty://R0uT1ngKeY", alert({}, "alert.resolved"))).body;
    assert.deepEqual([over.event_action, over.dedup_key], ["resolve", data.key]);
  });

  it("speak Apprise", async () => {
    const { url, body } = await sent("apprise://localhost:8000/notify/mykey");
    assert.equal(url, "http://localhost:8000/notify/mykey");
    assert.deepEqual(body, { title: "hlsync", body: TEXT, type: "failure" });
    assert.equal(
      (await sent("apprises://apprise.example/mykey")).url,
      "https://apprise.example/notify/mykey",
    );
  });

  it("send letters", async () => {
    const { letter, url } = await sent("smtp://me%40x.org:p%40ss@mail.x.org:587?to=a@b.c,d@e.f");
    assert.equal(url, undefined);
    assert.deepEqual(letter!.letter, { from: "me@x.org", to: ["a@b.c", "d@e.f"], subject: TEXT, text: TEXT });
    assert.equal(letter!.server, "smtp://me%40x.org:p%40ss@mail.x.org:587");
  });

  it("speak SMTP, and never send a password in the clear", async () => {
    const said: string[] = [];
    const server = createServer((socket) => {
      let data = false;
      socket.setEncoding("utf8").write("220 mail.example\r\n");
      socket.on("data", (text: string) => {
        for (const line of text.split("\r\n").filter((part) => part !== "")) {
          said.push(line);
          if (data && line !== ".") continue;
          data = line === "DATA";
          socket.write(data ? "354 go\r\n" : line === "QUIT" ? "221 bye\r\n" : "250 ok\r\n");
        }
      });
      socket.on("error", () => {});
    });
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
    );
    const letter = {
      from: "me@x.org",
      to: ["a@b.c"],
      subject: "CRIT margin",
      text: "CRIT margin ratio 85 %.",
    };
    const plain = await sendMail(new Secret(`smtp://127.0.0.1:${port}`), letter);
    assert.deepEqual(plain, { kind: "delivered" as const, code: 250, error: null, retryAfterMs: null });
    assert.ok(said.includes("RCPT TO:<a@b.c>") && said.includes("Subject: CRIT margin"), said.join("\n"));
    said.length = 0;
    const hostile = {
      ...letter,
      subject: "CRIT\r\nBcc: evil@x.org\r\n\r\nbody\u202e",
      text: "line\r\n.\r\nMAIL FROM:<evil@x.org>\r\n",
    };
    assert.equal((await sendMail(new Secret(`smtp://127.0.0.1:${port}`), hostile)).kind, "delivered");
    assert.ok(said.includes("Subject: CRITBcc: evil@x.orgbody") && said.includes(".."), said.join("\n"));
    assert.equal(said.filter((line) => line.startsWith("RCPT")).length, 1);
    said.length = 0;
    const refused = await sendMail(new Secret(`smtp://me:pass-word@127.0.0.1:${port}`), letter);
    assert.match(refused.error!, /^127\.0\.0\.1: \w+/);
    assert.ok(!refused.error!.includes("pass-word"));
    assert.ok(!said.some((line) => line.startsWith("AUTH") || line.startsWith("MAIL")), said.join("\n"));
    server.close();
  });

  it("post the event to any other URL, signed when a secret is given", async () => {
    const secret = newSecret().reveal();
    const signed = await sent(`https://my.example/hook#${secret}`);
    assert.equal(signed.url, "https://my.example/hook");
    assert.equal(signed.body.type, "alert.fired");
    new Webhook(secret).verify(JSON.stringify(signed.body), signed.headers as Record<string, string>);
    assert.equal((await sent("http://10.1.1.1/hook")).headers["webhook-signature"], undefined);
  });

  it("are one channel for one text, and show no secret in their names", async () => {
    const text = "telegram://123456:AA-bb_cc@-100987";
    const [one, two] = [(await sent(text)).channel, (await sent(text)).channel];
    assert.equal(one.id, two.id);
    assert.ok(!`${one.id} ${one.label}`.includes("123456"));
    assert.notEqual(one.id, (await sent("telegram://123456:AA-bb_cc@-100988")).channel.id);
  });

  it("that are none are refused without being repeated", () => {
    for (const text of [
      ...[
        "hidden-text",
        "telegram://hidden-token",
        "ntfy://hidden-host",
        "smtp://hidden@host",
        "gopher://hidden/x",
      ],
      ...["apprise://hidden-host", "https://x.example/#hidden-fragment", "smtp://u:hidden@h?to=nobody"],
    ]) {
      assert.throws(
        () =>
          openChannel(text, {
            http: { send: () => Promise.reject(new Error("no")), close() {} },
            mail: () => Promise.reject(new Error("no")),
            clock: systemClock,
            aliases: new Map(),
          }),
        (error: Error) => error instanceof ConfigError && !error.message.includes("hidden"),
        text,
      );
    }
  });
});

describe("the dead-man URL", () => {
  const call = (status: number) =>
    openDeadMan("https://watch.example/ping-secret", {
      send: async () => ({ status, retryAfter: undefined }),
      close() {},
    })();

  it("was called when it answered 2xx, and else says what it answered, without its path", async () => {
    await call(200);
    for (const status of [301, 404, 500])
      await assert.rejects(call(status), { message: `watch.example answered ${status}` });
  });
});

describe("the documentation", () => {
  it("lists every rule, in order, with its default", () => {
    const page = readFileSync(new URL("../../../docs/alerts.md", import.meta.url), "utf8");
    const documented = [...page.matchAll(/^\| `(\w+)` \| (on|silent|off|none)([^|]*)\|/gm)].map(
      ([, name, loudness, limits]) => ({ name, loudness, limits: limits! }),
    );
    assert.deepEqual(
      documented.slice(0, -1).map(({ name, loudness }) => [name, loudness]),
      RULES.map((rule) => [rule.name, rule.loudness]),
    );
    assert.equal(documented.at(-1)!.name, "price");
    for (const [index, rule] of RULES.entries()) {
      const { limits } = documented[index]!;
      const numbers = limits.replaceAll(" ", "").match(/\d+/g) ?? [];
      if (rule.kind === "event")
        assert.deepEqual(numbers, rule.least === null ? [] : [String(rule.least)], rule.name);
      else if (numbers.length > 0) {
        const wanted = rule.levels.flatMap(({ fire, fireMoves }) => [
          fire,
          ...(fireMoves ? [fireMoves] : []),
        ]);
        assert.deepEqual(numbers, wanted.map(String), rule.name);
      }
    }
  });
});
