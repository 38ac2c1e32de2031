/**
 * The chain of one (account, perp coin): `startPosition + signed size = next startPosition`. Pure. Guarantees: fills of
 * one millisecond are put in the order in which they chain, whatever order they came in (a trail through the graph
 * whose edges are the fills); each break names the missing quantity and the time window it lies in. Assumes TWAP
 * slices are among the fills. Spot is not chained: fees in the base token and transfers move balances unseen.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint (startPosition)
 */
import { add, type Decimal, eq, neg, normal, sub } from "../runtime/decimal.ts";
import type { FillRow, Side } from "./rows.ts";

/** What a link needs of a fill. */
export type Link = Pick<FillRow, "coin" | "timeMs" | "side" | "size"> & { startPosition: Decimal };
export type LinkedFill = FillRow & Link;

/** A fill that was taken over from an older program may not tell the position before it: then it is no link. */
export const isLinked = <T extends FillRow>(fill: T): fill is T & LinkedFill => fill.startPosition !== null;

export interface ChainBreak {
  coin: string;
  /** Time of the last good link before, or null at the start of a chain with a known position. */
  fromMs: number;
  /** Time of the first fill that does not follow. */
  toMs: number;
  /** Signed quantity that must have been traded in between. */
  missing: Decimal;
}

export interface ChainEnd {
  timeMs: number;
  position: Decimal;
}

/** Spot pairs are `@N` or `BASE/QUOTE`, outcome markets `#N`, `+N` and `oN`; all else is a perp: `hl_fill_pnl.market`. */
export const isPerp = (coin: string): boolean => !/^[@#+]|\/|^o\d+$/.test(coin);

export const signedSize = (fill: { side: Side; size: Decimal }): Decimal =>
  fill.side === "buy" ? fill.size : neg(fill.size);

export const endPosition = (fill: Link): Decimal => add(fill.startPosition, signedSize(fill));

/**
 * Links fills of ONE coin, oldest first, from `start` (null: from wherever the first fill begins).
 * Returns the fills in chain order, the breaks, and where the chain ends (null only without start and fills).
 */
export function linkChain<T extends Link>(
  fills: readonly T[],
  start: ChainEnd | null,
): { ordered: T[]; breaks: ChainBreak[]; end: ChainEnd | null } {
  const ordered: T[] = [];
  const breaks: ChainBreak[] = [];
  let end = start;
  for (const group of groupByTime(fills)) {
    for (const fill of orderWithin(group, end?.position ?? null)) {
      if (end !== null && !eq(end.position, fill.startPosition)) {
        const missing = sub(fill.startPosition, end.position);
        breaks.push({ coin: fill.coin, fromMs: end.timeMs, toMs: fill.timeMs, missing });
      }
      ordered.push(fill);
      end = { timeMs: fill.timeMs, position: endPosition(fill) };
    }
  }
  return { ordered, breaks, end };
}

function groupByTime<T extends Link>(fills: readonly T[]): T[][] {
  const groups: T[][] = [];
  for (const fill of [...fills].sort((a, b) => a.timeMs - b.timeMs)) {
    const last = groups.at(-1);
    if (last && last[0]!.timeMs === fill.timeMs) last.push(fill);
    else groups.push([fill]);
  }
  return groups;
}

/**
 * The fills of one millisecond in chain order, as `hl_internal.chain_order` has them in the database: trails, the first of which starts at `from` when any fill does. One
 * unbroken trail is the normal case; more than one means that something is missing in between.
 */
function orderWithin<T extends Link>(group: T[], from: Decimal | null): T[] {
  if (group.length === 1) return group;
  const edges = new Map<string, T[]>();
  const surplus = new Map<string, number>();
  const bump = (node: string, by: number) => surplus.set(node, (surplus.get(node) ?? 0) + by);
  for (const fill of group) {
    const node = normal(fill.startPosition);
    const out = edges.get(node);
    if (out) out.push(fill);
    else edges.set(node, [fill]);
    bump(node, 1);
    bump(endPosition(fill), -1);
  }
  // Where the chain leaves a choice, popping takes the order of arrival.
  for (const out of edges.values()) out.reverse();
  const ordered: T[] = [];
  let start = from === null ? null : normal(from);
  while (ordered.length < group.length) {
    for (const fill of walk(edges, pickStart(edges, surplus, start))) {
      bump(normal(fill.startPosition), -1);
      bump(endPosition(fill), 1);
      ordered.push(fill);
    }
    start = endPosition(ordered.at(-1)!);
  }
  return ordered;
}

/**
 * Where the next trail must begin: at `preferred` when the degrees allow a trail from there, else at a node with more
 * departures than arrivals, else on a remaining cycle: at 0 if it passes there, since most begin flat.
 */
function pickStart<T>(
  edges: Map<string, T[]>,
  surplus: Map<string, number>,
  preferred: string | null,
): string {
  const has = (node: string) => (edges.get(node)?.length ?? 0) > 0;
  const sources = [...edges.keys()].filter((node) => has(node) && (surplus.get(node) ?? 0) > 0);
  if (preferred !== null && has(preferred) && (sources.length === 0 || sources.includes(preferred)))
    return preferred;
  return sources[0] ?? (has("0") ? "0" : [...edges.keys()].find(has)!);
}

/**
 * Hierholzer's algorithm: uses, and removes, every edge reachable from `start`. One unbroken trail where there is one;
 * where the edges allow none, the result has a break in it, which the caller sees as such.
 */
function walk<T extends Link>(edges: Map<string, T[]>, start: string): T[] {
  const stack: { node: string; via: T | null }[] = [{ node: start, via: null }];
  const trail: T[] = [];
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    const next = edges.get(top.node)?.pop();
    if (next) stack.push({ node: endPosition(next), via: next });
    else {
      stack.pop();
      if (top.via) trail.push(top.via);
    }
  }
  return trail.reverse();
}
