/**
 * What is to be done about suspicions of the self-check, streamed or polled: the one place. Pure.
 *
 * Guarantees: orders are asked for together, at most so many in one repair; everything else is repaired by itself, and not
 * while fills are being read for a heal, which may answer it: what that leaves open stays ripe.
 */
import type { OrderSuspicion, Suspicion } from "../selfCheck.ts";
import type { Repairer } from "./repairer.ts";

/** Suspected orders asked for in one repair; more wait for the next. */
const ORDERS_PER_REPAIR = 100;

interface Repaired {
  healed: number;
  unexplained: number;
}

interface Repair {
  /** One at a time of each. */
  name: string;
  run(signal: AbortSignal): Promise<Repaired>;
}

type Repairable = Pick<Repairer, "repair" | "repairOrders" | "isHealingFills">;

/** To be asked for again after each that was begun: it may be the one that answers others. */
export function* repairsOf(repairer: Repairable, suspicions: readonly Suspicion[]): Generator<Repair> {
  for (const suspicion of suspicions) {
    if (suspicion.kind === "order" || repairer.isHealingFills) continue;
    yield {
      name: `repair ${suspicion.key}`,
      run: async (signal) => counted(1, (await repairer.repair(suspicion, signal)) ? 1 : 0),
    };
  }
  const orders = suspicions
    .filter((one): one is OrderSuspicion => one.kind === "order")
    .slice(0, ORDERS_PER_REPAIR);
  if (orders.length === 0) return;
  yield {
    name: "repair of orders",
    run: async (signal) => counted(orders.length, await repairer.repairOrders(orders, signal)),
  };
}

const counted = (asked: number, healed: number): Repaired => ({ healed, unexplained: asked - healed });

/**
 * Where nothing is pushed, rows and states are read side by side: a state may be ahead of rows that are not lost. What stands
 * in the same words after two readings in a row is no matter of order.
 */
export class LastingSuspicions {
  #before = new Map<string, string>();

  /** Keys of those that were there the last time. To be called once after each reading, with all that it left open. */
  take(suspicions: readonly Suspicion[]): ReadonlySet<string> {
    const now = new Map(suspicions.map((one) => [one.key, wordsOf(one)]));
    const lasting = [...now].filter(([key, words]) => this.#before.get(key) === words);
    this.#before = now;
    return new Set(lasting.map(([key]) => key));
  }
}

/** Each state that contradicts moves the end of the window; what is missing stays the same. */
const wordsOf = (suspicion: Suspicion): string =>
  JSON.stringify("moved" in suspicion ? { ...suspicion, toMs: null } : suspicion);
