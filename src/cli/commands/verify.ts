/**
 * `verify`: the database held against the venue, with the proof of completeness; exit 4 on any difference or gap. What
 * it finds is no longer taken for known: the next `sync`, or the next start of `run`, reads it again.
 */
import { StoreError } from "../../errors.ts";
import type { Log } from "../../runtime/log.ts";
import { NO_PRIVILEGE } from "../../store/postgres.ts";
import type { MoneyTie } from "../../sync/ports.ts";
import { TRACKED_STREAMS } from "../../sync/rows.ts";
import {
  type Certificate,
  doubtsOf,
  FINDINGS_MAX,
  isOnlyBegun,
  passed,
} from "../../sync/verify/certificate.ts";
import { listDexes } from "../../sync/verify/dexList.ts";
import { verify as check } from "../../sync/verify.ts";
import { type Command, EXIT, requireAccounts } from "../command.ts";
import { connectVenue } from "../compose.ts";
import { openToRead } from "../openDatabase.ts";

export const verify: Command = {
  name: "verify",
  summary: "hold the database against the venue and prove that nothing is missing",
  options: ["account", "network", "apiUrl", "wsUrl", "database", "weight"],
  findsDemo: true,
  check: ({ options }) => void requireAccounts(options),
  async run(context) {
    const { options, clock, log, print, signal } = context;
    const accounts = requireAccounts(options);
    const { store } = await openToRead(context);
    const { info } = connectVenue(context);
    const dexes = await listDexes(info, signal);
    let sound = true;
    for (const { address } of accounts) {
      const certificate = await check({ account: address, dexes, store, info, clock, signal });
      sound &&= passed(certificate);
      if (options.json)
        print(JSON.stringify({ type: "certificate", passed: passed(certificate), ...certificate }));
      else for (const line of certificateLines(certificate)) print(line);
      const doubts = doubtsOf(certificate);
      if (doubts.length > 0) await store.doubt(address, doubts).catch(notNoted(log));
    }
    return sound ? EXIT.ok : EXIT.drift;
  },
};

/** A role that may only read still gets its answer, and the exit code of it. */
const notNoted =
  (log: Log) =>
  (error: unknown): void => {
    if (!(error instanceof StoreError && error.sqlState === NO_PRIVILEGE)) throw error;
    log.warn("this role may not note what was found: it is not read again by itself", { error });
  };

/** An interval in milliseconds as dates; any other row as it is. */
const dated = (row: string): string =>
  row.replace(/^(\d+)\.\.(\d+)$/, (_, from, to) => {
    const start = from === "0" ? "the beginning" : new Date(Number(from)).toISOString();
    return `${start} to ${new Date(Number(to)).toISOString()}`;
  });

/** `money     equity −1.2 = closed PnL 3 − fees 1 + funding 0 + transfers 0 + unrealized −3.2, residual 0 (from … to …)` */
function moneyLine(money: MoneyTie): string {
  const at = (ms: number) => new Date(ms).toISOString().slice(0, 19);
  const sum = `closed PnL ${money.closedPnl} − fees ${money.fees} + funding ${money.funding} + transfers ${money.flows} + unrealized ${money.unrealizedChange}`;
  return `money     equity ${money.equityChange} = ${sum}, residual ${money.residual} (${at(money.fromMs)} to ${at(money.toMs)})`;
}

function verdict(certificate: Certificate): string {
  if (passed(certificate)) return "verified: nothing missing, nothing doubled, nothing changed";
  return isOnlyBegun(certificate)
    ? "not verified yet: the first reading is under way, or was interrupted; what was read so far is as the venue has it"
    : "NOT verified";
}

function certificateLines(certificate: Certificate): string[] {
  const { account, compared, counts, findings, links, completeSinceMs, provenToMs, quarantine } = certificate;
  const at = (ms: number | null) =>
    ms === null ? "not proven" : ms === 0 ? "the beginning" : new Date(ms).toISOString();
  const chains = Object.entries(links);
  const counted = (numbers: Record<string, number>) =>
    Object.entries(numbers)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ");
  return [
    `account   ${account}`,
    `checked   ${at(certificate.checkedAtMs)}  (weight ${certificate.weight})`,
    ...TRACKED_STREAMS.map((stream) => {
      const upTo = provenToMs[stream] === null ? "" : `, up to ${at(provenToMs[stream])}`;
      return `complete  ${stream.padEnd(9)} since ${at(completeSinceMs[stream])}${upTo}`;
    }),
    `compared  ${counted(compared)}`,
    `chain     ${chains.reduce((sum, [, count]) => sum + count, 0)} links of ${chains.length} coins`,
    ...(certificate.money === null ? [] : [moneyLine(certificate.money)]),
    ...(Object.keys(quarantine).length === 0 ? [] : [`quarantine ${counted(quarantine)}`]),
    ...certificate.unsettled.map((row) => `moving    ${row}: changed at each look, not judged`),
    ...findings.map(({ kind, table, row, detail }) => `${kind.padEnd(11)} ${table} ${dated(row)}: ${detail}`),
    ...counts.flatMap(({ kind, table, count }) =>
      count > FINDINGS_MAX
        ? [`${kind.padEnd(11)} ${table}: ${count - FINDINGS_MAX} more, ${count} in all`]
        : [],
    ),
    verdict(certificate),
  ];
}
