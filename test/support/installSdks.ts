/**
 * Installs what `test/package.json` names, where it is not there yet: clients of the venue that others wrote. Types, tests and
 * benchmarks need them; with them `npm ci` in the checkout would take three times as long, before a newcomer sees the demo.
 */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../", import.meta.url);
const changedMs = (path: string): number =>
  statSync(new URL(path, FOLDER), { throwIfNoEntry: false })?.mtimeMs ?? 0;

// npm writes the hidden one when all of it is there.
if (changedMs("node_modules/.package-lock.json") <= changedMs("package-lock.json"))
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: fileURLToPath(FOLDER),
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
