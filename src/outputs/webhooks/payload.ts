/**
 * What is sent: the body of an event in each format. Pure. Guarantees: the same event gives the same body; decimals are
 * strings; schemas of the bodies are in `docs/schemas`; chat texts hold no mentions, markup or control characters from
 * the wire.
 */
import { type Aliases, eventText } from "../eventText.ts";
import type { OutboxEvent } from "../outbox.ts";

export const FORMATS = ["standard", "cloudevents", "discord", "slack"] as const;
export type Format = (typeof FORMATS)[number];

/** The chat that an address belongs to; null for any other receiver. */
export function chatOf({ hostname, pathname }: URL): "discord" | "slack" | null {
  if (/(^|\.)discord(app)?\.com$/.test(hostname) && pathname.startsWith("/api/")) return "discord";
  return hostname === "hooks.slack.com" ? "slack" : null;
}

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

interface Body {
  contentType: string;
  text: string;
}

const json = (value: unknown): Body => ({ contentType: "application/json", text: JSON.stringify(value) });
const isoTime = (event: OutboxEvent): string => new Date(event.timeMs).toISOString();

/** Alerts that the user wants without a sound. */
export const isSilent = (event: OutboxEvent): boolean => event.data.silent === true;

const DISCORD_MAX = 2_000;
const SUPPRESS_NOTIFICATIONS = 1 << 12;

/** @see https://discord.com/developers/docs/resources/webhook#execute-webhook */
const discordMessage = (text: string, silent: boolean): Record<string, unknown> => ({
  content: text.replace(/([\\*_~`|>#@[\]()])/g, "\\$1").slice(0, DISCORD_MAX),
  allowed_mentions: { parse: [] },
  ...(silent ? { flags: SUPPRESS_NOTIFICATIONS } : {}),
});

/** @see https://docs.slack.dev/messaging/formatting-message-text */
const slackEscape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
