/** `simulate`: the exchange alone, for anyone's client. Its `--account`s have money and trade by themselves. */
import { readFileSync } from "node:fs";
import { ZodError } from "zod";
import { ConfigError } from "../../errors.ts";
import { untilAborted } from "../../runtime/abort.ts";
import { brokenLine } from "../../runtime/brokenJson.ts";
import type { Json } from "../../simulator/contract.ts";
import type { RecordedAccount } from "../../simulator/exchange/recorded.ts";
import { createVenue } from "../../simulator/exchange/venue.ts";
import { complaint, readFaultRules } from "../../simulator/server/controlBodies.ts";
import { startSimulator } from "../../simulator/server/server.ts";
import { liveThrough } from "../../simulator/server/venueTime.ts";
import { readPairs, readSettings } from "../../simulator/settings.ts";
import { type Command, EXIT } from "../command.ts";

export const simulate: Command = {
  name: "simulate",
  summary: "a simulated Hyperliquid: /info, /exchange and /ws on this machine",
  addressesOnly: "the simulator has no database",
  options: [
    ...(["host", "port", "seed", "speed", "weight"] as const),
    ...(["recorded", "faults", "switches", "history", "account", "fillsPerSecond"] as const),
  ],
  async run({ options, clock, log, print, signal, lifecycle }) {
    const { host, port, seed, speed, weight, fillsPerSecond } = options;
    const recorded = readJsonFile<Record<string, RecordedAccount>>("--recorded", options.recorded) ?? {};
    const faults = meant("--faults", options.faults, () =>
      readFaultRules(readJsonFile<Json>("--faults", options.faults) ?? [], clock.now()),
    );
    const settings = meant("--switches", options.switches, () =>
      readSettings(readSwitches(options.switches)),
    );
    const activeAccounts = options.account.map(({ address: user }) => ({ user, fillsPerSecond }));
    const startMs = clock.now() - options.history;
    const { traders, model } = settings;
    const venue = createVenue({ seed, startMs, recorded, activeAccounts, traders, switches: model });
    await liveThrough(venue, clock, signal);
    const limits = { weightPerMinute: weight };
    const served = { venue, limits, faults, switches: settings.server };
    const simulator = await startSimulator({ ...served, clock, log, host, port, speed, seed }).catch(
      (cause: NodeJS.ErrnoException) => {
        throw cannotListen(host, port, cause);
      },
    );
    if (options.json)
      print(JSON.stringify({ type: "simulator", apiUrl: simulator.url, wsUrl: simulator.wsUrl }));
    else {
      print(`simulated Hyperliquid  ${simulator.url}  (${simulator.wsUrl})`);
      print(`point a client at it, for example: hlsync run --api-url ${simulator.url} --account 0x…`);
    }
    lifecycle.add({ name: "simulator", stop: () => simulator.stop() });
    await untilAborted(signal);
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

/** What `read` makes of an option's value; what it does not understand is the user's to correct. */
function meant<T>(flag: string, value: string | null, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const why = error instanceof ZodError ? complaint(error) : (error as Error).message;
    throw error instanceof ConfigError
      ? error
      : new ConfigError(`${flag} ${JSON.stringify(value)}: ${why}`, { cause: error });
  }
}

/** A value with `=` or `{` in it is the settings themselves, any other names a file. */
function readSwitches(value: string | null): Json {
  return value !== null && /[={]/.test(value)
    ? readPairs(value)
    : (readJsonFile<Json>("--switches", value) ?? {});
}

/** The JSON in a file that an option names; null where it names none. Throws `ConfigError`. */
function readJsonFile<T>(flag: string, path: string | null): T | null {
  if (path === null) return null;
  let text = "";
  try {
    text = readFileSync(path, "utf8");
    return JSON.parse(text) as T;
  } catch (error) {
    const why = error instanceof SyntaxError ? `is not JSON in line ${brokenLine(text)}` : "cannot be read";
    throw new ConfigError(`${flag} ${JSON.stringify(path)}: ${why}`, { cause: error });
  }
}
