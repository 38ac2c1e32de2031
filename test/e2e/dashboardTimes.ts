/** What a page in Chromium takes, for its tests and for `bench/page.ts`. */
/// <reference lib="dom" />
import type { Page } from "playwright-core";

/**
 * When (milliseconds since the epoch) a fill of this size stood on top of the fills and its frame was drawn: a timer that is
 * set while a frame is made fires when it is done.
 */
export const fillPaintedAt = (page: Page, size: string): Promise<number> =>
  page.locator('[data-table="fills"]').evaluate(
    (table, wanted) =>
      new Promise<number>((resolve) => {
        const look = () => {
          const row = table.querySelector("tbody tr:not(.filler) td[data-column=price]")?.closest("tr");
          if (!row?.innerText.includes(wanted)) return;
          watcher.disconnect();
          setTimeout(() => resolve(Date.now()));
        };
        const watcher = new MutationObserver(look);
        look();
        watcher.observe(table, { childList: true, subtree: true, characterData: true });
      }),
    Number(size).toLocaleString("en-US", { maximumFractionDigits: 8 }),
  );
