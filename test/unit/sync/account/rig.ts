/** A venue that is answered for by hand, and one account before it, in a time that stands still. */
import { TransportError } from "../../../../src/errors.ts";
import { silentLog } from "../../../../src/runtime/log.ts";
import { ACCOUNT_DEFAULTS, Account, type AccountDeps } from "../../../../src/sync/account/account.ts";
import { Dexes } from "../../../../src/sync/dexes.ts";
import { Markets } from "../../../../src/sync/markets.ts";
import type { InfoAnswer, InfoOptions, Store, StreamStatus, VenueInfo } from "../../../../src/sync/ports.ts";
import { Prices } from "../../../../src/sync/prices.ts";
import type { Batch } from "../../../../src/sync/rows.ts";
import { Volatilities } from "../../../../src/sync/volatility.ts";
import { emptyStore } from "../../../support/emptyStore.ts";
import { HandClock } from "../../connection/handClock.ts";
import { perpState } from "../healthStates.ts";

export const USER = `0x${"a".repeat(40)}`;
export const NOW = 1_790_000_000_000;

/** Of a stream that received nothing yet. */
export const streamIn = (state: StreamStatus["state"]): StreamStatus => ({
  state,
  connectedSinceMs: null,
  reconnects: 0,
  lastReceivedMs: null,
  lastEnd: null,
  nextAttemptMs: null,
  roundTripMs: null,
  subscriptions: [],
});

/** By request type: an answer's body, what makes it of the parameters, or an error. */
export type Answers = Record<string, unknown>;

export interface Asked {
  type: string;
  params: Record<string, unknown>;
  options: InfoOptions;
}

/** What an account without anything has. */
export const NOTHING: Answers = {
  exchangeStatus: { time: NOW },
  perpDexs: [null],
  userFillsByTime: [],
  userTwapSliceFillsByTime: [],
  userFunding: [],
  userNonFundingLedgerUpdates: [],
  frontendOpenOrders: [],
  historicalOrders: [],
  clearinghouseState: perpState("1000", [], NOW),
  spotClearinghouseState: { balances: [] },
  userAbstraction: "default",
  userVaultEquities: [],
  delegatorSummary: { delegated: "0.0", undelegated: "0.0", totalPendingWithdrawal: "0.0" },
};

/** Fails, as if it could not be reached, on what it has no answer for. */
export function venue(clock: HandClock, answers: Answers) {
  const asked: Asked[] = [];
  let reserved = 0;
  const info: VenueInfo = {
    async request(request, params, options) {
      asked.push({ type: request.type, params: params as Record<string, unknown>, options });
      const answer = answers[request.type];
      const body = await (typeof answer === "function" ? answer(params) : answer);
      options.signal?.throwIfAborted();
      if (body === undefined) throw new TransportError(`no answer to ${request.type}`);
      if (body instanceof Error) throw body;
      const result = request.read(body);
      const answered = { result, sentAtMs: clock.now(), receivedAtMs: clock.now(), weight: 20 };
      return answered as InfoAnswer<never>;
    },
    clockOffset: () => null,
    reserve: (weight) => {
      reserved += weight;
      return () => {
        reserved -= weight;
      };
    },
  };
  const types = () => asked.map(({ type }) => type);
  return { info, asked, types, reserved: () => reserved };
}

export function follow(answers: Answers = {}, over: Partial<Store> = {}, deps: Partial<AccountDeps> = {}) {
  const clock = new HandClock(NOW);
  const given = { ...NOTHING, ...answers };
  const at = venue(clock, given);
  const store = { ...emptyStore(), ...over };
  const own = { clock, info: at.info, store, log: silentLog };
  const committed: Batch[] = [];
  const account = new Account({
    ...own,
    account: USER,
    alias: null,
    dexes: new Dexes(own),
    volatilities: new Volatilities(own),
    prices: new Prices(own),
    markets: new Markets(own),
    commit: async (batch) => {
      committed.push(batch);
      return store.apply(batch);
    },
    options: ACCOUNT_DEFAULTS,
    sinceMs: null,
    ...deps,
  });
  const claims = (stream: string) =>
    committed.flatMap(({ coverage = [] }) => coverage.filter((row) => row.stream === stream));
  return { ...at, answers: given, clock, account, committed, claims, signal: new AbortController().signal };
}
