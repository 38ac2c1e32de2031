/**
 * The conditions of one account, or of hlsync itself, and the gaps in its history. Guarantees: what is remembered
 * moves only after it was written, so a failed write is judged again.
 */
import type { Address } from "../../sync/rows.ts";
import type { AlertAbout, AlertStep, StoredCondition } from "./alertStore.ts";
import { type Gap, stepGap } from "./gapEvents.ts";
import { type Condition, type Memory, step } from "./machine.ts";
import type { Seen } from "./observe.ts";
import { type ConditionRule, conditionOn, type RuleSet } from "./ruleSet.ts";
import { LISTED, type ListedName, RULES, type RuleName } from "./rules/index.ts";
import { priceRule, subjectOf } from "./rules/price.ts";
import { aboutOf, conditionStep, forgottenStep } from "./steps.ts";

/** What is known when an account begins to be watched. */
interface KnownConditions {
  stored: readonly StoredCondition[];
  memories: Map<string, Memory>;
  /** By stream. */
  gaps: Map<string, Gap>;
}

interface ConditionDeps {
  rules: RuleSet;
  isSilenced(about: AlertAbout): boolean;
  /** Writes a step and what it publishes. */
  put(row: AlertStep): Promise<void>;
  /** Writes that a gap was opened, or closed. */
  putGap(seen: Seen, openedMs: number, closedMs: number | null): Promise<void>;
}

export class Conditions {
  readonly #deps: ConditionDeps;
  readonly #held: Map<string, StoredCondition>;
  readonly #memories: Map<string, Memory>;
  readonly #gaps: Map<string, Gap>;

  constructor(deps: ConditionDeps, { stored, memories, gaps }: KnownConditions) {
    this.#deps = deps;
    this.#held = new Map(stored.map((one) => [one.key, one]));
    this.#memories = memories;
    this.#gaps = gaps;
  }

  /** `leastFreshMs`: what is polled holds for as long as it counts as fresh. */
  async judge(seen: Seen, leastFreshMs: number, nowMs: number): Promise<void> {
    const on = this.#ruleOf(seen);
    if (on === null) return;
    const rule = { ...on, freshMs: Math.max(on.freshMs, leastFreshMs) };
    const about = aboutOf(seen);
    const { key } = about;
    const before = this.#held.get(key)?.condition ?? null;
    const silenced = this.#deps.isSilenced(about);
    const made = step(rule, before, this.#memories.get(key) ?? null, seen, nowMs, silenced);
    if (!hasChanged(before, made.after)) return;
    const row = conditionStep(rule, seen, before, made, rule.loudness === "silent" || silenced, nowMs);
    await this.#deps.put(row);
    if (made.after !== null) this.#held.set(key, { ...about, condition: made.after });
    else {
      this.#held.delete(key);
      const { notifiedMs, notifiedSeverity } = row;
      if (notifiedMs !== null && notifiedSeverity !== null)
        this.#memories.set(key, { notifiedMs, severity: notifiedSeverity });
    }
  }

  /** A position that is gone has nothing wrong with it; a rule that was turned off ends what it had begun. */
  async endForgotten(isOpen: (account: Address, coin: string) => boolean, nowMs: number): Promise<void> {
    for (const [key, { condition, ...about }] of [...this.#held]) {
      const rule = LISTED.find((name) => name === about.rule) ?? (about.rule === "price" ? "price" : null);
      if (rule === null || this.#ruleOf({ ...about, rule }) === null) {
        await this.#deps.put(forgottenStep(about, condition, nowMs));
        this.#held.delete(key);
      } else if (rule !== "price" && RULES[rule].of === "position" && !isOpen(about.account!, about.coin!)) {
        const words = `${about.coin} position is closed`;
        await this.judge({ ...about, rule, value: null, atMs: nowMs, words, detail: "" }, 0, nowMs);
      }
    }
  }

  /** Publishes that a gap was opened, which lasts for `forMs`, or closed, whatever the rules of alerts say. */
  async noteGap(seen: Seen, forMs: number, nowMs: number): Promise<void> {
    const stream = seen.subject!;
    const before = this.#gaps.get(stream) ?? null;
    const { after, publish } = stepGap(before, seen, nowMs, forMs);
    if (publish !== null)
      await this.#deps.putGap(seen, (after ?? before)!.openedMs!, publish === "closed" ? nowMs : null);
    if (after === null) this.#gaps.delete(stream);
    else this.#gaps.set(stream, after);
  }

  /** Null when it is off. */
  #ruleOf({
    rule: name,
    coin,
    subject,
  }: Pick<Seen, "coin" | "subject"> & { rule: RuleName }): ConditionRule | null {
    const { rules } = this.#deps;
    if (name !== "price") return conditionOn(rules, name satisfies ListedName);
    const watch = rules.prices.find((one) => one.coin === coin && subjectOf(one) === subject);
    return watch ? { kind: "condition", name, ...priceRule(watch).spec } : null;
  }
}

function hasChanged(before: Condition | null, after: Condition | null): boolean {
  if (before === null || after === null) return before !== after;
  return (
    before.phase !== after.phase ||
    before.severity !== after.severity ||
    before.notifiedSeverity !== after.notifiedSeverity
  );
}
