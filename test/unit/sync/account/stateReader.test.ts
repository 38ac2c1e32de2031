import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtocolError, TransportError } from "../../../../src/errors.ts";
import type { Asking } from "../../../../src/sync/account/asking.ts";
import { perpState } from "../healthStates.ts";
import { follow, NOW } from "./rig.ts";

const asking = (): Asking => ({
  ...{ priority: "reconcile", source: "reconcile", signal: new AbortController().signal },
});
const away = new TransportError("away");

describe("states", () => {
  it("of the dexes in use and of spot are read and committed in one batch", async () => {
    const { account, committed, types } = follow();
    await account.states.readUsed(asking());
    assert.deepEqual(types().sort(), ["clearinghouseState", "spotClearinghouseState"]);
    assert.equal(committed.length, 1);
    assert.deepEqual(committed[0]!.states?.map(({ kind, dex, asOfMs }) => [kind, dex, asOfMs]).sort(), [
      ["perp", "", NOW],
      ["spot", "", NOW],
    ]);
  });

  it("that were answered are kept when a part in use fails, which is thrown", async () => {
    const { account, committed } = follow({ clearinghouseState: away });
    await assert.rejects(account.states.readUsed(asking()), away);
    assert.deepEqual(
      committed.flatMap(({ states = [] }) => states.map(({ kind }) => kind)),
      ["spot"],
    );
  });

  it("of a dex that the account does not use may fail: that is told", async () => {
    const dexes = [null, { name: "xyz" }];
    const { account } = follow({
      perpDexs: dexes,
      clearinghouseState: ({ dex }: { dex: string }) => (dex === "xyz" ? away : perpState("1000", [], NOW)),
    });
    const { failure, read } = await account.states.read(true, asking());
    assert.equal(failure?.reason, away);
    assert.deepEqual([...read], ["", "xyz"]);
  });

  it("are kept without the list of dexes, which is then missed; a mode that nobody serves is not", async () => {
    const { account, committed } = follow({
      perpDexs: away,
      userAbstraction: new ProtocolError("unknown request", ""),
    });
    await assert.rejects(account.states.read(true, asking()), away);
    assert.equal(committed.length, 1);
  });

  it("that tell no time, or one that is not believed, are as old as their arrival", () => {
    const { account } = follow();
    for (const time of [undefined, NOW + 86_400_000]) {
      const { time: _time, ...rest } = perpState("1000", [], NOW);
      const value = { ...rest, ...(time ? { time } : {}) };
      const { states = [] } = account.states.perp("", { value, raw: value, unread: [] } as never, NOW);
      assert.deepEqual(
        states.map(({ asOfMs }) => asOfMs),
        [NOW],
      );
    }
  });
});
