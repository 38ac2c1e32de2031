/** The types of events, and which of them somebody wants. Pure. */

/** Every type of event, with what it tells. */
export const EVENT_TYPES = {
  "fill.created": "A fill, once, whatever source it came from.",
  "order.updated": "An order was placed, filled, canceled, triggered or rejected.",
  "position.updated": "Side, size or leverage of a position changed.",
  "funding.created": "A funding payment.",
  "ledger.created": "A deposit, withdrawal, transfer or any other ledger update.",
  "drift.found": "The database and the venue differed; says whether it was repaired.",
  "gap.opened": "A stretch of history is missing and was not repaired in time.",
  "gap.closed": "It is complete again.",
  "alert.fired": "An alert began, or became more severe.",
  "alert.resolved": "It is over.",
  "webhook.disabled": "Deliveries to an endpoint were stopped.",
  "webhook.test": "Sent by `hlsync webhooks test`.",
} as const;
export type EventType = keyof typeof EVENT_TYPES;

/** Whether `type` is one of `wanted`: exact, `fill.*` or `*`. */
export const wants = (wanted: readonly string[], type: string): boolean =>
  wanted.some((pattern) =>
    pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : pattern === type,
  );

/** A pattern that no type fits, or null when every one fits some. */
export const unknownPattern = (patterns: readonly string[]): string | null =>
  patterns.find((pattern) => !Object.keys(EVENT_TYPES).some((type) => wants([pattern], type))) ?? null;
