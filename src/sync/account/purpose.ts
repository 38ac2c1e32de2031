/** What an account is read for, and what follows from it. One row per purpose. */

import type { RequestPriority } from "../ports.ts";
import type { Source } from "../rows.ts";

export interface Purpose {
  /** Of the fills. */
  readonly priority: RequestPriority;
  /** Of everything else: where many accounts heal at once, the fills of all of them go first. */
  readonly restPriority: RequestPriority;
  /** What its rows are marked with. */
  readonly source: Source;
  /** How much of what was proven before is read again. */
  readonly overlap: "long" | "short";
  /** The venue is asked for its time; else one that was heard a moment ago will do. */
  readonly asksTime: boolean;
  /** What the database holds as known is read again: `verify` in another process may have withdrawn a part (ADR 0007). */
  readonly recalls: boolean;
  /** Claims without rows wait for the end, to be written in one transaction: nobody is waiting for one of them. */
  readonly joinsClaims: boolean;
}

export const PURPOSES = {
  /** The stream was away, or something of it was lost. */
  heal: {
    priority: "heal",
    restPriority: "reconcile",
    source: "repair",
    overlap: "short",
    asksTime: false,
    recalls: false,
    joinsClaims: false,
  },
  /** The stream lives and is checked. */
  reconcile: {
    priority: "reconcile",
    restPriority: "reconcile",
    source: "reconcile",
    overlap: "long",
    asksTime: true,
    recalls: true,
    joinsClaims: true,
  },
  /** There is no stream. */
  poll: {
    priority: "reconcile",
    restPriority: "reconcile",
    source: "poll",
    overlap: "short",
    asksTime: true,
    recalls: true,
    joinsClaims: true,
  },
  /** There is no stream, and the process that followed the account before is gone: its fills go first, as after a lost stream. */
  takeOver: {
    priority: "heal",
    restPriority: "reconcile",
    source: "poll",
    overlap: "short",
    asksTime: false,
    recalls: false,
    joinsClaims: false,
  },
  /** History. */
  backfill: {
    priority: "backfill",
    restPriority: "backfill",
    source: "backfill",
    overlap: "short",
    asksTime: true,
    recalls: true,
    joinsClaims: false,
  },
} as const satisfies Record<string, Purpose>;
export type PurposeName = keyof typeof PURPOSES;
