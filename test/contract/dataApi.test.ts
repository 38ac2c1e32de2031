/**
 * What a page with supabase-js reads: exact decimals, rows of its own accounts, quickly. The client is the real one; PostgREST
 * is a stand-in (test/support/dataApi.ts).
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type DataApi, startDataApi, tokenOf } from "../support/dataApi.ts";
import type { TestDatabase, TestServer } from "../support/postgres.ts";
import { MEMBER, makeProject, noPresets, STRANGER, startProjectServer } from "../support/supabase.ts";
import { ACCOUNT, fillOf, fundingOf, OTHER, positionOf, T } from "./rows.ts";

interface Answer {
  data: Record<string, unknown>[] | null;
  error: { code: string; message: string } | null;
  status: number;
}
interface Query extends PromiseLike<Answer> {
  select(columns?: string): Query;
  order(column: string, options: { ascending: boolean }): Query;
  limit(count: number): Query;
  eq(column: string, value: string): Query;
  delete(): Query;
}
interface Client {
  from(relation: string): Query;
}
type CreateClient = (url: string, key: string, options: object) => Client;

/** A name that the compiler does not follow: where the package is not installed, its tests are skipped. */
const PACKAGE = "@supabase/supabase-js";
const library = (await import(PACKAGE).catch(() => null)) as { createClient: CreateClient } | null;
const noClient = library === null && `${PACKAGE} is not installed (npm ci)`;

describe("the data API", { skip: noPresets }, () => {
  let server: TestServer;
  let db: TestDatabase;
  let api: DataApi;
  before(async () => {
    server = await startProjectServer();
    db = await server.newDatabase({ maxConnections: 2 });
    await makeProject(db.database, "old");
    for (const account of [ACCOUNT, OTHER]) {
      await db.store.apply({
        fills: [fillOf({ account, size: "0.12345678901234567890", fee: "-0.000000001" })],
        positions: [positionOf({ account })],
        funding: [fundingOf({ account, usdc: "-3.62531200" })],
      });
    }
    await db.database.query("select hl_internal.set_access('members')");
    await db.database.query("insert into hl_members values ($1, $2)", [MEMBER, ACCOUNT]);
    api = await startDataApi(db.database);
  });
  after(async () => {
    await api?.close();
    await server?.stop();
  });

  const clientOf = (claims: Parameters<typeof tokenOf>[0] | null): Client =>
    library!.createClient(api.url, "publishable", {
      auth: { persistSession: false, autoRefreshToken: false },
      ...(claims
        ? { accessToken: async () => tokenOf(claims) }
        : { accessToken: async () => tokenOf({ role: "anon" }) }),
    });

  it("gives a member the rows of his accounts with every digit", { skip: noClient }, async () => {
    const member = clientOf({ role: "authenticated", sub: MEMBER });
    const { data, error } = await member
      .from("hl_fills_text")
      .select("account_address,size,price,fee,fill_time_ms")
      .order("fill_time", { ascending: false })
      .limit(50);
    assert.equal(error, null);
    assert.deepEqual(data, [
      {
        account_address: ACCOUNT,
        size: "0.12345678901234567890",
        price: "83000.0",
        fee: "-0.000000001",
        fill_time_ms: T,
      },
    ]);
    const positions = await member.from("hl_positions_text").select().eq("coin", "BTC");
    assert.deepEqual(
      positions.data?.map((row) => [row.account_address, row.size]),
      [[ACCOUNT, "0.5"]],
    );
    const funding = await member.from("hl_funding_text").select("usdc");
    assert.deepEqual(funding.data, [{ usdc: "-3.62531200" }]);
  });

  it("gives others nothing, and lets nobody write", { skip: noClient }, async () => {
    const stranger = await clientOf({ role: "authenticated", sub: STRANGER }).from("hl_fills_text").select();
    assert.deepEqual(stranger.data, []);
    const nobody = await clientOf(null).from("hl_fills_text").select();
    assert.deepEqual([nobody.data, nobody.error?.code, nobody.status], [null, "42501", 401]);
    const member = await clientOf({ role: "authenticated", sub: MEMBER })
      .from("hl_fills")
      .delete()
      .eq("coin", "BTC");
    assert.equal(member.error?.code, "42501");
    const service = await clientOf({ role: "service_role" }).from("hl_fills_text").select("account_address");
    assert.equal(service.data?.length, 2);
  });

  it("finds the newest fills of a member by an index, and asks who he is once per statement", async () => {
    await db.database.query(
      `insert into hl_fills (account_address, coin, fill_time, fill_time_ms, side, size, price, value, fee, closed_pnl,
         direction, order_id, trade_id, source, first_seen_at)
       select case when n % 3 = 0 then $1 else $2 end, 'BTC', to_timestamp(1790000000 + n), (1790000000 + n)::bigint * 1000,
         'buy', 1, 2, 2, 0, 0, 'Open Long', n, n, 'stream', now() from generate_series(1, 20000) n`,
      [ACCOUNT, OTHER],
    );
    await db.database.query("analyze hl_fills, hl_members");
    interface Node {
      "Node Type": string;
      "Relation Name"?: string;
      "Actual Loops": number;
      "Actual Rows": number;
      "Parent Relationship"?: string;
      Plans?: Node[];
    }
    const nodesOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];
    for (const relation of ["hl_fills", "hl_fills_text"])
      for (const preset of ["members", "single-user"]) {
        await db.database.query("select hl_internal.set_access($1)", [preset]);
        const [row] = await db.database.query<{ "QUERY PLAN": { Plan: Node }[] }>(
          `set local role authenticated; select set_config('request.jwt.claims', '{"sub": "${MEMBER}"}', true);
           explain (analyze, timing off, format json) select * from ${relation} order by fill_time desc limit 50`,
        );
        const nodes = nodesOf(row!["QUERY PLAN"][0]!.Plan);
        const reading = nodes.filter((node) => node["Relation Name"] === "hl_fills");
        assert.deepEqual(
          reading.map((node) => [node["Node Type"], node["Actual Rows"]]),
          [["Index Scan", 50]],
        );
        // What is asked of each row is the name of its market, by its key.
        const asked = nodes.filter(
          (node) =>
            /^(InitPlan|SubPlan)$/.test(node["Parent Relationship"] ?? "") &&
            node["Relation Name"] !== "hl_markets",
        );
        assert.ok(asked.length > 0);
        assert.deepEqual(
          asked.filter((node) => node["Actual Loops"] > 1),
          [],
        );
      }
  });

  it("finds the newest fills of few among many, by the tables and by hl_newest_fills", async () => {
    const RARE = `0x${"7".repeat(40)}`;
    await db.store.openAccount(RARE, null, T);
    await db.database.query(
      `insert into hl_fills (account_address, coin, fill_time, fill_time_ms, side, size, price, value, fee, closed_pnl,
         direction, order_id, trade_id, source, first_seen_at, start_position, crossed)
       select case when n % 5000 = 1 then $1 else $2 end, 'BTC', to_timestamp(1780000000 + n), (1780000000 + n)::bigint * 1000,
         'buy', 1.50, 2, 3.00, 0, 0, 'Open Long', n, n, 'stream', now(), '0', true from generate_series(1, 20000) n`,
      [RARE, OTHER],
    );
    await db.database.query("vacuum analyze hl_fills");
    const as = (sql: string) =>
      db.database.query(
        `set local role authenticated; select set_config('request.jwt.claims', '{"sub": "${STRANGER}"}', true); ${sql}`,
      );
    const newest = "select * from hl_newest_fills(3)";
    await db.database.query("select hl_internal.set_access('members')");
    assert.deepEqual(await as(newest), []);
    await db.database.query("insert into hl_members values ($1, $2)", [STRANGER, RARE]);
    assert.deepEqual(
      await as(newest),
      await as("select * from hl_fills_text order by fill_time desc limit 3"),
    );
    // Asked twice: the first time the catalogue is read too.
    for (const query of [
      newest,
      "select * from hl_fills order by fill_time desc limit 3",
      "select * from hl_fills_text order by fill_time desc limit 3",
    ]) {
      const explained = `explain (analyze, buffers, timing off, format json) ${query}`;
      const [row] = await as(`${explained}; ${explained}`);
      const [{ Plan: plan }] = row!["QUERY PLAN"] as [{ Plan: Record<string, number> }];
      const blocks = plan["Shared Hit Blocks"]! + plan["Shared Read Blocks"]!;
      assert.ok(
        plan["Actual Rows"] === 3 && blocks < 100,
        `${query}: ${plan["Actual Rows"]} rows, ${blocks} blocks`,
      );
    }
    await db.database.query("select hl_internal.set_access('single-user')");
    const all = await as(newest);
    assert.equal(new Set(all.map((fill) => fill.account_address)).size > 0 && all.length, 3);
    await assert.rejects(
      db.database.query(`set local role anon; ${newest}`),
      /permission denied for function hl_newest_fills/,
    );
  });
});
