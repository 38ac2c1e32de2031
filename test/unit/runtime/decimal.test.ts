import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import * as decimal from "../../../src/runtime/decimal.ts";

/** Numbers as integers in units of 1e-6, so that bigint arithmetic is the oracle. */
const micros = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });
const text = (units: bigint): string => {
  const digits = (units < 0n ? -units : units).toString().padStart(7, "0");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}`;
};

describe("decimal", () => {
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
