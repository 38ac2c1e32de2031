/**
 * NATS JetStream: subject `hlsync.<network>.<account>.<type>`, message id = id of the event.
 *
 * Guarantees: a stream that catches the subjects is there, made if there is none; what is published again, after a crash on
 * either side, is recognised by its id, or by the outbox id in the header of the account's last message, however long ago.
 */
import { Secret } from "../delivery/secret.ts";
import { ANSWER_MS, type Broker, type BrokerKind, loaded, type Message } from "./broker.ts";

const STREAM = "HLSYNC";
const SUBJECTS = "hlsync.>";
/** The broker remembers ids this long; the last message shows what is older. */
const DUPLICATES_MS = 600_000;
/** The outbox id, for who resumes. */
const OUTBOX_HEADER = "Hlsync-Outbox-Id";
const ID_HEADER = "Nats-Msg-Id";

const CLIENT = {
  schemes: ["nats:", "tls:"],
  packages: ["@nats-io/transport-node@3", "@nats-io/jetstream@3"],
};
const load = () =>
  loaded(Promise.all([import("@nats-io/transport-node"), import("@nats-io/jetstream")]), CLIENT);

export const nats: BrokerKind = {
  ...CLIENT,
  load,

  async open(url, network): Promise<Broker> {
    const [{ connect, headers, nanos }, { jetstream, jetstreamManager }] = await load();
    const [user, pass] = [url.username, url.password].map(decodeURIComponent);
    const login = pass ? { user: user!, pass } : user ? { token: new Secret(user).reveal() } : {};
    const connection = await connect({
      servers: `${url.protocol}//${url.host}`,
      name: "hlsync",
      timeout: ANSWER_MS,
      reconnect: false,
      // A stack for every message costs a third of sending it.
      noAsyncTraces: true,
      ...login,
    });
    try {
      const manager = await jetstreamManager(connection, { timeout: ANSWER_MS });
      const known = await manager.streams.find(SUBJECTS).catch(() => null);
      if (known === null)
        await manager.streams.add({
          name: STREAM,
          subjects: [SUBJECTS],
          duplicate_window: nanos(DUPLICATES_MS),
        });
      const stream = known ?? STREAM;
      const client = jetstream(connection, { timeout: ANSWER_MS });
      const subject = ({ account, type }: Message) => `hlsync.${network}.${account}.${type}`;
      return {
        async publish(messages) {
          // Sent in this order over one connection, and stored so: the acknowledgements are waited for together.
          const answers = await Promise.allSettled(
            messages.map((message) => {
              const told = headers();
              told.set(OUTBOX_HEADER, String(message.outboxId));
              return client.publish(subject(message), message.body, {
                msgID: message.id,
                headers: told,
                expect: { streamName: stream },
              });
            }),
          );
          for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
        },
        async newest(account) {
          const last = { last_by_subj: `hlsync.${network}.${account}.>` };
          const message = await manager.streams.getMessage(stream, last);
          const outboxId = Number(message?.header.get(OUTBOX_HEADER));
          return message && outboxId > 0 ? { id: message.header.get(ID_HEADER), outboxId } : null;
        },
        close: () => connection.close(),
      };
    } catch (error) {
      await connection.close();
      throw error;
    }
  },
};
