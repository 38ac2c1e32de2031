/**
 * What happened (a commit, an attempt to deliver), fanned out inside the process. Guarantees: a subscriber sees
 * everything published after it subscribed, in that order, once; a subscriber that throws is logged and keeps its
 * subscription; publishing waits for no subscriber.
 */
import type { Log } from "../runtime/log.ts";
import type { Committed } from "../sync/engine.ts";

export interface Feed<News = Committed> {
  publish(news: News): void;
  /** Returns the function that ends the subscription. */
  subscribe(listener: (news: News) => void): () => void;
}

export function createFeed<News = Committed>(log: Log): Feed<News> {
  const listeners = new Set<(news: News) => void>();
  return {
    publish(news) {
      for (const listener of listeners) {
        try {
          listener(news);
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
