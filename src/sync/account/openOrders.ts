/**
 * The open orders of one account as the venue last listed them, by dex: the one copy. Pure.
 *
 * Guarantees: `fresh` hands out only what tells something new (an order not listed before, or a smaller remaining size), so
 * that a list pushed every few seconds writes nothing while nothing happens. Bounded by what the venue lets be open.
 */
import type { OrderEventRow } from "../rows.ts";

export class OpenOrders {
  readonly #byDex = new Map<string, ReadonlyMap<number, OrderEventRow>>();

  /** All of them, as last listed. */
  rows(): OrderEventRow[] {
    return [...this.#byDex.values()].flatMap((orders) => [...orders.values()]);
  }

  /** Whether the venue ever listed this dex. */
  isListed(dex: string): boolean {
    return this.#byDex.has(dex);
  }

  /** The rows of a list that differ from what was listed before. */
  fresh(dex: string, rows: readonly OrderEventRow[]): OrderEventRow[] {
    const known = this.#byDex.get(dex);
    return rows.filter((row) => known?.get(row.orderId)?.remaining !== row.remaining);
  }

  /**
   * Takes a list of one dex. One that was not read whole says nothing about the orders it lacks: they stay.
   */
  note(dex: string, rows: readonly OrderEventRow[], isComplete: boolean): void {
    const listed = rows.map((row) => [row.orderId, row] as const);
    const kept = isComplete ? [] : (this.#byDex.get(dex) ?? []);
    this.#byDex.set(dex, new Map([...kept, ...listed]));
  }
}
