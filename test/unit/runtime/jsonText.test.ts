import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { JsonText, parsed, stringify } from "../../../src/runtime/jsonText.ts";

describe("a JSON text", () => {
  const raw = new JsonText('{"px":"1.0","n":[1,null]}');

  it("is written as it came, and stringifies as its value", () => {
    const rows = [{ a: 1, raw }, { raw: { order: raw } }, { raw: null }];
    const text =
      '[{"a":1,"raw":{"px":"1.0","n":[1,null]}},{"raw":{"order":{"px":"1.0","n":[1,null]}}},{"raw":null}]';
    assert.equal(stringify(rows), text);
    assert.equal(JSON.stringify(rows), text);
    assert.equal(stringify(new JsonText("[]")), "[]");
    assert.equal(stringify({ plain: true }), '{"plain":true}');
  });

  it("is not mistaken for a text of the venue that looks like our mark", () => {
    const forged = { coin: "\u0001json text\u0001", raw };
    assert.equal(stringify(forged), JSON.stringify(forged));
    assert.deepEqual(JSON.parse(stringify(forged)), { coin: forged.coin, raw: parsed(raw) });
  });

  it("does not outlive a value that cannot be written", () => {
    const circle: unknown[] = [raw];
    circle.push(circle);
    assert.throws(() => stringify(circle), TypeError);
    assert.equal(JSON.stringify(raw), raw.text);
  });
});
