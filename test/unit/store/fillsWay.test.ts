/** How often a fill is read and written as JSON from the socket to the database: what ARCHITECTURE's "A fill's way" says. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { readFrame } from "../../../src/protocol/channels.ts";
import type { Database } from "../../../src/store/database.ts";
import { openStore } from "../../../src/store/store.ts";
import { CommittedRows } from "../../../src/sync/lane/committedRows.ts";
import { factRows } from "../../../src/sync/normalize.ts";
import { fill } from "../../support/wires.ts";

const ACCOUNT = `0x${"a".repeat(40)}`;
const FILL = fill({ twapId: null });

it("parses a fill nowhere before the database, and stringifies it once for its batch", async (t) => {
  const frame = JSON.stringify({
    channel: "userFills",
    data: { user: ACCOUNT, fills: [FILL] },
  });
  const sent: unknown[] = [];
  const database: Database = {
    async query(_sql, params = []) {
      sent.push(...params);
      return [{ applied: { written: {}, events: [] } }] as never;
    },
    close: async () => {},
    describe: () => "nowhere",
  };
  const store = openStore(database);
  const parse = t.mock.method(JSON, "parse");
  const stringify = t.mock.method(JSON, "stringify");

  const read = readFrame(frame);
  assert.ok(read.type === "data");
  const origin = { account: ACCOUNT, source: "stream", seenAtMs: FILL.time } as const;
  const committed = new CommittedRows();
  const batch = committed.without(factRows(read.reading.content, origin)!);
  assert.equal(stringify.mock.callCount(), 0, "known again by its text");
  await store.apply(batch);
  committed.add(batch);

  assert.equal(parse.mock.callCount(), 0);
  assert.equal(stringify.mock.callCount(), 1);
  t.mock.restoreAll();
  const [row] = JSON.parse(String(sent.find((param) => String(param).includes("startPosition"))));
  assert.equal(row.raw, true, "a mark: the columns tell the venue's object to the letter (ADR 0016)");
  assert.equal(committed.without(batch).fills?.length, 0);
});
