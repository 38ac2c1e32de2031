/**
 * What the venue tells of an account beside its money: its own curves of equity, TWAP orders, rewards, interest, fee tier, requests
 * left, API wallets. A row of `READINGS` is a question and the rows that its answer makes (`../tables.ts`).
 *
 * Guarantees: each is asked once in `EVERY_MS`, with the priority of the one who asks; what an endpoint does not know is asked again
 * as seldom, and costs no other; what fails is asked again at the next call. Of a list that was not read whole no present state is
 * made (I6). The histories have no coverage: the venue serves them as a whole or without a stated limit (docs/views.md).
 */
import { ProtocolError } from "../../errors.ts";
import { isWhole, type Unread } from "../../protocol/decode.ts";
import { INFO, type InfoRequest } from "../../protocol/infoRequests.ts";
import { PAGE_ROWS_MAYBE_FULL } from "../../protocol/limits.ts";
import type { WirePortfolio } from "../../protocol/schemas.ts";
import type { Clock } from "../../runtime/clock.ts";
import { add, sub } from "../../runtime/decimal.ts";
import { hasPassed } from "../../runtime/due.ts";
import type { Log } from "../../runtime/log.ts";
import { type Origin, twapRow } from "../normalize.ts";
import type { InfoAnswer, InfoOptions, Store, VenueInfo } from "../ports.ts";
import { type Keep, keepUnread } from "../quarantine.ts";
import type { Address, Batch } from "../rows.ts";
import type { RowOf } from "../tables.ts";

const EVERY_MS = 3_600_000;
/** Pages of interest in one reading: the next one goes on. */
const PAGES_MAX = 20;

interface ParticularsDeps {
  account: Address;
  info: VenueInfo;
  store: Pick<Store, "latestMs">;
  clock: Clock;
  log: Log;
  commit: Keep;
  /** The venue's time at a moment of ours. */
  venueTime(atMs: number): number;
}

/** What an answer is turned into rows with. */
interface Told {
  account: Address;
  /** The venue's time when it was answered. */
  asOfMs: number;
}

export interface Reading {
  name: string;
  read(ask: Ask): Promise<void>;
}
type Ask = <P, R extends { unread: Unread[] }>(
  request: InfoRequest<P, R>,
  params: P,
  toBatch: (result: R, told: Told) => Batch,
) => Promise<InfoAnswer<R>>;

/** A state that the venue sends whole: the newest one is all there is. */
export const fact = ({ account, asOfMs }: Told, name: string, value: unknown): Batch => ({
  facts: [{ account, fact: name, value, asOfMs }],
});

/** Of a list that lacks a row nothing is known as a whole. */
export const wholeFact = (
  told: Told,
  name: string,
  { rows, unread }: { rows: { raw: unknown }[]; unread: Unread[] },
): Batch =>
  isWhole(unread)
    ? fact(
        told,
        name,
        rows.map(({ raw }) => raw),
      )
    : {};

type Answered<R> = (result: R, told: Told) => Batch;
const asked = <R extends { unread: Unread[] }>(
  request: InfoRequest<{ user: string }, R>,
  user: Address,
  toBatch: Answered<R>,
): Reading => ({
  name: request.type,
  read: async (ask) => void (await ask(request, { user }, toBatch)),
});

/** What `../belongings.ts` asks by itself when money moves, for one who asks for everything. */
export const belongingsReadings = (account: Address): Reading[] => [
  asked(INFO.userVaultEquities, account, (result, told) => wholeFact(told, "vaults", result)),
  asked(INFO.delegatorSummary, account, ({ raw }, told) => fact(told, "stake", raw)),
  asked(INFO.delegations, account, (result, told) => wholeFact(told, "delegations", result)),
];

export class Particulars {
  readonly #deps: ParticularsDeps;
  readonly #readings: readonly Reading[];
  readonly #readAtMs = new Map<string, number>();

  constructor(deps: ParticularsDeps, more: readonly Reading[] = []) {
    this.#deps = deps;
    this.#readings = [...this.#list(), ...more];
  }

  #list(): Reading[] {
    const { account } = this.#deps;
    return [
      asked(INFO.portfolio, account, ({ value }, told) => portfolioBatch(value, told)),
      asked(INFO.twapHistory, account, ({ rows }, told) => {
        const origin: Origin = { account, source: "poll", seenAtMs: told.asOfMs };
        return { twaps: rows.map((row) => twapRow(origin, row)) };
      }),
      asked(INFO.delegatorRewards, account, ({ rows }) => ({
        stakingRewards: rows.map(({ value: { time, source, totalAmount }, raw }) => {
          return { account, timeMs: time, kind: source, amount: totalAmount, raw };
        }),
      })),
      asked(INFO.userFees, account, ({ raw }, told) => fact(told, "fees", withoutVolumes(raw))),
      asked(INFO.userRateLimit, account, ({ raw }, told) => fact(told, "requests", raw)),
      asked(INFO.extraAgents, account, (result, told) => wholeFact(told, "agents", result)),
      { name: INFO.userBorrowLendInterest.type, read: (ask) => this.#readInterest(ask) },
    ];
  }

  /** All is asked at the next call. */
  forget(): void {
    this.#readAtMs.clear();
  }

  isDue(): boolean {
    return this.#due().length > 0;
  }

  #due(): Reading[] {
    const nowMs = this.#deps.clock.now();
    return this.#readings.filter(({ name }) =>
      hasPassed(this.#readAtMs.get(name) ?? Number.NEGATIVE_INFINITY, EVERY_MS, nowMs),
    );
  }

  /** Asks what is due, one after the other. Rejects with the first failure, after all had their turn. */
  async read(options: InfoOptions): Promise<void> {
    const { clock, log } = this.#deps;
    const failures: unknown[] = [];
    for (const { name, read } of this.#due()) {
      options.signal?.throwIfAborted();
      try {
        await read((request, params, toBatch) => this.#ask(request, params, options, toBatch));
      } catch (error) {
        if (!(error instanceof ProtocolError)) {
          failures.push(error);
          continue;
        }
        log.debug("the venue does not tell a part of the account", { part: name, error });
      }
      this.#readAtMs.set(name, clock.now());
    }
    options.signal?.throwIfAborted();
    if (failures.length > 0) throw failures[0];
  }

  async #ask<P, R extends { unread: Unread[] }>(
    request: InfoRequest<P, R>,
    params: P,
    options: InfoOptions,
    toBatch: (result: R, told: Told) => Batch,
  ): Promise<InfoAnswer<R>> {
    const { info, account, commit, venueTime } = this.#deps;
    const answer = await info.request(request, params, options);
    const { result, receivedAtMs } = answer;
    await keepUnread(answer, request.type, account, commit);
    await commit(toBatch(result, { account, asOfMs: venueTime(receivedAtMs) }), receivedAtMs);
    return answer;
  }

  /** From the newest row on, oldest first. */
  async #readInterest(ask: Ask): Promise<void> {
    const { account, store } = this.#deps;
    let startTime = (await store.latestMs("lendingInterest", account)) ?? 0;
    for (let page = 0; page < PAGES_MAX; page++) {
      const { result } = await ask(INFO.userBorrowLendInterest, { user: account, startTime }, ({ rows }) => ({
        lendingInterest: rows.map(({ value, raw }) => {
          const { time, token, borrow, supply } = value;
          return { account, timeMs: time, token, charged: borrow, earned: supply, raw };
        }),
      }));
      const newestMs = Math.max(startTime, ...result.rows.map(({ value }) => value.time));
      if (result.rows.length < PAGE_ROWS_MAYBE_FULL || newestMs === startTime) return;
      startTime = newestMs;
    }
  }
}

/** Who traded how much by day is in the fills; it would make a new state of each answer. */
function withoutVolumes(raw: unknown): unknown {
  const { dailyUserVlm: _volumes, feeSchedule: _schedule, ...rates } = raw as Record<string, unknown>;
  return rates;
}

const SPANS = ["day", "week", "month", "allTime"] as const;
type PortfolioRow = RowOf<"portfolio">;

/**
 * The curves of day, week, month and all time as one series. Each counts its profit from its own beginning; they end at the same
 * moment, which tells how far apart they are: stored is the profit since the account began.
 */
function portfolioBatch(portfolio: WirePortfolio, told: Told): Batch {
  const curves = new Map(portfolio);
  const rows = new Map<string, PortfolioRow>();
  for (const scope of ["all", "perp"] as const) {
    const named = (span: string) =>
      curves.get(scope === "all" ? span : `perp${span.charAt(0).toUpperCase()}${span.slice(1)}`);
    const end = named("allTime")?.pnlHistory.at(-1);
    // The longest one last: its own figures need no sum.
    for (const span of SPANS) {
      const curve = named(span);
      if (!curve) continue;
      const last = curve.pnlHistory.at(-1);
      const behind = end && last && end[0] === last[0] ? sub(end[1], last[1]) : null;
      const profits = new Map(curve.pnlHistory);
      for (const [timeMs, accountValue] of curve.accountValueHistory) {
        const profit = profits.get(timeMs);
        const pnl = profit === undefined || behind === null ? null : add(profit, behind);
        rows.set(`${scope} ${timeMs}`, { account: told.account, scope, timeMs, accountValue, pnl });
      }
    }
  }
  const volumes = portfolio.map(([span, { vlm }]) => [span, vlm ?? null]);
  return { portfolio: [...rows.values()], ...fact(told, "volumes", Object.fromEntries(volumes)) };
}
