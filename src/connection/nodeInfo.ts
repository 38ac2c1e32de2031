/**
 * `/info` of an own node beside the venue's. States come from the node, whose answers cost no weight; everything else, and states
 * while the node is away or behind, from the venue.
 *
 * Guarantees: a state of the node is used only where the node's time, asked before it, was no more than `LAG_MAX_MS` behind the
 * venue's, so that it is no older than the venue's own answer may be (`restLagMs`); what the node cannot answer, the venue is asked.
 * Assumes that both tell the same chain.
 */
import { INFO, type InfoRequest } from "../protocol/infoRequests.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { InfoAnswer, InfoOptions, VenueInfo } from "../sync/ports.ts";

/** Less than `restLagMs`, by what the venue's time is uncertain. */
const LAG_MAX_MS = 1_500;
/** A node that was heard of this lately is not asked for its time again: it can have fallen behind by no more. */
const TOLD_MS = 500;
/** One that is behind, or did not answer, is left alone this long. */
const AWAY_MS = 5_000;
/** It stands nearby. */
const ANSWER_MS = 3_000;

const STATES: ReadonlySet<string> = new Set(
  [INFO.clearinghouseState, INFO.spotClearinghouseState, INFO.frontendOpenOrders].map(({ type }) => type),
);

interface NodeInfoDeps {
  venue: VenueInfo;
  node: Pick<VenueInfo, "request">;
  clock: Clock;
  log: Log;
}

export const withNode = (deps: NodeInfoDeps): VenueInfo => new NodeInfo(deps);

class NodeInfo implements VenueInfo {
  readonly #deps: NodeInfoDeps;
  #askedMs = Number.NEGATIVE_INFINITY;
  #isNear: Promise<boolean> = Promise.resolve(false);
  #awayUntilMs = Number.NEGATIVE_INFINITY;
  #isUsed: boolean | null = null;

  constructor(deps: NodeInfoDeps) {
    this.#deps = deps;
  }

  clockOffset() {
    return this.#deps.venue.clockOffset();
  }

  reserve(weight: number): () => void {
    return this.#deps.venue.reserve(weight);
  }

  async request<P, R>(row: InfoRequest<P, R>, params: P, asked: InfoOptions): Promise<InfoAnswer<R>> {
    const { venue, node } = this.#deps;
    if (!STATES.has(row.type) || !(await this.#look())) return venue.request(row, params, asked);
    try {
      const answer = await node.request(row, params, { ...asked, timeoutMs: ANSWER_MS });
      return { ...answer, weight: 0 };
    } catch (error) {
      asked.signal?.throwIfAborted();
      this.#leave("it did not answer", { request: row.type, error });
      return venue.request(row, params, asked);
    }
  }

  /** Whether the node is near the venue's present now. */
  #look(): Promise<boolean> {
    const nowMs = this.#deps.clock.now();
    if (nowMs < this.#awayUntilMs) return Promise.resolve(false);
    if (nowMs - this.#askedMs < TOLD_MS && nowMs >= this.#askedMs) return this.#isNear;
    this.#askedMs = nowMs;
    this.#isNear = this.#ask();
    return this.#isNear;
  }

  async #ask(): Promise<boolean> {
    const { venue, node, clock, log } = this.#deps;
    const offset = venue.clockOffset();
    // Before the venue told its time there is nothing to hold the node against.
    if (offset === null) return false;
    try {
      const { result } = await node.request(
        INFO.exchangeStatus,
        {},
        { priority: "heal", timeoutMs: ANSWER_MS },
      );
      const behindMs = Math.round(clock.now() + offset.offsetMs - result.value.time);
      if (behindMs > LAG_MAX_MS) return this.#leave("it is behind", { behindMs });
    } catch (error) {
      return this.#leave("it did not tell its time", { error });
    }
    if (this.#isUsed !== true) log.info("states come from the node");
    this.#isUsed = true;
    return true;
  }

  #leave(reason: string, detail: object): false {
    const { clock, log } = this.#deps;
    this.#awayUntilMs = clock.now() + AWAY_MS;
    if (this.#isUsed !== false)
      log.warn("states come from the venue, not from the node", { reason, ...detail });
    this.#isUsed = false;
    return false;
  }
}
