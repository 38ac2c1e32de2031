/**
 * Lost funding and ledger rows and fills of spot, found in what the venue pushes every few seconds. Pure: times are passed in.
 *
 * Three signs, none of which costs a request: (a) *cash*: in standard mode the raw USD of a dex moves by fills, fees, funding
 * and transfers only, to the last digit; (b) *funding*: a position held over a full hour is paid for then; (c) *balance*: a
 * spot token moves by fills of its pairs and transfers of it only, and one that is no dollar by just what its fills say
 * (spotTotals.ts). What contradicts one of them and is not explained within the grace is suspected, with the narrowest window in
 * which a row must be missing.
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
import { JsonText } from "../runtime/jsonText.ts";
import { DOLLAR_TOKENS } from "./accountSnapshot.ts";
import { isPerp } from "./chain.ts";
import { dexOfCoin } from "./dexes.ts";
import type { BalanceRow, FillRow, FundingRow, LedgerRow } from "./rows.ts";
import { NEAR_MS, SpotTotals } from "./spotTotals.ts";
import { fillKey } from "./windowReader.ts";

/** A contradiction that outlived its grace. `stream`: what is to be read. */
export interface CashSuspicion {
  kind: "cash" | "funding" | "balance";
  key: string;
  coin: string;
  streams: readonly ("funding" | "ledger" | "fills" | "twapFills")[];
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
/** Between two questions about the same thing that nothing explained: doubles up to the greatest. */
const PAUSE_MIN_MS = 60_000;
const PAUSE_MAX_MS = HOUR_MS;
/** In which a tip for being ahead in the block is paid, beside the fee, on any market. */
const GAS_TOKEN = "HYPE";
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
  /** Times of fills of spot and of transfers, which may move dollars: prices and fees are paid in them. */
  #spotRowsMs: number[] = [];
  readonly #tokens = new SpotTotals();
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
      if (tellsGas(fill)) this.#tokens.noteBorder(GAS_TOKEN, timeMs);
      if (!isPerp(coin)) this.#noteSpotFill(fill);
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
      this.#spotRowsMs.push(timeMs);
      this.#noteTransfer(row);
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
      if (!DOLLAR_TOKENS.has(coin)) {
        if (before === none && before !== undefined) this.#tokens.noteTotal(coin, "0", before.seenMs);
        this.#tokens.noteTotal(coin, total, venueMs);
        this.#judgeToken(coin, nowMs);
        continue;
      }
      if (before === undefined || eq(before.total, total)) continue;
      // Dollars are the collateral of pooled accounts: their totals move with the marks of what is held.
      const isMarked = this.#flatSinceMs === null || before.seenMs < this.#flatSinceMs;
      if (isPooled && isMarked) continue;
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

  /**
   * To be called after the rows were read again; `found`: one was missing. True when they explain it, or a part of it while more
   * is lost; else the check goes on behind it.
   */
  settle({ key, kind, coin }: CashSuspicion, nowMs: number, found = false): boolean {
    if (kind === "cash") this.#judgeAgain(coin);
    if (!this.#raised.delete(key)) {
      this.#pauses.delete(key);
      return true;
    }
    if (kind === "cash") this.#letGo(coin, this.#till(coin));
    if (kind === "balance") this.#tokens.letGo(coin);
    if (found) return true;
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

  /** A total of dollars: many things move it, and one near is enough. */
  #isNearRow({ fromMs, toMs }: CashSuspicion): boolean {
    return this.#spotRowsMs.some((timeMs) => timeMs >= fromMs && timeMs <= toMs);
  }

  #noteSpotFill(fill: FillRow): void {
    const { timeMs, side, size, fee, feeToken } = fill;
    this.#spotRowsMs.push(timeMs);
    const { base, quote } = this.#pairOf(fill);
    // Until both are known, it may have moved any.
    if (base === undefined || quote === undefined) {
      this.#tokens.noteBorder(null, timeMs);
      return;
    }
    const amount = side === "buy" ? size : neg(size);
    this.#tokens.noteMove(base, fillKey(fill), timeMs, feeToken === base ? sub(amount, fee) : amount);
    if (!DOLLAR_TOKENS.has(quote)) this.#tokens.noteBorder(quote, timeMs);
    if (feeToken !== null && feeToken !== base && feeToken !== quote)
      this.#tokens.noteBorder(feeToken, timeMs);
  }

  /** Both tokens of the pair of a fill, once fees have named them: the buyer pays in what is bought, the seller in what it is sold for. */
  #pairOf({ coin, side, feeToken }: FillRow): { base?: string; quote?: string } {
    const pair = this.#pairs.get(coin) ?? {};
    if (feeToken !== null) pair[side === "buy" ? "base" : "quote"] = feeToken;
    this.#pairs.set(coin, pair);
    if (this.#pairs.size > ROWS_MAX) this.#pairs.clear();
    return pair;
  }

  #noteTransfer(row: LedgerRow): void {
    const tokens = tokensOfUpdate(row);
    if (tokens === null) this.#tokens.noteBorder(null, row.timeMs);
    else for (const token of tokens) this.#tokens.noteBorder(token, row.timeMs);
  }

  #judgeToken(coin: string, nowMs: number): void {
    const difference = this.#tokens.difference(coin);
    if (difference === null) this.#raised.delete(`balance:${coin}`);
    else
      this.#raise(
        {
          kind: "balance",
          key: `balance:${coin}`,
          coin,
          streams: ["fills", "twapFills", "ledger"],
          ...difference,
        },
        nowMs,
      );
  }

  #clearExplainedBalances(): void {
    for (const [key, { suspicion }] of this.#raised) {
      if (suspicion.kind !== "balance") continue;
      const isExplained = DOLLAR_TOKENS.has(suspicion.coin)
        ? this.#isNearRow(suspicion)
        : this.#tokens.difference(suspicion.coin) === null;
      if (isExplained) this.#raised.delete(key);
    }
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
    if (this.#spotRowsMs.length > ROWS_MAX) this.#spotRowsMs = this.#spotRowsMs.slice(-ROWS_MAX / 2);
    if (this.#ledgerMs.length > ROWS_MAX) this.#ledgerMs = this.#ledgerMs.slice(-ROWS_MAX / 2);
  }
}

const tellsGas = ({ raw }: FillRow): boolean =>
  raw instanceof JsonText ? raw.text.includes('"priorityGas"') : isObject(raw) && "priorityGas" in raw;

/** An update that tells dollars only moves no other token. */
function tokensOfUpdate({ token, raw }: LedgerRow): ReadonlySet<string> | null {
  if (token !== null) return new Set([token]);
  const delta = isObject(raw) && isObject(raw.delta) ? raw.delta : {};
  return typeof delta.usdc === "string" ? new Set() : null;
}
