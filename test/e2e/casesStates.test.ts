/** Positions and balances that left a state: cases 01 and 02 and their neighbours, by the real program in every way of running. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Refusal, type Step, type Wire } from "../support/scriptedVenue.ts";
import {
  balance,
  type CaseRig,
  caseFile,
  eachWithRig,
  fill,
  MINUTE_MS,
  position,
  SECOND_MS,
  state,
} from "./casesRig.ts";

const POLL = ["--interval", "1"];
describe("what left a state", () => {
  let rig: CaseRig;

  const { renew } = eachWithRig((made) => {
    rig = made;
  });

  const becomes = (coin: string, what: string) =>
    rig.until(`${coin} to be ${what}`, async () => (await rig.position(coin)) === what);

  const closed = caseFile<{ step1: Step; step2: Step }>("01-closed-position-sync-once");
  const vanished = caseFile<{ step1: Step; step2: Step }>("02-vanished-balance");

  describe("a position that was closed (case 01)", () => {
    it("is flat after the next sync --once, and verify named it before", async () => {
      rig.inProcesses = true;
      rig.venue.begin(closed.step1);
      await rig.once();
      assert.equal(await rig.position("TON"), "long 0.1");
      await rig.verify(0);
      rig.venue.begin(closed.step2);
      await rig.verify(4, /extra +hl_positions \|TON: venue flat, database long 0\.1/);
      await rig.once();
      assert.equal(await rig.position("TON"), "flat");
      assert.equal(await rig.position("BTC"), "long 0.1");
      assert.deepEqual(await rig.rows("select coin from hl_exposure order by coin"), [{ coin: "BTC" }]);
      await rig.verify(0);
    });

    it("is flat by the next pass of sync --interval", async () => {
      rig.venue.begin(closed.step1);
      rig.runs("sync", ...POLL);
      await becomes("TON", "long 0.1");
      rig.venue.begin(closed.step2);
      await becomes("TON", "flat");
      assert.equal(await rig.position("BTC"), "long 0.1");
    });

    it("is flat within seconds under run", async () => {
      rig.venue.begin(closed.step1);
      await rig.streams();
      await becomes("TON", "long 0.1");
      rig.venue.begin(closed.step2);
      await becomes("TON", "flat");
      assert.equal(await rig.position("BTC"), "long 0.1");
    });

    it("is flat when run comes back after it was closed", async () => {
      rig.venue.begin(closed.step1);
      const running = await rig.streams();
      await becomes("TON", "long 0.1");
      await running.stop("SIGKILL");
      rig.venue.begin(closed.step2);
      await rig.streams();
      await becomes("TON", "flat");
    });
  });

  const openedLong = fill("TON", Date.now() - 9 * MINUTE_MS, "0.0", 0.1);
  /** What step 1 holds, what step 2 lacks, and what is right after one `sync --once` of step 2. */
  const NEIGHBOURS: {
    name: string;
    first: Step;
    second: Step | (() => Step);
    right: Record<string, string>;
  }[] = [
    {
      name: "the only one of the account",
      first: { clearinghouse: { "": state([position("TON", "0.1")]) }, fills: [] },
      second: { clearinghouse: { "": state([]) }, fills: [] },
      right: { TON: "flat" },
    },
    {
      name: "closed by the venue, with no fill of it (liquidation, settlement)",
      first: { clearinghouse: { "": state([position("BTC", "0.1"), position("TON", "-2.5")]) } },
      second: { clearinghouse: { "": state([position("BTC", "0.1")]) } },
      right: { TON: "flat", BTC: "long 0.1" },
    },
    {
      name: "of several coins on two dexes",
      first: {
        dexes: ["xyz", "abc"],
        clearinghouse: {
          "": state([position("BTC", "0.1"), position("TON", "0.1"), position("ETH", "-1.0")]),
          xyz: state([position("xyz:GOLD", "3.0"), position("xyz:AAPL", "1.0")]),
          abc: state([position("abc:X", "1.0")]),
        },
      },
      second: {
        dexes: ["xyz", "abc"],
        clearinghouse: {
          "": state([position("ETH", "-1.0")]),
          xyz: state([position("xyz:AAPL", "2.0")]),
          abc: state([]),
        },
      },
      right: {
        BTC: "flat",
        TON: "flat",
        ETH: "short 1.0",
        "xyz:GOLD": "flat",
        "xyz:AAPL": "long 2.0",
        "abc:X": "flat",
      },
    },
    {
      name: "that was turned round in one millisecond",
      first: { clearinghouse: { "": state([position("TON", "0.1")]) }, fills: [openedLong] },
      second() {
        const time = Date.now();
        const turned = [fill("TON", time, "0.1", -0.1), fill("TON", time, "0.0", -0.3)];
        return { clearinghouse: { "": state([position("TON", "-0.3")]) }, fills: [openedLong, ...turned] };
      },
      right: { TON: "short 0.3" },
    },
    {
      name: "that was closed and opened again in one millisecond",
      first: { clearinghouse: { "": state([position("TON", "0.1")]) }, fills: [openedLong] },
      second() {
        const time = Date.now();
        const turned = [fill("TON", time, "0.1", -0.1), fill("TON", time, "0.0", 0.1)];
        return { clearinghouse: { "": state([position("TON", "0.1")]) }, fills: [openedLong, ...turned] };
      },
      right: { TON: "long 0.1" },
    },
    {
      name: "in a state without a time, as in 2023",
      first: { clearinghouse: { "": state([position("TON", "0.1")], { time: undefined }) } },
      second: { clearinghouse: { "": state([], { time: undefined }) } },
      right: { TON: "flat" },
    },
    {
      name: "on a dex that the venue no longer lists",
      first: { dexes: ["xyz"], clearinghouse: { xyz: state([position("xyz:GOLD", "3.0")]) } },
      second: { dexes: [], clearinghouse: { "": state([position("BTC", "0.1")]) } },
      right: { "xyz:GOLD": "flat", BTC: "long 0.1" },
    },
    {
      name: "on a dex that the venue neither lists nor answers for",
      first: { dexes: ["xyz"], clearinghouse: { xyz: state([position("xyz:GOLD", "3.0")]) } },
      second: {
        dexes: [],
        answers: {
          clearinghouseState: ({ dex }: Wire) => (dex === "xyz" ? new Refusal(422, "no dex") : undefined),
        },
        clearinghouse: { "": state([position("BTC", "0.1")]) },
      },
      right: { "xyz:GOLD": "flat", BTC: "long 0.1" },
    },
  ];

  for (const { name, first, second, right } of NEIGHBOURS) {
    it(`closes a position ${name}`, async () => {
      rig.venue.begin(first);
      await rig.once();
      rig.venue.begin(typeof second === "function" ? second() : second);
      await rig.once();
      const held = await Promise.all(
        Object.keys(right).map(async (coin) => [coin, await rig.position(coin)]),
      );
      assert.deepEqual(Object.fromEntries(held), right);
      await rig.verify(0);
    });
  }

  it("closes none on a dex whose state is refused while it is listed, or whose list cannot be read", async () => {
    const gold = { dexes: ["xyz"], clearinghouse: { xyz: state([position("xyz:GOLD", "3.0")]) } };
    rig.venue.begin(gold);
    await rig.once();
    const refused = ({ dex }: Wire) => (dex === "xyz" ? new Refusal(422, "no dex") : undefined);
    for (const perpDexs of [undefined, [null, { name: 5 }]]) {
      rig.venue.begin({ ...gold, answers: { clearinghouseState: refused, perpDexs } });
      await rig.once(5);
      assert.equal(await rig.position("xyz:GOLD"), "long 3.0", JSON.stringify(perpDexs));
    }
    // The position is there when the dex is back.
    rig.venue.begin(gold);
    await rig.once();
    assert.equal(await rig.position("xyz:GOLD"), "long 3.0");
  });

  it("closes a position that was opened and closed again between the passes: its row stays flat", async () => {
    const at = Date.now() - 5 * MINUTE_MS;
    const flat = { clearinghouse: { "": state([]) } };
    rig.venue.begin({ clearinghouse: { "": state([position("TON", "0.1")]) } });
    await rig.once();
    rig.venue.begin({ ...flat, fills: [fill("TON", at, "0.1", -0.1)] });
    await rig.once();
    rig.venue.begin({
      ...flat,
      fills: [fill("TON", at, "0.1", -0.1), fill("TON", at + 1, "0.0", 1), fill("TON", at + 2, "1.0", -1)],
    });
    await rig.once();
    assert.equal(await rig.position("TON"), "flat");
    rig.venue.begin({ clearinghouse: { "": state([position("TON", "4.0")]) } });
    await rig.once();
    assert.equal(await rig.position("TON"), "long 4.0");
  });

  it("closes nothing by a state that is older, failed, or whose row cannot be read", async () => {
    rig.venue.begin({ clearinghouse: { "": state([position("TON", "0.1")]) } });
    await rig.once();
    rig.venue.begin({ clearinghouse: { "": state([], { time: Date.now() - 60 * MINUTE_MS }) } });
    await rig.once();
    await rig.once();
    assert.equal(await rig.position("TON"), "long 0.1", "a stale answer");
    rig.venue.begin({ answers: { clearinghouseState: new Refusal(422, "no") } });
    const { stderr } = await rig.once(5);
    assert.match(stderr, /clearinghouseState/);
    assert.equal(await rig.position("TON"), "long 0.1", "a refused one");
    for (let pass = 0; pass < 3; pass++) {
      rig.venue.begin({ clearinghouse: { "": state([position("TON", "0.1", { szi: null })]) } });
      await rig.once();
    }
    assert.equal(await rig.position("TON"), "long 0.1", "one whose row cannot be read");
  });

  it("asks a second time before it believes an empty state, and once is not enough under run", async () => {
    rig.venue.begin({ clearinghouse: { "": state([position("TON", "0.1")]) } });
    await rig.streams();
    await becomes("TON", "long 0.1");
    // A single state of another backend, as an agent's address or a stale cache gives.
    rig.venue.push("clearinghouseState", (user, { dex = "" }) => ({
      dex,
      user,
      clearinghouseState: state([]),
    }));
    await rig.until("two more states", async () => {
      const before = Date.now();
      await rig.until("a state", async () => {
        const [row] = await rig.rows<{ ms: string }>(
          "select max(as_of_ms)::text as ms from hl_internal.states",
        );
        return Number(row?.ms ?? 0) > before + SECOND_MS;
      });
      return true;
    });
    assert.equal(await rig.position("TON"), "long 0.1");
  });

  describe("a balance that vanished (case 02)", () => {
    const RIGHT = { USDC: 125 };

    it("is 0 after the next sync --once, and verify named it before", async () => {
      rig.inProcesses = true;
      rig.venue.begin(vanished.step1);
      await rig.once();
      assert.deepEqual(await rig.balances(), { "+9130": 25, HYPE: 10, USDC: 100 });
      rig.venue.begin(vanished.step2);
      await rig.verify(
        4,
        /hl_balances HYPE: venue 0/,
        /hl_balances \+9130: venue 0/,
        /hl_balances USDC: venue 125/,
      );
      await rig.once();
      assert.deepEqual(await rig.balances(), RIGHT);
      await rig.verify(0);
    });

    it("is 0 by the next pass of sync --interval, and under run", async () => {
      for (const follow of [
        async () => void rig.runs("sync", ...POLL),
        async () => void (await rig.streams()),
      ]) {
        rig.venue.begin(vanished.step1);
        await follow();
        const holds = (right: object) => async () =>
          JSON.stringify(await rig.balances()) === JSON.stringify(right);
        await rig.until("the balances", holds({ "+9130": 25, HYPE: 10, USDC: 100 }));
        rig.venue.begin(vanished.step2);
        await rig.until("what vanished to be gone", holds(RIGHT));
        await rig.close();
        await renew();
      }
    });

    it("comes back with what it has then", async () => {
      const hype = balance("HYPE", "10.0");
      for (const [balances, right] of [
        [[balance("USDC", "5.0"), hype], { HYPE: 10, USDC: 5 }],
        [[balance("USDC", "5.0")], { USDC: 5 }],
        [[hype], { HYPE: 10 }],
        [[], {}],
        [[balance("HYPE", "0.00000001")], { HYPE: 0.00000001 }],
      ] as const) {
        rig.venue.begin({ spot: { balances } });
        await rig.once();
        assert.deepEqual(await rig.balances(), right);
      }
      await rig.verify(0);
    });

    it("stays while its row cannot be read, and its neighbours go on", async () => {
      rig.venue.begin({ spot: { balances: [balance("USDC", "5.0"), balance("HYPE", "10.0")] } });
      await rig.once();
      for (let pass = 1; pass <= 2; pass++) {
        rig.venue.begin({ spot: { balances: [balance("USDC", "6.0"), balance("HYPE", null)] } });
        await rig.once();
      }
      assert.deepEqual(await rig.balances(), { HYPE: 10, USDC: 6 });
      await rig.verify(4, /unread/);
    });

    it("ends with what it held for orders", async () => {
      rig.venue.begin({ spot: { balances: [balance("HYPE", "10.0", { hold: "10.0" })] } });
      await rig.once();
      rig.venue.begin({ spot: { balances: [] } });
      await rig.once();
      assert.deepEqual(await rig.rows("select total::text, hold::text from hl_balances"), [
        { total: "0", hold: "0" },
      ]);
    });
  });
});
