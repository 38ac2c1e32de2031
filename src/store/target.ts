/**
 * Where a database is and how to get in: a `postgres://` URL read as libpq reads it. Guarantees: what the URL says wins,
 * then the service it names, then the `PG…` variables of the environment that is passed in; nothing else is looked at,
 * so with an empty environment the URL alone counts, whatever the shell has set. An error never repeats the URL, which
 * may hold a password.
 *
 * What asks for more safety than can be given here (several hosts, Kerberos, `require_auth` …) is refused, never passed over.
 * Not taken from libpq: its time-out, and what would change how values are written (`PGDATESTYLE`, `PGCLIENTENCODING`): those
 * are ISO and UTF-8, whatever the role or the environment says.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { ConfigError } from "../errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Target {
  config: {
    host: string;
    port: number;
    user?: string;
    password?: string;
    database?: string;
    ssl: false | ConnectionOptions;
    sslnegotiation: "postgres" | "direct";
  };
  /** TLS is taken where the server offers it, and done without where it does not: `sslmode=prefer`. */
  mayBePlain: boolean;
  /** What is tried where the server refuses a connection without TLS: `sslmode=allow`. */
  fallbackTls: ConnectionOptions | null;
  /** What a new connection must find: libpq's `target_session_attrs`; null where any server will do. */
  attributes: SessionAttributes | null;
  /** The password is proven to this server alone: libpq's `channel_binding=require`. */
  mustBind: boolean;
  /** Settings that a new connection sends to the server. */
  startup: Readonly<Record<string, string>>;
  /** host:port, or the socket folder. */
  place: string;
  described: string;
  password: string;
}

/** libpq's keywords and their variables. */
const VARIABLES = {
  host: "PGHOST",
  port: "PGPORT",
  dbname: "PGDATABASE",
  user: "PGUSER",
  password: "PGPASSWORD",
  service: "PGSERVICE",
  sslmode: "PGSSLMODE",
  sslnegotiation: "PGSSLNEGOTIATION",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  options: "PGOPTIONS",
  application_name: "PGAPPNAME",
  hostaddr: "PGHOSTADDR",
  target_session_attrs: "PGTARGETSESSIONATTRS",
  channel_binding: "PGCHANNELBINDING",
  ssl_min_protocol_version: "PGSSLMINPROTOCOLVERSION",
  ssl_max_protocol_version: "PGSSLMAXPROTOCOLVERSION",
  sslcrl: "PGSSLCRL",
  sslcrldir: "PGSSLCRLDIR",
  sslcertmode: "PGSSLCERTMODE",
  require_auth: "PGREQUIREAUTH",
  requirepeer: "PGREQUIREPEER",
  gssencmode: "PGGSSENCMODE",
} as const;
type Keyword = keyof typeof VARIABLES;

/** What a server must not be without, and cannot be asked for here: left unsaid, the connection would be less than was asked for. */
const BEYOND: Partial<Record<Keyword, RegExp>> = {
  sslcrldir: /./,
  sslcertmode: /^require$/,
  require_auth: /./,
  requirepeer: /./,
  gssencmode: /^require$/,
};

const SESSION_ATTRIBUTES = ["read-write", "read-only", "primary", "standby"] as const;
export type SessionAttributes = (typeof SESSION_ATTRIBUTES)[number];

/** Settings of the session that libpq takes from the environment. */
const SESSION_VARIABLES = { PGTZ: "TimeZone", PGGEQO: "geqo" } as const;

type Say = (keyword: Keyword) => string;

/** Throws `ConfigError`. */
export function parseTarget(text: string, environment: Environment = process.env): Target {
  const say = sayingsOf(text, environment);
  refuseBeyond(say);
  const host = say("host") || say("hostaddr") || "localhost";
  const port = Number(say("port") || 5432);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new ConfigError("the port of the database is no number (--database, DATABASE_URL, PGPORT)");
  const place = host.startsWith("/") ? host : `${host}:${port}`;
  const user = say("user") || systemUser();
  const password = say("password");
  const database = say("dbname") || user;
  const { mayBePlain, isPlain } = wishOf(host, say);
  const tls = tlsOf(host, say);
  const ssl = isPlain ? false : tls;
  const address = say("hostaddr") || host;
  const session = Object.entries(SESSION_VARIABLES).flatMap(([variable, setting]) => {
    const value = environment[variable];
    return value ? [[setting, value] as const] : [];
  });
  const options = say("options");
  return {
    place,
    password,
    mayBePlain,
    fallbackTls: isPlain && tls !== false ? tls : null,
    attributes: attributesOf(say),
    mustBind: oneOf("channel_binding", ["prefer", "disable", "require"], say) === "require",
    described: `postgres://${user}${password ? ":***" : ""}${user ? "@" : ""}${place}/${database}`,
    startup: {
      ...(user ? { user } : {}),
      ...(database ? { database } : {}),
      application_name: say("application_name") || "hlsync",
      DateStyle: "ISO",
      ...(options ? { options } : {}),
      ...Object.fromEntries(session),
    },
    config: {
      host: address,
      port,
      ...(user ? { user } : {}),
      ...(password ? { password } : {}),
      ...(database ? { database } : {}),
      // Of an address the certificate does not tell; where it is a name, the driver asks for that.
      ssl: ssl !== false && address !== host ? { ...ssl, servername: host } : ssl,
      sslnegotiation: negotiationOf(host, say),
    },
  };
}

/** What is said under each keyword; empty where nothing is. */
function sayingsOf(text: string, environment: Environment): Say {
  const inUrl = readUrl(text);
  const service = inUrl.service || environment.PGSERVICE || "";
  const inService = service === "" ? {} : readService(service, environment);
  return (keyword) => inUrl[keyword] ?? inService[keyword] ?? environment[VARIABLES[keyword]] ?? "";
}

type Sayings = Partial<Record<string, string>>;

function readUrl(text: string): Sayings {
  let url: URL;
  const sayings: Sayings = {};
  refuseUnencoded(text);
  try {
    url = new URL(text);
    const { hostname, port, username, password, pathname } = url;
    const before = {
      host: hostname.replace(/^\[|\]$/g, ""),
      port,
      user: username,
      password,
      dbname: pathname.slice(1),
    };
    for (const [keyword, value] of Object.entries(before))
      if (value !== "") sayings[keyword] = decodeURIComponent(value);
  } catch (cause) {
    throw new ConfigError(
      "the database URL cannot be read: write postgres://user:password@host:port/database and percent-encode " +
        "special characters of the password (--database, DATABASE_URL)",
      { cause },
    );
  }
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:")
    throw new ConfigError(`not a PostgreSQL URL: ${url.protocol}// (--database, DATABASE_URL)`);
  // As libpq has it, what stands behind the question mark wins.
  for (const [keyword, value] of url.searchParams) sayings[keyword] = value;
  return sayings;
}

/** What ends the host where it stands in a password, so that the rest of it would be taken for something that may be shown. */
const ENDS_HOST: Record<string, string> = { "#": "%23", "/": "%2F", "?": "%3F" };

function refuseUnencoded(text: string): void {
  const [, authority = "", rest = ""] = /^[a-z]+:\/\/([^#/?]*)(.*)$/is.exec(text) ?? [];
  const end = rest.slice(0, 1);
  // Behind the host no @ is needed; before it, one that comes later means that the password was cut.
  if (end === "#" || (end !== "" && !authority.includes("@") && rest.includes("@")))
    throw new ConfigError(
      `a ${end} in the password of the database URL must be written ${ENDS_HOST[end]}: percent-encode special characters (--database, DATABASE_URL)`,
    );
}

/** One section of the service file: `key=value` lines under `[name]`. */
function readService(name: string, environment: Environment): Sayings {
  const files = [
    environment.PGSERVICEFILE || join(homedir(), ".pg_service.conf"),
    ...(environment.PGSYSCONFDIR ? [join(environment.PGSYSCONFDIR, "pg_service.conf")] : []),
  ];
  for (const file of files.filter((path) => existsSync(path))) {
    const section = sectionOf(readFileSync(file, "utf8"), name);
    if (section !== null) return section;
  }
  throw new ConfigError(
    `there is no service ${JSON.stringify(name)} in ${files.join(" or ")} (PGSERVICE, PGSERVICEFILE, or service= in the database URL)`,
  );
}

function sectionOf(text: string, name: string): Sayings | null {
  let section: Sayings | null = null;
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (line.startsWith("[")) {
      if (section !== null) break;
      if (line === `[${name}]`) section = {};
    } else if (section !== null && line !== "" && !line.startsWith("#")) {
      const [key = "", ...value] = line.split("=");
      section[key.trim()] = value.join("=").trim();
    }
  }
  return section;
}

function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's uid without a name.
    return "";
  }
}

export const isSupabase = (host: string): boolean => /\.supabase\.(co|com|net)$/.test(host);

/** How much TLS is asked for: as libpq's `sslmode`; without one `prefer`, and of Supabase `require`. */
interface TlsWish {
  host: string;
  mode: string;
  /** Nothing is encrypted, unless the server insists on it. */
  isPlain: boolean;
  /** Nor is it where the server offers no TLS. */
  mayBePlain: boolean;
  rootCertificate: string;
}

export const tlsWishOf = (text: string, environment: Environment = process.env): TlsWish => {
  const say = sayingsOf(text, environment);
  return wishOf(say("host") || "localhost", say);
};

function wishOf(host: string, say: Say): TlsWish {
  const mode = say("sslmode") || (isSupabase(host) ? "require" : "prefer");
  const isPlain = host.startsWith("/") || mode === "disable" || mode === "allow";
  const mayBePlain = !isPlain && mode === "prefer" && !isSupabase(host);
  return { host, mode, isPlain, mayBePlain, rootCertificate: say("sslrootcert") };
}

function tlsOf(host: string, say: Say): false | ConnectionOptions {
  const { mode, rootCertificate } = wishOf(host, say);
  if (!["disable", "allow", "prefer", "require", "verify-ca", "verify-full"].includes(mode))
    throw new ConfigError(
      `unknown sslmode ${JSON.stringify(mode)} (database URL, PGSSLMODE): use disable, allow, prefer, require, verify-ca or verify-full`,
    );
  if (host.startsWith("/") || mode === "disable") return false;
  const [cert, key, crl] = [say("sslcert"), say("sslkey"), say("sslcrl")];
  const client = {
    ...(cert ? { cert: readPem("sslcert", cert) } : {}),
    ...(key ? { key: readPem("sslkey", key) } : {}),
    ...(crl ? { crl: readPem("sslcrl", crl) } : {}),
    ...versionOf("ssl_min_protocol_version", "minVersion", say),
    ...versionOf("ssl_max_protocol_version", "maxVersion", say),
  };
  const isChecked = mode.startsWith("verify-") || (mode === "require" && rootCertificate !== "");
  if (!isChecked) return { rejectUnauthorized: false, ...client };
  return {
    ...client,
    ...(rootCertificate && rootCertificate !== "system"
      ? { ca: readPem("sslrootcert", rootCertificate) }
      : {}),
    ...(mode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
  };
}

const TLS_VERSIONS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;

function versionOf(
  keyword: "ssl_min_protocol_version" | "ssl_max_protocol_version",
  option: "minVersion" | "maxVersion",
  say: Say,
): ConnectionOptions {
  return say(keyword) === "" ? {} : { [option]: oneOf(keyword, TLS_VERSIONS, say) };
}

/** As libpq has it, TLS that may be left out cannot be begun with. */
function negotiationOf(host: string, say: Say): "postgres" | "direct" {
  const value = oneOf("sslnegotiation", ["postgres", "direct"] as const, say);
  const { mode } = wishOf(host, say);
  if (value === "direct" && !["require", "verify-ca", "verify-full"].includes(mode))
    throw new ConfigError(
      `sslnegotiation=direct goes with sslmode=require, verify-ca or verify-full, not with ${mode} (database URL, PGSSLNEGOTIATION, PGSSLMODE)`,
    );
  // A socket of this machine knows no TLS.
  return host.startsWith("/") ? "postgres" : value;
}

/** The first one where nothing is said. */
function oneOf<T extends string>(keyword: Keyword, known: readonly [T, ...T[]], say: Say): T {
  const value = say(keyword) || known[0];
  const found = known.find((one) => one === value);
  if (found === undefined)
    throw new ConfigError(
      `unknown ${keyword} ${JSON.stringify(value)} (database URL, ${VARIABLES[keyword]}): use ${known.join(", ")}`,
    );
  return found;
}

function attributesOf(say: Say): SessionAttributes | null {
  const value = oneOf("target_session_attrs", ["any", "prefer-standby", ...SESSION_ATTRIBUTES], say);
  return SESSION_ATTRIBUTES.find((one) => one === value) ?? null;
}

function refuseBeyond(say: Say): void {
  for (const [keyword, restricts] of Object.entries(BEYOND) as [Keyword, RegExp][])
    if (restricts.test(say(keyword)))
      throw new ConfigError(
        `${keyword} ${JSON.stringify(say(keyword))} cannot be kept to (database URL, ${VARIABLES[keyword]}): leave it out, or connect through what does`,
      );
  for (const keyword of ["host", "hostaddr", "port"] as const)
    if (say(keyword).includes(",") && !say(keyword).startsWith("/"))
      throw new ConfigError(
        `several servers cannot be tried in turn (${keyword} of the database URL, ${VARIABLES[keyword]}): name one, or a proxy that knows which is the primary`,
      );
}

function readPem(keyword: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`cannot read ${keyword} ${path} of the database URL or environment`, { cause });
  }
  // Else it would count as no certificate at all, and every server's be refused.
  if (!text.includes("-----BEGIN "))
    throw new ConfigError(`${keyword} ${path} of the database URL or environment is not in PEM format`);
  return text;
}
