/**
 * Lost funding and ledger rows, found in what the venue pushes every few seconds. Pure: times are passed in.
 *
 * Three signs, none of which costs a request: (a) *cash*: in standard mode the raw USD of a dex moves by fills, fees, funding
 * and transfers only, to the last digit; (b) *funding*: a position held over a full hour is paid for then; (c) *balance*: a
 * spot token moves by fills of its pairs and transfers of it only. What contradicts one of them and is not explained within the grace is
 * suspected, with the narrowest window in which a row must be missing.
 *
 * Guarantees: a row that is merely late clears its own suspicion; a difference that the venue does not explain is not chased
 * again: the check goes on behind it, each time after twice the pause. Holds at most `ROWS_MAX` rows a dex.
 * Assumes nothing of transfers but that a ledger row exists: what moved is then taken from the venue. Where collateral is
 * pooled (unified, portfolio margin) dollars move with every mark, so that only (b) and (c) are signs there, and (c) of dollars
 * only while no perp is held on any dex.
 */

import { isObject } from "../protocol/decode.ts";
import { abs, add, cmp, type Decimal, eq, mul, neg, sub, sum } from "../runtime/decimal.ts";
import { isDue } from "../runtime/due.ts";
import { DOLLAR_TOKENS } from "./accountSnapshot.ts";
import { isPerp } from "./chain.ts";
import { dexOfCoin } from "./dexes.ts";
import type { BalanceRow, FillRow, FundingRow, LedgerRow } from "./rows.ts";
import { fillKey } from "./windowReader.ts";

/** A contradiction that outlived its grace. `stream`: what is to be read. */
export interface CashSuspicion {
  kind: "cash" | "funding" | "balance";
  key: string;
  coin: string;
  streams: readonly ("funding" | "ledger")[];
  fromMs: number;
  toMs: number;
  /** What moved without a row; null for a payment that is due, whose amount is not known. */
  moved: Decimal | null;
}

/** Longer than two pushes of a state: the second one must contradict too. */
export const CASH_GRACE_MS = 11_000;
const HOUR_MS = 3_600_000;
/** Funding rows are stamped up to so long after the hour. */
const FUNDING_LATE_MS = 60_000;
/** A state says nothing of an hour that began longer ago. */
const STATE_GAP_MS = 60_000;
/** Rounding of each row, and of the state itself. */
const ROUNDING = "0.000005";
/** A spot state has no clock of its own, and may be late: a row explains a move that was seen within this of it. */
const NEAR_MS = 5_000;
/** Between two questions about the same thing that nothing explained: doubles up to the greatest. */
const PAUSE_MIN_MS = 60_000;
const PAUSE_MAX_MS = HOUR_MS;
/** Beyond it the oldest half goes, and the next state is taken as it is. */
const ROWS_MAX = 5_000;

interface Till {
  /** The last state that all rows explained; null before the first, and after a transfer. */
  anchor: { timeMs: number; rawUsd: Decimal } | null;
  /** A state that the rows do not explain; null while there is none. */
  contradiction: { timeMs: number; rawUsd: Decimal } | null;
  /** Newest state, and the positions it held. */
  last: { timeMs: number; coins: ReadonlySet<string> } | null;
  /** What moved the cash since the anchor, by identity of the row. */
  moves: Map<string, { timeMs: number; amount: Decimal }>;
}

/** Something that moves spot tokens. */
interface SpotRow {
  timeMs: number;
  /** Those that are no dollars; null where that is not known. Dollars may move with each: prices and fees are paid in them. */
  tokens: ReadonlySet<string> | null;
}

interface Raised {
  suspicion: CashSuspicion;
  sinceMs: number;
}

export class CashCheck {
  readonly #graceMs: number;
  readonly #tills = new Map<string, Till>();
  /** `seenMs`: the venue's time when it was told. */
  readonly #totals = new Map<string, { total: Decimal; seenMs: number }>();
  /** Of the last spot state; null before the first. */
  #spotSeenMs: number | null = null;
  /** Fills of spot and transfers, newest last. */
  #spotRows: SpotRow[] = [];
  #isPooled = false;
  /** Time of the newest fill of a perp. */
  #perpMs = 0;
  /** Since when no perp is held on any dex; null while one is, or where that is not known. */
  #flatSinceMs: number | null = null;
  /** What the fees of its fills say of a pair. */
  readonly #pairs = new Map<string, { base?: string; quote?: string }>();
  #ledgerMs: number[] = [];
  readonly #raised = new Map<string, Raised>();
  readonly #paid = new Set<string>();
  readonly #pauses = new Map<string, { untilMs: number; nextMs: number }>();

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  noteFills(rows: readonly FillRow[]): void {
    for (const fill of rows) {
      const { coin, timeMs, side, value, fee } = fill;
      if (!isPerp(coin)) this.#spotRows.push({ timeMs, tokens: this.#tokensOf(fill) });
      else {
        const moved = side === "buy" ? neg(add(value, fee)) : sub(value, fee);
        this.#perpMs = Math.max(this.#perpMs, timeMs);
        this.#noteHeld();
        this.#noteMove(dexOfCoin(coin), fillKey(fill), timeMs, moved);
      }
    }
    this.#trim();
    this.#clearExplainedBalances();
  }

  noteFunding(rows: readonly FundingRow[]): void {
    for (const { coin, timeMs, usdc } of rows) {
      this.#noteMove(dexOfCoin(coin), `funding ${coin} ${timeMs}`, timeMs, usdc);
      const due = `funding:${coin}:${timeMs - (timeMs % HOUR_MS)}`;
      this.#raised.delete(due);
      this.#paid.add(due);
      if (this.#paid.size > ROWS_MAX) this.#paid.delete(this.#paid.values().next().value!);
    }
  }

  noteLedger(rows: readonly LedgerRow[]): void {
    for (const row of rows) {
      const { timeMs } = row;
      this.#spotRows.push({ timeMs, tokens: tokensOfUpdate(row) });
      this.#ledgerMs.push(timeMs);
    }
    this.#trim();
    this.#clearExplainedBalances();
    for (const dex of this.#tills.keys()) this.#clearIfTransferred(dex);
  }

  /** A state of one dex. `rawUsd` null where cash is pooled: then it is no sign. */
  noteState(
    dex: string,
    timeMs: number,
    rawUsd: Decimal | null,
    coins: ReadonlySet<string>,
    nowMs: number,
  ): void {
    const till = this.#till(dex);
    if (till.last !== null && timeMs <= till.last.timeMs) return;
    this.#expectFunding(till, timeMs, coins, nowMs);
    till.last = { timeMs, coins };
    if (coins.size > 0) this.#noteHeld();
    else if (this.#isFlat()) this.#flatSinceMs ??= timeMs;
    if (rawUsd === null) this.#letGo(dex, till);
    else this.#judgeCash(dex, till, { timeMs, rawUsd }, nowMs);
  }

  /** All balances of spot. `venueMs`: the venue's time now, which its rows have too. */
  noteBalances(
    rows: readonly Pick<BalanceRow, "coin" | "total">[],
    isPooled: boolean,
    nowMs: number,
    venueMs: number,
  ): void {
    const listed = new Set(rows.map(({ coin }) => coin));
    const gone = [...this.#totals.keys()].filter((coin) => !listed.has(coin));
    // What the state before did not list was not held.
    const none = this.#spotSeenMs === null ? undefined : { total: "0", seenMs: this.#spotSeenMs };
    this.#spotSeenMs = venueMs;
    this.#isPooled = isPooled;
    for (const { coin, total } of [...rows, ...gone.map((coin) => ({ coin, total: "0" }))]) {
      const before = this.#totals.get(coin) ?? none;
      this.#totals.set(coin, { total, seenMs: venueMs });
      if (before === undefined || eq(before.total, total)) continue;
      // Dollars are the collateral of pooled accounts: their totals move with the marks of what is held.
      const isMarked = this.#flatSinceMs === null || before.seenMs < this.#flatSinceMs;
      if (isPooled && isMarked && DOLLAR_TOKENS.has(coin)) continue;
      const moved = sub(total, before.total);
      const suspicion: CashSuspicion = {
        kind: "balance",
        key: `balance:${coin}`,
        coin,
        streams: ["ledger"],
        fromMs: before.seenMs - NEAR_MS,
        toMs: venueMs + NEAR_MS,
        moved,
      };
      if (!this.#isNearRow(suspicion)) this.#raise(suspicion, nowMs);
    }
  }

  /** Suspicions that outlived their grace, or another one, which begins anew where the clock was set back. */
  ripe(nowMs: number, graceMs = this.#graceMs): CashSuspicion[] {
    for (const raised of this.#raised.values()) raised.sinceMs = Math.min(raised.sinceMs, nowMs);
    return [...this.#raised.values()].flatMap(({ suspicion, sinceMs }) =>
      nowMs - sinceMs >= graceMs ? [suspicion] : [],
    );
  }

  /** When the next suspicion ripens, or null. */
  dueMs(): number | null {
    const since = [...this.#raised.values()].map(({ sinceMs }) => sinceMs);
    return since.length === 0 ? null : Math.min(...since) + this.#graceMs;
  }

  /** To be called after the rows were read again. True when they explain it; else the check goes on behind it. */
  settle({ key, kind, coin }: CashSuspicion, nowMs: number): boolean {
    if (kind === "cash") this.#judgeAgain(coin);
    if (!this.#raised.delete(key)) {
      this.#pauses.delete(key);
      return true;
    }
    if (kind === "cash") this.#letGo(coin, this.#till(coin));
    const waitMs = this.#pauses.get(key)?.nextMs ?? PAUSE_MIN_MS;
    this.#pauses.set(key, { untilMs: nowMs + waitMs, nextMs: Math.min(PAUSE_MAX_MS, 2 * waitMs) });
    if (this.#pauses.size > ROWS_MAX) this.#pauses.clear();
    return false;
  }

  #till(dex: string): Till {
    let till = this.#tills.get(dex);
    if (till === undefined) {
      till = { anchor: null, contradiction: null, last: null, moves: new Map() };
      this.#tills.set(dex, till);
    }
    return till;
  }

  /** A perp is held, or was traded: it may have moved the dollars of a pooled account. */
  #noteHeld(): void {
    this.#flatSinceMs = null;
    if (this.#isPooled) for (const coin of DOLLAR_TOKENS) this.#raised.delete(`balance:${coin}`);
  }

  #isFlat(): boolean {
    return [...this.#tills.values()].every(
      ({ last }) => last !== null && last.coins.size === 0 && last.timeMs > this.#perpMs,
    );
  }

  #noteMove(dex: string, key: string, timeMs: number, amount: Decimal): void {
    const till = this.#till(dex);
    if (till.anchor !== null && timeMs <= till.anchor.timeMs) return;
    till.moves.set(key, { timeMs, amount });
    if (till.moves.size > ROWS_MAX) {
      till.moves.clear();
      this.#letGo(dex, till);
    }
    if (till.contradiction !== null) this.#judgeAgain(dex);
  }

  /** The next state is taken as it is. */
  #letGo(dex: string, till: Till): void {
    till.anchor = null;
    till.contradiction = null;
    this.#raised.delete(`cash:${dex}`);
  }

  #judgeAgain(dex: string): void {
    const till = this.#till(dex);
    // Raised before: its time stays.
    if (till.contradiction !== null)
      this.#judgeCash(dex, till, till.contradiction, till.contradiction.timeMs);
  }

  #judgeCash(dex: string, till: Till, state: { timeMs: number; rawUsd: Decimal }, nowMs: number): void {
    const { anchor } = till;
    const known = [...till.moves.values()].filter(({ timeMs }) => timeMs <= state.timeMs);
    if (anchor !== null && !this.#wasTransferred(anchor.timeMs, state.timeMs)) {
      const expected = add(anchor.rawUsd, sum(known.map(({ amount }) => amount)));
      const moved = sub(state.rawUsd, expected);
      const allowed = mul(ROUNDING, String(known.length + 1));
      if (cmp(abs(moved), allowed) > 0) {
        till.contradiction = state;
        const window = { fromMs: anchor.timeMs, toMs: state.timeMs };
        this.#raise(
          { kind: "cash", key: `cash:${dex}`, coin: dex, streams: ["funding", "ledger"], ...window, moved },
          nowMs,
        );
        return;
      }
    }
    this.#letGo(dex, till);
    till.anchor = state;
    for (const [key, { timeMs }] of till.moves) if (timeMs <= state.timeMs) till.moves.delete(key);
  }

  /** A transfer that came late explains what moved: the next state is taken as it is. */
  #clearIfTransferred(dex: string): void {
    const till = this.#till(dex);
    const { anchor, contradiction } = till;
    if (
      anchor === null ||
      contradiction === null ||
      !this.#wasTransferred(anchor.timeMs, contradiction.timeMs)
    )
      return;
    this.#letGo(dex, till);
  }

  #wasTransferred(fromMs: number, toMs: number): boolean {
    return this.#ledgerMs.some((timeMs) => timeMs > fromMs && timeMs <= toMs);
  }

  /** Held in the state before the hour and in the one after it: funding is due. */
  #expectFunding({ last }: Till, timeMs: number, coins: ReadonlySet<string>, nowMs: number): void {
    const hourMs = timeMs - (timeMs % HOUR_MS);
    if (last === null || last.timeMs >= hourMs || last.timeMs < hourMs - STATE_GAP_MS) return;
    for (const coin of last.coins) {
      const key = `funding:${coin}:${hourMs}`;
      if (!coins.has(coin) || this.#paid.has(key)) continue;
      const window = { fromMs: hourMs, toMs: hourMs + FUNDING_LATE_MS };
      this.#raise({ kind: "funding", key, coin, streams: ["funding"], ...window, moved: null }, nowMs);
    }
  }

  #isNearRow({ coin, fromMs, toMs }: CashSuspicion): boolean {
    const moves = ({ tokens }: SpotRow) => tokens === null || DOLLAR_TOKENS.has(coin) || tokens.has(coin);
    return this.#spotRows.some((row) => row.timeMs >= fromMs && row.timeMs <= toMs && moves(row));
  }

  /** Both tokens of the pair of a fill, once fees have named them. */
  #tokensOf({ coin, side, feeToken }: FillRow): ReadonlySet<string> | null {
    const pair = this.#pairs.get(coin) ?? {};
    // The buyer pays in what is bought, the seller in what it is sold for.
    if (feeToken !== null) pair[side === "buy" ? "base" : "quote"] = feeToken;
    this.#pairs.set(coin, pair);
    if (this.#pairs.size > ROWS_MAX) this.#pairs.clear();
    const { base, quote } = pair;
    return base === undefined || quote === undefined ? null : new Set([base, quote]);
  }

  #clearExplainedBalances(): void {
    for (const [key, { suspicion }] of this.#raised)
      if (suspicion.kind === "balance" && this.#isNearRow(suspicion)) this.#raised.delete(key);
  }

  #raise(suspicion: CashSuspicion, nowMs: number): void {
    const { key } = suspicion;
    if (!isDue(this.#pauses.get(key)?.untilMs ?? 0, nowMs, PAUSE_MAX_MS)) {
      if (suspicion.kind === "cash") this.#letGo(suspicion.coin, this.#till(suspicion.coin));
      return;
    }
    const before = this.#raised.get(key);
    const fromMs = Math.min(suspicion.fromMs, before?.suspicion.fromMs ?? suspicion.fromMs);
    this.#raised.set(key, { suspicion: { ...suspicion, fromMs }, sinceMs: before?.sinceMs ?? nowMs });
  }

  #trim(): void {
    if (this.#spotRows.length > ROWS_MAX) this.#spotRows = this.#spotRows.slice(-ROWS_MAX / 2);
    if (this.#ledgerMs.length > ROWS_MAX) this.#ledgerMs = this.#ledgerMs.slice(-ROWS_MAX / 2);
  }
}

/** An update that tells dollars only moves no other token. */
function tokensOfUpdate({ token, raw }: LedgerRow): ReadonlySet<string> | null {
  if (token !== null) return new Set([token]);
  const delta = isObject(raw) && isObject(raw.delta) ? raw.delta : {};
  return typeof delta.usdc === "string" ? new Set() : null;
}
