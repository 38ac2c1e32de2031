/**
 * What a check found: what is the case, why it matters, and the exact remedy. Checks never throw for what they look for.
 */
import { EXIT } from "../command.ts";

/** `note`: worth knowing, nothing to do. `warn`: works, but not as well as it could. `fail`: does not work. */
type FindingStatus = "ok" | "note" | "warn" | "fail";

export interface Finding {
  /** Stable name of the check, for scripts. */
  check: string;
  /** The account it is about, or null. */
  account: string | null;
  status: FindingStatus;
  says: string;
  /** Null where there is nothing to explain. */
  why: string | null;
  /** What to do, as a command or a setting where there is one. */
  fix: string | null;
  /** Exit code that a failure means (design §4); 0 otherwise. */
  exit: number;
}

/** Of two failures, the one that must be mended first decides the exit code. */
const MENDED_FIRST: readonly number[] = [EXIT.usage, EXIT.database, EXIT.venue, EXIT.migration];

export const ok = (check: string, says: string): Finding => finding(check, "ok", says, null, null);
export const note = (check: string, says: string, why: string, fix: string | null = null): Finding =>
  finding(check, "note", says, why, fix);
export const warn = (check: string, says: string, why: string, fix: string): Finding =>
  finding(check, "warn", says, why, fix);
export const fail = (check: string, exit: number, says: string, why: string, fix: string): Finding => ({
  ...finding(check, "fail", says, why, fix),
  exit,
});

const finding = (
  check: string,
  status: FindingStatus,
  says: string,
  why: string | null,
  fix: string | null,
): Finding => ({ check, account: null, status, says, why, fix, exit: EXIT.ok });

/** Exit code of the worst finding; 0 when nothing fails. */
export function worstExit(findings: readonly Finding[]): number {
  const exits = new Set(findings.filter(({ status }) => status === "fail").map(({ exit }) => exit));
  return MENDED_FIRST.find((code) => exits.has(code)) ?? exits.values().next().value ?? EXIT.ok;
}
