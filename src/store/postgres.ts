/**
 * `Database` over the `pg` pool. Guarantees: unnamed statements only, no session state, at most `maxConnections`
 * connections; a connection that failed or whose statement was given up is closed, never reused; `close` ends within
 * `CLOSE_WITHIN_MS`, also where the server hangs; every failure is a `StoreError` that says in one line what is wrong
 * and what to do, with the password masked.
 *
 * The statement timeout runs in the client, because a pooler refuses the startup parameter and forgets `set`. What is
 * given up, by time-out, signal or `close`, is cancelled at the server. What that made of it is unknown; writes are
 * joins, so trying again is safe.
 */

import { connect as connectSocket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import { BusyError, StoreError } from "../errors.ts";
import { orAborted } from "../runtime/abort.ts";
import { type BackendKey, cancelStatement } from "./cancel.ts";
import { clientTo, cut, isBound, NOT_BOUND } from "./client.ts";
import type { Database, Patience, Row } from "./database.ts";
import { inSchema, PUBLIC } from "./schema.ts";
import { type Environment, parseTarget, type SessionAttributes, type Target } from "./target.ts";

export interface PostgresOptions {
  /** Connections held at most; further queries wait for one. */
  maxConnections?: number;
  /** Wait for a connection, new or pooled. */
  connectTimeoutMs?: number;
  /** Wait for the answer to a statement. */
  statementTimeoutMs?: number;
  /** Queries that may wait for a connection; the next one is refused with `BusyError`. */
  waitingMax?: number;
  /** Where the hl_* objects are, instead of `public`. */
  schema?: string;
  /** Where `PG…` variables are looked up; the process's own if absent. */
  environment?: Environment;
}

/** What `close` takes at most, statements under way included. */
export const CLOSE_WITHIN_MS = 400;

const OIDS_AS_NUMBER = new Set([20, 21, 23, 26, 700, 701]);
const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number) {
    if (OIDS_AS_NUMBER.has(oid)) return Number;
    if (oid === 16) return (text: string) => text === "t";
    if (oid === 114 || oid === 3802) return JSON.parse;
    return (text: string) => text;
  },
} as pg.CustomTypesConfig;

/**
 * SQLSTATEs after which the same statement may succeed: connection trouble (08), shutdown and start-up (57P0x), out of
 * resources (53), serialisation and deadlock (40001, 40P01), a standby that may be promoted (25006), lock and
 * statement timeouts (55P03, 57014).
 */
const isTransient = (sqlState: string): boolean =>
  /^(08|53)/.test(sqlState) || /^(57P0[1-5]|40001|40P01|25006|55P03|57014)$/.test(sqlState);

/** A table, a function or a schema of ours that is not there: what every command has looked for before it asks anything. */
const isGone = ({ code, message }: pg.DatabaseError): boolean =>
  /^(42P01|42883|3F000)$/.test(code ?? "") && /\bhl_\w/.test(message);
const GONE =
  ": the tables of hlsync are dropped or not restored yet; restore a backup while hlsync is stopped, then start it again";

/** The driver's word for a server that offers no TLS. */
const NO_TLS = /does not support SSL/i;

const BAD_HANDSHAKE = /:SSL routines:[^:]*:([^:]+):/;

/** SQLSTATE of a line of pg_hba.conf that says no: often to connections with TLS, or to those without. */
const REFUSED_KIND = "28000";

/** Context of what a function of ours says itself: its sentence needs no place. */
const OWN_SENTENCE = /^PL\/pgSQL function hl_internal\..* at RAISE$/;

/** SQLSTATE of "permission denied". */
export const NO_PRIVILEGE = "42501";

const UNREACHABLE: Record<string, string> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "name cannot be resolved now",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "no answer",
  ECONNRESET: "connection reset",
  EPIPE: "connection closed",
  ENOENT: "no such socket",
  EACCES: "socket not accessible",
};

/** Happy eyeballs reports one error per address, wrapped; the first one speaks for all. */
function rootOf(error: unknown): Error & { code?: string } {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return rootOf(error.errors[0]);
  return error instanceof Error ? error : new Error(String(error));
}

/** What is at the other end: another protocol, or silence; `closed` may well be a PostgreSQL that stops. */
type Speech = "postgres" | "other" | "silent" | "closed";

/** Asks the way every PostgreSQL (and pooler) must understand, whether it is one at all: SSLRequest → `S`, `N` or `E`. */
function whatAnswers(host: string, port: number, timeoutMs: number): Promise<Speech> {
  if (host.startsWith("/")) return Promise.resolve("postgres");
  return new Promise((resolve) => {
    const socket = connectSocket({ host, port });
    const finish = (speech: Speech) => {
      socket.destroy();
      resolve(speech);
    };
    socket.setTimeout(timeoutMs, () => finish("silent"));
    socket.once("connect", () => socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])));
    socket.once("data", (data) =>
      finish("SNE".includes(String.fromCharCode(data[0]!)) ? "postgres" : "other"),
    );
    socket.once("error", () => finish("closed"));
    socket.once("close", () => finish("closed"));
  });
}

/** What a session is, in libpq's words where it is not what was asked for. */
const LACKING: Record<SessionAttributes, [isMet: string, otherwise: string]> = {
  "read-write": ["not read_only", "it takes no writes"],
  "read-only": ["read_only", "it takes writes"],
  primary: ["not standby", "it is a standby"],
  standby: ["standby", "it is no standby"],
};

class OtherServerError extends Error {}

/** Looks at each new connection, as libpq does: whether it is what was asked for. */
const verifier =
  (target: Target) =>
  (client: pg.PoolClient, done: (error?: Error) => void): void => {
    lackOf(client, target).then((lack) => done(lack === null ? undefined : new OtherServerError(lack)), done);
  };

async function lackOf(client: pg.PoolClient, { attributes, mustBind }: Target): Promise<string | null> {
  if (mustBind && !isBound(client)) return NOT_BOUND;
  if (attributes === null) return null;
  const [isMet, otherwise] = LACKING[attributes];
  const { rows } = await client.query<{ met: boolean }>(
    `select ${isMet} as met from (
       select pg_catalog.pg_is_in_recovery() as standby, pg_catalog.current_setting('transaction_read_only')::boolean as read_only) s`,
  );
  return rows[0]?.met ? null : `target_session_attrs=${attributes}: ${otherwise}`;
}

const keyOf = (client: pg.PoolClient): BackendKey => {
  const { processID: processId, secretKey: secret } = client as unknown as {
    processID: number;
    secretKey: number;
  };
  return { processId, secret };
};

class PostgresDatabase implements Database {
  readonly #target: Target;
  readonly #pool: pg.Pool;
  readonly #maxConnections: number;
  readonly #connectTimeoutMs: number;
  readonly #statementTimeoutMs: number;
  readonly #waitingMax: number;
  readonly #schema: string;
  /** Connections, those that are being made included. */
  readonly #clients = new Set<pg.Client>();
  /** Those with a statement under way. */
  readonly #asked = new Set<pg.PoolClient>();
  /** Asked of the pool by readers that have left since: they are in its queue and wait for nothing. */
  #abandoned = 0;
  /** The server was found to refuse the kind of connection that is tried first, and another will do. */
  #otherTls: false | ConnectionOptions | null = null;
  #closing: Promise<void> | null = null;

  constructor(target: Target, options: PostgresOptions) {
    this.#target = target;
    this.#maxConnections = options.maxConnections ?? 4;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
    this.#statementTimeoutMs = options.statementTimeoutMs ?? 60_000;
    this.#waitingMax = options.waitingMax ?? Number.POSITIVE_INFINITY;
    this.#schema = options.schema ?? PUBLIC;
    const clients = this.#clients;
    const otherTls = () => this.#otherTls;
    this.#pool = new pg.Pool({
      ...target.config,
      Client: class extends clientTo(target) {
        constructor(config?: pg.ClientConfig) {
          // The pool hides the password from a copy.
          const secret = target.password ? { password: target.password } : {};
          const ssl = otherTls();
          super(ssl === null ? config : { ...config, ...secret, ssl });
          clients.add(this);
          this.once("end", () => clients.delete(this));
        }
      },
      max: this.#maxConnections,
      connectionTimeoutMillis: this.#connectTimeoutMs,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      types,
      ...((target.attributes !== null || target.mustBind) && { verify: verifier(target) }),
    });
    // An idle connection broke: the pool drops it and the next query opens another.
    this.#pool.on("error", () => {});
  }

  async query<R extends Row = Row>(
    sql: string,
    params?: readonly unknown[],
    { signal, timeoutMs = this.#statementTimeoutMs }: Patience = {},
  ): Promise<R[]> {
    if (this.#closing) throw new StoreError(`${this.describe()} is closed`, { transient: false });
    const client = await this.#connection(signal);
    const giveUp = new AbortController();
    const late = setTimeout(() => giveUp.abort(this.#lateError(timeoutMs)), timeoutMs);
    const onAbort = () => giveUp.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    let failed: Error | undefined;
    // Between two answers the connection can break without a query to tell; unheard, that would end the process.
    const onError = (error: Error) => {
      failed = error;
    };
    client.on("error", onError);
    this.#asked.add(client);
    try {
      const statement = client.query<R>(inSchema(sql, this.#schema), params as unknown[] | undefined);
      const result: pg.QueryResult<R> | pg.QueryResult<R>[] = await orAborted(statement, giveUp.signal);
      return Array.isArray(result) ? (result.at(-1)?.rows ?? []) : result.rows;
    } catch (error) {
      if (giveUp.signal.aborted) throw giveUp.signal.reason;
      const explained = this.#explainQuery(error);
      if (explained.sqlState === null || explained.transient) failed = explained;
      throw explained;
    } finally {
      clearTimeout(late);
      signal?.removeEventListener("abort", onAbort);
      if (giveUp.signal.aborted) void this.#giveUp(client);
      else {
        this.#asked.delete(client);
        client.off("error", onError);
        client.release(failed ?? false);
      }
    }
  }

  async #connection(signal: AbortSignal | undefined, isFirst = true): Promise<pg.PoolClient> {
    signal?.throwIfAborted();
    if (this.#pool.waitingCount - this.#abandoned >= this.#waitingMax)
      throw new BusyError(`${this.#waitingMax} queries wait for the database already`);
    const connecting = this.#pool.connect();
    try {
      return await orAborted(connecting, signal);
    } catch (error) {
      if (!signal?.aborted && isFirst && this.#mayTryOtherTls(error)) return this.#connectOtherwise(signal);
      if (!signal?.aborted) throw await this.#explainConnect(error);
      this.#abandoned++;
      void connecting
        .then(
          (client) => client.release(),
          () => {},
        )
        .finally(() => this.#abandoned--);
      throw signal.reason;
    }
  }

  /** As libpq has it: `prefer` does without TLS, and `allow` takes it, where the server refuses what was tried first. */
  #mayTryOtherTls(error: unknown): boolean {
    const { message, code = "" } = rootOf(error);
    if (this.#target.fallbackTls !== null) return code === REFUSED_KIND;
    return (
      this.#target.mayBePlain &&
      (NO_TLS.test(message) || code === REFUSED_KIND || BAD_HANDSHAKE.test(message))
    );
  }

  async #connectOtherwise(signal: AbortSignal | undefined): Promise<pg.PoolClient> {
    const before = this.#otherTls;
    this.#otherTls = this.#target.fallbackTls ?? false;
    try {
      return await this.#connection(signal, false);
    } catch (error) {
      this.#otherTls = before;
      throw error;
    }
  }

  /** The request to cancel could hit the next statement of this connection: it has none. */
  async #giveUp(client: pg.PoolClient): Promise<void> {
    await cancelStatement(this.#target, keyOf(client));
    this.#asked.delete(client);
    client.release(true);
  }

  #lateError(timeoutMs: number): StoreError {
    return this.#storeError(
      `no answer from PostgreSQL at ${this.#target.place} within ${timeoutMs} ms`,
      undefined,
      true,
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const late = setTimeout(() => {
      for (const client of this.#asked) void cancelStatement(this.#target, keyOf(client));
    }, CLOSE_WITHIN_MS / 2);
    const tooLate = setTimeout(() => this.#clients.forEach(cut), CLOSE_WITHIN_MS - 50);
    await this.#pool.end();
    clearTimeout(late);
    clearTimeout(tooLate);
  }

  describe(): string {
    return this.#target.described;
  }

  async #explainConnect(error: unknown): Promise<StoreError> {
    const { place, config } = this.#target;
    const root = rootOf(error);
    const code = root.code ?? "";
    if (/^[0-9A-Z]{5}$/.test(code) && root instanceof pg.DatabaseError)
      return this.#explainRefusal(root, code);
    if (root instanceof OtherServerError || root.message === NOT_BOUND)
      return this.#storeError(
        `PostgreSQL at ${place} is not what was asked for: ${root.message}`,
        error,
        // A standby may be promoted, and a primary be replaced.
        root.message !== NOT_BOUND,
      );
    if (code in UNREACHABLE)
      return this.#storeError(
        `cannot reach PostgreSQL at ${place}: ${UNREACHABLE[code]}. Is it running, and is the address right (--database, DATABASE_URL)?`,
        error,
        true,
      );
    if (NO_TLS.test(root.message))
      return this.#storeError(
        `PostgreSQL at ${place} does not offer TLS: use sslmode=disable in the database URL if that is acceptable`,
        error,
        false,
      );
    if (/^timeout exceeded/i.test(root.message) && this.#pool.totalCount >= this.#maxConnections)
      return this.#storeError(
        `all ${this.#maxConnections} connections to ${place} were busy for ${this.#connectTimeoutMs} ms`,
        error,
        true,
      );
    const broken = BAD_HANDSHAKE.exec(root.message)?.[1];
    if (broken !== undefined)
      return this.#storeError(
        `what answers at ${place} speaks no TLS that can be understood: ${broken} (sslmode)`,
        error,
        true,
      );
    if (/certificate|self.signed/i.test(root.message))
      return this.#storeError(
        `the TLS certificate of ${place} was not accepted: ${root.message} (sslmode, sslrootcert)`,
        error,
        false,
      );
    const speech = await whatAnswers(String(config.host), Number(config.port), this.#connectTimeoutMs);
    if (speech === "other" || speech === "silent")
      return this.#storeError(
        `what answers at ${place} is not a PostgreSQL server${speech === "silent" ? ", or one that hangs" : ""}: check host and port (--database, DATABASE_URL)`,
        error,
        speech === "silent",
      );
    return this.#storeError(`cannot connect to PostgreSQL at ${place}: ${root.message}`, error, true);
  }

  /** The server answered, and said no. */
  #explainRefusal(root: Error, sqlState: string): StoreError {
    const { place, config } = this.#target;
    const texts: Record<string, string> = {
      "28P01": `PostgreSQL at ${place} refused user ${config.user ?? "(default)"}: wrong password (--database, DATABASE_URL)`,
      "28000": `PostgreSQL at ${place} refused user ${config.user ?? "(default)"}: ${root.message}`,
      // What PgBouncer says of a wrong password, user or database alike.
      "08P01": `the pooler at ${place} refused the connection: ${root.message}. Check user, password and database name (--database, DATABASE_URL)`,
      "3D000": `there is no database ${config.database ?? "(default)"} at ${place}: create it or correct the name (--database, DATABASE_URL)`,
    };
    return this.#storeError(
      texts[sqlState] ?? `PostgreSQL at ${place} refused the connection: ${root.message} (${sqlState})`,
      root,
      isTransient(sqlState),
      sqlState,
    );
  }

  #explainQuery(error: unknown): StoreError {
    const root = rootOf(error);
    if (root instanceof pg.DatabaseError && root.code !== undefined) {
      const [context = ""] = (root.where ?? "").split("\n");
      const where = context === "" || OWN_SENTENCE.test(context) ? "" : ` [${context}]`;
      const message = `${root.message} (${root.code})${where}${isGone(root) ? GONE : ""}`;
      return this.#storeError(message, error, isTransient(root.code), root.code, isUsersRule(root));
    }
    return this.#storeError(
      `lost the connection to PostgreSQL at ${this.#target.place}: ${UNREACHABLE[root.code ?? ""] ?? root.message}`,
      error,
      true,
    );
  }

  #storeError(
    message: string,
    cause: unknown,
    transient: boolean,
    sqlState?: string,
    usersRule = false,
  ): StoreError {
    const { password } = this.#target;
    let line = message.replace(/\s+/g, " ").trim();
    // Shorter ones are too likely to be part of an innocent word.
    if (password.length >= 4) line = line.replaceAll(password, "***");
    return new StoreError(line, {
      cause,
      transient,
      usersRule,
      ...(sqlState === undefined ? {} : { sqlState }),
    });
  }
}

/**
 * Whether a rule of the user's said no: a policy of row security, or a function of theirs behind a trigger or CHECK, which
 * may raise any code. The first function that the context names is where the error arose; the words around it are translated.
 */
function isUsersRule({ where, routine }: pg.DatabaseError): boolean {
  const name = /^PL\/.*?([\w.$]+)["(]/m.exec(where ?? "")?.[1];
  const isOthers = name !== undefined && !/^(hl_internal\.|(\w+\.)?hl_)/.test(name);
  return isOthers || routine === "ExecWithCheckOptions";
}

/** Connects lazily: the first query tells whether the database can be reached. Throws `ConfigError` for a bad URL. */
export function openPostgres(url: string, options: PostgresOptions = {}): Database {
  return new PostgresDatabase(parseTarget(url, options.environment), options);
}
