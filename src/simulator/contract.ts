/**
 * The border between the venue model (`exchange/`, pure) and everything that serves it (`server/`, faults, world).
 * Guarantees of the model: deterministic (same seed, same calls, same times give the same bytes); time only moves by
 * `advance`; it never does I/O. All JSON is in the venue's own words and shapes (`docs` of the venue, real captures).
 */
import type { Decimal } from "../runtime/decimal.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Everything one block did, in the order it happened. `timeMs` is the block time every event in it shares. */
export interface Block {
  height: number;
  timeMs: number;
  events: VenueEvent[];
}

/** `user` is always the lower-case address the event belongs to; payloads are wire objects. */
export type VenueEvent =
  /** `order` is the short form of `orderUpdates`; `full` the FrontendOrder of history and open orders. */
  | {
      type: "orderUpdate";
      user: string;
      order: JsonObject;
      full: JsonObject;
      status: string;
      statusTimestamp: number;
    }
  | { type: "fill"; user: string; fill: JsonObject }
  | { type: "twapSliceFill"; user: string; fill: JsonObject; twapId: number }
  | { type: "twapHistory"; user: string; item: JsonObject }
  | { type: "funding"; user: string; funding: JsonObject }
  | { type: "ledger"; user: string; update: JsonObject }
  | { type: "liquidation"; user: string; liquidation: JsonObject }
  | { type: "nonUserCancel"; user: string; coin: string; oid: number }
  | { type: "notification"; user: string; notification: string }
  /** `trade` is the wire trade of the `trades` channel. */
  | { type: "trade"; coin: string; trade: JsonObject }
  /** The book of `coin` changed. */
  | { type: "book"; coin: string }
  /** Balances, positions, margin or open orders of `user` changed. */
  | { type: "state"; user: string };

/** An answer of `/info` or `/exchange`, before faults: HTTP status and body; a string body is sent as text. */
export interface Answer {
  status: number;
  body: Json;
  /** Items the extra weight of list requests is counted from. */
  items?: number;
}

export interface ExecuteOptions {
  nonce: number;
  vaultAddress?: string | null;
  expiresAfter?: number | null;
}

/** Everything that ever happened to one account, for checking any client. Oldest first, without any cap. */
export interface Truth {
  user: string;
  fills: JsonObject[];
  twapSliceFills: { fill: JsonObject; twapId: number }[];
  twapHistory: JsonObject[];
  /** As `userEvents` tells them, with their time. */
  liquidations: JsonObject[];
  notifications: { time: number; notification: string }[];
  /** Every transition: `{order: FrontendOrder, status, statusTimestamp}`. */
  orderEvents: JsonObject[];
  openOrders: JsonObject[];
  funding: JsonObject[];
  ledger: JsonObject[];
  positions: { dex: string; coin: string; szi: Decimal }[];
  balances: { coin: string; total: Decimal }[];
}

/** The venue model as the server sees it. */
export interface Venue {
  readonly nowMs: number;
  /** Runs everything due until `toMs` (traders, TWAP slices, triggers, funding, liquidations), block by block. */
  advance(toMs: number): void;
  /** Executes an action whose signer was already recovered and is allowed to act for `user`. */
  execute(user: string, action: JsonObject, options: ExecuteOptions): Answer;
  /** Master address for which `signer` may act: itself, or the account that approved it as an agent; null if unknown. */
  actsFor(signer: string): string | null;
  /** Answers any `/info` request, errors included. */
  info(request: Json): Answer;
  onBlock(listener: (block: Block) => void): () => void;
  truth(user: string): Truth;
  users(): string[];
  /** `[id, state]` of each TWAP of `user` that runs on a dex: no info request tells those of a HIP-3 dex. */
  twapStates(user: string, dex: string): Json[];
  /** Every coin name that can be subscribed to: perps, HIP-3 perps (`dex:COIN`), spot pairs. */
  coins(): string[];
  /** Credits `usd` as a bridge deposit, creating the account if needed. */
  deposit(user: string, usd: Decimal): void;
}
