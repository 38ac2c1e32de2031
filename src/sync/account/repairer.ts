/**
 * Heals what the checks of an account suspect, by the narrowest reading, and records what was found.
 *
 * Guarantees: a suspicion that a reading explained is a healed loss; one that it did not explain is recorded as not explained,
 * but for money that moved, of which the venue may make no row.
 */
import { allOf } from "../../runtime/allOf.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { CashCheck, CashSuspicion } from "../cashCheck.ts";
import type { Commit } from "../commit.ts";
import type { Interval } from "../coverage.ts";
import type { Address, DriftRow, TrackedStream } from "../rows.ts";
import type { FillSuspicion, OrderSuspicion, SelfCheck, Suspicion } from "../selfCheck.ts";
import type { WindowStream } from "../windowReader.ts";
import type { Asking } from "./asking.ts";
import type { OrderReader } from "./orderReader.ts";
import { LastingSuspicions, repairsOf } from "./repairs.ts";

interface RepairerDeps {
  account: Address;
  clock: Clock;
  log: Log;
  check: SelfCheck;
  cash: CashCheck;
  orders: OrderReader;
  /** Whether there was a row that was not known. */
  readWindow(stream: WindowStream, window: Interval, asking: Asking): Promise<boolean>;
  /** A row that is younger is stamped wrongly. */
  latestRowMs(): number;
  /** Up to where a reading that begins now may claim. */
  claimableToMs(): number;
  /** Whether fills are being read for a heal. */
  isHealingFills(): boolean;
  commit: Commit;
}

/** In which history the missing row is, as long as none was found. */
const STREAM_OF: Record<Suspicion["kind"], TrackedStream> = {
  chain: "fills",
  position: "fills",
  order: "orders",
  cash: "ledger",
  funding: "funding",
  balance: "ledger",
};

const isCash = (suspicion: Suspicion): suspicion is CashSuspicion => "streams" in suspicion;

export class Repairer {
  readonly #deps: RepairerDeps;
  readonly #lasting = new LastingSuspicions();

  constructor(deps: RepairerDeps) {
    this.#deps = deps;
  }

  /** Whether fills are being read for a heal: then other suspicions about fills may be answered by it. */
  get isHealingFills(): boolean {
    return this.#deps.isHealingFills();
  }

  /** What contradicts what the venue says, and has outlived its grace, or another one. */
  ripe(nowMs: number, graceMs?: number): Suspicion[] {
    // An order that is about to be asked for anyway waits for that.
    const isDue = (one: Suspicion) => one.kind !== "order" || !this.#deps.orders.isLost(one.orderId);
    return [...this.#deps.check.ripe(nowMs, graceMs).filter(isDue), ...this.#deps.cash.ripe(nowMs, graceMs)];
  }

  /** Where there is no stream, after a catch-up: repairs what this one and the one before it left open. */
  async runLasting(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const lasting = this.#lasting.take(this.ripe(clock.now(), 0));
    const due = () => this.ripe(clock.now()).filter(({ key }) => lasting.has(key));
    // One reading often answers several.
    for (let [next] = repairsOf(this, due()); next !== undefined; [next] = repairsOf(this, due()))
      await next.run(signal);
  }

  /** Heals a suspicion by the narrowest reading, and records what was found. True when it is explained now. */
  async repair(suspicion: FillSuspicion | CashSuspicion, signal: AbortSignal): Promise<boolean> {
    if (suspicion.kind === "chain" || suspicion.kind === "position")
      return this.#repairFills(suspicion, signal);
    const asking: Asking = { priority: "reconcile", source: "repair", signal };
    const foundAtMs = this.#deps.clock.now();
    let found: WindowStream | null = null;
    const read = async (stream: WindowStream) => {
      if (await this.#deps.readWindow(stream, suspicion, asking)) found = stream;
    };
    await allOf(suspicion.streams.map(read));
    return (await this.#settle([suspicion], foundAtMs, found)) === 1;
  }

  async #repairFills(suspicion: FillSuspicion, signal: AbortSignal): Promise<boolean> {
    const asking: Asking = { priority: "heal", source: "repair", signal };
    const foundAtMs = this.#deps.clock.now();
    const window = {
      fromMs: suspicion.fromMs,
      toMs: suspicion.kind === "chain" ? suspicion.toMs : this.#deps.latestRowMs(),
    };
    await allOf([
      this.#deps.readWindow("fills", window, asking),
      this.#deps.readWindow("twapFills", window, asking),
    ]);
    return (await this.#settle([suspicion], foundAtMs)) === 1;
  }

  /** Asks for the orders of these suspicions, and records what was found. Returns how many are explained now. */
  async repairOrders(suspicions: readonly OrderSuspicion[], signal: AbortSignal): Promise<number> {
    // There may be hundreds of orders to ask for: fills go first.
    const asking: Asking = { priority: "reconcile", source: "repair", signal };
    const foundAtMs = this.#deps.clock.now();
    const orderIds = suspicions.map(({ orderId }) => orderId);
    await this.#deps.orders.resolve(orderIds, asking, this.#deps.claimableToMs());
    return this.#settle(suspicions, foundAtMs);
  }

  /** `found`: of which history the reading brought a row that was not known. */
  async #settle(
    suspicions: readonly Suspicion[],
    foundAtMs: number,
    found: WindowStream | null = null,
  ): Promise<number> {
    const { account, clock, log } = this.#deps;
    const drift: DriftRow[] = [];
    for (const suspicion of suspicions) {
      const isExplained = isCash(suspicion)
        ? this.#deps.cash.settle(suspicion, clock.now(), found !== null)
        : this.#deps.check.settle(suspicion, clock.now());
      const { key: _key, kind, ...detail } = suspicion;
      // Money moves in ways of which the venue makes no row (rewards, interest): that is no loss of ours.
      if (isCash(suspicion) && !isExplained) {
        log.debug("money moved without a row at the venue", { cause: kind, ...detail });
        continue;
      }
      const stream = found ?? STREAM_OF[kind];
      const repairedAtMs = isExplained ? clock.now() : null;
      drift.push({ account, stream, cause: kind, detail, foundAtMs, repairedAtMs });
      if (isExplained) log.info("healed a loss", { cause: kind, ...detail });
      else log.warn("difference not explained by the venue", { cause: kind, ...detail });
    }
    await this.#deps.commit({ drift }, foundAtMs);
    return drift.filter(({ repairedAtMs }) => repairedAtMs !== null).length;
  }
}
