/**
 * `doctor`: everything that could be in the way, each with what, why and the remedy. Writes nothing. Exit 0, or the code
 * of the worst failure. A finding is printed when it is known, so that a slow check does not hide the others.
 */
import { createHttpPost } from "../../connection/httpPost.ts";
import { createInfoClient } from "../../connection/infoClient.ts";
import { RateLimiter } from "../../connection/rateLimiter.ts";
import { createSocketFactory } from "../../connection/webSocket.ts";
import { ConfigError } from "../../errors.ts";
import { NETWORKS, type Network } from "../../protocol/limits.ts";
import { systemRandom } from "../../runtime/random.ts";
import { visible } from "../../runtime/safeText.ts";
import { hasEmbeddedDatabase } from "../../store/embeddedFolder.ts";
import { inSchema } from "../../store/schema.ts";
import type { VenueInfo } from "../../sync/ports.ts";
import { ACCOUNT_WEIGHT, checkAccount } from "../checks/accounts.ts";
import { budgetFinding } from "../checks/budget.ts";
import { checkDatabase, poolerFinding, tlsFinding } from "../checks/database.ts";
import { alertFindings } from "../checks/delivery.ts";
import { checkEmbeddedFolder } from "../checks/embeddedFolder.ts";
import { type Finding, note, warn, worstExit } from "../checks/finding.ts";
import { checkSocket, checkVenue, endpointsFinding, networkOf } from "../checks/venue.ts";
import { type Command, type Context, exitCodeOf } from "../command.ts";
import { isUrl, openDatabase } from "../openDatabase.ts";

/** A check that gets no answer says so, instead of trying as long as `run` would. */
const MAX_ATTEMPTS = 2;
const TIMEOUT_MS = 8_000;

export const doctor: Command = {
  name: "doctor",
  summary: "check clock, network, accounts, budget, database, alerts; each finding with its remedy",
  addressesOnly: "doctor looks at the venue before any database",
  options: [
    ...(["account", "network", "apiUrl", "wsUrl", "database", "db", "markets", "streams"] as const),
    ...(["interval", "since", "weight", "alert", "alertTo"] as const),
  ],
  async run(context) {
    const { options, print, signal } = context;
    const found: Finding[] = [];
    const tell = (told: readonly Finding[]) => {
      // Remedies name the schema that is meant.
      const findings = told.map((one) => ({
        ...one,
        says: inSchema(one.says, options.schema),
        fix: one.fix && inSchema(one.fix, options.schema),
      }));
      found.push(...findings);
      for (const finding of findings)
        for (const line of options.json ? [jsonOf(finding)] : linesOf(finding, context.color)) print(line);
    };
    tell([endpointsFinding(options)]);
    const info = infoAt(context, options.apiUrl);
    const venue = await checkVenue(info, options.apiUrl, "reconcile", signal);
    tell(venue.findings);
    const { wsUrl } = options;
    tell([await checkSocket({ ...context, wsUrl, open: createSocketFactory() })]);
    if (venue.reachable) await checkAccounts(context, info, tell);
    if (options.account.length > 0) tell([budgetFinding(options)]);
    tell(alertFindings(context));
    if (options.db) await checkStorage(context, tell);
    signal.throwIfAborted();
    const exit = worstExit(found);
    print(
      options.json ? JSON.stringify({ type: "doctor", ...countOf(found), exit }) : summaryOf(found, exit),
    );
    return exit;
  },
};

type Tell = (findings: readonly Finding[]) => void;

function infoAt({ options, clock, log }: Context, apiUrl: string): VenueInfo {
  const limiter = new RateLimiter(clock, { weightPerMinute: options.weight });
  const patience = { maxAttempts: MAX_ATTEMPTS, timeoutMs: TIMEOUT_MS };
  return createInfoClient({
    apiUrl,
    post: createHttpPost(),
    clock,
    random: systemRandom,
    limiter,
    log,
    ...patience,
  });
}

/** As many accounts as one minute's budget allows to ask about. */
async function checkAccounts(context: Context, info: VenueInfo, tell: Tell): Promise<void> {
  const { options, signal } = context;
  if (options.account.length === 0) {
    const why = "there is nothing to follow";
    return tell([warn("account", "no account given", why, "--account 0x…, or HLSYNC_ACCOUNTS=0x…,0x…")]);
  }
  const asked = Math.max(1, Math.floor((options.weight * 0.8) / ACCOUNT_WEIGHT));
  const network = networkOf(options.apiUrl);
  const other = (Object.keys(NETWORKS) as Network[]).find((name) => name !== network)!;
  const elsewhere =
    network === null ? null : { network: other, info: infoAt(context, NETWORKS[other].apiUrl) };
  for (const { address } of options.account.slice(0, asked)) {
    const ask = { priority: "reconcile", signal } as const;
    tell(await checkAccount({ info, account: address, ask, elsewhere }, options.since));
  }
  const left = options.account.length - asked;
  if (left <= 0) return;
  const why = `each takes a weight of up to ${ACCOUNT_WEIGHT}, and a minute has ${options.weight}`;
  tell([note("account", `${left} more accounts were not asked about`, why, "hlsync doctor --account 0x…")]);
}

async function checkStorage(context: Context, tell: Tell): Promise<void> {
  const { options, clock } = context;
  const accounts = options.account.map(({ address }) => address);
  const isServer = isUrl(options.database);
  if (!isServer) {
    const findings = checkEmbeddedFolder(options.database);
    tell(findings);
    if (worstExit(findings) !== 0 || !hasEmbeddedDatabase(options.database)) return;
  }
  const opened = await openDatabase(context).catch((error: unknown) => error as Error);
  if (opened instanceof Error) {
    const failed = {
      ...warn("database", opened.message, "nothing can be stored", openingRemedy(opened)),
      ...({ status: "fail", exit: exitCodeOf(opened) } as const),
    };
    return tell([failed]);
  }
  try {
    const findings = await checkDatabase({ database: opened.database, clock, accounts });
    tell(findings);
    const isReached = findings.length > 1;
    if (isServer) tell([tlsFinding(options.database)]);
    if (isServer && isReached) tell([await poolerFinding(options.database)]);
  } finally {
    await opened.close();
  }
}

/** A URL that cannot be read names what is wrong in it. */
const openingRemedy = (error: Error): string =>
  error instanceof ConfigError
    ? "correct the database URL: postgres://user:password@host:port/database?sslmode=…; percent-encode special characters of the password; sslmode is disable, prefer, require, verify-ca or verify-full, sslrootcert a file"
    : "see the log it names, or give another";

const jsonOf = (finding: Finding): string => JSON.stringify({ type: "check", ...finding });

const WORDS = { ok: "ok  ", note: "note", warn: "WARN", fail: "FAIL" } as const;
const COLORS = { ok: 32, note: 36, warn: 33, fail: 31 } as const;

function linesOf({ check, account, status, says, why, fix }: Finding, color: boolean): string[] {
  const word = color ? `\u001b[${COLORS[status]}m${WORDS[status]}\u001b[0m` : WORDS[status];
  const about =
    account === null || says.includes(account) ? "" : `${account.slice(0, 6)}…${account.slice(-4)}: `;
  const more = (name: string, text: string | null) =>
    text === null ? [] : [`${" ".repeat(19)}${name}  ${visible(text)}`];
  return [`${word}  ${check.padEnd(11)}  ${about}${visible(says)}`, ...more("why", why), ...more("fix", fix)];
}

function countOf(found: readonly Finding[]): Record<keyof typeof WORDS, number> {
  const counts = { ok: 0, note: 0, warn: 0, fail: 0 };
  for (const { status } of found) counts[status] += 1;
  return counts;
}

function summaryOf(found: readonly Finding[], exit: number): string {
  const { ok, note: notes, warn: warnings, fail: failures } = countOf(found);
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const text = `${ok} ok, ${count(notes, "note")}, ${count(warnings, "warning")}, ${count(failures, "failure")}`;
  return failures === 0 ? text : `${text}: exit ${exit}`;
}
