/** A command in this process, over options as the command line gives them: for what needs no process of its own. */
import { type Command, exitCodeOf } from "../../src/cli/command.ts";
import { COMMON_OPTIONS, type OptionName, resolveOptions } from "../../src/config.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { Lifecycle } from "../../src/runtime/lifecycle.ts";
import { silentLog } from "../../src/runtime/log.ts";

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
): Promise<Ran> {
  const lifecycle = new Lifecycle(systemClock, silentLog);
  const lines: string[] = [];
  try {
    const options = resolveOptions([...command.options, "schema", ...COMMON_OPTIONS], {
      ...{ flags, env: {}, dotEnv: null },
      readFile: () => "",
    });
    command.check?.({ options, args });
    const code = await command.run({
      ...{ options, args, clock: systemClock, log: silentLog, lifecycle, color: false },
      print: (line) => lines.push(line),
      printScript: (text) => lines.push(text),
      commands: async () => [],
      signal: new AbortController().signal,
    });
    return { code, lines, error: "" };
  } catch (error) {
    return { code: exitCodeOf(error), lines, error: error instanceof Error ? error.message : String(error) };
  } finally {
    await lifecycle.stopAll(STOP_WITHIN_MS);
  }
}
