/** A position began, ended or turned. */
import { plainDecimal } from "../../words.ts";
import { event } from "./spec.ts";

export const position = event({
  of: "position",
  spec: { help: "A position was opened, closed or flipped.", loudness: "off", severity: "info" },
  see: ({ before, side }) => (before === null || before === side ? null : { value: null, threshold: null }),
  words({ coin, side, before, data }) {
    if (side === "flat") return `${coin} ${before} closed`;
    const now = `${plainDecimal(data.size)} at ${plainDecimal(data.entry_price)}`;
    return before === "flat"
      ? `${coin} ${side} opened: ${now}`
      : `${coin} flipped from ${before} to ${side}: ${now}`;
  },
});
