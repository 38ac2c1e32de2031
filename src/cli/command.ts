/**
 * What a command is: a name, the options it takes, and what it does. Exit codes are fixed (design §4) and live here.
 */
import type { OptionName, Options } from "../config.ts";
import { ConfigError, MigrationError, ProtocolError, StoreError, TransportError } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Lifecycle } from "../runtime/lifecycle.ts";
import type { Log } from "../runtime/log.ts";

export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  migration: 3,
  drift: 4,
  venue: 5,
  database: 6,
  refused: 7,
} as const;

/** Which exit code an error means. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT.usage;
  if (error instanceof MigrationError) return EXIT.migration;
  if (error instanceof StoreError) return error.isRefusal ? EXIT.refused : EXIT.database;
  if (error instanceof TransportError || error instanceof ProtocolError) return EXIT.venue;
  return EXIT.unexpected;
}

export interface Context {
  options: Options;
  /** The venue is a model, and nothing of what it tells is real: said on the page. */
  simulated?: boolean;
  /** What stood on the command line besides options, for commands that take `args`. */
  args: readonly string[];
  clock: Clock;
  log: Log;
  /** One line of data on stdout, of visible text. */
  print(line: string): void;
  /** A text of hlsync's own on stdout, exactly as it is. */
  printScript(text: string): void;
  /** Aborted by the first SIGINT or SIGTERM. A command that goes on regardless is left behind. */
  signal: AbortSignal;
  /** What was added is stopped when the command is over, however it ends, and within seconds of a signal. */
  lifecycle: Lifecycle;
  /** Every command of the program, in the order of `--help`. */
  commands(): Promise<readonly Command[]>;
  /** Whether stdout is a terminal that shows colors. */
  color: boolean;
}

export interface Command {
  name: string;
  summary: string;
  /** Positional arguments as commander writes them: `<action> [values...]`. */
  args?: string;
  options: readonly OptionName[];
  /** True when its own options come from the command line alone: what is set up for real accounts is not for it. */
  flagsOnly?: true;
  /** Other defaults than the option table's. */
  defaults?: Partial<Record<OptionName, string>>;
  /** Why accounts must be named by their addresses: it asks no database whose an alias is. */
  addressesOnly?: string;
  /** True when it looks at the last demo of the working folder where neither an account nor a database is named. */
  findsDemo?: true;
  /** Refuses, with a `ConfigError`, what cannot work, before anything is made, opened or asked. */
  check?(context: Pick<Context, "options" | "args" | "clock">): void;
  /** Resolves with the exit code; throws what `exitCodeOf` knows. */
  run(context: Context): Promise<number>;
}

/** The accounts to follow; a command that needs them fails here when there are none. */
export function requireAccounts({ account }: Options): Options["account"] {
  if (account.length === 0) {
    throw new ConfigError("no account given: use --account 0x… or set HLSYNC_ACCOUNTS");
  }
  return account;
}
