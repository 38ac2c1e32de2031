import assert from "node:assert/strict";
import { describe, it } from "node:test";
import Big from "big.js";
import fc from "fast-check";
import * as decimal from "../../../src/runtime/decimal.ts";

/** Numbers as integers in units of 1e-6, so that bigint arithmetic is the oracle. */
const micros = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });
const text = (units: bigint): string => {
  const digits = (units < 0n ? -units : units).toString().padStart(7, "0");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}`;
};

/** Decimals on both sides of what numbers hold exactly, with zeros where they matter. */
const anyDecimal = fc.stringMatching(/^-?0{0,2}\d{1,22}(\.0{0,2}\d{1,22}0{0,2})?$/);
const fixed = (value: Big): string => (value.eq(0) ? "0" : value.toFixed());

describe("decimal", () => {
  it("says what an independent library says", () => {
    const big = Big();
    big.DP = 60;
    big.RM = Big.roundDown;
    const places = fc.integer({ min: 0, max: 25 });
    fc.assert(
      fc.property(anyDecimal, anyDecimal, places, (a, b, n) => {
        const [x, y] = [new big(a), new big(b)];
        assert.equal(decimal.add(a, b), fixed(x.plus(y)));
        assert.equal(decimal.sub(a, b), fixed(x.minus(y)));
        assert.equal(decimal.mul(a, b), fixed(x.times(y)));
        assert.equal(decimal.cmp(a, b), x.cmp(y));
        assert.equal(decimal.sign(a), x.cmp(0));
        assert.equal(decimal.abs(a), fixed(x.abs()));
        assert.equal(decimal.neg(a), fixed(x.neg()));
        assert.equal(decimal.trunc(a, n), fixed(x.round(n, Big.roundDown)));
        assert.equal(decimal.round(a, n), fixed(x.round(n, Big.roundHalfUp)));
        const apart = () => x.minus(y).abs().times(100).div(y.abs()).round(n, Big.roundDown);
        if (!y.eq(0)) assert.equal(decimal.differencePct(a, b, n), fixed(apart()));
        if (!y.eq(0)) assert.equal(decimal.div(a, b, n), fixed(x.div(y).round(n, Big.roundDown)));
      }),
      { numRuns: 2_000 },
    );
  });

  it("says so of prices and what is near them too", () => {
    const big = Big();
    big.DP = 60;
    big.RM = Big.roundDown;
    const price = fc.stringMatching(/^[1-9]\d{0,5}\.\d{1,10}$/);
    fc.assert(
      fc.property(
        price,
        fc.integer({ min: -2, max: 2 }),
        price,
        fc.integer({ min: 0, max: 12 }),
        (b, n, c, places) => {
          const step = new big(n).times("0.0000000001");
          const [x, y] = [new big(b).times(n === 0 ? c : 1).plus(step), new big(b)];
          for (const [one, other] of [[x, y] as const, [y, x] as const]) {
            if (other.eq(0)) continue;
            const texts = [one.toFixed(), other.toFixed()] as const;
            const apart = one.minus(other).abs().times(100).div(other.abs()).round(places, Big.roundDown);
            assert.equal(decimal.differencePct(...texts, places), fixed(apart));
            assert.equal(decimal.div(...texts, places), fixed(one.div(other).round(places, Big.roundDown)));
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("knows a decimal as its pattern does", () => {
    const texts = fc.string({ unit: fc.constantFrom("0", "7", "-", ".", "+", "e", " ") });
    fc.assert(
      fc.property(texts, (text) => assert.equal(decimal.isDecimal(text), decimal.DECIMAL.test(text))),
      { numRuns: 3_000 },
    );
  });

  it("reads numerals as programs print them", () => {
    const numerals = {
      "1e-05": "0.00001",
      ".5": "0.5",
      "+2": "2",
      "2.": "2",
      "1.50E2": "150",
      "-12.5e1": "-125",
      "-0.0e3": "0",
      "1.50": "1.50",
      "12e-1": "1.2",
    };
    for (const [numeral, plain] of Object.entries(numerals))
      assert.equal(decimal.fromNumeral(numeral), plain);
    for (const other of ["", ".", "e5", "1e", "1e100", "--1", "1.2.3", "9".repeat(129)])
      assert.equal(decimal.fromNumeral(other), null);
  });

  it("adds, subtracts and compares like integers of millionths", () => {
    fc.assert(
      fc.property(micros, micros, (a, b) => {
        assert.ok(decimal.eq(decimal.add(text(a), text(b)), text(a + b)));
        assert.ok(decimal.eq(decimal.sub(text(a), text(b)), text(a - b)));
        assert.equal(decimal.cmp(text(a), text(b)), a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  it("multiplies exactly and truncates toward zero", () => {
    fc.assert(
      fc.property(micros, micros, (a, b) => {
        const product = decimal.mul(text(a), text(b));
        const exact = a * b;
        assert.ok(decimal.eq(decimal.mul(product, "1000000000000"), exact.toString()));
        assert.ok(decimal.eq(decimal.trunc(product, 6), text(exact / 1_000_000n)));
      }),
    );
  });

  it("never writes an exponent, a trailing zero or minus zero", () => {
    assert.equal(decimal.mul("0.0000000001", "0.0000000001"), "0.00000000000000000001");
    assert.equal(decimal.mul("100000000000000000000", "1000"), "100000000000000000000000");
    assert.equal(decimal.sub("1.50", "1.5"), "0");
    assert.equal(decimal.neg("0.0"), "0");
    assert.equal(decimal.normal("-0.0"), "0");
    assert.equal(decimal.normal("1.500"), "1.5");
  });

  it("refuses what is no decimal, and division by zero", () => {
    for (const bad of ["", "1e5", "0x1", "NaN", "1.", ".5", " 1", "1,0"]) {
      assert.throws(() => decimal.add(bad, "1"), RangeError);
      assert.equal(decimal.isDecimal(bad), false);
    }
    assert.throws(() => decimal.div("1", "0"));
    assert.equal(decimal.div("-1", "3", 6), "-0.333333");
  });
});
