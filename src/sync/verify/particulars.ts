/**
 * What the venue tells of an account beside its money, against the tables of versions: TWAP orders, rewards, interest, curves,
 * vaults, stake, delegations, API wallets, fee tier. The readings are those that fill the tables (`../account/particulars.ts`).
 *
 * Guarantees: what both sides have is compared in every column that the venue tells, a number as a number; what the venue lists
 * and we do not is a finding unless it is younger than our last reading; a row of ours counts as extra only among present states,
 * which are lists without an age. What moves by itself is held within its bounds: an equity in a vault, and a stake by its rewards.
 */
import { isObject } from "../../protocol/decode.ts";
import {
  abs,
  type Decimal,
  eq,
  gt,
  isDecimal,
  lt,
  mul,
  add as plus,
  sub,
  sum,
} from "../../runtime/decimal.ts";
import { silentLog } from "../../runtime/log.ts";
import { belongingsReadings, Particulars } from "../account/particulars.ts";
import type { Batch } from "../rows.ts";
import { described, type RowOf, TABLES, type TableName } from "../tables.ts";
import { add } from "./certificate.ts";
import { ask, type Run } from "./witness.ts";

type Versioned = Exclude<TableName, "markets" | "facts">;
type Cell = string | number | boolean | null;
/** Whether what the venue says may be what we stored before. `rewards`: what was earned since. */
type Same = (venue: Cell, own: Cell, rewards: Decimal) => boolean;

/** What a vault may gain or lose between two of our readings without a word, as a share of what it was. */
const VAULT_MOVES = "0.25";
/** The venue's curves are rounded, and ours is put together of several. */
const CURVE_ROUNDING = "0.01";

const within = (venue: Decimal, own: Decimal, slack: Decimal): boolean => !gt(abs(sub(venue, own)), slack);
const number = (compare: (venue: Decimal, own: Decimal, rewards: Decimal) => boolean): Same => {
  const asDecimal = (value: Cell) => (typeof value === "number" ? String(value) : value);
  return (venue, own, rewards) => {
    const [theirs, ours] = [asDecimal(venue), asDecimal(own)];
    // What the venue leaves out here it may have told elsewhere.
    if (theirs === null || theirs === ours) return true;
    return isDecimal(theirs) && isDecimal(ours) && compare(theirs, ours, rewards);
  };
};
const same = number(eq);
const moving = number((venue, own) => within(venue, own, mul(own, VAULT_MOVES)));
const rounded = number((venue, own) => within(venue, own, CURVE_ROUNDING));
const rewarded = number((venue, own, rewards) => !lt(venue, own) && !gt(venue, plus(own, rewards)));
/** A count that grows with each trade or request. */
const growing = number((venue, own) => !lt(venue, own));

/** A present state: which object is which, and what is compared of it. A state that is one object has no key. */
interface FactParts {
  table: string;
  key: string | null;
  parts: Readonly<Record<string, Same>>;
}
const FACTS: Readonly<Record<string, FactParts>> = {
  vaults: {
    table: "hl_vault_equities",
    key: "vaultAddress",
    parts: { equity: moving, lockedUntilTimestamp: same },
  },
  delegations: {
    table: "hl_delegations",
    key: "validator",
    parts: { amount: rewarded, lockedUntilTimestamp: same },
  },
  agents: { table: "hl_api_wallets", key: "address", parts: { name: same, validUntil: same } },
  stake: {
    table: "hl_account_facts",
    key: null,
    parts: { delegated: rewarded, undelegated: rewarded, totalPendingWithdrawal: same },
  },
  fees: {
    table: "hl_account_limits",
    key: null,
    parts: {
      userCrossRate: same,
      userAddRate: same,
      userSpotCrossRate: same,
      userSpotAddRate: same,
      activeReferralDiscount: same,
    },
  },
  requests: {
    table: "hl_account_limits",
    key: null,
    parts: { cumVlm: growing, nRequestsUsed: growing, nRequestsCap: growing },
  },
  volumes: { table: "hl_account_limits", key: null, parts: { allTime: growing } },
};

/** A state may contain rewards of so much later. */
const REWARDS_LATE_MS = 60_000;
/** Read once an hour, the first of them first: what is older than the oldest was on the venue's lists then. */
const ROUND = ["volumes", "fees", "requests"];

/** When a row was written down, and in which words, is no part of it. */
const NOT_COMPARED = new Set(["account", "asOfMs", "raw"]);
/** `portfolio`: of which moments the curves have points changes with the hour. */
const HISTORIES: Readonly<Record<Versioned, { isWhole: boolean; request: string }>> = {
  portfolio: { isWhole: false, request: "portfolio" },
  twaps: { isWhole: true, request: "twapHistory" },
  stakingRewards: { isWhole: true, request: "delegatorRewards" },
  lendingInterest: { isWhole: true, request: "userBorrowLendInterest" },
};
/** Which question tells which state. */
const TOLD_BY: Readonly<Record<string, string>> = {
  vaults: "userVaultEquities",
  stake: "delegatorSummary",
  delegations: "delegations",
  agents: "extraAgents",
  fees: "userFees",
  requests: "userRateLimit",
};

type VersionRow = Record<string, unknown>;

export async function compareParticulars(run: Run): Promise<void> {
  const { account, store, info, clock } = run;
  const own = new Map<TableName, VersionRow[]>();
  for (const name of [...(Object.keys(HISTORIES) as Versioned[]), "facts"] as const) {
    const rows = await store.versions(name, account);
    own.set(name, rows);
    // Where nothing is said of it the venue may refuse to tell it.
    if (name !== "facts" && rows.length === 0) run.dispensable.add(HISTORIES[name].request);
  }
  const facts = new Map((own.get("facts") as RowOf<"facts">[]).map((row) => [row.fact, row]));
  for (const [fact, request] of Object.entries(TOLD_BY)) if (!facts.has(fact)) run.dispensable.add(request);

  const told = new Map<TableName, VersionRow[]>();
  const reading = new Particulars(
    {
      account,
      info,
      clock,
      log: silentLog,
      store: { latestMs: async () => null },
      venueTime: (atMs) => atMs,
      async commit(batch: Batch) {
        for (const [name, rows] of Object.entries(batch) as [TableName, VersionRow[]][])
          if (own.has(name)) told.set(name, [...(told.get(name) ?? []), ...rows]);
      },
    },
    belongingsReadings(account),
  );
  await reading.read(ask(run));

  const readMs = Math.min(...ROUND.flatMap((fact) => facts.get(fact)?.asOfMs ?? []));
  for (const name of Object.keys(HISTORIES) as Versioned[])
    compareVersions(run, name, told.get(name) ?? [], own.get(name)!, readMs);
  const rewards = (told.get("stakingRewards") ?? []) as unknown as RowOf<"stakingRewards">[];
  for (const row of (told.get("facts") ?? []) as unknown as RowOf<"facts">[]) {
    const stored = facts.get(row.fact);
    const since = rewards.filter(({ timeMs }) => timeMs > (stored?.asOfMs ?? 0) - REWARDS_LATE_MS);
    compareFact(run, row, stored, sum(since.map(({ amount }) => amount)));
  }
}

const keyIn = (name: TableName, row: VersionRow): string =>
  described(name)
    .key.filter((member) => member !== "account")
    .map((member) => String(row[member]))
    .join("|");

/** Of several states of one thing the later one, as the database joins them. */
function newest(name: TableName, rows: readonly VersionRow[]): Map<string, VersionRow> {
  const rank = (row: VersionRow) => [Number(row.isEnded ?? false), Number(row.asOfMs ?? 0)] as const;
  const kept = new Map<string, VersionRow>();
  for (const row of rows) {
    const before = kept.get(keyIn(name, row));
    const [[ended, ms], [wasEnded, wasMs]] = [rank(row), before ? rank(before) : [-1, -1]];
    if (ended > wasEnded || (ended === wasEnded && ms >= wasMs)) kept.set(keyIn(name, row), row);
  }
  return kept;
}

const sameIn = (column: string): Same => (column === "pnl" ? rounded : same);

function compareVersions(
  { certificate, toCome }: Run,
  name: Versioned,
  told: readonly VersionRow[],
  own: readonly VersionRow[],
  readMs: number,
): void {
  const { table, columns, time } = TABLES[name];
  const stored = newest(name, own);
  const listed = newest(name, told);
  certificate.compared[table] = listed.size;
  for (const [row, venue] of listed) {
    const ours = stored.get(row);
    const timeMs = Number(venue[time]);
    const interval = { fromMs: timeMs, toMs: timeMs };
    if (ours === undefined) {
      if (!HISTORIES[name].isWhole || toCome.isOpen || timeMs > readMs) continue;
      add(certificate, { kind: "missing", table, row, detail: shown(venue), interval });
      continue;
    }
    // A state that came later knows better; one that is older was the newest when it was read.
    const [theirMs, ourMs] = [Number(venue.asOfMs ?? 0), Number(ours.asOfMs ?? 0)];
    if (ourMs > theirMs || theirMs > Math.max(readMs, ourMs)) continue;
    const parts = Object.keys(columns).filter((column) => !NOT_COMPARED.has(column));
    const differs = parts.filter((part) => !sameIn(part)(cell(venue[part]), cell(ours[part]), "0"));
    if (differs.length > 0)
      add(certificate, { kind: "changed", table, row, detail: both(differs, venue, ours), interval });
  }
}

function compareFact(
  { certificate, toCome }: Run,
  { fact, value, asOfMs }: RowOf<"facts">,
  own: RowOf<"facts"> | undefined,
  rewards: Decimal,
): void {
  const described = FACTS[fact];
  if (described === undefined || (own === undefined && (toCome.isOpen || described.key === null))) return;
  const { table, key, parts } = described;
  const rowsOf = (list: unknown) =>
    new Map(
      (Array.isArray(list) ? list : [list])
        .filter(isObject)
        .map((row) => [key === null ? fact : String(row[key]).toLowerCase(), row]),
    );
  const [venue, ours] = [rowsOf(value), rowsOf(own?.value ?? [])];
  const age = own === undefined ? "" : ` as of ${new Date(own.asOfMs).toISOString()}`;
  const interval = { fromMs: asOfMs - 1, toMs: asOfMs };
  const note = (kind: "missing" | "extra" | "changed", row: string, detail: string) =>
    add(certificate, { kind, table, row, detail, interval });
  for (const row of new Set([...venue.keys(), ...ours.keys()])) {
    const [theirs, stored] = [venue.get(row), ours.get(row)];
    if (stored === undefined) note("missing", row, shown(theirs!));
    else if (theirs === undefined) note("extra", row, `${shown(stored)}${age}`);
    else {
      const differs = Object.entries(parts).filter(
        ([part, isSame]) => !isSame(cell(theirs[part]), cell(stored[part]), rewards),
      );
      const names = differs.map(([part]) => part);
      if (names.length > 0) note("changed", row, `${both(names, theirs, stored)}${age}`);
    }
  }
}

const cell = (value: unknown): Cell =>
  value === undefined || value === null
    ? null
    : typeof value === "object"
      ? JSON.stringify(value)
      : (value as Cell);

const shown = (row: VersionRow): string =>
  Object.entries(row)
    .filter(([name]) => !NOT_COMPARED.has(name))
    .map(([name, value]) => `${name} ${cell(value)}`)
    .join(", ");

const both = (parts: readonly string[], venue: VersionRow, own: VersionRow): string =>
  parts.map((part) => `${part}: venue ${cell(venue[part])}, database ${cell(own[part])}`).join("; ");
