/**
 * Committed changes as lines: for people, or as NDJSON. Pure. Guarantees: one event, one line; NDJSON has decimals as the
 * database has them, a line for people the sentence of the event.
 */
import type { ChangeEvent } from "../sync/rows.ts";
import { type Aliases, accountName, eventPhrases, type Tone } from "./eventText.ts";
import type { OutboxEvent } from "./outbox.ts";

type Shown = ChangeEvent | OutboxEvent;

/** NDJSON: `{type, id, key, account, time, source, data}`. */
export const jsonLine = (event: Shown): string =>
  JSON.stringify({
    type: event.type,
    id: String(event.id),
    key: event.key,
    account: event.account,
    time: new Date(event.timeMs).toISOString(),
    source: event.source,
    data: event.data,
  });

/** `… history: 514 fill.created, 96 order.updated, back to 2026-09-25 18:00:00` */
export function historyLine(events: readonly ChangeEvent[]): string {
  const counts = new Map<string, number>();
  for (const { type } of events) counts.set(type, (counts.get(type) ?? 0) + 1);
  const parts = [...counts].map(([type, count]) => `${count} ${type}`);
  const oldest = new Date(Math.min(...events.map(({ timeMs }) => timeMs)))
    .toISOString()
    .slice(0, 19)
    .replace("T", " ");
  return `… history: ${parts.join(", ")}, back to ${oldest}`;
}

/** How types of changes are counted, in this order; all others together are `other changes`. */
const COUNTED: readonly [string, one: string, many: string][] = [
  ["fill.created", "fill", "fills"],
  ["order.updated", "order update", "order updates"],
  ["position.updated", "position change", "position changes"],
  ["funding.created", "funding payment", "funding payments"],
];

/** `14:03 41 fills, 96 order updates, 3 other changes` */
export function countLine(counts: ReadonlyMap<string, number>, atMs: number): string {
  const known = new Set(COUNTED.map(([type]) => type));
  const others = [...counts].reduce((sum, [type, count]) => (known.has(type) ? sum : sum + count), 0);
  const parts = [
    ...COUNTED.map(([type, ...words]) => [counts.get(type) ?? 0, words] as const),
    [others, ["other change", "other changes"]] as const,
  ].flatMap(([count, [one, many]]) => (count === 0 ? [] : [`${count} ${count === 1 ? one : many}`]));
  return `${new Date(atMs).toISOString().slice(11, 16)} ${parts.length === 0 ? "nothing happened" : parts.join(", ")}`;
}

interface LineStyle {
  color: boolean;
  aliases: Aliases;
}

const DIM = 2;
const CODES: Record<Exclude<Tone, "plain">, number> = { good: 32, bad: 31, state: 36, warn: 33 };

/** `14:03:11.204 main bought 0.01 BTC at 83000 …` */
export function textLine(event: Shown, { color, aliases }: LineStyle): string {
  const paint = (text: string, code: number): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const sentence = eventPhrases(event)
    .map(({ text, tone }) => (tone === "plain" ? text : paint(text, CODES[tone])))
    .join("");
  const at = paint(new Date(event.timeMs).toISOString().slice(11, 23), DIM);
  const who = accountName(event.account, aliases);
  const late = event.source === "stream" ? "" : paint(` [${event.source}]`, DIM);
  return `${at} ${who === "" ? "" : `${who} `}${sentence}${late}`;
}
