/** The dashboard, the API, metrics and health as an output of `run`. */
import { ruleSet } from "../outputs/alerts/ruleSet.ts";
import { createHttpSend } from "../outputs/delivery/httpSend.ts";
import { startHttp } from "../outputs/http/start.ts";
import { programVersion } from "../runtime/version.ts";
import { channelsOf } from "./alertsOutput.ts";
import type { StartOutput } from "./outputs.ts";

export const httpOutput: StartOutput = async ({ context, following, own, watch, reads, attempts }) => {
  const { options, clock, log, print } = context;
  const { engine, feed, venue, aliases } = following;
  // For tests that the page asks for; alerts and deliveries have their own.
  const http = createHttpSend({ clock });
  const service = await startHttp({
    listen: options.listen,
    token: options.token,
    version: programVersion(),
    simulated: context.simulated ?? false,
    engine,
    feed,
    attempts,
    limiter: venue.limiter,
    info: venue.info,
    own,
    watch,
    reads,
    alarms: { rules: ruleSet(options.alert), channels: channelsOf(context, http, aliases), http },
    clock,
    log,
    // With --json stdout is NDJSON only.
    tell: options.json ? null : print,
  });
  return {
    name: service.name,
    async stop() {
      await service.stop();
      http.close();
    },
  };
};
