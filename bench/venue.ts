/**
 * What the venue model costs: 50 accounts that trade 1 000 orders a second, and a virtual day of one account with the
 * default traders, with two markets, and without traders. CPU of this process, in seconds per second or per day of model time.
 */
import { createVenue, type VenueOptions } from "../src/simulator/exchange/venue.ts";

const START_MS = 1_790_359_200_000;
const HOUR_MS = 3_600_000;
/** Of a day only so much is run, and the rest reckoned: it costs the same every hour. */
const HOURS = 3;

function cpuSeconds(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const address = (n: number) => `0x${n.toString(16).padStart(40, "0")}`;

/** Half of an account's orders are filled, the others placed and canceled: 10 + 10 a second for each of the fifty. */
function crowd(): void {
  const activeAccounts = Array.from({ length: 50 }, (_, n) => ({
    user: address(n + 1),
    fillsPerSecond: 10,
    quietOrdersPerSecond: 10,
  }));
  const switches = { historyLimit: 10_000 };
  const venue = createVenue({ seed: 1, startMs: START_MS, activeAccounts, switches });
  venue.advance(venue.nowMs + 10_000);
  let orders = 0;
  venue.onBlock(({ events }) => {
    for (const event of events) if (event.type === "orderUpdate" && event.status === "open") orders++;
  });
  const seconds = 60;
  const spent = cpuSeconds(() => venue.advance(venue.nowMs + seconds * 1000));
  const rate = Math.round(orders / seconds);
  console.log(`50 accounts, ${rate} orders/s: ${((100 * spent) / seconds).toFixed(1)} % of a core`);
}

function day(name: string, options: VenueOptions): void {
  const user = address(1);
  const account = { user, fillsPerSecond: 0.2 };
  const venue = createVenue({ seed: 1, startMs: START_MS, activeAccounts: [account], ...options });
  venue.advance(venue.nowMs + 60_000);
  const spent = cpuSeconds(() => venue.advance(venue.nowMs + HOURS * HOUR_MS));
  const fills = venue.truth(user).fills.length;
  console.log(
    `a day, ${name}: ${((spent * 24) / HOURS).toFixed(1)} s of one core (${fills} fills in ${HOURS} h)`,
  );
}

crowd();
day("default traders in every market", {});
day("traders in BTC, ETH and SOL", { traders: { coins: ["BTC", "ETH", "SOL"] } });
day("traders in BTC, ETH and SOL that move every 10 s", {
  traders: { coins: ["BTC", "ETH", "SOL"], stepMs: 10_000 },
});
