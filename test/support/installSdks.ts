/**
 * Installs what `test/package.json` names, where it is not there yet: clients of the venue that others wrote. Types, tests and
 * benchmarks need them; with them `npm ci` in the checkout would take three times as long, before a newcomer sees the demo.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../", import.meta.url);
const lock = readFileSync(new URL("package-lock.json", FOLDER), "utf8");
/** What was installed last, written when all of it is there. */
const stamp = new URL("node_modules/.installed", FOLDER);

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lock) {
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: fileURLToPath(FOLDER),
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  writeFileSync(stamp, lock);
}
