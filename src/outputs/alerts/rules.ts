/**
 * Every rule of alerting, in one table, and how users change it. Pure. Guarantees: an unknown rule or an unusable
 * setting is a `ConfigError` in one line; the docs list exactly these rules (tested).
 *
 * A *condition* is followed from beginning to end: it fires at one threshold and clears at another. An *event* is told
 * once. A setting is `rule=on|silent|off` or `rule=[severity:]fire[/clear]`; thresholds of a distance may be given in
 * daily moves (`2d`), a large fill also as a share of equity (`25%`).
 */
import { ConfigError } from "../../errors.ts";
import { STREAMED } from "../../sync/freshness.ts";

export const SEVERITIES = ["info", "warn", "crit"] as const;
export type Severity = (typeof SEVERITIES)[number];
export const rank = (severity: Severity | null): number =>
  severity === null ? -1 : SEVERITIES.indexOf(severity);

/** `CRIT`, `WARN`, `INFO`. */
export const severityWord = (severity: Severity): string => severity.toUpperCase();

/** `silent`: told without a sound where the channel knows the difference. */
export type Loudness = "on" | "silent" | "off";

/** Where a level begins and ends; the worse side is `direction`. */
export interface Level {
  severity: Severity;
  fire: number;
  clear: number;
  /** The same in daily moves of the coin; the threshold that is reached first counts. */
  fireMoves?: number;
  clearMoves?: number;
}

interface Common {
  name: string;
  help: string;
  loudness: Loudness;
  /** The same rule, account and coin is not told again within this, unless it got worse. */
  cooldownMs: number;
}

export interface ConditionRule extends Common {
  kind: "condition";
  direction: "above" | "below";
  /** `%`, `s`, `USD`, …: behind a number. */
  unit: string;
  /** No value is above it, so no threshold may be; absent without one. */
  most?: number;
  /** Least severe first. */
  levels: readonly Level[];
  /** It must hold for so long before it fires. */
  forMs: number;
  /** A value older than this is no value: the condition stays as it is. */
  freshMs: number;
}

export interface EventRule extends Common {
  kind: "event";
  severity: Severity;
  /** Least amount in `unit`; null for every event. */
  least: number | null;
  /** `%` of equity or `USD`. */
  unit: string;
}

export type Rule = ConditionRule | EventRule;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const condition = (rule: Omit<ConditionRule, "kind">): ConditionRule => ({ kind: "condition", ...rule });
const event = (rule: Omit<EventRule, "kind">): EventRule => ({ kind: "event", ...rule });

/** Of positions that are streamed; those of a polled account are older by nature (`watch.ts`). */
const POSITION_HOLDS = STREAMED.staleMs;
/** Account snapshots are written every minute while nothing moves. */
const SNAPSHOT_HOLDS = 2 * MINUTE + STREAMED.staleMs;
/** What hlsync knows of itself. */
const OWN_HOLDS = MINUTE;
/** A gap is told after this: a first backfill of a busy account takes its time. */
export const GAP_FOR_MS = 30 * MINUTE;

export const RULES: readonly Rule[] = [
  event({
    name: "large_fill",
    help: "A filled order of at least this notional, or share of equity. One message per order.",
    loudness: "on",
    severity: "info",
    least: 10_000,
    unit: "USD",
    cooldownMs: 0,
  }),
  event({
    name: "liquidation",
    help: "The venue liquidated (a part of) a position.",
    loudness: "on",
    severity: "crit",
    least: null,
    unit: "USD",
    cooldownMs: 0,
  }),
  condition({
    name: "liquidation_distance",
    help: "Distance of the mark price to the liquidation price, in % or in daily moves of the coin.",
    loudness: "on",
    direction: "below",
    unit: "%",
    levels: [
      { severity: "warn", fire: 10, clear: 12, fireMoves: 2, clearMoves: 2.4 },
      { severity: "crit", fire: 5, clear: 6, fireMoves: 1, clearMoves: 1.2 },
    ],
    forMs: 0,
    freshMs: POSITION_HOLDS,
    cooldownMs: 15 * MINUTE,
  }),
  condition({
    name: "margin_ratio",
    help: "Maintenance margin in % of what the venue liquidates at, in the worst pool of the account's mode.",
    loudness: "on",
    direction: "above",
    unit: "%",
    levels: [
      { severity: "warn", fire: 60, clear: 50 },
      { severity: "crit", fire: 80, clear: 70 },
    ],
    forMs: 0,
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 15 * MINUTE,
  }),
  condition({
    name: "health_score",
    help: "Health score, 0 to 100.",
    loudness: "on",
    direction: "below",
    unit: "",
    most: 100,
    levels: [
      { severity: "warn", fire: 40, clear: 50 },
      { severity: "crit", fire: 20, clear: 30 },
    ],
    forMs: 0,
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 15 * MINUTE,
  }),
  condition({
    name: "drawdown",
    help: "Equity below its peak, deposits and withdrawals taken out.",
    loudness: "on",
    direction: "above",
    unit: "%",
    levels: [
      { severity: "warn", fire: 15, clear: 12 },
      { severity: "crit", fire: 30, clear: 25 },
    ],
    forMs: 0,
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 60 * MINUTE,
  }),
  condition({
    name: "daily_loss",
    help: "Loss since midnight UTC in % of the equity then, deposits and withdrawals taken out.",
    loudness: "on",
    direction: "above",
    unit: "%",
    levels: [
      { severity: "warn", fire: 5, clear: 4 },
      { severity: "crit", fire: 10, clear: 8 },
    ],
    forMs: 0,
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 60 * MINUTE,
  }),
  event({
    name: "order_rejected",
    help: "An order was rejected, or canceled by the venue (margin, delisting, self-trade, …).",
    loudness: "on",
    severity: "warn",
    least: null,
    unit: "",
    cooldownMs: 5 * MINUTE,
  }),
  event({
    name: "withdrawal",
    help: "Money left the account: withdrawal, transfer to another account, deposit into a vault, staked or lent tokens.",
    loudness: "on",
    severity: "warn",
    least: null,
    unit: "USD",
    cooldownMs: 0,
  }),
  condition({
    name: "feed_stale",
    help: "Age of the newest data of an account.",
    loudness: "on",
    direction: "above",
    unit: "s",
    levels: [
      { severity: "warn", fire: 30, clear: 10 },
      { severity: "crit", fire: 120, clear: 10 },
    ],
    forMs: 0,
    freshMs: OWN_HOLDS,
    cooldownMs: 5 * MINUTE,
  }),
  condition({
    name: "drift",
    help: "Differences to the venue of the last day that were not repaired.",
    loudness: "on",
    direction: "above",
    unit: "",
    levels: [{ severity: "warn", fire: 1, clear: 1 }],
    forMs: MINUTE,
    freshMs: OWN_HOLDS,
    cooldownMs: 60 * MINUTE,
  }),
  condition({
    name: "gap",
    help: "A stretch of history is missing and was not repaired.",
    loudness: "on",
    direction: "above",
    unit: "s",
    levels: [{ severity: "warn", fire: 1, clear: 1 }],
    forMs: GAP_FOR_MS,
    freshMs: OWN_HOLDS,
    cooldownMs: 60 * MINUTE,
  }),
  condition({
    name: "database_down",
    help: "The database does not answer. Told directly, since nothing can be stored.",
    loudness: "on",
    direction: "above",
    unit: "s",
    levels: [{ severity: "crit", fire: 30, clear: 1 }],
    forMs: 0,
    freshMs: OWN_HOLDS,
    cooldownMs: 5 * MINUTE,
  }),
  event({
    name: "webhook_disabled",
    help: "Deliveries to a webhook were stopped after days of failures, or because the receiver wants no more.",
    loudness: "on",
    severity: "warn",
    least: null,
    unit: "",
    cooldownMs: 0,
  }),
  event({
    name: "position",
    help: "A position was opened, closed or flipped.",
    loudness: "off",
    severity: "info",
    least: null,
    unit: "",
    cooldownMs: 0,
  }),
  event({
    name: "funding_cost",
    help: "A funding payment of at least this was paid.",
    loudness: "off",
    severity: "info",
    least: 100,
    unit: "USD",
    cooldownMs: 0,
  }),
  event({
    name: "funding_flip",
    help: "Funding of a position changed from received to paid, or back.",
    loudness: "off",
    severity: "info",
    least: null,
    unit: "",
    cooldownMs: 0,
  }),
  condition({
    name: "stop_missing",
    help: "A position has no resting stop order.",
    loudness: "off",
    direction: "above",
    unit: "",
    levels: [{ severity: "warn", fire: 1, clear: 1 }],
    forMs: 5 * MINUTE,
    freshMs: POSITION_HOLDS,
    cooldownMs: 60 * MINUTE,
  }),
  condition({
    name: "exposure",
    help: "Value of one position in % of equity.",
    loudness: "off",
    direction: "above",
    unit: "%",
    levels: [{ severity: "warn", fire: 300, clear: 270 }],
    forMs: 0,
    freshMs: POSITION_HOLDS,
    cooldownMs: 60 * MINUTE,
  }),
  condition({
    name: "leverage",
    help: "Value of all positions ÷ equity.",
    loudness: "off",
    direction: "above",
    unit: "×",
    levels: [{ severity: "warn", fire: 10, clear: 9 }],
    forMs: 0,
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 60 * MINUTE,
  }),
  event({
    name: "daily_digest",
    help: "Once a day after midnight UTC: what the day before brought.",
    loudness: "off",
    severity: "info",
    least: null,
    unit: "",
    cooldownMs: 0,
  }),
];

/** A price the user wants to hear of; crossing back by `PRICE_BAND` of it clears. */
export interface PriceWatch {
  coin: string;
  direction: "above" | "below";
  price: number;
}

export interface RuleSet {
  rules: ReadonlyMap<string, Rule>;
  prices: readonly PriceWatch[];
}

const NUMBER = /^(\d+(?:\.\d+)?)(%|d|s|x|usd)?$/i;
const PRICE = /^([A-Za-z0-9@:_-]+)([<>])(\d+(?:\.\d+)?)$/;
/** Where a condition clears when the user gives only where it fires. */
const CLEAR_SHARE = 0.2;

/** The table with the user's settings on top. Throws `ConfigError`. */
export function ruleSet(settings: readonly string[]): RuleSet {
  const rules = new Map(RULES.map((rule) => [rule.name, rule]));
  const prices: PriceWatch[] = [];
  for (const setting of settings) {
    const [name = "", value = ""] = splitOnce(setting, "=");
    const fail = (expected: string): never => {
      throw new ConfigError(`--alert ${JSON.stringify(setting)}: ${expected}`);
    };
    if (name === "price") {
      const match = PRICE.exec(value);
      if (!match) return fail("expected for example price=BTC>70000");
      prices.push({
        coin: match[1]!,
        direction: match[2] === ">" ? "above" : "below",
        price: Number(match[3]),
      });
      continue;
    }
    const rule =
      rules.get(name) ?? fail(`unknown rule: expected price or one of ${[...rules.keys()].join(", ")}`);
    rules.set(
      name,
      changed(rule, value) ??
        fail("expected on, silent, off or [severity:]fire[/clear], for example crit:5/7"),
    );
  }
  return { rules, prices };
}

/** The rule with one setting, or null when it does not fit. A threshold also turns it on. */
function changed(rule: Rule, value: string): Rule | null {
  if (value === "on" || value === "silent" || value === "off") return { ...rule, loudness: value };
  const loudness = rule.loudness === "off" ? "on" : rule.loudness;
  if (rule.kind === "event") {
    const amount = NUMBER.exec(value);
    if (!amount || rule.least === null) return null;
    const unit = amount[2] === "%" && rule.name === "large_fill" ? "%" : "USD";
    return { ...rule, loudness, unit, least: Number(amount[1]) };
  }
  const [first = "", rest] = splitOnce(value, ":");
  const severity = rest === undefined ? rule.levels[0]!.severity : first;
  const [fireText = "", clearText] = splitOnce(rest ?? first, "/");
  const [fire, clear] = [NUMBER.exec(fireText), clearText === undefined ? undefined : NUMBER.exec(clearText)];
  const index = rule.levels.findIndex((level) => level.severity === severity);
  if (!fire || clear === null || index < 0) return null;
  const at = Number(fire[1]);
  const sign = rule.direction === "above" ? -1 : 1;
  const most = rule.most ?? Number.POSITIVE_INFINITY;
  const until = clear ? Number(clear[1]) : Math.min(at * (1 + sign * CLEAR_SHARE), most);
  if (sign * (until - at) < 0 || until > most || (rule.most !== undefined && at >= most)) return null;
  const inMoves = fire[2]?.toLowerCase() === "d";
  if (inMoves && rule.levels[index]!.fireMoves === undefined) return null;
  const level: Level = inMoves
    ? { severity: severity as Severity, fire: 0, clear: 0, fireMoves: at, clearMoves: until }
    : { severity: severity as Severity, fire: at, clear: until };
  return { ...rule, loudness, levels: rule.levels.with(index, level) };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
