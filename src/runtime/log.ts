/**
 * Structured logs. Guarantees: goes to one sink (stderr in the program), never to stdout; a line is one line of visible
 * text, with every value under a key that names a secret, and everything that looks like one, masked (`safeText.ts`); a value
 * that cannot be written down costs its own words only.
 */
import type { Clock } from "./clock.ts";
import { isSecretKey, maskSecrets, visible } from "./safeText.ts";

export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"] as const;
type LogLevel = (typeof LOG_LEVELS)[number];
type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A log whose lines all carry `fields`. */
  with(fields: LogFields): Log;
}

/** Safe inside, whatever it holds: errors by their message, what JSON has no word for as text. */
const safeValue = (key: string, value: unknown): unknown => {
  if (isSecretKey(key)) return "***";
  if (value instanceof Error) return maskSecrets(value.message);
  if (typeof value === "string") return maskSecrets(value);
  return typeof value === "bigint" ? String(value) : value;
};

/** Undefined for what JSON leaves out. */
function jsonOf(key: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(safeValue(key, value), safeValue);
  } catch {
    return '"(cannot be written down)"';
  }
}

const PLAIN = /^[^\s"=]+$/;
function show(key: string, value: unknown): string {
  const safe = safeValue(key, value);
  const isWord = typeof safe === "string" && !(value instanceof Error) && PLAIN.test(safe);
  return isWord ? safe : (jsonOf(key, value) ?? "undefined");
}

interface LogOptions {
  level: LogLevel;
  json: boolean;
  clock: Clock;
  sink(line: string): void;
}

export function createLog(options: LogOptions, bound: LogFields = {}): Log {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const write = (level: LogLevel, message: string, fields: LogFields = {}) => {
    if (LOG_LEVELS.indexOf(level) > threshold) return;
    const time = new Date(options.clock.now()).toISOString();
    const all = Object.entries({ ...bound, ...fields });
    if (options.json) {
      const parts = [...Object.entries({ time, level, message }), ...all].flatMap(([key, value]) => {
        const text = jsonOf(key, value);
        return text === undefined ? [] : [`${JSON.stringify(key)}:${text}`];
      });
      options.sink(visible(`{${parts.join(",")}}`));
    } else {
      const tail = all.map(([key, value]) => ` ${key}=${show(key, value)}`).join("");
      options.sink(visible(`${time.slice(11, 23)} ${level.padEnd(5)} ${maskSecrets(message)}${tail}`));
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
