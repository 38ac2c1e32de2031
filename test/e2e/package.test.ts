/** The package as npm packs and installs it, and the checkout as a user with an older Node runs it. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ENTRIES } from "../../build.ts";
import { start } from "../support/cli.ts";
import { temporaryFolder } from "../support/postgres.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));
const { version } = JSON.parse(readFileSync(join(CHECKOUT, "package.json"), "utf8")) as { version: string };

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program with this Node first in the PATH, or with `nodeFolder` before everything else. */
function execute(command: string, args: string[], cwd: string, nodeFolder = dirname(process.execPath)) {
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.startsWith(join(CHECKOUT, "node_modules")));
  const env = { ...process.env, PATH: [nodeFolder, ...path].join(delimiter) };
  return new Promise<Ended>((resolve) => {
    execFile(command, args, { cwd, env, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, stdout, stderr });
    });
  });
}

/** stderr without what npm itself has to say. */
const said = (stderr: string): string =>
  stderr
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("npm "))
    .join("\n");

describe("the package", () => {
  const packed = temporaryFolder();
  const installed = temporaryFolder();
  const home = join(installed.path, "node_modules", "hlsync");

  before(async () => {
    const pack = await execute("npm", ["pack", "--silent", "--pack-destination", packed.path], CHECKOUT);
    assert.equal(pack.code, 0, pack.stderr);
    const tarball = join(packed.path, pack.stdout.trim().split("\n").at(-1)!);
    writeFileSync(join(installed.path, "package.json"), '{ "private": true }');
    const options = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];
    const install = await execute("npm", ["install", ...options, tarball], installed.path);
    assert.equal(install.code, 0, install.stderr);
  });
  after(() => {
    packed.remove();
    installed.remove();
  });

  it("holds the build, the schema, the page and the words, and nothing of the workshop", () => {
    const inside = (folder: string) => globSync("**/*", { cwd: join(home, folder) }).sort();
    assert.ok(existsSync(join(home, "README.md")) && existsSync(join(home, "LICENSE")));
    for (const folder of ["src", "test", "bench", "node_modules"])
      assert.ok(!existsSync(join(home, folder)), folder);
    // The page as it is served, without what it is made of.
    assert.ok(inside("dashboard").every((path) => /^dist(\/|$)/.test(path)));
    for (const folder of ["migrations", "sql", "dashboard/dist"]) {
      const here = globSync("**/*", { cwd: join(CHECKOUT, folder) }).sort();
      assert.deepEqual(inside(folder), here, folder);
    }
    const built = inside("dist");
    const sources = globSync("**/*.ts", { cwd: join(CHECKOUT, "src") });
    assert.deepEqual(
      built.filter((name) => name.endsWith(".d.ts")),
      sources.map((name) => name.replace(/ts$/, "d.ts")).sort(),
    );
    const entries = built.filter((name) => name.endsWith(".js") && !name.startsWith("parts/"));
    assert.deepEqual(
      entries.map((name) => name.replace(/js$/, "ts")),
      ENTRIES.toSorted(),
    );
    assert.ok(built.includes("LICENSE.zod"), "the license of what is bundled");
  });

  // No image is built here: what it holds is what the package holds, which is run below.
  it("is what the Dockerfile copies, and nothing of the workshop", () => {
    const { files } = JSON.parse(readFileSync(join(CHECKOUT, "package.json"), "utf8")) as { files: string[] };
    const copied = readFileSync(join(CHECKOUT, "Dockerfile"), "utf8")
      .split("\n")
      .flatMap((line) => /^COPY --from=build (.*) \S+$/.exec(line)?.[1]?.split(" ") ?? [])
      .map((path) => path.replace("/app/", ""));
    const besides = ["package.json", "LICENSE", "node_modules"];
    assert.deepEqual(
      copied.filter((path) => !files.includes(path) && !besides.includes(path)),
      [],
    );
    // The words are not needed to run.
    const words = /^(docs|deploy|README|CHANGELOG)/;
    assert.deepEqual(
      [...files.filter((path) => !words.test(path)), ...besides].filter((path) => !copied.includes(path)),
      [],
    );
  });

  it("runs without install scripts: `npx hlsync --version`", async () => {
    const { code, stdout, stderr } = await execute("npx", ["hlsync", "--version"], installed.path);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `${version}\n`);
  });

  it("prints the same schema as the checkout", async () => {
    const args = ["hlsync", "migrate", "--print"];
    const [there, here] = await Promise.all([
      execute("npx", args, installed.path),
      execute(process.execPath, ["bin/hlsync.js", ...args.slice(1)], CHECKOUT),
    ]);
    assert.equal(there.code, 0, there.stderr);
    assert.match(there.stdout, /create table public\.hl_fills/);
    assert.equal(there.stdout, here.stdout);
  });

  it("shows the demo: a database, fills, and the page it was packed with", async () => {
    const demo = start(["demo", "--listen", "127.0.0.1:0", "--verbose"], {
      cwd: installed.path,
      bin: join(home, "bin/hlsync.js"),
    });
    const url = await demo.line((line) => /^dashboard: (\S+)/.exec(line)?.[1]);
    await demo.line((line) => (/ (bought|sold) /.test(line) ? line : undefined));
    const page = await (await fetch(url)).text();
    assert.equal(page, readFileSync(join(CHECKOUT, "dashboard/dist/index.html"), "utf8"));
    assert.equal((await fetch(`${url}/livez`)).status, 200);
    const script = await fetch(`${url}/main.js`);
    assert.match(String(script.headers.get("content-type")), /javascript/);
    await script.text();
    const { code, stderr } = await demo.stop("SIGINT");
    assert.equal(code, 0, stderr);
  });

  it("can be embedded: its types hold in a strict program, which then runs", async () => {
    writeFileSync(
      join(installed.path, "program.mts"),
      `import { type Store, openStore, TransportError } from "hlsync";
       import { INFO, readFrame } from "hlsync/protocol";
       import { createVenue } from "hlsync/simulator";
       import type { Database, Row } from "hlsync/supabase";
       type Tables = Database["public"]["Tables"];
       const exact: Row<"hl_fills_text">["size"] = "0.1";
       const open: Tables["hl_alerts"]["Update"] = { state: "pending", value: 0.1, coin: null };
       // @ts-expect-error: the database numbers its alerts itself
       const numbered: Tables["hl_alerts"]["Update"] = { id: 1 };
       // @ts-expect-error: a member needs an account
       const member: Tables["hl_members"]["Insert"] = { user_id: "1" };
       const store: Store = openStore({ query: async () => [], close: async () => {}, describe: () => "" });
       const venue = createVenue({ seed: 1, startMs: 1_790_000_000_000 });
       venue.deposit("0x${"a".repeat(40)}", "1000");
       const problem: Error = new TransportError("none");
       console.log(typeof store.apply, typeof readFrame, "userFills" in INFO, venue.users().length > 0, problem.name, exact,
         open.state, numbered.id, member.user_id);`,
    );
    const tsc = join(CHECKOUT, "node_modules", "typescript", "bin", "tsc");
    const strict = ["--strict", "--target", "es2024", "--lib", "es2025", "--module", "nodenext"];
    const types = ["--types", "node", "--typeRoots", join(CHECKOUT, "node_modules", "@types")];
    const checked = await execute(
      process.execPath,
      [tsc, ...strict, ...types, "program.mts"],
      installed.path,
    );
    assert.equal(checked.code, 0, checked.stdout);
    const ran = await execute(process.execPath, ["program.mjs"], installed.path);
    assert.equal(ran.stdout, "function function true true TransportError 0.1 pending 1 1\n", ran.stderr);
  });
});

/** The folder of a Node that is too old for hlsync, where this machine has one. */
function olderNode(): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter);
  for (const folder of folders.filter((path) => existsSync(join(path, "node")))) {
    const text = execFileSync(join(folder, "node"), ["--version"], { encoding: "utf8" });
    const [major = 0, minor = 0] = text.slice(1).split(".").map(Number);
    if (major < 22 || (major === 22 && minor < 18)) return folder;
  }
  return null;
}

describe("a checkout", () => {
  const old = olderNode();
  const older = { skip: old === null && "this machine has no older Node" };

  it("runs by npx and by npm run", async () => {
    for (const [command, ...args] of [
      ["npx", "hlsync"],
      ["npm", "run", "-s", "hlsync", "--"],
    ] as const) {
      const { code, stdout, stderr } = await execute(command, [...args, "--version"], CHECKOUT);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `${version}\n`, command);
    }
  });

  it("does so where the machine's own Node is too old", older, async () => {
    for (const [command, ...args] of [
      ["npx", "hlsync"],
      ["npm", "run", "-s", "hlsync", "--"],
    ] as const) {
      const { code, stdout, stderr } = await execute(command, [...args, "--version"], CHECKOUT, old!);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `${version}\n`, command);
    }
  });

  it("says in one line what to do when it is called with an older Node", older, async () => {
    const { code, stdout, stderr } = await execute(
      join(old!, "node"),
      ["bin/hlsync.js", "demo"],
      CHECKOUT,
      old!,
    );
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(
      said(stderr),
      /^hlsync: needs Node 22\.18 or newer, this is v[\d.]+: use `npx hlsync` or .*$/,
    );
  });
});
