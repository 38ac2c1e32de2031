/**
 * The venue as `verify` asks it. Guarantees: whatever any answer holds that cannot be read is a finding, whichever part
 * of `verify` asked and whether or not that part looks at it; the weight of every answer is counted. A question that the
 * venue fails to answer, again and again, while it answers others, is a finding too. One that it does not answer at all
 * rejects: then there is no certificate.
 */
import { isAnswered, ProtocolError } from "../../errors.ts";
import type { Unread } from "../../protocol/decode.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { InfoOptions, Store, VenueInfo } from "../ports.ts";
import { quarantineRows } from "../quarantine.ts";
import type { Address } from "../rows.ts";
import { add, type Certificate } from "./certificate.ts";
import type { ToCome } from "./toCome.ts";

/** What it takes to ask the venue. */
export interface Asking {
  account: Address;
  store: Store;
  info: VenueInfo;
  clock: Clock;
  signal: AbortSignal;
  certificate: Certificate;
  /** Texts of what could not be read in an answer. */
  unread: Set<string>;
  /** Requests that the venue may refuse: nothing is stored of what they tell. */
  dispensable: Set<string>;
}

/** One run of `verify`. */
export interface Run extends Asking {
  /** What the first reading has still to read. */
  toCome: ToCome;
}

/** Rows younger than this are left alone: they may be on their way. Also the pause between two looks at what moves. */
export const SETTLED_MS = 5_000;

export const ask = ({ signal }: Asking) => ({ priority: "reconcile", signal }) as const;

/** The table that a message is about: by the request or channel it came by, or the table that refused it. */
export const TABLE_OF: Record<string, string> = {
  userFills: "hl_fills",
  userFillsByTime: "hl_fills",
  userTwapSliceFills: "hl_fills",
  userTwapSliceFillsByTime: "hl_fills",
  orderUpdates: "hl_orders",
  userHistoricalOrders: "hl_orders",
  openOrders: "hl_orders",
  historicalOrders: "hl_orders",
  frontendOpenOrders: "hl_orders",
  orderStatus: "hl_orders",
  userFundings: "hl_funding",
  userFunding: "hl_funding",
  userNonFundingLedgerUpdates: "hl_ledger",
  clearinghouseState: "hl_positions",
  spotClearinghouseState: "hl_balances",
  portfolio: "hl_portfolio",
  twapHistory: "hl_twaps",
  delegatorRewards: "hl_staking_rewards",
  userBorrowLendInterest: "hl_lending_interest",
  userVaultEquities: "hl_vault_equities",
  delegations: "hl_delegations",
  extraAgents: "hl_api_wallets",
  hl_fills: "hl_fills",
  hl_order_events: "hl_orders",
  hl_funding: "hl_funding",
  hl_ledger: "hl_ledger",
};

/** Characters of a row that are shown. */
const SHOWN_CHARS = 100;

/** What of an answer could not be read; nothing where the answer has no parts. */
const unreadOf = (result: unknown): readonly Unread[] =>
  (result as { unread?: readonly Unread[] }).unread ?? [];

/** Names what could not be read, once however often it is served. */
export function noteUnread(
  { account, certificate, unread }: Pick<Run, "account" | "certificate" | "unread">,
  request: string,
  rows: readonly Unread[],
): void {
  for (const [index, { raw, reason }] of quarantineRows(rows, request, account, 0).entries()) {
    if (unread.has(raw)) continue;
    unread.add(raw);
    add(certificate, {
      kind: rows[index]!.kind === "field" ? "unread_field" : "unread",
      table: TABLE_OF[request] ?? request,
      row: raw.slice(0, SHOWN_CHARS),
      detail: reason.startsWith(request) ? reason : `${request}: ${reason}`,
      interval: null,
    });
  }
}

/** `info`, with every answer looked at. */
export function witnessed(
  info: VenueInfo,
  run: Pick<Run, "account" | "certificate" | "unread" | "dispensable">,
): VenueInfo {
  return {
    clockOffset: () => info.clockOffset(),
    reserve: (weight) => info.reserve(weight),
    async request(request, params, options) {
      const answer = await info.request(request, params, options).catch(async (failure: unknown) => {
        const error = await unanswerable(info, request.type, options, failure);
        if (error instanceof ProtocolError && !(error.isRefusal && run.dispensable.has(request.type)))
          noteUnread(run, request.type, [{ kind: "row", raw: error.raw, reason: error.message }]);
        throw error;
      });
      run.certificate.weight += answer.weight;
      noteUnread(run, request.type, unreadOf(answer.result));
      return answer;
    },
  };
}

/** What failed for this question alone, since the venue answers another one, is like an answer that cannot be read. */
async function unanswerable(
  info: VenueInfo,
  type: string,
  options: InfoOptions,
  failure: unknown,
): Promise<unknown> {
  if (failure instanceof ProtocolError || !isAnswered(failure)) return failure;
  for (const another of [INFO.exchangeStatus, INFO.perpDexs]) {
    if (another.type === type) continue;
    const isAlive = await info.request(another as typeof INFO.perpDexs, {}, options).then(
      () => true,
      (error: unknown) => error instanceof ProtocolError,
    );
    options.signal?.throwIfAborted();
    if (isAlive) return new ProtocolError(failure.message, failure.message, { cause: failure });
  }
  return failure;
}

/** The answer, or null when it cannot be read, which is a finding already: the other parts go on. */
export async function unlessUnreadable<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}
