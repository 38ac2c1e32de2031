/**
 * Every long-lived part is a `Service`: it starts, and it stops in order. Guarantees: `stopAll` stops in the
 * reverse of the order of start, gives each part at most `timeoutMs`, and never throws for a part that fails to stop.
 */
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";

export interface Service {
  readonly name: string;
  stop(): Promise<void>;
}

export class Lifecycle {
  readonly #clock: Clock;
  readonly #log: Log;
  #started: Service[] = [];

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  add<T extends Service>(service: T): T {
    this.#started.push(service);
    return service;
  }

  async stopAll(timeoutMs: number): Promise<void> {
    for (const service of this.#started.splice(0).reverse()) {
      const giveUp = new AbortController();
      const late = this.#clock.sleep(timeoutMs, giveUp.signal).then(
        () => "late" as const,
        () => "cancelled" as const,
      );
      const outcome = await Promise.race([
        service.stop().then(
          () => "stopped" as const,
          (error: unknown) => {
            this.#log.error("part failed to stop", { part: service.name, error });
            return "failed" as const;
          },
        ),
        late,
      ]);
      giveUp.abort();
      if (outcome === "late") this.#log.warn("part did not stop in time", { part: service.name, timeoutMs });
    }
  }
}
