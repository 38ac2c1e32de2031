import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareVersions, programVersion } from "../../../src/runtime/version.ts";

describe("versions", () => {
  it("are compared in the order of semver", () => {
    const ordered = [
      ...["0.0.9", "0.1.0-alpha", "0.1.0-alpha.1", "0.1.0-alpha.beta", "0.1.0-beta", "0.1.0-beta.2"],
      ...["0.1.0-beta.11", "0.1.0-rc-1", "0.1.0", "0.1.1", "0.2.0", "0.10.0", "1.0.0", "10.0.0"],
    ];
    for (const [i, a] of ordered.entries())
      for (const [j, b] of ordered.entries())
        assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} and ${b}`);
  });

  it("are the same when only the build differs", () => {
    assert.equal(compareVersions("1.0.0+a", "1.0.0+b-c"), 0);
    assert.equal(compareVersions(programVersion(), programVersion()), 0);
  });
});
