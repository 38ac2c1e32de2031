import assert from "node:assert/strict";
import { test } from "node:test";
import { brokenLine } from "../../../src/runtime/brokenJson.ts";

test("the line of a broken text is the first that no later one can mend", () => {
  const cases: [number, string][] = [
    [1, "nonsense"],
    [1, ""],
    [2, '{\n"a": 1 "b": 2\n}'],
    [3, '{\n"a": 1\n"b": 2\n}'],
    [3, '{\n"a": tru\n}'],
    [2, '{\n"a": nope,\n"b": 1\n}'],
    [2, '{\n"a": "text\n"\n}'],
    [4, '{\n"a": [1,\n2],\n}\n}'],
    [5, '{\n\n"a": 1\n}\n}'],
    [3, '{\n"a": 1,\n"b": 2\n\n\n'],
  ];
  for (const [line, text] of cases) assert.equal(brokenLine(text), line, text);
});
