/**
 * What the address says: the view, and behind `?` what is chosen in it, so that a link shows the same to everybody.
 * Guarantees: writing makes no entry in the browser's history and no event; what was last chosen in a view comes back with
 * its tab. The account is chosen for all of them: it stays what it is when the tab is another.
 */

/** What was last chosen, by view, but for the account. */
const chosen = new Map<string, string>();

/** `#fills?day=2026-10-05` → view and what is chosen. */
export function parts(): { view: string; query: URLSearchParams } {
  const [view = "", query = ""] = location.hash.slice(1).split("?");
  return { view, query: new URLSearchParams(query) };
}

export const param = (name: string): string | null => parts().query.get(name);

/** Null or empty takes one away. */
export function writeParams(values: Record<string, string | null>) {
  const { view, query } = parts();
  const before = query.toString();
  for (const [name, value] of Object.entries(values)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  chosen.set(view, withAccount(query, null));
  if (text !== before) history.replaceState(null, "", `#${view}${text && `?${text}`}`);
}

function withAccount(query: URLSearchParams, account: string | null): string {
  const other = new URLSearchParams(query);
  other.delete("account");
  if (account !== null) other.set("account", account);
  return other.toString();
}

/** Where the tab of a view leads. */
export function hrefOf(view: string): string {
  const query = withAccount(new URLSearchParams(chosen.get(view)), param("account"));
  return `#${view}${query ? `?${query}` : ""}`;
}

/** Where the trade is shown that a market was in at a time. */
export const tradeHref = (coin: string, atMs: number) => `#trade?coin=${encodeURIComponent(coin)}&at=${atMs}`;
