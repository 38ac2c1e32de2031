/** A simulated venue with some history, on a real port, for tests with real SDKs. Time stands still until told. */
import { privateKeyToAccount } from "viem/accounts";
import { createVenue, type SimulatedVenue } from "../../src/simulator/exchange/venue.ts";
import { type Simulator, type SimulatorOptions, startSimulator } from "../../src/simulator/server/server.ts";

/** Ten minutes before an hour, so that a little later there is funding. */
const START_MS = 1_790_358_600_000;
export const SEED = 7;

export const owner = privateKeyToAccount(`0x${"11".repeat(32)}`);
export const agent = privateKeyToAccount(`0x${"22".repeat(32)}`);
export const other = privateKeyToAccount(`0x${"33".repeat(32)}`);
/** Trades by itself, a fill every two seconds. */
export const BUSY = `0x${"b".repeat(40)}` as const;

export interface SdkVenue {
  venue: SimulatedVenue;
  simulator: Simulator;
  /** Lets model time pass. */
  pass(ms: number): void;
}

export async function startSdkVenue(options: Partial<SimulatorOptions> = {}): Promise<SdkVenue> {
  const venue = createVenue({
    seed: SEED,
    startMs: START_MS,
    activeAccounts: [{ user: BUSY, fillsPerSecond: 0.5 }],
  });
  venue.deposit(owner.address, "100000");
  venue.deposit(other.address, "1000");
  venue.advance(START_MS + 12 * 60_000);
  const limits = { weightPerMinute: 1_000_000, connections: 100, connectionsPerMinute: 1_000, users: 100 };
  const simulator = await startSimulator({ venue, speed: "stepped", limits, ...options });
  return { venue, simulator, pass: (ms) => venue.advance(venue.nowMs + ms) };
}
