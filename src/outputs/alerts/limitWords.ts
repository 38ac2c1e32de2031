/** What a rule waits for, in words: the same on the command line and on the page. Pure, and without imports that a page would carry. */
import type { ConditionSpec, EventSpec, Level } from "./rules/spec.ts";

/** What it needs of a rule: also of one that came as JSON. */
export type Waiting =
  | ({ kind: "event" } & Pick<EventSpec, "severity" | "least" | "unit">)
  | ({ kind: "condition" } & Pick<ConditionSpec, "direction" | "unit" | "levels">);

/** `warn below 10 % or 2 daily moves (clears at 12 % or 2.4), crit …`; `warn from 1 (clears below)` */
export function limitWords(rule: Waiting): string {
  const amount = (value: number) => `${value} ${rule.unit}`.trimEnd();
  if (rule.kind === "event")
    return rule.least === null ? rule.severity : `${rule.severity} from ${amount(rule.least)}`;
  const [fires, back] = rule.direction === "above" ? ["above", "below"] : ["below", "above"];
  const words = ({ severity, fire, clear, fireMoves, clearMoves }: Level) => {
    // A threshold belongs to what is wrong: where it is the only one, that has to be said.
    if (fire === clear)
      return `${severity} ${rule.direction === "above" ? "from" : "at most"} ${amount(fire)} (clears ${back})`;
    const moves = fireMoves === undefined ? "" : ` or ${fireMoves} daily move${fireMoves === 1 ? "" : "s"}`;
    const orMoves = clearMoves === undefined ? "" : ` or ${clearMoves}`;
    return `${severity} ${fires} ${amount(fire)}${moves} (clears at ${amount(clear)}${orMoves})`;
  };
  return rule.levels.map(words).join(", ");
}
