/**
 * Bundles the program for the package: the command line and what `exports` names, each beside the types that tsc wrote. What
 * they share is in pieces of its own, so that a command loads what it needs in a few files, not in two hundred: a start takes
 * half of what the sources take. Packages stay outside of it, but for zod: all of it, with the words of fifty languages, is
 * loaded by whoever imports it, and a bundle has the tenth that is used.
 */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PACKAGE = new URL("./", import.meta.url);
const SOURCES = new URL("src/", PACKAGE);
/** The command line has its version apart: it is asked for alone. */
export const ENTRIES = [
  "cli/main.ts",
  "runtime/version.ts",
  "index.ts",
  "protocol/index.ts",
  "simulator/index.ts",
  "supabase.ts",
];

const BUNDLED = "zod";

/** Into an absolute folder. */
export async function buildProgram(folder: string): Promise<void> {
  await build({
    absWorkingDir: fileURLToPath(SOURCES),
    entryPoints: ENTRIES,
    outbase: ".",
    outdir: folder,
    chunkNames: "parts/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    packages: "external",
    // What is named by its file is no package.
    alias: { [BUNDLED]: fileURLToPath(import.meta.resolve(BUNDLED)) },
    legalComments: "none",
    logLevel: "warning",
  });
  // Its license wants to go with it.
  copyFileSync(new URL(`node_modules/${BUNDLED}/LICENSE`, PACKAGE), join(folder, `LICENSE.${BUNDLED}`));
}

if (import.meta.main) await buildProgram(fileURLToPath(new URL("dist", PACKAGE)));
