/**
 * Every view of the dashboard in Chromium, and what stands in it: the columns in the exchange's order, the charts, the sync
 * page, alerts and deliveries. Numbers are held against SQL and the API.
 */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { Browser, Page } from "playwright-core";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { eventually } from "../support/until.ts";
import { ACCOUNT, type MadeAccount, makeAccount } from "./dashboardAccount.ts";
import { launch, noBrowser, openPage, plain } from "./dashboardBrowser.ts";
import { type HandServer, startHandServer } from "./dashboardServer.ts";

/** As `TRIP_FILLS` of `outputs/http/reads.ts`: what single trades reach back to. */
const TRIP_FILLS = 1_000;

/** As the exchange's own page has them; what it does not have (distance, status) stands where it belongs. */
const COLUMNS = {
  positions: [
    ...[
      "Coin",
      "Size",
      "Position Value",
      "Entry Price",
      "Mark Price",
      "PNL (ROE %)",
      "Liq. Price",
      "Distance",
    ],
    ...["Margin", "Funding"],
  ],
  orders: [
    ...["Time (UTC)", "Type", "Coin", "Direction", "Size", "Original Size", "Order Value", "Price"],
    ...["Reduce Only", "Trigger", "Status"],
  ],
  fills: ["Time (UTC)", "Coin", "Direction", "Price", "Size", "Trade Value", "Fee", "Closed PNL"],
  orderHistory: [
    ...["Time (UTC)", "Type", "Coin", "Direction", "Size", "Filled Size", "Order Value", "Price"],
    ...["Reduce Only", "Trigger", "Status", "Order ID"],
  ],
  funding: ["Time (UTC)", "Coin", "Size", "Position Side", "Payment", "Rate"],
  ledger: ["Time (UTC)", "Action", "USDC", "Token", "Amount", "Hash"],
  balances: ["Coin", "Total Balance", "Available Balance", "In Orders", "Cost (USDC)"],
  alerts: ["Time (UTC)", "Severity", "State", "Rule", "Coin", "Message"],
  deliveries: [
    ...["Last attempt (UTC)", "Endpoint", "Event", "Event time (UTC)", "Status", "Attempts", "HTTP", "Took"],
    "Error",
  ],
};

const equals =
  (wanted: unknown) =>
  (seen: unknown): boolean =>
    isDeepStrictEqual(seen, wanted);

describe("the dashboard's views", { skip: noBrowser }, () => {
  let postgres: TestServer;
  let target: TestDatabase;
  let made: MadeAccount;
  let server: HandServer;
  let browser: Browser;

  before(async () => {
    postgres = await startServer();
    target = await postgres.newDatabase();
    made = await makeAccount(target.store, { fills: 3_000, nowMs: Date.now(), seed: 21 });
    server = await startHandServer(target.store, made);
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await target?.close();
    await postgres?.stop();
  });

  const sql = <R extends Record<string, unknown>>(text: string, ...more: unknown[]): Promise<R[]> =>
    target.database.query<R>(text, [ACCOUNT, ...more]);
  const rowsOf = (page: Page, table: string): Promise<string[][]> =>
    page
      .locator(`[data-table="${table}"] tbody tr:not(.filler)`)
      .evaluateAll((rows) =>
        rows.map((row) => [...(row as HTMLTableRowElement).cells].map((cell) => cell.innerText.trim())),
      );

  it("has every table with the exchange's columns in their order, a filter, a chooser and a file", async () => {
    const { page, context, complaints } = await openPage(browser, `${server.url}/#positions`, {
      acceptDownloads: true,
    });
    for (const [tab, columns] of Object.entries(COLUMNS)) {
      await page.evaluate((hash) => {
        location.hash = hash;
      }, tab);
      const table = page.locator(`[data-table="${tab}"]`);
      await table.waitFor();
      const heads = await table.getByRole("columnheader").allInnerTexts();
      assert.deepEqual(
        heads.map((text) => text.trim()),
        columns,
        tab,
      );
      assert.equal(await table.getByRole("searchbox").count(), 1, tab);
      assert.ok((await table.locator("summary", { hasText: "Columns" }).count()) === 1, tab);
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        table.getByRole("button", { name: "CSV" }).click(),
      ]);
      assert.equal(download.suggestedFilename(), `hlsync-${tab}.csv`);
      const [header] = readFileSync((await download.path())!, "utf8").split("\r\n");
      for (const column of columns)
        assert.ok(header!.includes(column), `${tab}: ${column} is not in ${header}`);
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });

  it("draws equity with its deposits and since when it was captured, and the drawdown", async () => {
    const { page, context } = await openPage(browser, `${server.url}/#overview`);
    const chart = page.locator('[role=img][aria-label^="Net worth: from"]');
    await chart.waitFor();
    const flows = await sql<{ usdc: string; type: string }>(
      "select type, usdc from hl_flows where account_address = $1 and usdc <> 0 order by ledger_time_ms",
    );
    assert.ok(flows.length > 1);
    // The server tells all of them: the venue's own curve may reach further back than the first snapshot.
    const answer = await (await fetch(`${server.url}/api/equity`)).json();
    assert.equal(answer.flows.length, flows.length);
    // The first deposit came before the first snapshot: it lies outside of what is drawn.
    const drawn = await chart.locator(".mark").allTextContents();
    const told = flows.map(({ type, usdc }) => `${type} ${usdc}`);
    for (const title of drawn) {
      const [type, usdc] = title.split(" ");
      assert.ok(told.includes(`${type} ${Number(plain(usdc!))}`), `${title} is none of ${told}`);
    }
    assert.ok(drawn.length >= flows.length - 1, drawn.join());
    assert.equal(await chart.locator(".since").textContent(), "captured since here");
    const [now] = await sql<{ equity: string; drawdown: string }>(
      `select round(n.net_worth, 2) as equity,
         (select round(drawdown_pct, 4) from hl_equity e where e.account_address = $1 order by as_of desc limit 1) as drawdown
       from hl_account_now n where n.account_address = $1`,
    );
    assert.match(
      plain((await chart.getAttribute("aria-label"))!.split(" to ").at(-1)!),
      new RegExp(`^${now!.equity} USD$`),
    );
    await page.getByRole("button", { name: "Drawdown" }).click();
    const fallen = page.locator('[role=img][aria-label^="Drawdown in percent"]');
    await fallen.waitFor();
    assert.equal(
      plain((await fallen.getAttribute("aria-label"))!.split(" to ").at(-1)!),
      `-${now!.drawdown}`,
    );
    // The address says all that is chosen; a day looked at is no other view of it.
    await page.getByRole("group", { name: "Span" }).getByRole("button", { name: "1W" }).click();
    await page.getByRole("group", { name: "Period" }).getByRole("button", { name: "30D" }).click();
    await page.getByRole("group", { name: "Interval" }).getByRole("button", { name: "4h" }).click();
    await page.getByLabel("Market").selectOption("SOL");
    await page.waitForURL(/coin=SOL/);
    const link = page.url();
    assert.equal(
      new URLSearchParams(new URL(link).hash.split("?")[1]).toString().split("&").sort().join(),
      "coin=SOL,interval=4h,period=month,range=week,what=drawdown",
    );
    const other = await openPage(browser, link);
    await other.page.locator('[role=img][aria-label^="Drawdown in percent"]').waitFor();
    await other.page.locator('[role=img][aria-label^="SOL: "]').waitFor();
    await other.page.waitForURL(link);
    await other.context.close();
    // Another of the same view, typed into the same page.
    await page.evaluate(() => {
      location.hash = "#overview?what=equity&range=day";
    });
    await chart.waitFor();
    await context.close();
  });

  it("draws candles with the fills of the market, entry and liquidation", async () => {
    const { page, context } = await openPage(browser, `${server.url}/#overview`);
    const [held] = await sql<{ coin: string; entry: string; mark: string; liquidation: string }>(
      `select coin, trim_scale(entry_price) as entry, trim_scale(mark_price) as mark, round(liquidation_price, 2) as liquidation
       from hl_positions where account_address = $1 and side <> 'flat' order by hl_positions.position_value desc limit 1`,
    );
    const chart = page.locator(`[role=img][aria-label^="${held!.coin}: "]`);
    await chart.waitFor();
    const levels = (await chart.locator(".level").allTextContents()).map(plain);
    const orders = await sql<{ line: string }>(
      `select side || ' ' || trim_scale(size) || ' ' || trim_scale(limit_price) as line from hl_orders
       where account_address = $1 and coin = $2 and status in ('open', 'partially_filled', 'triggered')
         and coalesce(trigger_price, 0) = 0`,
      held!.coin,
    );
    const expected = [`entry ${held!.entry}`, `liquidation ${held!.liquidation}`, `mark ${held!.mark}`];
    assert.deepEqual(levels.slice(0, 3), expected);
    for (const { line } of orders) assert.ok(levels.includes(line), `${line} in ${levels}`);
    // The fills are an answer of their own, which may come after the candles.
    await chart.locator(".mark").nth(5).waitFor({ state: "attached" });
    const fills = await chart.locator(".mark").allTextContents();
    const stored = await sql<{ line: string }>(
      `select side || ' ' || trim_scale(size) || ' at ' || trim_scale(price) || ' '
         || to_char(fill_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' as line
       from hl_fills where account_address = $1 and coin = $2`,
      held!.coin,
    );
    const known = new Set(stored.map(({ line }) => line));
    assert.ok(fills.length > 5, String(fills.length));
    for (const title of fills) assert.ok(known.has(plain(title)), title);
    await page.getByLabel("Market").selectOption("SOL");
    await page.locator('[role=img][aria-label^="SOL: "]').waitFor();
    await context.close();
  });

  it("answers how good the trading is as SQL does, and says since when", async () => {
    const { page, context, complaints } = await openPage(browser, `${server.url}/#statistics?period=month`);
    const card = async (name: string) =>
      plain(await page.locator(`[data-tile="${name}"] .value`).innerText());
    const [bounds] = await sql<{ from_ms: number; since_ms: number }>(
      `with start as (select (extract(epoch from date_trunc('day', now() at time zone 'UTC')) * 1000)::bigint - 29::bigint * 86400000 as ms)
       select start.ms as from_ms, greatest(start.ms, coalesce((select fill_time_ms from hl_fills
         where account_address = $1 order by fill_time desc offset $2 limit 1), 0)) as since_ms from start`,
      TRIP_FILLS,
    );
    const [money] = await sql<{ net: string; since: string }>(
      `select round(sum(net_pnl), 2) as net, to_char(min(day), 'YYYY-MM-DD') as since from hl_net_pnl_daily
       where account_address = $1 and day >= (to_timestamp($2::bigint / 1000.0) at time zone 'UTC')::date`,
      bounds!.from_ms,
    );
    await page.locator('[data-table="roundTrips"] tbody tr').first().waitFor();
    await page.locator('[data-table="groups"] tbody tr').first().waitFor();
    // Each card comes with the answer that it is made of.
    await eventually(
      "the net profit",
      () => card("net_pnl"),
      (net) => net === money!.net,
    );
    assert.match(await page.locator('[data-tile="net_pnl"] .note').innerText(), new RegExp(money!.since));
    const statistics = `hl_trade_statistics($1, to_timestamp($2::bigint / 1000.0))`;
    const [all] = await sql<Record<string, string>>(
      `select round(win_rate_pct, 1) as rate, round(profit_factor, 2) as factor, round(payoff_ratio, 2) as payoff,
         round(expectancy, 2) as expectancy, win_streak || ' won ' || loss_streak || ' lost' as streaks, trades
       from ${statistics} where by = 'all'`,
      bounds!.since_ms,
    );
    await eventually(
      "the cards as SQL has them",
      () => Promise.all(["win_rate_pct", "profit_factor", "payoff_ratio", "expectancy", "streaks"].map(card)),
      equals([all!.rate, all!.factor, all!.payoff, all!.expectancy, all!.streaks]),
    );
    const groups = async (by: string, sinceMs = bounds!.since_ms) => {
      const stored = await sql<{ key: string; line: string }>(
        `select key, trades || ' ' || round(win_rate_pct, 2) || ' ' || round(net_pnl, 2) || ' ' || round(closed_pnl, 2) as line
         from ${statistics} where by = $3 order by key`,
        sinceMs,
        by,
      );
      // The groups of before stand until the answer comes.
      const lines = stored.map(({ line }) => line);
      const shown = await eventually(
        `groups by ${by}: ${lines}`,
        () => rowsOf(page, "groups"),
        (rows) => equals(lines)(rows.map((cells) => plain(cells.slice(1, 5).join(" ")))),
      );
      return shown.map(([name]) => name);
    };
    const coins = await groups("coin");
    await page.getByRole("button", { name: "Week day" }).click();
    assert.ok((await groups("weekday")).every((name) => /day$/.test(name!)));
    await page.getByRole("button", { name: "Side" }).first().click();
    assert.deepEqual(await groups("side"), ["Long", "Short"]);
    assert.match(page.url(), /#statistics\?.*group=side/);
    await page.reload();
    assert.deepEqual(await groups("side"), ["Long", "Short"], "from the address");

    assert.ok(bounds!.since_ms > bounds!.from_ms, "there is more than is counted at first");
    await page.getByRole("button", { name: "Count further back" }).click();
    const [further] = await sql<{ trades: string; streaks: string }>(
      `select trades::text, win_streak || ' won ' || loss_streak || ' lost' as streaks from ${statistics} where by = 'all'`,
      bounds!.from_ms,
    );
    assert.ok(Number(further!.trades) > Number(all!.trades));
    await eventually("streaks of the whole period", () => card("streaks"), equals(further!.streaks));
    await page.getByRole("button", { name: "Count further back" }).waitFor({ state: "detached" });
    await groups("side", bounds!.from_ms);

    await page.getByLabel("Only this coin").selectOption(coins[0]!);
    const trips = await sql<{ line: string }>(
      `select coalesce(to_char(to_timestamp(closed_ms / 1000.0) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'open')
         || ' ' || side || ' ' || trim_scale(max_size) || ' ' || round(net_pnl, 2) || ' ' || fills as line
       from hl_round_trips_since($1, to_timestamp($2::bigint / 1000.0)) where coin = $3
       order by closed_ms desc nulls first, opened_ms desc`,
      bounds!.since_ms,
      coins[0],
    );
    const shown = await eventually(
      "the round trips of a coin",
      () => rowsOf(page, "roundTrips"),
      (rows) => rows.length > 0 && rows.every((cells) => cells[2] === coins[0]),
    );
    assert.deepEqual(
      shown
        .slice(0, 20)
        .map((c) =>
          plain([c[0], c[3]!.toLowerCase(), c[4], c[7]!.replace(/(?<=\.\d\d)\d+$/, ""), c[14]].join(" ")),
        ),
      trips.slice(0, 20).map(({ line }) => line),
    );

    // A row leads to its trade, there a fill to its order.
    const closed = await sql<Record<string, unknown>>(
      `select * from hl_round_trips_since($1, to_timestamp($2::bigint / 1000.0))
       where opened_ms is not null order by closed_ms desc nulls first limit 40`,
      bounds!.since_ms,
    );
    for (const trip of closed) {
      const answer = await fetch(
        `${server.url}/api/trade?coin=${trip.coin}&at=${Number(trip.closed_ms ?? Number(trip.opened_ms) + 1) - 1}`,
      );
      assert.deepEqual(JSON.parse(await answer.text()).row, trip);
    }
    for (const path of ["fills", "orders/history", "funding", "ledger"]) {
      const [said] = (await (await fetch(`${server.url}/api/${path}?raw=1&limit=1`)).json()).rows;
      assert.equal(typeof JSON.parse(said.raw), "object", path);
    }
    const row = page
      .locator('[data-table="roundTrips"] tbody tr:not(.filler)', { hasText: coins[0]! })
      .nth(3);
    const net = plain((await row.locator('[data-column="net_pnl"]').innerText()).trim());
    const count = Number(await row.locator('[data-column="fills"]').innerText());
    await row.locator('[data-column="side"]').click();
    await page.locator('[role=img][aria-label*=" candles, last close "]').waitFor();
    assert.equal(await card("trade_net"), net);
    const fills = await eventually(
      "the fills of the trade",
      () => rowsOf(page, "tradeFills"),
      (rows) => rows.length === count,
    );
    await page.locator('[data-table="tradeFills"] .row-open').first().click();
    const dialog = page.getByRole("dialog", { name: "Fills: one row" });
    assert.match(await dialog.locator('[data-fact="hash"]').innerText(), /^0x[0-9a-f]{64}$/);
    assert.equal(await dialog.locator('[data-fact="coin"]').innerText(), fills[0]![1]);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.deepEqual(complaints, []);
    await context.close();
  });

  it("says on the sync page what is proven, what was healed, how long changes take and what the venue allows", async () => {
    const { page, context, complaints } = await openPage(browser, `${server.url}/#sync`);
    await server.commit({ fills: [{ ...made.nextFill(Date.now()), source: "stream" }] });
    const tracks = page.locator(".coverage-track");
    await tracks.first().locator(".cover.proven").waitFor();
    const { accounts } = (await (await fetch(`${server.url}/api/status`)).json()) as {
      accounts: { streams: { stream: string; complete_since_ms: number; gaps: number }[] }[];
    };
    const labels = await tracks.evaluateAll((nodes) => nodes.map((node) => node.getAttribute("aria-label")));
    const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
    const words = new Map([
      ["fills", "Fills"],
      ["twapFills", "TWAP fills"],
      ["orders", "Orders"],
      ["funding", "Funding"],
      ["ledger", "Ledger"],
    ]);
    assert.deepEqual(
      labels.toSorted(),
      accounts[0]!.streams
        .map(
          ({ stream, complete_since_ms, gaps }) =>
            `${words.get(stream)}: complete since ${day(complete_since_ms)}, ${gaps} gap${gaps === 1 ? "" : "s"}`,
        )
        .toSorted(),
    );
    assert.equal(
      await page.locator(".cover.healed").count(),
      3,
      "three losses were repaired, one of them an order",
    );
    await page.getByRole("group", { name: "Span" }).getByRole("button", { name: "All" }).click();
    await page.locator(".cover.unprovable").first().waitFor();
    assert.match(
      (await page.locator(".cover.unprovable").first().getAttribute("title"))!,
      /older than the orders that the venue still lists/,
    );
    assert.deepEqual(await page.locator(".legend li").allInnerTexts(), [
      ...["proven", "watched live", "unprovable", "gap", "healed"],
    ]);
    const outcomes = (await rowsOf(page, "drift")).map((cells) => cells.at(-1)!);
    assert.ok(
      outcomes.length === 3 && outcomes.every((text) => /^✓ healed in \d+\.\d s$/.test(text)),
      outcomes.join(),
    );

    type Hops = Record<string, { summary: { samples: number } | null }>;
    const hops = await eventually(
      "a measured commit",
      async () =>
        ((await (await fetch(`${server.url}/api/latency`)).json()) as { since_start: Hops }).since_start,
      ({ committed }) => committed?.summary !== null,
    );
    const samples = page.locator('tr[data-hop="committed"] td[data-part="samples"]');
    await eventually(
      "the same on the page",
      () => samples.innerText(),
      (text) => Number(text) >= hops.committed!.summary!.samples,
    );
    assert.ok((await page.locator('ul[aria-label^="Distribution of"] li').count()) > 0);
    // What an earlier process delivered is history worth showing.
    const delivered = page.locator('tr[data-hop="delivered"]');
    assert.equal(await delivered.count(), 0);
    await target.database.query(
      `insert into hl_internal.latency_minutes (minute_ms, hop, instance, samples, p50_ms, p90_ms, p99_ms, max_ms)
       values ($1, 'delivered', 'earlier', 3, 40, 50, 60, 60)`,
      [Date.now() - 600_000],
    );
    await delivered.waitFor();
    const meter = page.getByRole("meter", { name: "REST weight of the last minute" });
    assert.deepEqual(
      [await meter.getAttribute("aria-valuenow"), await meter.getAttribute("aria-valuemax")],
      ["184", "1200"],
    );
    const facts = await page.locator(".facts").first().innerText();
    assert.match(facts, /Reconnects\s+2, last: the venue closed it \(1000 Expired\)/);
    assert.match(facts, /Found\s+3 healed, 0 not explained/);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  it("finds what is displayed, chooses by coin, and says so in the address", async () => {
    const { page, context } = await openPage(browser, `${server.url}/#fills`);
    const most = await sql<{ shown: string }>(
      `select to_char(max(closed_pnl), 'FM+999999.00') as shown from hl_fills where account_address = $1 and coin = 'SOL'`,
    );
    const isBest = (rows: string[][]) =>
      rows.length > 0 && rows.every((cells) => cells[1] === "SOL") && rows[0]!.at(-1) === most[0]!.shown;
    await page.getByLabel("Only this coin").selectOption("SOL");
    await page.getByRole("button", { name: "Closed PNL" }).click();
    await eventually("the best trade first", () => rowsOf(page, "fills"), isBest);
    await page.getByRole("searchbox").fill(most[0]!.shown);
    await eventually(
      "what is displayed",
      () => rowsOf(page, "fills"),
      (rows) => isBest(rows) && rows.length < 9,
    );
    const chosen = new URLSearchParams(new URL(page.url()).hash.slice("#fills?".length));
    assert.deepEqual(Object.fromEntries(chosen), {
      coin: "SOL",
      sort: "-closed_pnl",
      filter: most[0]!.shown,
    });
    await page.reload();
    await eventually(
      "the same behind the address",
      () => rowsOf(page, "fills"),
      (rows) => isBest(rows) && rows.length < 9,
    );
    await page.getByRole("link", { name: "Ledger" }).click();
    await page.locator('[data-table="ledger"]').waitFor();
    await page.getByRole("link", { name: "Fills" }).click();
    await eventually(
      "the same behind its tab",
      () => rowsOf(page, "fills"),
      (rows) => isBest(rows) && rows.length < 9,
    );
    // From a day to a day, and decimals under each other: as many as any fill of the coin has.
    await page.evaluate(() => {
      location.hash = "#fills";
    });
    await page.locator('[data-table="fills"] tbody tr').nth(20).waitFor();
    const aligned = (await rowsOf(page, "fills")).map(([, coin, , price, size]) => [
      coin,
      `${price!.split(".")[1]?.length ?? 0} ${size!.split(".")[1]?.length ?? 0}`,
    ]);
    for (const coin of new Set(aligned.map(([name]) => name)))
      assert.equal(
        new Set(aligned.filter(([name]) => name === coin).map(([, count]) => count)).size,
        1,
        coin,
      );
    const [days] = await sql<{ from: string; to: string; n: number }>(
      `select max(d) filter (where r = 3)::text as from, max(d) filter (where r = 2)::text as to,
         sum(n) filter (where r in (2, 3))::int as n
       from (select d, count(*) as n, row_number() over (order by d desc) as r from (
         select (fill_time at time zone 'UTC')::date as d from hl_fills where account_address = $1) f group by d) g`,
    );
    await page.locator("summary", { hasText: "Dates" }).click();
    await page.getByLabel("From").fill(days!.from);
    await page.getByLabel("To", { exact: true }).fill(days!.to);
    await eventually(
      "the fills of two days",
      () => page.locator('[data-table="fills"] .count').innerText(),
      (text) => plain(text).startsWith(`${days!.n} of `) && !text.includes("reading"),
    );
    await page.waitForURL(new RegExp(`from=${days!.from}&to=${days!.to}`));
    await context.close();
  });

  it("goes by the days and times of another zone, hides amounts, and tells of alerts where it is asked to", async () => {
    const zone = "America/New_York";
    const context = await browser.newContext({ timezoneId: zone, viewport: { width: 1440, height: 900 } });
    await context.addInitScript(() => {
      const told: string[] = [];
      Object.assign(window, { told });
      // biome-ignore lint/suspicious/noExplicitAny: stands for the browser's own
      (window as any).Notification = class {
        static permission = "default";
        static requestPermission = async () => {
          Object.assign(Notification, { permission: "granted" });
          return "granted";
        };
        constructor(title: string, { body }: { body: string }) {
          told.push(`${title}: ${body}`);
        }
      };
    });
    const page = await context.newPage();
    await page.goto(`${server.url}/#fills`);
    await page.waitForSelector('[data-ready="true"]');
    await page.keyboard.press(",");
    await page.getByLabel("Times and days").selectOption("local");
    await page.getByRole("columnheader", { name: "Time (New York)" }).waitFor();
    await page.locator('[data-table="fills"] tbody tr').first().waitFor();
    const at = `to_char(fill_time at time zone '${zone}', 'YYYY-MM-DD HH24:MI:SS')`;
    const [newest] = await sql<{ at: string }>(
      `select ${at} as at from hl_fills where account_address = $1 order by fill_time desc limit 1`,
    );
    assert.equal((await rowsOf(page, "fills"))[0]![0], newest!.at);
    // Sums that no view has: they are made by the days of the zone.
    const sums = `select to_char(day, 'YYYY-MM-DD') as day, sum(fills)::int as fills,
        round(sum(closed_pnl) - sum(fees) + sum(funding), 2)::text as net from (
      select (fill_time at time zone '${zone}')::date as day, 1 as fills, closed_pnl, cost_usdc as fees, 0 as funding
      from hl_fill_pnl where account_address = $1 union all
      select (funding_time at time zone '${zone}')::date, 0, 0, 0, usdc from hl_funding where account_address = $1) x
      group by 1 order by 1`;
    await page.keyboard.press("1");
    const days = page.locator("a.day [title]");
    await days.first().waitFor();
    const shown = await days.evaluateAll((cells) => cells.map((cell) => cell.getAttribute("title")!));
    const month = new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" })
      .format(Date.now())
      .slice(0, 7);
    const stored = (await sql<{ day: string; fills: number; net: string }>(sums)).filter(({ day }) =>
      day.startsWith(month),
    );
    assert.deepEqual(
      shown.map((title) => plain(title).split(/ fills?\b/)[0]),
      stored.map(({ day, fills, net }) => `${day}: net ${net} ${fills}`),
    );
    const today = stored.at(-1)!;
    const tile = page.locator('[data-tile="day_net"] .value');
    assert.equal(await page.locator('[data-tile="day_funding"] .note').innerText(), "New York day");
    if (today.day === newest!.at.slice(0, 10)) assert.equal(plain(await tile.innerText()), today.net);
    await page.getByRole("button", { name: "Hide amounts" }).click();
    assert.equal(
      await tile.locator("span").evaluate((node) => getComputedStyle(node).color),
      "rgba(0, 0, 0, 0)",
    );
    // Rows open all the same, and words that tell amounts are hidden with them.
    const { x, y } = (await page.locator("a.day").first().boundingBox())!;
    const over = await page.evaluate(
      ([x, y]) => document.elementFromPoint(x!, y!)?.closest("[title]")?.getAttribute("title") ?? null,
      [x + 5, y + 5],
    );
    assert.equal(over, null, "a day tells its amounts when it is pointed at");
    await page.mouse.click(x + 5, y + 5);
    await page.waitForURL(/#fills\?.*day=/);
    await page.locator('[data-table="fills"] tbody td[data-column="size"]').first().click();
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".tabs a", { hasText: "Sync" }).click();
    const told = page.locator('[data-table="drift"] td[data-column="detail"] span').first();
    assert.equal(await told.evaluate((node) => getComputedStyle(node).color), "rgba(0, 0, 0, 0)");
    await page.locator(".tabs a", { hasText: "Overview" }).click();
    await tile.waitFor();
    await page.keyboard.press("b");
    assert.notEqual(
      await tile.locator("span").evaluate((node) => getComputedStyle(node).color),
      "rgba(0, 0, 0, 0)",
    );
    await page.goto(`${server.url}/#statistics?group=weekday`);
    await page.locator('[data-table="groups"] tbody tr').first().waitFor();
    const [since] = await sql<{ ms: number }>(
      "select fill_time_ms as ms from hl_fills where account_address = $1 order by fill_time desc offset $2 limit 1",
      TRIP_FILLS,
    );
    const weekdays = await sql<{ trades: string }>(
      `select trades::text from hl_internal.trade_statistics($1, to_timestamp($2::bigint / 1000.0), 'weekday', '${zone}') order by key`,
      since!.ms,
    );
    assert.deepEqual(
      (await rowsOf(page, "groups")).map((cells) => cells[1]),
      weekdays.map(({ trades }) => trades),
    );
    for (const wrong of ["Mars/Olympus", "+02:00", ""])
      assert.equal(
        (await fetch(`${server.url}/api/pnl?zone=${encodeURIComponent(wrong)}`)).status,
        400,
        wrong,
      );

    await page.keyboard.press(",");
    await page.getByLabel("Browser notifications of alerts").check();
    await page.keyboard.press("Escape");
    const [alert] = await sql<{ id: string }>(
      `insert into hl_alerts (key, rule, account_address, coin, state, severity, message, started_at, fired_at)
       values ('drawdown:zone', 'drawdown', $1, '', 'firing', 'warn', 'WARN drawdown 12 %', now(), now() + interval '1 s') returning id::text`,
    );
    const change = { key: "alert:2", type: "alert.fired", account: ACCOUNT, timeMs: Date.now(), data: {} };
    await target.database.query("select hl_internal.publish($1::json)", [JSON.stringify([change])]);
    await eventually(
      "the notification",
      () => page.evaluate(() => (window as unknown as { told: string[] }).told),
      (told) => told.join() === "drawdown: WARN drawdown 12 %",
    );
    // The count is another question than the alert itself.
    await page.getByRole("link", { name: "Alerts 1" }).waitFor();
    await eventually(
      "the count in the title",
      () => page.title(),
      (title) => /^\(1\) /.test(title),
    );
    await target.database.query("delete from hl_alerts where id = $1", [alert!.id]);
    await context.close();
  });

  it("puts all accounts beside each other, their sums as SQL has them, and remembers it", async (t) => {
    const second = `0x${"7b".repeat(20)}`;
    await makeAccount(target.store, {
      ...{ fills: 150, nowMs: Date.now(), seed: 5, spacingMs: 9_000_000 },
      ...{ account: second, alias: "second" },
    });
    const followed = { main: ACCOUNT, second };
    const both = await startHandServer(target.store, made, { host: "127.0.0.1", port: 0 }, null, followed);
    t.after(() => both.stop());
    const { page, context, complaints } = await openPage(browser, `${both.url}/`);
    await page.locator("select.account").selectOption("All accounts");
    await page.locator('[data-table="accounts"] tbody tr').first().waitFor();
    assert.match(page.url(), /#all/);
    const card = async (name: string) =>
      plain(await page.locator(`[data-tile="all_${name}"] .value`).innerText());
    const [sums] = await sql<Record<string, string>>(
      `select round(sum(n.net_worth), 2) as worth, round(sum(n.account_value), 2) as equity,
         (select round(sum(unrealized_pnl), 2) from hl_positions where side <> 'flat' and account_address in ($1, $2)) as upnl,
         (select round(sum(position_value), 2) from hl_positions where side <> 'flat' and account_address in ($1, $2)) as gross,
         (select round(coalesce(sum(net_pnl), 0), 2) from hl_net_pnl_daily
          where account_address in ($1, $2) and day = (now() at time zone 'UTC')::date) as net
       from hl_account_now n where n.account_address in ($1, $2)`,
      second,
    );
    await eventually(
      "the sums as SQL has them",
      () => Promise.all(["net_worth", "equity", "unrealized", "exposure", "day_net"].map(card)),
      equals([sums!.worth, sums!.equity, sums!.upnl, sums!.gross, sums!.net]),
    );
    const each = await sql<Record<string, string>>(
      `select round(net_worth, 2) as worth, round(account_value, 2) as equity, coalesce(health_score::text, '–') as health from hl_account_now
       where account_address in ($1, $2) order by account_address`,
      second,
    );
    await eventually(
      "the rows of both accounts",
      async () => (await rowsOf(page, "accounts")).map((cells) => cells.slice(0, 4).map(plain)),
      equals(each.map((row, index) => [["main", "second"][index], row.worth, row.equity, row.health])),
    );
    const [held] = await sql<{ n: number }>(
      "select count(*) as n from hl_positions where side <> 'flat' and account_address in ($1, $2)",
      second,
    );
    await eventually(
      "all positions",
      () => rowsOf(page, "allPositions"),
      ({ length }) => length === held!.n,
    );
    const chart = page.locator('[role=img][aria-label^="Net worth of each account and of all: from"]');
    await chart.waitFor();
    await eventually(
      "the line of all to end with their sum",
      async () => plain((await chart.getAttribute("aria-label"))!.split(" to ").at(-1)!),
      (end) => end === `${sums!.worth} USD`,
    );
    await chart.focus();
    await page.keyboard.press("ArrowLeft");
    assert.match(await chart.locator(".reading").innerText(), /All\s*[\d,.]+ USD/);
    assert.match(await chart.locator(".reading").innerText(), /second\s*[\d,.]+ USD/);
    await page.getByRole("button", { name: "Net PnL", exact: true }).click();
    await page.locator('[role=img][aria-label^="Net PnL of each account and of all: from"]').waitFor();
    // The choice of the account keeps its room on the narrowest phone.
    await page.setViewportSize({ width: 320, height: 640 });
    // A chart takes its new width a moment after the window.
    await eventually(
      "the page to fit",
      () =>
        Promise.all([
          page.evaluate(() => innerWidth - document.documentElement.scrollWidth),
          page.locator("select.account").boundingBox(),
        ]),
      ([spare, chooser]) => spare >= 0 && chooser!.width > 200 && chooser!.height >= 24,
    );
    await page.setViewportSize({ width: 1440, height: 900 });
    assert.match(page.url(), /what=profit/);
    await page.goto("about:blank");
    await page.goto(`${both.url}/`);
    await page.locator('[data-table="accounts"] tbody tr').first().waitFor();
    assert.equal(await page.locator("select.account").inputValue(), "all", "remembered");
    // What one has in the other's vault counts once, so that no line of all is drawn.
    await sql(
      `insert into hl_account_facts (account_address, fact, value, as_of_ms)
       values ($2, 'vaults', jsonb_build_array(jsonb_build_object('vaultAddress', $1::text, 'equity', '100.5')), $3)
       on conflict (account_address, fact) do update set value = excluded.value, as_of_ms = excluded.as_of_ms`,
      second,
      Date.now(),
    );
    await page.goto("about:blank");
    await page.goto(`${both.url}/#all?what=worth`);
    const worth = page.locator('[data-tile="all_net_worth"]');
    await worth.filter({ hasText: "100.50 in vaults of theirs counted once" }).waitFor();
    await page
      .locator('[role=img][aria-label="Net worth of each account and of all"][tabindex="0"]')
      .waitFor();
    // What is chosen in either table stands in the address.
    const ofPositions = page.locator('[data-table="allPositions"]');
    await ofPositions.getByRole("searchbox").fill("second");
    await page.locator('[data-table="accounts"]').getByRole("searchbox").fill("s");
    await page.waitForURL(/filter=s(&|$)/);
    await page.reload();
    await ofPositions.waitFor();
    assert.equal(await ofPositions.getByRole("searchbox").inputValue(), "second");
    assert.equal(await page.locator('[data-table="accounts"]').getByRole("searchbox").inputValue(), "s");
    await page.locator("select.account").selectOption(second);
    await page.locator(".view-overview").waitFor();
    await page.goBack();
    await page.locator('[data-table="accounts"]').waitFor();
    assert.doesNotMatch(page.url(), /account=/);
    await page.locator('[data-table="accounts"] tbody tr', { hasText: "second" }).click();
    await page.locator(".view-overview").waitFor();
    assert.equal(await page.locator("select.account").inputValue(), second);
    // The account is chosen for all tabs: none brings back the one that was looked at when it was open.
    const shown = page.locator("select.account");
    const tab = (title: string) => page.locator(".tabs a", { hasText: title }).first().click();
    await tab("Fills");
    await shown.selectOption(ACCOUNT);
    await tab("Overview");
    await shown.selectOption(second);
    await tab("Fills");
    await page.locator('[data-table="fills"]').waitFor();
    assert.equal(await shown.inputValue(), second);
    assert.match(page.url(), new RegExp(`#fills\\?.*account=${second}`));
    // Nobody that is followed: the address says who is shown instead.
    await page.evaluate(() => {
      location.hash = "fills?account=0xnope";
    });
    await page.waitForURL(new RegExp(`account=${second}`));
    assert.deepEqual(complaints, []);
    await context.close();
  });

  it("says of a history that could not be read that it is not known, and reads it again", async () => {
    const { page, context } = await openPage(browser, `${server.url}/#overview`);
    let refused = 0;
    await page.route("**/api/ledger?**", (route) => {
      refused += 1;
      return refused > 1 ? route.continue() : route.fulfill({ status: 503, json: { error: "not now" } });
    });
    await page.locator(".tabs a", { hasText: "Ledger" }).click();
    const table = page.locator('[data-table="ledger"]');
    await table.getByText("could not be read: not now").waitFor();
    assert.equal(await table.getByText("No deposit, withdrawal or transfer yet").count(), 0);
    await table.locator("tbody tr:not(.filler)").first().waitFor();
    assert.equal(await table.getByText("could not be read").count(), 0);
    await context.close();
  });

  it("shows alerts and deliveries as they come", async () => {
    const { page, context } = await openPage(browser, `${server.url}/#alerts`);
    await page.locator('[data-table="alerts"]').waitFor();
    assert.deepEqual(await rowsOf(page, "alerts"), []);
    const message = "CRIT SOL long 3.9 % from liquidation (0.8 daily moves). Mark 86.1, liq 82.7. 0.6 s old.";
    await sql(
      `insert into hl_alerts (key, rule, account_address, coin, state, severity, message, value, threshold, started_at, fired_at)
       values ('liquidation_distance:' || $1 || ':SOL:', 'liquidation_distance', $1, 'SOL', 'firing', 'crit', $2, 3.9, 5, now(), now())`,
      message,
    );
    await target.database.query("select hl_internal.publish($1::json)", [
      JSON.stringify([
        { key: "alert:1", type: "alert.fired", account: ACCOUNT, timeMs: Date.now(), data: { message } },
      ]),
    ]);
    const [row] = await eventually(
      "the alert",
      () => rowsOf(page, "alerts"),
      (rows) => rows.length === 1,
    );
    assert.deepEqual(row!.slice(1), ["✕ Critical", "Firing", "liquidation_distance", "SOL", message]);
    const rules = page.locator(".control");
    await rules.locator("summary", { hasText: /rules, 1 firing, 0 silences/ }).waitFor();
    const rule = rules.locator(".control-row", { hasText: "liquidation_distance" });
    assert.match(
      await rule.innerText(),
      /✕ 1 firing[\s\S]*crit below 5 % or 1 daily move \(clears at 6 % or 1\.2\)/,
    );
    assert.equal(await rule.getByRole("button").isDisabled(), true, "there is no token");
    assert.match(await rules.getByRole("status").innerText(), /HLSYNC_TOKEN/);

    await target.database.query(
      `insert into hl_internal.webhook_endpoints (id, url, format, events, since_ms)
       values ('ops', 'https://ops.example/hook', 'standard', array['*'], 0)`,
    );
    await sql(
      `insert into hl_internal.webhook_deliveries
       values ('ops', 'msg_1', 1, $1, 'fill.created', $2, 'retrying', 3, 503, 'answered 503', $2, $2::bigint + 700, 140)`,
      Date.UTC(2026, 9, 5, 12),
    );
    await page.keyboard.press("]");
    const [delivery] = await eventually(
      "the delivery",
      () => rowsOf(page, "deliveries"),
      (rows) => rows.length === 1,
    );
    assert.deepEqual(delivery!.slice(1), [
      ...["ops", "fill.created", "2026-10-05 12:00:00", "↻ retrying", "3", "503", "140 ms", "answered 503"],
    ]);
    await target.database.query(
      "update hl_internal.webhook_deliveries set status = 'delivered', attempts = 4, status_code = 204, error = null",
    );
    await eventually(
      "the delivery's end, while one looks",
      () => rowsOf(page, "deliveries"),
      ([cells]) => cells!.slice(4, 7).join() === "✓ delivered,4,204",
    );
    const endpoints = page.locator(".control");
    await eventually(
      "the endpoint's counts",
      () => endpoints.locator(".control-row").innerText(),
      (words) => /ops[\s\S]*✓ ok[\s\S]*https:\/\/ops\.example\/… · \*[\s\S]*1 delivered, 0 dead/.test(words),
    );
    await context.close();
  });
});
