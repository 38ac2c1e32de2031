/** The page of all options is what the option table says. `HLSYNC_WRITE=1` renews it. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { loadCommands } from "../../../src/cli/commands/index.ts";
import { configurationReference } from "../../../src/cli/reference.ts";
import { OPTIONS, type OptionName } from "../../../src/config.ts";

const COMMANDS = await loadCommands();

const PAGE = new URL("../../../docs/configuration.md", import.meta.url);

test("docs/configuration.md is up to date", () => {
  const page = configurationReference(COMMANDS);
  if (process.env.HLSYNC_WRITE) writeFileSync(PAGE, page);
  assert.equal(
    readFileSync(PAGE, "utf8"),
    page,
    "renew it: HLSYNC_WRITE=1 node test/unit/cli/reference.test.ts",
  );
});

test("every option is taken by some command", () => {
  const taken = new Set(COMMANDS.flatMap(({ options }) => options));
  const common = ["json", "logLevel", "color", "config"];
  const unused = (Object.keys(OPTIONS) as OptionName[]).filter(
    (name) => !taken.has(name) && !common.includes(name),
  );
  assert.deepEqual(unused, []);
});
