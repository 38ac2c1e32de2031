/**
 * The program: reads the command line through the option table, runs one command, turns its outcome into an exit
 * code. Guarantees: stdout is data, stderr is logs and errors; an error is one line (a stack only with
 * `--log-level debug`); the first SIGINT or SIGTERM stops in order and ends the process within `STOP_WITHIN_MS`, in
 * whatever state it is, the second one at once. A signal is heard when the event loop turns.
 */
import { readFileSync } from "node:fs";
import { Command as Program } from "commander";
import {
  COMMON_OPTIONS,
  OPTIONS,
  type OptionName,
  type Options,
  readDotEnv,
  resolveOptions,
} from "../config.ts";
import { errorText } from "../errors.ts";
import { systemClock } from "../runtime/clock.ts";
import { finishedInTime, Lifecycle, STOP_WITHIN_MS } from "../runtime/lifecycle.ts";
import { createLog } from "../runtime/log.ts";
import { loggable, visible, visiblePainted } from "../runtime/safeText.ts";
import { programVersion } from "../runtime/version.ts";
import { type Command, EXIT, exitCodeOf } from "./command.ts";
import { loadCommand, loadCommands } from "./commands/index.ts";
import { lastDemo } from "./lastDemo.ts";
import { refuseAliases } from "./names.ts";

const SIGNAL_EXIT: Record<string, number> = { SIGINT: 130, SIGTERM: 143 };

/** Runs `argv` (without node and script) and sets the process's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const fail = (line: string) => process.stderr.write(`hlsync: ${loggable(line.replace(/^error: /, ""))}\n`);
  const program = new Program("hlsync")
    .description("Your Hyperliquid account in your own Postgres: real time, complete, and proven.")
    .version(programVersion(), "-V, --version")
    .showHelpAfterError(false)
    .configureOutput({ outputError: (text) => fail(text.trim()) })
    .exitOverride();
  let exitCode: number = EXIT.ok;
  let readerLeft = false;
  for (const command of await commandsFor(argv)) {
    const nameAndArgs = command.args === undefined ? command.name : `${command.name} ${command.args}`;
    const sub = program.command(nameAndArgs).description(command.summary);
    for (const name of [...command.options, ...COMMON_OPTIONS]) addOption(sub, name, command);
    sub.action(async () => {
      const ending = listenForSignals();
      exitCode = await runCommand(command, { flags: flagsOf(sub.opts()), args: sub.args, fail }, ending);
      if (readerLeft && exitCode === SIGNAL_EXIT.SIGTERM) exitCode = EXIT.ok;
      ending.over(exitCode);
    });
  }
  // A pipe that closes early (`hlsync tail | head`) ends the program quietly and in order.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") process.exit(EXIT.unexpected);
    if (readerLeft) return;
    readerLeft = true;
    if (!process.emit("SIGTERM", "SIGTERM")) process.exit(EXIT.ok);
  });
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    // Commander has said what was wrong; help and version come this way too, with exit code 0.
    const code = (error as { exitCode?: number }).exitCode;
    exitCode = code === undefined ? EXIT.unexpected : code === 0 ? EXIT.ok : EXIT.usage;
    if (code === undefined) fail(errorText(error));
  }
  process.exitCode = exitCode;
}

/** The one that is called; all for the help and for a name that is none; none for the version. */
async function commandsFor([name = ""]: readonly string[]): Promise<readonly Command[]> {
  if (["-V", "--version"].includes(name)) return [];
  const called = await loadCommand(name);
  return called === null ? loadCommands() : [called];
}

function addOption(program: Program, name: OptionName, { flagsOnly, defaults }: Command): void {
  const { flag, help, env, repeatable } = OPTIONS[name];
  const fallback = defaults?.[name] ?? OPTIONS[name].fallback;
  const isFlagOnly = flagsOnly && !COMMON_OPTIONS.includes(name);
  const notes = [
    env.length > 0 && !isFlagOnly ? env.join(", ") : "",
    takesValue(name) && fallback !== "" ? `default ${fallback}` : "",
  ];
  const note = notes.filter((part) => part !== "").join("; ");
  const collect = (value: string, before: string | undefined) =>
    before === undefined ? value : `${before},${value}`;
  const text = note === "" ? help : `${help} (${note})`;
  if (repeatable) program.option(flag, text, collect);
  else program.option(flag, text);
}

const takesValue = (name: OptionName): boolean => OPTIONS[name].flag.includes("<");

/** Commander's camel-cased values back to texts, by option name. `--no-x` arrives as `x: false`, absent as `x: true`. */
function flagsOf(given: Record<string, unknown>): Partial<Record<OptionName, string>> {
  const flags: Partial<Record<OptionName, string>> = {};
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const value = given[name];
    const negated = OPTIONS[name].flag.startsWith("--no-");
    if (value !== undefined && !(negated && value === true)) flags[name] = String(value);
  }
  return flags;
}

interface Invocation {
  flags: Partial<Record<OptionName, string>>;
  args: readonly string[];
  /** One line for the person who called. */
  fail(line: string): void;
}

async function runCommand(
  command: Command,
  { flags, args, fail }: Invocation,
  ending: Ending,
): Promise<number> {
  const { signal } = ending;
  let lifecycle: Lifecycle | null = null;
  let debug = false;
  try {
    const options = optionsOf(command, flags);
    debug = options.logLevel === "debug";
    const log = createLog({
      level: options.logLevel,
      json: options.json,
      clock: systemClock,
      sink: (line) => process.stderr.write(`${line}\n`),
    });
    lifecycle = new Lifecycle(systemClock, log);
    if (command.addressesOnly !== undefined) refuseAliases(options, command.addressesOnly);
    command.check?.({ options, args, clock: systemClock });
    const color = options.color && process.stdout.isTTY === true;
    const shown = color ? visiblePainted : visible;
    const work = command.run({
      options,
      args,
      log,
      clock: systemClock,
      print: (line) => process.stdout.write(`${shown(line)}\n`),
      printScript: (text) => process.stdout.write(`${text.trimEnd()}\n`),
      signal,
      lifecycle,
      color,
      commands: loadCommands,
    });
    return await finishedInTime(work, signal, systemClock);
  } catch (error) {
    if (ending.exitCode !== null) return ending.exitCode;
    fail(errorText(error));
    ending.abort(error);
    if (debug && error instanceof Error && error.stack)
      for (const line of error.stack.split("\n")) process.stderr.write(`${loggable(line)}\n`);
    return exitCodeOf(error);
  } finally {
    await lifecycle?.stopAll(ending.leftMs());
  }
}

/** From all sources; a command that finds the demo has it for its default when nothing else is named. */
function optionsOf(command: Command, flags: Invocation["flags"]): Options {
  const resolved = (defaults: Command["defaults"] = {}) =>
    resolveOptions([...command.options, ...COMMON_OPTIONS], {
      flags,
      env: process.env,
      dotEnv: readDotEnv(),
      readFile: (path) => readFileSync(path, "utf8"),
      nowMs: systemClock.now(),
      ...(command.flagsOnly ? { flagsOnly: true } : {}),
      defaults,
    });
  const options = resolved(command.defaults);
  const demo = command.findsDemo ? lastDemo(options) : null;
  if (demo === null) return options;
  const missing = options.account.length > 0 ? "no database" : "no account and no database";
  process.stderr.write(`hlsync: ${missing} named: the demo in ${demo.database}\n`);
  return resolved({ ...command.defaults, ...demo });
}

interface Ending {
  /** Aborted by the first signal, and when the command has failed. */
  signal: AbortSignal;
  /** Ends what goes on beside a command that failed: it would keep the process. */
  abort(reason: unknown): void;
  /** Of the signal that came; null before. */
  readonly exitCode: number | null;
  /** Time for stopping in order. */
  leftMs(): number;
  /** All is stopped: after a signal, nothing that still waits somewhere keeps the process. */
  over(exitCode: number): void;
}

/** Kept for the process's own end. */
const LAST_WORDS_MS = 500;

/** The first signal aborts, and starts the time after which the process ends come what may; the second ends it. */
function listenForSignals(): Ending {
  const abort = new AbortController();
  let exitCode: number | null = null;
  let deadlineMs: number | null = null;
  const onSignal = (name: NodeJS.Signals) => {
    if (exitCode !== null) process.exit(SIGNAL_EXIT[name]);
    exitCode = SIGNAL_EXIT[name] ?? EXIT.unexpected;
    deadlineMs = systemClock.now() + STOP_WITHIN_MS;
    systemClock.after(STOP_WITHIN_MS, () => process.exit(exitCode));
    abort.abort(new Error(name));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: abort.signal,
    abort: (reason) => abort.abort(reason),
    get exitCode() {
      return exitCode;
    },
    leftMs: () => (deadlineMs === null ? STOP_WITHIN_MS : deadlineMs - systemClock.now()) - LAST_WORDS_MS,
    over(code) {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
      // What was printed is given to its reader first; one that does not read is waited for until the deadline.
      if (exitCode !== null) process.stdout.write("", () => process.exit(code));
    },
  };
}
