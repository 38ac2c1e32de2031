/**
 * The rules as the user wants them. Pure. Guarantees: an unknown rule or an unusable setting is a `ConfigError` in one
 * line. A setting is `rule=on|silent|off` or `rule=[severity:]fire[/clear]`; thresholds of a distance may be given in daily
 * moves (`2d`), a large fill also as a share of equity (`25%`).
 */
import { ConfigError } from "../../errors.ts";
import { LISTED, type ListedName, RULES, type RuleName } from "./rules/index.ts";
import type { PriceWatch } from "./rules/price.ts";
import type { ConditionSpec, EventSpec, Level, Severity } from "./rules/spec.ts";

/** A rule with its name. `Name`: those of the rules that the user makes have no place in the list. */
export type ConditionRule<Name extends RuleName = RuleName> = {
  kind: "condition";
  name: Name;
} & ConditionSpec;
export type EventRule = { kind: "event"; name: ListedName } & EventSpec;
export type Rule = ConditionRule<ListedName> | EventRule;

export interface RuleSet {
  rules: ReadonlyMap<ListedName, Rule>;
  prices: readonly PriceWatch[];
}

/** A rule as it is without settings. */
export function ruleOf(name: ListedName): Rule {
  const module = RULES[name];
  return module.kind === "condition"
    ? { kind: "condition", name, ...module.spec }
    : { kind: "event", name, ...module.spec };
}

/** The rule, unless it is off. */
export function conditionOn({ rules }: RuleSet, name: ListedName): ConditionRule | null {
  const rule = rules.get(name);
  return rule?.kind === "condition" && rule.loudness !== "off" ? rule : null;
}
export function eventOn({ rules }: RuleSet, name: ListedName): EventRule | null {
  const rule = rules.get(name);
  return rule?.kind === "event" && rule.loudness !== "off" ? rule : null;
}

const NUMBER = /^(\d+(?:\.\d+)?)(%|d|s|x|usd)?$/i;
const PRICE = /^([^<>=\s]+)([<>])(\d+(?:\.\d+)?)$/;
/** Where a condition clears when the user gives only where it fires. */
const CLEAR_SHARE = 0.2;

/** The table with the user's settings on top. Throws `ConfigError`. */
export function ruleSet(settings: readonly string[]): RuleSet {
  const rules = new Map(LISTED.map((name) => [name, ruleOf(name)]));
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
      rules.get(name as ListedName) ?? fail(`unknown rule: expected price or one of ${LISTED.join(", ")}`);
    rules.set(
      rule.name,
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

/** What a silence may name: `all`, the prices of the user, a rule. */
export const SILENCEABLE: readonly string[] = ["all", "price", ...LISTED];
