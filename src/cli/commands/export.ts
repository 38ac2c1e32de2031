/** `export`: stored rows as CSV, or as NDJSON with `--json`. Asks the database only. */
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
import { createLineWriter } from "../../outputs/terminal/lineWriter.ts";
import { visible } from "../../runtime/safeText.ts";
import { type Command, EXIT } from "../command.ts";
import { openToRead } from "../wire.ts";
import { chosenAccounts } from "./status.ts";

export const exportCommand: Command = {
  name: "export",
  summary: "print stored rows as CSV, or NDJSON with --json, every decimal exact",
  options: ["account", "database", "table", "since", "excel"],
  findsDemo: true,
  check({ options: { table, since, excel, json } }) {
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
