/**
 * How lively accounts are: changes lately, older ones for less. Pure: times are passed in. Guarantees: history that is found
 * late counts for nothing; memory is one entry per account that had a change.
 */
import type { Address } from "./rows.ts";

/** After so long a change counts half. */
const HALF_LIFE_MS = 600_000;

export class Activity {
  readonly #scores = new Map<Address, { score: number; atMs: number }>();

  /** A change of `timeMs`, heard of now. */
  note(account: Address, timeMs: number, nowMs: number): void {
    if (nowMs - timeMs > HALF_LIFE_MS) return;
    this.#scores.set(account, { score: this.of(account, nowMs) + 1, atMs: nowMs });
  }

  of(account: Address, nowMs: number): number {
    const known = this.#scores.get(account);
    return known === undefined ? 0 : known.score * 0.5 ** (Math.max(0, nowMs - known.atMs) / HALF_LIFE_MS);
  }
}
