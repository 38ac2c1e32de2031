/** A venue without traders, two funded users and short words for what they do: for tests of single facts. */
import assert from "node:assert/strict";
import type { Answer, Block, Json, JsonObject, VenueEvent } from "../../../src/simulator/contract.ts";
import {
  createVenue,
  type SimulatedVenue,
  type VenueOptions,
} from "../../../src/simulator/exchange/venue.ts";

export const ALICE = `0x${"a1".repeat(20)}`;
export const BOB = `0x${"b0".repeat(20)}`;
/** Asset ids of the default universe. */
export const BTC = 0;
export const ETH = 1;
export const SOL = 5;
export const HYPE_SPOT = 10_107;
export const AAPL = 110_001;

export interface Desk {
  venue: SimulatedVenue;
  blocks: Block[];
  /** Events of all blocks closed so far. */
  events(): VenueEvent[];
  run(user: string, action: JsonObject): Answer;
  /** Places one order and returns its status. */
  place(user: string, order: Partial<Limit>): Json;
  /** Oid of an order that must have been accepted. */
  oid(user: string, order: Partial<Limit>): number;
  info(request: JsonObject): Json;
  tick(ms?: number): void;
}

interface Limit {
  a: number;
  b: boolean;
  p: string;
  s: string;
  r: boolean;
  tif: string;
  c: string;
}

export function openDesk(options: VenueOptions = {}): Desk {
  const venue = createVenue({ traders: false, seed: 7, ...options });
  const blocks: Block[] = [];
  venue.onBlock((block) => {
    blocks.push(block);
  });
  for (const user of [ALICE, BOB]) venue.deposit(user, "100000");
  venue.advance(venue.nowMs + 1);
  const run = (user: string, action: JsonObject) => venue.execute(user, action, { nonce: venue.nowMs });
  const place = (user: string, order: Partial<Limit>): Json => {
    const [status] = statusesOf(run(user, { type: "order", orders: [limit(order)], grouping: "na" }));
    return status as Json;
  };
  return {
    venue,
    blocks,
    events: () => blocks.flatMap((block) => block.events),
    run,
    place,
    oid(user, order) {
      const status = place(user, order) as Record<string, { oid: number }>;
      const oid = (status.resting ?? status.filled)?.oid;
      assert.ok(oid !== undefined, `not accepted: ${JSON.stringify(status)}`);
      return oid;
    },
    info(request) {
      const { status, body } = venue.info(request);
      assert.equal(status, 200, JSON.stringify(request));
      return body;
    },
    tick(ms = 1000) {
      venue.advance(venue.nowMs + ms);
    },
  };
}

export function limit(order: Partial<Limit>): JsonObject {
  const { a = BTC, b = true, p = "83000", s = "0.01", r = false, tif = "Gtc", c } = order;
  return { a, b, p, s, r, t: { limit: { tif } }, ...(c === undefined ? {} : { c }) };
}

export function trigger(
  order: Partial<Limit> & { px: string; tpsl: "tp" | "sl"; isMarket?: boolean },
): JsonObject {
  const { a = BTC, b = false, p = order.px, s = "0.01", r = true, px, tpsl, isMarket = true } = order;
  return { a, b, p, s, r, t: { trigger: { isMarket, triggerPx: px, tpsl } } };
}

export function statusesOf(answer: Answer): Json[] {
  const { response } = answer.body as { response: { data: { statuses: Json[] } } };
  assert.ok(response.data?.statuses, JSON.stringify(answer.body));
  return response.data.statuses;
}

/** The text of a refused order, or null. */
export const errorOf = (status: Json): string | null =>
  ((status as JsonObject | null)?.error as string | undefined) ?? null;

/** `status` of every order row of `user`, in order: `open 0.01`. */
export const transitions = (desk: Desk, user: string): string[] => {
  const rows = desk.venue.truth(user).orderEvents as { status: string; order: { sz: string } }[];
  return rows.map((row) => `${row.status} ${row.order.sz}`);
};

export const fillsOf = (desk: Desk, user: string): JsonObject[] => desk.venue.truth(user).fills;
export const newestFill = (desk: Desk, user: string): JsonObject => fillsOf(desk, user).at(-1) as JsonObject;

export function perpState(
  desk: Desk,
  user: string,
  dex = "",
): Record<string, Record<string, string>> & JsonObject {
  return desk.info({ type: "clearinghouseState", user, dex }) as Record<string, Record<string, string>>;
}
export function positionIn(desk: Desk, user: string, coin: string): JsonObject | undefined {
  const dex = coin.includes(":") ? coin.slice(0, coin.indexOf(":")) : "";
  const { assetPositions } = perpState(desk, user, dex) as unknown as {
    assetPositions: { position: JsonObject }[];
  };
  return assetPositions.map((row) => row.position).find((position) => position.coin === coin);
}
