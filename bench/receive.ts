/**
 * One client in a process of its own, named by the first argument and led by its parent's messages: `measure` counts
 * fills until all are there and answers how long that took; `follow` tells every trade id that is delivered, for ever.
 */
import { systemClock } from "../src/runtime/clock.ts";
import { RECEIVERS, tradeId, type VenueAddress } from "./receivers.ts";

export interface Order {
  do: "measure" | "follow";
  venue: VenueAddress;
  /** How many are sent, for `measure`. */
  fills: number;
}

/** From the first delivery to the last. */
export interface Measured {
  delivered: number;
  tookMs: number;
  /** Of this process, all its threads. */
  cpuMs: number;
}

/** A client that loses fills never completes: it is over after this long without a delivery. */
const QUIET_MS = 1_500;

const receiver = RECEIVERS[process.argv[2]!]!;

async function measure(venue: VenueAddress, fills: number): Promise<Measured> {
  let [delivered, firstMs, lastMs] = [0, 0, 0];
  let cpu = process.cpuUsage();
  let complete = () => {};
  const completed = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const end = await receiver(venue, (some) => {
    if (delivered === 0) {
      firstMs = performance.now();
      cpu = process.cpuUsage();
    }
    delivered += some.length;
    lastMs = performance.now();
    if (delivered === fills) {
      cpu = process.cpuUsage(cpu);
      complete();
    }
  });
  for (let seen = 0; delivered < fills && (delivered === 0 || seen !== delivered); ) {
    seen = delivered;
    await Promise.race([completed, systemClock.sleep(QUIET_MS)]);
  }
  if (delivered < fills) cpu = process.cpuUsage(cpu);
  await end();
  return { delivered, tookMs: lastMs - firstMs, cpuMs: (cpu.user + cpu.system) / 1_000 };
}

process.on("message", async (order: Order) => {
  if (order.do === "measure") process.send!(await measure(order.venue, order.fills));
  else await receiver(order.venue, (fills) => process.send!(fills.map(tradeId)));
});
process.on("disconnect", () => process.exit());
