/**
 * Rows that the stream lost on a healthy socket, one kind at a time: how long until they are stored, with the next reconcile
 * far away. The venue model runs in this process, so that money can be moved in ways that only it knows.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { JsonObject } from "../../src/simulator/contract.ts";
import { createVenue, type SimulatedVenue as Model } from "../../src/simulator/exchange/venue.ts";
import { startSimulator } from "../../src/simulator/server/server.ts";
import { PATIENCE_MS, untilDespiteErrors } from "../support/until.ts";
import { accountNumber, type Cluster, Rig, SimulatedVenue } from "./reliabilityRig.ts";

const ACCOUNT = accountNumber(1);
const FOUND_WITHIN_MS = 90_000;
const SPOT_PAIR = "@107";
const HOUR_MS = 3_600_000;
/** Weight is no point here. */
const AMPLE_WEIGHT = 1_000_000;

interface Lossy {
  rig: Rig;
  model: Model;
  /** Frames of these channels are lost from now on; none any more without a channel. */
  lose(...channels: string[]): Promise<void>;
  /** How many frames were lost so far. */
  lost(): Promise<number>;
}

/** A quiet account with money on spot and perps, followed live. */
async function withLosses<T>(
  cluster: Cluster,
  { startMs = Date.now(), abstraction = "disabled" },
  prepare: (model: Model) => void,
  work: (lossy: Lossy) => Promise<T>,
): Promise<T> {
  const model = createVenue({ startMs, traders: { coins: ["BTC", "xyz:AAPL", SPOT_PAIR] } });
  model.deposit(ACCOUNT, "100000");
  model.script({ type: "mint", user: ACCOUNT, token: "USDC", amount: "10000" });
  act(model, { type: "userSetAbstraction", user: ACCOUNT, abstraction });
  prepare(model);
  const simulator = await startSimulator({ venue: model, limits: { weightPerMinute: AMPLE_WEIGHT } });
  const rig = await Rig.at(cluster, new SimulatedVenue(simulator.url, [ACCOUNT], () => simulator.stop()));
  try {
    rig.run("--weight", String(AMPLE_WEIGHT));
    await untilDespiteErrors("a snapshot", PATIENCE_MS, async () => {
      return (await rig.database.query("select 1 from hl_dashboard limit 1")).length > 0;
    });
    return await work({
      rig,
      model,
      lose: (...channels) =>
        channels.length === 0
          ? rig.venue.control("faults/clear", {})
          : rig.venue.control(
              "faults",
              channels.map((channel) => ({ fault: "drop", channel, user: ACCOUNT })),
            ),
      lost: async () => (await rig.venue.state()).faults.counts.drop ?? 0,
    });
  } finally {
    await rig.close();
  }
}

function act(model: Model, action: JsonObject): void {
  const { body } = model.execute(ACCOUNT, action, { nonce: Date.now() });
  if ((body as JsonObject).status !== "ok") throw new Error(`refused: ${JSON.stringify(body)}`);
}

const sendToDex = (model: Model, amount: string): void =>
  act(model, {
    type: "sendAsset",
    destination: ACCOUNT,
    sourceDex: "",
    destinationDex: "xyz",
    token: "USDC",
    amount,
    fromSubAccount: "",
    nonce: Date.now(),
  });

// ---- orders ----

export interface LostOrders {
  /** Orders that filled while no update of any order arrived. */
  orders: number;
  /** From the fill until `hl_orders` says so: the worst. */
  worstMs: number;
  lostFrames: number;
}

/** Every update of every order is lost for so long, while the fills on this coin arrive. */
export const lostOrderUpdates = (cluster: Cluster, coin: string, forMs = 15_000): Promise<LostOrders> =>
  withLosses(
    cluster,
    {},
    () => {},
    async ({ rig, model, lose, lost }) => {
      model.addActiveAccount({ user: ACCOUNT, fillsPerSecond: 1, coins: [coin] });
      await untilDespiteErrors(
        "a first fill",
        PATIENCE_MS,
        async () => model.truth(ACCOUNT).fills.length > 2,
      );
      await lose("orderUpdates", "userHistoricalOrders");
      const endMs = performance.now() + forMs;
      const happenedAt = new Map<number, number>();
      const known = new Set(filledOrders(model));
      let worstMs = 0;
      for (;;) {
        for (const oid of filledOrders(model))
          if (!known.has(oid) && performance.now() < endMs) {
            known.add(oid);
            happenedAt.set(oid, performance.now());
          }
        const stored = await rig.database.query<{ id: number }>(
          "select order_id as id from hl_orders where status = 'filled' and venue_status = 'filled'",
        );
        for (const { id } of stored) {
          worstMs = Math.max(worstMs, performance.now() - (happenedAt.get(id) ?? performance.now()));
          happenedAt.delete(id);
        }
        const isOver = performance.now() > endMs;
        if (isOver && happenedAt.size === 0) break;
        if (performance.now() > endMs + FOUND_WITHIN_MS)
          return { orders: 0, worstMs: FOUND_WITHIN_MS, lostFrames: 0 };
        await pause(50);
      }
      return { orders: known.size, worstMs, lostFrames: await lost() };
    },
  );

const filledOrders = (model: Model): number[] =>
  model
    .truth(ACCOUNT)
    .orderEvents.filter(({ status }) => status === "filled")
    .map(({ order }) => (order as { oid: number }).oid);

// ---- money ----

/** Ways in which money moves, each telling itself in one ledger row. */
const MOVES: Record<string, (model: Model) => void> = {
  "a deposit": (model) => model.deposit(ACCOUNT, "25"),
  "a deposit to a unified account": (model) => model.deposit(ACCOUNT, "25"),
  "a withdrawal": (model) =>
    act(model, { type: "withdraw3", amount: "20", destination: ACCOUNT, time: Date.now() }),
  "a transfer to spot": (model) =>
    act(model, { type: "usdClassTransfer", amount: "15", toPerp: false, nonce: Date.now() }),
  "money sent to a HIP-3 dex": (model) => sendToDex(model, "12"),
  "a token that arrived": (model) =>
    model.script({ type: "mint", user: ACCOUNT, token: "HYPE", amount: "5" }),
};
export const MOVE_NAMES = Object.keys(MOVES);
/** Two states that agree come first; a balance is explained by any row of spot near it, so those are long past. */
const QUIET_MS = 35_000;

export interface LostMoney {
  /** From the move until its row is stored; NaN when it is not. */
  foundMs: number;
  lostFrames: number;
}

/** The frame of one ledger row is lost. */
export const lostLedgerRow = (cluster: Cluster, move: string): Promise<LostMoney> =>
  withLosses(
    cluster,
    { abstraction: move.endsWith("unified account") ? "unifiedAccount" : "disabled" },
    () => {},
    async ({ rig, model, lose, lost }) => {
      await pause(QUIET_MS);
      await lose("userNonFundingLedgerUpdates");
      const before = model.truth(ACCOUNT).ledger.length;
      MOVES[move]!(model);
      const foundMs = await stored(rig, "hl_ledger", before + 1);
      return { foundMs, lostFrames: await lost() };
    },
  );

/** Every fill of a spot pair and every update of an order is lost for so long, on a healthy socket. */
export const lostSpotFills = (cluster: Cluster, abstraction: string, forMs = 3_000): Promise<LostMoney> =>
  withLosses(
    cluster,
    { abstraction },
    (model) => model.addActiveAccount({ user: ACCOUNT, fillsPerSecond: 1, coins: [SPOT_PAIR] }),
    async ({ rig, model, lose, lost }) => {
      // Both sides were traded, so that fees have named the tokens, and some states came.
      await pause(QUIET_MS);
      await lose("userFills", "user", "orderUpdates", "userHistoricalOrders");
      const known = model.truth(ACCOUNT).fills.length;
      await untilDespiteErrors("a lost fill", FOUND_WITHIN_MS, async () => {
        return model.truth(ACCOUNT).fills.length > known;
      });
      await pause(forMs);
      await lose();
      const foundMs = await stored(rig, "hl_fills", () => model.truth(ACCOUNT).fills.length);
      return { foundMs, lostFrames: await lost() };
    },
  );

/** A payment of funding is lost on both channels that tell it; the account then stands still. */
export const lostFunding = (cluster: Cluster, abstraction: string, coin: string): Promise<LostMoney> =>
  withLosses(
    cluster,
    // A venue whose clock is behind ours, a little before its hour.
    { startMs: Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 35_000, abstraction },
    (model) => {
      const asset = coin === "BTC" ? 0 : 110_001;
      const [p, s] = coin === "BTC" ? ["90000", "0.01"] : ["270", "2"];
      if (coin !== "BTC" && abstraction === "disabled") sendToDex(model, "1000");
      const order = { a: asset, b: true, p, s, r: false, t: { limit: { tif: "Ioc" } } };
      model.advance(model.nowMs + 5_000);
      act(model, { type: "order", orders: [order], grouping: "na" });
    },
    async ({ rig, model, lose, lost }) => {
      await lose("userFundings", "user");
      await untilDespiteErrors("the hour", PATIENCE_MS, async () => model.truth(ACCOUNT).funding.length > 0);
      const foundMs = await stored(rig, "hl_funding", model.truth(ACCOUNT).funding.length);
      return { foundMs, lostFrames: await lost() };
    },
  );

async function stored(
  rig: Rig,
  table: "hl_ledger" | "hl_funding" | "hl_fills",
  rows: number | (() => number),
): Promise<number> {
  const { tookMs } = await untilDespiteErrors(`all rows in ${table}`, FOUND_WITHIN_MS, async () => {
    const [row] = await rig.database.query<{ n: number }>(`select count(*)::int as n from ${table}`);
    return row!.n === (typeof rows === "number" ? rows : rows());
  }).catch(() => ({ tookMs: Number.NaN }));
  return tookMs;
}
