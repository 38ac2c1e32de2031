/**
 * What a database knows of its accounts, as the screen wants it, for accounts that another process follows. Asks the
 * database only: neither the venue nor the process that fills it has to be there. What is old says its age.
 */
import { isZero } from "../../runtime/decimal.ts";
import { OPEN_STATUS_LIST } from "../../store/columns.ts";
import type { Queryable } from "../../store/database.ts";
import { readHolders } from "../../store/fleet.ts";
import type { AccountRow, DatabaseStore } from "../../store/store.ts";
import { completeness, latestClaimMs } from "../../sync/completeness.ts";
import { boundsOf } from "../../sync/freshness.ts";
import type { Address, OrderEventRow } from "../../sync/rows.ts";
import { followDuty } from "../../sync/standby.ts";
import { WINDOW_STREAMS } from "../../sync/windowReader.ts";
import { historyLine, polledWord } from "./gather.ts";
import type { AccountModel, Today } from "./model.ts";

/** Rejects with `StoreError`. */
export async function gatherStored(
  store: DatabaseStore,
  accounts: readonly AccountRow[],
  today: ReadonlyMap<Address, Today>,
  nowMs: number,
): Promise<AccountModel[]> {
  // Who follows is machinery that a role may not be shown.
  const holders = await readHolders(store.database).catch(() => null);
  return Promise.all(
    accounts.map(async ({ account, alias, sinceMs }): Promise<AccountModel> => {
      const [snapshot, positions, openOrders, coverage, heard] = await Promise.all([
        store.latestDashboard(account),
        store.positions(account),
        readOpenOrders(store.database, account),
        store.coverage(account),
        readHeard(store.database, account),
      ]);
      const holder = holders?.get(followDuty(account)) ?? null;
      const ageMs = heard.atMs === null ? null : Math.max(0, nowMs - heard.atMs);
      const latestMs = latestClaimMs(nowMs);
      return {
        address: account,
        alias,
        role: "stored",
        phase: holder === null ? "followed by nobody now" : `followed by ${holder}`,
        feedAgeMs: ageMs,
        staleAfterMs: boundsOf(heard.pollMs).staleMs,
        word: polledWord(ageMs, heard.pollMs),
        queued: 0,
        dropped: 0,
        reconnects: 0,
        lastReconcileMs: null,
        healed: 0,
        unexplained: 0,
        snapshot,
        positions: positions.filter(({ szi }) => !isZero(szi)),
        openOrders,
        streams: [],
        histories: WINDOW_STREAMS.map((stream) =>
          historyLine(stream, completeness(coverage, stream, sinceMs ?? 0, latestMs)),
        ),
        today: today.get(account) ?? null,
      };
    }),
  );
}

interface Heard extends Record<string, unknown> {
  atMs: number | null;
  pollMs: number | null;
}

async function readHeard(db: Queryable, account: Address): Promise<Heard> {
  const [row] = await db.query<Heard>(
    `select (extract(epoch from f.heard_at) * 1000)::bigint as "atMs", f.poll_ms as "pollMs"
     from hl_internal.freshness($1) f`,
    [account],
  );
  return row ?? { atMs: null, pollMs: null };
}

const readOpenOrders = (db: Queryable, account: Address): Promise<OrderEventRow[]> =>
  db.query<OrderEventRow & Record<string, unknown>>(
    `select account_address as account, order_id as "orderId", venue_status as "venueStatus",
       status_time_ms as "statusTimeMs", coin, side, trim_scale(limit_price)::text as "limitPrice",
       trim_scale(size)::text as size, trim_scale(size - filled)::text as remaining,
       (extract(epoch from placed_at) * 1000)::bigint as "placedAtMs", order_type as "orderType", tif,
       trim_scale(trigger_price)::text as "triggerPrice", reduce_only as "reduceOnly", cloid, null as raw, source,
       status_time_ms as "seenAtMs"
     from public.hl_orders where account_address = $1 and status in ${OPEN_STATUS_LIST}`,
    [account],
  );
