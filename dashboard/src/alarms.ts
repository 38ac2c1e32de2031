/**
 * Alerts that fire, of every account: counted for the title and the tab, and told by the browser where the reader wants it.
 * Guarantees: an alert is told once, and none that fired before the page was opened.
 */
import { get } from "./connection.ts";
import type { Model, Row } from "./model.ts";
import { read } from "./settings.ts";

const AGAIN_MS = 15_000;
/** Accounts whose alerts are told. */
const ACCOUNTS_MAX = 30;
const NEWEST = 10;

/** Why the browser cannot tell; null when it can. */
export function notifiable(): string | null {
  if (!("Notification" in window)) return "This browser has none, or only over https and on localhost.";
  return Notification.permission === "denied" ? "The browser was told not to show any of this page." : null;
}

/** Returns what looks at once: for when something is known to have changed. */
export function watchAlarms(model: Model, changed: () => void): () => Promise<void> {
  const begun = Date.now();
  const told = new Set<string>();

  const tell = (alert: Row) => {
    const id = `${alert.id} ${alert.fired_ms}`;
    if (alert.state !== "firing" || alert.fired_ms < begun + model.offsetMs || told.has(id)) return;
    told.add(id);
    new Notification(`${alert.rule.replaceAll("_", " ")} ${alert.coin ?? ""}`.trim(), {
      body: alert.message,
      tag: alert.key,
    });
  };

  const look = async () => {
    try {
      const { rows, price_state: price } = await get("/api/rules");
      model.firing = [...rows, price].reduce(
        (count: number, rule: Row) => count + Number(rule?.firing ?? 0),
        0,
      );
      if (read("notify") === true && notifiable() === null && Notification.permission === "granted") {
        const accounts: Row[] = (model.status?.accounts ?? []).slice(0, ACCOUNTS_MAX);
        for (const { address } of accounts)
          for (const alert of (await get("/api/alerts", { account: address, limit: NEWEST })).rows)
            tell(alert);
      }
      changed();
    } catch {
      // What is not known stays as it was; the strip says that hlsync is away.
    }
  };
  setInterval(() => void look(), AGAIN_MS);
  void look();
  return look;
}
