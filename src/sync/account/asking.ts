/** How a reading asks: how urgently, what for, until when, and whether its claims wait for its end. */
import type { RequestPriority } from "../ports.ts";
import type { Batch, CoverageRow, Source } from "../rows.ts";

export interface Asking {
  priority: RequestPriority;
  source: Source;
  signal: AbortSignal;
  /** Claims without rows that wait for the end of the reading; absent where each is written at once. */
  held?: CoverageRow[] | undefined;
}

export const ask = ({ priority, signal }: Asking) => ({ priority, signal });

/** The claims that wait, which wait no more. */
export const heldClaims = ({ held }: Asking): Batch => (held?.length ? { coverage: held.splice(0) } : {});
