/**
 * What was committed, fanned out inside the process. Guarantees: a subscriber sees every commit made after it
 * subscribed, in commit order, once; a subscriber that throws is logged and keeps its subscription; nobody is waited for.
 */
import type { Log } from "../runtime/log.ts";
import type { Committed } from "../sync/engine.ts";

export interface Feed {
  publish(committed: Committed): void;
  /** Returns the function that ends the subscription. */
  subscribe(listener: (committed: Committed) => void): () => void;
}

export function createFeed(log: Log): Feed {
  const listeners = new Set<(committed: Committed) => void>();
  return {
    publish(committed) {
      for (const listener of listeners) {
        try {
          listener(committed);
        } catch (error) {
          log.error("an output failed", { error });
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
