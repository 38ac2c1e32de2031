/**
 * A process that uses the embedded database in the folder given as argument: says `{"url": …}` when it is open,
 * releases it when its standard input ends, and says `{"released": true}`.
 */
import { systemClock } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { openEmbedded } from "../../src/store/embedded.ts";

const embedded = await openEmbedded(process.argv[2]!, { clock: systemClock, log: silentLog });
process.stdout.write(`${JSON.stringify({ url: embedded.url })}\n`);
process.stdin.resume();
process.stdin.on("end", async () => {
  await embedded.release();
  process.stdout.write(`${JSON.stringify({ released: true })}\n`);
});
