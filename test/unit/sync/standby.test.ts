import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StoreError } from "../../../src/errors.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import type { Fleet } from "../../../src/sync/ports.ts";
import { STANDBY_DEFAULTS, Standby } from "../../../src/sync/standby.ts";

const { ttlMs, renewMs, backMs } = STANDBY_DEFAULTS;

/** Who does what, by the rules of `hl_internal.attend` as far as one duty goes, on the virtual clock. */
class Table {
  readonly #clock: VirtualClock;
  readonly #rows = new Map<string, { holder: string; token: number; heir: string | null }>();
  readonly #heard = new Map<string, { steadyMs: number; expiresMs: number }>();
  isAway = false;
  /** A backup was restored: said at the next renewal, once. */
  wentBack = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  of(name: string): Fleet {
    const reachable = () => {
      if (this.isAway) throw new StoreError("the database is away", { transient: true });
    };
    return {
      name,
      attend: async ({ wants, ttlMs: forMs, backMs: quietMs }) => {
        reachable();
        const nowMs = this.#clock.now();
        const before = this.#heard.get(name);
        const isSteady = before !== undefined && before.expiresMs - forMs / 2 > nowMs;
        const steadyMs = isSteady ? before.steadyMs : nowMs;
        this.#heard.set(name, { steadyMs, expiresMs: nowMs + forMs });
        const deadMs = nowMs - (nowMs - steadyMs >= quietMs ? 0 : forMs);
        const lives = (one: string) => (this.#heard.get(one)?.expiresMs ?? 0) >= deadMs;
        for (const duty of wants) {
          const row = this.#rows.get(duty);
          if (row && row.holder !== name && row.holder !== "" && lives(row.holder)) continue;
          if (row?.heir && row.heir !== name && lives(row.heir)) continue;
          if (row?.holder !== name)
            this.#rows.set(duty, { holder: name, token: (row?.token ?? 0) + 1, heir: null });
        }
        const wentBack = this.wentBack;
        this.wentBack = false;
        const held = [...this.#rows].flatMap(([duty, { holder, token, heir }]) =>
          holder === name ? [{ duty, token, isGiven: heir !== null }] : [],
        );
        const others = new Map([...this.#rows].map(([duty, { holder }]) => [duty, holder]));
        return { held, others, share: null, present: 1, wentBack };
      },
      giveBack: async (duties) => {
        reachable();
        for (const duty of duties) {
          const row = this.#rows.get(duty);
          if (row?.holder === name) row.holder = "";
        }
      },
      dismiss: async () => {
        reachable();
        for (const row of this.#rows.values()) if (row.holder === name) row.holder = "";
        this.#heard.delete(name);
      },
    };
  }

  give(duty: string, heir: string): void {
    this.#rows.get(duty)!.heir = heir;
  }
}

class Process {
  readonly standby: Standby;
  /** What it does now. */
  readonly doing = new Set<string>();
  begun = 0;
  beginning: () => Promise<void> = async () => {};
  leaving: () => Promise<void> = async () => {};
  standstill: Promise<void> = Promise.resolve();
  alive = true;

  constructor(clock: VirtualClock, fleet: Fleet, duties: readonly string[]) {
    const gate = <T>(promise: Promise<T>) =>
      promise.then((value) => (this.alive ? value : new Promise<T>(() => {})));
    this.standby = new Standby({
      fleet: {
        ...fleet,
        attend: async (told) => {
          await this.standstill;
          return fleet.attend(told);
        },
      },
      used: () => ({ streams: this.doing.size, subscribed: 0 }),
      onAttended: () => {},
      random: { next: () => 0.5 },
      log: silentLog,
      clock: {
        now: () => clock.now(),
        after: (ms, run) => clock.after(ms, () => this.alive && run()),
        sleep: (ms, signal) => gate(clock.sleep(ms, signal)),
      },
      onFatal: assert.fail,
    });
    this.want(duties);
  }

  want(duties: readonly string[]): void {
    this.standby.want(
      duties.map((name) => ({
        name,
        isShared: false,
        begin: async () => {
          await this.beginning();
          this.begun += 1;
          this.doing.add(name);
        },
        leave: async () => {
          await this.leaving();
          this.doing.delete(name);
        },
      })),
    );
  }
}

async function pair(duties: readonly string[] = ["a"]) {
  const clock = new VirtualClock(1_790_000_000_000);
  const table = new Table(clock);
  const first = new Process(clock, table.of("first"), duties);
  const second = new Process(clock, table.of("second"), duties);
  await first.standby.start();
  await second.standby.start();
  return { clock, table, first, second };
}

const within = (clock: VirtualClock, ms: number, done: () => boolean): Promise<boolean> =>
  clock.runUntil(done, clock.now() + ms);

describe("a standby", () => {
  it("does nothing while another holds the lease, however long", async () => {
    const { clock, first, second } = await pair(["a", "b"]);
    await clock.advanceBy(600_000);
    assert.deepEqual([[...first.doing], [...second.doing]], [["a", "b"], []]);
    assert.deepEqual(second.standby.status()[0], {
      name: "a",
      role: "standby",
      holder: "first",
      token: null,
    });
    assert.deepEqual(first.standby.status()[0], { name: "a", role: "active", holder: "first", token: 1 });
  });

  it("takes over within the lease and one renewal when the active one dies, with a greater token", async () => {
    const { clock, first, second } = await pair();
    await clock.advanceBy(10_400);
    first.alive = false;
    assert.ok(await within(clock, ttlMs + renewMs, () => second.doing.has("a")));
    assert.equal(second.standby.status()[0]?.token, 2);
  });

  it("takes over at its next look when the active one stops in order", async () => {
    const { clock, first, second } = await pair();
    await clock.advanceBy(10_400);
    await first.standby.stop();
    assert.equal(first.doing.size, 0);
    assert.ok(await within(clock, renewMs, () => second.doing.has("a")));
  });

  it("lets the active one begin anew from a database that went back in time, once, and keep the lease", async () => {
    const { clock, table, first, second } = await pair();
    let begun = 0;
    first.beginning = async () => {
      begun += 1;
    };
    await clock.advanceBy(10_400);
    table.wentBack = true;
    assert.ok(await within(clock, 3 * renewMs, () => begun === 1 && first.doing.has("a")));
    await clock.advanceBy(60_000);
    assert.deepEqual([begun, [...first.doing], [...second.doing]], [1, ["a"], []]);
  });

  it("lets the active one go on through a database outage, and leaves it active afterwards", async () => {
    const { clock, table, first, second } = await pair();
    table.isAway = true;
    await clock.advanceBy(120_000);
    assert.ok(first.doing.has("a"));
    assert.equal(first.standby.isSure("a"), false);
    table.isAway = false;
    await clock.advanceBy(60_000);
    assert.deepEqual([first.doing.size, second.doing.size], [1, 0]);
    assert.equal(first.standby.isSure("a"), true);
  });

  it("has somebody active after an outage in which the active one died", async () => {
    const { clock, table, first, second } = await pair();
    table.isAway = true;
    await clock.advanceBy(30_000);
    first.alive = false;
    table.isAway = false;
    assert.ok(await within(clock, renewMs + backMs, () => second.doing.has("a")));
  });

  it("leaves what another has taken over while it stood still", async () => {
    const { clock, first, second } = await pair();
    let goOn = () => {};
    first.standstill = new Promise((resolve) => {
      goOn = resolve;
    });
    assert.ok(await within(clock, ttlMs + 2 * renewMs, () => second.doing.has("a")));
    assert.ok(first.doing.has("a"), "it cannot know yet");
    assert.equal(first.standby.isSure("a"), false);
    goOn();
    assert.ok(await within(clock, renewMs, () => !first.doing.has("a")));
    assert.ok(second.doing.has("a"));
    assert.equal(first.standby.status()[0]?.holder, "second");
  });

  it("tries to begin again while it holds the lease, and stops trying when told to stop", async () => {
    const { clock, first, second } = await pair();
    let attempts = 0;
    second.beginning = async () => {
      attempts += 1;
      if (attempts < 4) throw new Error("the venue is away");
    };
    await first.standby.stop();
    assert.ok(await within(clock, 20_000, () => second.doing.has("a")));
    assert.equal(attempts, 4);
    await second.standby.stop();
    assert.equal(second.doing.size, 0);
  });

  it("begins what is wanted from now on, and leaves what is not to another that wants it", async () => {
    const { clock, first, second } = await pair(["a"]);
    first.want(["b"]);
    assert.ok(await within(clock, 2 * renewMs, () => second.doing.has("a")));
    assert.deepEqual([[...first.doing], [...second.doing]], [["b"], ["a"]]);
    assert.deepEqual(
      first.standby.status().map(({ name }) => name),
      ["b"],
    );
  });

  it("keeps the lease until what it leaves is written", async () => {
    const { clock, first, second } = await pair(["a"]);
    let written = () => {};
    first.leaving = () =>
      new Promise((resolve) => {
        written = resolve;
      });
    first.want([]);
    await clock.advanceBy(60_000);
    assert.deepEqual([[...first.doing], [...second.doing]], [["a"], []]);
    written();
    assert.ok(await within(clock, 2 * renewMs, () => second.doing.has("a")));
  });

  it("takes back what it was leaving when that is wanted again", async () => {
    const { clock, first } = await pair(["a"]);
    let written = () => {};
    first.leaving = () =>
      new Promise((resolve) => {
        written = resolve;
      });
    first.want([]);
    await clock.advanceBy(renewMs);
    first.want(["a"]);
    written();
    assert.ok(await within(clock, 2 * renewMs, () => first.begun === 2 && first.doing.has("a")));
  });

  it("gives up what it was beginning when that is not wanted any more", async () => {
    const { clock, first, second } = await pair([]);
    first.beginning = async () => {
      throw new Error("the venue is away");
    };
    first.want(["a"]);
    await clock.advanceBy(10 * renewMs);
    first.want([]);
    await clock.advanceBy(2 * renewMs);
    assert.deepEqual(first.standby.status(), []);
    second.want(["a"]);
    assert.ok(await within(clock, 2 * renewMs, () => second.doing.has("a")));
  });

  it("begins anew what has changed", async () => {
    const { clock, first } = await pair(["a", "b"]);
    first.standby.renew("a");
    assert.ok(await within(clock, 3 * renewMs, () => first.begun === 3 && first.doing.has("a")));
    await clock.advanceBy(60_000);
    assert.equal(first.begun, 3);
  });

  it("leaves what is given to another in order, which has it from then on", async () => {
    const { clock, table, first, second } = await pair(["a", "b"]);
    let written = () => {};
    first.leaving = () =>
      new Promise((resolve) => {
        written = resolve;
      });
    table.give("a", "second");
    await clock.advanceBy(60_000);
    assert.deepEqual([[...first.doing], [...second.doing]], [["a", "b"], []]);
    written();
    assert.ok(await within(clock, 2 * renewMs, () => second.doing.has("a")));
    await clock.advanceBy(60_000);
    assert.deepEqual([[...first.doing], [...second.doing]], [["b"], ["a"]]);
    assert.equal(second.standby.status()[0]?.token, 2);
  });

  it("changes no hands when a slow database hears of all of them late", async () => {
    const { clock, table, first, second } = await pair(["a"]);
    for (let outage = 0; outage < 20; outage++) {
      table.isAway = true;
      await clock.advanceBy(2 * ttlMs - 1 + outage * 10);
      table.isAway = false;
      await clock.advanceBy(outage * 137);
    }
    assert.deepEqual([first.begun, second.begun, [...first.doing]], [1, 0, ["a"]]);
  });
});
