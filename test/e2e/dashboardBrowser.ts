/** Chromium for the dashboard's tests. Guarantees: a fresh profile each time, and nothing left behind when it is closed. */
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { PATIENCE_MS } from "../support/until.ts";

/** Debian's; the shell draws the same without windows around it, for half of the CPU. */
const BROWSERS = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
/** The first of them, or the one that `HLSYNC_TEST_CHROMIUM` names. */
const EXECUTABLE = process.env.HLSYNC_TEST_CHROMIUM ?? BROWSERS.find(existsSync) ?? BROWSERS[0]!;

/** Why there is no browser here, to skip with; false when there is one. */
export const noBrowser: string | false = existsSync(EXECUTABLE)
  ? false
  : `no browser at ${EXECUTABLE}: install chromium-headless-shell or chromium, or name one in HLSYNC_TEST_CHROMIUM`;

export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });

export interface View {
  page: Page;
  context: BrowserContext;
  /** What went wrong in the page: exceptions and console errors. */
  complaints: string[];
  /** Every address that was asked for. */
  asked: string[];
}

export type Look = Parameters<Browser["newContext"]>[0];

/** Opens the page and waits until it has read the state. */
export async function openPage(browser: Browser, url: string, look: Look = {}): Promise<View> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...look });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  const asked: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(url);
  await page.waitForSelector('[data-ready="true"]');
  return { page, context, complaints, asked };
}

/** The value of a tile as the page writes it, and as a plain decimal. */
export const tile = async (page: Page, name: string): Promise<string> =>
  plain(await page.locator(`[data-tile="${name}"] .value`).innerText());

/** `+1,234.50%` → `1234.50`: without groups, plus and unit, with an ASCII minus. */
export const plain = (text: string): string => text.replaceAll("\u2212", "-").replace(/[+,%]/g, "").trim();
