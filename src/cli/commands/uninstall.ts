/**
 * `uninstall`: removes everything that hlsync made in a database, and nothing else. Guarantees: lists what goes and asks, or
 * wants `--yes`; views of the user that stand on it are named and keep it from going; one transaction.
 */
import { resolve } from "node:path";
import { ConfigError } from "../../errors.ts";
import type { Database } from "../../store/database.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { isUrl, openExisting } from "../openDatabase.ts";
import { answerTo } from "../prompt.ts";

interface Going extends Record<string, unknown> {
  kind: string;
  name: string;
}

export const uninstall: Command = {
  name: "uninstall",
  summary: "remove everything that hlsync made in the database",
  options: ["database", "print", "yes"],
  check({ options }) {
    if (!isUrl(options.database))
      throw new ConfigError(
        `the embedded database is a folder: stop hlsync and delete ${resolve(options.database)}`,
      );
    if (!options.print && !options.yes && !process.stdin.isTTY)
      throw new ConfigError("uninstall asks before it removes anything: run it in a terminal, or add --yes");
  },
  async run(context) {
    const { options, print } = context;
    const { database } = await openExisting(context);
    const [row] = await database.query<{ script: string }>("select hl_internal.uninstall_script() as script");
    if (options.print) {
      context.printScript(row!.script);
      return EXIT.ok;
    }
    const dependents = await database.query<{ name: string }>(
      "select name from hl_internal.dependents() as d(name)",
    );
    if (dependents.length > 0)
      throw new ConfigError(
        `these read what hlsync made, drop them first: ${dependents.map(({ name }) => name).join(", ")}`,
      );
    const going = await goingObjects(database);
    for (const { kind, name } of going) print(`${kind} ${name}`);
    print("schema hl_internal with all that is in it");
    if (!options.yes && !(await isConfirmed(database, context))) {
      print("nothing was removed");
      return EXIT.ok;
    }
    await database.query(row!.script);
    print(`removed from ${database.describe()}`);
    return EXIT.ok;
  },
};

const goingObjects = (database: Database): Promise<Going[]> =>
  database.query<Going>("select kind, name from hl_internal.objects order by kind desc, name");

async function isConfirmed(database: Database, { signal }: Context): Promise<boolean> {
  const question = `Remove all of it, with every row, from ${database.describe()}? Type "remove": `;
  return (await answerTo(question, signal)) === "remove";
}
