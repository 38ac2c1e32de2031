/**
 * A database as the store sees it: text in, rows out. Guarantees of an implementation: every call is one round trip
 * in one transaction of its own, without session state, so it works behind a transaction pooler; rejections are
 * `StoreError` with a one-line message that holds no password.
 *
 * Values come back as: bigint, integer and float as number (the venue's ids are below 2^53), boolean as boolean,
 * json and jsonb parsed, everything else (numeric and timestamps too) as the server's text.
 */
export type Row = Record<string, unknown>;

export interface Patience {
  /** Gives the statement up, at the server too; the call rejects with its reason. */
  signal?: AbortSignal;
  /** Gives it up after this long; the connection's own limit if absent. */
  timeoutMs?: number;
}

/** What may be asked. */
export interface Queryable {
  /** Without `params` the text may hold several statements (one transaction); the rows of the last one come back. */
  query<R extends Row = Row>(sql: string, params?: readonly unknown[], patience?: Patience): Promise<R[]>;
}

/** The same database for an asker who may leave: its questions are then cancelled. */
export const askedBy = (db: Queryable, signal: AbortSignal): Queryable => ({
  query: (sql, params, patience) => db.query(sql, params, { ...patience, signal }),
});

/** What was opened, and must be closed. */
export interface Database extends Queryable {
  close(): Promise<void>;
  /** Where it is, for people: `postgres://user:***@host:5432/name`. */
  describe(): string;
}
