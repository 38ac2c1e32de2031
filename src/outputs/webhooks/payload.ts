/**
 * What is sent: the body of an event in each format. Pure. Guarantees: the same event gives the same body; decimals are
 * strings; schemas of the bodies are in `docs/schemas`; chat texts hold no mentions, markup or control characters from
 * the wire.
 */
import type { Address } from "../../sync/events.ts";
import type { OutboxEvent } from "../outbox.ts";
import type { Format } from "./endpoints.ts";

/** Every type of event, with what it tells. */
export const EVENT_TYPES = {
  "fill.created": "A fill, once, whatever source it came from.",
  "order.updated": "An order was placed, filled, canceled, triggered or rejected.",
  "position.updated": "Side, size or leverage of a position changed.",
  "funding.created": "A funding payment.",
  "ledger.created": "A deposit, withdrawal, transfer or any other ledger update.",
  "drift.found": "The database and the venue differed; says whether it was repaired.",
  "gap.opened": "A stretch of history is missing and was not repaired in time.",
  "gap.closed": "It is complete again.",
  "alert.fired": "An alert began, or became more severe.",
  "alert.resolved": "It is over.",
  "webhook.disabled": "Deliveries to an endpoint were stopped.",
  "webhook.test": "Sent by `hlsync webhooks test`.",
} as const;

/** Whether `type` is one of `wanted`: exact, `fill.*` or `*`. */
export const wants = (wanted: readonly string[], type: string): boolean =>
  wanted.some((pattern) =>
    pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : pattern === type,
  );

/** A pattern that no type fits, or null when every one fits some. */
export const unknownPattern = (patterns: readonly string[]): string | null =>
  patterns.find((pattern) => !Object.keys(EVENT_TYPES).some((type) => wants([pattern], type))) ?? null;

/** Body and content type in each format. */
export const BODIES: Record<Format, (event: OutboxEvent, id: string, aliases: Aliases) => Body> = {
  standard: (event) => json({ type: event.type, timestamp: isoTime(event), data: event.data }),
  cloudevents: (event, id) => ({
    contentType: "application/cloudevents+json",
    text: JSON.stringify({
      specversion: "1.0",
      id,
      source: event.account === null ? "/hlsync" : `/hlsync/accounts/${event.account}`,
      type: `hlsync.${event.type}`,
      time: isoTime(event),
      datacontenttype: "application/json",
      data: event.data,
    }),
  }),
  discord: (event, _id, aliases) => json(discordMessage(eventText(event, aliases), isSilent(event))),
  slack: (event, _id, aliases) => json({ text: slackEscape(eventText(event, aliases)) }),
};

export interface Body {
  contentType: string;
  text: string;
}

/** Address → name given by the user. */
export type Aliases = ReadonlyMap<Address, string>;

const json = (value: unknown): Body => ({ contentType: "application/json", text: JSON.stringify(value) });
const isoTime = (event: OutboxEvent): string => new Date(event.timeMs).toISOString();

/** Alerts that the user wants without a sound. */
export const isSilent = (event: OutboxEvent): boolean => event.data.silent === true;

const DISCORD_MAX = 2_000;
const SUPPRESS_NOTIFICATIONS = 1 << 12;

/** @see https://discord.com/developers/docs/resources/webhook#execute-webhook */
export const discordMessage = (text: string, silent: boolean): Record<string, unknown> => ({
  content: text.replace(/([\\*_~`|>#@[\]()])/g, "\\$1").slice(0, DISCORD_MAX),
  allowed_mentions: { parse: [] },
  ...(silent ? { flags: SUPPRESS_NOTIFICATIONS } : {}),
});

/** @see https://docs.slack.dev/messaging/formatting-message-text */
export const slackEscape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const CELL_MAX = 200;

/** A value from the wire in one line of printable text. */
const cell = (value: unknown): string => {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.replace(/[\p{Cc}\u2028-\u202e]/gu, " ").slice(0, CELL_MAX);
};

/** `main` or `0x1234…abcd`. */
export const accountName = (account: Address | null, aliases: Aliases): string =>
  account === null ? "" : (aliases.get(account) ?? `${account.slice(0, 6)}…${account.slice(-4)}`);

const ALERT_MAX = 1_500;

/** `CRIT BTC long 3.9 % from liquidation … (main)` */
export function alertText({ account, data }: OutboxEvent, aliases: Aliases): string {
  const message = String(data.message ?? "").slice(0, ALERT_MAX);
  return account === null ? message : `${message} (${accountName(account, aliases)})`;
}

/** One line for people. */
export function eventText(event: OutboxEvent, aliases: Aliases): string {
  const get = (key: string): string => cell(event.data[key]);
  const who = accountName(event.account, aliases);
  const prefix = who === "" ? "" : `${who}: `;
  switch (event.type) {
    case "fill.created": {
      const pnl = /^[-0.]*$/.test(get("closed_pnl")) ? "" : `, closed PnL ${get("closed_pnl")}`;
      return `${prefix}${get("side") === "buy" ? "bought" : "sold"} ${get("size")} ${get("coin")} at ${get("price")} (${get("value")} USD), fee ${get("fee")} ${get("fee_token")}${pnl}`;
    }
    case "order.updated":
      return `${prefix}order ${get("order_id")} ${get("status")}: ${get("side")} ${get("filled")}/${get("size")} ${get("coin")} at ${get("limit_price")} (${get("venue_status")})`;
    case "position.updated":
      return `${prefix}position ${get("coin")} ${get("side")} ${get("size")}, entry ${get("entry_price")}, unrealized PnL ${get("unrealized_pnl")}`;
    case "funding.created":
      return `${prefix}funding ${get("usdc")} USDC for ${get("coin")} at ${get("funding_rate")}`;
    case "ledger.created":
      return `${prefix}${get("type")} ${get("usdc") || get("amount")} ${get("usdc") ? "USDC" : get("token")}`;
    case "drift.found":
      return `${prefix}${get("stream")} differed from the venue (${get("cause")}), ${event.data.repaired_at_ms === null ? "not repaired" : "repaired"}`;
    case "gap.opened":
    case "gap.closed":
      return `${prefix}${get("stream")}: ${event.type === "gap.opened" ? "history is missing" : "history is complete again"}`;
    case "alert.fired":
    case "alert.resolved":
      return alertText(event, aliases);
    case "webhook.disabled":
      return `webhook ${get("endpoint")} was disabled: ${get("reason")}`;
    default:
      return `${prefix}${event.type} ${cell(event.data.message ?? "")}`.trimEnd();
  }
}
