/** `init`: a commented config file and `.env.example` in the working folder. Guarantees: overwrites nothing. */
import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { COMMON_OPTIONS } from "../../config.ts";
import { ConfigError } from "../../errors.ts";
import { type Command, EXIT } from "../command.ts";
import { CONFIG_FILE, configText, ENV_FILE, envText } from "../configTemplate.ts";
import { run } from "./run.ts";

export const init: Command = {
  name: "init",
  summary: `write a commented ${CONFIG_FILE} and ${ENV_FILE} to this folder`,
  addressesOnly: "a config file is read before any database",
  options: ["account", "network"],
  async run({ options, print }) {
    const names = [...run.options, ...COMMON_OPTIONS];
    const accounts = options.account.map(({ address, alias }) => (alias ? `${address}=${alias}` : address));
    const given = {
      ...(accounts.length > 0 ? { account: accounts } : {}),
      ...(options.network === "mainnet" ? {} : { network: options.network }),
    };
    const files = { [CONFIG_FILE]: configText(names, given), [ENV_FILE]: envText(names) };
    const taken = Object.keys(files).filter((name) => existsSync(name));
    if (taken.length > 0)
      throw new ConfigError(
        `init: there is ${taken.join(" and ")} already: edit that, or move it away first`,
      );
    for (const [name, text] of Object.entries(files)) write(name, text);
    if (options.json) print(JSON.stringify({ type: "init", files: Object.keys(files) }));
    else {
      print(`wrote ${Object.keys(files).join(" and ")}`);
      print(`next: cp ${ENV_FILE} .env, edit both, then: hlsync doctor && hlsync run`);
    }
    return EXIT.ok;
  },
};

function write(name: string, text: string): void {
  try {
    writeFileSync(name, text, { flag: "wx" });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new ConfigError(`init: cannot write ${resolve(name)}: ${code ?? message}`, { cause });
  }
}
