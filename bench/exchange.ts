/**
 * The whole exchange in ClickHouse: loading node files, against ClickHouse's own load of the same file, then the documented
 * queries over many fills. Fills are made at the real shape: 40 000 accounts of which a few trade most, 250 markets, a builder
 * in every tenth, 8.3 million a day. The engine is `chdb`, two threads, in a folder of its own that is removed afterwards.
 *
 *   npm install --prefix FOLDER chdb
 *   npm run bench -- exchange FOLDER [millions of fills, 10] [rounds, 5]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { LINE_TABLES, mergeStatements, schemaStatements } from "../src/exchange/ddl.ts";
import { openEmbeddedClickHouse } from "../src/exchange/embedded.ts";
import { loadFile } from "../src/exchange/load.ts";
import { seededRandom } from "../src/runtime/random.ts";
import { blockLine } from "../test/support/nodeFiles.ts";
import { ownMs } from "./processorTime.ts";

const [CHDB = ".", MILLIONS = "10", ROUNDS = "5"] = process.argv.slice(2);
const FILLS = Number(MILLIONS) * 1e6;
const USERS = 40_000;
const TRADES_A_BLOCK = 7;
const DAY_MS = 86_400_000;
const BLOCK_MS = (DAY_MS / 8.3e6) * TRADES_A_BLOCK * 2;
const PIECE_BYTES = 4 * 1024 * 1024;
/** Fills of the file that is loaded by both. */
const COMPARED = 500_000;

const random = seededRandom(1);
const below = (n: number): number => Math.floor(random.next() * n);
/** The first ones far more often. */
const oftenFirst = (n: number): number => Math.floor(n ** random.next()) - 1;
const word = (): string =>
  below(2 ** 32)
    .toString(16)
    .padStart(8, "0");
const hex = (words: number): string => Array.from({ length: words }, word).join("");
const users = Array.from({ length: USERS }, () => `0x${hex(5)}`);
const builders = Array.from({ length: 30 }, () => `0x${hex(5)}`);
const coins = Array.from({ length: 250 }, (_, n) =>
  n % 10 === 3 ? `@${n}` : n % 10 === 7 ? `xyz:S${n}` : `COIN${n}`,
);
const DIRECTIONS = ["Open Long", "Close Long", "Open Short", "Close Short"];

function trade(time: number): unknown[] {
  const coin = coins[oftenFirst(coins.length)]!;
  const [buyer, seller] = [users[oftenFirst(USERS)]!, users[oftenFirst(USERS)]!];
  const shared = {
    ...{
      coin,
      px: `${below(1e5)}.5`,
      sz: `${below(1e3)}.25`,
      time,
      hash: `0x${hex(8)}`,
      tid: below(2 ** 49),
    },
    ...(below(1_000) === 0
      ? { liquidation: { liquidatedUser: seller, markPx: "1.5", method: "market" } }
      : {}),
  };
  return (["B", "A"] as const).map((side) => [
    side === "B" ? buyer : seller,
    {
      ...{ ...shared, side, startPosition: `${below(1e7)}.0`, dir: DIRECTIONS[below(4)] },
      ...{ closedPnl: `${below(2e4) - 1e4}.5`, oid: 366_968_000_000 + below(1e9), crossed: side === "B" },
      ...{ fee: `0.${below(1e6)}`, feeToken: "USDC", twapId: null },
      ...(below(10) < 6 ? { cloid: `0x${hex(4)}` } : {}),
      ...(below(10) === 0 ? { builder: builders[oftenFirst(30)], builderFee: "0.01" } : {}),
    },
  ]);
}

/** Lines of so many fills, in pieces. */
async function* lines(fills: number, fromMs: number): AsyncGenerator<Buffer> {
  let [piece, length, timeMs] = [[] as string[], 0, fromMs];
  for (let made = 0, block = Math.floor(fromMs / 70); made < fills; made += TRADES_A_BLOCK * 2, block++) {
    timeMs += BLOCK_MS;
    const ms = Math.floor(timeMs);
    const line = blockLine(block, ms, Array.from({ length: TRADES_A_BLOCK }, () => trade(ms)).flat());
    piece.push(line);
    length += line.length;
    if (length < PIECE_BYTES) continue;
    yield Buffer.from(piece.join(""));
    [piece, length] = [[], 0];
  }
  yield Buffer.from(piece.join(""));
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

const folder = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
const engine = openEmbeddedClickHouse(join(folder, "db"), [join(resolve(CHDB), "package.json")]);
const { signal } = new AbortController();
const prepare = async (database: string) => {
  for (const statement of schemaStatements({ database, cluster: null })) await engine.run(statement);
};
const load = (database: string, content: AsyncIterable<Buffer>) =>
  loadFile({ path: "made", kind: "fill", content }, { engine, database, signal });

async function compareLoads(): Promise<void> {
  const path = join(folder, "lines");
  const pieces: Buffer[] = [];
  for await (const piece of lines(COMPARED, Date.UTC(2025, 0, 1))) pieces.push(piece);
  const content = Buffer.concat(pieces);
  writeFileSync(path, content);
  const ratios: number[] = [];
  const costs: number[][] = [];
  for (let round = 0; round < Number(ROUNDS); round++) {
    const cost: number[] = [];
    for (const own of [true, false]) {
      await prepare("compared");
      const before = ownMs();
      if (own)
        await engine.run(
          `INSERT INTO compared.${LINE_TABLES.fill} SELECT line FROM file('${path}', 'LineAsString', 'line String')`,
        );
      else await load("compared", readable(content));
      cost.push(ownMs() - before);
      const [row] = await engine.rows<{ n: string }>("SELECT count() AS n FROM compared.fills FINAL");
      if (Number(row!.n) < COMPARED * 0.99) throw new Error(`only ${row!.n} fills are there`);
      await engine.run("DROP DATABASE compared");
    }
    costs.push(cost);
    ratios.push(cost[0]! / cost[1]!);
  }
  const [own, ours] = [0, 1].map((n) => median(costs.map((cost) => cost[n]!)) / 1e3);
  console.log(
    `${COMPARED} fills, ${Math.round(content.length / 1e6)} MB of lines: ClickHouse's own load ${own!.toFixed(1)} s of CPU, hlsync ${ours!.toFixed(1)} s, ratio ${median(ratios).toFixed(2)}`,
  );
}

async function* readable(content: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += PIECE_BYTES) yield content.subarray(at, at + PIECE_BYTES);
}

const QUERIES: Readonly<Record<string, string>> = {
  "top traders by net PnL": "SELECT * FROM whole.traders ORDER BY net_pnl DESC LIMIT 20",
  "volume by coin": "SELECT * FROM whole.coin_days ORDER BY volume DESC",
  "open interest by coin": "SELECT * FROM whole.open_interest ORDER BY longs DESC",
  "liquidations, newest 1 000": "SELECT * FROM whole.liquidations ORDER BY time DESC LIMIT 1000",
  "builder revenue": "SELECT * FROM whole.builder_days ORDER BY revenue DESC",
  "fills of the busiest account": `SELECT * FROM whole.account_fills(account = '${users[0]}') ORDER BY time DESC LIMIT 2000`,
  "fills of an account in the middle": `SELECT * FROM whole.account_fills(account = '${users[USERS / 2]}') ORDER BY time`,
};

async function askAll(when: string): Promise<void> {
  const [parts] = await engine.rows<{ parts: string; rows: string; bytes: string }>(
    "SELECT count() AS parts, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = 'whole' AND table = 'fills'",
  );
  const { rows: stored, bytes, parts: count } = parts!;
  console.log(
    `${when}: ${stored} rows in ${count} parts, ${Math.round(Number(bytes) / Number(stored))} bytes a fill, load ${loadavg()[0]!.toFixed(1)}`,
  );
  for (const [name, sql] of Object.entries(QUERIES)) {
    const [walls, costs] = [[] as number[], [] as number[]];
    let answered = 0;
    for (let round = 0; round < Number(ROUNDS) + 1; round++) {
      const [began, before] = [performance.now(), ownMs()];
      answered = (await engine.rows(sql)).length;
      walls.push(performance.now() - began);
      costs.push(ownMs() - before);
    }
    const [first, ...others] = walls;
    console.log(
      `  ${name}: ${Math.round(median(others))} ms (first ${Math.round(first!)}), ${Math.round(median(costs))} ms of CPU, ${answered} rows`,
    );
  }
}

try {
  await engine.run("SET max_threads = 2");
  await compareLoads();
  await prepare("whole");
  const before = ownMs();
  await load("whole", lines(FILLS, Date.UTC(2026, 3, 1)));
  console.log(`${FILLS} fills made and loaded in ${Math.round((ownMs() - before) / 1e3)} s of CPU`);
  await askAll("just loaded");
  const merging = ownMs();
  for (const statement of mergeStatements("whole")) await engine.run(statement);
  console.log(
    `merged, as \`exchange\` does at its end, in ${Math.round((ownMs() - merging) / 1e3)} s of CPU`,
  );
  await askAll("merged");
} finally {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
}
