/**
 * A world in virtual time: a clock that only moves when told, and sockets and requests that reach a gateway in memory, so
 * that the real client code runs against the model as fast as the machine can. Guarantees: with the same seed and the same
 * client the same things happen at the same virtual times; between two timers every promise that can settle has settled;
 * time stands still while a tracked promise (a database call) is pending. Frames of one connection never overtake each
 * other on the way; only faults reorder them.
 */
import type { Clock } from "../runtime/clock.ts";
import type { HttpAnswer, HttpPost, SocketFactory } from "../runtime/net.ts";
import { seededRandom } from "../runtime/random.ts";
import type { Venue } from "./contract.ts";
import {
  type Connection,
  createGateway,
  type Gateway,
  type GatewayOptions,
  type HttpReply,
} from "./server/gateway.ts";
import type { Wire } from "./server/servedConnection.ts";
import { startVenueTime, type VenueTime } from "./server/venueTime.ts";

interface Timer {
  dueMs: number;
  order: number;
  run: (() => void) | null;
}

/** Lets every promise that can settle without time passing or I/O settle. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  /** Binary heap by due time, then by the order in which timers were set. */
  #heap: Timer[] = [];
  #tracked = new Set<Promise<unknown>>();
  #running = false;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    // Whole milliseconds, as on a real machine.
    const timer: Timer = { dueMs: this.#nowMs + Math.max(0, Math.round(ms)), order: this.#order++, run };
    this.#insert(timer);
    return () => {
      timer.run = null;
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.after(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Holds time until `promise` settles; gives it back. */
  track<T>(promise: Promise<T>): Promise<T> {
    this.#tracked.add(promise);
    const done = () => {
      this.#tracked.delete(promise);
    };
    promise.then(done, done);
    return promise;
  }

  /** Runs every timer due until then, in order, and stands at `toMs` afterwards. */
  async advanceTo(toMs: number): Promise<void> {
    await this.runUntil(() => false, toMs);
  }

  async advanceBy(ms: number): Promise<void> {
    await this.advanceTo(this.#nowMs + ms);
  }

  /** Runs timers until `done` answers true (then true) or all until `limitMs` have run (then false). */
  async runUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    if (this.#running) throw new RangeError("the virtual clock is already being advanced");
    this.#running = true;
    try {
      for (;;) {
        await this.#quiet();
        if (done()) return true;
        const timer = this.#next();
        if (timer === undefined || timer.dueMs > limitMs) break;
        this.#removeFirst();
        this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
        timer.run?.();
      }
      this.#nowMs = Math.max(this.#nowMs, limitMs);
      return false;
    } finally {
      this.#running = false;
    }
  }

  /** Until nothing is pending: what settles may start something that is tracked. */
  async #quiet(): Promise<void> {
    await settle();
    while (this.#tracked.size > 0) {
      await Promise.allSettled(this.#tracked);
      await settle();
    }
  }

  /** The first timer that was not cancelled. */
  #next(): Timer | undefined {
    while (this.#heap[0]?.run === null) this.#removeFirst();
    return this.#heap[0];
  }

  #insert(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

const before = (a: Timer, b: Timer): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

export interface WorldOptions extends Omit<GatewayOptions, "clock"> {
  venue: Venue;
  clock: VirtualClock;
  seed: number | string;
  /** One way, least and most; the default is 5 to 40 ms. */
  latencyMs?: readonly [least: number, most: number];
  /** Time between blocks. */
  blockMs?: number;
  /** Model time per virtual time. */
  speed?: number;
}

export interface World {
  readonly clock: VirtualClock;
  readonly gateway: Gateway;
  readonly time: VenueTime;
  /** URLs for configurations; any host is reached. */
  readonly apiUrl: string;
  readonly wsUrl: string;
  /** The network as a client at this address sees it. */
  network(ip?: string): { connect: SocketFactory; post: HttpPost };
  stop(): void;
}

/** The model's time starts where it stands and runs with the clock. */
export function createWorld(options: WorldOptions): World {
  const { venue, clock, seed, latencyMs = [5, 40], blockMs = 100, speed = 1 } = options;
  const gateway = createGateway(options);
  const time = startVenueTime({ venue, clock, speed, blockMs });
  const random = seededRandom(`${seed}|latency`);
  const latency = () => latencyMs[0] + Math.floor(random.next() * (latencyMs[1] - latencyMs[0] + 1));
  return {
    clock,
    gateway,
    time,
    apiUrl: "http://venue.test",
    wsUrl: "ws://venue.test/ws",
    network: (ip = "10.0.0.1") => ({
      connect: memorySocket(clock, gateway, ip, latency),
      post: memoryPost(clock, gateway, ip, latency),
    }),
    stop() {
      time.stop();
      gateway.stop();
    },
  };
}

/** One direction of a connection: what is sent arrives later, in order. */
function pipe(clock: Clock, latency: () => number): (deliver: () => void) => void {
  let lastMs = 0;
  return (deliver) => {
    lastMs = Math.max(lastMs, clock.now() + latency());
    clock.after(lastMs - clock.now(), deliver);
  };
}

function memorySocket(clock: Clock, gateway: Gateway, ip: string, latency: () => number): SocketFactory {
  return (_url, handlers) => {
    const toServer = pipe(clock, latency);
    const toClient = pipe(clock, latency);
    let state: "opening" | "open" | "closing" | "closed" = "opening";
    let connection: Connection | null = null;
    /** The server froze the connection: nothing arrives any more, in either direction. */
    let frozen = false;

    const end = (code: number, reason: string, error?: Error) => {
      if (state === "closed") return;
      state = "closed";
      if (error !== undefined) handlers.onError(error);
      handlers.onClose(code, reason);
    };
    const serverGone = () => {
      if (!frozen) connection?.closed();
    };
    const wire: Wire = {
      send: (text) =>
        toClient(() => {
          if (state === "open" && !frozen) handlers.onMessage(text);
        }),
      close: (code, reason) => toClient(() => end(code, reason)),
      terminate: () => toClient(() => end(1006, "")),
      freeze() {
        frozen = true;
      },
    };

    toServer(() => {
      if (state !== "opening") return;
      const admission = gateway.admit(ip);
      if (admission.admitted) {
        connection = gateway.connect(ip, wire);
        toClient(() => {
          if (state !== "opening") return;
          state = "open";
          handlers.onOpen();
        });
      } else if (admission.status === 101) {
        toClient(() => {
          state = "open";
          handlers.onOpen();
          end(1008, "Too many connections");
        });
      } else {
        const why = admission.status === 0 ? "connection refused" : `unexpected answer ${admission.status}`;
        toClient(() => end(1006, "", new Error(why)));
      }
    });

    return {
      send(text) {
        if (state !== "open") return;
        toServer(() => {
          if (!frozen) connection?.receive(text);
        });
      },
      close(code = 1000, reason = "") {
        if (state === "closed" || state === "closing") return;
        state = "closing";
        toServer(() => {
          serverGone();
          if (!frozen) toClient(() => end(code, reason));
        });
      },
      terminate() {
        if (state === "closed") return;
        toServer(serverGone);
        clock.after(0, () => end(1006, ""));
      },
    };
  };
}

function memoryPost(clock: Clock, gateway: Gateway, ip: string, latency: () => number): HttpPost {
  return (url, bodyText, signal) =>
    new Promise<HttpAnswer>((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      const done = (settleWith: () => void) => {
        signal?.removeEventListener("abort", onAbort);
        settleWith();
      };
      clock.after(latency(), () => {
        const reply = gateway.http(new URL(url).pathname, bodyText, ip);
        clock.after(latency() + reply.lateMs, () => done(() => arrive(reply, resolve, reject)));
      });
    });
}

function arrive(
  { status, body, breaks }: HttpReply,
  resolve: (a: HttpAnswer) => void,
  reject: (e: Error) => void,
) {
  if (breaks === null) resolve({ status, text: body });
  else reject(new Error(breaks === "before" ? "connection reset" : "the body broke off"));
}
