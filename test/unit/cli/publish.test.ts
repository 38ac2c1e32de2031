import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPublish } from "../../../src/cli/publishOutput.ts";

const check = (...publish: string[]) =>
  checkPublish({ publish } as unknown as Parameters<typeof checkPublish>[0]);

test("addresses of brokers are checked before anything starts, and nothing of a password is told", () => {
  check("nats://user:p%23ss@host:4222", "redis://:secret@host:6379/2?maxlen=5000");
  for (const [url, why] of [
    ["redis://:p@ss#x@127.0.0.1:6379", /a # in a user or password is written %23/],
    ["redis://host?maxlen=abc", /maxlen="abc" is no number of entries/],
    ["redis://host?maxlen=0", /maxlen="0"/],
    ["kafka://user:secret@host", /expected a URL that starts with nats:\/\//],
  ] as const)
    assert.throws(
      () => check(url),
      (error: Error) => why.test(error.message) && !/secret|p@ss|ss#/.test(error.message),
      url,
    );
});
