/** Deliveries to webhooks and alert channels, while `run` follows. */
import { BRIDGE_DEFAULTS, DeliveryBridge } from "../outputs/delivery/bridge.ts";
import { createHttpSend } from "../outputs/delivery/httpSend.ts";
import { ATTEMPT_TIMEOUT_MS } from "../outputs/delivery/httpVerdict.ts";
import { openSink } from "../outputs/delivery/sinks.ts";
import { systemRandom } from "../runtime/random.ts";
import { channelsOf, registerChannels } from "./alertsOutput.ts";
import { holderName } from "./names.ts";
import type { StartOutput } from "./outputs.ts";

export const webhooksOutput: StartOutput = async ({ context, following, own, attempts }) => {
  const { options, clock, log } = context;
  const http = createHttpSend({ clock });
  const { aliases } = following;
  const channels = channelsOf(context, http, aliases);
  await registerChannels(own, channels, clock.now());
  const sinkDeps = { http, clock, aliases, timeoutMs: ATTEMPT_TIMEOUT_MS };
  const bridge = new DeliveryBridge({
    db: own,
    clock,
    random: systemRandom,
    log: log.with({ part: "webhooks" }),
    holder: holderName(),
    onNews: (listener) =>
      following.feed.subscribe(({ applied }) => {
        if (applied.events.length > 0) listener();
      }),
    onAttempt: (attempt) => attempts.publish(attempt),
    sinkOf: (endpoint, secrets) => openSink(sinkDeps, endpoint, secrets),
    delaysMs: options.webhookRetry,
    channels,
    options: BRIDGE_DEFAULTS,
  }).start();
  return {
    name: bridge.name,
    async stop() {
      await bridge.stop();
      http.close();
    },
  };
};
