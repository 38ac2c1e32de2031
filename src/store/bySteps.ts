/**
 * Deleting what is old, so many rows at a time that each statement stays short. Guarantees: all of it goes within a turn of
 * retention, up to `STEPS_MAX` statements: a million rows an hour are more than the venue lets a process follow.
 */

/** Rows of one statement. */
const ROWS_MAX = 10_000;
const STEPS_MAX = 100;

/** `deleteSome` deletes at most so many and says how many went; answers how many all of them were. */
export async function bySteps(deleteSome: (rowsMax: number) => Promise<number>): Promise<number> {
  let gone = 0;
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    const rows = await deleteSome(ROWS_MAX);
    gone += rows;
    if (rows < ROWS_MAX) break;
  }
  return gone;
}
