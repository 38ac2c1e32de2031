/** What docs/simulator.md says to type works as it stands there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DEFAULT_SWITCHES as MODEL } from "../../../src/simulator/exchange/switches.ts";
import { createVenue } from "../../../src/simulator/exchange/venue.ts";
import { startSimulator } from "../../../src/simulator/server/server.ts";
import { DEFAULT_SWITCHES as SERVER } from "../../../src/simulator/server/switches.ts";
import { readPairs, readSettings } from "../../../src/simulator/settings.ts";

const PAGE = readFileSync(new URL("../../../docs/simulator.md", import.meta.url), "utf8");
const CURL = /^curl '?localhost:3001([^\s']+)'?(?: -d '([^']*)')?$/;

test("every curl of the page is answered 200, in its order", async () => {
  const venue = createVenue({ seed: 1, startMs: Date.now() });
  const simulator = await startSimulator({ venue });
  try {
    const lines = PAGE.split("\n").filter((line) => line.startsWith("curl "));
    assert.ok(lines.length >= 15, `${lines.length} lines`);
    for (const line of lines) {
      const [, path, body] = CURL.exec(line) ?? assert.fail(`not read: ${line}`);
      const init = body === undefined ? {} : { method: "POST", body };
      const answer = await fetch(`${simulator.url}${path}`, init);
      assert.equal(answer.status, 200, `${line}: ${await answer.text()}`);
    }
  } finally {
    await simulator.stop();
  }
});

test("the settings of the page are read, and every switch is in its table", () => {
  const settings = [...PAGE.matchAll(/--switches (?:'([^']+)'|(\S+=\S+))/g)].map(
    ([, json, pairs]) => json ?? pairs,
  );
  assert.equal(settings.length, 2);
  for (const one of settings) readSettings(readPairs(one as string));
  const listed = [...PAGE.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  for (const name of Object.keys({ ...SERVER, ...MODEL })) assert.ok(listed.includes(name), name);
});
