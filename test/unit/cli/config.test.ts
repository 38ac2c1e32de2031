/** Where options come from, what they accept, and what an error of theirs says. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { run } from "../../../src/cli/commands/run.ts";
import { marketChoice } from "../../../src/cli/compose.ts";
import {
  accountParts,
  COMMON_OPTIONS,
  OPTIONS,
  type OptionName,
  resolveOptions,
  type Sources,
} from "../../../src/config.ts";
import { ConfigError } from "../../../src/errors.ts";

const A = `0x${"a".repeat(40)}`;
const B = `0x${"b".repeat(40)}`;
const SECRET = "hunter2hunter2";
const NOW = Date.UTC(2026, 10, 30, 7);
const NAMES: OptionName[] = [...run.options, ...COMMON_OPTIONS, "from", "port", "seed", "limit"];

const resolve = (sources: Partial<Sources> & { file?: object } = {}) =>
  resolveOptions(NAMES, {
    flags: {},
    env: {},
    dotEnv: null,
    readFile: () => JSON.stringify(sources.file),
    nowMs: NOW,
    ...sources,
    ...(sources.file ? { flags: { config: "file", ...sources.flags } } : {}),
  });
const withFlag = (name: OptionName, value: string) => resolve({ flags: { [name]: value } });
const refuses = (name: OptionName, value: string, says: RegExp) =>
  assert.throws(
    () => withFlag(name, value),
    (error: unknown) => error instanceof ConfigError && says.test(error.message),
    `--${name} ${value}`,
  );

describe("sources of options", () => {
  it("an empty variable says nothing, and the next one speaks", () => {
    const env = { DATABASE_URL: "", SUPABASE_DB_URL: "postgres://supa/db" };
    assert.equal(resolve({ env }).database, "postgres://supa/db");
    assert.equal(resolve({ env: { DATABASE_URL: "" }, dotEnv: "DATABASE_URL=./mine" }).database, "./mine");
    const readFile = (path: string) => (path === "mine.json" ? '{"interval": 7}' : assert.fail(path));
    const named = resolve({ env: { HLSYNC_CONFIG: "" }, dotEnv: "HLSYNC_CONFIG=mine.json", readFile });
    assert.equal(named.interval, 7_000);
  });

  it("null in the config file says nothing", () => {
    const { listen, database, account } = resolve({
      file: { listen: null, database: null, account: [null, A] },
    });
    assert.deepEqual(listen, { host: "127.0.0.1", port: 4477 });
    assert.equal(database, "./.hlsync/db");
    assert.deepEqual(account, [{ address: A, alias: null }]);
    assert.throws(() => resolve({ file: { markets: { BTC: true } } }), /key "markets": a text, a number/);
  });

  it("a config file that is not JSON is refused with its line, comments counted", () => {
    const readFile = () => '{\n/* two\nlines */ "interval": 7 // seconds\n"markets": "BTC"\n}';
    assert.throws(
      () => resolve({ env: { HLSYNC_CONFIG: "mine.json" }, readFile }),
      /^ConfigError: --config "mine.json": is not JSON in line 4$/,
    );
  });

  it("a command that takes flags only hears nothing else but what is common to all", () => {
    const elsewhere = {
      DATABASE_URL: "postgres://real/db",
      HLSYNC_LISTEN: "0.0.0.0:1",
      HLSYNC_LOG_LEVEL: "warn",
    };
    for (const sources of [
      { env: elsewhere },
      {
        dotEnv: Object.entries(elsewhere)
          .map((e) => e.join("="))
          .join("\n"),
      },
    ]) {
      const { database, listen, logLevel } = resolve({
        ...sources,
        flagsOnly: true,
        defaults: { database: "./own" },
      });
      assert.equal(database, "./own");
      assert.equal(listen.port, 4477);
      assert.equal(logLevel, "warn");
    }
    const file = { database: "postgres://real/db" };
    assert.equal(resolve({ file, flagsOnly: true }).database, "./.hlsync/db");
    const flags = { database: "postgres://wanted/db" };
    assert.equal(resolve({ flags, file, flagsOnly: true }).database, "postgres://wanted/db");
  });
});

describe("values of options", () => {
  it("whole numbers are whole", () => {
    for (const name of ["port", "seed", "limit"] as const)
      refuses(name, "80.5", /expected a whole number from/);
    assert.equal(withFlag("port", "0").port, 0);
  });

  it("a date is one that there is, in one way to write it", () => {
    for (const given of ["2026-02-30", "2026-13-01", "2026-10-5", "10/05/2026", "yesterday", "-5"])
      refuses("since", given, /expected a date such as 2026-01-31/);
    assert.equal(withFlag("since", "2024-02-29").since, Date.UTC(2024, 1, 29));
    assert.equal(withFlag("since", "2026-01-31T10:00:00Z").since, Date.UTC(2026, 0, 31, 10));
    assert.equal(withFlag("since", "1790360256851").since, 1_790_360_256_851);
  });

  it("a time without a zone is UTC, as the date alone and as all that is printed", () => {
    for (const given of [
      "2026-11-30T06:30",
      "2026-11-30 06:30",
      "2026-11-30 06:30:00.000 UTC",
      "2026-11-30T07:30+01:00",
      "2026-11-30T01:00:00-0530",
    ])
      assert.equal(withFlag("since", given).since, Date.UTC(2026, 10, 30, 6, 30), given);
    for (const given of ["2026-11-30 25:00", "2026-11-30T", "2026-11-30 7:00", "2026-11-30 07:00 CET"])
      refuses("since", given, /expected a date such as 2026-01-31/);
  });

  it("digits alone are milliseconds of the venue's time, and nothing that only looks so", () => {
    refuses("since", "2026", /^--since "2026": looks like a year: write 2026-01-01$/);
    refuses("since", "202611", /looks like a month: write 2026-11-01$/);
    refuses("from", "20261130", /^--from "20261130": looks like a date: write 2026-11-30$/);
    refuses("since", "1796024050", /looks like seconds: write 1796024050000, or a date such as/);
    for (const given of ["1", "1672531199999", "1796024050000000", "9".repeat(400)])
      refuses("from", given, /expected a date such as 2026-01-31, or Unix milliseconds/);
    assert.equal(withFlag("since", "0").since, 0);
    assert.equal(withFlag("since", "1672531200000").since, Date.UTC(2023, 0, 1));
  });

  it("a history does not begin in the future", () => {
    refuses("since", "2026-12-01", /^--since "2026-12-01": lies in the future, it is 2026-11-30T07:00:00/);
    refuses("since", `${NOW + 60_001}`, /lies in the future/);
    assert.equal(withFlag("since", `${NOW + 60_000}`).since, NOW + 60_000);
    assert.equal(withFlag("from", "2026-12-01").from, Date.UTC(2026, 11, 1));
  });

  it("a choice that is wrong is told the choices, and nothing else", () => {
    assert.throws(() => OPTIONS.format.parse("foo"), /expected one of standard, .* koinly, cointracking$/);
  });

  it("an alias stays with an account that is named again without one", () => {
    const twice = withFlag("account", `${A}=main,${B},${A.toUpperCase().replace("0X", "0x")}`).account;
    assert.deepEqual(twice, [
      { address: A, alias: "main" },
      { address: B, alias: null },
    ]);
  });

  it("an account may be named by its alias alone, whose address the database says later", () => {
    assert.deepEqual(withFlag("account", `main,desk+subs,${A}`).account, [
      { address: "", alias: "main" },
      { address: "", alias: "desk", withSubs: true },
      { address: A, alias: null },
    ]);
    refuses("account", "main=other", /or an alias alone/);
  });

  it("an alias is one that an account can be named by", () => {
    for (const alias of ["a=b", "a+b", "desk+subs", "0xmain", "a\u0007b", "a\nb", "a\u2028b"]) {
      refuses("account", `${A}=${alias}`, /: alias ".*": expected a name without commas, = and \+/);
      assert.throws(() => accountParts(`${A}=${alias}`), ConfigError, alias);
    }
    assert.throws(() => accountParts(`${A}=x,y`), /^ConfigError: alias "x,y": expected a name/);
    for (const alias of ["main/sub", "Schöne Grüße", "👩‍💻", "a-b_c.d", "it's"])
      assert.equal(accountParts(`${A}= ${alias} `).alias, alias);
    assert.equal(accountParts(`${A}=`).alias, undefined);
  });

  it("an account may be named with those under it", () => {
    assert.deepEqual(withFlag("account", `${A}+subs=fund,${B},${A}`).account, [
      { address: A, alias: "fund", withSubs: true },
      { address: B, alias: null },
    ]);
    refuses("account", `${A}+sub`, /optionally \+subs/);
    refuses("account", "+subs", /expected 0x/);
  });

  it("an endpoint may be given with the path of a request", () => {
    for (const given of [
      "http://host",
      "http://host/",
      "http://host/info",
      "http://host/exchange/",
      "http://host//info//",
    ]) {
      const { apiUrl, wsUrl } = withFlag("apiUrl", given);
      assert.deepEqual([apiUrl, wsUrl], ["http://host", "ws://host/ws"], given);
    }
    assert.equal(withFlag("apiUrl", "http://host/information").apiUrl, "http://host/information");
  });

  it("a database that is neither PostgreSQL nor a folder is refused without being repeated", () => {
    for (const given of [
      `mysql://me:${SECRET}@host/db`,
      `jdbc:postgresql://host/db?password=${SECRET}`,
      `host=db.example.com user=me password=${SECRET}`,
      `password='${SECRET}'`,
      `postgres:me:${SECRET}@host/db`,
      `me:${SECRET}@host/db`,
      "postgres//host/db",
      " postgres://u:Zq9xWd77@host/db",
      '"postgres://u:Zq9xWd77@host/db"',
      "DATABASE_URL=postgres://u:Zq9xWd77@host/db",
      "psql postgres://u:Zq9xWd77@host/db",
      "postgres;//u:Zq9xWd77@host/db",
      "x//u:Zq9xWd77@host/db",
      "db.abcdefghijklmnopqrst.supabase.co",
      "aws-0-eu-west-1.pooler.supabase.com:6543/postgres",
      "127.0.0.1:5432",
      "sb_secret_Zq9xWd77Zq9xWd77",
      "postgresql//x",
      "postgres://postgres.ref:[YOUR-PASSWORD]@pooler.supabase.com:5432/postgres",
      "postgresql://postgres:[your-password]@host/db",
      "",
    ]) {
      refuses("database", given, /^--database: expected postgres:\/\/… or a folder/);
      refuses("database", given, new RegExp(`^(?!.*${SECRET})`));
    }
    for (const given of [
      "./db",
      "/var/lib/hlsync",
      "C:\\data",
      "my.db",
      "data@home",
      "a//b",
      "postgres",
      "a=b",
      "POSTGRES://host/db",
      "postgresql://host",
      "postgres://postgres:pw@db.abcdefghijklmnopqrst.supabase.co:5432/postgres",
      "postgres://host:5432/name",
    ])
      assert.equal(withFlag("database", given).database, given);
  });

  it("a stream that does not exist is refused, those of accounts are followed anyway", () => {
    refuses("streams", "trades,tades", /--streams "trades,tades": "tades" is none of .*trades/);
    refuses("streams", "candle:7m", /"7m" is no candle interval: 1m, /);
    refuses("streams", "trades:1m", /"trades:1m" is none of/);
    const { streams } = withFlag("streams", "orderUpdates,userFills,userEvents,webData2");
    assert.equal(marketChoice({ markets: [], streams }), null);
  });

  it("coins alone mean trades and candles", () => {
    assert.deepEqual(marketChoice(withFlag("markets", "BTC")), {
      coins: ["BTC"],
      streams: ["trades", "candle"],
    });
    const named = resolve({ flags: { markets: "BTC", streams: "webData2" } });
    assert.deepEqual(marketChoice(named)?.streams, ["trades", "candle"]);
    assert.equal(marketChoice(resolve()), null);
  });

  it("streams that need coins are refused without any, mids are those of all", () => {
    refuses("streams", "allMids,trades", /--streams "trades": say of which coins with --markets/);
    assert.deepEqual(marketChoice(withFlag("streams", "allMids")), { coins: "all", streams: ["allMids"] });
    const all = resolve({ flags: { markets: "all", streams: "l2Book" } });
    assert.deepEqual(marketChoice(all), { coins: "all", streams: ["l2Book"] });
  });
});
