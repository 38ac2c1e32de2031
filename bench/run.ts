/**
 * `npm run bench -- NAME …`: one benchmark of this folder by its name, with its own arguments.
 */
import { existsSync, globSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

const [name = ""] = process.argv.splice(2, 1);
const file = new URL(`${name}.ts`, import.meta.url);
if (!/^\w+$/.test(name) || name === "run" || !existsSync(file)) {
  const names = globSync("*.ts", { cwd: new URL(".", import.meta.url) }).map((path) => basename(path, ".ts"));
  console.error(
    `npm run bench -- NAME: expected one of ${names
      .filter((one) => one !== "run")
      .sort()
      .join(", ")}`,
  );
  process.exit(2);
}
await import(pathToFileURL(new URL(file).pathname).href);
