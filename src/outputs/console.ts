/**
 * Committed changes as lines: for people, or as NDJSON. Pure. Guarantees: one event, one line; NDJSON has decimals as the
 * database has them, a line for people the sentence of the event.
 */
import type { ChangeEvent } from "../sync/events.ts";
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
