/**
 * ClickHouse over HTTP: its own interface, through `fetch`. Guarantees: what is inserted is on its shard when the promise
 * resolves; what passes by itself (no answer, 5xx without a word of ClickHouse, too many parts) is tried again, a bounded number
 * of times, and may then be inserted twice, which replaces itself; the password stands in a header, and in no message.
 */
import { ConfigError, rootMessage, StoreError } from "../errors.ts";
import { fullJitterMs, REQUEST_BACKOFF } from "../runtime/backoff.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { DEFAULT_DATABASE, plainName } from "./ddl.ts";
import { type ClickHouse, jsonLines, Refused, rowsOfLines, tabSeparated } from "./engine.ts";

interface Server {
  url: string;
  headers: Record<string, string>;
  database: string;
}

const PORTS = { "http:": "8123", "https:": "8443" } as const;

/** `clickhouse://user:password@host:8123/database`, `clickhouses://` for TLS; null for what is no such URL. */
export function clickHouseServer(text: string): Server | null {
  const scheme = /^(clickhouses?|https?):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return null;
  const isSafe = scheme === "clickhouses" || scheme === "https";
  const protocol = isSafe ? "https:" : "http:";
  const http = text.replace(/^[a-z]+:/i, protocol);
  if (!URL.canParse(http))
    throw new ConfigError("--into: expected clickhouse://user:password@host:8123/database");
  const { hostname, port, username, password, pathname } = new URL(http);
  const database = decodeURIComponent(pathname.replace(/^\/+|\/+$/g, "")) || DEFAULT_DATABASE;
  if (plainName(database) === null)
    throw new ConfigError(`--into: a database named ${database} is not supported`);
  return {
    url: `${protocol}//${hostname}:${port || PORTS[protocol]}/`,
    headers: {
      "x-clickhouse-user": decodeURIComponent(username) || "default",
      ...(password === "" ? {} : { "x-clickhouse-key": decodeURIComponent(password) }),
    },
    database,
  };
}

interface HttpDeps {
  /** `fetch`. */
  send: typeof globalThis.fetch;
  clock: Clock;
  random: Random;
  signal: AbortSignal;
}

const ATTEMPTS = 6;
/** Of an error's text. */
const ERROR_TEXT_MAX = 500;
/** Numbers of ClickHouse's errors that pass: too many queries, too many parts, no replica in reach, out of memory now. */
const PASSING = new Set(["202", "252", "279", "241", "242", "319"]);
/** An answer that tells an error of ClickHouse carries its number here. */
const ERROR_HEADER = "x-clickhouse-exception-code";
const SETTINGS = {
  // A cluster's shards have it before it is acknowledged.
  distributed_foreground_insert: "1",
  // Otherwise an error after the first block of an answer looks like data.
  wait_end_of_query: "1",
};

export function openClickHouse({ url, headers }: Server, deps: HttpDeps): ClickHouse {
  const post = (sql: string, body: Buffer | null): Promise<Response> => {
    const query = new URLSearchParams({ ...SETTINGS, ...(body === null ? {} : { query: sql }) });
    return patiently(deps, () =>
      answered(
        url,
        deps.send(`${url}?${query}`, {
          method: "POST",
          headers,
          signal: deps.signal,
          body: new Uint8Array(body ?? Buffer.from(sql)),
        }),
      ),
    );
  };
  const insert = async (table: string, format: string, body: Buffer) => {
    await (await post(`INSERT INTO ${table} FORMAT ${format}`, body)).arrayBuffer();
  };
  return {
    async run(sql) {
      await (await post(sql, null)).arrayBuffer();
    },
    async rows<T>(sql: string) {
      return rowsOfLines<T>(await (await post(`${sql} FORMAT JSONEachRow`, null)).text());
    },
    insertLines: (table, lines) => insert(table, "TabSeparated", tabSeparated(lines)),
    insertRows: (table, rows) => insert(table, "JSONEachRow", Buffer.from(jsonLines(rows))),
    async *read(sql, format) {
      const response = await post(`${sql} FORMAT ${format}`, null);
      for await (const part of response.body ?? []) yield Buffer.from(part);
    },
    async close() {},
  };
}

async function answered(url: string, sending: Promise<Response>): Promise<Response> {
  let response: Response;
  try {
    response = await sending;
  } catch (cause) {
    throw new StoreError(`no answer from ClickHouse at ${url}: ${rootMessage(cause)}`, {
      transient: true,
      cause,
    });
  }
  if (response.ok) return response;
  const code = response.headers.get(ERROR_HEADER);
  const text = (await response.text()).slice(0, ERROR_TEXT_MAX).trim();
  const message = `ClickHouse at ${url} answered ${response.status}: ${text}`;
  if (response.status === 401 || response.status === 403 || code === "516")
    throw new ConfigError(`${message} (user and password stand in --into clickhouse://user:password@…)`);
  const isPassing = code === null ? response.status >= 500 : PASSING.has(code);
  if (isPassing) throw new StoreError(message, { transient: true });
  throw new Refused(message, code === null ? null : Number(code));
}

async function patiently<T>({ clock, random, signal }: HttpDeps, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StoreError) || attempt === ATTEMPTS) throw error;
      await clock.sleep(fullJitterMs(random, attempt - 1, REQUEST_BACKOFF), signal);
    }
  }
}
