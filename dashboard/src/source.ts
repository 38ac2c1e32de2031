/**
 * Where the page reads: hlsync's server, or the database of a Supabase project (`supabaseSource.ts`), which has no process to
 * look at or to control. Chosen once, before the page begins.
 */
import type { Row } from "./model.ts";

export type Query = Record<string, string | number | null>;

/** What is used of an `EventSource`. */
export interface Events extends EventTarget {
  readonly readyState: number;
  onerror: ((event: Event) => unknown) | null;
  close(): void;
}

export interface Source {
  /** hlsync itself answers. */
  hasServer: boolean;
  /** A line on which nothing comes for so long is given up. */
  silentMs: number;
  get(path: string, query: Query): Promise<Row>;
  /** What happens to an account, behind the last event seen. */
  events(account: string | null, lastId: string | null): Events;
  /** Ends the reader's session; absent where there is none. */
  signOut?(): void;
}

/** Not allowed, or not by this reader: to try again is of no use. */
export class Refused extends Error {}

const SERVER: Source = {
  hasServer: true,
  silentMs: 5_000,
  async get(path, query) {
    const url = new URL(path, location.origin);
    for (const [key, value] of Object.entries(query)) {
      if (value !== null) url.searchParams.set(key, String(value));
    }
    const answer = await fetch(url);
    const body = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
    if (answer.status === 401 || answer.status === 403) throw new Refused(body.error);
    if (!answer.ok) throw new Error(body.error ?? `status ${answer.status}`);
    return body;
  },
  events(account, lastId) {
    const url = new URL("/api/events", location.origin);
    if (account) url.searchParams.set("account", account);
    if (lastId !== null) url.searchParams.set("after", lastId);
    return new EventSource(url);
  },
};

let chosen = SERVER;
export const source = (): Source => chosen;
export function readFrom(other: Source) {
  chosen = other;
}
