/** A command in this process, over options as the command line gives them: for what needs no process of its own. */
import { type Command, exitCodeOf } from "../../src/cli/command.ts";
import { loadCommand } from "../../src/cli/commands/index.ts";
import { COMMON_OPTIONS, OPTIONS, type OptionName, resolveOptions } from "../../src/config.ts";
import { errorText } from "../../src/errors.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { Lifecycle } from "../../src/runtime/lifecycle.ts";
import { createLog, type Log, silentLog } from "../../src/runtime/log.ts";
import type { Finished } from "./cli.ts";

export interface Ran {
  code: number;
  /** Lines of data. */
  lines: string[];
  /** The one line of a failure; else empty. */
  error: string;
}

const STOP_WITHIN_MS = 9_000;

export async function runInProcess(
  command: Command,
  flags: Partial<Record<OptionName, string>>,
  args: readonly string[] = [],
  log: Log = silentLog,
): Promise<Ran> {
  const lifecycle = new Lifecycle(systemClock, log);
  const lines: string[] = [];
  try {
    const options = resolveOptions([...command.options, "schema", ...COMMON_OPTIONS], {
      flags,
      env: {},
      dotEnv: null,
      readFile: () => "",
      nowMs: systemClock.now(),
    });
    command.check?.({ options, args, clock: systemClock });
    const code = await command.run({
      options,
      args,
      clock: systemClock,
      log,
      lifecycle,
      color: false,
      print: (line) => lines.push(line),
      printScript: (text) => lines.push(text),
      commands: async () => [],
      signal: new AbortController().signal,
    });
    return { code, lines, error: "" };
  } catch (error) {
    return { code: exitCodeOf(error), lines, error: errorText(error) };
  } finally {
    await lifecycle.stopAll(STOP_WITHIN_MS);
  }
}

/** As `hlsync` of `cli.ts` does, without a process: half a second less. A command that is to go on needs one. */
export async function hlsyncHere([name = "", ...given]: readonly string[]): Promise<Finished> {
  const command = await loadCommand(name);
  if (command === null) throw new Error(`no command ${name}`);
  const said: string[] = [];
  const { flags, args } = parsed(given);
  const { logLevel: level } = resolveOptions(["logLevel"], {
    flags,
    env: {},
    dotEnv: null,
    readFile: () => "",
    nowMs: systemClock.now(),
  });
  const log = createLog({ level, json: false, clock: systemClock, sink: (line) => said.push(line) });
  const { code, lines, error } = await runInProcess(command, flags, args, log);
  const stderr = error === "" ? said : [...said, `hlsync: ${error}`];
  return { code, stdout: text(lines), stderr: text(stderr) };
}

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

function parsed(given: readonly string[]) {
  const flags: Partial<Record<OptionName, string>> = {};
  const args: string[] = [];
  const words = given[Symbol.iterator]();
  for (const word of words) {
    const found = Object.entries(OPTIONS).find(([, { flag }]) => flag.split(" ")[0] === word);
    if (found === undefined) {
      args.push(word);
      continue;
    }
    const [name, { flag }] = found as [OptionName, (typeof found)[1]];
    const value = flag.includes("<") ? String(words.next().value) : "true";
    // As commander does with those that may come more than once.
    flags[name] = flags[name] === undefined ? value : `${flags[name]},${value}`;
  }
  return { flags, args };
}
