/**
 * Redis streams: key `hlsync:<network>:<account>`, entries `id`, `type`, `event`.
 *
 * Guarantees: an entry's id in the stream is the event's place in the outbox, which the server takes only in rising order: what
 * is published again is refused by the server itself, and recognised. Streams are trimmed to about `ENTRIES_MAX`
 * (`?maxlen=` in the URL says otherwise).
 */
import { ConfigError } from "../../errors.ts";
import { ANSWER_MS, type Broker, type BrokerKind, loaded, type Message } from "./broker.ts";

const ENTRIES_MAX = 100_000;
/** The server's word for an id that is not above the last one. */
const NOT_ABOVE = /equal or smaller/;

const CLIENT = { schemes: ["redis:", "rediss:"], packages: ["@redis/client@6"] };
const load = () => loaded(import("@redis/client"), CLIENT);

function entriesOf(url: URL): number {
  const text = url.searchParams.get("maxlen") ?? String(ENTRIES_MAX);
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new ConfigError(`--publish: maxlen=${JSON.stringify(text)} is no number of entries`);
  return Number(text);
}

export const redis: BrokerKind = {
  ...CLIENT,
  load,
  check: entriesOf,

  async open(url, network): Promise<Broker> {
    const { createClient } = await load();
    const most = entriesOf(url);
    const at = new URL(url);
    at.search = "";
    const client = createClient({
      url: at.href,
      disableOfflineQueue: true,
      commandOptions: { timeout: ANSWER_MS },
      socket: { connectTimeout: ANSWER_MS, reconnectStrategy: false },
    });
    // The command itself says why it fails.
    client.on("error", () => {});
    await client.connect();
    const keyOf = (account: string) => `hlsync:${network}:${account}`;
    const add = async (message: Message): Promise<void> => {
      const { id, type, body, outboxId } = message;
      const [key, entry] = [keyOf(message.account), { id, type, event: body }];
      const trim = { TRIM: { strategy: "MAXLEN", strategyModifier: "~", threshold: most } } as const;
      const place = `${outboxId}-0`;
      try {
        await client.xAdd(key, place, entry, trim);
      } catch (error) {
        if (!NOT_ABOVE.test(String(error))) throw error;
        const there = (await client.xRange(key, place, place))?.[0];
        if (there?.message.id === id) return;
        // The database went back in time, and counts anew: what is new comes after what is there.
        const recent = (await client.xRevRange(key, "+", "-", { COUNT: RECENT })) ?? [];
        if (!recent.some((one) => one.message.id === id)) await client.xAdd(key, "*", entry, trim);
      }
    };
    return {
      async publish(messages) {
        // One connection, in this order; the answers are waited for together.
        const answers = await Promise.allSettled(messages.map(add));
        for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
      },
      // A repetition is refused anyway.
      newest: async () => null,
      close: async () => client.destroy(),
    };
  },
};

/** Where outbox ids say nothing, a repetition is looked for among so many. */
const RECENT = 1_000;
