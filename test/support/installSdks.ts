/**
 * Installs what `test/package.json` names, where it is not there yet: clients of the venue that others wrote. Types, tests and
 * benchmarks need them; with them `npm ci` in the checkout would take three times as long, before a newcomer sees the demo.
 */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../", import.meta.url);
const wanted = new URL("package-lock.json", FOLDER);
/** npm writes it when all is installed. */
const installed = new URL("node_modules/.package-lock.json", FOLDER);

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(wanted).mtimeMs) {
  const isWindows = process.platform === "win32";
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: fileURLToPath(FOLDER),
    stdio: ["ignore", "ignore", "inherit"],
    shell: isWindows,
  });
}
