/**
 * `import-legacy`: takes over what older programs kept: tables under the names of ours, which it moves aside, or a CSV file
 * (the venue's own trade history, or rows of such a table). Guarantees: originals are kept, whatever happens; a second run
 * changes nothing; unreadable rows are reported with their reason and an example.
 */
import { readFileSync, statSync } from "node:fs";
import { ConfigError } from "../../errors.ts";
import {
  heldFills,
  type LegacyName,
  legacyRows,
  movedTables,
  movesAside,
  oldestFillMs,
  strangersError,
} from "../../store/legacy.ts";
import { migrate, strangersInTheWay } from "../../store/migrate.ts";
import { type DatabaseStore, openStore } from "../../store/store.ts";
import { covers, union } from "../../sync/coverage.ts";
import { type LegacyRow, Unread } from "../../sync/legacy/cells.ts";
import { type CsvTable, readCsv } from "../../sync/legacy/csv.ts";
import {
  type LegacyTable,
  legacyFill,
  legacyOrder,
  legacySnapshot,
  TimeColumns,
} from "../../sync/legacy/rows.ts";
import { type Taken, TakeOver } from "../../sync/legacy/takeOver.ts";
import { dateOrder, exportedFill, isVenueExport, type LocalMs } from "../../sync/legacy/venueExport.ts";
import type { Address } from "../../sync/rows.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { openDatabase, openExisting, requireDatabase } from "../openDatabase.ts";

/** A file is read whole. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;
/** Rows of a file that are looked at together. */
const ROWS_AT_ONCE = 5_000;

export const importLegacy: Command = {
  name: "import-legacy",
  args: "[file]",
  summary: "take over the tables of older programs, or a CSV file: moved aside, kept, and read",
  addressesOnly: "old tables know addresses only",
  options: ["account", "database", "check"],
  run: (context) =>
    context.args[0] === undefined ? importTables(context) : importFile(context, context.args[0]),
};

/** Rows that name no account are of the only one that is given. */
const onlyAccount = ({ options }: Context): Address | null =>
  options.account.length === 1 ? options.account[0]!.address : null;

async function importTables(context: Context): Promise<number> {
  const { options, print } = context;
  requireDatabase(context);
  const { database } = await openDatabase(context);
  const strangers = await strangersInTheWay(database);
  const others = strangers.filter(({ isLegacy }) => !isLegacy);
  if (others.length > 0) throw strangersError(database.describe(), others);
  const { moves, sql } = await movesAside(
    database,
    strangers.map(({ name }) => name),
  );
  const done = options.check ? "would be moved aside" : "moved aside";
  for (const move of moves)
    print(
      options.json
        ? JSON.stringify({ type: "import-legacy", ...move, moved: !options.check })
        : `${options.schema}.${move.from} ${done} as ${options.schema}.${move.to}, with every row`,
    );
  if (options.check) {
    if (moves.length === 0 && !options.json) print("no table of another program stands under a name of ours");
    return moves.length === 0 ? EXIT.ok : EXIT.migration;
  }
  await migrate(database, sql);
  const store = openStore(database);
  const tables = await movedTables(database);
  if (tables.length === 0 && !options.json) print("there is no table of another program");
  for (const { name, base } of tables) {
    const times = new TimeColumns();
    if (base === "hl_fills")
      for await (const rows of legacyRows(database, name)) {
        context.signal.throwIfAborted();
        times.note(rows);
      }
    const takeOver = takeOverInto(store);
    const table: LegacyTable = { account: onlyAccount(context), cutColumns: times.cut };
    for await (const rows of legacyRows(database, name)) {
      context.signal.throwIfAborted();
      await takeRows(takeOver, base, rows, table);
    }
    say(context, name, base === "hl_positions" ? null : takeOver.result);
  }
  return EXIT.ok;
}

const takeOverInto = (store: DatabaseStore): TakeOver =>
  new TakeOver({ store, heldFills: (fills) => heldFills(store.database, fills) });

/** Positions are a current state, which the venue tells itself. */
async function takeRows(
  takeOver: TakeOver,
  base: LegacyName,
  rows: readonly LegacyRow[],
  table: LegacyTable,
): Promise<void> {
  if (base === "hl_fills") await takeOver.fills(rows, (row) => legacyFill(row, table));
  if (base === "hl_orders") await takeOver.orders(rows, (row) => legacyOrder(row, table));
  if (base === "hl_dashboard") await takeOver.snapshots(rows, (row) => legacySnapshot(row, table));
}

function say({ options, print }: Context, name: string, result: Taken | null): void {
  if (options.json) {
    print(JSON.stringify({ type: "import-legacy", from: name, ...(result ?? { read: null }) }));
  } else if (result === null) {
    print(`${name}: kept; the venue tells the current state itself`);
  } else {
    const { read, taken, known, unread } = result;
    const lost = unread.reduce((sum, { rows }) => sum + rows, 0);
    print(`${name}: ${read} rows read, ${taken} taken over, ${known} known already, ${lost} not taken`);
    for (const { reason, rows, example } of unread) print(`  ${rows} × ${reason}, as in ${example}`);
  }
}

async function importFile(context: Context, path: string): Promise<number> {
  const account = onlyAccount(context);
  const table = fileTable(path);
  const { store } = await openExisting(context);
  if (isVenueExport(table.columns)) return importExport(context, store, table, path);
  const base = tableOf(table.columns);
  if (base === null)
    throw new ConfigError(
      `${path}: neither the venue's trade history (time,coin,dir,px,sz,ntl,fee,closedPnl) nor rows of hl_fills, hl_orders or hl_dashboard`,
    );
  const takeOver = takeOverInto(store);
  const times = new TimeColumns();
  times.note(table.rows);
  const known: LegacyTable = { account, cutColumns: times.cut };
  for (const rows of chunks(table.rows)) await takeRows(takeOver, base, rows, known);
  say(context, path, takeOver.result);
  return EXIT.ok;
}

function fileTable(path: string): CsvTable {
  let text: string;
  try {
    if (statSync(path).size > FILE_BYTES_MAX)
      throw new ConfigError(`${path} is larger than ${FILE_BYTES_MAX / 2 ** 20} MiB: cut it into several`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`cannot read ${path}: ${(error as Error).message}`);
  }
  return readCsv(text);
}

function tableOf(columns: readonly string[]): LegacyName | null {
  const has = (...names: string[]) => names.some((name) => columns.includes(name));
  if (has("trade_id", "tid")) return "hl_fills";
  if (has("limit_price", "limit_px") && has("order_id", "oid")) return "hl_orders";
  return has("account_value") && has("withdrawable") ? "hl_dashboard" : null;
}

/** The clock of this machine, which `TZ` sets. */
const localMs: LocalMs = ([year, month, day, hours, minutes, seconds]) =>
  new Date(year, month - 1, day, hours, minutes, seconds).getTime();

async function importExport(
  context: Context,
  store: DatabaseStore,
  { rows }: CsvTable,
  path: string,
): Promise<number> {
  const account = onlyAccount(context);
  if (account === null) throw new ConfigError(`${path} names no account: give its one with --account 0x…`);
  const coverage = await store.coverage(account, "fills");
  const gone = union(coverage.filter(({ grade }) => grade === "unprovable"));
  const oldestMs = await oldestFillMs(store.database, account);
  if (gone.length === 0)
    throw new ConfigError(
      `which fills of ${account} the venue no longer serves is not known, and only these are taken from its export: run hlsync sync --once first${coverage.length > 0 ? ", or take nothing: the venue still serves all of the history that is wanted (--since)" : ""}`,
    );
  const order = dateOrder(rows);
  if (order === null)
    throw new ConfigError(`${path}: whether its dates begin with the day or the month cannot be told`);
  const file = { account, order, localMs, counts: new Map<string, number>() };
  const takeOver = takeOverInto(store);
  for (const part of chunks(rows))
    await takeOver.fills(part, (row) => {
      const fill = exportedFill(row, file);
      // Its millisecond is not told: all of its second must lie in time that nothing else tells of.
      const second = { fromMs: fill.timeMs, toMs: fill.timeMs + 999 };
      if (!covers(gone, second) || (oldestMs !== null && second.toMs >= oldestMs))
        throw new Unread("of a time that the venue still serves, or served to hlsync");
      return fill;
    });
  say(context, path, takeOver.result);
  return EXIT.ok;
}

function* chunks<T>(rows: readonly T[]): Generator<T[]> {
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) yield rows.slice(at, at + ROWS_AT_ONCE);
}
