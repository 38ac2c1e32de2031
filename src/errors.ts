/**
 * The closed error family. The class decides what happens, in one place per class:
 *
 * | class            | what the caller does                                         |
 * |------------------|--------------------------------------------------------------|
 * | `TransportError` | retry with back-off (the answer is *unknown*, never *empty*) |
 * | `RateLimitError` | the same, not before `retryAfterMs`                          |
 * | `ProtocolError`  | quarantine the raw payload, count it, go on                  |
 * | `StoreError`     | retry when `transient`; quarantine the row when `refusesContent`; else stop |
 * | `DeliveryError`  | the outbox schedules the next attempt                        |
 * | `ConfigError`    | exit 2; the message names the flag and the variable          |
 * | `InvariantError` | a bug: stop, never swallow                                   |
 *
 * Abort is not an error. A message says what happened, with the offending value, then what to do; whatever it quotes, it is one
 * line of visible text without secrets.
 */
import { loggable } from "./runtime/safeText.ts";

export abstract class HlsyncError extends Error {
  abstract readonly code: string;
  constructor(message: string, options?: ErrorOptions) {
    super(loggable(message), options);
    this.name = new.target.name;
  }
}

export class TransportError extends HlsyncError {
  readonly code: string = "TRANSPORT";
  /** HTTP status where the venue answered, else null (refused, reset, timed out, unreadable body). */
  readonly status: number | null;
  constructor(message: string, options?: ErrorOptions & { status?: number }) {
    super(message, options);
    this.status = options?.status ?? null;
  }
}

export class RateLimitError extends TransportError {
  override readonly code = "RATE_LIMIT";
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs: number) {
    super(message, { status: 429 });
    this.retryAfterMs = retryAfterMs;
  }
}

export class ProtocolError extends HlsyncError {
  readonly code = "PROTOCOL";
  /** What could not be understood, for quarantine. */
  readonly raw: unknown;
  /** The request itself was refused: there is no answer. */
  readonly isRefusal: boolean;
  constructor(message: string, raw: unknown, options?: ErrorOptions & { isRefusal?: boolean }) {
    super(message, options);
    this.raw = raw;
    this.isRefusal = options?.isRefusal ?? false;
  }
}

/** The venue refuses the very question: an endpoint that does not know it. An answer that cannot be read is none of that. */
export const isRefused = (error: unknown): boolean => error instanceof ProtocolError && error.isRefusal;

/** The venue answered, and not with what was asked for: an answer that never came, or a full budget, says nothing. */
export const isAnswered = (error: unknown): error is ProtocolError | TransportError =>
  error instanceof ProtocolError ||
  (error instanceof TransportError && error.status !== null && !(error instanceof RateLimitError));

export class StoreError extends HlsyncError {
  readonly code: string = "STORE";
  /** True when the same statement may succeed later: connection lost, starting up, out of connections, deadlock. */
  readonly transient: boolean;
  readonly sqlState: string | null;
  /**
   * Whether the database refuses what is in a row: bad data (22), a broken constraint (23), a view's own condition (44), a
   * limit of the program (54), an error that a trigger raises (P0, and the codes that people use for it), or any rule of the user's.
   */
  get refusesContent(): boolean {
    if (this.transient) return false;
    return this.#usersRule || /^(22|23|44|45|54|P0)/.test(this.sqlState ?? "");
  }
  /**
   * Whether the database is there and says no: to what is in a row, or to the statement itself (0A: not supported, 25: read-only or
   * broken transaction, 2B: others depend on it, 3F: no such schema, 42: privilege, syntax, a table that is not there, 55: not in the
   * state for it).
   */
  get isRefusal(): boolean {
    return (
      this.refusesContent ||
      (!this.transient && /^(0A|2B|3F|55)/.test(this.sqlState ?? "")) ||
      /^(25|42)/.test(this.sqlState ?? "")
    );
  }
  readonly #usersRule: boolean;
  constructor(
    message: string,
    options: ErrorOptions & { transient: boolean; sqlState?: string; usersRule?: boolean },
  ) {
    super(message, options);
    this.transient = options.transient;
    this.sqlState = options.sqlState ?? null;
    this.#usersRule = options.usersRule ?? false;
  }
}

/** As many wait for the database as may: it was not asked. */
export class BusyError extends StoreError {
  override readonly code = "BUSY";
  constructor(message: string) {
    super(message, { transient: true });
  }
}

/** The database's schema is older or newer than this program can serve: exit 3. */
export class MigrationError extends HlsyncError {
  readonly code = "MIGRATION";
}

export class DeliveryError extends HlsyncError {
  readonly code = "DELIVERY";
}

export class ConfigError extends HlsyncError {
  readonly code = "CONFIG";
}

export class InvariantError extends HlsyncError {
  readonly code = "INVARIANT";
}

/** What happened, of whatever was thrown. */
export const errorText = (error: unknown): string =>
  error instanceof HlsyncError
    ? error.message
    : loggable(error instanceof Error ? error.message : String(error));

/** What stands behind an error: `fetch` hides what went wrong behind "fetch failed", and that of several addresses has no words. */
export function rootMessage(error: unknown): string {
  const inner =
    error instanceof AggregateError ? error.errors[0] : error instanceof Error ? error.cause : null;
  if (inner instanceof Error) return rootMessage(inner);
  return error instanceof Error ? error.message : String(error);
}
