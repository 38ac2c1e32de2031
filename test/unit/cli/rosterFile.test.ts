import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accountsOfFile } from "../../../src/cli/rosterFile.ts";
import { ConfigError } from "../../../src/errors.ts";

const A = `0x${"a".repeat(40)}`;
const B = `0x${"b".repeat(40)}`;
const NOTHING = { alias: undefined, tags: undefined, wish: undefined, sinceMs: undefined };

describe("a file of accounts", () => {
  it("is lines of addresses, with a name where there is one", () => {
    assert.deepEqual(
      accountsOfFile(`\uFEFF# desk\n\n${A.toUpperCase().replace("0X", "0x")}\r\n ${B}+subs=main \n`, "f"),
      [
        { ...NOTHING, address: A },
        { ...NOTHING, address: B, alias: "main", withSubs: true },
      ],
    );
  });

  it("is a table whose header says which column is what", () => {
    const text = `alias,Address,since,tags,wish\n"a, ""b""",${A},2026-01-31,desk; vip,poll\n,${B},,,\n`;
    assert.deepEqual(accountsOfFile(text, "f"), [
      {
        address: A,
        alias: 'a, "b"',
        tags: ["desk", "vip"],
        wish: "poll",
        sinceMs: Date.UTC(2026, 0, 31),
      },
      { ...NOTHING, address: B },
    ]);
  });

  for (const [text, says] of [
    ["", /no account in it/],
    [`${A}+sub\n`, /line 1: "0xa+\+sub" is no address/],
    ["# nothing\n", /no account in it/],
    [`${A}\n0x12\n`, /f, line 2: "0x12" is no address/],
    [`address,name\n${A},x\n`, /f, header: unknown column "name"/],
    [`address\n\n${A}\n0x1\n`, /f, row 2: "0x1" is no address/],
    [`address,wish\n${A},watch\n`, /row 1: wish "watch"/],
    [`address,since\n${A},yesterday\n`, /row 1: since "yesterday" is no date/],
    [`address,since\n${A},2026-02-30\n`, /row 1: since "2026-02-30" is no date/],
    [`address,alias\n${A},"main\n`, /a quotation mark stands alone/],
    [`alias\nmain\n`, /line 1: "alias" is no address/],
  ] as const)
    it(`is refused as a whole: ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => accountsOfFile(text, "f"),
        (error) => error instanceof ConfigError && says.test(error.message),
      );
    });
});
