/** A price that the user wants to hear of: one rule per `--alert price=BTC>70000`. */
import { plainDecimal } from "../../words.ts";
import { type ConditionModule, condition, MINUTE } from "./spec.ts";

/** Crossing back by this share of it clears. */
const BAND = 0.005;

export interface PriceWatch {
  /** As the venue names it, or as people do. */
  coin: string;
  direction: "above" | "below";
  price: number;
}

export const subjectOf = ({ direction, price }: PriceWatch): string => `${direction} ${price}`;

export const priceRule = ({ direction, price }: PriceWatch): ConditionModule<"price"> =>
  condition({
    of: "price",
    spec: {
      help: "",
      direction,
      unit: "",
      levels: [
        { severity: "info", fire: price, clear: price * (direction === "above" ? 1 - BAND : 1 + BAND) },
      ],
      freshMs: MINUTE,
      cooldownMs: 15 * MINUTE,
    },
    see: (seen) => ({ value: Number(seen.price) }),
    words: (seen) => `${seen.name ?? seen.coin} at ${plainDecimal(seen.price)}`,
  });
