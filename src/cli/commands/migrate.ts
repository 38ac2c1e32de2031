/** `migrate`: bring the schema up to date, print it, or say what is pending. */
import { resolve } from "node:path";
import { hasEmbeddedDatabase } from "../../store/embeddedFolder.ts";
import { allMigrations, migrate as apply, pendingMigrations, printMigrations } from "../../store/migrate.ts";
import { type Command, EXIT } from "../command.ts";
import { isUrl, openDatabase } from "../openDatabase.ts";

export const migrate: Command = {
  name: "migrate",
  summary: "bring the database schema up to date",
  options: ["database", "print", "check"],
  async run(context) {
    const { options, print } = context;
    const say = (migrations: string[], text: string) =>
      print(options.json ? JSON.stringify({ type: "migrate", check: options.check, migrations }) : text);
    if (options.print) {
      context.printScript(printMigrations(options.schema));
      return EXIT.ok;
    }
    if (options.check && !isUrl(options.database) && !hasEmbeddedDatabase(options.database)) {
      const all = allMigrations();
      say(all, `no database in ${resolve(options.database)} yet, pending: ${all.join(", ")}`);
      return EXIT.migration;
    }
    const { database, close } = await openDatabase(context);
    try {
      if (options.check) {
        const pending = await pendingMigrations(database);
        say(pending, pending.length === 0 ? "up to date" : `pending: ${pending.join(", ")}`);
        return pending.length === 0 ? EXIT.ok : EXIT.migration;
      }
      const applied = await apply(database);
      say(applied, applied.length === 0 ? "up to date" : `applied: ${applied.join(", ")}`);
      return EXIT.ok;
    } finally {
      await close();
    }
  },
};
