/**
 * Fills, funding and ledger as the file of a tax program, oldest first. Guarantees: every row is in it, or is counted in
 * `leftOut` by what it is; rows are read in pages, and what is held is one page of each table and one second of movements,
 * however long the history is.
 */
import type { Queryable, Row } from "../../store/database.ts";
import type { Address } from "../../sync/rows.ts";
import { type Cells, EXPORTS, exportedRows } from "../exports.ts";
import type { Layout } from "./layouts.ts";
import {
  addedUp,
  type Market,
  type MarketFacts,
  type Movement,
  marketOf,
  movementsOfFill,
  movementsOfFunding,
  movementsOfLedger,
  type TaxFill,
  type TaxFunding,
  type TaxLedgerRow,
} from "./movements.ts";

interface TaxAsked {
  account: Address;
  /** Of the calendar in UTC; null for all that is stored. */
  year: number | null;
  layout: Layout;
}

const NOTHING_KNOWN: MarketFacts = { bought: null, sold: null, base: null, quote: null };

const FILL_COLUMNS = [
  ...[
    "fill_time_ms",
    "coin",
    "order_id",
    "trade_id",
    "side",
    "size",
    "value",
    "fee",
    "fee_token",
    "closed_pnl",
  ],
  ...["direction", "hash", "priority_gas"],
];
const FUNDING_COLUMNS = ["funding_time_ms", "coin", "usdc"];
const told = (name: string, as: string): string => `raw_ledger -> 'delta' ->> '${name}' as ${as}`;
const LEDGER_COLUMNS = [
  ...[
    "ledger_time_ms",
    "hash",
    "type",
    "digest",
    "effect",
    "token",
    "amount",
    "perp_usdc",
    "spot_usdc",
    "flow_usd",
  ],
  ...["earned_usd", told("fee", "fee"), told("feeToken", "fee_token"), told("basis", "basis")],
  ...[
    told("netWithdrawnUsd", "net_withdrawn"),
    "lower(raw_ledger -> 'delta' ->> 'destination') = account_address as arrives",
  ],
];

/** Lines with their header. `leftOut` counts, by type, the rows whose amounts are not told. */
export async function* taxLines(
  db: Queryable,
  { account, year, layout }: TaxAsked,
  leftOut: Map<string, number>,
): AsyncGenerator<string> {
  const fromMs = year === null ? null : Date.UTC(year, 0, 1);
  const toMs = year === null ? Number.POSITIVE_INFINITY : Date.UTC(year + 1, 0, 1);
  const markets = await readMarkets(db, account);
  const market = (coin: string): Market => markets.get(coin) ?? marketOf(coin, NOTHING_KNOWN);
  const source = <T>(table: string, columns: readonly string[], movementsOf: (row: T) => Movement[]) =>
    movementsIn(
      exportedRows(db, table, columns, account, fromMs),
      movementsOf as (row: Cells) => Movement[],
      (row) => (row[EXPORTS[table]!.timeMs!] as number) >= toMs,
    );
  const sources = [
    source<TaxFill>("fills", FILL_COLUMNS, (fill) => movementsOfFill(fill, market(fill.coin))),
    source<TaxFunding>("funding", FUNDING_COLUMNS, (row) => movementsOfFunding(row, market(row.coin))),
    source<TaxLedgerRow>("ledger", LEDGER_COLUMNS, (row) => {
      const movements = movementsOfLedger(row);
      if (movements === null) leftOut.set(row.type, (leftOut.get(row.type) ?? 0) + 1);
      return movements ?? [];
    }),
  ];
  yield layout.header;
  let second: Movement[] = [];
  const secondOf = ({ atMs }: Movement): number => Math.floor(atMs / 1_000);
  for await (const movement of merged(sources)) {
    if (second[0] && secondOf(second[0]) !== secondOf(movement)) {
      for (const row of addedUp(second)) yield* layout.lines(row);
      second = [];
    }
    second.push(movement);
  }
  for (const row of addedUp(second)) yield* layout.lines(row);
}

async function readMarkets(db: Queryable, account: Address): Promise<Map<string, Market>> {
  const rows = await db.query<MarketFacts & { coin: string } & Row>(
    `select coin, f.bought, f.sold, m.base, coalesce(m.quote, m.collateral_token) as quote
     from (
       select coin, max(fee_token) filter (where side = 'buy' and fee > 0) as bought,
         max(fee_token) filter (where side = 'sell' and fee > 0) as sold
       from public.hl_fills where account_address = $1 group by coin
     ) f
     full join public.hl_markets m using (coin) where f.coin is not null or m.collateral_token is not null`,
    [account],
  );
  return new Map(rows.map(({ coin, ...facts }) => [coin, marketOf(coin, facts)]));
}

async function* movementsIn(
  pages: AsyncGenerator<Cells[]>,
  movementsOf: (row: Cells) => Movement[],
  isOver: (row: Cells) => boolean,
): AsyncGenerator<Movement> {
  for await (const page of pages) {
    for (const row of page) {
      if (isOver(row)) return;
      yield* movementsOf(row);
    }
  }
}

/** Each source is in order of time; so is what comes out. */
async function* merged(sources: readonly AsyncGenerator<Movement>[]): AsyncGenerator<Movement> {
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    let first = -1;
    heads.forEach((head, at) => {
      if (!head.done && (first < 0 || head.value.atMs < (heads[first]!.value as Movement).atMs)) first = at;
    });
    if (first < 0) return;
    yield heads[first]!.value as Movement;
    heads[first] = await sources[first]!.next();
  }
}

/** `left out, their amounts are not told: 2 vaultDistribution` */
export const leftOutText = (leftOut: ReadonlyMap<string, number>): string =>
  `left out, their amounts are not told: ${[...leftOut].map(([type, rows]) => `${rows} ${type}`).join(", ")}`;
