/** The version of this program, and which of two versions is the older one (semver's order). */
import { readFileSync } from "node:fs";
import { packageFile } from "./packageFile.ts";

/** As package.json says. */
export function programVersion(): string {
  const manifest = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as {
    version: string;
  };
  return manifest.version;
}

/** Negative when `a` is older than `b`, 0 when they are the same version. A pre-release is older than its release. */
export function compareVersions(a: string, b: string): number {
  const [aRelease, aPre] = partsOf(a);
  const [bRelease, bPre] = partsOf(b);
  const byRelease = compareLists(aRelease, bRelease);
  if (byRelease !== 0 || aPre.length === 0 || bPre.length === 0)
    return byRelease || bPre.length - aPre.length;
  return compareLists(aPre, bPre);
}

function partsOf(version: string): [release: string[], preRelease: string[]] {
  const [release = "", ...pre] = version.replace(/\+.*/s, "").split("-");
  return [release.split("."), pre.length === 0 ? [] : pre.join("-").split(".")];
}

/** Numbers by value and before words, words by bytes; what goes on after an equal beginning is greater. */
function compareLists(a: readonly string[], b: readonly string[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (right === undefined) return 1;
    const [leftNumber, rightNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)];
    if (leftNumber && rightNumber && Number(left) !== Number(right)) return Number(left) - Number(right);
    if (leftNumber !== rightNumber) return leftNumber ? -1 : 1;
    if (!leftNumber && left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}
