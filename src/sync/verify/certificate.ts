/**
 * What `verify` found, in words that name the row. Guarantees: no finding is dropped in silence: beyond `FINDINGS_MAX`
 * of one kind in one table they are counted, and the count is part of the certificate.
 */
import type { Interval } from "../coverage.ts";
import type { Doubt, MoneyTie } from "../ports.ts";
import type { Address, TrackedStream } from "../rows.ts";

export type FindingKind =
  /** The venue has the row, the database does not. */
  | "missing"
  /** The database has a row where the venue serves everything, and the venue does not have it. */
  | "extra"
  /** Both have it, with different content. */
  | "changed"
  /** The venue sent something that cannot be read: it cannot be compared either. */
  | "unread"
  /** A field that is only shown could not be read: it is null, the row is there. Reported, not an error. */
  | "unread_field"
  /** A row that could not be read when it came is in quarantine, and in no table. */
  | "quarantined"
  /** A link of the position chain does not follow from the one before. */
  | "chain_break"
  /** The chain does not end at the live position. */
  | "position"
  /** The block number of a row contradicts the order of time, or that in which positions chain. */
  | "block_order"
  /** A position or balance was not renewed for long, although the account is followed. */
  | "stale"
  /** Stamped, or claimed as known, beyond the venue's present. */
  | "future"
  /** Time that is wanted and of which nothing is known. */
  | "gap"
  /** Time that was watched live without a known loss and not read over REST: reported, not an error. */
  | "streamed"
  /** Time that the venue no longer serves: reported, not an error. */
  | "unprovable";

/** What says how far the proof reaches, not that something is wrong. */
const NO_FAULT: ReadonlySet<FindingKind> = new Set<FindingKind>(["unread_field", "streamed", "unprovable"]);

export interface Finding {
  kind: FindingKind;
  /** The table; for questions of time the stream. */
  table: string;
  /** Which row: identity columns, or the interval. */
  row: string;
  detail: string;
  /** The time in question; null where it is not a question of time. */
  interval: Interval | null;
}

/** Findings of one kind in one table. */
interface FindingCount {
  kind: FindingKind;
  table: string;
  /** All of them, also those beyond `FINDINGS_MAX` that are not listed. */
  count: number;
  /** From the first to the last time in question; null where none has one. */
  interval: Interval | null;
}

export interface Certificate {
  account: Address;
  checkedAtMs: number;
  findings: Finding[];
  counts: FindingCount[];
  /** The wanted history was never read whole yet. */
  isFirstReading: boolean;
  /** Rows compared, by table. */
  compared: Record<string, number>;
  /** Rows that changed each time they were read, so that nothing can be said of them. */
  unsettled: string[];
  /** Per stream: since when, and up to when, everything is proven; null where nothing is. */
  completeSinceMs: Record<TrackedStream, number | null>;
  provenToMs: Record<TrackedStream, number | null>;
  /** Messages of this account in quarantine, by what they were meant to be. */
  quarantine: Record<string, number>;
  /** Chain links verified, by coin. */
  links: Record<string, number>;
  /** Equity held against fills, fees, funding and transfers; shown, not judged: entry prices are rounded. */
  money: MoneyTie | null;
  weight: number;
}

/** Beyond this many findings of one kind in one table the rest is only counted. */
export const FINDINGS_MAX = 200;

export function emptyCertificate(account: Address, checkedAtMs: number): Certificate {
  const nothing = () => ({ fills: null, twapFills: null, orders: null, funding: null, ledger: null });
  return {
    account,
    checkedAtMs,
    isFirstReading: false,
    findings: [],
    counts: [],
    compared: {},
    unsettled: [],
    completeSinceMs: nothing(),
    provenToMs: nothing(),
    quarantine: {},
    links: {},
    money: null,
    weight: 0,
  };
}

export function add(certificate: Certificate, finding: Finding): void {
  const { kind, table, interval } = finding;
  const { counts } = certificate;
  let counted = counts.find((one) => one.kind === kind && one.table === table);
  if (counted === undefined) {
    counted = { kind, table, count: 0, interval: null };
    counts.push(counted);
  }
  counted.count += 1;
  counted.interval = hull(counted.interval, interval);
  if (counted.count <= FINDINGS_MAX) certificate.findings.push(finding);
}

const hull = (a: Interval | null, b: Interval | null): Interval | null =>
  a === null || b === null
    ? (a ?? b)
    : { fromMs: Math.min(a.fromMs, b.fromMs), toMs: Math.max(a.toMs, b.toMs) };

/** True when nothing is wrong; what the venue no longer serves is no fault of the database. */
export const passed = (certificate: Certificate): boolean =>
  certificate.counts.every(({ kind }) => NO_FAULT.has(kind));

/** Not passed, and all that is wrong is that the first reading has not come to its end. */
export const isOnlyBegun = ({ isFirstReading, counts }: Certificate): boolean =>
  isFirstReading && counts.every(({ kind }) => kind === "gap" || NO_FAULT.has(kind));

const STREAMS_OF: Record<string, readonly TrackedStream[]> = {
  hl_fills: ["fills", "twapFills"],
  hl_funding: ["funding"],
  hl_ledger: ["ledger"],
  hl_orders: ["orders"],
  hl_order_events: ["orders"],
  fills: ["fills"],
  twapFills: ["twapFills"],
  funding: ["funding"],
  ledger: ["ledger"],
  orders: ["orders"],
};

const DOUBTED: ReadonlySet<FindingKind> = new Set<FindingKind>([
  "missing",
  "changed",
  "chain_break",
  "position",
  "future",
]);

/** Views of one present state; the others name it in their row. */
const FACT_OF: Record<string, string | null> = {
  hl_vault_equities: "vaults",
  hl_delegations: "delegations",
  hl_api_wallets: "agents",
  hl_account_limits: null,
  hl_account_facts: null,
};
const STATES = [
  "hl_positions",
  "hl_balances",
  "hl_portfolio",
  "hl_twaps",
  "hl_staking_rewards",
  "hl_lending_interest",
] as const;
const isState = (table: string): table is (typeof STATES)[number] =>
  (STATES as readonly string[]).includes(table);

/** What the store must no longer take for known, so that the next reconcile repairs it. */
export function doubtsOf({ findings, counts }: Certificate): Doubt[] {
  const listed = findings.flatMap(({ kind, table, row, interval }): Doubt[] => {
    if (interval === null) return [];
    const fact = FACT_OF[table];
    if (fact !== undefined)
      return [{ stream: null, ...interval, table: "hl_account_facts", row: fact ?? row }];
    if (!DOUBTED.has(kind)) return [];
    // A state is taken by its time: a row that claims a later one would never give way.
    if (isState(table)) return [{ stream: null, ...interval, table, row }];
    // An order is derived: also a missing one comes back when its transitions are written again.
    const isRow = kind === "changed" || table === "hl_orders";
    const differs = isRow ? { table: table as Doubt["table"], row } : { table: null, row: null };
    return (STREAMS_OF[table] ?? []).map((stream) => ({ stream, ...interval, ...differs }));
  });
  // What is missing beyond the list is read again over the whole stretch.
  const unlisted = counts.flatMap(({ kind, table, count, interval }) =>
    kind === "missing" && count > FINDINGS_MAX && interval !== null
      ? (STREAMS_OF[table] ?? []).map((stream) => ({ stream, ...interval, table: null, row: null }))
      : [],
  );
  return [...listed, ...unlisted];
}
