/**
 * Positions of every dex and balances of spot against `hl_positions` and `hl_balances`, in both directions.
 *
 * Both sides move while they are read, and a stale answer is no proof (ADR 0005). So a difference counts when each of
 * `LOOKS` looks, `SETTLED_MS` apart, shows it, and
 * * a position: the stored fills do not show that the account passed from the one size to the other in between;
 * * leverage, a balance: one of the two sides stood still; where both moved each time nothing can be said, and that is
 *   what the certificate says (`unsettled`).
 * A row that could not be read hides its coin: then the coin's absence from the list says nothing. Values that follow from
 * prices are not compared; the age of the row that holds them is.
 */
import { isObject, lostRows, type Unread } from "../../protocol/decode.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import { type Decimal, isZero, normal } from "../../runtime/decimal.ts";
import { strayState } from "../dexes.ts";
import { boundsOf } from "../freshness.ts";
import { balanceRows, positionRows } from "../normalize.ts";
import type { BalanceRow, PositionRow } from "../rows.ts";
import { add } from "./certificate.ts";
import {
  type Difference,
  differences,
  keyOf,
  type Listed,
  type Look,
  STATE_AGE_MS,
  sideAndSize,
} from "./differences.ts";
import { venuePresentMs } from "./present.ts";
import { ask, noteUnread, type Run, SETTLED_MS, unlessUnreadable } from "./witness.ts";

const LOOKS = 3;
/** A row that is open is stale at twice the age at which its account is, and not before this. */
const STALE_LEAST_MS = 600_000;
/** What lies beyond the venue's time by more than this is wrong: its answers lag each other by seconds. */
export const FUTURE_MS = 60_000;
/** Spot states carry no time: they have the writer's clock, which may differ from ours. */
const CLOCK_SKEW_MS = 60_000;
/** Its state, where the name of a dex could stand. */
const SPOT = "spot";
/** Dexes asked at the same time. */
const PARALLEL = 8;

/** The dexes that the venue lists now. */
export interface ListedDexes {
  names: readonly string[];
  /** False when a part of the list could not be read. */
  isWhole: boolean;
}

/** What the first look showed. */
export interface Live {
  venueTimeMs: number;
  /** Of a perp position; null where the state of its dex could not be read. */
  size(dex: string, coin: string): Decimal | null;
}

/** How the account is followed: up to when anything is known of it, and how often it is polled (null: streamed). */
interface Following {
  toMs: number;
  pollMs: number | null;
}

export async function compareStates(run: Run, listed: ListedDexes, following: Following): Promise<Live> {
  const { certificate, clock, signal } = run;
  const first = await look(run, listed);
  noteAges(run, first, following);
  for (const part of first.untold) {
    const finding = { kind: "gap", row: part, detail: "no state was read yet", interval: null } as const;
    add(certificate, { ...finding, table: part === SPOT ? "hl_balances" : "hl_positions" });
  }
  certificate.compared.hl_positions = openCoins(first);
  certificate.compared.hl_balances = new Set([
    ...first.balances.keys(),
    ...(first.spot?.rows.keys() ?? []),
  ]).size;
  const seen = [differences(run.toCome, first)];
  while (seen.length < LOOKS && (await unexplained(run, seen)).length > 0) {
    await clock.sleep(SETTLED_MS, signal);
    seen.push(differences(run.toCome, await look(run, listed)));
  }
  if (seen.length === LOOKS) {
    for (const key of await unexplained(run, seen)) judge(run, key, seen);
  }
  const size = (dex: string, coin: string) => {
    const state = first.perps.get(dex);
    if (state === undefined || (!state.rows.has(coin) && state.hides(coin))) return null;
    return state.rows.get(coin)?.szi ?? "0";
  };
  return { venueTimeMs: first.venueTimeMs, size };
}

/** Keys that differ in every look and that fills do not account for in any. */
async function unexplained(
  { account, store, clock }: Run,
  seen: readonly ReadonlyMap<string, Difference>[],
): Promise<string[]> {
  const keys = [...seen[0]!.keys()].filter((key) => seen.every((one) => one.has(key)));
  if (keys.length === 0) return [];
  // By whichever clock: more fills than needed do no harm.
  const fromMs = clock.now() - 2 * STATE_AGE_MS - CLOCK_SKEW_MS;
  const fills = await store.fills(account, fromMs, Number.MAX_SAFE_INTEGER);
  return keys.filter((key) => seen.every((one) => !one.get(key)!.isMoved(fills)));
}

/** A difference that lasts is a finding unless both sides moved from look to look. */
function judge({ certificate }: Run, key: string, seen: readonly ReadonlyMap<string, Difference>[]): void {
  const all = seen.map((one) => one.get(key)!);
  const { finding } = all.at(-1)!;
  const stood = (side: "venue" | "own") => new Set(all.map((one) => one[side])).size === 1;
  const isPosition = finding.table === "hl_positions";
  if (isPosition || stood("venue") || stood("own")) add(certificate, finding);
  else certificate.unsettled.push(`${finding.table} ${finding.row}`);
}

async function look(run: Run, listed: ListedDexes): Promise<Look> {
  const { account, store } = run;
  const states = await store.states(account);
  const [positions, balances] = await Promise.all([store.positions(account), store.balances(account)]);
  const perpAsOfMs = new Map<string, number>();
  const noteTime = (dex: string, asOfMs: number) =>
    perpAsOfMs.set(dex, Math.max(perpAsOfMs.get(dex) ?? 0, asOfMs));
  for (const { kind, dex, asOfMs } of states) if (kind === "perp") noteTime(dex, asOfMs);
  for (const { dex, asOfMs } of positions) noteTime(dex, asOfMs);
  const venueTimeMs = await venuePresentMs(run);
  const perps = await readPerps(run, listed, positions, venueTimeMs);
  const spot = await readSpot(run);
  const isAwaited = (isTold: boolean, state: Listed<unknown> | null | undefined) =>
    run.toCome.isOpen && !isTold && state != null && state.rows.size > 0;
  const isSpotAwaited = isAwaited(
    states.some(({ kind }) => kind === "spot"),
    spot,
  );
  const awaited = [...perps.keys()].filter((dex) => isAwaited(perpAsOfMs.has(dex), perps.get(dex)));
  for (const dex of awaited) perps.delete(dex);
  return {
    venueTimeMs,
    positions: new Map(positions.map((row) => [keyOf(row.dex, row.coin), row])),
    balances: new Map(balances.map((row) => [row.coin, row])),
    perpAsOfMs,
    spotAsOfMs: Math.max(0, ...states.flatMap(({ kind, asOfMs }) => (kind === "spot" ? asOfMs : []))),
    perps,
    spot: isSpotAwaited ? null : spot,
    untold: [...awaited, ...(isSpotAwaited ? [SPOT] : [])],
  };
}

async function readPerps(
  run: Run,
  { names, isWhole }: ListedDexes,
  stored: readonly PositionRow[],
  venueTimeMs: number,
): Promise<Map<string, Listed<PositionRow>>> {
  const perps = new Map<string, Listed<PositionRow>>();
  const left = [...names];
  const next = async (): Promise<void> => {
    for (let dex = left.shift(); dex !== undefined; dex = left.shift()) {
      const state = await readPerp(run, dex);
      if (state !== null) perps.set(dex, state);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, next));
  // A dex that the venue does not list any more holds nothing.
  const gone = { timeMs: venueTimeMs, rows: new Map<string, PositionRow>(), hides: () => false };
  for (const { dex } of isWhole ? stored : []) if (!names.includes(dex)) perps.set(dex, gone);
  return perps;
}

async function readPerp(run: Run, dex: string): Promise<Listed<PositionRow> | null> {
  const { account, info } = run;
  const asked = info.request(INFO.clearinghouseState, { user: account, dex }, ask(run));
  const answer = await unlessUnreadable(asked);
  if (answer === null) return null;
  const timeMs = answer.result.value.time ?? answer.sentAtMs;
  const told = positionRows(account, dex, answer.result, timeMs);
  const reason = strayState(dex, told);
  if (reason !== null) {
    noteUnread(run, INFO.clearinghouseState.type, [{ kind: "row", raw: answer.result.raw, reason }]);
    return null;
  }
  const rows = told.filter(({ szi }) => !isZero(szi));
  return {
    timeMs,
    rows: new Map(rows.map((row) => [row.coin, row])),
    hides: hidden(answer.result.unread),
  };
}

async function readSpot(run: Run): Promise<Listed<BalanceRow> | null> {
  const { account, info } = run;
  const asked = info.request(INFO.spotClearinghouseState, { user: account }, ask(run));
  const answer = await unlessUnreadable(asked);
  if (answer === null) return null;
  const rows = balanceRows(account, answer.result, answer.receivedAtMs);
  return {
    timeMs: answer.receivedAtMs,
    rows: new Map(rows.map((row) => [row.coin, row])),
    hides: hidden(answer.result.unread),
  };
}

/** Which coins entries that could not be read may be of: those they name, or any. */
function hidden(unread: readonly Unread[]): (coin: string) => boolean {
  const named = lostRows(unread).map(({ raw }) => {
    const entry = isObject(raw) && isObject(raw.position) ? raw.position : raw;
    return isObject(entry) && typeof entry.coin === "string" ? entry.coin : null;
  });
  return (coin) => named.includes(null) || named.includes(coin);
}

const openCoins = ({ positions, perps }: Look): number =>
  new Set([
    ...[...positions].filter(([, { szi }]) => !isZero(szi)).map(([key]) => key),
    ...[...perps].flatMap(([dex, { rows }]) => [...rows.keys()].map((coin) => keyOf(dex, coin))),
  ]).size;

/** Rows that are open and old while the account is followed, and rows from the future. */
function noteAges({ certificate, clock }: Run, seen: Look, { toMs, pollMs }: Following): void {
  const { venueTimeMs } = seen;
  const staleAfterMs = Math.max(STALE_LEAST_MS, 2 * boundsOf(pollMs).staleMs);
  const rows = [
    ...[...seen.positions].map(([row, { dex, asOfMs, szi }]) => {
      const holds = isZero(szi) ? null : sideAndSize(szi);
      // Of what the venue itself serves with an old time, nothing younger can be stored.
      const nowMs = seen.perps.get(dex)?.timeMs ?? venueTimeMs;
      return { table: "hl_positions", row, asOfMs, nowMs, boundMs: FUTURE_MS, holds };
    }),
    ...[...seen.balances].map(([row, { asOfMs, total }]) => {
      const holds = isZero(total) ? null : normal(total);
      return { table: "hl_balances", row, asOfMs, nowMs: clock.now(), boundMs: CLOCK_SKEW_MS, holds };
    }),
  ];
  const isFollowed = toMs >= venueTimeMs - staleAfterMs;
  for (const { table, row, asOfMs, nowMs, boundMs, holds } of rows) {
    const interval = { fromMs: nowMs - 1, toMs: nowMs };
    const ageMs = nowMs - asOfMs;
    const at = new Date(asOfMs).toISOString();
    if (ageMs < -boundMs && asOfMs > venueTimeMs + boundMs) {
      const detail = `as of ${at}, ${Math.round(-ageMs / 1000)} s after the present`;
      add(certificate, { kind: "future", table, row, detail, interval });
    } else if (isFollowed && holds !== null && ageMs > staleAfterMs) {
      const detail = `${holds} as of ${at}, ${Math.round(ageMs / 60_000)} min old, though the account is followed`;
      add(certificate, { kind: "stale", table, row, detail, interval: null });
    }
  }
}
