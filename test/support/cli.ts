/**
 * The program as users run it: real processes with real pipes. Guarantees: `stop` and the test's end leave no process
 * behind; waiting is for conditions, never for a length of time, and fails with what was printed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS } from "./until.ts";

/** What Node runs: the bundled program where the whole check has made it, else the sources. */
export const PROGRAM =
  process.env.HLSYNC_TEST_PROGRAM || fileURLToPath(new URL("../../bin/hlsync.js", import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Waits until a line of stdout satisfies `pick`; its result. */
  line<T>(pick: (line: string) => T | undefined, waitMs?: number): Promise<T>;
  /** Waits until stderr holds a match; its text. */
  complaint(pattern: RegExp, waitMs?: number): Promise<string>;
  /** Waits for the end of the process. */
  finished(waitMs?: number): Promise<Finished>;
  /** SIGTERM unless told otherwise, then waits. */
  stop(signal?: NodeJS.Signals): Promise<Finished>;
}

const running = new Set<ChildProcess>();
const killAll = () => {
  for (const child of running) child.kill("SIGKILL");
};
process.on("exit", killAll);
// A test that failed half-way leaves its processes running, and these would keep the test's own process alive.
after(killAll);

export interface StartOptions {
  /** Working folder; a `.env` there is read by the program. */
  cwd?: string;
  env?: Record<string, string>;
  /** Another program than `PROGRAM`. */
  bin?: string;
  /** Another user than the test's, where that is root. */
  uid?: number;
}

/** Variables of the test's own environment that would change what the program does. */
const OWN = /^(HLSYNC_|DATABASE_URL$|SUPABASE_DB_URL$|ACCOUNT_ADDRESS$|NO_COLOR$|FORCE_COLOR$|NODE_TEST)/;

export function start(args: readonly string[], { cwd, env, bin = PROGRAM, uid }: StartOptions = {}): Running {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !OWN.test(key)));
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    env: { ...inherited, ...env },
    ...(uid !== undefined && { uid, gid: uid }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const out = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const watcher of [...watchers]) watcher();
  };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      out[name] += text;
      changed();
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => {
      running.delete(child);
      resolve();
      changed();
    });
  });
  const said = () => `\nstdout: ${out.stdout.slice(-2_000)}\nstderr: ${out.stderr.slice(-2_000)}`;

  const finished = async (waitMs = PATIENCE_MS): Promise<Finished> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`hlsync ${args.join(" ")} did not end${said()}`)), waitMs);
    });
    await Promise.race([ended, late]).finally(() => clearTimeout(timer));
    return { code: child.exitCode, ...out };
  };

  /** Looks again whenever something was printed. */
  const until = <T>(what: string, waitMs = PATIENCE_MS, look: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        watchers.delete(again);
      };
      const fail = (why: string) => {
        done();
        reject(new Error(`hlsync ${args.join(" ")}: ${why}${said()}`));
      };
      const again = () => {
        const found = look();
        if (found !== undefined) {
          done();
          resolve(found);
        } else if (child.exitCode !== null || child.signalCode !== null) fail("ended first");
      };
      const timer = setTimeout(() => fail(`${what} did not come`), waitMs);
      watchers.add(again);
      again();
    });

  return {
    child,
    stdout: () => out.stdout,
    stderr: () => out.stderr,
    line(pick, waitMs) {
      let read = 0;
      return until("the line", waitMs, () => {
        for (let end = out.stdout.indexOf("\n", read); end >= 0; end = out.stdout.indexOf("\n", read)) {
          const found = pick(out.stdout.slice(read, end));
          read = end + 1;
          if (found !== undefined) return found;
        }
        return undefined;
      });
    },
    complaint: (pattern, waitMs) =>
      until(String(pattern), waitMs, () => pattern.exec(out.stderr)?.[0] ?? undefined),
    finished,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return finished();
    },
  };
}

/** Runs to the end. */
export const hlsync = (args: readonly string[], options?: StartOptions): Promise<Finished> =>
  start(args, options).finished();

/** `line` pick for NDJSON: the object when it has this type. */
export const ofType =
  (type: string) =>
  (line: string): Record<string, unknown> | undefined => {
    const value = line.startsWith("{") ? (JSON.parse(line) as Record<string, unknown>) : undefined;
    return value?.type === type ? value : undefined;
  };

/** Starts the simulated exchange and waits until it listens. */
export async function simulate(...args: string[]): Promise<Running & { apiUrl: string }> {
  const process = start(["simulate", "--port", "0", "--json", "--log-level", "warn", ...args]);
  const { apiUrl } = await process.line(ofType("simulator"));
  return { ...process, apiUrl: String(apiUrl) };
}
