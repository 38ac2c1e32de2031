/**
 * Lines to a stream that may be slower than their source. Guarantees: lines come out whole and in order;
 * `write` waits for the reader, `offer` drops lines beyond `LIMIT_BYTES` and says in a line of its own how many, as soon
 * as the reader is back. It holds the limit and one line at most. It does not wait for a reader that has left
 * (`tail | head`), nor after the signal to stop.
 */

import { visible } from "../../runtime/safeText.ts";

/** Bytes that may wait for the reader. */
const LIMIT_BYTES = 16 * 1024 * 1024;

/** What ends the waiting for a reader: it is back, or it never will be. */
const SETTLING = ["drain", "close", "error"] as const;
type SinkEvent = (typeof SETTLING)[number];

/** `process.stdout`, as far as it is needed. */
export interface Sink {
  write(text: string): boolean;
  once(event: SinkEvent, listener: () => void): unknown;
  off(event: SinkEvent, listener: () => void): unknown;
  /** Bytes accepted and not written yet. */
  readonly writableLength: number;
}

interface LineWriter {
  /** Resolves when the next line may follow. */
  write(line: string): Promise<void>;
  /** False when the line was dropped. */
  offer(line: string): boolean;
}

export function createLineWriter(
  sink: Sink,
  /** The line that tells how many were dropped. */
  droppedLine: (count: number) => string,
  /** `shown`: how a line may stand there. */
  {
    signal,
    limitBytes = LIMIT_BYTES,
    shown = visible,
  }: { signal?: AbortSignal; limitBytes?: number; shown?: (line: string) => string } = {},
): LineWriter {
  let dropped = 0;
  const tell = () => {
    if (dropped === 0 || sink.writableLength >= limitBytes) return;
    const count = dropped;
    dropped = 0;
    sink.write(`${droppedLine(count)}\n`);
  };
  return {
    async write(line) {
      if (!sink.write(`${shown(line)}\n`) && !signal?.aborted) await settled(sink, signal);
    },
    offer(line) {
      tell();
      if (dropped > 0 || sink.writableLength >= limitBytes) {
        if (dropped === 0) sink.once("drain", tell);
        dropped += 1;
        return false;
      }
      sink.write(`${shown(line)}\n`);
      return true;
    },
  };
}

const settled = (sink: Sink, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => {
    const settle = () => {
      for (const event of SETTLING) sink.off(event, settle);
      signal?.removeEventListener("abort", settle);
      resolve();
    };
    for (const event of SETTLING) sink.once(event, settle);
    signal?.addEventListener("abort", settle);
  });
