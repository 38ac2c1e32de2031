/**
 * Accounts in every margin mode on the simulated venue's real server, read by the program into a real database: equity,
 * margin ratio and health score against values computed by hand in the comments, and the same from every place that
 * tells them. Then how soon a worse state of risk is written.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createVenue, type SimulatedVenue } from "../../src/simulator/exchange/venue.ts";
import { type Simulator, startSimulator } from "../../src/simulator/server/server.ts";
import { hlsync, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { eventually } from "../support/until.ts";

const [STANDARD, ISOLATED, UNIFIED, PORTFOLIO, FLAT, MAKER] = ["51", "15", "0f", "9a", "f1", "b0"].map(
  (byte) => `0x${byte.repeat(20)}`,
) as [string, string, string, string, string, string];
const BTC = 0;
const SOL = 5;
const XYZ100 = 110_000;
const AAPL = 110_001;

/**
 * What the venue's own answers make of each account, by hand. Prices at the trades and now: BTC 80 000 → 82 000 (40x),
 * SOL 100 → 104 (20x), xyz:AAPL 250 → 240 (10x), xyz:XYZ100 20 000 → 20 500 (20x, isolated only), HYPE 40. Every trade
 * pays 0.045 %. Maintenance is value / (2 · max leverage); without candles a daily move is 1 / max leverage. Nobody has a
 * stop, and nobody has lost from a peak that we saw.
 */
const BY_HAND = [
  {
    // Dex "": 10 000 − 3 000 − 18 + 0.5 · 2 000 = 7 982; maintenance 41 000 / 80 = 512.5; ratio 0.064207.
    // Dex xyz: 3 000 − 0.9 − 8 · 10 = 2 919.1; maintenance 1 920 / 20 = 96; ratio 0.032887. Equity 10 901.1.
    // B = 100 · (1 − 0.064207) = 93.5793.
    // BTC: (7 982 − 512.5) / 0.5 / (1 − 1/80) = 15 128.10 to 66 871.90: 0.184489 / 0.025 = 7.3796 daily moves;
    // L = 85 + 15 · 2.3796 / 3 = 96.8978. AAPL cannot be liquidated.
    // Leverage (41 000 + 1 920) / 10 901.1 = 3.937217; concentration 0.955265² + 0.044735² = 0.914533;
    // P = 10 · 0.914533 · 0.393722 + 5 · 0.393722 = 3.600714 + 1.968609 = 5.569323. 93.5793 − 5.5693 = 88.01.
    account: STANDARD,
    mode: "standard",
    equity: "10901.1",
    // 7 982 − a tenth of 41 000, and 2 919.1 − a tenth of 1 920.
    withdrawable: "6609.1",
    pools: { cross: "0.064207", "cross xyz": "0.032887" },
    score: 88,
    status: "excellent",
  },
  {
    // 5 000 − 0.9 − 200 stay outside; the pocket has 200 + 2 000 − 20 · 104 = 120. Equity 4 919.1.
    // Maintenance 2 080 / 40 = 52 of 120: 0.433333, B = 56.6667.
    // 104 + (120 − 52) / 20 / (1 + 1/40) = 107.317: 0.031895 / 0.05 = 0.6379 daily moves; L = 20 · 0.6379 = 12.7580.
    // Leverage 2 080 / 4 919.1 = 0.422842; P = (10 + 5) · 0.0422842 = 0.634263. 12.7580 − 0.6343 = 12.12.
    account: ISOLATED,
    mode: "standard",
    equity: "4919.1",
    withdrawable: "4799.1",
    pools: { "isolated SOL": "0.433333" },
    score: 12,
    status: "critical",
  },
  {
    // All dollars are one: 10 000 − 18 − 1.8 − 0.9 + 1 000 (BTC) + 160 (AAPL short) + 50 (XYZ100) = 11 189.3.
    // Held: BTC 41 000 / 20 = 2 050, AAPL 3 840 / 10 = 384, the pocket of XYZ100 1 000 + 50 = 1 050; free 7 705.3.
    // Pool: (512.5 + 192) / (11 189.3 − 1 050) = 0.069482. Pocket: 2 050 / 40 / 1 050 = 0.04881. B = 93.0518.
    // BTC: (10 139.3 − 704.5) / 0.5 / (1 − 1/80) = 19 108.46: 0.23303 / 0.025 = 9.32 daily moves; all farther than 8.
    // Leverage 46 890 / 11 189.3 = 4.190611; concentration 0.874387² + 0.081894² + 0.043719² = 0.773171;
    // P = 3.240060 + 2.095306 = 5.335366. 93.0518 − 5.3354 = 87.72.
    account: UNIFIED,
    mode: "unified",
    equity: "11189.3",
    withdrawable: "7705.3",
    pools: { "unified USDC": "0.069482", "isolated xyz:XYZ100": "0.04881" },
    score: 88,
    status: "excellent",
  },
  {
    // Dollars: 5 000 − 9 − 0.25 · 2 000 = 4 491; 100 HYPE are 4 000 more. The venue counts HYPE at 0.75 and says
    // 256.25 / (4 491 + 3 000) = 0.034208 of 0.95: B = 100 · (1 − 0.036008) = 96.3992. Held: 20 500 / 20 = 1 025.
    // 82 000 + (0.95 · 7 491 − 256.25) / 0.25 / (1 + 1/80) = 109 102: 13 daily moves. HYPE gains when BTC rises with it.
    // Leverage 20 500 / 8 491 = 2.414321; P = 15 · 0.2414321 = 3.621482. 96.3992 − 3.6215 = 92.78.
    account: PORTFOLIO,
    mode: "portfolio_margin",
    equity: "8491",
    withdrawable: "3466",
    pools: { portfolio: "0.034208" },
    score: 93,
    status: "excellent",
  },
  {
    // Perps show nothing but zeros: all of it is in spot.
    account: FLAT,
    mode: "unified",
    equity: "2500",
    withdrawable: "2500",
    pools: {},
    score: 100,
    status: "excellent",
  },
] as const;

/** Trades against the maker, who always has enough. */
class Floor {
  readonly venue: SimulatedVenue;

  constructor(startMs: number) {
    this.venue = createVenue({ traders: false, seed: 5, startMs });
    this.venue.deposit(MAKER, "10000000");
    this.act(MAKER, {
      type: "sendAsset",
      destination: MAKER,
      sourceDex: "",
      destinationDex: "xyz",
      token: "USDC",
      amount: "1000000",
    });
  }

  act(user: string, action: Record<string, never> | object): void {
    const { body } = this.venue.execute(user, action as never, { nonce: this.venue.nowMs });
    assert.ok(!JSON.stringify(body).includes("err"), JSON.stringify({ action, body }));
  }

  price(coin: string, px: string): void {
    this.venue.setOracle(coin, px);
  }

  trade(user: string, asset: number, isBuy: boolean, p: string, s: string): void {
    for (const [who, b] of [
      [MAKER, !isBuy],
      [user, isBuy],
    ] as const) {
      const order = { a: asset, b, p, s, r: false, t: { limit: { tif: "Gtc" } } };
      this.act(who, { type: "order", orders: [order], grouping: "na" });
    }
  }

  mode(user: string, abstraction: string): void {
    this.act(user, { type: "userSetAbstraction", user, abstraction });
  }
}

function openAccounts(floor: Floor): void {
  for (const [coin, px] of [
    ["BTC", "80000"],
    ["SOL", "100"],
    ["xyz:AAPL", "250"],
    ["xyz:XYZ100", "20000"],
    ["HYPE", "40"],
    ["@107", "40"],
  ] as const)
    floor.price(coin, px);
  for (const [user, usd] of [
    [STANDARD, "10000"],
    [ISOLATED, "5000"],
    [UNIFIED, "10000"],
    [PORTFOLIO, "5000"],
    [FLAT, "2500"],
  ] as const)
    floor.venue.deposit(user, usd);

  floor.act(STANDARD, {
    type: "sendAsset",
    destination: STANDARD,
    sourceDex: "",
    destinationDex: "xyz",
    token: "USDC",
    amount: "3000",
  });
  floor.venue.script({ type: "mint", user: PORTFOLIO, token: "HYPE", amount: "100" });
  floor.mode(UNIFIED, "unifiedAccount");
  floor.mode(PORTFOLIO, "portfolioMargin");
  floor.mode(FLAT, "unifiedAccount");
  // Spot has no time of its own: what came a moment ago may be in it or not, and then the net worth is not known. Nobody
  // holds a position yet that could pay funding.
  floor.venue.advance(floor.venue.nowMs + 30_000);

  floor.trade(STANDARD, BTC, true, "80000", "0.5");
  floor.trade(STANDARD, AAPL, true, "250", "8");

  floor.act(ISOLATED, { type: "updateLeverage", asset: SOL, isCross: false, leverage: 10 });
  floor.trade(ISOLATED, SOL, false, "100", "20");

  floor.act(UNIFIED, { type: "updateLeverage", asset: XYZ100, isCross: false, leverage: 2 });
  floor.trade(UNIFIED, BTC, true, "80000", "0.5");
  floor.trade(UNIFIED, AAPL, false, "250", "16");
  floor.trade(UNIFIED, XYZ100, true, "20000", "0.1");

  floor.trade(PORTFOLIO, BTC, false, "80000", "0.25");

  for (const [coin, px] of [
    ["BTC", "82000"],
    ["SOL", "104"],
    ["xyz:AAPL", "240"],
    ["xyz:XYZ100", "20500"],
  ] as const)
    floor.price(coin, px);
}

interface Told {
  account_value: string;
  health_score: number | null;
  health_status: string;
  account_mode: string;
}
const told = ({ account_value, health_score, health_status, account_mode }: Told) => ({
  equity: account_value,
  score: health_score,
  status: health_status,
  mode: account_mode,
});
const expected = ({ equity, score, status, mode }: (typeof BY_HAND)[number]) => ({
  equity,
  score,
  status,
  mode,
});

describe("accounts in each margin mode", () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Simulator;
  const stored = ["--database"];

  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    stored.push(target.url);
    const floor = new Floor(Date.now() - 30_000);
    openAccounts(floor);
    // Time stands still, so that no hour passes and no funding is paid.
    exchange = await startSimulator({
      venue: floor.venue,
      speed: "stepped",
      limits: { weightPerMinute: 6000 },
    });
    const { code, stderr } = await hlsync([
      ...["sync", "--once", "--api-url", exchange.url, ...stored, "--weight", "6000", "--log-level", "warn"],
      ...BY_HAND.flatMap(({ account }) => ["--account", account]),
    ]);
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await server?.stop();
  });

  for (const hand of BY_HAND)
    it(`has the equity, ratio and score computed by hand: ${hand.mode} ${Object.keys(hand.pools)}`, async () => {
      type Row = Told & { withdrawable: string; worth: string; pools: { pool: string; ratio: string }[] };
      const [row] = await target.database.query<Row & Record<string, unknown>>(
        `select account_value::text, net_worth::text as worth, withdrawable::text, health_score, health_status, account_mode,
           health_components -> 'pools' as pools
         from hl_dashboard where account_address = $1 order by as_of desc limit 1`,
        [hand.account],
      );
      assert.deepEqual(told(row!), expected(hand));
      assert.equal(row!.withdrawable, hand.withdrawable);
      // Nobody holds anything that is not in the margin equity of the mode.
      assert.equal(row!.worth, hand.equity);
      const pools = Object.fromEntries(row!.pools.map(({ pool, ratio }) => [pool, ratio]));
      assert.deepEqual(pools, hand.pools);
    });

  it("never reads zero for a unified account, in any snapshot", async () => {
    const rows = await target.database.query(
      "select account_value from hl_dashboard where account_mode <> 'standard' and account_value <= 0",
    );
    assert.deepEqual(rows, []);
  });

  it("says the same in `health --explain --json`, `health --explain` and `status --json`", async () => {
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await hlsync([...args, ...stored]);
      assert.equal(code, 0, stderr);
      return stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    };
    const health = await json("health", "--explain", "--json");
    const status = (await json("status", "--json")).filter(({ type }) => type === "account");
    const words = (await hlsync(["health", "--explain", ...stored])).stdout;
    for (const hand of BY_HAND) {
      const one = health.find(({ account_address }) => account_address === hand.account);
      assert.deepEqual(told(one), expected(hand));
      const pools = one.health_components.pools as { pool: string; ratio: string }[];
      assert.deepEqual(Object.fromEntries(pools.map(({ pool, ratio }) => [pool, ratio])), hand.pools);
      assert.deepEqual(told(status.find(({ account }) => account === hand.account)), expected(hand));
      assert.ok(words.includes(`equity ${hand.equity}, ${hand.mode}`), words);
      for (const [pool, ratio] of Object.entries(hand.pools))
        assert.ok(words.includes(`${pool} ${ratio} of ${pool === "portfolio" ? "0.95" : "1"}`), words);
    }
  });

  it("says the same over the API and on /metrics", async () => {
    const following = start([
      ...["run", "--api-url", exchange.url, ...stored, "--listen", "127.0.0.1:0", "--weight", "6000"],
      ...["--no-color", "--log-level", "info"],
      ...BY_HAND.flatMap(({ account }) => ["--account", account]),
    ]);
    const base = /http:\S+?(?=\/?["\s])/.exec(
      await following.complaint(/http:\/\/127\.0\.0\.1:\d+\/?["\s]/),
    )![0];
    for (const hand of BY_HAND) {
      const response = await fetch(`${base}/api/overview?account=${hand.account}`);
      const overview = (await response.json()) as Told & { withdrawable: string };
      assert.deepEqual(told(overview), expected(hand));
      assert.equal(overview.withdrawable, hand.withdrawable);
    }
    const metrics = await (await fetch(`${base}/metrics`)).text();
    for (const { account, score, equity } of BY_HAND) {
      assert.ok(metrics.includes(`hlsync_health_score{account="${account}"} ${score}`), metrics);
      assert.ok(metrics.includes(`hlsync_account_value_usd{account="${account}"} ${Number(equity)}`));
    }
    await following.stop();
  });
});

describe("risk that moves", () => {
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Simulator;
  const floor = new Floor(Date.now());

  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
    exchange = await startSimulator({ venue: floor.venue, limits: { weightPerMinute: 6000 } });
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await server?.stop();
  });

  it("is in hl_dashboard seconds after the price, long before the next regular row", async (context) => {
    floor.price("BTC", "80000");
    floor.venue.deposit(UNIFIED, "10000");
    floor.mode(UNIFIED, "unifiedAccount");
    floor.trade(UNIFIED, BTC, true, "80000", "1");
    const following = start([
      ...["run", "--api-url", exchange.url, "--database", target.url, "--listen", "127.0.0.1:0"],
      ...["--weight", "6000", "--json", "--log-level", "warn", "--account", UNIFIED],
    ]);
    type Row = { health_score: number | null; health_status: string; account_value: string; rows: number };
    const newest = async () =>
      (
        await target.database
          .query<Row & Record<string, unknown>>(
            `select health_score, health_status, account_value::text, count(*) over ()::int as rows
             from hl_dashboard where account_address = $1 order by as_of desc limit 1`,
            [UNIFIED],
          )
          .catch(() => [])
      )[0];
    const until = async (good: (row: Row) => boolean): Promise<Row> =>
      (await eventually("the snapshot", newest, (row) => row !== undefined && good(row), 50_000))!;
    // 8x: 80 000 of 9 964; 10.1 % away, four daily moves.
    await until(({ health_status }) => health_status === "good");
    const movedMs = performance.now();
    // 5 000 less: 75 000 of 4 964 is 15x; 937.5 to keep.
    floor.price("BTC", "75000");
    const row = await until(({ health_status }) => health_status !== "good");
    const lateMs = performance.now() - movedMs;
    assert.ok(row.health_score! < 40, JSON.stringify(row));
    assert.equal(row.account_value, "4964");
    context.diagnostic(`price moved → worse status in hl_dashboard: ${(lateMs / 1000).toFixed(1)} s`);
    assert.ok(lateMs < 30_000, `${lateMs} ms`);
    await following.stop();
  });
});
