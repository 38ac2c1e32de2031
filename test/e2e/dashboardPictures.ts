/**
 * Takes the pictures of docs/images: `node test/e2e/dashboardPictures.ts [folder [address of a running demo]]`; what an account
 * that is made up has not (alerts, deliveries, a curve from before) is taken of the demo. Not a test: pictures differ from machine
 * to machine; that the page fits and complains of nothing is tested in dashboard.test.ts.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startServer } from "../support/postgres.ts";
import { ACCOUNT, makeAccount } from "./dashboardAccount.ts";
import { launch, openPage } from "./dashboardBrowser.ts";
import { startHandServer } from "./dashboardServer.ts";

const folder = process.argv[2] ?? "docs/images";
const DESKTOP = { width: 1440, height: 1270 };
const PHONE = { width: 390, height: 844 };
/** Name, view, size, theme and, where it is not the top of the view, the panel to begin with. */
const PICTURES = [
  ["dashboard-all-dark", "all", { width: 1440, height: 1000 }, "dark"],
  ["dashboard-wide-light", "overview", { width: 1920, height: 1200 }, "light"],
  ["dashboard-dark", "overview", DESKTOP, "dark"],
  ["dashboard-light", "overview", DESKTOP, "light"],
  ["dashboard-statistics-light", "statistics", { width: 1440, height: 1400 }, "light"],
  ["dashboard-fills-dark", "fills", { width: 1440, height: 800 }, "dark"],
  ["dashboard-sync-dark", "sync", { width: 1440, height: 1150 }, "dark"],
  ["dashboard-sync-light", "sync", { width: 1440, height: 1150 }, "light"],
  ["dashboard-phone-dark", "overview", PHONE, "dark"],
  ["dashboard-phone-light", "overview", PHONE, "light", "Where it went"],
  ["dashboard-phone-fills-dark", "fills", PHONE, "dark"],
] as const;

/** Of the demo: name, view, size, theme and what is clicked first. */
const DEMO_PICTURES = [
  ["dashboard-alerts-light", "alerts", { width: 1440, height: 900 }, "light"],
  ["dashboard-webhooks-dark", "webhooks", { width: 1440, height: 800 }, "dark"],
  ["dashboard-settings-dark", "overview", { width: 1440, height: 900 }, "dark", '[aria-label="Settings"]'],
] as const;

mkdirSync(folder, { recursive: true });
const demo = process.argv[3];
if (demo) {
  const browser = await launch();
  for (const [name, tab, viewport, colorScheme, click] of DEMO_PICTURES) {
    const { page, complaints } = await openPage(browser, `${demo}#${tab}`, { viewport, colorScheme });
    await page.waitForTimeout(3_000);
    if (click) await page.locator(click).first().click();
    await page.waitForTimeout(2_500);
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: join(folder, `${name}.png`) });
    process.stdout.write(`${name}.png ${complaints.join(" ")}\n`);
  }
  await browser.close();
}
const database = await startServer();
const { store } = await database.newDatabase();
const made = await makeAccount(store, { fills: 10_000, nowMs: Date.now(), seed: 11 });
const second = `0x${"7b".repeat(20)}`;
await makeAccount(store, {
  ...{ fills: 300, nowMs: Date.now(), seed: 5, spacingMs: 9_000_000 },
  ...{ account: second, alias: "second" },
});
const followed = { main: ACCOUNT, second };
const server = await startHandServer(store, made, { host: "127.0.0.1", port: 0 }, null, followed);
const browser = await launch();
for (const [name, tab, viewport, colorScheme, panel] of PICTURES) {
  const isPhone = viewport.width < 600;
  const { page, context, complaints } = await openPage(browser, `${server.url}/#${tab}`, {
    viewport,
    colorScheme,
    deviceScaleFactor: isPhone ? 2 : 1,
    hasTouch: isPhone,
  });
  await page.evaluate(() => localStorage.setItem("hlsync.market.interval", '"15m"'));
  await page.reload();
  for (let fill = 0; fill < 12; fill++) {
    const timeMs = Date.now();
    await page.waitForTimeout(150 + fill * 12);
    await server.commit({ fills: [{ ...made.nextFill(timeMs), source: "stream" }] });
  }
  // Pages report what they painted every five seconds, and the sync page asks as often.
  await page.waitForTimeout(tab === "sync" ? 11_000 : 1_500);
  if (panel)
    await page.getByRole("region", { name: panel }).evaluate((node) => {
      const strip = document.querySelector(".strip")!.getBoundingClientRect().height;
      scrollTo(0, node.getBoundingClientRect().top + scrollY - strip - 8);
    });
  await page.screenshot({ path: join(folder, `${name}.png`) });
  process.stdout.write(`${name}.png ${complaints.join(" ")}\n`);
  await context.close();
}
await browser.close();
await server.stop();
await database.stop();
