/** One home per rule (I16): what can be told by its words stands there and nowhere else. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";

const read = (pattern: string) =>
  globSync(pattern).map((path) => ({ path, text: readFileSync(path, "utf8") }));
/** Without comments, in which rules are well spoken of. */
const code = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)(\/\/|--).*$/gm, "");

const modules = [...read("src/**/*.ts"), ...read("dashboard/src/**/*.{ts,tsx}")].map(({ path, text }) => ({
  path,
  text: code(text),
}));
const sql = read("sql/**/*.sql").filter(({ path }) => path !== "sql/schema.sql");
/** The simulator is the venue: it has its rules from the venue, not from us. */
const ours = [...modules, ...sql.map(({ path, text }) => ({ path, text: code(text) }))].filter(
  ({ path }) => !path.startsWith("src/simulator/"),
);

/** Words of a rule, and where they may stand. Where both SQL and the process need it, a test holds the two equal. */
const HOMES: Record<string, { words: RegExp; homes: readonly string[] }> = {
  "which tokens are dollars": {
    words: /USDT0/,
    homes: ["sql/rules/tokens.sql", "src/sync/accountSnapshot.ts"],
  },
  "what kind of market a coin is": {
    words: /like '@%'|\[@#\+\]/,
    homes: ["sql/views/fill_pnl.sql", "src/sync/chain.ts"],
  },
  // ClickHouse has a dialect, and columns, of its own.
  "whose liquidation a fill is": {
    words: /liquidatedUser/,
    homes: ["sql/rules/own_liquidation.sql", "src/exchange/ddl.ts"],
  },
  "which order the venue has forgotten": { words: /["']unknownOid["']/, homes: ["src/sync/normalize.ts"] },
  "who holds a lease": {
    words: /hl_internal\.take_lease/,
    homes: ["sql/leases.sql", "src/store/leases.ts"],
  },
  "when data is stale": { words: /staleMs: \d/, homes: ["src/sync/freshness.ts"] },
  "since when all is complete": {
    words: /knownSince\(/,
    homes: ["src/sync/completeness.ts", "src/sync/coverage.ts"],
  },
  // The log masks such addresses.
  "which chat an address belongs to": {
    words: /hooks\\?\.slack/,
    homes: ["src/outputs/webhooks/payload.ts", "src/runtime/safeText.ts"],
  },
  "which orders are open": {
    words: /"open", "partially_filled"|'open', 'partially_filled', 'triggered'\)/,
    homes: ["sql/page.sql", "src/sync/orderStatus.ts"],
  },
  "which table a message is about": {
    words: /userNonFundingLedgerUpdates: "hl_/,
    homes: ["src/sync/verify/witness.ts"],
  },
  // No place writes them: lists of columns follow from `src/sync/tables.ts`.
  // Between own classes, dexes and accounts some of it only moves within the account.
  "what a row of the ledger moves": { words: /accountClassTransfer/, homes: ["sql/rules/ledger_effect.sql"] },
  "in which order fills of a millisecond chain": {
    words: /\bsurplus\b/,
    homes: ["sql/rules/chain_order.sql", "src/sync/chain.ts"],
  },
  "how an event reads": { words: /["'`]bought|closed PnL \$\{plain/, homes: ["src/outputs/eventText.ts"] },
  // The page, and the terminal by it, of today; `net_pnl.sql` sums the days that are over.
  "what a day earned": {
    words: /sum\(closed_pnl\) - sum\(fees\) \+ sum\(funding\)/,
    homes: ["sql/page.sql", "sql/views/net_pnl.sql", "src/outputs/http/reads.ts"],
  },
  "how the outbox is read on": {
    words: /from hl_internal\.outbox[^;`]*order by o\.id\b/,
    homes: ["src/outputs/outbox.ts"],
  },
  "which columns a table has": { words: /fee_token as "feeToken"/, homes: [] },
  "which fill is which": {
    words: /orderId\}\|\$\{(?:\w+\.)?tradeId/,
    homes: ["src/sync/windowReader.ts"],
  },
};

describe("a rule has one home", () => {
  for (const [rule, { words, homes }] of Object.entries(HOMES))
    it(rule, () => {
      const found = ours.filter(({ text }) => words.test(text)).map(({ path }) => path);
      assert.deepEqual(found.sort(), homes);
    });

  it("each function and view of the database", () => {
    const homes = new Map<string, Set<string>>();
    const defined = /^create (?:or replace )?(?:function|procedure|view|aggregate) ([\w.]+)/gim;
    for (const { path, text } of sql)
      for (const [, name] of text.matchAll(defined))
        homes.set(name!, (homes.get(name!) ?? new Set()).add(path));
    assert.ok(homes.size > 50);
    assert.deepEqual(
      [...homes].filter(([, paths]) => paths.size > 1),
      [],
    );
  });

  it("each function of the program: none stands twice under any name", () => {
    const SHORT = 40;
    const homes = new Map<string, string[]>();
    for (const { path, text } of modules)
      for (const block of text.split(/\n(?=(?:export |async |function |const |class |interface |type ))/)) {
        const [head, name] = block.match(/^(?:export )?(?:async )?(?:function\*? |const )(\w+)/) ?? [];
        if (head === undefined) continue;
        const body = block.slice(head.length).replace(/\s+/g, " ").trim();
        if (body.length > SHORT) homes.set(body, [...(homes.get(body) ?? []), `${path}: ${name}`]);
      }
    assert.ok(homes.size > 500);
    assert.deepEqual(
      [...homes.values()].filter((places) => places.length > 1),
      [],
    );
  });
});

it("a lane is the loop that follows an account: what is published has sequences", () => {
  // They show how lanes do.
  const shown = /^src\/outputs\/(observation\/status\.ts|terminal\/)/;
  const named = modules.filter(
    ({ path, text }) =>
      path.startsWith("src/outputs/") &&
      !shown.test(path) &&
      /(?<![a-z])lane|Lane|LANE/.test(text.replaceAll("hl_internal.webhook_lanes", "")),
  );
  assert.deepEqual(
    named.map(({ path }) => path),
    [],
  );
});
