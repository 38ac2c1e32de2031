/**
 * What a rule of alerting is made of. Pure.
 *
 * A *condition* is followed from beginning to end: it fires at one threshold and clears at another. An *event* is sent
 * once. Each rule is a module of its own: `spec` (its defaults), `of` (the kind of facts it looks at), `see` (the value in
 * them, null for nothing to judge) and `words` (what and how much, for people).
 */
import type { Decimal } from "../../../runtime/decimal.ts";
import { STREAMED } from "../../../sync/freshness.ts";
import type { Facts, Happenings } from "./facts.ts";

export const SEVERITIES = ["info", "warn", "crit"] as const;
export type Severity = (typeof SEVERITIES)[number];
export const rank = (severity: Severity | null): number =>
  severity === null ? -1 : SEVERITIES.indexOf(severity);

/** `CRIT`, `WARN`, `INFO`. */
export const severityWord = (severity: Severity): string => severity.toUpperCase();

/** `silent`: sent without a sound where the channel supports that. */
type Loudness = "on" | "silent" | "off";

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
  help: string;
  loudness: Loudness;
  /** The same rule, account and coin is not told again within this, unless it got worse. */
  cooldownMs: number;
}

export interface ConditionSpec extends Common {
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

export interface EventSpec extends Common {
  severity: Severity;
  /** Least amount in `unit`; null for every event. */
  least: number | null;
  /** `%` of equity or `USD`. */
  unit: string;
}

/** What a condition is judged by. */
export interface Sight {
  /** Null: there is nothing any more that could be wrong. */
  value: number | null;
  /** Daily volatility of the coin in %, where thresholds in daily moves apply. */
  dailyMovePct?: number;
  /** Since when it is so, where that is known: waiting counts from then, else from the first sight. */
  sinceMs?: number;
}

/**
 * What and how much, `BTC long 3.9 % from liquidation` (severity, threshold and age come around it), and perhaps more behind
 * the threshold: `Mark 61204, liq 58817.`
 */
export type Words = string | readonly [words: string, detail: string];

export interface ConditionModule<Kind extends keyof Facts> {
  kind: "condition";
  of: Kind;
  spec: ConditionSpec;
  see(facts: Facts[Kind]): Sight | null;
  words(facts: Facts[Kind], sight: Sight): Words;
}

/** What an event comes to. */
interface Sum {
  value: Decimal | null;
  /** What it had to reach, in USD. */
  threshold: Decimal | null;
}

export interface EventModule<Kind extends keyof Happenings> {
  kind: "event";
  of: Kind;
  spec: EventSpec;
  /** `spec`: as the user set it. */
  see(facts: Happenings[Kind], spec: EventSpec): Sum | null;
  words(facts: Happenings[Kind], sum: Sum): string;
}

const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

/** How long values hold: of positions that are streamed; those of a polled account are older by nature (`watch.ts`). */
export const POSITION_HOLDS = STREAMED.staleMs;
/** Account snapshots are written every minute while nothing moves. */
export const SNAPSHOT_HOLDS = 2 * MINUTE + STREAMED.staleMs;
/** What moves no money is read once an hour. */
export const PARTICULARS_HOLD = 180 * MINUTE;
/** What hlsync knows of itself. */
export const OWN_HOLDS = MINUTE;

type Given<Spec, Default extends keyof Spec> = Omit<Spec, Default> & Partial<Pick<Spec, Default>>;

export const condition = <Kind extends keyof Facts>({
  spec,
  ...module
}: Omit<ConditionModule<Kind>, "kind" | "spec"> & {
  spec: Given<ConditionSpec, "loudness" | "forMs">;
}): ConditionModule<Kind> => ({ kind: "condition", ...module, spec: { loudness: "on", forMs: 0, ...spec } });

/** Every one counts unless `see` says otherwise. */
export const event = <Kind extends keyof Happenings>({
  spec,
  see = () => ({ value: null, threshold: null }),
  ...module
}: Given<Omit<EventModule<Kind>, "kind" | "spec">, "see"> & {
  spec: Given<EventSpec, "loudness" | "least" | "unit" | "cooldownMs">;
}): EventModule<Kind> => ({
  kind: "event",
  of: module.of,
  words: module.words,
  see,
  spec: { loudness: "on", least: null, unit: "", cooldownMs: 0, ...spec },
});
