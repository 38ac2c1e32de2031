/** Completion scripts: complete, and understood by the shells that are installed. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { test } from "node:test";
import { loadCommands } from "../../../src/cli/commands/index.ts";
import { completionScript, SHELLS } from "../../../src/cli/completion.ts";
import { OPTIONS } from "../../../src/config.ts";

const COMMANDS = await loadCommands();

const isInstalled = (shell: string): boolean => spawnSync(shell, ["--version"]).status === 0;
const skipWithout = (shell: string) => ({ skip: !isInstalled(shell) && `${shell} is not installed` });

test("every command and every option of it is in every script", () => {
  for (const shell of SHELLS) {
    const script = completionScript(shell, COMMANDS);
    for (const { name, options } of COMMANDS) {
      assert.ok(script.includes(name), `${name} in ${shell}`);
      for (const option of options) {
        const long = OPTIONS[option].flag.split(" ")[0]!;
        assert.ok(script.includes(shell === "fish" ? `-l ${long.slice(2)}` : long), `${long} in ${shell}`);
      }
    }
  }
});

/** What bash would offer at the end of `line`. */
function bashOffers(line: string): string[] {
  const words = line.split(" ");
  const script = `${completionScript("bash", COMMANDS)}
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
    _hlsync; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = execFileSync("bash", ["--noprofile", "--norc", "-c", script], { encoding: "utf8" });
  return printed.split("\n").filter((word) => word !== "");
}

test("bash offers commands, then their options, then the choices of an option", skipWithout("bash"), () => {
  assert.deepEqual(bashOffers("hlsync ver"), ["verify"]);
  assert.deepEqual(bashOffers("hlsync migrate --pr"), ["--print"]);
  assert.deepEqual(bashOffers("hlsync run --network "), ["mainnet", "testnet"]);
  assert.deepEqual(bashOffers("hlsync run --network test"), ["testnet"]);
  assert.deepEqual(bashOffers("hlsync run --interval "), []);
  assert.deepEqual(bashOffers("hlsync run --config package.jso"), ["package.json"]);
  assert.ok(bashOffers("hlsync ").includes("doctor"));
});

for (const shell of ["zsh", "fish"] as const) {
  test(`${shell} reads its script`, skipWithout(shell), () => {
    const { status, stderr } = spawnSync(shell, ["-n"], { input: completionScript(shell, COMMANDS) });
    assert.equal(status, 0, String(stderr));
  });
}
