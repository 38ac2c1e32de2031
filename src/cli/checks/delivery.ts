/**
 * Would alerts and webhooks arrive? Sends nothing: what the configuration says is read, and what became of former
 * deliveries is asked of the database. `alerts test` and `webhooks test` send.
 */
import { ConfigError } from "../../errors.ts";
import { ruleSet } from "../../outputs/alerts/ruleSet.ts";
import { type Endpoint, readEndpoints } from "../../outputs/delivery/endpoints.ts";
import { createHttpSend } from "../../outputs/delivery/httpSend.ts";
import type { Database } from "../../store/database.ts";
import { channelsOf } from "../alertsOutput.ts";
import { type Context, EXIT } from "../command.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** The alert channels and rules of the configuration. */
export function alertFindings(context: Context): Finding[] {
  const http = createHttpSend({ clock: context.clock });
  try {
    ruleSet(context.options.alert);
    return channelsOf(context, http).map(({ kind, label }) =>
      ok("alerts", `${label}: the settings are complete; hlsync alerts test ${kind} sends one`),
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const why = "`run` would not start with it";
    return [fail("alerts", EXIT.usage, error.message, why, "correct it (docs/alerts.md)")];
  } finally {
    http.close();
  }
}

/** Endpoints and channels whose deliveries fail. */
export async function deliveryFindings(database: Database): Promise<Finding[]> {
  const endpoints = await readEndpoints(database);
  const failing = endpoints.filter(
    ({ state, failingSinceMs }) => state === "disabled" || failingSinceMs !== null,
  );
  if (endpoints.length > 0 && failing.length === 0)
    return [ok("webhooks", `no delivery to ${endpoints.length} endpoints and channels fails`)];
  return failing.map(failingFinding);
}

function failingFinding(endpoint: Endpoint): Finding {
  const { id, url, format, state, disabledReason, failingSinceMs } = endpoint;
  const name = url === null ? `alert channel ${format}` : `webhook ${id}`;
  const test = url === null ? `hlsync alerts test ${format}` : `hlsync webhooks test ${id}`;
  if (state === "enabled") {
    const since = new Date(failingSinceMs!).toISOString();
    return warn(
      "webhooks",
      `${name} has been failing since ${since}`,
      "it is tried again, ever more rarely",
      test,
    );
  }
  const fix =
    url === null
      ? `${test}; a start of \`run\` enables it again`
      : `${test}, then hlsync webhooks enable ${id}`;
  return warn("webhooks", `${name} is disabled: ${disabledReason}`, "nothing is sent to it any more", fix);
}
