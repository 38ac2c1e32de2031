/** `doctor` tells what stands between it and the server. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { poolerFinding } from "../../src/cli/checks/database.ts";
import { hlsync } from "../support/cli.ts";
import { useDatabase } from "../support/postgres.ts";
import { noPooler, startPooler } from "./pgbouncer.ts";

describe("the way to the server", () => {
  const db = useDatabase("all");

  it("is direct", async () => {
    const finding = await poolerFinding(db.url);
    assert.equal(finding.status, "ok");
    assert.match(finding.says, /direct/);
  });

  it("is a transaction pooler, whether it has one connection or several", { skip: noPooler }, async () => {
    for (const poolSize of [1, 4]) {
      const pooler = await startPooler(db.url, { mode: "transaction", poolSize });
      const finding = await poolerFinding(pooler.urlOf(db.url));
      assert.equal(finding.status, "note");
      assert.match(finding.says, /transaction pooler/);
      assert.match(finding.why!, /prepared statements, LISTEN and session locks/);
      const args = [
        "doctor",
        "--no-color",
        "--api-url",
        "http://127.0.0.1:9",
        "--account",
        `0x${"a".repeat(40)}`,
      ];
      const { stdout } = await hlsync([...args, "--database", pooler.urlOf(db.url)]);
      assert.match(stdout, /^note {2}pooler /m);
      await pooler.stop();
    }
  });

  it("is a session pooler, which serves each client alone", { skip: noPooler }, async () => {
    const pooler = await startPooler(db.url, { mode: "session", poolSize: 4 });
    assert.equal((await poolerFinding(pooler.urlOf(db.url))).status, "ok");
    await pooler.stop();
  });

  it("is too narrow when a second connection cannot be had", { skip: noPooler }, async () => {
    const pooler = await startPooler(db.url, { mode: "session", poolSize: 1, waitSeconds: 1 });
    const finding = await poolerFinding(pooler.urlOf(db.url));
    assert.equal(finding.status, "warn");
    assert.match(finding.says, /a second connection cannot be had/);
    await pooler.stop();
  });
});
