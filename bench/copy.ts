/** `copy … from stdin`, for which the driver has the messages but no call: rows of one statement as text. */
import type { Connection } from "pg";
import pg from "pg";
import { stringify } from "../src/runtime/jsonText.ts";

interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const fieldOf = (value: unknown): string => {
  if (value === null) return "\\N";
  const text = typeof value === "object" ? stringify(value) : String(value);
  return text.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character]!);
};

/** A statement that the driver sends as it is. */
class CopyIn {
  readonly #sql: string;
  readonly #text: string;
  readonly #settle: PromiseWithResolvers<void>;

  constructor(sql: string, text: string, settle: PromiseWithResolvers<void>) {
    this.#sql = sql;
    this.#text = text;
    this.#settle = settle;
  }

  submit(connection: Connection): void {
    connection.query(this.#sql);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFromChunk(Buffer.from(this.#text));
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#settle.resolve();
  }

  handleError(error: Error): void {
    this.#settle.reject(error);
  }
}

export interface Copier {
  write(columns: string, rows: readonly (readonly unknown[])[]): Promise<void>;
  end(): Promise<void>;
}

/** Copies into `table`, on a connection of its own. */
export async function openCopier(url: string, table: string): Promise<Copier> {
  const client = new pg.Client(url);
  await client.connect();
  return {
    write(columns, rows) {
      const settle = Promise.withResolvers<void>();
      const text = rows.map((row) => `${row.map(fieldOf).join("\t")}\n`).join("");
      client.query(new CopyIn(`copy ${table} (${columns}) from stdin`, text, settle));
      return settle.promise;
    },
    end: () => client.end(),
  };
}
