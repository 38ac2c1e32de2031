/** `export`: stored rows as CSV, as NDJSON with `--json`, or as the file of a tax program. Asks the database only. */
import { ConfigError } from "../../errors.ts";
import {
  BYTE_ORDER_MARK,
  csvHeader,
  csvLine,
  EXPORTS,
  exportedColumns,
  exportedRows,
  spreadsheetText,
} from "../../outputs/exports.ts";
import { LAYOUTS, type LayoutName } from "../../outputs/tax/layouts.ts";
import { leftOutText, taxLines } from "../../outputs/tax/taxExport.ts";
import { createLineWriter } from "../../outputs/terminal/lineWriter.ts";
import { visible } from "../../runtime/safeText.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { openToRead } from "../openDatabase.ts";
import { chosenAccounts } from "./status.ts";

export const exportCommand: Command = {
  name: "export",
  summary: "print stored rows as CSV, or NDJSON with --json, every decimal exact",
  options: ["account", "database", "table", "since", "excel", "format", "year"],
  findsDemo: true,
  check({ options: { table, since, excel, json, format, year } }) {
    if (format !== "") {
      if (!isLayout(format))
        throw new ConfigError(`--format ${format}: expected one of ${Object.keys(LAYOUTS).join(", ")}`);
      if (since !== null) throw new ConfigError(`--since: with --format ${format} say --year`);
      if (json || excel)
        throw new ConfigError(`--format ${format} is a CSV of its own: leave out --json and --excel`);
      return;
    }
    if (year !== null) throw new ConfigError("--year: say --format koinly or --format cointracking too");
    if (!Object.hasOwn(EXPORTS, table))
      throw new ConfigError(
        `--table ${JSON.stringify(table)}: expected one of ${Object.keys(EXPORTS).join(", ")}`,
      );
    if (since !== null && EXPORTS[table]!.timeMs === null)
      throw new ConfigError(`--since: ${table} has no time to look at; leave it out`);
    if (excel && json) throw new ConfigError("--excel is about CSV: leave out --json");
  },
  async run(context) {
    const { options, signal } = context;
    const { table } = options;
    const opened = await openToRead(context);
    if (isLayout(options.format)) return exportTaxes(context, opened, options.format);
    // A file gets each cell as it is stored; a terminal, and JSON, what can be shown.
    const shown = options.json || process.stdout.isTTY === true ? visible : String;
    const writer = createLineWriter(process.stdout, String, { signal, shown });
    const mark = options.excel ? BYTE_ORDER_MARK : "";
    const cellText = options.excel ? spreadsheetText : String;
    const columns = await exportedColumns(opened.database, table);
    if (!options.json) await writer.write(mark + csvHeader(columns));
    for (const { account } of await chosenAccounts(context, opened.store)) {
      for await (const rows of exportedRows(opened.database, table, columns, account, options.since)) {
        for (const row of rows) {
          signal.throwIfAborted();
          await writer.write(options.json ? JSON.stringify(row) : csvLine(columns, row, cellText));
        }
      }
    }
    return EXIT.ok;
  },
};

const isLayout = (name: string): name is LayoutName => Object.hasOwn(LAYOUTS, name);

/** One account, since a tax program keeps one wallet by file. */
async function exportTaxes(
  context: Context,
  { database, store }: Awaited<ReturnType<typeof openToRead>>,
  layout: LayoutName,
): Promise<number> {
  const { options, signal, log } = context;
  const accounts = await chosenAccounts(context, store);
  if (accounts.length > 1)
    throw new ConfigError(
      `--format ${layout} is a file for one account: say --account, one of ${accounts.map(({ account }) => account).join(", ")}`,
    );
  const shown = process.stdout.isTTY === true ? visible : String;
  const writer = createLineWriter(process.stdout, String, { signal, shown });
  const leftOut = new Map<string, number>();
  for (const { account } of accounts) {
    const asked = { account, year: options.year, layout: LAYOUTS[layout] };
    for await (const line of taxLines(database, asked, leftOut)) {
      signal.throwIfAborted();
      await writer.write(line);
    }
  }
  if (leftOut.size > 0) log.warn(leftOutText(leftOut));
  return EXIT.ok;
}
