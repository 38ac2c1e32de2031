/**
 * The `id` of an event stream: how far its reader has come, so that it can go on in any process. Pure. To readers it is
 * opaque: `4711~-.4702~9f…c2.4711`, the newest event of all when it was made, then each sequence (`-` for events of no
 * account) with its cursor. A plain number, as ids were once, is the cursor of every sequence.
 */
import type { Cursors } from "../outbox.ts";

/** With more sequences an id would not fit into a request's headers: such a reader gets none, and begins anew each time. */
const SEQUENCES_MAX = 100;

/** Null when there are too many sequences. */
export function eventId(newest: number, cursors: Cursors): string | null {
  if (cursors.size > SEQUENCES_MAX) return null;
  const sequences = [...cursors].map(
    ([sequence, id]) => `~${sequence === "" ? "-" : sequence.slice(2)}.${id}`,
  );
  return `${newest}${sequences.join("")}`;
}

/** Where a reader stands. */
export interface Position {
  /** An event that was committed before the reader had come so far. */
  newest: number;
  sequences: Cursors;
  /** The cursor of sequences that are not named. */
  others: number;
}

/** Null for a text that is none. */
export function readEventId(text: string): Position | null {
  const [first = "", ...named] = text.split("~");
  if (!/^\d{1,16}$/.test(first)) return null;
  const newest = Number(first);
  const sequences: Cursors = new Map();
  for (const part of named) {
    const match = /^(?:-|([0-9a-f]{40}))\.(\d{1,16})$/.exec(part);
    if (!match) return null;
    sequences.set(match[1] === undefined ? "" : `0x${match[1]}`, Number(match[2]));
  }
  return { newest, sequences, others: named.length === 0 ? newest : 0 };
}
