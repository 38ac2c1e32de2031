/** The venue rejected or canceled an order. */
import { marketName } from "../../eventText.ts";
import { plainDecimal, word } from "../../words.ts";
import { event, MINUTE } from "./spec.ts";

export const orderRejected = event({
  of: "order",
  spec: {
    help: "An order was rejected, or canceled by the venue (margin, delisting, self-trade, …).",
    severity: "warn",
    cooldownMs: 5 * MINUTE,
  },
  see: ({ data }) => (isRefusal(word(data.venue_status)) ? { value: null, threshold: null } : null),
  words({ data }) {
    const ended = data.status === "rejected" ? "rejected" : "canceled by the venue";
    return `${marketName(data)} order ${data.order_id} ${ended} (${word(data.venue_status)}): ${word(data.side)} ${plainDecimal(data.size)} at ${plainDecimal(data.limit_price)}, ${plainDecimal(data.filled)} filled`;
  },
});

/** What follows from another order or a closed position is none. */
const isRefusal = (venueStatus: string): boolean =>
  /rejected$/i.test(venueStatus) ||
  (/Canceled$/.test(venueStatus) && !["siblingFilledCanceled", "reduceOnlyCanceled"].includes(venueStatus));
