/** What ships beside the program: links lead somewhere, files that others mount or copy are there, the unit is hardened. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const PACKAGE = JSON.parse(read("package.json")) as Record<string, unknown> & { files: string[] };

const linksOf = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!.replace(/#.*/, ""))
    .filter((target) => target !== "");

test("every link of README and docs leads to a file", () => {
  const pages = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    ...globSync("docs/**/*.md", { cwd: ROOT }),
  ];
  const dead = pages.flatMap((page) =>
    linksOf(read(page))
      .filter((target) => !/^(https?|mailto):/.test(target))
      .filter((target) => !existsSync(join(ROOT, normalize(join(dirname(page), target)))))
      .map((target) => `${page}: ${target}`),
  );
  assert.deepEqual(dead, []);
});

test("the package says where it is from, so that npm resolves the links of its README", () => {
  const { repository, homepage, bugs } = PACKAGE as unknown as {
    repository: { url: string };
    homepage: string;
    bugs: string;
  };
  const [, base] = /^git\+(https:\/\/github\.com\/[\w-]+\/[\w-]+)\.git$/.exec(repository.url) ?? [];
  assert.ok(base, repository.url);
  assert.equal(homepage, `${base}#readme`);
  assert.equal(bugs, `${base}/issues`);
  // They are shipped too, pictures aside.
  for (const target of linksOf(read("README.md")).filter(
    (one) => one.startsWith("docs/") && one.endsWith(".md"),
  ))
    assert.ok(PACKAGE.files.includes("docs/*.md") && dirname(target) === "docs", target);
});

test("compose and Dockerfile name files that are there", () => {
  const mounted = [...read("compose.yaml").matchAll(/["\s](\.\/[\w./-]+):\//g)].map(([, path]) => path!);
  assert.ok(mounted.length >= 4);
  const copied = [...read("Dockerfile").matchAll(/^COPY --from=build (.+) \S+$/gm)]
    .flatMap(([, paths]) => paths!.split(" "))
    .map((path) => path.replace("/app/", ""))
    // What the build makes.
    .filter((path) => !["dist", "dashboard/dist", "node_modules"].includes(path));
  assert.ok(copied.length >= 5);
  for (const path of [...mounted, ...copied]) assert.ok(existsSync(join(ROOT, path)), path);
  const variables = [...read("compose.yaml").matchAll(/\$\{(\w+)[:}]/g)].map(([, name]) => name!);
  const told = read("compose.yaml").split("services:")[0]!;
  for (const name of new Set(variables)) assert.ok(told.includes(name), `${name} is told at the top`);
});

const EXPOSURE_MAX = 2;
const noAnalyzer =
  spawnSync("systemd-analyze", ["--version"]).status === 0 ? false : "systemd-analyze is not installed";
test("the systemd unit gives away little", { skip: noAnalyzer }, (t) => {
  const { stdout } = spawnSync(
    "systemd-analyze",
    ["security", "--offline=true", join(ROOT, "deploy/hlsync.service")],
    { encoding: "utf8" },
  );
  const exposure = /Overall exposure level for hlsync\.service: ([\d.]+)/.exec(stdout)?.[1];
  if (exposure === undefined) return t.skip("this systemd-analyze does not know --offline");
  assert.ok(Number(exposure) <= EXPOSURE_MAX, `exposure ${exposure}`);
});
