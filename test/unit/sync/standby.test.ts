import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StoreError } from "../../../src/errors.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { VirtualClock } from "../../../src/simulator/world.ts";
import type { LeaseState, Leases } from "../../../src/sync/ports.ts";
import { STANDBY_DEFAULTS, Standby } from "../../../src/sync/standby.ts";

const { ttlMs, renewMs, backMs } = STANDBY_DEFAULTS;

/** The lease table by the rules of `hl_internal.take_lease`, on the virtual clock. */
class LeaseTable implements Leases {
  readonly #clock: VirtualClock;
  readonly #rows = new Map<string, { holder: string; token: number; expiresMs: number }>();
  isAway = false;
  /** A backup was restored: said at the next renewal, once. */
  wentBack = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async takeLeases(names: readonly string[], holder: string, forMs: number): Promise<LeaseState[]> {
    if (this.isAway) throw new StoreError("the database is away", { transient: true });
    return names.map((name) => {
      const nowMs = this.#clock.now();
      const row = this.#rows.get(name);
      if (row && row.holder !== holder && row.expiresMs >= nowMs)
        return { name, token: null, holder: row.holder };
      const token = (row?.token ?? 0) + (row?.holder === holder ? 0 : 1);
      this.#rows.set(name, { holder, token, expiresMs: nowMs + forMs });
      const wentBack = this.wentBack;
      this.wentBack = false;
      return { name, token, holder, wentBack };
    });
  }

  async releaseLeases(names: readonly string[], holder: string): Promise<void> {
    if (this.isAway) throw new StoreError("the database is away", { transient: true });
    for (const name of names) {
      const row = this.#rows.get(name);
      if (row?.holder === holder) row.expiresMs = Number.NEGATIVE_INFINITY;
    }
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

  constructor(clock: VirtualClock, leases: Leases, holder: string, duties: readonly string[]) {
    const gate = <T>(promise: Promise<T>) =>
      promise.then((value) => (this.alive ? value : new Promise<T>(() => {})));
    this.standby = new Standby({
      leases: {
        takeLeases: async (...asked) => {
          await this.standstill;
          return leases.takeLeases(...asked);
        },
        releaseLeases: (...given) => leases.releaseLeases(...given),
      },
      holder,
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
  const table = new LeaseTable(clock);
  const first = new Process(clock, table, "first", duties);
  const second = new Process(clock, table, "second", duties);
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
});
