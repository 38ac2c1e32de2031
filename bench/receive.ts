/**
 * One client in a process of its own, named by the first argument and led by its parent's messages: `measure` counts
 * fills until all are there and answers how long that took; `follow` tells every trade id that is delivered, for ever.
 */
import { systemClock } from "../src/runtime/clock.ts";
import { FRAME_RECEIVERS, RECEIVERS, tradeId, type VenueAddress } from "./receivers.ts";

export interface Order {
  do: "measure" | "follow";
  venue: VenueAddress;
  /** For `measure`: how many fills are sent, or frames of another channel. */
  fills: number;
  channel: string;
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

const name = process.argv[2]!;
const receiver = RECEIVERS[name]!;

async function measure({ venue, fills, channel }: Order): Promise<Measured> {
  let [delivered, firstMs, lastMs] = [0, 0, 0];
  let cpu = process.cpuUsage();
  let complete = () => {};
  const completed = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const take = (count: number) => {
    if (delivered === 0) {
      firstMs = performance.now();
      cpu = process.cpuUsage();
    }
    delivered += count;
    lastMs = performance.now();
    if (delivered === fills) {
      cpu = process.cpuUsage(cpu);
      complete();
    }
  };
  const end =
    channel === "userFills"
      ? await receiver(venue, (some) => take(some.length))
      : FRAME_RECEIVERS[name]!(venue, channel, () => take(1));
  for (let seen = 0; delivered < fills && (delivered === 0 || seen !== delivered); ) {
    seen = delivered;
    await Promise.race([completed, systemClock.sleep(QUIET_MS)]);
  }
  if (delivered < fills) cpu = process.cpuUsage(cpu);
  await end();
  return { delivered, tookMs: lastMs - firstMs, cpuMs: (cpu.user + cpu.system) / 1_000 };
}

process.on("message", async (order: Order) => {
  if (order.do === "measure") process.send!(await measure(order));
  else await receiver(order.venue, (fills) => process.send!(fills.map(tradeId)));
});
process.on("disconnect", () => process.exit());
