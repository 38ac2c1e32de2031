/** Publishing to message brokers, while `run` follows. */
import { createHash } from "node:crypto";
import { ConfigError } from "../errors.ts";
import type { Broker, BrokerKind } from "../outputs/publish/broker.ts";
import { BROKER_SCHEMES, brokerKindOf, formatOf } from "../outputs/publish/brokers.ts";
import { registerPublisher } from "../outputs/publish/cursors.ts";
import { Publisher } from "../outputs/publish/publisher.ts";
import { systemRandom } from "../runtime/random.ts";
import type { Context } from "./command.ts";
import { holderName } from "./names.ts";
import type { StartOutput } from "./outputs.ts";

interface Target {
  kind: BrokerKind;
  url: URL;
  /** The address without user, password and settings: the same place goes on where it was. */
  label: string;
  id: string;
}

function targetOf(text: string): Target {
  const url = URL.canParse(text) ? new URL(text) : null;
  const kind = url && brokerKindOf(url);
  // The value may hold a password.
  if (!url || !kind)
    throw new ConfigError(`--publish: expected a URL that starts with ${BROKER_SCHEMES.join("//, ")}//`);
  // All behind it, perhaps the rest of a password, would be no part of the address.
  if (text.includes("#"))
    throw new ConfigError("--publish: a # in a user or password is written %23, and has no other place");
  kind.check?.(url);
  const label = `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`;
  return { kind, url, label, id: `pub_${createHash("sha256").update(label).digest("hex").slice(0, 8)}` };
}

/** Refuses URLs of no broker that is known. */
export const checkPublish = ({ publish }: Context["options"]): void => publish.forEach(targetOf);

export const publishOutput: StartOutput = async ({ context, following, own }) => {
  const { options, clock, log } = context;
  const publishers: Publisher[] = [];
  for (const { kind, url, label, id } of options.publish.map(targetOf)) {
    // A missing client library is an error at the start; an unreachable broker is only waited for.
    const open = (): Promise<Broker> => kind.open(url, options.network);
    await kind.load();
    await registerPublisher(own, { id, format: formatOf(kind), label }, clock.now());
    publishers.push(
      new Publisher({
        id,
        db: own,
        clock,
        open,
        random: systemRandom,
        holder: holderName(),
        log: log.with({ part: "publishing", to: label }),
        onNews: (listener) =>
          following.feed.subscribe(({ applied }) => {
            if (applied.events.length > 0)
              listener([...new Set(applied.events.map(({ account }) => account ?? ""))]);
          }),
      }).start(),
    );
  }
  if (publishers.length === 0) return null;
  return {
    name: "publishing",
    stop: async () => void (await Promise.all(publishers.map((publisher) => publisher.stop()))),
  };
};
