/**
 * What was read from a node's files, in the database. Guarantees: a file is noted after its rows are committed, for the set of
 * accounts it was read for, so that an import that was killed reads it again; the links of a chain come in pieces of bounded
 * size, and a millisecond lies in one piece.
 */
import { createHash } from "node:crypto";
import { isPerp, type Link } from "../sync/chain.ts";
import type { Interval } from "../sync/coverage.ts";
import type { BlockRun } from "../sync/nodeFiles/blocks.ts";
import { type CoinChain, linkedOn } from "../sync/nodeFiles/claims.ts";
import type { LostFill } from "../sync/nodeFiles/importFile.ts";
import type { Address } from "../sync/rows.ts";
import type { Queryable, Row } from "./database.ts";

interface NotedFile {
  /** What it is, wherever it lies. */
  digest: string;
  name: string;
  size: number;
  kind: string | null;
  runs: BlockRun[];
  lost: LostFill[];
  /** False: something could not be read, and the same digest may be that of another file by now. It counts as not read. */
  isSettled: boolean;
}

/** Behind the digest of a file of which something could not be read: what it held is known, and it is read again. */
const TORN = "!";

/** The accounts of `wanted` that the file was not read for yet. */
export async function unreadFor(
  db: Queryable,
  digest: string,
  wanted: readonly Address[],
): Promise<Address[]> {
  const rows = await db.query<{ account: Address } & Row>(
    `select w as account from unnest($2::text[]) w
     where not exists (select from hl_internal.import_files f join hl_internal.import_sets s on s.id = f.set_id
       where f.digest = $1 and s.accounts @> array[w])
     order by w`,
    [digest, wanted],
  );
  return rows.map(({ account }) => account);
}

export async function noteFile(db: Queryable, file: NotedFile, accounts: readonly Address[]): Promise<void> {
  const sorted = [...new Set(accounts)].sort();
  const setDigest = createHash("sha256").update(sorted.join(" ")).digest("hex").slice(0, 32);
  await db.query(
    `with gone as (
       delete from hl_internal.import_files where $9 and digest = $3 || '${TORN}'
     ), made as (
       -- Also where another file is noted at the same time: a row that is not seen yet has its number all the same.
       insert into hl_internal.import_sets (digest, accounts) values ($1, $2)
       on conflict (digest) do update set digest = excluded.digest returning id
     )
     insert into hl_internal.import_files (digest, set_id, name, size, kind, runs, lost)
     select $3 || case when $9 then '' else '${TORN}' end, made.id, $4, $5, $6, $7::jsonb, $8::jsonb from made
     on conflict (digest, set_id) do update set runs = excluded.runs, lost = excluded.lost, imported_at = now()`,
    [
      ...[setDigest, sorted, file.digest, file.name, file.size, file.kind],
      ...[JSON.stringify(file.runs), JSON.stringify(file.lost), file.isSettled],
    ],
  );
}

/** The blocks of fills that files hold for the account, and the fills of it that they lost. */
export async function readBlocks(
  db: Queryable,
  account: Address,
): Promise<{ runs: BlockRun[]; lost: LostFill[] }> {
  const files = await db.query<{ runs: BlockRun[]; lost: LostFill[] } & Row>(
    `select f.runs, (select coalesce(jsonb_agg(l), '[]') from jsonb_array_elements(f.lost) l
       where l ->> 'account' = $1) as lost
     from hl_internal.import_files f join hl_internal.import_sets s on s.id = f.set_id
     where f.kind = 'fill' and s.accounts @> array[$1]`,
    [account],
  );
  return { runs: files.flatMap(({ runs }) => runs), lost: files.flatMap(({ lost }) => lost) };
}

/** Whether fills of the account are missing in one of these times, or nothing was ever read of it from the API. */
export async function hasGapIn(
  db: Queryable,
  account: Address,
  times: readonly Interval[],
): Promise<boolean> {
  const [row] = await db.query<{ has: boolean } & Row>(
    `select exists (select from hl_internal.accounts a where a.account_address = $1 and a.since_ms is null)
       or exists (select from public.hl_gaps g join unnest($2::bigint[], $3::bigint[]) as t(from_ms, to_ms)
         on g.from_ms <= t.to_ms and g.to_ms >= t.from_ms
         where g.account_address = $1 and g.stream = 'fills' and g.kind = 'missing') as has`,
    [account, times.map(({ fromMs }) => fromMs), times.map(({ toMs }) => toMs)],
  );
  return row!.has;
}

/** Links read at once. */
const LINKS_AT_ONCE = 20_000;

/** The chains of an account's perp coins. */
export async function storedChains(db: Queryable, account: Address): Promise<CoinChain[]> {
  const chains = new Map<string, CoinChain>();
  let after = { coin: "", timeMs: -1 };
  for (let limit = LINKS_AT_ONCE; ; ) {
    const links = await db.query<Link & Row>(
      `select coin, fill_time_ms as "timeMs", side, size, start_position as "startPosition" from public.hl_fills
       where account_address = $1 and (coin, fill_time_ms) > ($2, $3) and start_position is not null
       order by coin, fill_time_ms limit $4`,
      [account, after.coin, after.timeMs, limit],
    );
    const isLast = links.length < limit;
    const { coin, timeMs } = links.at(-1) ?? { coin: "", timeMs: 0 };
    // The last millisecond may go on behind the limit.
    const piece = isLast ? links : links.filter((link) => link.coin !== coin || link.timeMs !== timeMs);
    for (const [name, of] of Map.groupBy(piece, (link) => link.coin)) {
      if (!isPerp(name)) continue;
      const chain = linkedOn(chains.get(name) ?? null, of);
      if (chain !== null) chains.set(name, chain);
    }
    if (isLast) return [...chains.values()];
    const read = piece.at(-1);
    if (read) after = { coin: read.coin, timeMs: read.timeMs };
    else limit *= 2;
  }
}
