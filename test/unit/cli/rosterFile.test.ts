import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accountsOfFile } from "../../../src/cli/rosterFile.ts";
import { ConfigError } from "../../../src/errors.ts";

const A = `0x${"a".repeat(40)}`;
const B = `0x${"b".repeat(40)}`;
const NOW = Date.UTC(2026, 10, 30);
const NOTHING = { alias: undefined, tags: undefined, wish: undefined, sinceMs: undefined };

describe("a file of accounts", () => {
  it("is lines of addresses, with a name where there is one", () => {
    assert.deepEqual(
      accountsOfFile(
        `\uFEFF# desk\n\n${A.toUpperCase().replace("0X", "0x")}\r\n ${B}+subs=main \n`,
        "f",
        NOW,
      ),
      [
        { ...NOTHING, address: A },
        { ...NOTHING, address: B, alias: "main", withSubs: true },
      ],
    );
  });

  it("is a table whose header says which column is what", () => {
    const text = `alias,Address,since,tags,wish\n"a ""b""",${A},2026-01-31,desk; vip,poll\n,${B},,,\n`;
    assert.deepEqual(accountsOfFile(text, "f", NOW), [
      {
        address: A,
        alias: 'a "b"',
        tags: ["desk", "vip"],
        wish: "poll",
        sinceMs: Date.UTC(2026, 0, 31),
      },
      { ...NOTHING, address: B },
    ]);
  });

  it("is what the list prints as JSON", () => {
    const told = (more: object) =>
      JSON.stringify({ type: "account", address: A, alias: null, tags: [], wish: "stream", ...more });
    const first = { sinceMs: 1_780_000_000_123, paused: false, withSubs: true, addedAtMs: 5 };
    const second = {
      address: B,
      alias: "desk",
      tags: ["a", "b"],
      wish: "poll",
      sinceMs: null,
      withSubs: false,
    };
    assert.deepEqual(accountsOfFile(`${told(first)}\n${told(second)}\n`, "f", NOW), [
      { ...NOTHING, address: A, wish: "stream", sinceMs: 1_780_000_000_123, withSubs: true },
      { ...NOTHING, address: B, alias: "desk", tags: ["a", "b"], wish: "poll" },
    ]);
  });

  for (const [text, says] of [
    [`{"address":"${A}"}\n{"address":"0x1"}\n`, /f, line 2: "0x1" is no address/],
    [`{"address":"${A}"}\n${B}\n`, /f, line 2: no JSON object/],
    [`{"address":"${A}","name":"x"}\n`, /line 1: unknown field "name"/],
    [`{"address":"${A}","paused":true}\n`, /line 1: paused/],
    [`{"address":"${A}","since":"2026-02-30"}\n`, /line 1: since "2026-02-30" is no date/],
    [`{"alias":"x"}\n`, /line 1: "" is no address/],
    ["", /no account in it/],
    [`${A}+sub\n`, /line 1: "0xa+\+sub" is no address/],
    ["# nothing\n", /no account in it/],
    [`${A}\n0x12\n`, /f, line 2: "0x12" is no address/],
    [`address,name\n${A},x\n`, /f, header: unknown column "name"/],
    [`address\n\n${A}\n0x1\n`, /f, row 2: "0x1" is no address/],
    [`address,wish\n${A},watch\n`, /row 1: wish "watch"/],
    [`address,since\n${A},yesterday\n`, /row 1: since "yesterday" is no date/],
    [`${A}=${A}\n`, /line 1: an alias is no address/],
    [`address,alias\n${A},${A}\n`, /row 1: an alias is no address/],
    [`address,since\n${A},2026-02-30\n`, /row 1: since "2026-02-30" is no date/],
    [`address,alias\n${A},"main\n`, /a quotation mark stands alone/],
    [`address,since\n${A},2026-12-01\n`, /row 1: since "2026-12-01" lies in the future/],
    [`{"address":"${A}","sinceMs":1e300}\n`, /line 1: since "1e\+300" is no date/],
    [`{"address":"${A}","sinceMs":${NOW + 60_001}}\n`, /line 1: since .* lies in the future/],
    [`${A}=a=b\n`, /line 1: alias "a=b": expected a name without commas/],
    [`address,alias\n${A},"a,b"\n`, /row 1: alias "a,b": expected a name/],
    [`{"address":"${A}","alias":"a\\u0007b"}\n`, /line 1: alias .*: expected a name/],
    [`alias\nmain\n`, /line 1: "alias" is no address/],
  ] as const)
    it(`is refused as a whole: ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => accountsOfFile(text, "f", NOW),
        (error) => error instanceof ConfigError && says.test(error.message),
      );
    });
});
