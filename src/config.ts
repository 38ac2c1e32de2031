/**
 * One table of options gives the flags, the environment variables, the config file's keys, `--help`, the reference in
 * the docs and every error message. Guarantees: flag > environment > `.env` > config file > default; an unknown key or
 * a bad value is a `ConfigError` in one line that names the flag, the variable and the value; secrets are masked.
 */
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { ConfigError, errorText } from "./errors.ts";
import { isAddress } from "./protocol/address.ts";
import { CANDLE_INTERVALS, isPlausibleMs, NETWORKS, type Network } from "./protocol/limits.ts";
import { ACCOUNT_STREAMS, MARKET_STREAMS } from "./protocol/streams.ts";
import { brokenLine } from "./runtime/brokenJson.ts";
import { LOG_LEVELS } from "./runtime/log.ts";
import { maskSecrets } from "./runtime/safeText.ts";
import { isSchemaName } from "./store/schema.ts";

export interface FollowedAccount {
  /** Empty where only an alias was given, until the database was asked whose it is. */
  address: string;
  alias: string | null;
  /** Its sub-accounts and led vaults too. */
  withSubs?: true;
}

interface Listen {
  host: string;
  port: number;
}

interface Option<T> {
  /** As commander writes it: `--name <value>`. */
  flag: string;
  /** Variables, the first that is set wins. */
  env: readonly string[];
  help: string;
  /** From text; throws an `Error` whose message completes "…: ". A flag without value gives `"true"` or `"false"`. */
  parse: ((text: string) => T) & { choices?: readonly string[] };
  /** Parsed when no source sets the option. */
  fallback: string;
  /** May be given more than once; texts are joined with commas. */
  repeatable?: boolean;
  /** Holds, or may hold, a password or token: belongs into the environment, not into a config file. */
  secret?: true;
  /** A time that may not lie in the future. */
  isPast?: true;
}

/** As it is written down: without variables where there are none, without a fallback where that is no text. */
type OptionRow<T> = Omit<Option<T>, "env" | "fallback"> & Partial<Pick<Option<T>, "env" | "fallback">>;

const text = (value: string): string => value;
const optional = (value: string): string | null => (value === "" ? null : value);
const list = (value: string): string[] =>
  value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
/** It travels in a header and in a cookie (RFC 6265, cookie-octet): one that does not fit would never let anybody in. */
const token = (value: string): string | null => {
  if (!/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/.test(value))
    throw new Error(
      "expected ASCII letters, digits and signs, without spaces, quotation marks, commas, semicolons and backslashes",
    );
  return optional(value);
};
const flag = (value: string): boolean => {
  if (["true", "1", "yes", ""].includes(value)) return true;
  if (["false", "0", "no"].includes(value)) return false;
  throw new Error("expected true or false");
};
/** `""` among them: none need be made. */
const oneOf = <T extends string>(values: readonly T[]) => {
  const choices = values.filter((value) => value !== "");
  const parse = (value: string): T => {
    if (!(values as readonly string[]).includes(value))
      throw new Error(`expected one of ${choices.join(", ")}`);
    return value as T;
  };
  return Object.assign(parse, { choices });
};
const number =
  (least: number, most: number) =>
  (value: string): number => {
    const parsed = Number(value);
    if (value.trim() === "" || !(parsed >= least && parsed <= most)) {
      throw new Error(`expected a number from ${least} to ${most}`);
    }
    return parsed;
  };
const integer =
  (least: number, most: number) =>
  (value: string): number => {
    const parsed = Number(value);
    if (value.trim() === "" || !Number.isInteger(parsed) || parsed < least || parsed > most) {
      throw new Error(`expected a whole number from ${least} to ${most}`);
    }
    return parsed;
  };
const url =
  (...schemes: string[]) =>
  (value: string): string => {
    if (value === "") return value;
    const parsed = URL.canParse(value) ? new URL(value) : null;
    if (!parsed || !schemes.includes(parsed.protocol)) {
      throw new Error(
        `expected a URL that starts with ${schemes.map((scheme) => `${scheme}//`).join(" or ")}`,
      );
    }
    return value.replace(/\/+$/, "");
  };
/** The venue's own URLs are often copied with the path of one of their two requests. */
const apiUrl = (value: string): string => url("http:", "https:")(value).replace(/\/+(info|exchange)$/, "");

/** What points at a database but is no folder and no URL that hlsync can use. The value is never repeated. */
const OTHER_DATABASES: readonly [RegExp, string][] = [
  [/^$/, "it is empty"],
  [/^postgres(ql)?:(?!\/\/)/i, "a URL begins with postgres://"],
  [/^postgres(ql)?\/\//i, "a URL begins with postgres://"],
  // As Supabase shows it: brackets and all.
  [/\[YOUR[-_ ]PASSWORD\]/i, "put the password in the place of [YOUR-PASSWORD], brackets and all"],
  [/^(?!postgres(ql)?:)[a-z][a-z0-9+.:-]*:\/\//i, "only PostgreSQL is supported"],
  [/^(?!postgres(ql)?:)[^/\s]*:[^/\s]*@/i, "a URL begins with postgres://"],
  // With a space, a quotation mark, `DATABASE_URL=` or `psql` before it.
  [/^(?!postgres(ql)?:\/\/).*:\/\//is, "a URL begins with postgres://, with nothing before it"],
  [/^(?!postgres(ql)?:\/\/)(postgres(ql)?[^\w./\\-]+\/\/|.*\/\/[^/]*@)/i, "a URL begins with postgres://"],
  [
    /^(?!postgres(ql)?:\/\/)(.*\.supabase\.\w+([:/]|$)|[\w.-]+:\d{2,5}(\/|$))/i,
    "a host alone is none: a URL begins with postgres://",
  ],
  [/^(sb_(secret|publishable)_|eyJ)/, "a key of Supabase's API opens no database: the URL is under Connect"],
  [
    /(^|\s)(host|hostaddr|port|dbname|user|password|service|sslmode)\s*=/i,
    "keywords are not supported, write them as a URL",
  ],
];
const database = (value: string): string => {
  const why = OTHER_DATABASES.find(([pattern]) => pattern.test(value))?.[1];
  if (why !== undefined) throw new Error(`expected postgres://… or a folder (${why})`);
  return value;
};

/** Names as given; whatever follows accounts is followed anyway and may be named. */
const streams = (value: string): string[] => {
  const names = list(value);
  for (const name of names) {
    const [type = "", interval, ...more] = name.split(":");
    if (type === "candle" && interval !== undefined && more.length === 0) {
      if (!(CANDLE_INTERVALS as readonly string[]).includes(interval))
        throw new Error(`${JSON.stringify(interval)} is no candle interval: ${CANDLE_INTERVALS.join(", ")}`);
    } else if (![...MARKET_STREAMS, ...ACCOUNT_STREAMS].some((known) => known === name))
      throw new Error(`${JSON.stringify(name)} is none of ${MARKET_STREAMS.join(", ")}`);
  }
  return names;
};

/** Behind an address: its sub-accounts and the vaults that it leads are meant too. */
const WITH_SUBS = "+subs";

/** Others could not be written behind `--account`, where commas, `=` and `+` mean something, or would break the lines they are shown in. */
const ALIAS = /^(?!0x)[^,=+\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/iu;

/** An alias that an account can be named by; undefined where none is given. Throws `ConfigError`. */
export function aliasOf(text: string | undefined): string | undefined {
  const alias = text?.trim() || undefined;
  if (alias === undefined || ALIAS.test(alias)) return alias;
  if (isAddress(alias)) throw new ConfigError(`an alias is no address: ${alias}`);
  const why = "without commas, = and +, control characters, or 0x at its beginning";
  throw new ConfigError(`alias ${JSON.stringify(alias)}: expected a name ${why}`);
}

/** Parts of `NAME[+subs][=alias]`. Throws `ConfigError`. */
export function accountParts(text: string): { named: string; withSubs: boolean; alias: string | undefined } {
  const [word = "", ...alias] = text.split("=");
  const withSubs = word.endsWith(WITH_SUBS);
  return {
    named: withSubs ? word.slice(0, -WITH_SUBS.length) : word,
    withSubs,
    alias: aliasOf(alias.join("=")),
  };
}

const account = (value: string): FollowedAccount[] => {
  const accounts = new Map<string, FollowedAccount>();
  for (const entry of list(value)) {
    const { named, withSubs, alias } = accountParts(entry);
    const isAlias = !entry.includes("=") && named !== "" && !/^0x/i.test(named);
    if (!isAddress(named) && !isAlias)
      throw new Error(
        "expected 0x and 40 hex digits, optionally +subs, optionally =alias; or an alias alone",
      );
    const address = isAlias ? "" : named.toLowerCase();
    const known = accounts.get(named.toLowerCase());
    accounts.set(named.toLowerCase(), {
      address,
      alias: isAlias ? named : (alias ?? known?.alias ?? null),
      ...(withSubs || known?.withSubs ? { withSubs: true } : {}),
    });
  }
  return [...accounts.values()];
};

const seconds = (value: string): number => Math.round(number(1, 86_400)(value) * 1000);

/** A day, alone or with a time of it, which is UTC like the day alone unless it names its zone. */
const DAY_AND_TIME =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) ?(?:Z|UTC|([+-]\d{2}):?(\d{2}))?)?$/;

/** Unix ms of a day that there is; NaN of anything else. `Date.parse` alone takes February 30, and a time without zone as local. */
export function dateMs(value: string): number {
  const [, day = "", time = "00:00", hours = "+00", minutes = "00"] = DAY_AND_TIME.exec(value) ?? [];
  if (new Date(`${day}T00:00Z`).getUTCDate() !== Number(day.slice(8))) return Number.NaN;
  return Date.parse(`${day}T${time}${hours}:${minutes}`);
}

/** Digits that mean a time to their writer, and as milliseconds would be one of 1970. */
const OTHER_TIMES: readonly [RegExp, looksLike: string, instead: (digits: string) => string][] = [
  [/^20\d\d$/, "a year", (digits) => `${digits}-01-01`],
  [/^20\d\d(0[1-9]|1[0-2])$/, "a month", (digits) => digits.replace(/(..)$/, "-$1-01")],
  [/^20\d\d(0[1-9]|1[0-2])([012]\d|3[01])$/, "a date", (digits) => digits.replace(/(..)(..)$/, "-$1-$2")],
  [/^1\d{9}$/, "seconds", (digits) => `${digits}000, or a date such as 2026-01-31`],
];

const time = (value: string): number | null => {
  if (value === "") return null;
  const [, looksLike, instead] = OTHER_TIMES.find(([pattern]) => pattern.test(value)) ?? [];
  if (instead) throw new Error(`looks like ${looksLike}: write ${instead(value)}`);
  const isNumber = /^\d+$/.test(value);
  const ms = isNumber ? Number(value) : dateMs(value);
  if (!(ms >= 0) || (isNumber && ms !== 0 && !isPlausibleMs(ms)))
    throw new Error("expected a date such as 2026-01-31, or Unix milliseconds");
  return ms;
};

/** By how much another machine's clock may be ahead of this one. */
const AHEAD_MAX_MS = 60_000;

/** Why a history cannot begin then, null when it can: nothing would be in it, and nothing be missed. */
export const futureRefusal = (ms: number, nowMs: number): string | null =>
  ms > nowMs + AHEAD_MAX_MS ? `lies in the future, it is ${new Date(nowMs).toISOString()} now` : null;

const UNITS_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const duration = (value: string): number => {
  const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(value);
  if (!match || Number(match[1]) === 0) throw new Error("expected seconds, or for example 30m, 2h, 1d");
  return Math.round(Number(match[1]) * UNITS_MS[match[2] || "s"]!);
};

const listen = (value: string): Listen => {
  const match = /^(?:(.*):)?(\d+)$/.exec(value);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) throw new Error("expected HOST:PORT");
  return { host: (match[1] ?? "127.0.0.1").replace(/^\[|\]$/g, ""), port };
};

/** One that is off unless its flag is given. */
const toggle = (flagText: string, help: string) => ({ flag: flagText, help, parse: flag, fallback: "false" });

const ROWS = {
  account: {
    flag: "--account <0x…[+subs][=alias]>",
    env: ["HLSYNC_ACCOUNTS", "ACCOUNT_ADDRESS"],
    help: "account to follow, or the alias of one that the database knows; repeat for more; +subs: its sub-accounts and led vaults too",
    parse: account,
    repeatable: true,
  },
  network: {
    flag: "--network <name>",
    env: ["HLSYNC_NETWORK"],
    help: "mainnet or testnet",
    parse: oneOf(Object.keys(NETWORKS) as Network[]),
    fallback: "mainnet",
  },
  apiUrl: {
    flag: "--api-url <url>",
    env: ["HLSYNC_API_URL"],
    help: "another endpoint: simulator, own node, proxy",
    parse: apiUrl,
  },
  nodeUrl: {
    flag: "--node-url <url>",
    env: ["HLSYNC_NODE_URL"],
    help: "/info of an own node (--serve-info): states come from it, off the venue's budget, while it is not behind",
    parse: apiUrl,
  },
  wsUrl: {
    flag: "--ws-url <url>",
    env: ["HLSYNC_WS_URL"],
    help: "its WebSocket; derived from --api-url when only that is given",
    parse: url("ws:", "wss:"),
  },
  database: {
    flag: "--database <url|dir>",
    env: ["DATABASE_URL", "SUPABASE_DB_URL"],
    help: "Postgres, or a folder for the embedded one",
    secret: true,
    parse: database,
    fallback: "./.hlsync/db",
  },
  schema: {
    flag: "--schema <name>",
    env: ["HLSYNC_SCHEMA"],
    help: "schema of the tables and views hl_*",
    parse: (value: string): string => {
      if (!isSchemaName(value))
        throw new Error(
          "expected lower-case letters, digits and _, not a name of the server's or hl_internal",
        );
      return value;
    },
    fallback: "public",
  },
  db: {
    flag: "--no-db",
    help: "keep nothing: a database that is gone with the process",
    parse: flag,
    fallback: "true",
  },
  markets: {
    flag: "--markets <coins|all>",
    env: ["HLSYNC_MARKETS"],
    help: "market data of these coins, for example BTC,ETH; all: as many as the venue streams to one address, by volume",
    parse: list,
  },
  streams: {
    flag: "--streams <names>",
    env: ["HLSYNC_STREAMS"],
    help: "which market data: trades, l2Book, candle[:1m], allMids (also without --markets), activeAssetCtx; trades and candle when only --markets is given",
    parse: streams,
  },
  listen: {
    flag: "--listen <host:port>",
    env: ["HLSYNC_LISTEN"],
    help: "dashboard, API, metrics and health",
    parse: listen,
    fallback: "127.0.0.1:4477",
  },
  token: {
    flag: "--token <text>",
    env: ["HLSYNC_TOKEN"],
    help: "access token for dashboard and API; generated at each start if --listen is not loopback",
    secret: true,
    parse: token,
  },
  json: toggle("--json", "machine output on stdout (NDJSON)"),
  logLevel: {
    flag: "--log-level <level>",
    env: ["HLSYNC_LOG_LEVEL"],
    help: LOG_LEVELS.join(", "),
    parse: oneOf(LOG_LEVELS),
    fallback: "info",
  },
  color: { flag: "--no-color", help: "no colors (also NO_COLOR)", parse: flag, fallback: "true" },
  config: {
    flag: "--config <file>",
    env: ["HLSYNC_CONFIG"],
    help: "JSON file of these options; comments are allowed (hlsync init writes one)",
    parse: optional,
  },
  /** Milliseconds. */
  interval: {
    flag: "--interval <seconds>",
    env: ["HLSYNC_INTERVAL"],
    help: "time between two reconciles (run) or polls (sync)",
    parse: seconds,
    fallback: "300",
  },
  snapshotDays: {
    flag: "--snapshot-days <days>",
    env: ["HLSYNC_SNAPSHOT_DAYS"],
    help: "keep every account snapshot for this long; of older ones what charts and proofs need",
    parse: integer(1, 100_000),
    fallback: "2",
  },
  marketDays: {
    flag: "--market-days <days>",
    env: ["HLSYNC_MARKET_DAYS"],
    help: "keep trades, books, mids and contexts of markets for this long",
    parse: integer(1, 100_000),
    fallback: "30",
  },
  /** Milliseconds; null for all that the venue serves. */
  since: {
    flag: "--since <date>",
    env: ["HLSYNC_SINCE"],
    help: "start of the wanted history; default all that the venue serves",
    parse: time,
    isPast: true,
  },
  from: {
    flag: "--from <date>",
    help: "read files of this hour and later ones",
    parse: time,
  },
  to: {
    flag: "--to <date>",
    help: "read files of hours before this",
    parse: time,
  },
  follow: toggle(
    "--follow",
    "go on: read what the node appends, hour after hour; holes are read from the API",
  ),
  into: {
    flag: "--into <place>",
    env: ["HLSYNC_CLICKHOUSE"],
    help: "clickhouse://user:password@host:8123/database, clickhouses:// for TLS, or a folder (needs npm install chdb)",
    parse: text,
    secret: true,
  },
  cluster: {
    flag: "--cluster <name>",
    help: "the ClickHouse cluster that tables are made on: replicated, and distributed over its shards",
    parse: text,
  },
  parquet: {
    flag: "--parquet <folder>",
    help: "write what is loaded as Parquet files, one a table and day",
    parse: text,
  },
  egress: {
    flag: "--egress <name>",
    env: ["HLSYNC_EGRESS"],
    help: "where requests leave from, as the venue sees it: processes with the same name share its limits; default the host name",
    parse: text,
  },
  fleet: toggle("--fleet", "which process follows what, how fresh it is, and what each egress has left"),
  verbose: toggle("--verbose", "print every change, not one line a minute"),
  once: toggle("--once", "one complete pass, then exit"),
  weight: {
    flag: "--weight <n>",
    env: ["HLSYNC_WEIGHT"],
    help: "REST weight a minute that hlsync may use, or that `simulate` allows (the venue: 1200 per IP)",
    parse: number(60, 1_000_000),
    fallback: "1200",
  },
  print: toggle("--print", "print the SQL instead of running it"),
  yes: toggle("--yes", "do it without asking"),
  check: toggle("--check", "only say what is pending; exit 3 if anything is"),
  host: { flag: "--host <host>", help: "address to bind", parse: text, fallback: "127.0.0.1" },
  port: {
    flag: "--port <port>",
    help: "port to bind; 0 for any",
    parse: integer(0, 65_535),
    fallback: "3001",
  },
  seed: {
    flag: "--seed <n>",
    help: "the simulated market's seed",
    parse: integer(0, 4_294_967_295),
    fallback: "1",
  },
  speed: {
    flag: "--speed <factor>",
    help: "simulated time per real time, or `stepped`: only when told through /control/advance",
    parse: (value) => (value === "stepped" ? value : number(0.01, 10_000)(value)),
    fallback: "1",
  },
  faults: {
    flag: "--faults <file>",
    help: "JSON list of fault rules to begin with, as /control/faults takes them",
    parse: optional,
  },
  recorded: {
    flag: "--recorded <file>",
    help: "JSON of recorded accounts to serve verbatim: {address: {fills, …}}",
    parse: optional,
  },
  switches: {
    flag: "--switches <file|settings>",
    help: "switches of the simulated venue, and `traders`: JSON, a file of it, or pairs such as restLagMs=500,traders.takesPerMinute=60",
    parse: optional,
  },
  /** Milliseconds. */
  history: {
    flag: "--history <duration>",
    help: "how much past the simulated market has when it opens (30m, 6h); 0 for none, an hour takes seconds to make",
    parse: (value) => (value === "0" ? 0 : duration(value)),
    fallback: "0",
  },
  /** Of each trading account of the simulator. */
  fillsPerSecond: {
    flag: "--fills-per-second <n>",
    help: "how fast each --account of the simulator trades; 0 for not at all",
    parse: number(0, 1_000),
    fallback: "1",
  },
  events: {
    flag: "--events <types>",
    help: "event types that an endpoint receives, for example fill.created,alert.*",
    parse: list,
    repeatable: true,
  },
  format: {
    flag: "--format <name>",
    help: "of a webhook: standard, cloudevents, discord or slack; of an export for tax programs: koinly or cointracking",
    parse: oneOf(["standard", "cloudevents", "discord", "slack", "koinly", "cointracking", ""] as const),
  },
  onlyAccount: {
    flag: "--only-account <0x…>",
    help: "only of this account, by address or alias; repeat for more",
    parse: account,
    repeatable: true,
  },
  description: {
    flag: "--description <text>",
    help: "words to remember it by",
    parse: optional,
  },
  allowPrivate: toggle("--allow-private", "let deliveries go to private addresses and over plain http"),
  /** Milliseconds; null for no limit. */
  maxAge: {
    flag: "--max-age <seconds>",
    help: "do not deliver events older than this",
    parse: (value) => (value === "" ? null : Math.round(number(1, 31_536_000)(value) * 1000)),
  },
  limit: {
    flag: "--limit <n>",
    help: "rows to show at most",
    parse: integer(1, 100_000),
    fallback: "50",
  },
  status: {
    flag: "--status <name>",
    help: "only those that are retrying, delivered, dead or expired",
    parse: optional,
  },
  /** Milliseconds before each attempt; the first is made at once. */
  webhookRetry: {
    flag: "--webhook-retry <seconds,…>",
    env: ["HLSYNC_WEBHOOK_RETRY"],
    help: "delay before each attempt of a delivery; the first is made at once, whatever its delay says, and after the last one it is given up",
    parse: (value) => list(value).map((part) => Math.round(number(0, 604_800)(part) * 1000)),
    fallback: "0,5,300,1800,7200,18000,36000,50400,72000,86400",
  },
  /** Channel URLs: secrets. */
  alertTo: {
    flag: "--alert-to <url>",
    env: ["HLSYNC_ALERT_TO"],
    secret: true,
    help: "where alerts go: telegram://, ntfy://, smtp://, Discord or Slack URL, …; repeat for more (docs/alerts.md)",
    parse: list,
    repeatable: true,
  },
  alert: {
    flag: "--alert <rule=setting>",
    env: ["HLSYNC_ALERT"],
    help: "change a rule: large_fill=50000, order_rejected=off, liquidation_distance=crit:4/6; repeat for more",
    parse: list,
    repeatable: true,
  },
  deadManUrl: {
    flag: "--dead-man-url <url>",
    env: ["HLSYNC_DEAD_MAN_URL"],
    secret: true,
    help: "called every minute while all is well, for a monitor that notices silence",
    parse: optional,
  },
  /** Broker URLs: may hold passwords. */
  publish: {
    flag: "--publish <url>",
    env: ["HLSYNC_PUBLISH"],
    secret: true,
    help: "also publish every change to a broker: nats://host (JetStream), redis://host (streams); repeat for more (docs/publish.md)",
    parse: list,
    repeatable: true,
  },
  /** Milliseconds. */
  for: {
    flag: "--for <seconds>",
    help: "how long to be silent; also 30m, 2h, 1d",
    parse: duration,
    fallback: "1h",
  },
  tag: {
    flag: "--tag <text>",
    help: "word to find accounts by; repeat for more",
    parse: list,
    repeatable: true,
  },
  wish: {
    flag: "--wish <stream|poll>",
    help: "stream: live as far as the venue's limits allow; poll: never streamed",
    parse: oneOf(["stream", "poll", ""] as const),
  },
  coin: { flag: "--coin <coin>", help: "only of this coin", parse: optional },
  table: {
    flag: "--table <name>",
    help: "what to export: fills, orders, funding, ledger, equity, net-pnl-daily, … (docs/views.md)",
    parse: text,
    fallback: "fills",
  },
  year: {
    flag: "--year <year>",
    help: "only of this year (UTC); with --format koinly or cointracking",
    parse: (value: string) => (value === "" ? null : integer(2_020, 2_999)(value)),
  },
  excel: toggle(
    "--excel",
    "CSV for a spreadsheet: no cell is read as a formula, ids keep their digits, UTF-8 is recognized",
  ),
  explain: toggle("--explain", "every part of the score"),
} satisfies Record<string, OptionRow<unknown>>;

export type OptionName = keyof typeof ROWS;

/** Every option of every command, resolved. */
export type Options = { -readonly [K in OptionName]: ReturnType<(typeof ROWS)[K]["parse"]> };

type OptionTable = { readonly [K in OptionName]: Option<Options[K]> };
export const OPTIONS = Object.fromEntries(
  Object.entries(ROWS).map(([name, row]) => [name, { env: [], fallback: "", ...row }]),
) as unknown as OptionTable;

/** Market data of coins that are named without saying which. */
export const USUAL_STREAMS: readonly string[] = ["trades", "candle"];

/** Options every command takes. */
export const COMMON_OPTIONS: readonly OptionName[] = ["json", "logLevel", "color", "config"];

/** `--log-level <level>` → `log-level`: the key in a config file, and commander's name for it. */
export const optionKey = (name: OptionName): string => {
  const long = /--(?:no-)?([a-z-]+)/.exec(OPTIONS[name].flag);
  return long?.[1] ?? name;
};

export interface Sources {
  /** Texts from the command line, by option name. */
  flags: Partial<Record<OptionName, string>>;
  env: Readonly<Record<string, string | undefined>>;
  /** Content of `.env`, or null. */
  dotEnv: string | null;
  /** Reads the config file. */
  readFile(path: string): string;
  /** Unix milliseconds. */
  nowMs: number;
  /** What the command line alone may say, options of all commands apart: nothing that is set up for another purpose. */
  flagsOnly?: true;
  /** Other defaults than the table's. */
  defaults?: Partial<Record<OptionName, string>>;
}

/** Resolves the options a command takes. Throws `ConfigError`. */
export function resolveOptions(names: readonly OptionName[], sources: Sources): Options {
  const dotEnv = sources.dotEnv === null ? {} : parseEnv(sources.dotEnv);
  const file = readConfigFile(sources, dotEnv);
  const resolved: Partial<Record<OptionName, unknown>> = {};
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const option = OPTIONS[name];
    const found = names.includes(name) ? find(name, sources, dotEnv, file) : null;
    const { value, from } = found ?? { value: sources.defaults?.[name] ?? option.fallback, from: "default" };
    try {
      const parsed = option.parse(value);
      const refusal =
        option.isPast && typeof parsed === "number" ? futureRefusal(parsed, sources.nowMs) : null;
      if (refusal !== null) throw new Error(refusal);
      resolved[name] = parsed;
    } catch (error) {
      const why = errorText(error);
      const shown = option.secret ? "" : ` ${JSON.stringify(maskSecrets(value))}`;
      throw new ConfigError(`${from}${shown}: ${why}`);
    }
  }
  const options = resolved as unknown as Options;
  if (sources.env.NO_COLOR) options.color = false;
  return withMarketData(withEndpoints(options));
}

function find(
  name: OptionName,
  sources: Sources,
  dotEnv: Record<string, string | undefined>,
  file: Record<string, string>,
): { value: string; from: string } | null {
  const { env, flag: flagText } = OPTIONS[name];
  const flagValue = sources.flags[name];
  if (flagValue !== undefined) return { value: flagValue, from: flagText.split(" ")[0]! };
  if (sources.flagsOnly && !COMMON_OPTIONS.includes(name)) return null;
  for (const [where, values] of [
    ["", sources.env],
    [".env ", dotEnv],
  ] as const) {
    for (const variable of env) {
      const value = values[variable];
      if (value !== undefined && value !== "") return { value, from: `${where}${variable}` };
    }
  }
  const value = file[optionKey(name)];
  return value === undefined ? null : { value, from: `config file key ${JSON.stringify(optionKey(name))}` };
}

function readConfigFile(
  sources: Sources,
  dotEnv: Record<string, string | undefined>,
): Record<string, string> {
  const path = sources.flags.config || sources.env.HLSYNC_CONFIG || dotEnv.HLSYNC_CONFIG;
  if (!path) return {};
  let parsed: unknown;
  let text = "";
  try {
    text = withoutComments(sources.readFile(path));
    parsed = JSON.parse(text);
  } catch (error) {
    const why = error instanceof SyntaxError ? `is not JSON in line ${brokenLine(text)}` : "cannot be read";
    throw new ConfigError(`--config ${JSON.stringify(path)}: ${why}`, { cause: error });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new ConfigError(`--config ${JSON.stringify(path)}: an object of options was expected`);
  }
  const known = new Set((Object.keys(OPTIONS) as OptionName[]).map(optionKey));
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(parsed)) {
    const refuse = (why: string) => new ConfigError(`--config ${JSON.stringify(path)}: ${why}`);
    if (!known.has(key)) throw refuse(`unknown key ${JSON.stringify(key)}`);
    const values = (Array.isArray(value) ? value : [value]).filter((one) => one !== null);
    if (values.some((one) => typeof one === "object"))
      throw refuse(
        `key ${JSON.stringify(key)}: a text, a number, true, false or a list of these was expected`,
      );
    // Null is how JSON says that nothing is said.
    if (value !== null) texts[key] = values.join(",");
  }
  return texts;
}

/** JSON without `//` and block comments and without commas before a closing bracket; texts and lines stay as they are. */
const withoutComments = (json: string): string =>
  json
    .replace(
      /("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
      (comment, kept?: string) => kept ?? comment.replace(/[^\n]/g, ""),
    )
    .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, kept?: string) => kept ?? "");

/** The endpoints of the network, unless others were given. */
function withEndpoints(options: Options): Options {
  const { apiUrl, wsUrl } = NETWORKS[options.network];
  if (options.apiUrl === "") return { ...options, apiUrl, wsUrl: options.wsUrl || wsUrl };
  return { ...options, wsUrl: options.wsUrl || `${options.apiUrl.replace(/^http/, "ws")}/ws` };
}

/** Coins alone mean the usual streams; streams that need coins and have none are a mistake, not a wish for nothing. */
function withMarketData(options: Options): Options {
  const { markets, streams: chosen } = options;
  const ofMarkets = chosen.filter((name) => !ACCOUNT_STREAMS.some((known) => known === name));
  if (markets.length > 0)
    return ofMarkets.length > 0 ? options : { ...options, streams: [...chosen, ...USUAL_STREAMS] };
  const lost = ofMarkets.find((name) => name !== "allMids");
  if (lost !== undefined)
    throw new ConfigError(
      `--streams ${JSON.stringify(lost)}: say of which coins with --markets BTC,ETH or --markets all (HLSYNC_MARKETS)`,
    );
  return options;
}

/** `.env` of the working folder, or null. */
export function readDotEnv(): string | null {
  try {
    return readFileSync(".env", "utf8");
  } catch {
    return null;
  }
}
