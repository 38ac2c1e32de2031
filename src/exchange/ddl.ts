/**
 * Tables of the whole exchange in ClickHouse: every fill, funding and ledger row of all accounts. Pure: statements as text.
 * Guarantees: lines of node files are read by ClickHouse itself (views over tables that keep nothing), the same statements on a
 * server, on a cluster and embedded; a line is read exactly or refused, never in part; what is loaded again replaces itself
 * by its key. Where several rows of a key are not merged yet, `final` counts them once; all views of `views.ts` do. A day is a
 * partition: one that was merged into one part costs `final` nothing.
 */
import { VIEWS } from "./views.ts";

/** Where `--into` names none. */
export const DEFAULT_DATABASE = "hyperliquid";

/** A name that needs no quotes anywhere, or null. */
export const plainName = (name: string): string | null =>
  /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name) ? name : null;

/** Names are plain ones. */
export interface Place {
  database: string;
  /** Of a ClickHouse cluster; null for one server. */
  cluster: string | null;
}

/** A table that lines are inserted into, by what their file holds. */
export const LINE_TABLES = { fill: "fill_lines", misc: "misc_lines" } as const;
export type LineKind = keyof typeof LINE_TABLES;

/** Columns as `name type`, then the comment. */
type Column = readonly [definition: string, comment: string];
interface Table {
  name: string;
  comment: string;
  columns: readonly Column[];
  key: string;
  /** Rows of one key are on one shard. */
  shard: string;
  partition: string | null;
  /** Of several rows of a key the one with the greatest stays; else the newest inserted. */
  version?: string;
}

/** Prices and sizes: the venue's rules allow 8 decimals, and a product of two fits. */
const QUANTITY = "Decimal(38, 10)";
const MONEY = "Decimal(38, 18)";
const DAY = "toYYYYMMDD(time)";

const FILLS: Table = {
  name: "fills",
  comment: "Every fill of every account: a trade has two, the buyer's and the seller's.",
  columns: [
    ["account String", "Address."],
    ["coin LowCardinality(String)", "Market as the venue names it."],
    ["time DateTime64(3, 'UTC')", "Block time."],
    ["side Enum8('buy' = 1, 'sell' = -1)", "Of the account."],
    [`price ${QUANTITY}`, "Execution price."],
    [`size ${QUANTITY}`, "In units of the coin."],
    ["value Decimal(38, 20)", "price × size."],
    [`start_position ${MONEY}`, "Position before the fill, signed."],
    ["direction LowCardinality(String)", "The venue's words: Open Long, Close Short, …"],
    [`closed_pnl ${MONEY}`, "Realised profit, gross of fees."],
    [`fee ${MONEY}`, "In fee_token, negative is a rebate; contains the builder's and the deployer's part."],
    ["fee_token LowCardinality(String)", "Token of the fee."],
    [`builder_fee Nullable(${MONEY})`, "Part of the fee that went to a builder."],
    ["builder Nullable(String)", "Address of the builder, where the file names it."],
    [`deployer_fee Nullable(${MONEY})`, "Part of the fee that went to the deployer of the dex."],
    [`priority_gas Nullable(${MONEY})`, "Priority tip in HYPE; not part of the fee."],
    ["crossed Bool", "Whether the account took liquidity."],
    ["order_id UInt64", "The venue's oid."],
    ["trade_id UInt64", "The venue's tid; one trade with its block and coin."],
    ["hash String", "Of the transaction; zeros for TWAP slices and system rows."],
    ["cloid Nullable(String)", "Client's own order id."],
    ["twap_id Nullable(UInt64)", "TWAP order that the fill is a slice of."],
    ["liquidated_user Nullable(String)", "Who was liquidated in this trade."],
    [`liquidation_mark Nullable(${QUANTITY})`, "Mark price of the liquidation."],
    ["liquidation_method LowCardinality(Nullable(String))", "market or backstop."],
    ["block UInt64", "Block number; 0 where neither the file nor the hash tells it."],
    ["place UInt32", "Place in its line, from 1: fills of one block are in this order."],
  ],
  key: "account, time, coin, order_id, trade_id, side",
  shard: "cityHash64(account)",
  partition: DAY,
};

const POSITIONS: Table = {
  name: "positions",
  comment: "What each account's last fill in a market left it with; view read_positions keeps it.",
  columns: [
    ["account String", "Address."],
    ["coin LowCardinality(String)", "Market."],
    ["time DateTime64(3, 'UTC')", "Of the last fill."],
    [`position ${MONEY}`, "Signed."],
    ["version UInt128", "Time, block and place of the fill: the greatest is the last."],
  ],
  key: "account, coin",
  shard: "cityHash64(account)",
  partition: null,
  version: "version",
};

const FUNDING: Table = {
  name: "funding",
  comment: "Every funding payment of every account.",
  columns: [
    ["account String", "Address."],
    ["coin LowCardinality(String)", "Market."],
    ["time DateTime64(3, 'UTC')", "Block time."],
    [`usdc ${MONEY}`, "Signed: negative was paid."],
    [`size ${MONEY}`, "Signed position."],
    [`rate ${MONEY}`, "Funding rate."],
    ["block UInt64", "Block number; 0 where the file does not tell it."],
  ],
  key: "account, time, coin",
  shard: "cityHash64(account)",
  partition: DAY,
};

const LEDGER: Table = {
  name: "ledger",
  comment:
    "Deposits, withdrawals, transfers, rewards, liquidations …: one row for every address that an update names.",
  columns: [
    ["account String", "Address."],
    ["time DateTime64(3, 'UTC')", "Block time."],
    ["type LowCardinality(String)", "The venue's word; new ones appear."],
    [
      `usdc Nullable(${MONEY})`,
      "The update's own amount in USDC, without sign; what it means depends on its type.",
    ],
    ["token LowCardinality(String)", "Token, where the update names one."],
    [`amount Nullable(${MONEY})`, "In token."],
    ["delta String", "The venue's object."],
    ["hash String", "Of the transaction."],
    ["block UInt64", "Block number; 0 where neither the file nor the hash tells it."],
  ],
  key: "account, time, hash, type, cityHash64(delta)",
  shard: "cityHash64(account)",
  partition: DAY,
};

const LOADS: Table = {
  name: "loads",
  comment: "Files that were loaded whole, and are not loaded again.",
  columns: [
    ["digest String", "What file it was, wherever it lay."],
    ["path String", "Where it lay."],
    ["bytes UInt64", "Its size."],
    ["lines UInt64", "Lines in it."],
    ["unread UInt64", "Lines and events of it that are in table unread."],
    ["loaded_at DateTime DEFAULT now()", "When."],
  ],
  key: "digest",
  shard: "cityHash64(digest)",
  partition: null,
};

const UNREAD: Table = {
  name: "unread",
  comment: "Lines and events that could not be read, as they came.",
  columns: [
    ["kind LowCardinality(String)", "fill or misc."],
    ["line String", "The line, or an event of it."],
    ["reason String", "Why."],
    ["path String", "File that it stood in."],
  ],
  key: "kind, cityHash64(line)",
  shard: "cityHash64(line)",
  partition: null,
};

const TABLES = [FILLS, POSITIONS, FUNDING, LEDGER, LOADS, UNREAD];
/** Tables of what happened on the exchange, each with its time column. */
export const EXCHANGE_TABLES = [FILLS, FUNDING, LEDGER].map(({ name }) => name);

/** A server merges days that are quiet by itself; an engine that ends with its process is told to. */
const QUIET_SECONDS = 3_600;
export const mergeStatements = (database: string): string[] =>
  [...EXCHANGE_TABLES, POSITIONS.name].map(
    (name) => `OPTIMIZE TABLE ${database}.${name} FINAL SETTINGS optimize_skip_merged_partitions = 1`,
  );

/** A block as its events, or one event that stands alone. */
const EVENTS_WITHIN = 256;
const BLOCK = `if(position(substring(line, 1, ${EVENTS_WITHIN}), '"events"') > 0, line, concat('{"events":[', line, ']}'))`;
const isRead = "throwIf(NOT isValidJSON(line), 'the line is no JSON') = 0";
const optional = (name: string) => `${name} Nullable(String)`;

const WIRE_FILL = [
  "coin String",
  "px String",
  "sz String",
  "side String",
  "time UInt64",
  "startPosition String",
  "dir String",
  "closedPnl String",
  "hash String",
  "oid UInt64",
  "crossed Bool",
  "fee String",
  "tid UInt64",
  "feeToken String",
  ...["cloid", "builder", "builderFee", "deployerFee", "priorityGas"].map(optional),
  "twapId Nullable(UInt64)",
  `liquidation Tuple(${["liquidatedUser", "markPx", "method"].map(optional).join(", ")})`,
].join(", ");

/** A hash of the venue holds the number of its block behind 10 bytes and 04. */
const blockOf = (known: string, hash: string): string =>
  `multiIf(${known} > 0, ${known}, substring(${hash}, 23, 2) = '04', ` +
  `toUInt64(reinterpretAsUInt32(reverse(unhex(substring(${hash}, 25, 8))))), 0)`;

const isAddress = (text: string): string => `match(${text}, '^0x[0-9a-fA-F]{40}$')`;

const FROM_FILL_LINES = `WITH JSONExtract(${BLOCK}, 'Tuple(block_number UInt64, events Array(Tuple(String, Tuple(${WIRE_FILL}))))') AS read
SELECT lower(event.1) AS account, fill.coin AS coin, fromUnixTimestamp64Milli(toInt64(fill.time), 'UTC') AS time,
  CAST(if(fill.side = 'B', 'buy', 'sell'), 'Enum8(\\'buy\\' = 1, \\'sell\\' = -1)') AS side,
  toDecimal128(fill.px, 10) AS price, toDecimal128(fill.sz, 10) AS size, price * size AS value,
  toDecimal128(fill.startPosition, 18) AS start_position, fill.dir AS direction,
  toDecimal128(fill.closedPnl, 18) AS closed_pnl, toDecimal128(fill.fee, 18) AS fee, fill.feeToken AS fee_token,
  toDecimal128(fill.builderFee, 18) AS builder_fee, lower(fill.builder) AS builder,
  toDecimal128(fill.deployerFee, 18) AS deployer_fee, toDecimal128(fill.priorityGas, 18) AS priority_gas,
  fill.crossed AS crossed, fill.oid AS order_id, fill.tid AS trade_id, fill.hash AS hash, fill.cloid AS cloid,
  fill.twapId AS twap_id, lower(fill.liquidation.liquidatedUser) AS liquidated_user,
  toDecimal128(fill.liquidation.markPx, 10) AS liquidation_mark, fill.liquidation.method AS liquidation_method,
  ${blockOf("block", "fill.hash")} AS block, place
FROM (
  SELECT read.block_number AS block, event, event.2 AS fill, place
  FROM {lines} ARRAY JOIN read.events AS event, arrayEnumerate(read.events) AS place
  WHERE ${isRead}
)
WHERE throwIf(fill.time = 0 OR fill.coin = '' OR fill.side NOT IN ('A', 'B') OR NOT ${isAddress("event.1")}, 'an event that is no fill') = 0`;

const blockTime = (text: string): string => `parseDateTime64BestEffort(${text}, 3, 'UTC')`;

const FROM_FUNDING_LINES = `WITH JSONExtract(${BLOCK}, 'Tuple(block_number UInt64, events Array(Tuple(time String, inner Tuple(Funding Tuple(deltas Array(Tuple(user String, coin String, funding_amount String, szi String, funding_rate String)))))))') AS read
SELECT lower(paid.user) AS account, paid.coin AS coin, ${blockTime("event.time")} AS time,
  toDecimal128(paid.funding_amount, 18) AS usdc, toDecimal128(paid.szi, 18) AS size,
  toDecimal128(paid.funding_rate, 18) AS rate, block
FROM (SELECT read.block_number AS block, event FROM {lines} ARRAY JOIN read.events AS event WHERE ${isRead})
ARRAY JOIN event.inner.Funding.deltas AS paid
WHERE throwIf(NOT ${isAddress("paid.user")}, 'a payment of nobody') = 0`;

const FROM_LEDGER_LINES = `WITH JSONExtract(${BLOCK}, 'Tuple(block_number UInt64, events Array(Tuple(time String, hash String, inner Tuple(LedgerUpdate Tuple(users Array(String), delta String)))))') AS read
SELECT lower(user) AS account, ${blockTime("event.time")} AS time, JSONExtractString(event.inner.LedgerUpdate.delta, 'type') AS type,
  toDecimal128(JSONExtract(event.inner.LedgerUpdate.delta, 'usdc', 'Nullable(String)'), 18) AS usdc,
  JSONExtractString(event.inner.LedgerUpdate.delta, 'token') AS token,
  toDecimal128(JSONExtract(event.inner.LedgerUpdate.delta, 'amount', 'Nullable(String)'), 18) AS amount,
  event.inner.LedgerUpdate.delta AS delta, event.hash AS hash,
  if(type IN ('deposit', 'withdraw'), told, ${blockOf("told", "event.hash")}) AS block
FROM (SELECT read.block_number AS told, event FROM {lines} ARRAY JOIN read.events AS event WHERE ${isRead})
ARRAY JOIN event.inner.LedgerUpdate.users AS user
WHERE throwIf(type = '' OR NOT ${isAddress("user")}, 'an update that names no type or no account') = 0`;

const FROM_FILLS = `WITH bitShiftLeft(toUInt128(toUnixTimestamp64Milli(f.time)), 64) + bitShiftLeft(f.block, 24) + f.place AS at
SELECT f.account AS account, f.coin AS coin, max(f.time) AS time,
  argMax(f.start_position + if(f.side = 'buy', f.size, -f.size), at) AS position, max(at) AS version
FROM {fills} AS f
GROUP BY account, coin`;

/** What reads lines, by the table that it fills. */
const READERS: readonly { lines: LineKind; into: string; select: string }[] = [
  { lines: "fill", into: "fills", select: FROM_FILL_LINES },
  { lines: "misc", into: "funding", select: FROM_FUNDING_LINES },
  { lines: "misc", into: "ledger", select: FROM_LEDGER_LINES },
];

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** Everything that a database needs; may be run again. */
export function schemaStatements({ database: within, cluster }: Place): string[] {
  const on = cluster === null ? "" : ` ON CLUSTER ${cluster}`;
  const tables = TABLES.flatMap((table) => tableStatements(table, within, cluster));
  const lines = Object.values(LINE_TABLES).map(
    (name) =>
      `CREATE TABLE IF NOT EXISTS ${within}.${name}${on} (line String) ENGINE = Null COMMENT 'Lines of node files; views read them, nothing is kept.'`,
  );
  const readers = READERS.map(
    ({ lines: kind, into, select }) =>
      `CREATE MATERIALIZED VIEW IF NOT EXISTS ${within}.read_${into}${on} TO ${within}.${into} AS\n` +
      select.replace("{lines}", `${within}.${LINE_TABLES[kind]}`),
  );
  const stored = cluster === null ? "" : "_local";
  const positions =
    `CREATE MATERIALIZED VIEW IF NOT EXISTS ${within}.read_positions${on} TO ${within}.positions${stored} AS\n` +
    FROM_FILLS.replace("{fills}", `${within}.fills${stored}`);
  const views = VIEWS.map(
    ({ name, comment, select }) =>
      `CREATE OR REPLACE VIEW ${within}.${name}${on} AS\n${select.replaceAll("{db}", within)}\nCOMMENT ${quoted(comment)}`,
  );
  return [
    `CREATE DATABASE IF NOT EXISTS ${within}${on}`,
    ...tables,
    ...lines,
    positions,
    ...readers,
    ...views,
  ];
}

function tableStatements(
  { name, comment, columns, key, shard, partition, version }: Table,
  within: string,
  cluster: string | null,
): string[] {
  const body = columns.map(([column, says]) => `  ${column} COMMENT ${quoted(says)}`).join(",\n");
  const [by, quiet] =
    partition === null
      ? ["", ""]
      : [
          `\nPARTITION BY ${partition}`,
          `\nSETTINGS min_age_to_force_merge_seconds = ${QUIET_SECONDS}, min_age_to_force_merge_on_partition_only = 1`,
        ];
  const order = `${by}\nORDER BY (${key})${quiet}\nCOMMENT ${quoted(comment)}`;
  const engine = `ReplacingMergeTree${version === undefined ? "" : `(${version})`}`;
  if (cluster === null)
    return [`CREATE TABLE IF NOT EXISTS ${within}.${name} (\n${body}\n) ENGINE = ${engine}${order}`];
  // Without arguments the path comes from the server's `default_replica_path`, which macros fill in.
  return [
    `CREATE TABLE IF NOT EXISTS ${within}.${name}_local ON CLUSTER ${cluster} (\n${body}\n) ENGINE = Replicated${engine}${order}`,
    `CREATE TABLE IF NOT EXISTS ${within}.${name} ON CLUSTER ${cluster} AS ${within}.${name}_local\n` +
      `ENGINE = Distributed(${cluster}, ${within}, ${name}_local, ${shard})`,
  ];
}
