import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { add, eq } from "../../../src/runtime/decimal.ts";
import { isPerp, type Link, linkChain, signedSize } from "../../../src/sync/chain.ts";

/** A true chain of fills of one coin, with many fills in one millisecond. */
const chains = fc
  .array(
    fc.record({
      buy: fc.boolean(),
      size: fc.integer({ min: 1, max: 5 }),
      step: fc.integer({ min: 0, max: 1 }),
    }),
    {
      minLength: 1,
      maxLength: 40,
    },
  )
  .map((moves) => {
    let position = "0";
    let timeMs = 1_000;
    return moves.map(({ buy, size, step }): Link => {
      timeMs += step;
      const link = {
        coin: "BTC",
        timeMs,
        side: buy ? "buy" : "sell",
        size: String(size),
      } as const;
      const fill = { ...link, startPosition: position };
      position = add(position, signedSize(link));
      return fill;
    });
  });

describe("chain", () => {
  it("links any shuffling of a true chain without a break and ends where it ended", () => {
    fc.assert(
      fc.property(chains, fc.infiniteStream(fc.nat()), (chain, keys) => {
        const shuffled = chain
          .map((fill) => ({ fill, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ fill }) => fill);
        const { breaks, end, ordered } = linkChain(shuffled, { timeMs: 0, position: "0" });
        const last = chain.at(-1)!;
        assert.deepEqual(breaks, []);
        assert.equal(ordered.length, chain.length);
        assert.ok(eq(end!.position, add(last.startPosition, signedSize(last))));
      }),
    );
  });

  it("breaks when one fill is missing, unless the rest chains all the same, and never ends elsewhere unseen", () => {
    fc.assert(
      fc.property(chains, fc.nat(), (chain, pick) => {
        const lost = pick % chain.length;
        const rest = chain.filter((_, index) => index !== lost);
        const { breaks, end } = linkChain(rest, { timeMs: 0, position: "0" });
        const last = chain.at(-1)!;
        const truth = add(last.startPosition, signedSize(last));
        // The quantity missing in the breaks and at the end together is the quantity that was lost.
        const missing = breaks.reduce((sum, { missing: part }) => add(sum, part), "0");
        const atEnd = add(
          truth,
          end!.position.startsWith("-") ? end!.position.slice(1) : `-${end!.position}`.replace("-0", "0"),
        );
        assert.ok(eq(add(missing, atEnd), signedSize(chain[lost]!)), JSON.stringify({ breaks, end, truth }));
      }),
    );
  });

  it("names the quantity and the window of a break", () => {
    const fill = (timeMs: number, startPosition: string, size: string): Link => ({
      coin: "ETH",
      timeMs,
      side: "buy",
      size,
      startPosition,
    });
    const { breaks } = linkChain([fill(10, "0", "1"), fill(30, "3", "1")], null);
    assert.deepEqual(breaks, [{ coin: "ETH", fromMs: 10, toMs: 30, missing: "2" }]);
  });

  it("tells perps from spot pairs and outcome markets", () => {
    assert.deepEqual(["BTC", "xyz:AAPL", "kPEPE"].map(isPerp), [true, true, true]);
    assert.deepEqual(["@107", "PURR/USDC", "#10", "+3", "o7"].map(isPerp), [
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});
