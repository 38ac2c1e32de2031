/** Every command of the program; a new one is one line here. A command's modules are loaded when it is called. */
import type { Command } from "../command.ts";

/** In the order of `--help`. */
const LOADERS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import("./run.ts")).run,
  monitor: async () => (await import("./monitor.ts")).monitor,
  sync: async () => (await import("./sync.ts")).sync,
  backfill: async () => (await import("./backfill.ts")).backfill,
  verify: async () => (await import("./verify.ts")).verify,
  status: async () => (await import("./status.ts")).status,
  health: async () => (await import("./health.ts")).health,
  tail: async () => (await import("./tail.ts")).tail,
  export: async () => (await import("./export.ts")).exportCommand,
  doctor: async () => (await import("./doctor.ts")).doctor,
  accounts: async () => (await import("./accounts.ts")).accounts,
  alerts: async () => (await import("./alerts.ts")).alerts,
  webhooks: async () => (await import("./webhooks.ts")).webhooks,
  quarantine: async () => (await import("./quarantine.ts")).quarantine,
  init: async () => (await import("./init.ts")).init,
  migrate: async () => (await import("./migrate.ts")).migrate,
  access: async () => (await import("./access.ts")).access,
  members: async () => (await import("./access.ts")).members,
  realtime: async () => (await import("./access.ts")).realtime,
  page: async () => (await import("./page.ts")).page,
  import: async () => (await import("./import.ts")).importCommand,
  exchange: async () => (await import("./exchange.ts")).exchange,
  "import-legacy": async () => (await import("./importLegacy.ts")).importLegacy,
  uninstall: async () => (await import("./uninstall.ts")).uninstall,
  simulate: async () => (await import("./simulate.ts")).simulate,
  demo: async () => (await import("./demo.ts")).demo,
  completion: async () => (await import("./completion.ts")).completion,
};

/** One command, or null when none has this name. */
export async function loadCommand(name: string): Promise<Command | null> {
  return Object.hasOwn(LOADERS, name) ? withSchema(await LOADERS[name]!()) : null;
}

/** A command that takes a database also takes its schema. */
const withSchema = (command: Command): Command => ({
  ...command,
  options: command.options.flatMap((name) =>
    name === "database" ? (["database", "schema"] as const) : [name],
  ),
});

/** All, in the order of `--help`. */
export const loadCommands = (): Promise<Command[]> =>
  Promise.all(Object.values(LOADERS).map(async (load) => withSchema(await load())));
