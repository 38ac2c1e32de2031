import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { classifyStatus } from "../../../src/sync/orderStatus.ts";

describe("a status word of the venue", () => {
  it("is classified by its ending, since new ones appear", () => {
    const words = (status: string, terminal: boolean, list: string) => {
      for (const word of list.split(" ")) assert.deepEqual(classifyStatus(word), { status, terminal }, word);
    };
    words("filled", true, "filled");
    words(
      "canceled",
      true,
      "canceled marginCanceled vaultWithdrawalCanceled openInterestCapCanceled selfTradeCanceled reduceOnlyCanceled " +
        "siblingFilledCanceled delistedCanceled liquidatedCanceled outcomeSettledCanceled scheduledCancel internalCancel",
    );
    words(
      "rejected",
      true,
      "rejected tickRejected minTradeNtlRejected perpMarginRejected badAloPxRejected iocCancelRejected oracleRejected " +
        "marketOrderNoLiquidityRejected tooManyOpenOrdersRejected",
    );
    words("open", false, "open accepted");
    words("triggered", false, "triggered");
    words("unknown", false, "filledSoon Filled canceledMaybe somethingNew");
  });
});
