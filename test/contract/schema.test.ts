import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { PAGE_SQL, pageSql } from "../support/pageSql.ts";
import { startServer, useDatabase } from "../support/postgres.ts";
import { SNAPSHOT, schemaText } from "../support/schema.ts";
import { supabaseTypes, TYPES } from "../support/supabaseTypes.ts";

const db = useDatabase("all", () => startServer("embedded"));

const textOf = (file: URL): string => readFileSync(file, "utf8").replaceAll("\r\n", "\n");

it("sql/schema.sql is the schema as it is: `npm run schema` writes it anew", async () => {
  assert.equal(textOf(SNAPSHOT), await schemaText(db.database));
});

it("src/supabase.ts has the types of it, for every relation and column: `npm run schema` writes them anew", async () => {
  const types = await supabaseTypes(db.database);
  assert.equal(textOf(TYPES), types);
  assert.doesNotMatch(types.slice(types.indexOf("interface TableColumns")), /\bunknown\b/);
});

it("sql/page.sql has the statements of the page: `npm run schema` writes it anew", async () => {
  assert.equal(textOf(PAGE_SQL), await pageSql(db.url));
});

it("every table and view with decimals has a twin in which they are text", async () => {
  const rounded = await db.database.query(
    `select c.relname as name from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
       and exists (select from pg_attribute a where a.attrelid = c.oid and a.atttypid = 'numeric'::regtype)
       and to_regclass('public.' || c.relname || '_text') is null`,
  );
  assert.deepEqual(rounded, []);
});
