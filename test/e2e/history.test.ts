/** A hard history, read by `sync --once` through the real program: every row exactly once, and a second run is idle. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { add, neg, sum } from "../../src/runtime/decimal.ts";
import { hlsync, type Running, simulate } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import * as wires from "../support/wires.ts";

const USER = `0x${"a".repeat(40)}`;
const FROM_MS = 1_780_000_000_000;
const ROWS = 9_900;

type Wire = Record<string, unknown> & { side: string; time: number; sz: string };

/**
 * 9 900 fills, many in one millisecond, one cluster of 900 across the end of the first page of 2000, self-trades with
 * one tid, dust rows with tid 0; and 120 TWAP slices, which are not among them.
 */
function history(): { fills: Wire[]; twapSliceFills: { fill: Wire; twapId: number }[]; position: string } {
  const fills: Wire[] = [];
  let position = "0";
  let time = FROM_MS;
  const next = (i: number, over: Partial<Wire> = {}): Wire => {
    const side = over.side ?? (i % 3 === 0 ? "A" : "B");
    const sz = over.sz ?? `${1 + (i % 7)}.5`;
    const fill: Wire = wires.fill({
      px: `${60_000 + (i % 500)}.0`,
      sz,
      side,
      time,
      startPosition: position,
      hash: `0x${i.toString(16).padStart(64, "0")}`,
      oid: 500_000 + i,
      crossed: i % 2 === 0,
      tid: 900_000_000_000 + i,
      twapId: null,
      ...over,
    });
    if (fill.coin === "BTC") position = add(position, side === "B" ? sz : neg(sz));
    return fill;
  };
  const twapSliceFills: { fill: Wire; twapId: number }[] = [];
  for (let i = 0; fills.length < ROWS; i++) {
    // The page of 2000 ends inside one millisecond; elsewhere up to three rows share one.
    if (!(fills.length >= 1_500 && fills.length < 2_400)) time += i % 3 === 0 ? 700 : 0;
    if (i % 50 === 7) {
      const tid = 800_000_000_000 + i;
      fills.push(
        next(i, { side: "B", sz: "2.0", tid }),
        next(i, { side: "A", sz: "2.0", tid, oid: 700_000 + i }),
      );
    } else if (i % 400 === 11) {
      const zero = `0x${"0".repeat(64)}`;
      fills.push(
        next(i, {
          coin: "@107",
          dir: "Spot Dust Conversion",
          tid: 0,
          hash: zero,
          side: "A",
          startPosition: "0.3",
        }),
      );
    } else if (i % 80 === 13) {
      twapSliceFills.push({ fill: next(i, { hash: `0x${"0".repeat(64)}` }), twapId: 16_000 + (i % 5) });
    } else fills.push(next(i));
  }
  return { fills, twapSliceFills, position };
}

/** The state of an account that holds `szi` BTC and nothing else. */
const stateOf = (szi: string) =>
  wires.perpState([wires.position("BTC", { szi })], { time: FROM_MS + 100_000_000 });

describe("a hard history", () => {
  const folder = temporaryFolder();
  const { fills, twapSliceFills, position } = history();
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };

  before(async () => {
    const file = join(folder.path, "recorded.json");
    const recorded = { fills, twapSliceFills, clearinghouseState: { "": stateOf(position) } };
    writeFileSync(file, JSON.stringify({ [USER]: recorded }));
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    exchange = await simulate("--recorded", file, "--weight", "100000");
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await server?.stop();
    folder.remove();
  });

  const run = (...args: string[]) =>
    hlsync([
      ...args,
      "--api-url",
      exchange.apiUrl,
      "--database",
      target.url,
      "--account",
      USER,
      "--log-level",
      "warn",
      "--weight",
      "100000",
    ]);
  const one = async (sql: string) => (await target.database.query<Record<string, unknown>>(sql))[0];

  it("is stored row by row, each exactly once", async () => {
    const { code, stderr } = await run("sync", "--once");
    assert.equal(code, 0, stderr);
    const stored =
      await one(`select count(*)::int as rows, count(*) filter (where twap_id is not null)::int as slices,
      count(*) filter (where trade_id = 0)::int as dust, trim_scale(sum(size))::text as size from hl_fills`);
    const all = [...fills, ...twapSliceFills.map(({ fill }) => fill)];
    assert.deepEqual(stored, {
      rows: all.length,
      slices: twapSliceFills.length,
      dust: fills.filter(({ tid }) => tid === 0).length,
      size: sum(all.map(({ sz }) => sz)),
    });
    const self =
      await one(`select count(*)::int as pairs from (select trade_id from hl_fills where trade_id > 0
      group by trade_id having count(*) = 2 and count(distinct side) = 2) p`);
    const pairs = new Set(fills.filter(({ oid }) => Number(oid) >= 700_000).map(({ tid }) => tid)).size;
    assert.deepEqual(self, { pairs });
  });

  it("is not touched by a second run", async () => {
    const stamp =
      "select md5(string_agg(f.xmin::text || f::text, '' order by f::text)) as stamp from hl_fills f";
    const before = await one(stamp);
    const { code, stdout, stderr } = await run("sync", "--once", "--json");
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as { written: Record<string, number> }).written.hl_fills ?? 0, 0);
    assert.deepEqual(await one(stamp), before);
  });

  it("is verified against the venue, and a row deleted or bent by hand is named", async () => {
    const sound = await run("verify");
    assert.equal(sound.code, 0, sound.stdout + sound.stderr);
    const victim = fills[4_321]!;
    await target.database.query("delete from hl_fills where order_id = $1 and side = $2", [
      victim.oid,
      victim.side === "B" ? "buy" : "sell",
    ]);
    const broken = await run("verify");
    assert.equal(broken.code, 4, broken.stdout + broken.stderr);
    assert.match(broken.stdout, new RegExp(`missing\\s+hl_fills .*${victim.time}.*${victim.oid}`));
    assert.match(broken.stdout, /chain_break hl_fills BTC/);
    assert.equal((await run("sync", "--once")).code, 0);
  });
});
