/** `simulate`: the exchange alone, for anyone's client. Its `--account`s have money and trade by themselves. */
import { readFileSync } from "node:fs";
import { ConfigError } from "../../errors.ts";
import type { RecordedAccount } from "../../simulator/exchange/recorded.ts";
import { createVenue } from "../../simulator/exchange/venue.ts";
import type { FaultRule } from "../../simulator/faults.ts";
import { startSimulator } from "../../simulator/server/server.ts";
import { type Command, EXIT, untilAborted } from "../command.ts";

export const simulate: Command = {
  name: "simulate",
  summary: "a simulated Hyperliquid: /info, /exchange and /ws on this machine",
  options: [
    ...(["host", "port", "seed", "speed", "weight"] as const),
    ...(["recorded", "faults", "account", "fillsPerSecond"] as const),
  ],
  async run({ options, clock, log, print, signal }) {
    const { host, port, seed, speed, weight, fillsPerSecond } = options;
    const recorded = readJsonFile<Record<string, RecordedAccount>>("--recorded", options.recorded) ?? {};
    const faults = readJsonFile<FaultRule[]>("--faults", options.faults) ?? [];
    const activeAccounts = options.account.map(({ address: user }) => ({ user, fillsPerSecond }));
    const venue = createVenue({ seed, startMs: clock.now(), recorded, activeAccounts });
    const limits = { weightPerMinute: weight };
    const simulator = await startSimulator({ venue, clock, log, host, port, speed, seed, limits }).catch(
      (cause: NodeJS.ErrnoException) => {
        throw cannotListen(host, port, cause);
      },
    );
    try {
      for (const rule of faults) simulator.gateway.faults.add(rule);
    } catch (error) {
      await simulator.stop();
      throw new ConfigError(`--faults ${JSON.stringify(options.faults)}: ${(error as Error).message}`, {
        cause: error,
      });
    }
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

/** Of a host and port that cannot be had; anything else is thrown as it is. */
function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): Error {
  const why: Record<string, string> = {
    EADDRINUSE:
      "the port is taken, perhaps by another simulator; choose another --port, or 0 for any free one",
    EACCES: "not allowed; choose a --port above 1023",
    EADDRNOTAVAIL: "this machine has no such address",
    ENOTFOUND: "no such host",
    EAI_AGAIN: "the name cannot be resolved now",
  };
  const known = why[cause.code ?? ""];
  return known === undefined ? cause : new ConfigError(`--host ${host} --port ${port}: ${known}`, { cause });
}

/** The JSON in a file that an option names; null where it names none. Throws `ConfigError`. */
function readJsonFile<T>(flag: string, path: string | null): T | null {
  if (path === null) return null;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (error) {
    const why = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    throw new ConfigError(`${flag} ${JSON.stringify(path)}: ${why}`, { cause: error });
  }
}
