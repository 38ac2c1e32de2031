/** The rules of money in SQL: tokens, markets, hashes, liquidations, and what a fill costs beside its fee. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DOLLAR_TOKENS } from "../../src/sync/accountSnapshot.ts";
import { isPerp } from "../../src/sync/chain.ts";
import type { FillRow } from "../../src/sync/rows.ts";
import { readLines, withoutCaptures } from "../captures/captures.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, fillOf, ledgerOf, OTHER, T } from "./rows.ts";

const HOUR = 3_600_000;
/** Real ones: a token's way into the stake, two transactions of one block. */
const SENT = "0x94ddc9e6f1eb9dbba74a04279ffb4602016100b593ecb8e37a32581ee17b429f";
const STAKED = "0x00443bc38ddfee82eeac04279ffb460201620075362e0d29dc74938c4dd19abb";
/** A withdrawal's, which is of the bridge's chain. */
const BRIDGE = "0x50f02c48f2a3a00d302c1009bb04f1356d026e9625e6f99109cfb68e48d84a39";
const ZERO = `0x${"0".repeat(64)}`;

describe("money rules in SQL", () => {
  const db = useDatabase("each");

  const rows = (sql: string, params: unknown[] = []) =>
    db.database.query<Record<string, unknown>>(sql, params);
  const values = async (sql: string, params: unknown[] = []) =>
    (await rows(sql, params)).map((row) => Object.values(row));

  it("know the same dollars as the program", async () => {
    const tokens = await values("select unnest(hl_internal.dollar_tokens())");
    assert.deepEqual(new Set(tokens.flat()), DOLLAR_TOKENS);
  });

  it("tell markets apart as the program does", async () => {
    const coins = [
      "BTC",
      "kPEPE",
      "xyz:AAPL",
      "o",
      "oil",
      "@107",
      "@1",
      "PURR/USDC",
      "#10",
      "#0",
      "+10",
      "o17",
      "",
    ];
    await db.store.apply({ fills: coins.map((coin, n) => fillOf({ coin, tradeId: n })) });
    const kinds = await values("select coin, market from hl_fill_pnl order by trade_id");
    for (const [coin, kind] of kinds) assert.equal(isPerp(String(coin)), kind === "perp", `${coin}`);
    assert.deepEqual(Object.fromEntries(kinds.slice(-6)), {
      "PURR/USDC": "spot",
      "#10": "outcome",
      "#0": "outcome",
      "+10": "outcome",
      o17: "outcome",
      "": "perp",
    });
  });

  it("read decimals, and nothing else, as numbers", async () => {
    const texts = [
      "1.50",
      "-0.1",
      "007",
      "",
      "-",
      ".5",
      "5.",
      "1e5",
      "NaN",
      "Infinity",
      "0x1",
      " 1",
      "1 ",
      "9".repeat(41),
    ];
    const read = await values("select hl_internal.decimal_of(t) from unnest($1::text[]) t", [texts]);
    assert.deepEqual(read.flat(), ["1.50", "-0.1", "7", ...Array(11).fill(null)]);
    assert.deepEqual(await values("select hl_internal.decimal_of(null)"), [[null]]);
  });

  it("read block and place in it from a hash, and from no other", async () => {
    const hashes = [
      SENT,
      STAKED,
      BRIDGE,
      ZERO,
      "0x1",
      "",
      `0x${"z".repeat(64)}`,
      SENT.replace("04279ffb46", "04279ffbzz"),
    ];
    await db.store.apply({ fills: hashes.map((hash, n) => fillOf({ hash, tradeId: n })) });
    const read = await values("select block_number, action_number from hl_fill_pnl order by trade_id");
    assert.deepEqual(read, [[664_795_974, 0x161], [664_795_974, 0x162], ...Array(6).fill([null, null])]);
    assert.deepEqual(await values("select hl_internal.block_number(null)"), [[null]]);
    // Beyond 2^31.
    const late = `0x${"a".repeat(20)}04ffffffff${"0".repeat(34)}`;
    assert.deepEqual(await values("select hl_internal.block_number($1)", [late]), [[4_294_967_295]]);
  });

  it("give rising blocks for the real fills of a node", { skip: withoutCaptures }, async () => {
    const fills = readLines("gareth0712/node/20250716.node_fills.ndjson") as [string, { hash: string }][];
    const hashes = fills.map(([, { hash }]) => hash);
    const blocks = await values("select hl_internal.block_number(h) from unnest($1::text[]) h", [hashes]);
    const numbers = blocks.flat().map(Number);
    assert.ok(numbers.every((block) => block > 664_000_000));
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
  });

  it("are kept with the fill and the ledger update, also when the hash comes later", async () => {
    await db.store.apply({
      fills: [fillOf({ hash: null }), fillOf({ tradeId: 2, hash: ZERO })],
      ledger: [
        ledgerOf({ hash: STAKED, type: "cStakingTransfer" }),
        ledgerOf({ hash: STAKED, type: "deposit" }),
      ],
    });
    await db.store.apply({ fills: [fillOf({ hash: SENT })] });
    assert.deepEqual(await values("select block_number from hl_fills order by trade_id"), [
      [null],
      [664_795_974],
    ]);
    assert.deepEqual(await values("select type, block_number from hl_ledger order by type"), [
      ["cStakingTransfer", 664_795_974],
      // Deposits come with the bridge's hash, which may look like one of ours.
      ["deposit", null],
    ]);
  });

  it("know whose a liquidation is, also where the venue does not name the user", async () => {
    const of = (tradeId: number, direction: string, liquidation: unknown) =>
      fillOf({ tradeId, direction, liquidation });
    await db.store.apply({
      fills: [
        of(1, "Close Long", {
          liquidatedUser: ACCOUNT.toUpperCase().replace("0X", "0x"),
          markPx: "1",
          method: "market",
        }),
        of(2, "Open Long", { liquidatedUser: OTHER, markPx: "1", method: "market" }),
        of(3, "Auto-Deleveraging", { liquidatedUser: OTHER, markPx: "1", method: "backstop" }),
        of(4, "Liquidated Cross Long", { markPx: "1", method: "backstop" }),
        of(5, "Open Short", { markPx: "1", method: "market" }),
        // A row of 2023: `liquidationMarkPx` in place of the object.
        of(6, "Liquidated Isolated Short", null),
        of(7, "Close Long", null),
      ],
    });
    assert.deepEqual(
      (await values("select trade_id from hl_fill_pnl where liquidated order by trade_id")).flat(),
      [1, 4, 6],
    );
  });

  it("count the gas burned beside the fee at the price of HYPE then, and what has none as unpriced", async () => {
    const bought = (tradeId: number, timeMs: number, raw: object, change: Partial<FillRow> = {}) =>
      fillOf({ tradeId, timeMs, fee: "0.5", closedPnl: "10", raw: { tid: tradeId, ...raw }, ...change });
    await rows("insert into hl_internal.token_prices values ('HYPE', $1, $2, 40), ('HYPE', $3, $4, 50)", [
      ...[T - (T % HOUR), T, T - (T % HOUR) + HOUR, T + HOUR],
    ]);
    const builder = `0x${"b".repeat(40)}`;
    await db.store.apply({
      fills: [
        bought(1, T + 60_000, { priorityGas: "0.01", deployerFee: "0.2", builder }),
        bought(2, T + HOUR - 60_000, { priorityGas: "0.01" }),
        bought(3, T + 49 * HOUR, { priorityGas: "0.01" }),
        bought(4, T, { priorityGas: "odd" }),
        bought(5, T, { priorityGas: "0.0" }),
        // An outcome's token is worth what was paid for it, as a spot token is.
        bought(6, T, {}, { coin: "#10", price: "0.4", fee: "2", feeToken: "+10" }),
        bought(7, T, {}, { coin: "#10", side: "sell", price: "0.4", fee: "2", feeToken: "+10" }),
        bought(8, T, {}, { coin: "#10", price: "0.4", fee: "2", feeToken: "+11" }),
      ],
    });
    assert.deepEqual(
      await values(
        "select trade_id, priority_gas, deployer_fee, builder from hl_fills where trade_id < 5 order by 1",
      ),
      [
        [1, "0.01", "0.2", builder],
        [2, "0.01", null, null],
        [3, "0.01", null, null],
        [4, null, null, null],
      ],
    );
    assert.deepEqual(
      await values(
        "select trade_id, fee_basis, fee_usdc, gas_usdc, cost_usdc, net_pnl from hl_fill_pnl order by trade_id",
      ),
      [
        [1, "usdc", "0.5", "0.4", "0.9", "9.1"],
        [2, "usdc", "0.5", "0.5", "1", "9"],
        [3, "usdc", "0.5", null, null, null],
        [4, "usdc", "0.5", "0", "0.5", "9.5"],
        [5, "usdc", "0.5", "0", "0.5", "9.5"],
        [6, "base_at_fill_price", "0.8", "0", "0.8", "9.2"],
        [7, "unpriced", null, "0", null, null],
        [8, "unpriced", null, "0", null, null],
      ],
    );
    assert.deepEqual(
      await values(
        "select coin, fees, net_pnl, converted_fees, unpriced_fees from hl_net_pnl_by_coin order by coin",
      ),
      [
        ["#10", "0.8", "29.2", 1, 2],
        ["BTC", "3.4", "46.6", 2, 1],
      ],
    );
    assert.deepEqual(
      await values("select gas_usdc, priority_gas, unpriced_gas from hl_fees where coin = 'BTC'"),
      [["0.9", "0.03", 1]],
    );
  });

  it("take the order of the chain's transactions within a millisecond", async () => {
    const of = (orderId: number, action: number, side: "buy" | "sell", startPosition: string) =>
      fillOf({
        orderId,
        tradeId: orderId,
        side,
        startPosition,
        size: "1",
        fee: "0",
        hash: `0x${"c".repeat(20)}04479ffb4602${action.toString(16).padStart(4, "0")}00${"d".repeat(26)}`,
      });
    // Out and in again: a closed trail, which begins where the history does and could be walked either way.
    await db.store.apply({
      fills: [of(9, 3, "sell", "1"), of(5, 4, "buy", "0"), of(7, 5, "sell", "1"), of(3, 6, "buy", "0")],
    });
    assert.deepEqual(
      await values("select trip, fills, closed_at is null from hl_round_trips order by trip"),
      [
        [0, 1, false],
        [1, 2, false],
        [2, 1, true],
      ],
    );
  });
});
