/**
 * `access`, `members`, `realtime`: what a Supabase project shows to whom. Each is one call of a function in the database,
 * where the rule lives (sql/access.sql); `--print` gives that call for who runs SQL by hand.
 */
import { ConfigError } from "../../errors.ts";
import { isAddress } from "../../protocol/address.ts";
import type { Database } from "../../store/database.ts";
import { inSchema } from "../../store/schema.ts";
import { openings, openingText } from "../checks/database.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { addressNamed } from "../names.ts";
import { openMigrated } from "../openDatabase.ts";

const PRESETS = ["single-user", "members", "off"];
const USER_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A statement, and what is said when it was carried out. */
interface Change {
  sql: string;
  says: string;
}

/** Carries the change out, or prints it. Its values were checked, so that its text is safe as it stands. */
async function carryOut(context: Context, { sql, says }: Change): Promise<number> {
  const { options, print } = context;
  if (options.print) {
    context.printScript(`${inSchema(sql, options.schema)};`);
    return EXIT.ok;
  }
  const { database } = await openMigrated(context);
  await database.query(sql);
  print(options.json ? JSON.stringify({ type: "access", says }) : says);
  return EXIT.ok;
}

const oneOf = (words: readonly string[]): string => `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;

export const access: Command = {
  name: "access",
  args: "[preset]",
  summary: "say, or choose, who may read through Supabase's API: single-user, members or off",
  options: ["database", "print"],
  check({ args: [preset] }) {
    if (preset !== undefined && !PRESETS.includes(preset))
      throw new ConfigError(`access ${JSON.stringify(preset)}: expected ${oneOf(PRESETS)}`);
  },
  async run(context) {
    const [preset] = context.args;
    if (preset === undefined) return sayAccess(context);
    return carryOut(context, {
      sql: `select hl_internal.set_access('${preset}')`,
      says: `access is ${preset}: every table, view and function of hlsync is set to it, and later ones will be`,
    });
  },
};

async function sayAccess(context: Context): Promise<number> {
  const { database } = await openMigrated(context);
  const [row] = await database.query<{ preset: string }>("select hl_internal.access() as preset");
  const open = await openings(database);
  const preset = row!.preset;
  if (context.options.json) context.print(JSON.stringify({ type: "access", preset, open }));
  else {
    context.print(`access is ${preset}${open.length === 0 ? ": nothing is open beyond it" : ""}`);
    for (const opening of open) context.print(`open beyond it: ${openingText(opening)}`);
  }
  return open.length === 0 ? EXIT.ok : EXIT.usage;
}

const MEMBER_ACTIONS = ["add", "remove", "list"];

export const members: Command = {
  name: "members",
  args: "<action> [user] [account]",
  summary: "which signed-in user may read which account, with the preset members: add, remove or list",
  options: ["database", "print"],
  check({ args: [action = "", user, account] }) {
    if (!MEMBER_ACTIONS.includes(action))
      throw new ConfigError(`members ${JSON.stringify(action)}: expected ${oneOf(MEMBER_ACTIONS)}`);
    if (action === "list") return;
    if (!USER_ID.test(user ?? ""))
      throw new ConfigError(
        `members ${action}: ${JSON.stringify(user ?? "")} is no user id (a UUID of auth.users)`,
      );
    if (account === undefined || (/^0x/i.test(account) && !isAddress(account)))
      throw new ConfigError(
        `members ${action}: ${JSON.stringify(account ?? "")} is no address (0x and 40 hex digits), and no alias`,
      );
  },
  async run(context) {
    const [action, user = "", account = ""] = context.args;
    if (action === "list") return listMembers(context);
    const id = user.toLowerCase();
    const address = isAddress(account) ? account.toLowerCase() : await whose(context, account);
    if (action === "add")
      return carryOut(context, {
        sql: `insert into public.hl_members (user_id, account_address) values ('${id}', '${address}') on conflict do nothing`,
        says: `${id} may read ${address}`,
      });
    return carryOut(context, {
      sql: `delete from public.hl_members where user_id = '${id}' and account_address = '${address}'`,
      says: `${id} may not read ${address}`,
    });
  },
};

async function whose(context: Context, alias: string): Promise<string> {
  if (context.options.print)
    throw new ConfigError("--print asks no database: name the account by its address");
  const { database } = await openMigrated(context);
  return addressNamed(database, alias);
}

async function listMembers(context: Context): Promise<number> {
  const { database } = await openMigrated(context);
  const rows = await memberRows(database);
  if (rows.length === 0 && !context.options.json) context.print("there are no members");
  for (const row of rows)
    context.print(
      context.options.json ? JSON.stringify({ type: "member", ...row }) : `${row.user} reads ${row.account}`,
    );
  return EXIT.ok;
}

const memberRows = (database: Database) =>
  database.query<{ user: string; account: string }>(
    `select user_id::text as "user", account_address as account from public.hl_members order by 1, 2`,
  );

export const realtime: Command = {
  name: "realtime",
  args: "<on|off>",
  summary: "put the tables that a page follows into Supabase Realtime, or take them out",
  options: ["database", "print"],
  check({ args: [wanted = ""] }) {
    if (wanted !== "on" && wanted !== "off")
      throw new ConfigError(`realtime ${JSON.stringify(wanted)}: expected on or off`);
  },
  run(context) {
    const isOn = context.args[0] === "on";
    return carryOut(context, {
      sql: `select hl_internal.set_realtime(${isOn})`,
      says: isOn
        ? "orders, fills, positions, account snapshots and alerts are in Supabase Realtime"
        : "nothing of hlsync is in Supabase Realtime",
    });
  },
};
