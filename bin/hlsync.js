#!/usr/bin/env node
// Runs the sources in a checkout and the build in a published package. Kept in plain JavaScript that any
// Node understands, so that an old Node gets one clear line instead of a syntax error.
import { existsSync } from "node:fs";
import * as module from "node:module";
import { setFlagsFromString } from "node:v8";

const sources = new URL("../src/cli/main.ts", import.meta.url);
const built = new URL("../dist/cli/main.js", import.meta.url);
const isCheckout = existsSync(sources);
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  const remedy = isCheckout
    ? "use `npx hlsync` or `npm run -s hlsync --`, which bring their own"
    : "install a newer one from https://nodejs.org";
  process.stderr.write(`hlsync: needs Node 22.18 or newer, this is ${process.version}: ${remedy}\n`);
  process.exit(2);
}
// Compiled modules are kept in the user's temporary folder (Node's own cache): a start takes half as long.
module.enableCompileCache?.();
const program = isCheckout ? sources : built;
const argv = process.argv.slice(2);
// What follows for months keeps its heap small: with ten accounts 40 MB live, and V8 would take 100 MB for young objects and
// twice as much as lives for old ones. Before the program is loaded, since room that was taken stays. Not `demo`, which first
// makes three months as fast as it can.
if (["run", "monitor", "sync"].includes(argv[0]))
  for (const flag of ["--heap-growing-percent=30", "--semi-space-growth-factor=1"]) setFlagsFromString(flag);
if (argv.length === 1 && ["-V", "--version"].includes(argv[0])) {
  // All that the program is made of takes several times as long to load.
  const version = new URL(isCheckout ? "../runtime/version.ts" : "../runtime/version.js", program);
  const { programVersion } = await import(version.href);
  process.stdout.write(`${programVersion()}\n`);
} else {
  const { main } = await import(program.href);
  await main(argv);
}
