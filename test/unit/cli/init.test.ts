/** What `init` writes can be read back, says what the defaults are, and holds no secret. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../../../src/cli/commands/run.ts";
import { CONFIG_FILE, configText, ENV_FILE, envText } from "../../../src/cli/configTemplate.ts";
import { COMMON_OPTIONS, OPTIONS, optionKey, resolveOptions } from "../../../src/config.ts";
import { ConfigError } from "../../../src/errors.ts";
import { hlsync } from "../../support/cli.ts";
import { temporaryFolder } from "../../support/postgres.ts";

const NAMES = [...run.options, ...COMMON_OPTIONS];
const ADDRESS = `0x${"a".repeat(40)}`;

const resolve = (file: string, dotEnv: string | null = null) =>
  resolveOptions(NAMES, {
    flags: { config: "file" },
    env: {},
    dotEnv,
    readFile: () => file,
    nowMs: Date.now(),
  });
const defaults = () => resolve("{}");

test("the file as written changes nothing but what was given", () => {
  const text = configText(NAMES, { account: [`${ADDRESS}=main`], network: "testnet" });
  const { account, network, apiUrl, wsUrl, ...rest } = resolve(text);
  assert.deepEqual(account, [{ address: ADDRESS, alias: "main" }]);
  assert.equal(network, "testnet");
  assert.match(apiUrl + wsUrl, /testnet/);
  const { account: _a, network: _n, apiUrl: _u, wsUrl: _w, ...same } = defaults();
  assert.deepEqual(rest, same);
});

test("with every line uncommented, it says the defaults", () => {
  const text = configText(NAMES, { account: [ADDRESS] });
  const uncommented = text.replace(/^ {2}\/\/ (".*)$/gm, "  $1");
  assert.notEqual(uncommented, text);
  const { account: _a, ...read } = resolve(uncommented);
  const { account: _b, ...same } = defaults();
  assert.deepEqual(read, same);
});

test("secrets are named in the environment's example, and nowhere in the file", () => {
  const file = configText(NAMES, {});
  const env = envText(NAMES);
  const secrets = NAMES.filter((name) => OPTIONS[name].secret);
  assert.ok(secrets.length >= 3);
  for (const name of secrets) {
    assert.ok(!file.includes(`"${optionKey(name)}"`), name);
    assert.match(env, new RegExp(`^# ${OPTIONS[name].env[0]}=$`, "m"));
  }
  assert.match(env, new RegExp(`^HLSYNC_CONFIG=${CONFIG_FILE}$`, "m"));
});

test("comments and trailing commas are read over, texts that look like them are not", () => {
  const text = `// a "comment"
    { /* with "quotes", */ "api-url": "http://host//path", // a URL holds slashes
      "listen": "127.0.0.1:1", /* the end */ }`;
  const options = resolve(text);
  assert.equal(options.apiUrl, "http://host//path");
  assert.equal(options.listen.port, 1);
  assert.equal(resolve('{ "markets": ["a,]", "b"], }').markets.join("|"), "a|]|b");
  assert.throws(() => resolve('{ "listen": "127.0.0.1:1" "x": 1 }'), ConfigError);
  assert.throws(() => resolve('{ "lisen": "127.0.0.1:1" }'), /unknown key "lisen"/);
});

test("`init` writes both files where it is called, and overwrites neither", async () => {
  const folder = temporaryFolder();
  const env = { DATABASE_URL: "postgres://me:hunter2hunter2@host/db", HLSYNC_TOKEN: "hunter2hunter2" };
  const first = await hlsync(["init", "--account", `${ADDRESS}=main`], { cwd: folder.path, env });
  assert.equal(first.code, 0, first.stderr);
  const written = () =>
    [CONFIG_FILE, ENV_FILE].map((name) => readFileSync(join(folder.path, name), "utf8")).join();
  const before = written();
  assert.match(before, new RegExp(`"account": \\["${ADDRESS}=main"\\]`));
  assert.doesNotMatch(before, /hunter2/);
  writeFileSync(join(folder.path, ENV_FILE), "mine");
  const again = await hlsync(["init"], { cwd: folder.path });
  assert.equal(again.code, 2);
  assert.match(again.stderr, /^hlsync: init: there is hlsync\.jsonc and \.env\.example already: .*\n$/);
  assert.ok(written().endsWith("mine"));
  folder.remove();
});
