/** `--no-db`: everything works, and nothing is left, whatever becomes of the process. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Running, simulate, start } from "../support/cli.ts";
import { temporaryFolder } from "../support/postgres.ts";

const USER = `0x${"d".repeat(40)}`;

describe("--no-db", () => {
  const folder = temporaryFolder();
  const nowhere = temporaryFolder();
  let exchange: Running & { apiUrl: string };
  before(async () => {
    // Four first starts within a minute, from one address.
    exchange = await simulate("--account", USER, "--fills-per-second", "2", "--weight", "12000");
  });
  after(async () => {
    await exchange?.stop();
    folder.remove();
    nowhere.remove();
  });

  const begin = (...args: string[]) =>
    start([...args, "--no-db", "--account", USER, "--api-url", exchange.apiUrl], {
      cwd: nowhere.path,
      env: { TMPDIR: folder.path },
    });
  const left = () => readdirSync(folder.path);
  const serverIn = (name: string) =>
    Number(readFileSync(join(folder.path, name, "postgres", "postmaster.pid"), "utf8").split("\n")[0]);

  it("shows changes and serves the page, and is gone without a trace", async () => {
    const run = begin("run", "--listen", "127.0.0.1:0");
    const url = await run.line((line) => /^dashboard: (\S+)$/.exec(line)?.[1]);
    await run.line((line) => (/BTC|ETH|SOL/.test(line) ? line : undefined));
    const fills = await fetch(`${url}/api/fills`);
    assert.equal(fills.status, 200);
    await fills.text();
    assert.equal(left().length, 1);
    const { code, stderr } = await run.stop();
    assert.equal(code, 0, stderr);
    assert.deepEqual(left(), []);
    assert.deepEqual(readdirSync(nowhere.path), []);
  });

  it("is swept by the next one after kill -9, server and folder; one that lives is left alone", async () => {
    const victim = begin("monitor");
    await victim.line((line) => (/BTC|ETH|SOL/.test(line) ? line : undefined));
    const [victimFolder] = left();
    const pid = serverIn(victimFolder!);
    await victim.stop("SIGKILL");
    assert.ok(process.kill(pid, 0));
    const next = begin("monitor");
    await next.line((line) => (/BTC|ETH|SOL/.test(line) ? line : undefined));
    assert.ok(!left().includes(victimFolder!));
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
    const third = begin("monitor");
    await third.line((line) => (/BTC|ETH|SOL/.test(line) ? line : undefined));
    assert.equal(left().length, 2);
    for (const running of [next, third]) assert.equal((await running.stop()).code, 0);
    assert.deepEqual(left(), []);
  });
});
