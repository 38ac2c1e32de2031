/**
 * `accounts`: the roster, which every running hlsync follows. Guarantees: a file is taken as a whole or not at all; removing
 * an account removes nothing that was stored.
 */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { accountParts } from "../../config.ts";
import { ConfigError, errorText } from "../../errors.ts";
import { isAddress } from "../../protocol/address.ts";
import type { Queryable } from "../../store/database.ts";
import {
  pauseInRoster,
  putIntoRoster,
  type RosterChange,
  type RosterRow,
  readAliases,
  readRoster,
  removeFromRoster,
} from "../../store/roster.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { ofSeveral } from "../names.ts";
import { openExisting, openMigrated, openToRead } from "../openDatabase.ts";
import { accountsOfFile } from "../rosterFile.ts";

export const accounts: Command = {
  name: "accounts",
  args: "<action> [targets...]",
  summary:
    "the accounts that run follows: list, add 0x…[+subs][=alias], remove, pause, resume, import <file>",
  options: ["database", "tag", "wish", "since"],
  check({ options, args: [action = "", ...targets], clock }) {
    if (!Object.hasOwn(ACTIONS, action))
      throw new ConfigError(
        `accounts ${JSON.stringify(action)}: expected one of ${Object.keys(ACTIONS).join(", ")}`,
      );
    if (action !== "list" && targets.length === 0)
      throw new ConfigError(`accounts ${action}: say which, for example 0x… or an alias`);
    if (action === "add") for (const target of targets) added(target, options);
    if (action === "import") for (const path of targets) read(path, { options, clock });
  },
  async run(context) {
    const [action = "", ...targets] = context.args;
    const open = action === "list" ? openToRead : MAKING.includes(action) ? openMigrated : openExisting;
    const { database } = await open(context);
    return ACTIONS[action]!(context, database, targets);
  },
};

/** Actions that make a database where there is none. */
const MAKING: readonly string[] = ["add", "import"];

type Action = (context: Context, db: Queryable, targets: readonly string[]) => Promise<number>;

const ACTIONS: Record<string, Action> = {
  list,
  add: (context, db, targets) =>
    put(
      context,
      db,
      targets.map((target) => added(target, context.options)),
    ),
  async remove(context, db, targets) {
    const rows = await chosen(db, targets);
    await removeFromRoster(db, addressesOf(rows));
    return say(context, rows, "removed: what is stored of it stays");
  },
  async pause(context, db, targets) {
    const rows = await chosen(db, targets);
    await pauseInRoster(db, addressesOf(rows), true);
    return say(context, rows, "paused");
  },
  async resume(context, db, targets) {
    const rows = await chosen(db, targets);
    await pauseInRoster(db, addressesOf(rows), false);
    return say(context, rows, "followed again");
  },
  import: (context, db, paths) =>
    put(
      context,
      db,
      paths.flatMap((path) => read(path, context)),
    ),
};

const addressesOf = (rows: readonly RosterRow[]): string[] => rows.map(({ address }) => address);

/** `0x…[+subs][=alias]` with what the options say of it. */
function added(target: string, { tag, wish, since }: Context["options"]): RosterChange {
  const { named, withSubs, alias } = accountParts(target);
  if (!isAddress(named))
    throw new ConfigError(
      `accounts add: ${JSON.stringify(target)} is none: expected 0x and 40 hex digits, optionally +subs, optionally =alias`,
    );
  return {
    address: named.toLowerCase(),
    alias,
    tags: tag.length > 0 ? tag : undefined,
    wish: wish === "" ? undefined : wish,
    sinceMs: since ?? undefined,
    withSubs: withSubs || undefined,
  };
}

/** What the file says of an account goes before the options. */
function read(path: string, { options, clock }: Pick<Context, "options" | "clock">): RosterChange[] {
  const text = readText(path);
  return accountsOfFile(text, path, clock.now()).map(({ address, ...said }) => {
    const given = Object.entries(said).filter(([, value]) => value !== undefined);
    return { ...added(address, options), ...Object.fromEntries(given) };
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`accounts import: ${errorText(error)}`);
  }
}

async function put(context: Context, db: Queryable, changes: readonly RosterChange[]): Promise<number> {
  const distinct = eachOnce(changes);
  await refuseCollisions(db, distinct);
  const before = await readAliases(db, distinct);
  const count = await putIntoRoster(db, distinct);
  const renamed = distinct.flatMap(({ address, alias }) => {
    const from = before.get(address);
    return alias && from && from !== alias ? [{ address, from, to: alias }] : [];
  });
  const { options, print } = context;
  if (options.json)
    print(JSON.stringify({ type: "accounts", added: count, changed: distinct.length - count, renamed }));
  else {
    for (const { from, to } of renamed) print(`renamed ${from} → ${to}`);
    print(
      `${count} added, ${distinct.length - count} known already: each running hlsync follows within seconds`,
    );
  }
  return EXIT.ok;
}

/** A statement changes a row once. Throws `ConfigError` where an account is named twice and not the same is said of it. */
function eachOnce(changes: readonly RosterChange[]): RosterChange[] {
  const byAddress = new Map<string, RosterChange>();
  for (const change of changes) {
    const { address } = change;
    if (!isDeepStrictEqual(byAddress.get(address) ?? change, change))
      throw new ConfigError(`accounts: ${address} is named twice, and not in the same words: say it once`);
    byAddress.set(address, change);
  }
  return [...byAddress.values()];
}

/** An alias means one account: nobody could be named by that of several. Throws `ConfigError`. */
async function refuseCollisions(db: Queryable, changes: readonly RosterChange[]): Promise<void> {
  const named = new Set(changes.filter(({ alias }) => alias).map(({ address }) => address));
  const others = (await readRoster(db)).filter(({ address }) => !named.has(address));
  const owners = new Map(others.map(({ alias, address }) => [alias, address]));
  for (const { address, alias } of changes) {
    if (!alias) continue;
    const owner = owners.get(alias);
    if (owner !== undefined)
      throw new ConfigError(`accounts: ${JSON.stringify(alias)} is the alias of ${owner}: choose another`);
    owners.set(alias, address);
  }
}

/** The entries that are meant by address or by alias. */
async function chosen(db: Queryable, targets: readonly string[]): Promise<RosterRow[]> {
  const rows = await readRoster(db);
  return targets.map((target) => {
    const found = rows.filter(({ address, alias }) => address === target.toLowerCase() || alias === target);
    if (found.length === 1) return found[0]!;
    const why = found.length > 1 ? ofSeveral(found.map(({ address }) => address)) : "is not in the roster";
    throw new ConfigError(`accounts: ${JSON.stringify(target)} ${why}`);
  });
}

function say({ options, print }: Context, rows: readonly RosterRow[], state: string): number {
  for (const { address, alias } of rows)
    print(
      options.json
        ? JSON.stringify({ type: "account", address, alias, state })
        : `${alias ?? address}: ${state}`,
    );
  return EXIT.ok;
}

async function list({ options, print }: Context, db: Queryable): Promise<number> {
  const rows = await readRoster(db);
  const shown = rows.filter(
    ({ tags, wish }) =>
      options.tag.every((tag) => tags.includes(tag)) && (options.wish === "" || wish === options.wish),
  );
  for (const row of shown) print(options.json ? JSON.stringify({ type: "account", ...row }) : lineOf(row));
  if (rows.length === 0 && !options.json) print("the roster is empty: hlsync accounts add 0x…");
  return EXIT.ok;
}

function lineOf({ address, alias, tags, wish, sinceMs, paused, withSubs }: RosterRow): string {
  const parts = [
    address,
    alias ?? "",
    paused ? "paused" : wish,
    withSubs ? "+subs" : "",
    tags.map((tag) => `#${tag}`).join(" "),
  ];
  if (sinceMs !== null) parts.push(`since ${new Date(sinceMs).toISOString().slice(0, 10)}`);
  return parts.filter((part) => part !== "").join("  ");
}
