/** Money left the account. The database says whether something did (`hl_internal.ledger_effect`). */
import { type Decimal, isDecimal, neg, sign } from "../../../runtime/decimal.ts";
import { plainDecimal, word } from "../../words.ts";
import { event } from "./spec.ts";

export const withdrawal = event({
  of: "ledger",
  spec: {
    help: "Money left the account: withdrawal, transfer to another account, deposit into a vault, staked or lent tokens.",
    severity: "warn",
    unit: "USD",
  },
  see: ({ data }) => (data.leaves === true ? { value: usdOf(data), threshold: null } : null),
  words({ data }, { value }) {
    const what =
      value === null ? `${plainDecimal(data.amount)} ${word(data.token)}` : `${plainDecimal(value, 2)} USD`;
    return `${what} left the account (${word(data.type)})`;
  },
});

const usdOf = ({ usdc }: Record<string, unknown>): Decimal | null =>
  isDecimal(usdc) && sign(usdc) < 0 ? neg(usdc) : null;
