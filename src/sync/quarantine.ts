/**
 * What was not understood, as rows to keep. Pure. Guarantees: one row is of bounded length, whatever it holds: `raw` is cut
 * behind `VALUE_LIMITS.quarantineLength` characters, and then no JSON any more.
 */
import type { Unread } from "../protocol/decode.ts";
import { VALUE_LIMITS } from "../protocol/limits.ts";
import type { Address, Batch, QuarantineRow } from "./rows.ts";
import { described, isJoined, isTable } from "./tables.ts";

export const quarantineRows = (
  unread: readonly Unread[],
  subject: string,
  account: Address | null,
  seenAtMs: number,
): QuarantineRow[] =>
  unread.map(({ raw, reason }) => ({
    account,
    subject,
    reason: reason.slice(0, VALUE_LIMITS.reasonLength),
    raw: rawText(raw),
    seenAtMs,
  }));

/** Commits what could not be read. */
export type Keep = (batch: Batch, receivedAtMs: number) => Promise<unknown>;

/** Keeps what an answer had that could not be read. */
export async function keepUnread(
  { result, receivedAtMs }: { result: { unread: Unread[] }; receivedAtMs: number },
  subject: string,
  account: Address | null,
  commit: Keep,
): Promise<void> {
  const { unread } = result;
  if (unread.length > 0)
    await commit({ quarantine: quarantineRows(unread, subject, account, receivedAtMs) }, receivedAtMs);
}

/** Names that people know the lists of market data by. */
const LISTS: Partial<Record<keyof Batch, string>> = {
  trades: "hl_trades",
  candles: "hl_candles",
  mids: "hl_mids",
  books: "hl_books",
  assetCtxs: "hl_asset_ctxs",
};

export const tableOf = (list: keyof Batch): string =>
  isTable(list) || isJoined(list) ? described(list).table : (LISTS[list] ?? list);

/** The venue's own words, as far as they can be written down. */
function rawText(raw: unknown): string {
  if (typeof raw === "string") return raw.slice(0, VALUE_LIMITS.quarantineLength);
  try {
    return (JSON.stringify(raw) ?? "undefined").slice(0, VALUE_LIMITS.quarantineLength);
  } catch {
    return "(nested too deep to be written down)";
  }
}

/** The reason of the one row that stands for the excess of a minute. */
export const ONLY_COUNTED = "too many in this minute: only counted";

/** What may go into quarantine in one minute, of all accounts of a process. */
export const QUARANTINE_LIMITS = {
  /** A page of a history has 2000 rows; a change of the venue's that spoils all of them need not be kept as often. */
  rows: 1_000,
  length: 8 * 1024 * 1024,
} as const;

const MINUTE_MS = 60_000;

/** Keeps the quarantine from growing with a flood: the excess of a minute is counted, in one row for each subject. */
export class QuarantineBudget {
  readonly #limits: { rows: number; length: number };
  #minute = Number.NEGATIVE_INFINITY;
  #rows = 0;
  #length = 0;
  #lastMs = 0;

  constructor(limits: { rows: number; length: number } = QUARANTINE_LIMITS) {
    this.#limits = limits;
  }

  /** The rows to be written of these. */
  admit(rows: readonly QuarantineRow[], nowMs: number): QuarantineRow[] {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#rows = 0;
      this.#length = 0;
    }
    const kept: QuarantineRow[] = [];
    const excess = new Map<string, Required<QuarantineRow>>();
    for (const row of rows) {
      const length = this.#length + row.raw.length;
      if (this.#rows < this.#limits.rows && length <= this.#limits.length) {
        this.#rows += 1;
        this.#length = length;
        kept.push(row);
        continue;
      }
      const { account, subject } = row;
      const key = `${account} ${subject}`;
      const counted = excess.get(key) ?? { account, subject, ...this.#summary(nowMs), count: 0 };
      counted.count += 1;
      excess.set(key, counted);
    }
    return [...kept, ...excess.values()];
  }

  /** The same text for the whole minute, and a later time each time: the database adds the counts up. */
  #summary(nowMs: number): Pick<QuarantineRow, "reason" | "raw" | "seenAtMs"> {
    this.#lastMs = Math.max(this.#lastMs + 1, nowMs);
    return {
      reason: ONLY_COUNTED,
      raw: new Date(this.#minute * MINUTE_MS).toISOString(),
      seenAtMs: this.#lastMs,
    };
  }
}
