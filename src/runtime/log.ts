/**
 * Structured logs. Guarantees: goes to one sink (stderr in the program), never to stdout; every value under a key
 * that names a secret, and every password inside a URL, is masked before it reaches the sink.
 */
import type { Clock } from "./clock.ts";

export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A log whose lines all carry `fields`. */
  with(fields: LogFields): Log;
}

const SECRET_KEY = /secret|password|token$|authorization|api.?key/i;
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@]+(@)/gi;
/** As libpq takes it: `postgres://host/db?user=me&password=…`. */
const PARAMETER_PASSWORD = /([?&](?:ssl)?password=)[^\s&'"]+/gi;

/** Text with the password of every URL in it replaced by `***`. */
export const maskUrls = (text: string): string =>
  text.replace(URL_PASSWORD, "$1***$2").replace(PARAMETER_PASSWORD, "$1***");

function show(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(maskUrls(value.message));
  if (typeof value === "string") {
    const masked = maskUrls(value);
    return /^[^\s"=]+$/.test(masked) ? masked : JSON.stringify(masked);
  }
  return maskUrls(JSON.stringify(value) ?? "undefined");
}

export interface LogOptions {
  level: LogLevel;
  json: boolean;
  clock: Clock;
  sink(line: string): void;
}

export function createLog(options: LogOptions, bound: LogFields = {}): Log {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const write = (level: LogLevel, message: string, fields: LogFields = {}) => {
    if (LOG_LEVELS.indexOf(level) > threshold) return;
    const all: Record<string, unknown> = {};
    for (const [key, value] of Object.entries({ ...bound, ...fields })) {
      all[key] = SECRET_KEY.test(key) ? "***" : value;
    }
    const time = new Date(options.clock.now()).toISOString();
    if (options.json) {
      const safe = Object.fromEntries(
        Object.entries(all).map(([k, v]) => [
          k,
          v instanceof Error ? maskUrls(v.message) : typeof v === "string" ? maskUrls(v) : v,
        ]),
      );
      options.sink(JSON.stringify({ time, level, message: maskUrls(message), ...safe }));
    } else {
      const tail = Object.entries(all).map(([k, v]) => ` ${k}=${show(v)}`);
      options.sink(`${time.slice(11, 23)} ${level.padEnd(5)} ${maskUrls(message)}${tail.join("")}`);
    }
  };
  return {
    error: (message, fields) => write("error", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    info: (message, fields) => write("info", message, fields),
    debug: (message, fields) => write("debug", message, fields),
    with: (fields) => createLog(options, { ...bound, ...fields }),
  };
}

/** A log that writes nothing: for tests and for library use. */
export const silentLog: Log = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  with: () => silentLog,
};
