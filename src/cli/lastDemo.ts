/**
 * Where the last `demo` of this folder is: it says so when it starts, and commands that read find it when they are given
 * neither an address nor a database, and this folder has no database of its own. Assumes one demo at a time in a folder;
 * of two, the later one is found.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { OPTIONS, type OptionName, type Options } from "../config.ts";

export const DEMO_DATABASE = "./.hlsync/demo";
const NOTE = `${DEMO_DATABASE}.json`;
const KEYS = ["account", "database", "apiUrl", "wsUrl", "weight"] as const satisfies readonly OptionName[];

/** Options, by name, as they would stand on the command line. */
type DemoOptions = Record<(typeof KEYS)[number], string>;

/** Only a demo in its usual folder is found again: of any other, the user has to know the folder anyway. */
export function noteDemo(options: DemoOptions): void {
  if (options.database !== DEMO_DATABASE) return;
  mkdirSync(dirname(NOTE), { recursive: true });
  writeFileSync(NOTE, `${JSON.stringify(options)}\n`);
}

/** Null when something else was named, or there is none. */
export function lastDemo({ account, database }: Pick<Options, "account" | "database">): DemoOptions | null {
  if (
    account.some(({ address }) => address !== "") ||
    database !== OPTIONS.database.fallback ||
    existsSync(database)
  )
    return null;
  try {
    const noted = JSON.parse(readFileSync(NOTE, "utf8")) as Partial<Record<string, unknown>>;
    return KEYS.every((key) => typeof noted[key] === "string") && existsSync(DEMO_DATABASE)
      ? (noted as DemoOptions)
      : null;
  } catch {
    return null;
  }
}
