/**
 * Accounts seeded from captured payloads. Guarantees: wire objects are answered untouched (byte for byte decimals,
 * unknown keys kept), with the venue's order, caps and bounds around them; live rows follow the recorded ones.
 */
import type { JsonObject } from "../contract.ts";

/** Lists may be in the order of any info request: they are brought to oldest first here. */
export interface RecordedAccount {
  fills?: JsonObject[];
  /** `{fill, twapId}`. */
  twapSliceFills?: JsonObject[];
  twapHistory?: JsonObject[];
  /** `{order, status, statusTimestamp}`. */
  historicalOrders?: JsonObject[];
  openOrders?: JsonObject[];
  frontendOpenOrders?: JsonObject[];
  /** By dex; "" is the first one. */
  clearinghouseState?: Record<string, JsonObject>;
  spotClearinghouseState?: JsonObject;
  /** `{time, hash, delta:{type:"funding",…}}` of `userFunding`. */
  funding?: JsonObject[];
  ledger?: JsonObject[];
  /** Whole answers of any other request about the account, by request type. */
  answers?: Record<string, JsonObject | JsonObject[]>;
}

const time = (row: JsonObject): number => {
  const inner = row.fill as JsonObject | undefined;
  return Number(row.statusTimestamp ?? inner?.time ?? row.time ?? 0);
};

/** Oldest first. A list that never rises is taken as newest first, as the venue's lists of same-ms rows are. */
export function oldestFirst(rows: readonly JsonObject[]): JsonObject[] {
  const falls = rows.every((row, i) => i === 0 || time(rows[i - 1] as JsonObject) >= time(row));
  const ordered = falls ? [...rows].reverse() : [...rows];
  return ordered.sort((a, b) => time(a) - time(b));
}

export function normalizeRecorded(recorded: RecordedAccount): RecordedAccount {
  const out: RecordedAccount = { ...recorded };
  for (const key of [
    "fills",
    "twapSliceFills",
    "twapHistory",
    "historicalOrders",
    "funding",
    "ledger",
  ] as const) {
    const rows = recorded[key];
    if (rows !== undefined) out[key] = oldestFirst(rows);
  }
  return out;
}
