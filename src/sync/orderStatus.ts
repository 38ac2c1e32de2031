/**
 * What a status word of the venue means, for what is decided before a row is written. The database classifies the words by
 * itself (sql/rules/order_status.sql); test/property/mergeStore holds the two together. Pure.
 */
import type { OrderStatus } from "./rows.ts";

/** What the venue's status word means. The set of words is open, so they are classified by their ending. */
interface StatusClass {
  status: Exclude<OrderStatus, "partially_filled">;
  /** Nothing follows it. An unknown word is not taken to be terminal. */
  terminal: boolean;
}

/** Of orders that rest at the venue, or wait there for their trigger. */
export const OPEN_STATUSES: readonly OrderStatus[] = ["open", "partially_filled", "triggered"];

export const isOpenStatus = (status: unknown): boolean => OPEN_STATUSES.some((open) => open === status);

export function classifyStatus(venueStatus: string): StatusClass {
  if (venueStatus === "filled") return { status: "filled", terminal: true };
  if (/Canceled$|^(canceled|scheduledCancel|internalCancel)$/.test(venueStatus))
    return { status: "canceled", terminal: true };
  if (/Rejected$|^rejected$/.test(venueStatus)) return { status: "rejected", terminal: true };
  if (venueStatus === "open" || venueStatus === "accepted") return { status: "open", terminal: false };
  if (venueStatus === "triggered") return { status: "triggered", terminal: false };
  return { status: "unknown", terminal: false };
}
