/** Alerts, while `run` follows. */
import { ALERT_MAX_AGE_MS, type Channel, openChannel } from "../outputs/alerts/channels.ts";
import { openDeadMan } from "../outputs/alerts/deadMan.ts";
import { sendMail } from "../outputs/alerts/mailSend.ts";
import { ruleSet } from "../outputs/alerts/ruleSet.ts";
import { AlertWatch, type Followed, WATCH_DEFAULTS } from "../outputs/alerts/watch.ts";
import { addEndpoint, enableEndpoint, readEndpoints } from "../outputs/delivery/endpoints.ts";
import type { HttpSend } from "../outputs/delivery/httpSend.ts";
import { createHttpSend } from "../outputs/delivery/httpSend.ts";
import type { Aliases } from "../outputs/eventText.ts";
import { systemClock } from "../runtime/clock.ts";
import type { Queryable } from "../store/database.ts";
import { followDuty } from "../sync/standby.ts";
import type { Context } from "./command.ts";
import { aliasesOf } from "./names.ts";
import type { OutputDeps, StartOutput } from "./outputs.ts";

/** The channels of the configuration. */
export function channelsOf(
  { options, clock }: Pick<Context, "options" | "clock">,
  http: HttpSend,
  aliases: Aliases = aliasesOf(options),
): Channel[] {
  const deps = { http, mail: sendMail, clock, aliases };
  return options.alertTo.map((text) => openChannel(text, deps));
}

/** Refuses rules and channels that are none. */
export function checkAlerts(options: Context["options"]): void {
  ruleSet(options.alert);
  const http = createHttpSend({ clock: systemClock });
  channelsOf({ options, clock: systemClock }, http);
  http.close();
}

/** The bridge delivers to channels as to webhooks, so each has its row. */
export async function registerChannels(
  db: Queryable,
  channels: readonly Channel[],
  nowMs: number,
): Promise<void> {
  for (const { id, kind, label } of channels) {
    await addEndpoint(db, {
      id,
      url: null,
      format: kind,
      events: ["alert.*"],
      accounts: null,
      description: label,
      allowPrivate: true,
      maxAgeMs: ALERT_MAX_AGE_MS,
      sinceMs: nowMs,
    });
  }
  // Starting again means that the user wants another try.
  const disabled = (await readEndpoints(db)).filter(({ state }) => state === "disabled");
  for (const { id } of disabled)
    if (channels.some((channel) => channel.id === id)) await enableEndpoint(db, id);
}

export const alertsOutput: StartOutput = async (deps) => {
  const { context, own, watch: looks } = deps;
  const { options, clock, log } = context;
  const rules = ruleSet(options.alert);
  const http = createHttpSend({ clock });
  const watch = new AlertWatch({
    db: own,
    reads: looks,
    clock,
    log: log.with({ part: "alerts" }),
    holder: deps.following.engine.worker,
    rules,
    followed: () => followedNow(deps),
    clockOffsetMs: () => deps.following.venue.info.clockOffset()?.offsetMs ?? 0,
    channels: channelsOf(context, http, deps.following.aliases),
    ping: options.deadManUrl === null ? null : openDeadMan(options.deadManUrl, http),
    options: WATCH_DEFAULTS,
  }).start();
  return {
    name: watch.name,
    async stop() {
      await watch.stop();
      http.close();
    },
  };
};

/** Accounts that this process follows, and how fresh they are: a silent stream is as old as its last data. */
function followedNow({ following }: OutputDeps): Followed[] {
  const { engine } = following;
  const tokens = engine.tokens();
  return engine.status().accounts.flatMap<Followed>(({ address: account, lane, role }) => {
    const duty = followDuty(account);
    const token = tokens.get(duty);
    if (role !== "active" || token === undefined) return [];
    const lease = { lease: duty, holder: engine.worker, token };
    if (lane === null) return [{ account, lease, lastDataMs: null, streamed: false }];
    const { subscriptions } = lane.stream;
    const stale = subscriptions.filter((subscription) => subscription.stale);
    const times = (stale.length > 0 ? stale : subscriptions).flatMap(({ lastDataMs }) => lastDataMs ?? []);
    const lastDataMs = times.length === 0 ? null : stale.length > 0 ? Math.min(...times) : Math.max(...times);
    return [{ account, lease, lastDataMs, streamed: true }];
  });
}
