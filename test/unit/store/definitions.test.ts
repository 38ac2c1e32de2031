import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { definitionFiles, knownDefinitions } from "../../../src/store/definitions.ts";
import { knownMigrations } from "../../../src/store/migrate.ts";

const SQL = new URL("../../../sql/", import.meta.url);
/** Made from the others. */
const GENERATED = ["schema.sql"];

/** What a statement at the beginning of a line makes, with its argument types where a name alone is not one. */
const made = (sql: string): string[] =>
  [
    ...sql.matchAll(
      /^create (or replace )?(?:unique )?(function|procedure|view|trigger|table|type|index|materialized view)\b ([^\n]*)/gm,
    ),
  ].map(([, replace = "", kind, rest = ""]) => `${replace}${kind} ${rest.replace(/( returns | as$).*/, "")}`);

describe("sql/", () => {
  it("is applied in an order that names every file once", () => {
    const files = globSync("**/*.sql", { cwd: SQL }).map((name) => name.replaceAll("\\", "/"));
    assert.deepEqual([...definitionFiles()].sort(), files.filter((name) => !GENERATED.includes(name)).sort());
  });

  it("defines every function, view and trigger once, so that it can be applied again", () => {
    const all = made(knownDefinitions().sql);
    assert.ok(all.length > 60);
    assert.deepEqual(
      all.filter((name) => !/^or replace (function|view|trigger) /.test(name)),
      [],
    );
    const names = all.map((name) => name.replace(/^(or replace view [\w.]+).*/, "$1"));
    assert.deepEqual(
      names.filter((name, index) => !/ trigger /.test(name) && names.indexOf(name) !== index),
      [],
    );
  });

  it("begins every file with what it is about", () => {
    for (const name of definitionFiles())
      assert.match(readFileSync(new URL(name, SQL), "utf8"), /^-- \S/, name);
  });
});

describe("migrations/", () => {
  it("make no function, view or trigger: those are definitions", () => {
    for (const { name, sql } of knownMigrations())
      for (const what of made(sql)) assert.match(what, /^(table|type|index) /, `${name}: ${what}`);
  });
});
