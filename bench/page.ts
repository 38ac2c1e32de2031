/**
 * What the page takes in Chromium, on an account with 10 000 fills: the first paint, from a committed fill to its painted
 * row, scrolling, and the main thread while nothing is touched. Beside the first, in the same run: an empty page of the same
 * server's browser. Prints medians with the least and the most.
 *
 *   npm run bench -- page [--rounds 7] [--fills 40] [--idle-seconds 20]
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Page } from "playwright-core";
import { makeAccount } from "../test/e2e/dashboardAccount.ts";
import { launch, noBrowser, openPage, type View } from "../test/e2e/dashboardBrowser.ts";
import { startHandServer } from "../test/e2e/dashboardServer.ts";
import { fillPaintedAt } from "../test/e2e/dashboardTimes.ts";
import { startServer } from "../test/support/postgres.ts";
import { eventually } from "../test/support/until.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    fills: { type: "string", default: "40" },
    "idle-seconds": { type: "string", default: "20" },
  },
});
const SCROLLED_FRAMES = 150;
const SCROLLED_PX = 290;
const HISTORY_FILLS = 10_000;
const IDLE_SECONDS = Number(values["idle-seconds"]);
/** Views whose rest is measured. */
const VIEWS = ["overview", "fills", "statistics"];
const EMPTY_PAGE = "<!doctype html><title>empty</title><p>empty</p>";

if (noBrowser) throw new Error(noBrowser);
const postgres = await startServer();
const target = await postgres.newDatabase();
const made = await makeAccount(target.store, { fills: HISTORY_FILLS, nowMs: Date.now(), seed: 7 });
const server = await startHandServer(target.store, made);
const empty = createServer((_, response) => {
  response.setHeader("content-type", "text/html");
  response.end(EMPTY_PAGE);
}).listen(0, "127.0.0.1");
const browser = await launch();

const spread = (all: readonly number[], digits = 0): string => {
  const sorted = [...all].sort((a, b) => a - b);
  const [least, middle, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
  return `${middle.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
};

const firstPaint = (page: Page): Promise<number> =>
  eventually(
    "first paint",
    () => page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0),
    (ms) => ms > 0,
  );

async function firstPaints(): Promise<{ ours: number[]; empty: number[] }> {
  const paints = { ours: [] as number[], empty: [] as number[] };
  for (let round = 0; round < Number(values.rounds); round++) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${(empty.address() as AddressInfo).port}/`);
    paints.empty.push(await firstPaint(page));
    await context.close();
    const view = await openPage(browser, `${server.url}/#overview`);
    paints.ours.push(await firstPaint(view.page));
    await view.context.close();
  }
  return paints;
}

async function openFills(): Promise<View> {
  const view = await openPage(browser, `${server.url}/#fills`);
  await view.page.locator('[data-table="fills"] tbody tr').first().waitFor();
  return view;
}

async function paintedFills(): Promise<number[]> {
  const { page, context } = await openFills();
  const lags: number[] = [];
  for (let n = 0; n < Number(values.fills); n++) {
    const fill = { ...made.nextFill(Date.now() - 40), source: "stream" as const };
    const painted = fillPaintedAt(page, fill.size);
    // At any moment within a frame.
    await sleep(200 + Math.random() * 17);
    await server.commit({ fills: [fill] });
    const committedMs = Date.now();
    lags.push((await painted) - committedMs);
  }
  await context.close();
  return lags;
}

async function idle(view: string): Promise<number> {
  const { page, context } = await openPage(browser, `${server.url}/#${view}`);
  await page.locator(`.view-${view}`).waitFor();
  await sleep(3_000);
  const workedMs = await mainThread(page);
  const before = await workedMs();
  await sleep(IDLE_SECONDS * 1_000);
  const perSecondMs = ((await workedMs()) - before) / IDLE_SECONDS;
  await context.close();
  return perSecondMs;
}

console.log(`Node ${process.version}, ${browser.version()}, load ${loadavg()[0]!.toFixed(1)}\n`);
console.log("| | ms |\n|---|---|");
const row = (what: string, ms: string) => console.log(`| ${what} | ${ms} |`);
try {
  const paints = await firstPaints();
  row("first contentful paint", spread(paints.ours));
  row("of an empty page", spread(paints.empty));
  row("committed → painted", spread(await paintedFills()));
  const { page, context } = await openFills();
  const scrolls = [];
  for (let n = 0; n < 5; n++) scrolls.push(await scrolling(page));
  await context.close();
  const [work, frames] = [scrolls.map(({ workMs }) => workMs), scrolls.map(({ frameMs }) => frameMs)];
  row("scrolling ten rows a frame: main thread a frame", spread(work, 1));
  row("– a frame every", spread(frames, 1));
  for (const view of VIEWS) row(`untouched, ${view}: main thread a second`, (await idle(view)).toFixed(1));
} finally {
  await browser.close();
  empty.close();
  await server.stop();
  await target.close();
  await postgres.stop();
}

/**
 * A meter of the main thread: milliseconds of processor time since the page began. How often the machine lets the page draw
 * depends on what else runs on it.
 */
async function mainThread(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")!.value * 1_000;
  };
}

/** Scrolls a table of fills ten rows a frame: work of each frame, and how often one came. */
async function scrolling(page: Page): Promise<{ workMs: number; frameMs: number }> {
  const workedMs = await mainThread(page);
  const before = await workedMs();
  const tookMs = await page.locator('[data-table="fills"] .table-scroll').evaluate(
    (box, [frames, px]) =>
      new Promise<number>((resolve) => {
        let drawn = 0;
        const startMs = performance.now();
        box.scrollTo(0, 0);
        const step = () => {
          box.scrollBy(0, px!);
          drawn += 1;
          if (drawn < frames!) requestAnimationFrame(step);
          else resolve(performance.now() - startMs);
        };
        requestAnimationFrame(step);
      }),
    [SCROLLED_FRAMES, SCROLLED_PX],
  );
  const workMs = (await workedMs()) - before;
  return { workMs: workMs / SCROLLED_FRAMES, frameMs: tookMs / SCROLLED_FRAMES };
}
