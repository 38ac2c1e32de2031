/**
 * What one look at the positions and balances of both sides shows to differ. Pure.
 *
 * Guarantees: a number is compared as a number; what the venue does not tell is not held against it; what follows from prices
 * is not compared; what may have moved on with rows that the first reading has still to read is left out.
 */
import { isObject } from "../../protocol/decode.ts";
import { abs, type Decimal, eq, isDecimal, isZero, normal, sign } from "../../runtime/decimal.ts";
import { endPosition, isLinked } from "../chain.ts";
import type { BalanceRow, FillRow, PositionRow } from "../rows.ts";
import type { Finding } from "./certificate.ts";
import type { ToCome } from "./toCome.ts";

/** The time of a state may be this far from that of the fills it contains: no figure is published. */
const STATE_LAG_MS = 2_000;
/** Fills bridge no more than this: a position that was not renewed for so long, though others were, is wrong. */
export const STATE_AGE_MS = 600_000;

/** What one answer shows of a list. `hides`: whether an entry that could not be read may be this coin. */
export interface Listed<T> {
  timeMs: number;
  rows: ReadonlyMap<string, T>;
  hides(coin: string): boolean;
}

/** Both sides at one moment. Ours is read first, so that the venue's is the younger one. */
export interface Look {
  venueTimeMs: number;
  positions: ReadonlyMap<string, PositionRow>;
  balances: ReadonlyMap<string, BalanceRow>;
  /** Time of the newest state of each dex that was stored. */
  perpAsOfMs: ReadonlyMap<string, number>;
  /** Of the newest state of spot. */
  spotAsOfMs: number;
  perps: ReadonlyMap<string, Listed<PositionRow>>;
  spot: Listed<BalanceRow> | null;
  /** Parts of which the first reading has not come to the state: they are not compared. */
  untold: readonly string[];
}

/** A difference, and what tells whether a side stood still. */
export interface Difference {
  finding: Finding;
  venue: string;
  own: string;
  /** Whether these fills account for it. */
  isMoved(fills: readonly FillRow[]): boolean;
}

export const keyOf = (dex: string, coin: string): string => `${dex}|${coin}`;

export function differences(toCome: ToCome, seen: Look): Map<string, Difference> {
  const found = new Map<string, Difference>();
  const note = (what: string, difference: Difference | null) => {
    if (difference) found.set(`${difference.finding.table} ${difference.finding.row} ${what}`, difference);
  };
  for (const [dex, state] of seen.perps) {
    const time = { fromMs: seen.perpAsOfMs.get(dex) ?? 0, toMs: state.timeMs };
    if (toCome.outruns(["fills", "twapFills"], time)) continue;
    const held = [...seen.positions.values()].filter((row) => row.dex === dex);
    for (const coin of new Set([...state.rows.keys(), ...held.map(({ coin }) => coin)])) {
      const own = seen.positions.get(keyOf(dex, coin));
      note("size", sizeDifference(seen, dex, coin, own, state));
      for (const term of ["leverage", "entry"] as const)
        note(term, termDifference(term, own, state.rows.get(coin), state));
    }
  }
  const { spot } = seen;
  if (spot === null) return found;
  if (toCome.outruns(["fills", "twapFills", "ledger"], { fromMs: seen.spotAsOfMs, toMs: spot.timeMs }))
    return found;
  for (const coin of new Set([...spot.rows.keys(), ...seen.balances.keys()]))
    note("", balanceDifference(coin, seen.balances.get(coin), spot));
  return found;
}

export const sideAndSize = (szi: Decimal): string =>
  isZero(szi) ? "flat" : `${sign(szi) < 0 ? "short" : "long"} ${normal(abs(szi))}`;

const asOf = (ms: number | undefined): string =>
  ms === undefined ? "" : ` as of ${new Date(ms).toISOString()}`;

function sizeDifference(
  { perpAsOfMs }: Look,
  dex: string,
  coin: string,
  own: PositionRow | undefined,
  state: Listed<PositionRow>,
): Difference | null {
  const listed = state.rows.get(coin);
  if (listed === undefined && state.hides(coin)) return null;
  const venue = listed?.szi ?? "0";
  const ours = own?.szi ?? "0";
  if (eq(venue, ours)) return null;
  const kind = isZero(ours) ? "missing" : isZero(venue) ? "extra" : "changed";
  // A state is whole: what it does not list was flat in it.
  const ownMs = Math.max(perpAsOfMs.get(dex) ?? 0, own?.asOfMs ?? 0);
  return {
    finding: {
      kind,
      table: "hl_positions",
      row: keyOf(dex, coin),
      detail: `venue ${sideAndSize(venue)}, database ${sideAndSize(ours)}${asOf(own?.asOfMs)}`,
      interval: { fromMs: state.timeMs - 1, toMs: state.timeMs },
    },
    venue: normal(venue),
    own: normal(ours),
    isMoved: (fills) => ownMs > 0 && passedThrough(fills, coin, [ours, venue], [ownMs, state.timeMs]),
  };
}

/** Whether the fills show both sizes in the time between the two moments. */
function passedThrough(
  fills: readonly FillRow[],
  coin: string,
  [a, b]: readonly [Decimal, Decimal],
  [aMs, bMs]: readonly [number, number],
): boolean {
  if (Math.abs(aMs - bMs) > STATE_AGE_MS) return false;
  const fromMs = Math.min(aMs, bMs) - STATE_LAG_MS;
  const toMs = Math.max(aMs, bMs) + STATE_LAG_MS;
  const between = fills
    .filter(isLinked)
    .filter((fill) => fill.coin === coin && fill.timeMs >= fromMs && fill.timeMs <= toMs);
  const sizes = new Set(between.flatMap((fill) => [normal(fill.startPosition), normal(endPosition(fill))]));
  return sizes.has(normal(a)) && sizes.has(normal(b));
}

/** What else a position is, apart from its size and from what follows from prices. */
const TERMS: Record<"leverage" | "entry", (row: PositionRow) => string | null> = {
  leverage: ({ leverageType, leverageValue }) =>
    leverageType === null ? null : `${leverageType} ${leverageValue ?? ""}`,
  entry: ({ entryPrice }) => (entryPrice === null ? null : normal(entryPrice)),
};

function termDifference(
  term: keyof typeof TERMS,
  own: PositionRow | undefined,
  venue: PositionRow | undefined,
  { timeMs }: Listed<PositionRow>,
): Difference | null {
  // What only one side holds is a difference of size; a younger row of ours may know better.
  if (!own || !venue || isZero(own.szi) || own.asOfMs > timeMs) return null;
  // Another size has another entry.
  if (term === "entry" && !eq(own.szi, venue.szi)) return null;
  const [theirs, ours] = [TERMS[term](venue), TERMS[term](own) ?? "none"];
  // What the venue does not tell cannot be held against it.
  if (theirs === null || theirs === ours) return null;
  return {
    finding: {
      kind: "changed",
      table: "hl_positions",
      row: keyOf(own.dex, own.coin),
      detail: `venue ${term} ${theirs}, database ${ours}${asOf(own.asOfMs)}`,
      interval: { fromMs: timeMs - 1, toMs: timeMs },
    },
    venue: theirs,
    own: ours,
    // It may have traded away and back to the same size.
    isMoved: (fills) =>
      term === "entry" && passedThrough(fills, own.coin, [own.szi, own.szi], [own.asOfMs, timeMs]),
  };
}

/** Total, hold, and what is borrowed and lent, which is told in the venue's object alone. */
const amountsOf = (row: BalanceRow | undefined): Decimal[] => {
  const raw = isObject(row?.raw) ? row.raw : {};
  const told = [raw.borrowed, raw.supplied].map((amount) => (isDecimal(amount) ? amount : "0"));
  return [row?.total ?? "0", row?.hold ?? "0", ...told];
};

function balanceDifference(
  coin: string,
  own: BalanceRow | undefined,
  spot: Listed<BalanceRow>,
): Difference | null {
  const venue = spot.rows.get(coin);
  if (venue === undefined && spot.hides(coin)) return null;
  const [theirs, ours] = [amountsOf(venue), amountsOf(own)];
  if (theirs.every((amount, part) => eq(amount, ours[part]!))) return null;
  const words = (row: BalanceRow | undefined) => {
    const [total, hold, owed, lent] = amountsOf(row).map(normal) as [Decimal, Decimal, Decimal, Decimal];
    const loans = `${isZero(owed) ? "" : `, borrowed ${owed}`}${isZero(lent) ? "" : `, supplied ${lent}`}`;
    return `${total} (hold ${hold}${loans})`;
  };
  const isNothing = (row: BalanceRow | undefined) => amountsOf(row).every(isZero);
  return {
    finding: {
      kind: isNothing(own) ? "missing" : isNothing(venue) ? "extra" : "changed",
      table: "hl_balances",
      row: coin,
      detail: `venue ${words(venue)}, database ${words(own)}${asOf(own?.asOfMs)}`,
      interval: { fromMs: spot.timeMs - 1, toMs: spot.timeMs },
    },
    venue: words(venue),
    own: words(own),
    isMoved: () => false,
  };
}
