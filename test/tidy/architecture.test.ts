/** What ARCHITECTURE names exists: each invariant with the place that enforces it and the test that proves it. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../../", import.meta.url).pathname;
const PAGE = readFileSync(`${ROOT}ARCHITECTURE.md`, "utf8");
const INVARIANTS = 16;

/** A folder, or a file with or without its ending; several where the page itself says so (`*`). */
const exists = (pattern: string): boolean =>
  globSync([pattern, `${pattern}.ts`, `${pattern}.test.ts`, `${pattern}.sql`], { cwd: ROOT }).length > 0;

/** A file of `src/` is named without it, and a table's function by its schema. */
function isThere(name: string): boolean {
  if (name.startsWith("hl_internal."))
    return readFileSync(`${ROOT}sql/schema.sql`, "utf8").includes(`${name}(`);
  return exists(name) || exists(`src/${name}`);
}

test("each invariant names files and tests that exist", () => {
  const rows = PAGE.split("\n").filter((line) => /^\| I\d+ \|/.test(line));
  assert.equal(rows.length, INVARIANTS);
  for (const row of rows) {
    const [, , , enforced = "", proven = ""] = row.split("|");
    for (const cell of [enforced, proven]) {
      const names = [...cell.matchAll(/`([\w./*]+)`/g)].map(([, name]) => name!);
      assert.ok(
        names.length > 0 || /^ (a named limit|there is no option)/.test(cell),
        `${row}: names nothing`,
      );
      for (const name of names.filter((one) => /[/.]/.test(one)))
        assert.ok(isThere(name), `${name} is not there`);
    }
  }
});

test("each decision it speaks of is written down", () => {
  for (const [, number] of PAGE.matchAll(/ADR (\d{4})/g))
    assert.ok(exists(`docs/decisions/${number}-*.md`), `ADR ${number}`);
});
