/** `hlsync simulate` as a program: its switches and its past. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "../support/cli.ts";

const run = (...args: string[]) => start(["simulate", "--port", "0", "--json", ...args]);

async function addressOf(program: ReturnType<typeof start>): Promise<string> {
  return program.line((line) => (JSON.parse(line) as { apiUrl?: string }).apiUrl);
}

test("switches and the traders' activity are options of the program, and it opens with a past", async () => {
  const settings = "allowWebData2=true,ledgerPageSize=500,traders.takesPerMinute=60";
  const program = run("--switches", settings, "--history", "10m");
  const url = await addressOf(program);
  const state = (await (await fetch(`${url}/control/state`)).json()) as {
    switches: Record<string, unknown>;
  };
  assert.deepEqual([state.switches.allowWebData2, state.switches.ledgerPageSize], [true, 500]);
  const req = { coin: "BTC", interval: "1m", startTime: 0 };
  const body = JSON.stringify({ type: "candleSnapshot", req });
  const init = { method: "POST", headers: { "content-type": "application/json" }, body };
  const candles = (await (await fetch(`${url}/info`, init)).json()) as { n: number }[];
  assert.ok(candles.length >= 10, `${candles.length} candles`);
  const trades = candles.reduce((sum, { n }) => sum + n, 0);
  assert.ok(trades > 300, `${trades} trades in ten minutes at one a second`);
  await program.stop();
});

test("a switch nobody knows ends the program with code 2 and its name", async () => {
  const { code, stderr } = await run("--switches", "restLag=5").finished();
  assert.equal(code, 2);
  assert.match(stderr, /--switches "restLag=5": .*restLag/);
});
