/** Work that several wait for, each with a signal of his own. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SharedWork } from "../../../src/runtime/sharedWork.ts";

/** Work that ends when told, and how often it was begun and given up. */
function slow() {
  const seen = { begun: 0, givenUp: 0, end: (_value: string | Error): void => {} };
  const work = (signal: AbortSignal) => {
    seen.begun += 1;
    return new Promise<string>((resolve, reject) => {
      seen.end = (value) => (value instanceof Error ? reject(value) : resolve(value));
      signal.addEventListener("abort", () => {
        seen.givenUp += 1;
        reject(signal.reason);
      });
    });
  };
  return { seen, work };
}
const gone = new Error("gone");

describe("work that several wait for", () => {
  it("is done once for all, and anew for who comes later", async () => {
    const { seen, work } = slow();
    const shared = new SharedWork<string>();
    const all = [shared.join(work, undefined), shared.join(work, new AbortController().signal)];
    seen.end("told");
    assert.deepEqual(await Promise.all(all), ["told", "told"]);
    const later = shared.join(work, undefined);
    seen.end(new Error("failed"));
    await assert.rejects(later, /failed/);
    assert.equal(seen.begun, 2);
  });

  it("lets go at once who no longer waits, also the one for whom it was begun, and goes on for the others", async () => {
    const { seen, work } = slow();
    const shared = new SharedWork<string>();
    const leaving = new AbortController();
    const first = shared.join(work, leaving.signal);
    const second = shared.join(work, undefined);
    leaving.abort(gone);
    await assert.rejects(first, gone);
    assert.equal(seen.givenUp, 0);
    seen.end("told");
    assert.equal(await second, "told");
  });

  it("is given up when nobody is left, and begun anew by the next", async () => {
    const { seen, work } = slow();
    const shared = new SharedWork<string>();
    const leaving = new AbortController();
    const both = [shared.join(work, leaving.signal), shared.join(work, leaving.signal)];
    leaving.abort(gone);
    for (const one of both) await assert.rejects(one, gone);
    assert.deepEqual([seen.begun, seen.givenUp], [1, 1]);
    const next = shared.join(work, undefined);
    seen.end("told");
    assert.equal(await next, "told");
    assert.equal(seen.begun, 2);
  });

  it("is not begun for who has left before", async () => {
    const { seen, work } = slow();
    await assert.rejects(new SharedWork<string>().join(work, AbortSignal.abort(gone)), gone);
    assert.equal(seen.begun, 0);
  });
});
