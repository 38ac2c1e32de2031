/** What this process and the accounts of its options are called, and whose an alias is. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { ConfigError } from "../errors.ts";
import type { Aliases } from "../outputs/eventText.ts";
import type { Database } from "../store/database.ts";
import { hasRoster, readRoster } from "../store/roster.ts";
import { openStore } from "../store/store.ts";
import type { Context } from "./command.ts";

/** Names this process among those that share a database. */
export const holderName = (): string => `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;

export const aliasesOf = ({ account }: Context["options"]): Aliases =>
  new Map(account.flatMap(({ address, alias }) => (alias === null ? [] : [[address, alias] as const])));

/** Accounts of the options that are named by an alias alone. */
const unnamed = ({ account, onlyAccount }: Partial<Pick<Context["options"], "account" | "onlyAccount">>) =>
  [...(account ?? []), ...(onlyAccount ?? [])].filter(({ address }) => address === "");

/** Throws `ConfigError` where there is no database that could say whose an alias is. */
export function refuseAliases(options: Parameters<typeof unnamed>[0], why: string): void {
  const [first] = unnamed(options);
  if (first) throw new ConfigError(`account ${JSON.stringify(first.alias)}: give its address, ${why}`);
}

/** Why an alias means none of them. */
export const ofSeveral = (addresses: readonly string[]): string =>
  `is the alias of several: name one of ${addresses.join(", ")}`;

/** Whose alias it is. Throws `ConfigError` when it is of none, or of several. */
export async function addressNamed(database: Database, alias: string): Promise<string> {
  const roster = (await hasRoster(database)) ? await readRoster(database) : [];
  const followed = (await openStore(database).accounts()).map((row) => ({ ...row, address: row.account }));
  const all = new Map([...followed, ...roster].map((row) => [row.address, row.alias]));
  const found = [...all].filter(([, known]) => known === alias);
  if (found.length === 1) return found[0]![0];
  const known = [...all.values()].filter((one) => one !== null);
  const why =
    found.length > 1
      ? ofSeveral(found.map(([address]) => address))
      : `is no address (0x and 40 hex digits) and no alias in ${database.describe()}${known.length > 0 ? `, which knows ${known.join(", ")}` : ""}`;
  throw new ConfigError(`account ${JSON.stringify(alias)} ${why}`);
}

/** Puts the addresses into the options, for every part of the program that holds them. */
export async function nameAccounts(options: Context["options"], database: Database): Promise<void> {
  for (const account of unnamed(options)) account.address = await addressNamed(database, account.alias!);
}
