/** One sentence per event, whoever shows it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { textLine } from "../../../src/outputs/console.ts";
import { eventPhrases, eventText } from "../../../src/outputs/eventText.ts";
import { EVENT_TYPES } from "../../../src/outputs/eventTypes.ts";
import { BODIES } from "../../../src/outputs/webhooks/payload.ts";

const ACCOUNT = `0x${"a".repeat(40)}`;
const T = 1_790_360_256_851;
const ALIASES = new Map([[ACCOUNT, "main"]]);

const event = (type: string, data: Record<string, unknown>, account: string | null = ACCOUNT) => ({
  id: 7,
  key: "k",
  type,
  account,
  timeMs: T,
  source: "stream",
  committedAtMs: T,
  data,
});

const FILL = {
  side: "sell",
  size: "0.50",
  coin: "BTC",
  price: "83000.0",
  value: "41500.000",
  fee: "18.675",
  fee_token: "USDC",
  closed_pnl: "12.50",
};
const ORDER = {
  side: "buy",
  size: "2.0",
  filled: "0.5",
  coin: "ETH",
  limit_price: "3000.10",
  status: "partially_filled",
  venue_status: "open",
  order_id: 556_696_349_186,
};
const POSITION = { coin: "BTC", side: "short", size: "1.0", entry_price: "83000.0", unrealized_pnl: "-3.10" };

describe("the sentence of an event", () => {
  const said: [string, Record<string, unknown>, string][] = [
    ["fill.created", FILL, "sold 0.5 BTC at 83000, closed PnL 12.5, fee 18.675 USDC (41500 USD)"],
    ["fill.created", { ...FILL, closed_pnl: "0.0" }, "sold 0.5 BTC at 83000, fee 18.675 USDC (41500 USD)"],
    [
      "order.updated",
      ORDER,
      "order to buy 2 ETH at 3000.1 partially filled, 0.5 filled (open, #556696349186)",
    ],
    [
      "fill.created",
      { ...FILL, coin: "@107", name: "HYPE/USDC" },
      "sold 0.5 HYPE/USDC at 83000, closed PnL 12.5, fee 18.675 USDC (41500 USD @107)",
    ],
    [
      "order.updated",
      { ...ORDER, coin: "#10", name: "Yes: rain" },
      "order to buy 2 Yes: rain at 3000.1 partially filled, 0.5 filled (open, #556696349186 #10)",
    ],
    ["position.updated", POSITION, "position BTC short 1, entry 83000, unrealized PnL -3.1"],
    ["position.updated", { ...POSITION, side: "flat", size: "0", entry_price: null }, "position BTC closed"],
    [
      "funding.created",
      { coin: "SOL", usdc: "-1.20", funding_rate: "0.0000125" },
      "funding -1.2 USDC for SOL at 0.0000125",
    ],
    ["ledger.created", { type: "deposit", usdc: "100.0", token: null, amount: null }, "deposit 100 USDC"],
    [
      "ledger.created",
      { type: "spotGenesis", usdc: null, token: "PURR", amount: "1.50" },
      "spotGenesis 1.5 PURR",
    ],
    [
      "ledger.created",
      { type: "vaultLeaderCommission", usdc: null, token: null, amount: null },
      "vaultLeaderCommission",
    ],
    [
      "drift.found",
      { stream: "fills", cause: "chain", repaired_at_ms: null },
      "fills differed from the venue (chain), not repaired",
    ],
    [
      "drift.found",
      { stream: "fills", cause: "chain", repaired_at_ms: T },
      "fills differed from the venue (chain), repaired",
    ],
    ["gap.opened", { stream: "orders" }, "orders: history is missing"],
    ["gap.closed", { stream: "orders" }, "orders: history is complete again"],
    [
      "webhook.disabled",
      { endpoint: "wh_1", reason: "answered 410 Gone" },
      "webhook wh_1 was disabled: answered 410 Gone",
    ],
    [
      "alert.fired",
      { message: "CRIT BTC long 3.9 % from liquidation." },
      "CRIT BTC long 3.9 % from liquidation.",
    ],
    ["alert.resolved", { message: "RESOLVED health 60 of 100." }, "RESOLVED health 60 of 100."],
    ["webhook.test", { message: "This is a test of hlsync." }, "This is a test of hlsync."],
    ["made.up", {}, "made.up"],
  ];

  for (const [type, data, sentence] of said) {
    it(`is "${sentence}"`, () => {
      assert.equal(eventText(event(type, data, null), ALIASES), sentence);
    });
  }

  it("is there for every type", () => {
    const types = new Set(said.map(([type]) => type));
    assert.deepEqual(
      Object.keys(EVENT_TYPES).filter((type) => !types.has(type)),
      [],
    );
  });

  it("is the same on the console and in chats, with the account where it belongs", () => {
    for (const [type, data, sentence] of said) {
      const told = event(type, data);
      const own = type.startsWith("alert.") ? `${sentence} (main)` : `main: ${sentence}`;
      assert.equal(eventText(told, ALIASES), own);
      assert.equal(textLine(told, { color: false, aliases: ALIASES }), `18:17:36.851 main ${sentence}`);
      assert.equal(JSON.parse(BODIES.slack(told, "", ALIASES).text).text, own);
    }
    const old = { ...event("gap.closed", { stream: "fills" }, null), source: "backfill" };
    assert.equal(
      textLine(old, { color: false, aliases: ALIASES }),
      "18:17:36.851 fills: history is complete again [backfill]",
    );
  });

  it("is printable and of bounded length, whatever the wire sent", () => {
    const nasty = `a\u001b[2J\n\u202e${"x".repeat(5_000)}`;
    for (const type of Object.keys(EVENT_TYPES)) {
      const data = Object.fromEntries(
        [
          ...Object.keys({ ...FILL, ...ORDER, ...POSITION }),
          "message",
          "type",
          "stream",
          "cause",
          "reason",
        ].map((key) => [key, nasty]),
      );
      const text = eventText(event(type, data), new Map([[ACCOUNT, nasty]]));
      assert.doesNotMatch(text, /[\p{Cc}\u202e]/u, type);
      assert.ok(text.length < 1_700, `${type}: ${text.length}`);
    }
  });

  it("goes without its details where there is little room", () => {
    const short = eventPhrases(event("fill.created", FILL)).filter(({ isDetail }) => !isDetail);
    assert.equal(short.map(({ text }) => text).join(""), "sold 0.5 BTC at 83000, closed PnL 12.5");
  });
});
