/** `simulate`: the exchange alone, for anyone's client. Its `--account`s have money and trade by themselves. */
import { readFileSync } from "node:fs";
import { ConfigError } from "../../errors.ts";
import type { RecordedAccount } from "../../simulator/exchange/recorded.ts";
import { createVenue } from "../../simulator/exchange/venue.ts";
import { startSimulator } from "../../simulator/server/server.ts";
import { type Command, EXIT, untilAborted } from "../command.ts";

export const simulate: Command = {
  name: "simulate",
  summary: "a simulated Hyperliquid: /info, /exchange and /ws on this machine",
  options: ["host", "port", "seed", "speed", "weight", "recorded", "account", "fillsPerSecond"],
  async run({ options, clock, log, print, signal }) {
    const recorded = options.recorded === null ? {} : readRecorded(options.recorded);
    const { fillsPerSecond } = options;
    const activeAccounts = options.account.map(({ address: user }) => ({ user, fillsPerSecond }));
    const venue = createVenue({ seed: options.seed, startMs: clock.now(), recorded, activeAccounts });
    const { host, port, speed } = options;
    const simulator = await startSimulator({
      venue,
      clock,
      log,
      host,
      port,
      speed,
      limits: { weightPerMinute: options.weight },
    });
    if (options.json)
      print(JSON.stringify({ type: "simulator", apiUrl: simulator.url, wsUrl: simulator.wsUrl }));
    else {
      print(`simulated Hyperliquid  ${simulator.url}  (${simulator.wsUrl})`);
      print(`point a client at it, for example: hlsync run --api-url ${simulator.url} --account 0x…`);
    }
    await untilAborted(signal);
    await simulator.stop();
    return EXIT.ok;
  },
};

function readRecorded(path: string): Record<string, RecordedAccount> {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Record<string, RecordedAccount>;
  } catch (error) {
    const why = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    throw new ConfigError(`--recorded ${JSON.stringify(path)}: ${why}`, { cause: error });
  }
}
