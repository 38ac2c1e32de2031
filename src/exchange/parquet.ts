/** The exchange as Parquet files, one a table and day. Guarantees: a row that was loaded twice stands in them once. */
import { EXCHANGE_TABLES } from "./ddl.ts";
import type { ClickHouse } from "./engine.ts";

interface ParquetFile {
  /** `fills/2026-04-01.parquet` */
  name: string;
  content: AsyncIterable<Buffer>;
}

/** Days of [fromMs, toMs). */
export async function* parquetFiles(
  engine: ClickHouse,
  database: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): AsyncGenerator<ParquetFile> {
  for (const table of EXCHANGE_TABLES) {
    const within = `${database}.${table}`;
    const days = await engine.rows<{ day: string }>(
      `SELECT DISTINCT toDate(time) AS day FROM ${within} ORDER BY day`,
    );
    for (const { day } of days) {
      const startMs = Date.parse(`${day}T00:00:00Z`);
      if (startMs + DAY_MS <= fromMs || startMs >= toMs) continue;
      const sql = `SELECT * FROM ${within} FINAL WHERE toDate(time) = '${day}' ORDER BY time`;
      yield { name: `${table}/${day}.parquet`, content: engine.read(sql, "Parquet") };
    }
  }
}

const DAY_MS = 86_400_000;
