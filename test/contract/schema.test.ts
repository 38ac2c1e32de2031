import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { startServer } from "../support/postgres.ts";
import { SNAPSHOT, schemaText } from "../support/schema.ts";

it("sql/schema.sql is the schema as it is: `npm run schema` writes it anew", async () => {
  const server = await startServer("embedded");
  try {
    const { database } = await server.newDatabase();
    const here = readFileSync(SNAPSHOT, "utf8").replaceAll("\r\n", "\n");
    assert.equal(here, await schemaText(database));
  } finally {
    await server.stop();
  }
});
