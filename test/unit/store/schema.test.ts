import assert from "node:assert/strict";
import { test } from "node:test";
import { knownDefinitions } from "../../../src/store/definitions.ts";
import { knownMigrations } from "../../../src/store/migrate.ts";
import { inSchema, isSchemaName } from "../../../src/store/schema.ts";

test("a statement is written into the schema that is chosen, and the role public stays what it is", () => {
  const sql =
    "revoke all on table public.hl_fills from public; select 'public'::regnamespace, 'public' as role";
  assert.equal(inSchema(sql, "public"), sql);
  assert.equal(
    inSchema(sql, "user"),
    `revoke all on table "user".hl_fills from public; select '"user"'::regnamespace, 'public' as role`,
  );
  for (const [written, expected] of [
    ["format('public.%I', x)", `format('"s".%I', x)`],
    ["('public.' || $1)::regclass", `('"s".' || $1)::regclass`],
    ["n.nspname = 'public'", "n.nspname = 's'"],
    ["t.schemaname = 'public'", "t.schemaname = 's'"],
    ["grant usage on schema public, hl_internal", `grant usage on schema "s", hl_internal`],
    ["has_schema_privilege('public', 'usage')", "has_schema_privilege('s', 'usage')"],
    ["to_regnamespace('public')", `to_regnamespace('"s"')`],
    ["'https://public.example.com'", "'https://public.example.com'"],
  ] as const)
    assert.equal(inSchema(written, "s"), expected);
});

/** What is left of the word where the schema was written in. */
const ROLE =
  /from public cascade|'public' as (name|role)|role <> 'public'|'to public using|of public |nothing is granted to|rights? to .* from the public/;

test("nothing that makes the schema speaks of public in a form that is not known", () => {
  const sql = [...knownMigrations().map((m) => m.sql), knownDefinitions().sql].join("\n");
  const left = inSchema(sql, "elsewhere")
    .split("\n")
    .filter((line) => /\bpublic\b/.test(line) && !/^\s*--|^comment on/.test(line) && !ROLE.test(line));
  assert.deepEqual(left, []);
});

test("names of the server's and of hlsync's own are no schema", () => {
  for (const name of ["public", "user", "trading", "_x", "a1"]) assert.ok(isSchemaName(name), name);
  for (const name of [
    "",
    "hl_internal",
    "pg_catalog",
    "Trading",
    "a-b",
    'a"b',
    "information_schema",
    "1a",
    "a".repeat(64),
  ])
    assert.ok(!isSchemaName(name), name);
});
