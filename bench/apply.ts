/**
 * What a call of `apply` costs the server, by what it writes and by how much the account has already: CPU of its process where
 * the server runs on this Linux, which depends less on what else the machine does; else the time until the answer. All take turns
 * of a few calls, a bare commit of one row among them, so that a busy moment hits all alike.
 *
 *   npm run bench -- apply [--fills 0,10000,1000000] [--accounts 1] [--turns 9] [--database postgres://…]
 *
 * `--fills`: of each account before it begins. `--accounts`: as many take turns in writing, beside as many connections as it needs.
 */
import { existsSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Database } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { openStore } from "../src/store/store.ts";
import type { Address, Batch } from "../src/sync/rows.ts";
import { makeBusyAccount } from "./busyAccount.ts";
import { onDatabase } from "./database.ts";
import { fill, transition } from "./storedRows.ts";

const { values } = parseArgs({
  options: {
    fills: { type: "string", default: "0,10000,100000" },
    accounts: { type: "string", default: "1" },
    turns: { type: "string", default: "9" },
    database: { type: "string" },
  },
});
const SIZES = values.fills.split(",").map(Number);
const ACCOUNTS = Number(values.accounts);
const TURNS = Number(values.turns);
const CALLS = 12;
const YEAR_DAYS = 365;

const SHAPES = [
  { fills: 1, transitions: 0 },
  { fills: 0, transitions: 2 },
  { fills: 2, transitions: 8 },
  { fills: 0, transitions: 200 },
  { fills: 200, transitions: 0 },
] as const;
type Shape = (typeof SHAPES)[number];

/** Half of the transitions place orders, half end those of the batch before. */
function batchOf(account: Address, number: number, { fills, transitions }: Shape): Batch {
  const half = transitions / 2;
  const rows = (n: number, status: "open" | "canceled") =>
    Array.from({ length: half }, (_, i) => transition(account, n * half + i, status));
  return {
    fills: Array.from({ length: fills }, (_, i) => fill(account, number * fills + i)),
    orderEvents: [...rows(number + 1, "open"), ...rows(number, "canceled")],
  };
}

interface Contender {
  name: string;
  rows: number;
  call(turn: number): Promise<unknown>;
  /** Microseconds a call, by turn. */
  costs: number[];
}

/** Microseconds that the server's process has used so far, or of the clock. */
async function costMeter(database: Database): Promise<{ unit: string; read: () => number }> {
  const [row] = await database.query<{ pid: number }>("select pg_backend_pid() as pid");
  const path = `/proc/${row!.pid}/schedstat`;
  const isNear =
    existsSync(path) && readFileSync(path.replace("schedstat", "comm"), "utf8").startsWith("postgres");
  if (!isNear) return { unit: "µs", read: () => performance.now() * 1_000 };
  return { unit: "µs of CPU", read: () => Number(readFileSync(path, "utf8").split(" ")[0]) / 1_000 };
}

async function contendersOf(database: Database): Promise<Contender[]> {
  const store = openStore(database);
  let bare = 0;
  let used = 0;
  const contenders: Contender[] = [
    {
      ...{ name: "bare commit of a row", rows: 1, costs: [] },
      call: () => database.query("insert into public.bench_bare values ($1)", [bare++]),
    },
  ];
  for (const size of SIZES) {
    const accounts: Address[] = [];
    for (let n = 0; n < ACCOUNTS; n++) {
      const account = `0x${(0xa9910000 + used++).toString(16).padStart(40, "0")}`;
      accounts.push(account);
      if (size > 0)
        await makeBusyAccount(database, account, {
          fills: size,
          coins: 40,
          days: YEAR_DAYS,
          nowMs: Date.now(),
        });
    }
    for (const shape of SHAPES) {
      let number = 0;
      contenders.push({
        name: `${shape.fills} fills, ${shape.transitions} transitions; ${ACCOUNTS} × ${size} fills before`,
        rows: shape.fills + shape.transitions,
        call: () =>
          store.apply(batchOf(accounts[number % ACCOUNTS]!, Math.floor(number++ / ACCOUNTS), shape)),
        costs: [],
      });
    }
  }
  return contenders;
}

async function run(database: Database): Promise<void> {
  await migrate(database);
  await database.query("create table public.bench_bare (id bigint primary key)");
  const { unit, read } = await costMeter(database);
  const contenders = await contendersOf(database);
  // The first turn warms up.
  for (let turn = 0; turn <= TURNS; turn++) {
    for (const { call, costs } of contenders) {
      const before = read();
      for (let n = 0; n < CALLS; n++) await call(turn);
      if (turn > 0) costs.push((read() - before) / CALLS);
    }
  }
  console.log(
    `load ${loadavg()[0]!.toFixed(1)}\n\n| written by a call | ${unit} a call (middle half) | a row |\n|---|---|---|`,
  );
  for (const { name, rows, costs } of contenders) {
    costs.sort((a, b) => a - b);
    const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => costs[Math.floor(costs.length * share)]!);
    const each = (middle! / rows).toFixed(0);
    console.log(`| ${name} | ${middle!.toFixed(0)} (${low!.toFixed(0)}–${high!.toFixed(0)}) | ${each} |`);
  }
  await database.query("drop table public.bench_bare");
}

await onDatabase(values.database, async (url) => {
  const database = openPostgres(url, { maxConnections: 1 });
  await run(database);
  await database.close();
});
