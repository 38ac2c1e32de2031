/**
 * The functions, views and triggers of the database, as `sql/` has them: one definition each, in the order of
 * `sql/order.txt`. They are applied as a whole and again when anything in them changed.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { packageFile } from "../runtime/packageFile.ts";
import { programVersion } from "../runtime/version.ts";

const FOLDER = packageFile("sql/");

interface Definitions {
  /** SHA-256 of all files in their order. */
  checksum: string;
  /** Version of the program they came with. */
  version: string;
  sql: string;
}

// A checkout with other line ends has the same definitions.
const read = (name: string): string => readFileSync(new URL(name, FOLDER), "utf8").replaceAll("\r\n", "\n");

/** Names of the files of `sql/`, in the order in which they are applied. */
export function definitionFiles(): string[] {
  return read("order.txt")
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}

/** All definitions this program has. */
export function knownDefinitions(): Definitions {
  const sql = definitionFiles()
    .map((name) => `-- sql/${name}\n${read(name).trimEnd()}`)
    .join("\n\n");
  return { checksum: createHash("sha256").update(sql).digest("hex"), version: programVersion(), sql };
}

/** A relation or a function that the definitions and migrations leave behind, as `sql/schema.sql` lists them. */
interface MadeObject {
  kind: "table" | "view" | "function";
  isInternal: boolean;
  name: string;
}

/** Everything that a database has after them, but for the functions of the page. */
export const madeObjects = (): MadeObject[] =>
  [...read("schema.sql").matchAll(/^create (table|view|function) (public|hl_internal)\.(\w+)/gm)].map(
    ([, kind, schema, name]) => ({
      kind: kind as MadeObject["kind"],
      isInternal: schema === "hl_internal",
      name: name!,
    }),
  );
