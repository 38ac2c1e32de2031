/**
 * Keeps the sums over all trades of an account near the present while `run` follows, so that a question reads
 * little. A failure costs speed only, and is tried again at the next turn.
 */
import { repeat } from "../runtime/repeat.ts";
import { openStore } from "../store/store.ts";
import type { StartOutput } from "./outputs.ts";

const EVERY_MS = 60_000;
/** A turn ends after this, so that stopping waits for no more. */
const TURN_MS = 20_000;

export const settlingOutput: StartOutput = async ({ context: { clock, log }, own }) => {
  const store = openStore(own);
  const abort = new AbortController();
  const turns = repeat(clock, EVERY_MS, abort.signal, () =>
    store
      .settleAll(() => clock.now(), TURN_MS, abort.signal)
      .catch((error: unknown) => log.warn("trades could not be summed up, will try again", { error })),
  );
  return {
    name: "settling",
    async stop() {
      abort.abort();
      await turns;
    },
  };
};
