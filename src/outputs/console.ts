/**
 * Committed changes as lines: for people, or as NDJSON. Pure. Guarantees: one event, one line; decimals as the
 * database has them; nothing but printable text (names from the wire are cut and stripped of control characters).
 */
import type { ChangeEvent } from "../sync/events.ts";

/** NDJSON: `{type, id, key, account, time, source, data}`. */
export const jsonLine = (event: ChangeEvent): string =>
  JSON.stringify({
    type: event.type,
    id: event.id,
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

const CELL_MAX = 40;

/** A value from the wire, safe to print. */
const cell = (value: unknown): string => {
  const text = value === null || value === undefined ? "" : String(value);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "").slice(0, CELL_MAX);
};

export interface LineStyle {
  color: boolean;
  /** Address → alias. */
  aliases: ReadonlyMap<string, string>;
}

const CODES = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** `14:03:11.204 main fill BUY 0.01 BTC @ 83000.0 …` */
export function textLine(event: ChangeEvent, { color, aliases }: LineStyle): string {
  const paint = (code: keyof typeof CODES, text: string) =>
    color ? `\u001b[${CODES[code]}m${text}\u001b[0m` : text;
  const { data } = event;
  const get = (key: string) => cell(data[key]);
  const side = () =>
    paint(data.side === "buy" || data.side === "long" ? "green" : "red", get("side").toUpperCase());
  const account = event.account ?? "";
  const who = cell(aliases.get(account) ?? `${account.slice(0, 6)}…${account.slice(-4)}`);
  const what = ((): string => {
    switch (event.type) {
      case "fill.created": {
        const pnl = get("closed_pnl");
        const fee = `fee ${get("fee")} ${get("fee_token")}`;
        return `fill     ${side()} ${get("size")} ${get("coin")} @ ${get("price")}  ${fee}${/^[-0.]*$/.test(pnl) ? "" : `  pnl ${pnl}`}`;
      }
      case "order.updated": {
        const filled = `${get("filled")}/${get("size")}`;
        return `order    ${side()} ${filled} ${get("coin")} @ ${get("limit_price")}  ${paint("cyan", get("status"))} (${get("venue_status")}) #${get("order_id")}`;
      }
      case "position.updated":
        return `position ${side()} ${get("size")} ${get("coin")}  entry ${get("entry_price")}  upnl ${get("unrealized_pnl")}`;
      case "funding.created":
        return `funding  ${get("usdc")} USDC ${get("coin")}  rate ${get("funding_rate")}`;
      case "ledger.created":
        return `ledger   ${get("type")} ${data.usdc == null ? `${get("amount")} ${get("token")}` : get("usdc")}`.trimEnd();
      case "drift.found":
        return paint(
          "yellow",
          `drift    ${get("stream")} ${get("cause")} ${data.repaired_at_ms === null ? "not explained" : "healed"}`,
        );
    }
  })();
  const late = event.source === "stream" ? "" : paint("dim", ` [${event.source}]`);
  return `${paint("dim", new Date(event.timeMs).toISOString().slice(11, 23))} ${who} ${what}${late}`;
}
