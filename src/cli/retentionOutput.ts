/**
 * Keeps the database bounded while `run` follows: what machinery and market data no longer need is deleted, a bounded
 * number of rows at a time. Account tables are kept whole; account snapshots are thinned out to those that charts and proofs need. A failure is tried again at the next turn.
 */
import { OUTBOX_DAYS } from "../outputs/outbox.ts";
import { repeat } from "../runtime/repeat.ts";
import { openStore, type Retention } from "../store/store.ts";
import type { StartOutput } from "./outputs.ts";

const QUARANTINE_DAYS = 90;
const EVERY_MS = 3_600_000;
/** The first turn: a process that is started anew more often than hourly deletes too. */
const FIRST_MS = 60_000;

export const retentionOutput: StartOutput = async ({ context: { clock, log, options }, own }) => {
  const store = openStore(own);
  const retention: Retention = {
    // An endpoint or reader of the outbox that stood still for longer begins at what is left.
    outboxDays: OUTBOX_DAYS,
    quarantineDays: QUARANTINE_DAYS,
    marketDays: options.marketDays,
    snapshotDays: options.snapshotDays,
  };
  const abort = new AbortController();
  const turn = () =>
    store
      .prune(retention, clock.now())
      .then((gone) => log.debug("old rows deleted", gone))
      .catch((error: unknown) => log.warn("old rows could not be deleted, will try again", { error }));
  const turns = repeat(clock, EVERY_MS, abort.signal, turn, FIRST_MS);
  return {
    name: "retention",
    async stop() {
      abort.abort();
      await turns;
    },
  };
};
