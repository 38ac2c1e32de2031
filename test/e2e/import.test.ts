/** History that the API no longer serves, from a node's files: complete, proven, and confirmed by `verify`. */
import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { importCommand } from "../../src/cli/commands/import.ts";
import { sync } from "../../src/cli/commands/sync.ts";
import { verify } from "../../src/cli/commands/verify.ts";
import { add, neg } from "../../src/runtime/decimal.ts";
import { type Running, simulate, start } from "../support/cli.ts";
import { runInProcess } from "../support/inProcess.ts";
import { fillHours, packed, type UserFill, type Wire, withoutLz4, writeFiles } from "../support/nodeFiles.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { until } from "../support/until.ts";
import * as wires from "../support/wires.ts";

const USER = `0x${"a7".repeat(20)}`;
const OTHER = `0x${"b8".repeat(20)}`;
const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2026, 5, 1);
/** The API serves 10 000 of them; 60 000 over 60 hours were tried too, and take a minute. */
const FILLS = 16_000;
const HOURS = 16;
/** The hour that is missing at first, out of the API's reach. */
const MISSING = 3;

/** `FILLS` fills over the hours, TWAP slices among them, up to an open position; other accounts trade in the same blocks. */
function history(): {
  fills: Wire[];
  slices: { fill: Wire; twapId: number }[];
  all: UserFill[];
  position: string;
} {
  const fills: Wire[] = [];
  const slices: { fill: Wire; twapId: number }[] = [];
  const all: UserFill[] = [];
  let position = "0";
  const everyMs = Math.floor(((HOURS - 1) * HOUR_MS) / FILLS);
  for (let i = 0; i < FILLS; i++) {
    const side = i % 3 === 0 && i > 0 ? "A" : "B";
    const sz = `${1 + (i % 5)}.5`;
    const isSlice = i % 97 === 50;
    const fill = wires.fill({
      px: `${60_000 + (i % 500)}.0`,
      sz,
      side,
      time: FROM_MS + HOUR_MS / 2 + Math.floor(i / 2) * 2 * everyMs,
      startPosition: position,
      hash: `0x${(isSlice ? "0" : i.toString(16)).padStart(64, "0")}`,
      oid: 500_000 + i,
      crossed: i % 2 === 0,
      tid: 900_000_000_000 + i,
      twapId: null,
    });
    position = add(position, side === "B" ? sz : neg(sz));
    if (isSlice) slices.push({ fill, twapId: 16_001 });
    else fills.push(fill);
    all.push([USER, isSlice ? { ...fill, twapId: 16_001 } : fill]);
    if (i % 4 === 0) all.push([OTHER, { ...fill, side: side === "B" ? "A" : "B", startPosition: "0.0" }]);
  }
  return { fills, slices, all, position };
}

const stateOf = (szi: string, time: number) => wires.perpState([wires.position("BTC", { szi })], { time });

const ofLines = (lines: readonly string[], type: string) =>
  lines.map((line) => JSON.parse(line)).filter((line) => line.type === type);

describe("history from a node's files", () => {
  const folder = temporaryFolder();
  const { fills, slices, all, position } = history();
  const toMs = FROM_MS + HOURS * HOUR_MS;
  let server: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };

  const files = fillHours(all, { fromMs: FROM_MS, toMs, blockMs: 20_000 });
  const inside = (name: string) => join(folder.path, name);

  before(async () => {
    const recorded = { fills, twapSliceFills: slices, clearinghouseState: { "": stateOf(position, toMs) } };
    writeFileSync(inside("recorded.json"), JSON.stringify({ [USER]: recorded }));
    server = await startServer("real");
    target = await server.newDatabase();
    exchange = await simulate("--recorded", inside("recorded.json"), "--weight", "100000");
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await server?.stop();
    folder.remove();
  });

  const venue = () => ({ account: USER, apiUrl: exchange.apiUrl, weight: "100000" });
  const importing = (path: string, flags: Record<string, string> = {}) =>
    runInProcess(importCommand, { database: target.url, account: USER, json: "true", ...flags }, [path]);
  const stored = async () =>
    (
      await target.database.query<{ n: number }>(
        "select count(*)::int as n from hl_fills where account_address = $1",
        [USER],
      )
    )[0]!.n;

  it("is out of the API's reach at first", async () => {
    const { code, error } = await runInProcess(sync, { ...venue(), database: target.url, once: "true" });
    assert.equal(code, 0, error);
    assert.ok((await stored()) < 12_000);
  });

  it("with an hour missing, is a gap that is named", { skip: withoutLz4 }, async () => {
    const entries = [...files].map(
      ([path, text], i) => [i % 2 ? `${path}.lz4` : path, i % 2 ? packed(text, "-B4", "-BD") : text] as const,
    );
    writeFiles(inside("data"), new Map(entries));
    const missing = entries[MISSING]!;
    rmSync(join(inside("data"), missing[0]));
    const { code, lines, error } = await importing(inside("data"));
    assert.equal(code, 0, error);
    const [{ open, proven }] = ofLines(lines, "import.account");
    assert.equal(proven.length, 2);
    const hourMs = FROM_MS + MISSING * HOUR_MS;
    const named = open.filter(({ reason }: { reason: string }) =>
      /blocks \d+ to \d+ are in no file/.test(reason),
    );
    assert.deepEqual(named.length, 1);
    assert.ok(named[0].fromMs <= hourMs && named[0].toMs >= hourMs + HOUR_MS - 20_001);
    // Nothing is claimed of it.
    const gaps = await target.database.query(
      "select from hl_gaps where account_address = $1 and stream = 'fills' and kind = 'unprovable' and from_ms < $2 and to_ms > $2",
      [USER, hourMs + HOUR_MS / 2],
    );
    assert.equal(gaps.length, 1);
    writeFiles(inside("data"), new Map([missing]));
  });

  it("is complete since the first day when all of it is there, and verify agrees", {
    skip: withoutLz4,
  }, async () => {
    const { code, lines, error } = await importing(inside("data"));
    assert.equal(code, 0, error);
    const [summary] = ofLines(lines, "import");
    assert.deepEqual([summary.read, summary.files], [1, files.size]);
    assert.equal(await stored(), FILLS);
    const {
      code: verified,
      lines: said,
      error: why,
    } = await runInProcess(verify, { ...venue(), database: target.url, json: "true" });
    assert.equal(verified, 0, why + said.join("\n"));
    const { completeSinceMs } = JSON.parse(said[0]!);
    for (const stream of ["fills", "twapFills"])
      assert.ok(completeSinceMs[stream] <= FROM_MS + 60_000, said[0]);
    const [slice] = await target.database.query<{ n: number }>(
      "select count(*)::int as n from hl_fills where twap_id = 16001",
    );
    assert.equal(slice!.n, slices.length);
  });

  it("changes nothing when it is read again", async () => {
    const before = await target.database.query(
      "select md5(string_agg(f::text, '' order by f::text)) as stamp from hl_fills f",
    );
    const copied = inside("copy.lz4");
    copyFileSync(join(inside("data"), `${[...files.keys()][1]}.lz4`), copied);
    for (const path of [inside("data"), copied]) {
      const { code, lines } = await importing(path);
      assert.deepEqual([code, ofLines(lines, "import")[0].read], [0, 0]);
    }
    assert.deepEqual(
      await target.database.query(
        "select md5(string_agg(f::text, '' order by f::text)) as stamp from hl_fills f",
      ),
      before,
    );
    // Another account is another reading.
    const { lines } = await importing(copied, { account: `${USER},${OTHER}` });
    assert.equal(ofLines(lines, "import")[0].read, 1);
  });

  it("is followed as the node writes it; blocks that it never wrote are read from the API", async () => {
    const fresh = await server.newDatabase();
    const data = inside("followed");
    const paths = [...files.keys()];
    const [growing, last] = [paths.at(-2)!, paths.at(-1)!];
    const lines = files.get(growing)!.split(/(?<=\n)/);
    const middle = Math.floor(lines.length / 2);
    writeFiles(data, new Map([...files].slice(0, -2)));
    writeFiles(data, new Map([[growing, lines.slice(0, middle).join("") + lines[middle]!.slice(0, 50)]]));
    // Nothing was appended to these for long.
    const quiet = (path: string) => utimesSync(join(data, path), new Date(0), new Date(0));
    paths.slice(0, -2).forEach(quiet);
    const count = async () =>
      (
        await fresh.database.query<{ n: number }>(
          "select count(*)::int as n from hl_fills where account_address = $1",
          [USER],
        )
      )[0]!.n;
    const ours = new Set(all.flatMap(([user, { tid }]) => (user === USER ? [tid] : [])));
    // Each fill of the other account shares its number with one of ours.
    const upTo = (text: string) =>
      new Set([...text.matchAll(/"tid":(\d+)/g)].map(([, tid]) => Number(tid)).filter((tid) => ours.has(tid)))
        .size;
    const first = upTo([...files.values()].slice(0, -2).join("") + lines.slice(0, middle).join(""));
    const following = start([
      ...["import", data, "--follow", "--account", USER, "--database", fresh.url],
      ...["--api-url", exchange.apiUrl, "--weight", "100000"],
    ]);
    let n = 0;
    const has = (what: string, good: (n: number) => boolean) =>
      until(
        () => `${what}, not ${n}: ${following.stderr().slice(-1_000)}`,
        60_000,
        async () => {
          n = await count();
          return good(n);
        },
      );
    await has(`${first} fills that were there`, (n) => n === first);
    // The node was away for ten blocks, then for the rest of the hour all is well.
    appendFileSync(join(data, growing), lines[middle]!.slice(50) + lines.slice(middle + 11).join(""));
    const without = first + upTo(lines[middle]! + lines.slice(middle + 11).join(""));
    assert.ok(upTo(lines.slice(middle + 1, middle + 11).join("")) > 0);
    await has(`${without} with what was appended`, (n) => n >= without);
    writeFiles(data, new Map([[last, files.get(last)!]]));
    quiet(growing);
    await has("the hole to be healed", (n) => n === FILLS);
    assert.match(await following.complaint(/followed\): .*hl_fills \d+/), /hl_fills/);
    const { code } = await following.stop();
    assert.equal(code, 0);
    await fresh.close();
  });
});

describe("files that are not as they should be", () => {
  const folder = temporaryFolder();
  const HOURS_HERE = 6;
  const fills = Array.from({ length: 600 }, (_, i): UserFill => {
    const side = i % 2 ? "A" : "B";
    const time = FROM_MS + 60_000 + i * 30_000;
    const ids = { oid: 7_000 + i, tid: 8_000 + i };
    return [
      USER,
      wires.fill({
        coin: "ETH",
        px: "2000.0",
        sz: "1.0",
        side,
        time,
        startPosition: i % 2 ? "1.0" : "0.0",
        ...ids,
      }),
    ];
  });
  const files = fillHours(fills, { fromMs: FROM_MS, toMs: FROM_MS + HOURS_HERE * HOUR_MS, blockMs: 10_000 });
  const [first, second] = [...files.keys()] as [string, string];
  let server: TestServer;
  before(async () => {
    server = await startServer("real");
  });
  after(async () => {
    await server?.stop();
    folder.remove();
  });

  /** A database, a folder with these files, and how to import it. */
  async function rig(changes: Record<string, string | Buffer | null> = {}) {
    const target = await server.newDatabase();
    const path = temporaryFolder().path;
    const all = new Map<string, string | Buffer>(files);
    for (const [name, content] of Object.entries(changes))
      if (content === null) all.delete(name);
      else all.set(name, content);
    writeFiles(path, all);
    const flags = { database: target.url, account: USER, json: "true" };
    const run = async () => {
      const { code, lines, error } = await runInProcess(importCommand, flags, [path]);
      const said = lines.map((line) => JSON.parse(line));
      return { code, error, said: said.at(-1), account: said.find(({ type }) => type === "import.account") };
    };
    const count = async () =>
      (await target.database.query<{ n: number }>("select count(*)::int as n from hl_fills"))[0]!.n;
    const close = async () => {
      await target.close();
      rmSync(path, { recursive: true });
    };
    return { target, path, run, count, close };
  }

  it("a cut archive gives what it holds, is named, and is read again when it is whole", {
    skip: withoutLz4,
  }, async () => {
    const whole = packed(files.get(second)!, "-B4", "-BD");
    const { path, run, count, close } = await rig({
      [second]: null,
      [`${second}.lz4`]: whole.subarray(0, whole.length - 9),
    });
    const cut = await run();
    assert.deepEqual([cut.code, cut.said.failed.length, cut.said.read], [1, 1, HOURS_HERE - 1]);
    assert.match(cut.said.failed[0], /\.lz4$/);
    const stored = await count();
    assert.ok(stored > 400 && stored <= 600);
    writeFiles(path, new Map([[`${second}.lz4`, whole]]));
    const again = await run();
    assert.deepEqual([again.code, again.said.read, await count()], [0, 1, 600]);
    assert.ok(!again.account.open.some(({ reason }: { reason: string }) => reason.startsWith("blocks")));
    await close();
  });

  it("half a last line is left for later: a file that grew is read again", async () => {
    const text = files.get(first)!;
    const cut = text.slice(0, Math.floor(text.length / 2));
    const { path, run, count, close } = await rig({ [first]: cut });
    const half = await run();
    assert.deepEqual([half.code, half.said.failed], [0, []]);
    assert.ok((await count()) < 600);
    assert.ok(
      half.account.open.some(({ reason }: { reason: string }) =>
        /blocks \d+ to \d+ are in no file/.test(reason),
      ),
    );
    writeFiles(path, new Map([[first, text]]));
    const grown = await run();
    assert.deepEqual([grown.said.read, await count()], [1, 600]);
    await close();
  });

  it("a file with a hole in its middle is read again when it is whole, though its size and ends are the same", async () => {
    // Larger than what its digest is made of.
    const span = { fromMs: FROM_MS, toMs: FROM_MS + HOUR_MS };
    const [[name, text]] = [...fillHours(fills, { ...span, blockMs: 1_000 })] as [[string, string]];
    assert.ok(text.length > 300_000);
    const middle = Math.floor(text.length / 2);
    const torn = `${text.slice(0, middle)}${"\0".repeat(4_096)}${text.slice(middle + 4_096)}`;
    const { target, path, run, count, close } = await rig({ [name]: torn });
    const before = await run();
    const less = await count();
    assert.equal(before.code, 0, before.error);
    // No state of the account was ever read: what else it holds nobody knows.
    assert.deepEqual(before.account.proven, []);
    assert.ok(
      before.account.open.some(({ reason }: { reason: string }) => /^no state of the account/.test(reason)),
    );
    writeFiles(path, new Map([[name, text]]));
    const whole = await run();
    assert.equal(whole.said.read, 1);
    assert.ok((await count()) > less, `${less} fills`);
    assert.ok(!whole.account.open.some(({ reason }: { reason: string }) => /^blocks/.test(reason)));
    assert.equal((await run()).said.read, 0);
    const notes = await target.database.query("select from hl_internal.import_files where digest like '%!'");
    assert.equal(notes.length, 0);
    await close();
  });

  it("withdraws what was claimed when the chain shows that fills are missing", async () => {
    const { target, path, close } = await rig();
    await target.store.openAccount(USER, null, null);
    const toMs = FROM_MS + HOURS_HERE * HOUR_MS;
    const claim = { account: USER, stream: "fills", fromMs: 0, toMs, grade: "proven", reason: null } as const;
    await target.store.apply({ coverage: [claim] });
    // BTC is held when its first fill comes.
    const late = { coin: "BTC", time: FROM_MS + 2 * HOUR_MS, startPosition: "1.0", oid: 1, tid: 1 };
    const withIt = fillHours([...fills, [USER, wires.fill(late)]], {
      ...{ fromMs: FROM_MS, toMs, blockMs: 10_000 },
    });
    writeFiles(path, withIt);
    const { code, error } = await runInProcess(importCommand, { database: target.url, account: USER }, [
      path,
    ]);
    assert.equal(code, 0, error);
    const proven = await target.store.coverage(USER, "fills");
    assert.ok(
      proven.every(({ fromMs }) => fromMs > FROM_MS),
      JSON.stringify(proven),
    );
    await close();
  });

  it("passes over what a node writes besides, and says of a file that it is none", async () => {
    const { target, run, count, close } = await rig({
      "node_raw_book_diffs/hourly/20260601/0": "{}\n".repeat(50),
      "periodic_abci_states/20260601/8": "\0\u0001\n",
      "notes/20260601/9": "# notes\nof mine\n",
    });
    const { code, said } = await run();
    assert.equal(code, 1);
    assert.deepEqual(
      said.failed.map((name: string) => name.slice(-16)),
      ["notes/20260601/9"],
    );
    assert.equal(await count(), 600);
    assert.equal((await target.database.query("select from hl_internal.quarantine")).length, 0);
    await close();
  });

  it("a line and a fill that cannot be read are in quarantine; neighbours are stored, their time is open", async () => {
    const lines = files.get(first)!.split("\n");
    const at = lines.findIndex((line) => line.includes('"tid":8010'));
    const other = lines.findIndex((line) => line.includes('"tid":8020'));
    lines[at] = lines[at]!.replace('"px":"2000.0"', '"px":"dear"');
    lines[other] = lines[other]!.slice(0, 200);
    const { target, run, count, close } = await rig({ [first]: lines.join("\n") });
    const { code, account } = await run();
    assert.deepEqual([code, await count()], [0, 598]);
    const kept = await target.database.query<{ subject: string }>(
      "select subject from hl_internal.quarantine order by subject",
    );
    assert.deepEqual(
      kept.map(({ subject }) => subject),
      ["hl_fills", "node"],
    );
    assert.ok(account.open.some(({ reason }: { reason: string }) => reason.startsWith("blocks")));
    await close();
  });

  it("a row that the database refuses costs itself", async () => {
    const { target, run, count, close } = await rig();
    await target.database.query("alter table hl_fills add constraint own check (trade_id <> 8033)");
    const { code } = await run();
    assert.deepEqual([code, await count()], [0, 599]);
    const [noted] = await target.database.query<{ lost: unknown[] }>(
      "select lost from hl_internal.import_files where lost <> '[]'",
    );
    assert.deepEqual(noted!.lost, [{ account: USER, timeMs: FROM_MS + 60_000 + 33 * 30_000 }]);
    await close();
  });

  it("killed at any file, the import goes on with the rest", async () => {
    const { target, path, run, count, close } = await rig();
    const killed = start(["import", path, "--account", USER, "--database", target.url]);
    await killed.complaint(/\(3 of 6\)/);
    await killed.stop("SIGKILL");
    const noted = (await target.database.query("select from hl_internal.import_files")).length;
    assert.ok(noted >= 2);
    const { code, said } = await run();
    assert.deepEqual([code, said.read, await count()], [0, HOURS_HERE - noted, 600]);
    await close();
  });

  it("from a bucket: the cost is told and agreed to, then each object is read once", {
    skip: withoutLz4,
  }, async () => {
    const objects = new Map([...files].map(([name, text]) => [`${name}.lz4`, packed(text)]));
    let [gets, lists] = [0, 0];
    const bucket = createServer((request, response) => {
      const url = new URL(request.url!, "http://s3");
      if (!/^AWS4-HMAC-SHA256 /.test(request.headers.authorization ?? "")) response.writeHead(403).end();
      else if (url.searchParams.has("list-type")) {
        lists += 1;
        const entries = [...objects].map(
          ([key, { length }]) =>
            `<Contents><Key>${key}</Key><ETag>"${length}"</ETag><Size>${length}</Size></Contents>`,
        );
        response.end(
          `<ListBucketResult>${entries.join("")}<IsTruncated>false</IsTruncated></ListBucketResult>`,
        );
      } else {
        gets += 1;
        response.end(objects.get(url.pathname.slice("/archive/".length)));
      }
    });
    await new Promise<void>((resolve) => bucket.listen(0, "127.0.0.1", resolve));
    const environment = {
      AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
      AWS_SECRET_ACCESS_KEY: "not-to-be-seen",
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(bucket.address() as AddressInfo).port}`,
    };
    const target = await server.newDatabase();
    const run = async (flags: Record<string, string>) => {
      Object.assign(process.env, environment);
      try {
        return await runInProcess(
          importCommand,
          { database: target.url, account: USER, json: "true", ...flags },
          ["s3://archive/node_fills_by_block"],
        );
      } finally {
        for (const name of Object.keys(environment)) delete process.env[name];
      }
    };
    try {
      const asked = await run({});
      assert.match(asked.error, /^6 files, 0\.0\d+ GB: at most about \$0\.\d\d of transfer.*or add --yes$/);
      assert.deepEqual([asked.code, lists, gets], [2, 1, 0]);
      const agreed = await run({ yes: "true" });
      assert.equal(agreed.code, 0, agreed.error);
      assert.deepEqual(
        ofLines(agreed.lines, "import.cost").map(({ files }) => files),
        [6],
      );
      // What was listed for the price is what is read.
      assert.deepEqual([ofLines(agreed.lines, "import")[0].read, lists, gets], [6, 2, 6]);
      const [stored] = await target.database.query("select count(*)::int as n from hl_fills");
      assert.deepEqual(stored, { n: 600 });
      // Nothing is left to ask for, or to pay.
      const again = await run({});
      assert.deepEqual([again.code, lists, gets], [0, 3, 6]);
      const [seen] = await target.database.query(
        "select count(*)::int as n from hl_internal.import_files f where f::text ~ 'not-to-be-seen|AKIA'",
      );
      assert.deepEqual(seen, { n: 0 });
    } finally {
      bucket.close();
      await target.close();
    }
  });

  it("without a file, an account or a place, it says so in one line", async () => {
    const target = await server.newDatabase();
    const words = async (path: string, flags: Record<string, string> = {}) => {
      const { code, error } = await runInProcess(importCommand, { database: target.url, ...flags }, [path]);
      assert.equal(code, 2);
      return error;
    };
    assert.match(await words(join(folder.path, "nowhere")), /cannot read .*nowhere.*no such file/);
    assert.match(await words(folder.path), /no file of a node in it/);
    writeFiles(folder.path, files);
    assert.match(await words(folder.path), /no account given/);
    assert.match(await words(folder.path, { from: "2027-01-01" }), /no file of the hours/);
    assert.match(
      await words(folder.path, { from: "2027-01-01", to: "2026-01-01" }),
      /--from must be before --to/,
    );
    await target.close();
  });
});
