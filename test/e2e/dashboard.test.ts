/**
 * The dashboard in Chromium, on an account with 10 000 fills that stands still until the test moves it: numbers equal SQL,
 * tables of any length, live changes, resumption, staleness, both themes, phones, keys and names.
 */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { sum } from "../../src/runtime/decimal.ts";
import { hlsync } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { eventually } from "../support/until.ts";
import { ACCOUNT, type MadeAccount, makeAccount } from "./dashboardAccount.ts";
import { launch, noBrowser, openPage, plain, tile, type View } from "./dashboardBrowser.ts";
import { type HandServer, startHandServer } from "./dashboardServer.ts";
import { fillPaintedAt } from "./dashboardTimes.ts";

const FILLS = 10_000;

/** As the page writes an amount with a sign: cents, or more places for what would read as nothing. */
const cents = (sql: string) =>
  `round(${sql}, case when ${sql} <> 0 and round(${sql}, 2) = 0 then 4 else 2 end)`;

describe("the dashboard", { skip: noBrowser }, () => {
  let postgres: TestServer;
  let target: TestDatabase;
  let made: MadeAccount;
  let server: HandServer;
  let begunMs = 0;
  let browser: Browser;

  before(async () => {
    postgres = await startServer();
    target = await postgres.newDatabase();
    made = await makeAccount(target.store, { fills: FILLS, nowMs: Date.now(), seed: 7 });
    server = await startHandServer(target.store, made);
    begunMs = Date.now();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await target?.close();
    await postgres?.stop();
  });

  const one = async (sql: string): Promise<Record<string, string>> => {
    const [row] = await target.database.query<Record<string, string>>(sql, [ACCOUNT]);
    return row!;
  };
  const open = (tab: string, look?: Parameters<typeof openPage>[2]): Promise<View> =>
    openPage(browser, `${server.url}/#${tab}`, look);
  const rowsOf = (page: Page, table: string): Promise<string[][]> =>
    page
      .locator(`[data-table="${table}"] tbody tr:not(.filler)`)
      .evaluateAll((rows) =>
        rows.map((row) => [...(row as HTMLTableRowElement).cells].map((cell) => cell.innerText)),
      );
  const liveFill = () => ({ ...made.nextFill(Date.now() - 40), source: "stream" as const });

  it("shows in its tiles what SQL says", async () => {
    const { page, context } = await open("overview");
    const sql = await one(`
      select round(n.account_value, 2) as equity, n.health_score, n.health_status,
        round(x.gross_value, 2) as gross, ${cents("x.net_value")} as net,
        (select ${cents("sum(unrealized_pnl)")} from hl_positions where account_address = n.account_address and side <> 'flat') as upnl,
        coalesce((select ${cents("net_pnl")} from hl_net_pnl_daily
          where account_address = n.account_address and day = (now() at time zone 'UTC')::date), 0.00) as day_net,
        coalesce((select ${cents("-fees")} from hl_net_pnl_daily
          where account_address = n.account_address and day = (now() at time zone 'UTC')::date), 0.00) as day_fees,
        (select round(drawdown_pct, 2) from hl_equity where account_address = n.account_address order by as_of desc limit 1) as drawdown
      from hl_account_now n join hl_exposure_total x using (account_address) where account_address = $1`);
    for (const [name, column] of [
      ["equity", "equity"],
      ["exposure", "gross"],
      ["unrealized", "upnl"],
      ["day_net", "day_net"],
      ["day_fees", "day_fees"],
      ["drawdown", "drawdown"],
    ] as const) {
      assert.equal(await tile(page, name), sql[column], name);
    }
    assert.equal(plain(await page.locator('[data-value="net_exposure"]').innerText()), sql.net);
    assert.match(
      await page.locator('[data-tile="health"] .value').innerText(),
      new RegExp(`${sql.health_score} ${sql.health_status}`),
    );
    await context.close();
  });

  it("shows positions, profit by coin and by day as SQL has them", async () => {
    const { page, context } = await open("overview");
    const positions = await target.database.query<Record<string, string>>(
      `select coin, side, trim_scale(size) as size, round(position_value, 2) as value, ${cents("unrealized_pnl")} as pnl,
         round(margin_used, 2) as margin, ${cents("-funding_since_open")} as funding
       from hl_positions where account_address = $1 and side <> 'flat' order by hl_positions.position_value desc`,
      [ACCOUNT],
    );
    const shown = (await rowsOf(page, "positions")).map((cells) => cells.map(plain));
    assert.equal(shown.length, positions.length);
    for (const [index, row] of positions.entries()) {
      const cells = shown[index]!;
      assert.ok(cells[0]!.startsWith(row.coin!));
      assert.equal(cells[1]!.toLowerCase(), `${row.side} ${row.size}`);
      assert.deepEqual(
        [cells[2], cells[5]!.split(" ")[0], cells[8], cells[9]],
        [row.value, row.pnl, row.margin, row.funding],
      );
    }
    const coins = await target.database.query<Record<string, string>>(
      `select coin, ${cents("net_pnl")} as net from hl_net_pnl_by_coin where account_address = $1
       order by abs(hl_net_pnl_by_coin.net_pnl) desc`,
      [ACCOUNT],
    );
    const bars = page.locator('ul[aria-label="Net profit by coin"] li');
    await bars.first().waitFor();
    const texts = await bars.evaluateAll((rows) =>
      rows.map((row) => (row as HTMLElement).innerText.split("\n")),
    );
    assert.deepEqual(
      texts.map((parts) => parts.map(plain)),
      coins.map(({ coin, net }) => [coin, net]),
    );
    const whole = await one(
      `select ${cents("sum(net_pnl)")} as net from hl_net_pnl_by_coin where account_address = $1`,
    );
    const total = page
      .locator('ul[aria-label="Gross, fees, funding and net"] li')
      .last()
      .locator(".bar-value");
    assert.equal(plain(await total.innerText()), whole.net);
    const today = await one(
      `select to_char(day, 'YYYY-MM-DD') as day, ${cents("net_pnl")} as net from hl_net_pnl_daily where account_address = $1
       order by hl_net_pnl_daily.day desc limit 1`,
    );
    const title = await page.locator(`a.day[href="#fills?day=${today.day}"] [title]`).getAttribute("title");
    assert.ok(plain(title!).startsWith(`${today.day}: net ${today.net}`), title!);
    await context.close();
  });

  it("shows one reading of today, wherever it stands on the page, while fills pour in", async () => {
    const { page, context } = await open("overview");
    await page.getByRole("button", { name: "Today" }).click();
    await page.locator("a.day").first().waitFor();
    // All of it in one look, between two frames.
    const look = () =>
      page.evaluate(() => {
        const text = (selector: string) => document.querySelector<HTMLElement>(selector)?.innerText ?? "";
        const tile = (name: string) => text(`[data-tile="${name}"] .value`);
        const steps = [
          ...document.querySelectorAll<HTMLElement>(
            'ul[aria-label="Gross, fees, funding and net"] .bar-value',
          ),
        ].map(({ innerText }) => innerText);
        const day = new Date().toISOString().slice(0, 10);
        const title =
          document.querySelector(`a.day[href="#fills?day=${day}"] [title]`)?.getAttribute("title") ?? "";
        const cells = (column: string) =>
          [
            ...document.querySelectorAll<HTMLElement>(`[data-table="positions"] td[data-column="${column}"]`),
          ].map(({ innerText }) => innerText);
        return {
          tiles: [
            tile("day_net"),
            tile("day_fees"),
            tile("day_funding"),
            text('[data-tile="day_net"] .note'),
          ],
          steps: [steps[3], steps[1], steps[2], `gross ${steps[0]}`],
          net: [tile("day_net"), /net (\S+),/.exec(title)?.[1]],
          fills: [text('[data-tile="day_fees"] .note').split(",")[0], /(\S+ fills?),/.exec(title)?.[1]],
          exposure: [tile("exposure"), cells("position_value")] as const,
        };
      });
    const seen = new Set<string>();
    for (let n = 0; n < 12; n++) {
      await server.commit({ fills: [liveFill()] });
      for (let again = 0; again < 8; again++) {
        const { tiles, steps, net, fills, exposure } = await look();
        assert.deepEqual(steps, tiles);
        assert.equal(net[1], net[0], "the calendar's today is the tile");
        assert.equal(fills[1], fills[0]);
        const total = exposure[1].reduce((sum, value) => sum + Number(plain(value)), 0);
        assert.ok(Math.abs(total - Number(plain(exposure[0]))) <= 0.005 * exposure[1].length);
        seen.add(tiles.join());
        await page.waitForTimeout(30);
      }
    }
    // It did move meanwhile: the state comes once a second.
    assert.ok(seen.size >= 3, [...seen].join(" | "));
    await context.close();
  });

  it("holds 10 000 fills and draws only those in view", async () => {
    const { page, context } = await open("fills");
    const scroll = page.locator('[data-table="fills"] .table-scroll');
    const total = await one("select count(*) as n from hl_fills where account_address = $1");
    await eventually(
      "all fills",
      async () => {
        await scroll.evaluate((box) => box.scrollTo(0, box.scrollHeight));
        return page.locator('[data-table="fills"] .count').innerText();
      },
      (text) => plain(text).startsWith(String(total.n)),
    );
    assert.ok((await page.locator('[data-table="fills"] tbody tr').count()) < 120);
    const oldest = await one(
      `select to_char(fill_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as at, coin, trim_scale(price) as price, trim_scale(size) as size
       from hl_fills where account_address = $1 order by hl_fills.fill_time limit 1`,
    );
    await scroll.evaluate((box) => box.scrollTo(0, box.scrollHeight));
    const last = await eventually(
      "the oldest fill at the end",
      async () => (await rowsOf(page, "fills")).at(-1)!.map(plain),
      (cells) => cells[0] === oldest.at,
    );
    // Each coin has as many decimals as any of its fills: the value is the same.
    assert.deepEqual(
      [last[1], Number(last[3]), Number(last[4])],
      [oldest.coin, Number(oldest.price), Number(oldest.size)],
    );
    await context.close();
  });

  it("filters, sorts exactly, chooses columns and saves what is filtered with every digit", async () => {
    const { page, context } = await open("fills", { acceptDownloads: true });
    await page.locator('[data-table="fills"] tbody tr').first().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("sol close");
    const matching = await eventually(
      "filtered rows",
      () => rowsOf(page, "fills"),
      (rows) => rows.length > 0 && rows.every((cells) => cells[1] === "SOL" && cells[2]!.startsWith("Close")),
    );
    assert.ok(matching.length > 3);
    await page.locator('[data-table="fills"] summary', { hasText: "Columns" }).click();
    await page.getByLabel("Trade ID").check();
    await page.keyboard.press("Escape");
    const value = page.getByRole("columnheader", { name: "Trade Value" });
    await value.getByRole("button").click();
    assert.equal(await value.getAttribute("aria-sort"), "descending");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "CSV" }).click(),
    ]);
    const lines = readFileSync((await download.path())!, "utf8")
      .trim()
      .split("\r\n");
    const header = lines[0]!.split(",");
    const at = (name: string) => header.indexOf(name);
    const trades = lines.slice(1).map((line) => line.split(","));
    assert.ok(trades.every((cells) => cells[at("Coin")] === "SOL"));
    const stored = await target.database.query<Record<string, string>>(
      "select trade_id::text as id, hl_fills.value::text as value, fee::text as fee from hl_fills where trade_id = any ($1::bigint[])",
      [trades.map((cells) => cells[at("Trade ID")])],
    );
    const truth = new Map(stored.map((row) => [row.id, row]));
    for (const cells of trades) {
      const row = truth.get(cells[at("Trade ID")]!)!;
      assert.deepEqual([cells[at("Trade Value")], cells[at("Fee")]], [row.value, row.fee]);
    }
    const values = trades.map((cells) => Number(cells[at("Trade Value")]));
    assert.deepEqual(
      values,
      values.toSorted((a, b) => b - a),
    );
    await page.reload();
    await page.waitForSelector('[data-ready="true"]');
    assert.equal(
      await page.getByRole("columnheader", { name: "Trade ID" }).count(),
      1,
      "the choice is remembered",
    );
    await context.close();
  });

  it("sorts, filters and saves all rows of a history, not those that it has read so far", async () => {
    const tables = [
      {
        tab: "fills",
        column: "Trade Value",
        word: "sol",
        from: "hl_fills where account_address = $1",
        value: "hl_fills.value",
        filter: "coin = 'SOL'",
      },
      {
        tab: "orderHistory",
        column: "Filled Size",
        word: "eth",
        from: "hl_orders where account_address = $1 and status not in ('open', 'partially_filled', 'triggered')",
        value: "hl_orders.filled",
        filter: "coin = 'ETH'",
      },
    ];
    for (const { tab, column, word, from, value, filter } of tables) {
      const { page, context } = await open(tab, { acceptDownloads: true });
      const sql = await one(
        `select count(*) as n, count(*) filter (where ${filter}) as matching, trim_scale(max(${value})) as most,
           trim_scale(sum(${value}) filter (where ${filter})) as sum from ${from}`,
      );
      const rows = Number(sql.n).toLocaleString("en-US");
      const count = page.locator(`[data-table="${tab}"] .count`);
      await page.locator(`[data-table="${tab}"] tbody tr`).first().waitFor();
      await eventually(
        "the count",
        () => count.innerText(),
        (text) => text === `newest 1,000 of ${rows} rows`,
      );
      await page.getByRole("columnheader", { name: column }).getByRole("button").click();
      await eventually(
        "all rows",
        () => count.innerText(),
        (text) => text === `${rows} rows`,
      );
      const at = (await page.locator(`[data-table="${tab}"] thead th`).allInnerTexts()).findIndex((text) =>
        text.startsWith(column),
      );
      const first = plain((await rowsOf(page, tab))[0]![at]!);
      assert.equal(Number(first), Number(Number(sql.most).toFixed(tab === "fills" ? 2 : 8)));
      await context.close();

      const fresh = await open(tab, { acceptDownloads: true });
      await fresh.page.locator(`[data-table="${tab}"] tbody tr`).first().waitFor();
      await fresh.page.keyboard.press("/");
      await fresh.page.keyboard.type(word);
      const matching = Number(sql.matching).toLocaleString("en-US");
      await eventually(
        "all that match",
        () => fresh.page.locator(`[data-table="${tab}"] .count`).innerText(),
        (text) => text === `${matching} of ${rows} rows`,
      );
      await fresh.context.close();

      const again = await open(tab, { acceptDownloads: true });
      await again.page.locator(`[data-table="${tab}"] tbody tr`).first().waitFor();
      const [download] = await Promise.all([
        again.page.waitForEvent("download"),
        again.page.getByRole("button", { name: "CSV" }).click(),
      ]);
      const [head, ...lines] = readFileSync((await download.path())!, "utf8")
        .trim()
        .split("\r\n")
        .map((line) => line.split(","));
      assert.equal(lines.length, Number(sql.n));
      const saved = lines.filter((cells) => cells[head!.indexOf("Coin")]?.toLowerCase() === word);
      assert.equal(sum(saved.map((cells) => cells[head!.indexOf(column)]!)), sql.sum);
      await again.context.close();
    }
  });

  it("shows a fill as soon as it is committed", async (t) => {
    const { page, context } = await open("fills");
    await page.locator('[data-table="fills"] tbody tr').first().waitFor();
    const lags: number[] = [];
    for (let n = 0; n < 20; n++) {
      const fill = liveFill();
      const painted = fillPaintedAt(page, fill.size);
      await server.commit({ fills: [fill] });
      const committedMs = Date.now();
      lags.push((await painted) - committedMs);
    }
    lags.sort((a, b) => a - b);
    t.diagnostic(`committed → painted: median ${lags[10]} ms, worst ${lags.at(-1)} ms`);
    assert.ok(lags[10]! < 500 && lags.at(-1)! < 3_000, lags.join(" "));
    const report = await eventually(
      "the painted hop",
      async () =>
        (
          (await (await fetch(`${server.url}/api/latency`)).json()) as {
            since_start: { painted: { summary: { samples: number } | null } };
          }
        ).since_start.painted.summary,
      (summary) => (summary?.samples ?? 0) >= 20,
    );
    assert.ok(report!.samples >= 20);
    assert.match(
      await (await fetch(`${server.url}/metrics`)).text(),
      /hlsync_hop_seconds_count\{hop="painted"\} \d+/,
    );
    await context.close();
  });

  it("goes on behind the last change after the server was away, and says so meanwhile", async () => {
    const { page, context } = await open("fills", { acceptDownloads: true });
    await page.locator('[data-table="fills"] tbody tr').first().waitFor();
    await server.commit({ fills: [liveFill()] });
    const total = (text: string) => Number(plain(text).match(/(\d+) rows/)![1]);
    const known = total(await page.locator('[data-table="fills"] .count').innerText());
    await server.stop();
    await page.locator('[data-freshness="away"]').waitFor();
    assert.match(
      await page.locator(".old-note").innerText(),
      /hlsync does not answer.* as of \d\d:\d\d:\d\d UTC/,
    );
    await page.setViewportSize({ width: 390, height: 844 });
    const cut = await page
      .locator(".strip .item")
      .evaluateAll((items) =>
        items
          .filter((item) => item.scrollWidth > item.clientWidth)
          .map((item) => (item as HTMLElement).innerText),
      );
    assert.deepEqual(cut, [], "every word of the strip is whole on a phone");
    await page.setViewportSize({ width: 1440, height: 900 });
    const missed = Array.from({ length: 300 }, () => ({
      ...made.nextFill(Date.now()),
      source: "stream" as const,
    }));
    for (const fill of missed) await target.store.apply({ fills: [fill] });
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await server.restart();
    await page.locator('[data-freshness="live"]').waitFor();
    await eventually(
      "all that was missed",
      () => page.locator('[data-table="fills"] .count').innerText(),
      (text) => total(text) >= known + missed.length,
    );
    assert.ok(
      !asked.includes("/api/fills"),
      `resumed by the stream, not by reading again: ${asked.join(" ")}`,
    );
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "CSV" }).click(),
    ]);
    const lines = readFileSync((await download.path())!, "utf8")
      .trim()
      .split("\r\n");
    const column = lines[0]!.split(",").indexOf("Trade ID");
    const shown = lines.slice(1).map((line) => line.split(",")[column]);
    const stored = await target.database.query<{ id: string }>(
      `select trade_id::text as id from hl_fills where account_address = $1 order by fill_time desc, trade_id desc limit $2`,
      [ACCOUNT, shown.length],
    );
    assert.deepEqual(
      shown.toSorted(),
      stored.map(({ id }) => id).toSorted(),
      "nothing missed, nothing twice",
    );
    await context.close();
  });

  it("reads everything again when the outbox does not reach back to where it was", async () => {
    const { page, context } = await open("fills");
    await page.locator('[data-table="fills"] tbody tr').first().waitFor();
    await server.stop();
    await page.locator('[data-freshness="away"]').waitFor();
    for (let n = 0; n < 5; n++)
      await target.store.apply({ fills: [{ ...made.nextFill(Date.now()), source: "stream" }] });
    await target.database.query("delete from hl_internal.outbox");
    const fill = made.nextFill(Date.now());
    await target.store.apply({ fills: [{ ...fill, source: "stream" }] });
    await server.restart();
    await page.locator('[data-freshness="live"]').waitFor();
    await eventually(
      "the newest fill",
      async () => (await rowsOf(page, "fills")).map((cells) => Number(plain(cells[4]!))),
      (sizes) => sizes.includes(Number(fill.size)),
    );
    await context.close();
  });

  it("dims and dates what it shows when the venue goes silent, and recovers", async () => {
    const { page, context } = await open("overview");
    const ready = () => fetch(`${server.url}/readyz`).then(({ status }) => status);
    // It cannot have been silent since before it began.
    await page.waitForTimeout(Math.max(0, begunMs + 21_000 - Date.now()));
    await page.locator('[data-freshness="live"]').waitFor();
    server.silentSinceMs = Date.now() - 20_000;
    await page.locator('[data-freshness="stale"]').waitFor();
    const dated = new Date(server.silentSinceMs).toISOString().slice(11, 19);
    assert.match(
      await page.locator('[data-item="Feed"]').innerText(),
      new RegExp(`▲\\s*stale\\s*as of ${dated} UTC`),
    );
    assert.match(
      await page.locator(".old-note").innerText(),
      new RegExp(`venue has gone silent.*as of ${dated} UTC`),
    );
    const color = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((node) => getComputedStyle(node).color);
    assert.equal(
      await color('[data-tile="equity"] .value'),
      await color(".item-name"),
      "as quiet as a label",
    );
    assert.equal(
      await color('[data-tile="unrealized"] .value span'),
      await color(".item-name"),
      "without its color",
    );
    await eventually(
      "the title",
      () => page.title(),
      (title) => title.startsWith("(stale)"),
    );
    await eventually("not ready", ready, (status) => status === 503);
    server.silentSinceMs = null;
    await page.locator('[data-freshness="live"]').waitFor();
    await eventually("ready again", ready, (status) => status === 200);
    await context.close();
  });

  it("asks nothing of any other machine", async () => {
    const { page, context, asked, complaints } = await open("overview");
    await page.locator('ul[aria-label="Net profit by coin"] li').first().waitFor();
    assert.deepEqual([...new Set(asked.map((url) => new URL(url).origin))], [server.url]);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  it("fits every view on a phone and a desktop, in both themes, without a complaint", async () => {
    for (const [width, colorScheme] of [
      [390, "dark"],
      [320, "light"],
      [1440, "light"],
    ] as const) {
      const { page, context, complaints } = await open("overview", {
        viewport: { width, height: 844 },
        colorScheme,
        hasTouch: width < 600,
        isMobile: width < 600,
      });
      const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      assert.equal(ground, colorScheme === "dark" ? "rgb(13, 17, 21)" : "rgb(244, 246, 248)");
      for (const href of await page
        .locator("nav.tabs a")
        .evaluateAll((links) => links.map((link) => link.getAttribute("href")!))) {
        await page.evaluate((hash) => {
          location.hash = hash;
        }, href);
        await page.locator(`.view-${href.slice(1)}`).waitFor();
        const overflow = await page.evaluate(() => {
          const isWide = document.documentElement.scrollWidth - innerWidth;
          // An account of one market has nothing to choose by.
          const facets = [...document.querySelectorAll<HTMLElement>(".table-tools .facet")];
          const places = facets.map((node) => [node, node.nextSibling, node.parentNode!] as const);
          for (const node of facets) node.remove();
          const isWideWithout = document.documentElement.scrollWidth - innerWidth;
          for (const [node, next, parent] of places.reverse()) parent.insertBefore(node, next);
          return Math.max(isWide, isWideWithout);
        });
        const cut = await page.evaluate(() =>
          [...document.querySelectorAll<HTMLDetailsElement>("details.menu")].flatMap((menu) => {
            menu.open = true;
            const { left, right } = menu.querySelector(".menu-body")!.getBoundingClientRect();
            const isWide = document.documentElement.scrollWidth > innerWidth;
            menu.open = false;
            return left < 0 || right > innerWidth || isWide ? [`${menu.innerText} ${left} ${right}`] : [];
          }),
        );
        assert.deepEqual(cut, [], `${href} at ${width}: a menu that is cut off`);
        const low = await page.evaluate(() =>
          matchMedia("(pointer: coarse)").matches
            ? [
                ...document.querySelectorAll<HTMLElement>(
                  ".button, select, .tabs a, .choice button, thead th button, input",
                ),
              ]
                .filter(
                  (node) =>
                    node.offsetHeight > 0 &&
                    node.offsetHeight < 44 &&
                    node.getAttribute("type") !== "checkbox",
                )
                .map((node) => `${node.offsetHeight} ${node.outerHTML.slice(0, 90)}`)
            : [],
        );
        assert.deepEqual(low, [], `${href} at ${width}: lower than a finger`);
        assert.ok(overflow <= 0, `${href} at ${width} is ${overflow} px too wide`);
      }
      assert.deepEqual(complaints, []);
      await context.close();
    }
  });

  it("draws its charts at any width, inside their panels", async () => {
    const { page, context, complaints } = await open("overview");
    await page.locator(".candles canvas").first().waitFor();
    for (const width of [1440, 700, 320, 150, 90, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      await eventually(
        `charts that stand out at ${width}`,
        () =>
          page
            .locator(".chart canvas, .chart svg")
            .evaluateAll((drawn) =>
              drawn
                .filter(
                  (node) =>
                    node.getBoundingClientRect().right >
                    node.closest(".panel")!.getBoundingClientRect().right,
                )
                .map((node) => node.closest("[aria-label]")!.getAttribute("aria-label")),
            ),
        (cut) => width < 320 || cut.length === 0,
      );
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });

  it("is worked by keys and named for screen readers", async () => {
    const { page, context } = await open("overview");
    assert.equal(await page.locator("#app > *").count(), 1, "nothing stands beside the page");
    assert.equal(
      await page
        .locator("#app")
        .innerText()
        .then((text) => text.split("hlsync").length),
      2,
    );
    assert.equal(await page.getByRole("link", { name: /^Positions \d+$/ }).count(), 1);
    for (const [key, view] of [...["overview", "statistics", "positions"].entries()].map(
      ([n, name]) => [String(n + 1), name] as const,
    ))
      await page.keyboard.press(key).then(() => page.locator(`.view-${view}`).waitFor());
    await page.keyboard.press("-");
    await page.locator(".view-deliveries").waitFor();
    for (const [address, view] of Object.entries({ "open-orders": "orders", Webhooks: "deliveries" })) {
      await page.evaluate((named) => {
        location.hash = named;
      }, address);
      await page.locator(`.view-${view}`).waitFor();
    }
    await page.keyboard.press("=");
    await page.locator(".view-sync").waitFor();
    await page.keyboard.press("5");
    await page.locator(".view-fills").waitFor();
    const menu = page.locator("details.menu", { hasText: "Columns" });
    await menu.locator("summary").click();
    await page.keyboard.press("Escape");
    assert.equal(await menu.getAttribute("open"), null, "Escape closes the columns");
    await menu.locator("summary").click();
    await page.locator(".table-tools h2").click();
    assert.equal(await menu.getAttribute("open"), null, "so does a click elsewhere");
    assert.equal(await page.locator('nav a[aria-current="page"]').innerText(), "Fills");
    await page.keyboard.press("]");
    await page.locator(".view-orderHistory").waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("1");
    await page.locator(".view-overview").waitFor();
    // Keys move along what was read.
    await page.locator('[role="img"][aria-label^="Net worth: from"]').focus();
    await page.keyboard.press("ArrowLeft");
    assert.match(await page.locator(".reading").first().innerText(), /^[\d,.]+ USD \d{4}-\d\d-\d\d/);
    await page.locator('[aria-label*=" candles, last close "]').focus();
    await page.keyboard.press("ArrowLeft");
    assert.match(
      await page.locator(".reading").last().innerText(),
      /^O [\d.]+ H [\d.]+ L [\d.]+ C [\d.]+ \d{4}/,
    );
    const nameless = await page.evaluate(() => {
      const named = (node: Element) =>
        node.getAttribute("aria-label") ||
        node.getAttribute("title") ||
        (node as HTMLElement).innerText?.trim() ||
        node.closest("label");
      return [
        ...document.querySelectorAll(
          "button, a, input, select, summary, [role=img], [role=region], [role=group]",
        ),
      ]
        .filter((node) => !named(node))
        .map((node) => node.outerHTML.slice(0, 120));
    });
    assert.deepEqual(nameless, []);
    // As axe wants it: one heading of the first level, everything in a landmark, what scrolls takes the focus.
    const ill = await page.evaluate(() => [
      ...(document.querySelectorAll("h1").length === 1 ? [] : ["h1"]),
      ...[...document.querySelectorAll(".app > *")]
        .filter((node) => !/^(HEADER|SECTION|NAV|MAIN|DIALOG)$/.test(node.tagName))
        .map((node) => node.outerHTML.slice(0, 80)),
      ...[...document.querySelectorAll<HTMLElement>(".app *")]
        .filter(
          (node) =>
            /auto|scroll/.test(getComputedStyle(node).overflowY) &&
            node.scrollHeight > node.clientHeight + 1 &&
            node.tabIndex < 0,
        )
        .map((node) => node.className),
    ]);
    assert.deepEqual(ill, []);
    // The other one, this one, the system's again.
    for (const theme of ["dark", "light", null]) {
      await page.keyboard.press("d");
      await eventually(
        "the theme",
        () => page.locator("html").getAttribute("data-theme"),
        (now) => now === theme,
      );
    }
    await context.close();
  });

  it("leads from a day of the calendar to its fills", async () => {
    const { page, context } = await open("overview");
    const day = page.locator("a.day").first();
    await day.waitFor();
    const href = (await day.getAttribute("href"))!;
    const asked = href.slice(-10);
    await day.click();
    const count = await one(
      `select count(*) as n from hl_fills where account_address = $1 and (fill_time at time zone 'UTC')::date = '${asked}'`,
    );
    await eventually(
      "the fills of the day",
      () => page.locator('[data-table="fills"] .count').innerText(),
      (text) => plain(text) === `${Number(count.n)} rows`,
    );
    assert.ok((await rowsOf(page, "fills")).every((cells) => cells[0]!.startsWith(asked)));
    await context.close();
  });

  it("asks for the token when others can reach it, keeps it as a cookie, and changes with it what the CLI reads", async () => {
    const guarded = await startHandServer(target.store, made, { host: "127.0.0.1", port: 0 }, "a-long-token");
    const context = await browser.newContext();
    const page = await context.newPage();
    assert.equal((await page.goto(guarded.url))?.status(), 401);
    await page.getByLabel("Token").fill("wrong");
    await page.getByRole("button", { name: "Open" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Token").fill("a-long-token");
    await page.getByRole("button", { name: "Open" }).click();
    await page.waitForSelector('[data-ready="true"]');
    const asProgram = await fetch(guarded.url);
    assert.deepEqual(
      [asProgram.status, typeof ((await asProgram.json()) as { error: string }).error],
      [401, "string"],
    );
    assert.equal(new URL(page.url()).search, "");
    assert.equal(
      await tile(page, "equity"),
      (await one("select round(account_value, 2) as v from hl_account_now where account_address = $1")).v,
    );
    await page.goto(`${guarded.url}/#alerts`);
    const rules = page.locator(".control");
    await rules.getByLabel("Silence a rule for").selectOption("8 h");
    const rule = rules.locator(".control-row", { hasText: "margin_ratio" });
    await rule.getByRole("button", { name: "Silence 8 h" }).click();
    await rules
      .getByText(/^silent until .*\d/)
      .first()
      .waitFor();
    const { stdout } = await hlsync(["alerts", "list", "--json", "--database", target.url]);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const silence = lines.find(({ type }) => type === "silence");
    assert.equal(silence?.rule, "margin_ratio");
    const hours = (Number(silence!.untilMs) - Date.now()) / 3_600_000;
    assert.ok(hours > 7.9 && hours <= 8, `${hours} h`);
    await context.close();
    await guarded.stop();
  });
});
