/**
 * What makes the model's time pass: blocks every `blockMs`, as fast as the clock, faster, or only when told to.
 * Guarantees: the model's time never goes back; one tick never advances it by more than a bounded stretch, so that a
 * machine that slept catches up block by block without stopping the server.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Venue } from "../contract.ts";

export interface VenueTime {
  /** Advances at once by `ms`; the model's time afterwards. Throws `RangeError` unless time is stepped. */
  step(ms: number): number;
  /**
   * The venue's clock runs `ms` more ahead of the client's from now on (or behind, when negative); the total. Throws
   * `RangeError` where time is stepped: there it has no clock of its own.
   */
  skew(ms: number): number;
  stop(): void;
}

interface VenueTimeOptions {
  venue: Venue;
  clock: Clock;
  /** Model milliseconds per clock millisecond; "stepped" stands still until told. */
  speed: number | "stepped";
  /** The model's time is the clock's: what it is behind at the start is caught up. Else it runs from where it stands. */
  isPresent?: boolean;
  /** How often, on the clock, the model is advanced. */
  blockMs: number;
  /** Told what went wrong in a tick; the next one tries again. Without it the error is thrown. */
  failed?: (what: string, error: unknown) => void;
}

/** The most one tick catches up, in ticks' worth of time. */
const MAX_CATCH_UP_TICKS = 50;

/** Model time that is made between two looks at the rest of the program: some 20 ms of work. */
const HISTORY_STEP_MS = 60_000;

/**
 * Makes a venue that starts in the past arrive at the present; what passes meanwhile is made too. Rejects with the
 * signal's reason.
 */
export async function liveThrough(
  venue: Venue,
  clock: Clock,
  signal: AbortSignal,
  nearMs = 100,
): Promise<void> {
  while (clock.now() - venue.nowMs > nearMs) {
    venue.advance(Math.min(clock.now(), venue.nowMs + HISTORY_STEP_MS));
    await clock.sleep(0, signal);
  }
}

export function startVenueTime({
  venue,
  clock,
  speed,
  blockMs,
  isPresent = false,
  failed,
}: VenueTimeOptions): VenueTime {
  const startedMs = clock.now();
  const venueStartMs = isPresent ? startedMs : venue.nowMs;
  let skewMs = 0;
  let cancel = () => {};

  if (speed !== "stepped") {
    const tick = () => {
      cancel = clock.after(blockMs, tick);
      const dueMs = Math.floor(venueStartMs + (clock.now() - startedMs) * speed + skewMs);
      const furthestMs = venue.nowMs + Math.ceil(blockMs * speed * MAX_CATCH_UP_TICKS);
      const toMs = Math.min(dueMs, furthestMs);
      if (toMs <= venue.nowMs) return;
      try {
        venue.advance(toMs);
      } catch (error) {
        if (failed === undefined) throw error;
        failed("block", error);
      }
    };
    cancel = clock.after(blockMs, tick);
  }

  return {
    step(ms) {
      if (speed !== "stepped") throw new RangeError("time runs by itself; start the simulator stepped");
      venue.advance(venue.nowMs + ms);
      return venue.nowMs;
    },
    skew(ms) {
      if (speed === "stepped")
        throw new RangeError("stepped time has no clock to run ahead; advance it instead");
      skewMs += ms;
      return skewMs;
    },
    stop: () => cancel(),
  };
}
