/** Nothing is exported for nobody: each exported name of `src/` stands in another file, if only in a test. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { it } from "node:test";

const ROOTS = ["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts", "bin/*.js", "dashboard/**/*.{ts,tsx}"];
const EXPORTED =
  /^export (?:async )?(?:const|let|function\*?|(?:abstract )?class|interface|type|enum) (\w+)/gm;

it("exports no name that no other file has", () => {
  const files = globSync(ROOTS, { exclude: (path) => String(path).includes("node_modules") }).map((path) => ({
    path,
    text: readFileSync(path, "utf8"),
  }));
  const holders = new Map<string, number>();
  for (const { text } of files)
    for (const word of new Set(text.match(/\w+/g))) holders.set(word, (holders.get(word) ?? 0) + 1);
  const dead = files
    .filter(({ path }) => path.startsWith("src/"))
    .flatMap(({ path, text }) =>
      [...text.matchAll(EXPORTED)].flatMap(([, name]) =>
        holders.get(name!) === 1 ? `${path}: ${name}` : [],
      ),
    );
  assert.deepEqual(dead, []);
});
