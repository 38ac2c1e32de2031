/**
 * The whole program with a browser in front: a simulated exchange that trades, `run` in a process of its own, kill -9 and a
 * venue that stops dead.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import { openPostgres } from "../../src/store/postgres.ts";
import { type Running, simulate, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { eventually } from "../support/until.ts";
import { launch, noBrowser, openPage, plain, tile } from "./dashboardBrowser.ts";

const ACCOUNT = `0x${"d".repeat(40)}`;

describe("run with its dashboard open", { skip: noBrowser }, () => {
  let postgres: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };
  let program: Running;
  let url: string;
  let browser: Browser;

  const run = async (listen: string): Promise<Running> => {
    const started = start([
      ...["run", "--account", `${ACCOUNT}=live`, "--api-url", exchange.apiUrl, "--database", target.url],
      ...["--listen", listen, "--weight", "6000"],
    ]);
    url = await started.line((line) => /^dashboard: (http:\S+)/.exec(line)?.[1]);
    return started;
  };
  before(async () => {
    postgres = await startServer("real");
    target = await postgres.newDatabase({ migrated: false });
    exchange = await simulate("--account", ACCOUNT, "--fills-per-second", "4", "--weight", "6000");
    program = await run("127.0.0.1:0");
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    exchange?.child.kill("SIGCONT");
    await program?.stop();
    await exchange?.stop();
    await target?.close();
    await postgres?.stop();
  });

  const stored = async (): Promise<string[]> => {
    const rows = await target.database.query<{ id: string }>(
      "select trade_id::text as id from hl_fills where account_address = $1 order by fill_time desc",
      [ACCOUNT],
    );
    return rows.map(({ id }) => id);
  };

  it("is ready, shows numbers that SQL has, and measures every hop up to the paint", async (t) => {
    await eventually(
      "ready",
      async () => (await fetch(`${url}/readyz`)).status,
      (status) => status === 200,
    );
    const { page, context, complaints } = await openPage(browser, `${url}/#overview`);
    await eventually(
      "equity on the page and in SQL",
      async () => {
        const [row] = await target.database.query<{ equity: string }>(
          "select round(account_value, 2) as equity from hl_account_now where account_address = $1",
          [ACCOUNT],
        );
        return { page: await tile(page, "equity"), sql: row?.equity };
      },
      (seen) => seen.page === seen.sql,
    );
    await eventually(
      "the day's fills on the page and in SQL",
      async () => {
        const [row] = await target.database.query<{ n: number }>(
          `select count(*) as n from hl_fills where account_address = $1
           and (fill_time at time zone 'UTC')::date = (now() at time zone 'UTC')::date`,
          [ACCOUNT],
        );
        const note = await page.locator('[data-tile="day_fees"] .note').innerText();
        return { page: Number(plain(note).split(" ")[0]), sql: row?.n };
      },
      (seen) => seen.page === seen.sql,
    );
    type Report = Record<string, { summary: { samples: number; p50: number; p99: number } | null }>;
    const hops = await eventually(
      "every hop",
      async () => {
        const { since_start } = (await (await fetch(`${url}/api/latency`)).json()) as { since_start: Report };
        // Nothing is delivered without webhooks.
        const { delivered: _, ...ours } = since_start;
        return ours;
      },
      (report) => Object.values(report).every(({ summary }) => (summary?.samples ?? 0) >= 10),
    );
    for (const [hop, { summary }] of Object.entries(hops))
      t.diagnostic(`${hop}: p50 ${summary!.p50} ms, p99 ${summary!.p99} ms, ${summary!.samples} changes`);
    // A busy machine may be late with the venue's data, and then it is not ready for a moment.
    const told = [
      /hlsync_ready 1\n/,
      /hlsync_stream_state\{account="live",state="live"\} 1\n/,
      /hlsync_rows_written_total\{table="hl_fills",source="stream"\} [1-9]/,
      /hlsync_gaps_open\{account="live",stream="fills"\} 0\n/,
    ];
    await eventually(
      "metrics of a healthy process",
      async () => (await fetch(`${url}/metrics`)).text(),
      (metrics) => told.every((line) => line.test(metrics)),
    );
    assert.deepEqual(complaints, []);
    await context.close();
  });

  it("misses nothing on the page after kill -9 and half a minute without hlsync", async (t) => {
    const { page, context } = await openPage(browser, `${url}/#fills`);
    await page.locator('[data-table="fills"] tbody tr').first().waitFor();
    // Gone when the page is loaded again.
    await page.evaluate(() => document.documentElement.setAttribute("data-loaded-by", "this test"));
    await program.stop("SIGKILL");
    const awayMs = Date.now();
    await page.locator('[data-freshness="away"]').waitFor();
    // The venue trades on: half a minute of it, and what happened then is what the page lacks.
    const happened = async () => {
      const { fills } = (await (
        await fetch(`${exchange.apiUrl}/control/truth?user=${ACCOUNT}`)
      ).json()) as Record<string, unknown[]>;
      return fills!.length;
    };
    const before = (await stored()).length;
    await eventually(
      "half a minute of trading",
      async () => ({ awayMs: Date.now() - awayMs, missed: (await happened()) - before }),
      (seen) => seen.awayMs >= 30_000 && seen.missed >= 30,
      90_000,
    );
    const missed = (await happened()) - before;
    program = await run(new URL(url).host);
    const restartedMs = Date.now();
    await page.locator('[data-freshness="live"]').waitFor();
    await eventually(
      "ready again",
      async () => (await fetch(`${url}/readyz`)).status,
      (status) => status === 200,
    );
    const count = async () =>
      Number((await page.locator('[data-table="fills"] .count').innerText()).replace(/\D/g, ""));
    await eventually(
      "as many fills on the page as in SQL, and no fewer than the venue had",
      async () => ({ page: await count(), sql: (await stored()).length }),
      (seen) => seen.page === seen.sql && seen.sql >= before + missed,
    );
    t.diagnostic(
      `away ${restartedMs - awayMs} ms, ${missed} fills missed meanwhile, all shown without a reload`,
    );
    assert.equal(await page.locator("html").getAttribute("data-loaded-by"), "this test");
    await context.close();
  });

  it("says that the venue is silent when it stops dead, and that it is back", async () => {
    const { page, context } = await openPage(browser, `${url}/#positions`);
    await page.locator('[data-freshness="live"]').waitFor();
    exchange.child.kill("SIGSTOP");
    await page.locator('[data-freshness="stale"], [data-freshness="down"]').waitFor();
    assert.match(await page.locator(".old-note").innerText(), /as of \d\d:\d\d:\d\d UTC/);
    const { status, body } = await fetch(`${url}/readyz`).then(async (answer) => ({
      status: answer.status,
      body: (await answer.json()) as { reasons: string[] },
    }));
    assert.equal(status, 503);
    assert.match(body.reasons.join("; "), /^live: /);
    exchange.child.kill("SIGCONT");
    await page.locator('[data-freshness="live"]').waitFor();
    await context.close();
  });
});

describe("the demo with its dashboard open", { skip: noBrowser }, () => {
  it("shows a living account with nothing configured, and its numbers are those of the database", async (t) => {
    const folder = temporaryFolder();
    const startedMs = Date.now();
    const demo = start(["demo", "--listen", "127.0.0.1:0", "--database", join(folder.path, "db")], {
      cwd: folder.path,
    });
    const databaseUrl = await demo.line((line) => /psql '(postgres:[^']+)'/.exec(line)?.[1]);
    const url = await demo.line((line) => /^dashboard: (http:\S+)/.exec(line)?.[1]);
    const browser = await launch();
    const database = openPostgres(databaseUrl);
    try {
      const { page, context, complaints } = await openPage(browser, `${url}/#overview`);
      await page.locator('[data-freshness="live"]').waitFor();
      t.diagnostic(`from the command to a living page: ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
      // Of the three it trades the most.
      const chooser = page.locator("select.account");
      const account = (await chooser.locator("option", { hasText: "maker" }).getAttribute("value"))!;
      await chooser.selectOption(account);
      const fills = async () =>
        Number(plain(await page.locator('[data-tile="day_fees"] .note').innerText()).split(" ")[0]);
      // Also while the history is still being read, which uses up the venue's budget.
      await page.locator('[role=img][aria-label$="fills marked"]').waitFor();
      const first = await fills();
      await eventually("fills that come", fills, (count) => count > first + 2);
      await eventually(
        "the page's figures in SQL",
        async () => {
          const [row] = await database.query<Record<string, string | number>>(
            `select round(n.account_value, 2)::text as equity, n.health_score, n.health_status, d.fills::int as fills
             from hl_account_now n left join hl_net_pnl_daily d
               on d.account_address = n.account_address and d.day = (now() at time zone 'UTC')::date
             where n.account_address = $1`,
            [account],
          );
          const health = await page.locator('[data-tile="health"] .value').innerText();
          return {
            page: [await tile(page, "equity"), health.replace(/^\W+/, ""), await fills()].join(),
            sql: [row!.equity, `${row!.health_score} ${row!.health_status}`, row!.fills].join(),
          };
        },
        (seen) => seen.page === seen.sql,
      );
      for (const tab of ["positions", "fills", "funding", "sync"]) {
        await page.evaluate((hash) => {
          location.hash = hash;
        }, tab);
        await page.locator(`.view-${tab}`).waitFor();
      }
      assert.deepEqual(complaints, []);
      await context.close();
    } finally {
      await database.close();
      await browser.close();
    }
    const stopMs = Date.now();
    assert.equal((await demo.stop("SIGINT")).code, 0);
    t.diagnostic(`stopped in order within ${((Date.now() - stopMs) / 1000).toFixed(1)} s`);
    assert.ok(Date.now() - stopMs < 20_000);
    folder.remove();
  });
});
