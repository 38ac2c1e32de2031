/**
 * A venue that does what a test says, block by block: for tests of the protocol alone, where what the model would do
 * is of no interest. Answers are in the venue's shapes, shortened.
 */
import type {
  Answer,
  ExecuteOptions,
  Json,
  JsonObject,
  Truth,
  Venue,
  VenueEvent,
} from "../../../src/simulator/contract.ts";

export interface ScriptedVenue extends Venue {
  /** Makes a block of these events at this time. */
  block(timeMs: number, events: VenueEvent[]): void;
  /** What `/info` answers for a type, or a function of the request. */
  answers: Map<string, Json | ((request: JsonObject) => Answer)>;
  /** Signers and whom they act for. */
  agents: Map<string, string>;
  executed: { user: string; action: JsonObject; options: ExecuteOptions }[];
}

export const emptyTruth = (user: string): Truth => ({
  user,
  fills: [],
  twapSliceFills: [],
  twapHistory: [],
  liquidations: [],
  notifications: [],
  orderEvents: [],
  openOrders: [],
  funding: [],
  ledger: [],
  positions: [],
  balances: [],
});

export function scriptedVenue(startMs: number): ScriptedVenue {
  let nowMs = startMs;
  let height = 0;
  const listeners = new Set<(block: { height: number; timeMs: number; events: VenueEvent[] }) => void>();
  const venue: ScriptedVenue = {
    get nowMs() {
      return nowMs;
    },
    answers: new Map<string, Json | ((request: JsonObject) => Answer)>([
      ["userFills", []],
      ["perpDexs", [null, { name: "xyz" }]],
    ]),
    agents: new Map(),
    executed: [],
    block(timeMs, events) {
      nowMs = timeMs;
      height++;
      for (const listener of listeners) listener({ height, timeMs, events });
    },
    advance: (toMs) => venue.block(toMs, []),
    execute(user, action, options) {
      venue.executed.push({ user, action, options });
      return { status: 200, body: { status: "ok", response: { type: "default" } } };
    },
    actsFor: (signer) => venue.agents.get(signer) ?? null,
    info(request) {
      const type = typeof request === "object" && request !== null ? (request as JsonObject).type : null;
      const answer = venue.answers.get(String(type));
      if (answer === undefined)
        return { status: 422, body: "Failed to deserialize the JSON body into the target type" };
      return typeof answer === "function" ? answer(request as JsonObject) : { status: 200, body: answer };
    },
    onBlock(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    truth: emptyTruth,
    twapStates: () => [],
    users: () => [...venue.agents.values()],
    coins: () => ["BTC", "ETH", "xyz:AAPL", "PURR/USDC", "@107"],
    deposit(user) {
      venue.agents.set(user, user);
    },
  };
  return venue;
}
