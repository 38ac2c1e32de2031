import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EXIT, exitCodeOf } from "../../../src/cli/command.ts";
import {
  ConfigError,
  MigrationError,
  ProtocolError,
  RateLimitError,
  StoreError,
  TransportError,
} from "../../../src/errors.ts";

describe("the exit code of an error", () => {
  const ended = (sqlState?: string, transient = false) =>
    exitCodeOf(new StoreError("no", { transient, ...(sqlState === undefined ? {} : { sqlState }) }));

  it("is that of a refusal for every SQLSTATE that quarantines a row, and for what the statement may not do", () => {
    for (const state of ["22003", "23514", "44000", "45000", "54000", "P0001", "25006", "42501", "42P01"])
      assert.equal(ended(state), EXIT.refused, state);
  });

  it("is that of a database that is not there for all others", () => {
    for (const state of ["08006", "28P01", "3D000", "53300", "57P03", undefined])
      assert.equal(ended(state, true), EXIT.database, state);
  });

  it("names what went wrong", () => {
    assert.equal(exitCodeOf(new ConfigError("no")), EXIT.usage);
    assert.equal(exitCodeOf(new MigrationError("no")), EXIT.migration);
    assert.equal(exitCodeOf(new TransportError("no")), EXIT.venue);
    assert.equal(exitCodeOf(new RateLimitError("no", 1)), EXIT.venue);
    assert.equal(exitCodeOf(new ProtocolError("no", null)), EXIT.venue);
    assert.equal(exitCodeOf(new TypeError("no")), EXIT.unexpected);
  });
});
