/**
 * Are the addresses accounts, in which mode, and how far back does the venue still tell? The venue answers any address
 * with 200 and empty lists, so that a wrong one looks like an account that never traded. Guarantees: at most
 * `ACCOUNT_WEIGHT` per account; a question that the endpoint does not know is a note, not a failure.
 */
import { errorText } from "../../errors.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import { HORIZON, PAGE_ROWS_MAYBE_FULL } from "../../protocol/limits.ts";
import type { WireFill } from "../../protocol/schemas.ts";
import { isZero } from "../../runtime/decimal.ts";
import { isPerp } from "../../sync/chain.ts";
import type { InfoOptions, VenueInfo } from "../../sync/ports.ts";
import type { Address } from "../../sync/rows.ts";
import { EXIT } from "../command.ts";
import { type Finding, fail, note, ok } from "./finding.ts";

/** `userRole` 60, `userAbstraction` 20, one full page of fills 120. */
export const ACCOUNT_WEIGHT = 200;

interface AccountQuestion {
  info: VenueInfo;
  account: Address;
  ask: InfoOptions;
  /** The same question on the other network, where an address that is missing here may be at home. */
  elsewhere: { network: string; info: VenueInfo } | null;
}

/** Runs a question; what the endpoint cannot answer is a note. */
async function asked(
  check: string,
  question: () => Promise<Finding>,
  signal?: AbortSignal,
): Promise<Finding> {
  try {
    return await question();
  } catch (error) {
    signal?.throwIfAborted();
    const message = errorText(error);
    return note(check, "could not be asked", message);
  }
}

export async function checkAccount(question: AccountQuestion, sinceMs: number | null): Promise<Finding[]> {
  const { account, ask } = question;
  const role = await checkRole(question);
  if (role.status === "fail") return [role];
  const mode = await asked("mode", () => modeFinding(question), ask.signal);
  const history = await asked("history", () => historyFinding(question, sinceMs), ask.signal);
  return [role, { ...mode, account }, { ...history, account }];
}

/** Whether the address is an account at all. Weight 60. */
export async function checkRole(question: AccountQuestion): Promise<Finding> {
  const { account, ask } = question;
  return { ...(await asked("account", () => roleFinding(question), ask.signal)), account };
}

async function roleFinding({ info, account, ask, elsewhere }: AccountQuestion): Promise<Finding> {
  const { result } = await info.request(INFO.userRole, { user: account }, ask);
  const { role, data } = result.value;
  const named = (key: string): string => (typeof data?.[key] === "string" ? data[key] : "another account");
  switch (role) {
    case "agent":
      return fail(
        "account",
        EXIT.usage,
        `${account} is an agent wallet (API wallet) of ${named("user")}`,
        "the venue answers for agents as for accounts that never traded: empty, without an error",
        `--account ${named("user")}`,
      );
    case "missing":
      return missingFinding({ info, account, ask, elsewhere });
    case "subAccount":
      return ok("account", `${account} is a sub-account of ${named("master")}`);
    default:
      return ok("account", `${account} is a ${role}`);
  }
}

async function missingFinding({ account, ask, elsewhere }: AccountQuestion): Promise<Finding> {
  const why =
    "the venue answers for unknown addresses as for accounts that never traded: empty, without an error";
  const says = `the venue does not know ${account}`;
  if (elsewhere) {
    const there = await elsewhere.info.request(INFO.userRole, { user: account }, ask).catch(() => null);
    if (there !== null && there.result.value.role !== "missing") {
      const { network } = elsewhere;
      const fix = `--network ${network} (HLSYNC_NETWORK=${network})`;
      return fail("account", EXIT.usage, `${says}: it is an account of ${network}`, why, fix);
    }
  }
  const fix =
    "check the address, or deposit first; the account's own address is wanted, not a wallet's before its first deposit";
  return fail("account", EXIT.usage, says, why, fix);
}

/** What the modes mean for what is stored. */
const MODES: Record<string, string> = {
  unifiedAccount: "unified: the collateral is in the spot balances",
  portfolioMargin: "portfolio margin: the venue's own ratio decides, the collateral is in the spot balances",
  disabled: "standard: each perp dex has its own collateral",
  default: "standard: each perp dex has its own collateral",
};

async function modeFinding({ info, account, ask }: AccountQuestion): Promise<Finding> {
  const { result } = await info.request(INFO.userAbstraction, { user: account }, ask);
  const mode = result.value ?? "default";
  const known = MODES[mode];
  if (known) return ok("mode", known);
  return note(
    "mode",
    `unknown mode ${JSON.stringify(mode)}`,
    "it is treated as standard: check the health score",
  );
}

/** The oldest page of fills tells whether there were older ones: then a position does not begin at zero. */
async function historyFinding(
  { info, account, ask }: AccountQuestion,
  sinceMs: number | null,
): Promise<Finding> {
  const window = { user: account, startTime: sinceMs ?? 0, aggregateByTime: false } as const;
  const { result } = await info.request(INFO.userFillsByTime, window, ask);
  const fills = result.rows.map(({ value }) => value);
  const oldest = fills[0];
  if (oldest === undefined) return ok("history", "no fills yet");
  const since = new Date(oldest.time).toISOString();
  if (fills.length < PAGE_ROWS_MAYBE_FULL)
    return ok("history", `all ${fills.length} fills are served, since ${since}`);
  const begun = sinceMs === null ? firstBegun(fills) : undefined;
  if (begun === undefined) return ok("history", `fills are served back to ${since}`);
  return note(
    "history",
    `fills are served back to ${since} only: ${begun.coin} already stood at ${begun.startPosition}`,
    `the venue keeps about the newest ${HORIZON.fills} fills and ${HORIZON.orders} orders of an account; what is older cannot be fetched`,
    "keep hlsync running from now on: what is stored stays, and `hlsync status` says since when it is complete",
  );
}

/** The first fill of a perp coin that does not begin a position. */
function firstBegun(fills: readonly WireFill[]): WireFill | undefined {
  const seen = new Set<string>();
  return fills.find((fill) => {
    if (seen.has(fill.coin)) return false;
    seen.add(fill.coin);
    return isPerp(fill.coin) && !isZero(fill.startPosition);
  });
}
