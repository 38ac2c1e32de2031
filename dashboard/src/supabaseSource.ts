/**
 * The page's reads from a Supabase project, as the signed-in user: the paths of hlsync's server, answered in the page by the same
 * handlers and the same statements (`src/outputs/http/readRoutes.ts`, `hl_page` in the database). Realtime only tells that
 * something changed; rows are then read, since its payloads would round decimals.
 *
 * Guarantees: everything is read again when the line to Realtime is made anew, since what happened meanwhile was not told;
 * without it changes are looked for every `STATUS_MS`. What only a process knows is null in the status, or is no path here.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { questioner } from "../../src/outputs/http/questions.ts";
import { readRoutes } from "../../src/outputs/http/readRoutes.ts";
import { countFiring, readAccounts, readCandles } from "../../src/outputs/http/reads.ts";
import { knowledgeWords, readKnowledge } from "../../src/outputs/observation/knowledge.ts";
import { candleMs } from "../../src/protocol/limits.ts";
import type { Queryable } from "../../src/store/database.ts";
import { boundsOf, freshnessOf } from "../../src/sync/freshness.ts";
import type { Row } from "./model.ts";
import { type Events, type Query, Refused, type Source } from "./source.ts";

/** The status is read so often, and without Realtime everything that is shown. */
const STATUS_MS = 8_000;
/** With Realtime too, now and then: it promises no delivery. */
const ANYWAY_MS = 60_000;
/** Changes that come together are read together. */
const TOGETHER_MS = 400;
const SILENT_MS = 20_000;
const FOLLOWED = ["hl_orders", "hl_fills", "hl_positions", "hl_dashboard", "hl_alerts"];

/** What PostgREST says when the database is not as the page expects it, in words. */
const WORDS: Record<string, string> = {
  "42501": "This project shows nothing to signed-in users yet: hlsync access single-user, or members.",
  PGRST202: "This project has no hlsync, or an older one: hlsync migrate.",
};

export async function supabaseSource(
  client: SupabaseClient,
  project: string,
  schema: string,
): Promise<Source> {
  const reads = await questioner(async (question, args) => {
    const { data, error } = await client.rpc("hl_page", { question, args });
    if (error) {
      const words = WORDS[error.code];
      throw words ? new Refused(words) : new Error(error.message);
    }
    if (data === null) throw new Error("the database and this page are of different versions of hlsync");
    return data;
  });
  const routes = new Map(
    readRoutes({ reads, clock: { now: () => Date.now() }, followed: () => [] }).map(([key, handler]) => [
      key.replace("GET ", ""),
      async (query: URLSearchParams): Promise<Row> => {
        const { signal } = new AbortController();
        const { body } = await handler({ path: "", query, headers: {}, body: "", signal });
        return JSON.parse(String(body));
      },
    ]),
  );
  routes.set("/api/status", () => statusOf(reads, client, project));
  routes.set("/api/candles", (query) => candlesOf(reads, query));
  routes.set("/api/rules", () => firingOf(reads));
  return {
    hasServer: false,
    silentMs: SILENT_MS,
    async get(path: string, query: Query) {
      const route = routes.get(path);
      if (route === undefined) throw new Error("this is known to hlsync's own page only");
      const given = Object.entries(query).filter(([, value]) => value !== null);
      return route(new URLSearchParams(given.map(([key, value]) => [key, String(value)])));
    },
    events: (account) => follow(client, schema, account, () => statusOf(reads, client, project)),
    signOut: () => void client.auth.signOut(),
  };
}

/** Of the accounts that the reader may read, in the shape of hlsync's own status. */
async function statusOf(reads: Queryable, client: SupabaseClient, project: string): Promise<Row> {
  const askedMs = Date.now();
  const [accounts, known] = await Promise.all([readAccounts(reads), readKnowledge(reads, askedMs)]);
  const nowMs = Date.now();
  if (accounts.length === 0) {
    const { data } = await client.auth.getUser();
    throw new Refused(
      `You are signed in, but no account is yours to read: hlsync members add ${data.user?.id ?? "<user>"} 0x…`,
    );
  }
  return {
    now_ms: nowMs,
    database: {
      description: project,
      up: true,
      latency_ms: nowMs - askedMs,
      answered_ms: nowMs,
      error: null,
    },
    accounts: accounts.map(({ account_address: address, alias }) => {
      const { heard, streams = [] } = known.find(({ account }) => account === address) ?? {};
      const heardMs = heard?.atMs ?? null;
      const bounds = boundsOf(heard?.pollMs ?? null);
      return {
        address,
        alias,
        mode: "standby",
        socket: "none",
        last_data_ms: heardMs,
        fresh: freshnessOf(heardMs === null ? null : nowMs - heardMs, bounds) !== "stale",
        // What is shown is as old as the last reading, at most.
        delayed_after_ms: bounds.delayedMs + STATUS_MS,
        queued: null,
        dropped: 0,
        last_reconcile_ms: null,
        last_reconcile_error: null,
        healed: null,
        unexplained: null,
        ...knowledgeWords(streams),
        subscriptions: [],
      };
    }),
  };
}

const firingOf = async (reads: Queryable): Promise<Row> => ({
  rows: [{ firing: await countFiring(reads) }],
  price_state: null,
});

/** Candles that hlsync keeps; the page of a project asks the venue nothing. */
async function candlesOf(reads: Queryable, query: URLSearchParams): Promise<Row> {
  const [coin, interval] = [query.get("coin") ?? "", query.get("interval") ?? ""];
  const toMs = Number(query.get("to") ?? Date.now());
  const fromMs = toMs - Number(query.get("count") ?? 300) * candleMs(interval);
  const rows = await readCandles(reads, coin, interval, fromMs, toMs);
  if (rows.length < 2) throw new Error(`The database keeps no candles of ${coin} in this interval`);
  return { rows };
}

function follow(
  client: SupabaseClient,
  schema: string,
  account: string | null,
  status: () => Promise<Row>,
): Events {
  let timer = 0;
  let belled = 0;
  let newsMs = Date.now();
  let isTold = false;
  const say = (name: string, data: Row) =>
    events.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId: "0" }));
  const news = () => {
    clearTimeout(belled);
    belled = setTimeout(() => {
      newsMs = Date.now();
      if (events.readyState === EventSource.OPEN) say("news", {});
    }, TOGETHER_MS);
  };
  const events: Events & { readyState: number } = Object.assign(new EventTarget(), {
    readyState: EventSource.OPEN as number,
    onerror: null as Events["onerror"],
    close() {
      events.readyState = EventSource.CLOSED;
      clearTimeout(timer);
      clearTimeout(belled);
      void client.removeChannel(channel);
    },
  });
  let channel = client.channel(`hlsync ${account} ${crypto.randomUUID()}`);
  for (const table of FOLLOWED)
    channel = channel.on(
      "postgres_changes",
      { event: "*", schema, table, filter: `account_address=eq.${account}` },
      news,
    );
  channel.subscribe((state) => {
    isTold = state === "SUBSCRIBED";
    if (isTold) news();
  });
  /** `first`: everything is to be read, now that the project answers. */
  const look = async (first: boolean) => {
    try {
      const now = await status();
      if (events.readyState !== EventSource.OPEN) return;
      say("status", now);
      if (first) say("reset", {});
      else if (!isTold || Date.now() - newsMs > ANYWAY_MS) news();
    } catch {
      if (events.readyState === EventSource.OPEN) events.onerror?.(new Event("error"));
      return;
    }
    timer = setTimeout(() => void look(false), STATUS_MS);
  };
  void look(true);
  return events;
}
