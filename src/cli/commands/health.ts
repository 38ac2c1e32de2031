/** `health`: the newest health score of every account, and with `--explain` all that it was made of. Asks the database only. */
import type { HealthComponents } from "../../sync/healthScore.ts";
import { type Command, EXIT } from "../command.ts";
import { openToRead } from "../openDatabase.ts";
import { chosenAccounts, type Now, shortName } from "./status.ts";

interface Explained extends Now {
  account_address: string;
  alias: string | null;
  health_components: HealthComponents | null;
}

export const health: Command = {
  name: "health",
  summary: "the health score of each account and what limits it",
  options: ["account", "database", "explain"],
  findsDemo: true,
  async run(context) {
    const { options, print } = context;
    const opened = await openToRead(context);
    const accounts = await chosenAccounts(context, opened.store);
    const rows = await opened.database.query<Explained>(
      `select account_address, alias, as_of_ms, age_seconds, account_mode, account_value, account_value_reason, net_worth,
         net_worth_reason, health_score, health_status,
         health_reason, health_components
       from public.hl_account_now where account_address = any ($1) order by health_score nulls first, account_address`,
      [accounts.map(({ account }) => account)],
    );
    for (const row of rows) {
      if (options.json) print(JSON.stringify({ type: "health", ...row }));
      else for (const line of healthLines(row, options.explain)) print(line);
    }
    if (rows.length === 0 && !options.json) print("no account has a snapshot yet");
    return EXIT.ok;
  },
};

function healthLines(row: Explained, explain: boolean): string[] {
  const score = row.health_score === null ? "unknown" : `${row.health_score} ${row.health_status}`;
  const who = shortName(row.account_address, row.alias);
  const at = new Date(row.as_of_ms).toISOString().slice(0, 19).replace("T", " ");
  const lines = [
    `${who}  ${score}: ${row.health_reason ?? ""}`,
    `  as of ${at} UTC (${Math.round(Number(row.age_seconds))} s ago), equity ${row.account_value ?? `unknown (${row.account_value_reason})`}, ${row.account_mode}`,
    `  net worth ${row.net_worth ?? `unknown: ${row.net_worth_reason}`}`,
  ];
  const parts = row.health_components;
  if (!explain || parts === null) return lines;
  if (parts.margin_points === null) return [...lines, "  nothing to explain: the score is unknown"];
  const points = (value: number | null) => (value ?? 0).toFixed(1).padStart(6);
  lines.push(
    `  margin         ${points(parts.margin_points)} of 100   ${parts.pools.map(({ pool, ratio, threshold }) => `${pool} ${ratio} of ${threshold}`).join(", ") || "no pool at risk"}`,
    `  distance       ${points(parts.distance_points)} of 100   ${parts.nearest === null ? "no liquidation possible" : `nearest ${parts.nearest}, ${parts.daily_moves} daily moves`}`,
    `  concentration  ${points(-(parts.penalty_concentration ?? 0))}          concentration ${parts.concentration ?? "0"}, leverage ${parts.leverage ?? "0"}`,
    `  drawdown       ${points(-(parts.penalty_drawdown ?? 0))}          ${parts.drawdown === undefined ? "not known" : `${(Number(parts.drawdown) * 100).toFixed(1)} % below the highest net worth of 30 days`}`,
    `  stops          ${points(-(parts.penalty_stops ?? 0))}          ${(Number(parts.stop_coverage ?? 1) * 100).toFixed(0)} % of the exposure is stopped`,
    ...parts.positions.map(
      ({ coin, daily_moves, volatility, source }) =>
        `  ${coin.padEnd(14)} ${daily_moves === null ? "no liquidation price" : `${daily_moves} daily moves from liquidation`}, volatility ${(Number(volatility) * 100).toFixed(2)} % a day (${source})`,
    ),
    `  score = the smaller of margin and distance, less the three below it; limited by ${parts.limiting}`,
  );
  return lines;
}
