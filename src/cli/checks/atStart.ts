/**
 * The cheap checks of `doctor`, once `run` follows: what is wrong is a warning in the log with its remedy. Guarantees:
 * never delays or stops anything; asks the venue only with spare budget, at most
 * `ROLES_ASKED_MAX` times.
 */
import type { Queryable } from "../../store/database.ts";
import type { VenueInfo } from "../../sync/ports.ts";
import type { Context } from "../command.ts";
import { isUrl } from "../openDatabase.ts";
import { checkRole } from "./accounts.ts";
import { budgetFinding } from "./budget.ts";
import { accessFinding, tlsFinding } from "./database.ts";
import type { Finding } from "./finding.ts";
import { checkVenue, endpointsFinding, networkOf } from "./venue.ts";

/** Each costs a weight of 60. */
const ROLES_ASKED_MAX = 5;

interface AtStart {
  info: VenueInfo;
  database: Queryable;
  accounts: readonly string[];
}

export function warnAtStart(context: Context, { info, database, accounts }: AtStart): void {
  const { options, log, signal } = context;
  const tell = (findings: readonly Finding[]) => {
    for (const { check, status, says, why, fix } of findings)
      if (status === "warn" || status === "fail") log.warn(says, { check, why, fix });
  };
  const ask = { priority: "niceToHave", signal } as const;
  const inquire = async () => {
    tell([endpointsFinding(options), budgetFinding(options)]);
    if (options.db && isUrl(options.database)) tell([tlsFinding(options.database)]);
    tell(asList(await accessFinding(database)));
    // A simulator or a node of one's own may well have another time.
    if (networkOf(options.apiUrl) !== null)
      tell((await checkVenue(info, options.apiUrl, ask.priority, signal)).findings);
    for (const address of accounts.slice(0, ROLES_ASKED_MAX))
      tell([await checkRole({ info, account: address, ask, elsewhere: null })]);
  };
  inquire().catch((error: unknown) => {
    if (!signal.aborted) log.debug("a check at the start failed", { error });
  });
}

const asList = (finding: Finding | null): Finding[] => (finding === null ? [] : [finding]);
