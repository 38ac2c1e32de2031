/** The dashboard, the API, metrics and health as an output of `run`. */
import type { Options } from "../config.ts";
import { ruleSet } from "../outputs/alerts/ruleSet.ts";
import { startHttp } from "../outputs/http/start.ts";
import { programVersion } from "../runtime/version.ts";
import type { StartOutput } from "./outputs.ts";

export const httpOutput: StartOutput = ({ context, following, own, watch, reads, attempts }) => {
  const { options, clock, log, print } = context;
  const { engine, feed, venue } = following;
  return startHttp({
    listen: options.listen,
    token: options.token,
    version: programVersion(),
    engine,
    feed,
    attempts,
    limiter: venue.limiter,
    info: venue.info,
    own,
    watch,
    reads,
    alerting: alertingOf(options),
    clock,
    log,
    // With --json stdout is NDJSON only.
    tell: options.json ? null : print,
  });
};

function alertingOf({ alert, alertTo }: Options): { rules: number; channels: number } {
  const { rules, prices } = ruleSet(alert);
  const on = [...rules.values()].filter(({ loudness }) => loudness !== "off").length;
  return { rules: on + prices.length, channels: alertTo.length };
}
