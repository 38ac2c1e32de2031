/**
 * Where alerts go. Each channel is one URL in the configuration; its address and password stay there and are never
 * stored or logged. Guarantees: a text that is no channel is a `ConfigError` that does not repeat it; a channel is a
 * `Sink`, so the bridge delivers to it: in order, retried for as long as the alert is news, never twice.
 *
 * ```
 * https://discord.com/api/webhooks/…   https://hooks.slack.com/services/…   https://ntfy.sh/topic   as copied from there
 * telegram://TOKEN@CHAT                ntfy://[TOKEN@]HOST/TOPIC (ntfy+http:// without TLS)
 * smtp://USER:PASSWORD@HOST:587?to=A@B[,C@D][&from=E@F]   (smtps:// for TLS from the start)
 * pagerduty://ROUTING_KEY              apprise://HOST[:PORT]/notify/KEY (apprises:// with TLS)
 * https://anything/else[#whsec_…]      the event as JSON, signed when a secret is given
 * ```
 */
import { createHash } from "node:crypto";
import { ConfigError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { HttpSend } from "../delivery/httpSend.ts";
import { ATTEMPT_TIMEOUT_MS, attemptHttp } from "../delivery/httpVerdict.ts";
import { isSecret, Secret } from "../delivery/secret.ts";
import type { ConfiguredSink, Verdict } from "../delivery/sink.ts";
import { type Aliases, eventText } from "../eventText.ts";
import type { OutboxEvent } from "../outbox.ts";
import { BODIES, chatOf, isSilent } from "../webhooks/payload.ts";
import { signedHeaders } from "../webhooks/signature.ts";
import type { MailSend } from "./mailSend.ts";
import type { Severity } from "./rules/spec.ts";

/** Delay before each attempt: an alert is news for five minutes. */
const ALERT_DELAYS_MS = [0, 5_000, 15_000, 30_000, 60_000, 60_000, 60_000] as const;
/** What is older than this is not delivered any more. */
export const ALERT_MAX_AGE_MS = 300_000;

export interface Channel extends ConfiguredSink {
  /** `telegram`, `discord`, … */
  kind: string;
  /** For people: kind and host. */
  label: string;
}

interface ChannelDeps {
  http: HttpSend;
  mail: MailSend;
  clock: Clock;
  aliases: Aliases;
}

/** What a channel sends: a request, or a letter. */
interface Post {
  url: string;
  headers?: Record<string, string>;
  body: string;
}
interface Letter {
  server: string;
  from: string;
  to: string[];
  subject: string;
  text: string;
}

interface Kind {
  kind: string;
  host: string;
  render(alert: Alert): Post | Letter;
}

/** An alert event, as channels see it. */
interface Alert {
  event: OutboxEvent;
  id: string;
  text: string;
  silent: boolean;
  resolved: boolean;
  severity: Severity;
  nowMs: number;
}

/** The channel that `text` describes. Throws `ConfigError`. */
export function openChannel(text: string, deps: ChannelDeps): Channel {
  const kind = kindOf(text, deps.aliases);
  const id = `alert_${kind.kind}_${createHash("sha256").update(text).digest("hex").slice(0, 8)}`;
  return {
    id,
    kind: kind.kind,
    label: `${kind.kind} ${kind.host}`.trim(),
    delaysMs: ALERT_DELAYS_MS,
    deliver(event, id, signal) {
      const alert: Alert = {
        event,
        id,
        text: eventText(event, deps.aliases),
        silent: isSilent(event),
        resolved: event.type === "alert.resolved",
        severity: event.data.severity as Severity,
        nowMs: deps.clock.now(),
      };
      return send(deps, kind.render(alert), signal);
    },
  };
}

function send({ http, mail, clock }: ChannelDeps, out: Post | Letter, signal: AbortSignal): Promise<Verdict> {
  if ("server" in out) {
    const { server, ...letter } = out;
    return mail(new Secret(server), letter);
  }
  const { url, body } = out;
  const headers = { "content-type": "application/json", ...out.headers };
  // The operator wrote this address into the configuration: it may be on the local network.
  const request = { url: new Secret(url), headers, body, allowPrivate: true, timeoutMs: ATTEMPT_TIMEOUT_MS };
  return attemptHttp(http, clock, request, signal);
}

function kindOf(text: string, aliases: Aliases): Kind {
  const refuse = (why: string): never => {
    // The text holds passwords: it is not repeated.
    throw new ConfigError(`--alert-to (HLSYNC_ALERT_TO): ${why}`);
  };
  // A token holds a colon, and a chat may be negative or @name: no URL to a parser.
  if (/^(telegram|tgram):/.test(text)) return telegram(text) ?? refuse("expected telegram://TOKEN@CHAT");
  const url = URL.canParse(text)
    ? new URL(text)
    : refuse("a channel is a URL, for example telegram://TOKEN@CHAT");
  const [first = "", second = ""] = url.pathname.split("/").filter((part) => part !== "");
  switch (url.protocol) {
    case "ntfy:":
    case "ntfys:":
    case "ntfy+http:":
      if (first === "") return refuse("expected ntfy://HOST/TOPIC");
      return ntfy(url.protocol === "ntfy+http:" ? "http" : "https", url.host, first, url.username);
    case "smtp:":
    case "smtps:":
      return mailTo(url) ?? refuse("expected smtp://USER:PASSWORD@HOST:587?to=A@B");
    case "pagerduty:":
      return url.host === "" ? refuse("expected pagerduty://ROUTING_KEY") : pagerduty(text);
    case "apprise:":
    case "apprises:":
      if (first === "") return refuse("expected apprise://HOST:PORT/notify/KEY");
      return apprise(url, second === "" ? `/notify/${first}` : url.pathname);
    case "http:":
    case "https:":
      break;
    default:
      return refuse(`unknown kind of channel ${url.protocol}//`);
  }
  const known = chatOf(url);
  if (known !== null) return chat(known, url, aliases);
  if (url.hostname === "ntfy.sh" && first !== "") return ntfy("https", url.host, first, url.username);
  const secret = url.hash.slice(1);
  if (secret !== "" && !isSecret(secret)) return refuse("expected a secret whsec_<base64> behind #");
  return webhook(url, secret === "" ? [] : [new Secret(secret)]);
}

const chat = (kind: "discord" | "slack", url: URL, aliases: Aliases): Kind => ({
  kind,
  host: "",
  render: ({ event, id }) => ({ url: url.href, body: BODIES[kind](event, id, aliases).text }),
});

/** The JSON of the webhook bridge, for receivers of one's own. */
function webhook(url: URL, secrets: readonly Secret[]): Kind {
  url.hash = "";
  return {
    kind: "webhook",
    host: url.host,
    render({ event, id, nowMs }) {
      const { text } = BODIES.standard(event, id, new Map());
      return { url: url.href, headers: signedHeaders(id, text, nowMs, secrets), body: text };
    },
  };
}

/** @see https://core.telegram.org/bots/api#sendmessage */
function telegram(text: string): Kind | null {
  const match = /^(?:telegram|tgram):\/\/(\d+:[\w-]+)[@/](-?\d+|@?\w+)\/?$/.exec(text);
  if (match === null) return null;
  const [, token, chatId] = match;
  return {
    kind: "telegram",
    host: "",
    render: ({ text: message, silent }) => ({
      url: `https://api.telegram.org/bot${token}/sendMessage`,
      body: JSON.stringify({
        chat_id: /^-?\d+$/.test(chatId!) ? Number(chatId) : chatId!.startsWith("@") ? chatId : `@${chatId}`,
        text: message,
        disable_notification: silent,
        link_preview_options: { is_disabled: true },
      }),
    }),
  };
}

const NTFY_PRIORITY: Record<Severity, number> = { info: 3, warn: 4, crit: 5 };
const NTFY_TAG: Record<Severity, string> = {
  info: "information_source",
  warn: "warning",
  crit: "rotating_light",
};
const NTFY_QUIET = 2;

/** @see https://docs.ntfy.sh/publish/#publish-as-json */
const ntfy = (scheme: string, host: string, topic: string, token: string): Kind => ({
  kind: "ntfy",
  host,
  render: ({ text, silent, resolved, severity }) => ({
    url: `${scheme}://${host}/`,
    headers: token === "" ? {} : { authorization: `Bearer ${decodeURIComponent(token)}` },
    body: JSON.stringify({
      topic: decodeURIComponent(topic),
      message: text,
      priority: silent ? NTFY_QUIET : resolved ? NTFY_PRIORITY.info : NTFY_PRIORITY[severity],
      tags: [resolved ? "white_check_mark" : NTFY_TAG[severity]],
    }),
  }),
});

function mailTo(url: URL): Kind | null {
  const to = (url.searchParams.get("to") ?? "").split(",").filter((address) => address !== "");
  const from = url.searchParams.get("from") ?? decodeURIComponent(url.username);
  if (
    url.hostname === "" ||
    ![...to, from].every((address) => /^[^@\s]+@[^@\s]+$/.test(address)) ||
    to.length === 0
  )
    return null;
  const server = new URL(url);
  server.search = "";
  return {
    kind: "email",
    host: url.hostname,
    render: ({ text }) => ({ server: server.href, from, to, subject: text.slice(0, 120), text }),
  };
}

const PAGERDUTY_SEVERITY: Record<Severity, string> = { info: "info", warn: "warning", crit: "critical" };

/** @see https://developer.pagerduty.com/docs/send-alert-event */
function pagerduty(text: string): Kind {
  // Not from the URL: it writes hosts in lower case.
  const key = /^pagerduty:\/\/([^/@?#]+)/.exec(text)?.[1] ?? "";
  return {
    kind: "pagerduty",
    host: "",
    render: ({ event, text: summary, resolved, severity }) => ({
      url: "https://events.pagerduty.com/v2/enqueue",
      body: JSON.stringify({
        routing_key: key,
        event_action: resolved ? "resolve" : "trigger",
        dedup_key: String(event.data.key).slice(0, 255),
        payload: {
          summary: summary.slice(0, 1024),
          source: "hlsync",
          severity: PAGERDUTY_SEVERITY[severity],
          timestamp: new Date(event.timeMs).toISOString(),
          custom_details: event.data,
        },
      }),
    }),
  };
}

const APPRISE_TYPE: Record<Severity, string> = { info: "info", warn: "warning", crit: "failure" };

/** @see https://github.com/caronc/apprise-api#api-details */
function apprise(url: URL, path: string): Kind {
  const scheme = url.protocol === "apprises:" ? "https" : "http";
  return {
    kind: "apprise",
    host: url.host,
    render: ({ text, resolved, severity }) => ({
      url: `${scheme}://${url.host}${path}`,
      body: JSON.stringify({
        title: "hlsync",
        body: text,
        type: resolved ? "success" : APPRISE_TYPE[severity],
      }),
    }),
  };
}
