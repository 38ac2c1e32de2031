/**
 * The program as it is published, for the whole check: bundled, and laid out as in the package. So is what users run tested,
 * and a start takes half of the time. A test file that is run by itself starts the sources.
 */
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { buildProgram } from "../../build.ts";

const CHECKOUT = join(import.meta.dirname, "../..");

/** Into a new folder; answers what Node is to run. */
export async function layOutProgram(folder: string): Promise<string> {
  mkdirSync(folder);
  for (const path of ["bin", "package.json"])
    cpSync(join(CHECKOUT, path), join(folder, path), { recursive: true });
  // Of the page the sources too: it is built by whoever serves it first.
  for (const path of ["dashboard", "migrations", "node_modules", "sql"])
    symlinkSync(join(CHECKOUT, path), join(folder, path));
  await buildProgram(join(folder, "dist"));
  return join(folder, "bin", "hlsync.js");
}
