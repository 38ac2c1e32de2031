/**
 * What many fills of many accounts cost in one PostgreSQL, as they are kept and in two kinds of partitions: by account (hash) and
 * by month. Fills are made by the server itself at the shape of real ones, a year of them, the few liveliest accounts having most.
 * Prints the size of a fill with its indexes, then microseconds of the server's CPU (it must run on this Linux) for what is done all
 * the time, in the medians of some accounts. The fills that were made stay in a database that is named.
 *
 *   npm run bench -- growth [--millions 10] [--accounts 10000] [--kinds plain,hash,month] [--database postgres://…]
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Database } from "../src/store/database.ts";
import { storedChains } from "../src/store/imports.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { onDatabase } from "./database.ts";
import { serverMeter } from "./processorTime.ts";

const { values } = parseArgs({
  options: {
    millions: { type: "string", default: "10" },
    accounts: { type: "string", default: "10000" },
    kinds: { type: "string", default: "plain,hash,month" },
    database: { type: "string" },
  },
});
const FILLS = Number(values.millions) * 1e6;
const ACCOUNTS = Number(values.accounts);
const YEAR_MS = 365 * 86_400_000;
const FROM_MS = Date.UTC(2026, 0, 1);
const AT_ONCE = 500_000;
const HASH_PARTITIONS = 32;
const MONTHS = 12;
const SLICES = 48;
/** Calls that are measured together, since the kernel counts hundredths of a second. */
const CALLS = 400;

/** A table like `hl_fills`, with its indexes, in parts. */
const KINDS: Record<string, readonly string[]> = {
  plain: [],
  hash: [
    "create table growth.hash (like public.hl_fills including all) partition by hash (account_address)",
    `do $$ begin for n in 0..${HASH_PARTITIONS - 1} loop execute format('create table growth.hash_%s partition of growth.hash for values with (modulus ${HASH_PARTITIONS}, remainder %s)', n, n); end loop; end $$`,
  ],
  month: [
    "create table growth.month (like public.hl_fills including all) partition by range (fill_time_ms)",
    `do $$ begin for n in 0..${MONTHS - 1} loop execute format('create table growth.month_%s partition of growth.month for values from (%s) to (%s)', n, ${FROM_MS} + n * ${YEAR_MS / MONTHS}, ${FROM_MS} + (n + 1) * ${YEAR_MS / MONTHS}); end loop; end $$`,
  ],
};
const nameOf = (kind: string): string => (kind === "plain" ? "public.hl_fills" : `growth.${kind}`);

/** Address of account `n` of SQL, and one of them at random, the first ones far more often. */
const addressOf = (n: string): string => `'0x' || left(md5(${n}::text), 32) || '00000000'`;
const SOME = `(floor(${ACCOUNTS} ^ random()) - 1)::int`;

async function make(db: Database): Promise<void> {
  for (let from = 0; from < FILLS; from += AT_ONCE)
    await db.query(
      `insert into public.hl_fills (account_address, coin, fill_time, fill_time_ms, side, size, price, value, fee, fee_token,
         start_position, closed_pnl, direction, order_id, trade_id, hash, crossed, raw_fill, source, first_seen_at, block_number)
       select ${addressOf("a")}, (array['BTC', 'ETH', 'SOL', 'HYPE', 'xyz:AAPL'])[(1 + n % 5)::int], to_timestamp(ms / 1000.0), ms,
         case n % 2 when 0 then 'buy' else 'sell' end, (n % 997) / 100.0, 60000 + n % 9973, 1234.56789, 0.123456, 'USDC',
         (n % 50)::text || '.25', 0.0, 'Open Long', 5000000000 + n / 3, 900000000000 + n, '0x' || md5(n::text) || md5((n + 1)::text),
         n % 3 = 0, 'true', 'stream', to_timestamp(ms / 1000.0), 941000000 + n
       from (select n, ${SOME} as a, (${FROM_MS} + n::float8 * ${YEAR_MS / FILLS})::bigint as ms from generate_series(${from}, ${Math.min(from + AT_ONCE, FILLS) - 1}) n) x`,
    );
}

/** Joins a fill that is new, as `put_fills` does, by a plan that is kept. */
const putFunction = (kind: string): string => `
  create or replace function growth.put_${kind}(account text, ms bigint) returns void language plpgsql set plan_cache_mode = force_generic_plan as $$
  begin
    insert into ${nameOf(kind)} (account_address, coin, fill_time, fill_time_ms, side, size, price, value, fee, start_position,
      closed_pnl, direction, order_id, trade_id, crossed, source, first_seen_at)
    values (account, 'BTC', to_timestamp(ms / 1000.0), ms, 'buy', 1, 1, 1, 0, '0', 0, 'Open Long', ms, ms, true, 'stream', now())
    on conflict do nothing;
  end $$`;

const QUESTIONS: Record<string, (table: string) => string> = {
  "newest 50": (table) =>
    `select * from ${table} where account_address = $1 order by fill_time desc limit 50`,
  "one fill by its key": (table) =>
    `select * from ${table} where account_address = $1 and coin = 'BTC' and fill_time_ms = ${FROM_MS + 1} and order_id = 5`,
  "a week's sum": (table) =>
    `select sum(value) from ${table} where account_address = $1 and fill_time >= to_timestamp(${(FROM_MS + YEAR_MS / 2) / 1e3}) and fill_time < to_timestamp(${(FROM_MS + YEAR_MS / 2 + 7 * 86_400_000) / 1e3})`,
};

async function measure(db: Database, kind: string): Promise<void> {
  const table = nameOf(kind);
  const read = await serverMeter(db);
  const cost = async (calls: number, call: (n: number) => Promise<unknown>): Promise<string> => {
    const before = read();
    for (let n = 0; n < calls; n++) await call(n);
    return Math.round(((read() - before) * 1_000) / calls).toString();
  };
  const [size] = await db.query<{ heap: number; indexes: number; parts: string }>(
    `with leaf as (
       select c.oid, pg_total_relation_size(c.oid) as bytes from pg_class c
       where c.relkind = 'r' and (c.oid = '${table}'::regclass or c.oid in (select inhrelid from pg_inherits where inhparent = '${table}'::regclass))
     )
     select sum(pg_table_size(oid)) as heap, sum(pg_indexes_size(oid)) as indexes,
       (select string_agg(pg_size_pretty(pg_relation_size(x.indexrelid)), ', ' order by x.indexrelid) from pg_index x
        where x.indrelid = (select oid from leaf order by bytes desc limit 1)) as parts
     from leaf`,
  );
  const each = (bytes: number) => Math.round(Number(bytes) / FILLS);
  console.log(
    `\n${table}: ${each(size!.heap)} bytes of heap and ${each(size!.indexes)} of indexes a fill (${size!.parts} in the largest part)`,
  );
  const some = await db.query<{ account: string }>(
    `select ${addressOf(SOME)} as account from generate_series(1, ${CALLS})`,
  );
  for (const [name, sql] of Object.entries(QUESTIONS)) {
    const ask = (n: number) => db.query(sql(table), [some[n]!.account]);
    await cost(20, ask);
    console.log(`  ${name}: ${await cost(CALLS, ask)} µs`);
  }
  await db.query(putFunction(kind));
  const put = (n: number) =>
    db.query(`select growth.put_${kind}($1, $2)`, [some[n]!.account, FROM_MS + YEAR_MS - 1 - n]);
  console.log(`  a new fill: ${await cost(CALLS, put)} µs`);
  const began = performance.now();
  const before = read();
  await db.query(`vacuum (freeze, index_cleanup on) ${table}`);
  console.log(
    `  vacuum of all: ${((read() - before) / 1e3).toFixed(1)} s of CPU, ${((performance.now() - began) / 1e3).toFixed(1)} s`,
  );
}

/** What `verify` reads of an account, whoever else there is. */
async function chains(db: Database): Promise<void> {
  const read = await serverMeter(db);
  for (const rank of [0, Math.floor(ACCOUNTS ** 0.5), Math.floor(ACCOUNTS ** 0.8)]) {
    const [row] = await db.query<{ account: string; fills: number }>(
      `select account_address as account, count(*)::int as fills from public.hl_fills where account_address = ${addressOf(String(rank))} group by 1`,
    );
    if (row === undefined) continue;
    const before = read();
    await storedChains(db, row.account);
    console.log(`  chains of an account with ${row.fills} fills: ${read() - before} ms of the server's CPU`);
  }
}

async function run(url: string): Promise<void> {
  const db = openPostgres(url);
  await migrate(db);
  await db.query("create schema if not exists growth");
  const [known] = await db.query<{ n: number }>("select count(*)::int as n from public.hl_fills");
  if (known!.n < FILLS) {
    const read = await serverMeter(db);
    const before = read();
    await make(db);
    console.log(
      `${FILLS} fills of ${ACCOUNTS} accounts made: ${Math.round((read() - before) / 1e3)} s of the server's CPU`,
    );
  }
  for (const kind of values.kinds.split(",")) {
    await db.query(`drop table if exists growth.${kind}`);
    for (const statement of KINDS[kind]!) await db.query(statement);
    // In pieces: a statement that takes minutes is given up.
    for (let part = 0; kind !== "plain" && part < SLICES; part++) {
      const [from, to] = [part, part + 1].map((n) => FROM_MS + (n * YEAR_MS) / SLICES);
      await db.query(
        `insert into growth.${kind} select * from public.hl_fills where fill_time_ms >= ${from} and fill_time_ms < ${to}`,
      );
    }
    await db.query(`vacuum analyze ${nameOf(kind)}`);
    console.log(`load ${loadavg()[0]!.toFixed(1)}`);
    await measure(db, kind);
    if (kind === "plain") await chains(db);
    await db.query(`drop table if exists growth.${kind}`);
  }
  await db.close();
}

await onDatabase(values.database, run);
