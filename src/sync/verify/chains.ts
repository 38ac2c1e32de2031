/**
 * Every perp coin's chain of fills, link by link, against the order of blocks, its end against the live position, and its beginning
 * against nothing at all where time is claimed from the first day on.
 */
import { type Decimal, eq, isZero, sub, sum } from "../../runtime/decimal.ts";
import { type ChainEnd, isLinked, isPerp, type LinkedFill, linkChain, signedSize } from "../chain.ts";
import { union } from "../coverage.ts";
import { dexOfCoin } from "../dexes.ts";
import type { StoredFill } from "../ports.ts";
import type { CoverageRow } from "../rows.ts";
import { againstChain } from "./blocks.ts";
import { add } from "./certificate.ts";
import type { Live } from "./states.ts";
import { type Run, SETTLED_MS } from "./witness.ts";

/** Both belong to the chain. */
const STREAMS = ["fills", "twapFills"] as const;

export async function proveChains(
  run: Run,
  fills: readonly StoredFill[],
  coverage: readonly CoverageRow[],
  live: Live,
): Promise<void> {
  const provenFrom = union(
    coverage.filter(({ stream, grade }) => stream === "fills" && grade === "proven"),
  )[0]?.fromMs;
  const isFromTheFirstDay = STREAMS.every((of) =>
    coverage.some(({ stream, grade, fromMs }) => stream === of && grade === "proven" && fromMs <= 0),
  );
  const chained = fills
    .filter(isLinked)
    .filter(({ coin, timeMs }) => isPerp(coin) && timeMs >= (provenFrom ?? 0));
  for (const [coin, rows] of Map.groupBy(chained, (fill) => fill.coin)) {
    run.certificate.links[coin] = rows.length;
    // What the venue holds cannot be read: the fills are held against each other only.
    const position = live.size(dexOfCoin(coin), coin);
    const isReached = position !== null && reaches(rows, position);
    if (!isReached) await nameBreaks(run, coin, rows, position);
    const start = isReached ? startOf(rows, position) : null;
    if (isFromTheFirstDay) nameBeginning(run, rows, start?.position ?? null);
    for (const { timeMs, blocks } of againstChain(rows, start)) {
      const detail = `fills of one millisecond chain in another order than that of their blocks ${blocks.join(", ")}`;
      const interval = { fromMs: timeMs, toMs: timeMs };
      add(run.certificate, {
        kind: "block_order",
        table: "hl_fills",
        row: `${coin}|${timeMs}`,
        detail,
        interval,
      });
    }
  }
}

/** A position that is there before the first fill was made by fills that are not: the venue serves less than is claimed. */
function nameBeginning({ certificate }: Run, rows: readonly LinkedFill[], told: Decimal | null): void {
  const { coin, timeMs, startPosition } = linkChain(rows, null).ordered[0]!;
  const before = told ?? startPosition;
  if (isZero(before)) return;
  const detail = `${before} ${coin} was held before its first fill, which nothing tells of`;
  const interval = { fromMs: 0, toMs: timeMs };
  add(certificate, { kind: "chain_break", table: "hl_fills", row: `${coin}|0..${timeMs}`, detail, interval });
}

async function nameBreaks(
  { account, certificate, clock, signal, store, toCome }: Run,
  coin: string,
  rows: readonly LinkedFill[],
  position: Decimal | null,
): Promise<void> {
  const { breaks, end } = linkChain(rows, null);
  for (const { fromMs, toMs, missing } of breaks) {
    if (toCome.touches(STREAMS, { fromMs, toMs })) continue;
    const detail = `${missing} ${coin} traded between ${fromMs} and ${toMs} is not there`;
    const row = `${coin}|${fromMs}..${toMs}`;
    add(certificate, { kind: "chain_break", table: "hl_fills", row, detail, interval: { fromMs, toMs } });
  }
  if (position === null || eq(end!.position, position)) return;
  if (toCome.touches(STREAMS, { fromMs: end!.timeMs, toMs: clock.now() })) return;
  const traded = async () => {
    const since = await store.fills(account, end!.timeMs + 1, Number.MAX_SAFE_INTEGER);
    return since.some((fill) => fill.coin === coin);
  };
  if (await traded()) return;
  // The state may hold a fill that is still on its way into the database.
  await clock.sleep(SETTLED_MS, signal);
  if (await traded()) return;
  const detail = `fills end at ${end!.position}, venue has ${position}`;
  const interval = { fromMs: end!.timeMs, toMs: clock.now() };
  add(certificate, { kind: "position", table: "hl_fills", row: coin, detail, interval });
}

/**
 * Where fills begin that end at this position: it also decides between the orders that fills of one millisecond leave open.
 */
const startOf = (rows: readonly LinkedFill[], position: Decimal): ChainEnd => ({
  timeMs: 0,
  position: sub(position, sum(rows.map(signedSize))),
});

/** Whether the fills chain without a break to this position. */
function reaches(rows: readonly LinkedFill[], position: Decimal): boolean {
  const { breaks, end } = linkChain(rows, startOf(rows, position));
  return breaks.length === 0 && eq(end!.position, position);
}
