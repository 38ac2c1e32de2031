/**
 * ClickHouse in a folder, through `chdb` (ClickHouse inside an npm package, 543 MB: no dependency of hlsync, loaded when it is
 * asked for). One process at a time has the folder.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { ConfigError } from "../errors.ts";
import { type ClickHouse, codeIn, jsonLines, Refused, rowsOfLines, tabSeparated } from "./engine.ts";

interface ChdbSession {
  queryAsync(sql: string, options?: { format?: string }): Promise<{ text(): string; bytes(): Uint8Array }>;
  insert(params: { table: string; values: Buffer; format: string }): Promise<unknown>;
  close(): void;
}
interface Chdb {
  Session: new (path: string) => ChdbSession;
  drainPending(): Promise<void>;
}

const PACKAGE = "chdb";

/** Where the package is looked for: beside hlsync, and in the working folder. */
const places = (): string[] => [import.meta.url, join(process.cwd(), "package.json")];

function loadChdb(from: readonly string[]): Chdb {
  for (const place of from) {
    try {
      return createRequire(place)(PACKAGE) as Chdb;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  throw new ConfigError(
    "a folder needs ClickHouse's engine, an npm package of 543 MB: npm install chdb (a server needs none: --into clickhouse://…)",
  );
}

export function openEmbeddedClickHouse(folder: string, from = places()): ClickHouse {
  const { Session, drainPending } = loadChdb(from);
  const session = new Session(folder);
  const refused = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      const { message } = cause as Error;
      throw new Refused(message, codeIn(message), { cause });
    }
  };
  return {
    async run(sql) {
      await refused(session.queryAsync(sql));
    },
    async rows<T>(sql: string) {
      return rowsOfLines<T>((await refused(session.queryAsync(sql, { format: "JSONEachRow" }))).text());
    },
    async insertLines(table, lines) {
      await refused(session.insert({ table, values: tabSeparated(lines), format: "TSV" }));
    },
    async insertRows(table, rows) {
      const values = Buffer.from(jsonLines(rows));
      await refused(session.insert({ table, values, format: "JSONEachRow" }));
    },
    async *read(sql, format) {
      yield Buffer.from((await refused(session.queryAsync(sql, { format }))).bytes());
    },
    async close() {
      session.close();
      await drainPending();
    },
  };
}
