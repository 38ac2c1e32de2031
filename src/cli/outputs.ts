/**
 * Everything that hears of committed changes while `run` follows: started after the engine, stopped before it. A part
 * that cannot start ends the program with its one-line error, but a database that was there a moment ago is waited for.
 */
import { StoreError } from "../errors.ts";
import type { DeliveryAttempt } from "../outputs/delivery/bridge.ts";
import { createFeed, type Feed } from "../outputs/feed.ts";
import type { Service } from "../runtime/lifecycle.ts";
import { alertsOutput } from "./alertsOutput.ts";
import type { Context } from "./command.ts";
import type { Following } from "./compose.ts";
import { httpOutput } from "./httpOutput.ts";
import type { OutputDatabases } from "./openDatabase.ts";
import { publishOutput } from "./publishOutput.ts";
import { retentionOutput } from "./retentionOutput.ts";
import { settlingOutput } from "./settlingOutput.ts";
import { webhooksOutput } from "./webhooksOutput.ts";

export interface OutputDeps extends OutputDatabases {
  context: Context;
  following: Following;
  /** Attempts of the webhook bridge, for the metrics. */
  attempts: Feed<DeliveryAttempt>;
}

/** One kind of output; resolves with null when the options ask for none. */
export type StartOutput = (deps: OutputDeps) => Promise<Service | null>;

/** Between two attempts to start a part while the database is away. */
const RETRY_MS = 1_000;

/** In the order of starting. */
const OUTPUTS: readonly StartOutput[] = [
  httpOutput,
  webhooksOutput,
  publishOutput,
  alertsOutput,
  retentionOutput,
  settlingOutput,
];

/** What is started is stopped with the program. */
export async function startOutputs(following: Omit<OutputDeps, "attempts">): Promise<void> {
  const { log, lifecycle } = following.context;
  const deps: OutputDeps = { ...following, attempts: createFeed<DeliveryAttempt>(log) };
  for (const start of OUTPUTS) {
    const service = await started(start, deps);
    if (service) lifecycle.add(service);
  }
}

async function started(start: StartOutput, deps: OutputDeps): Promise<Service | null> {
  const { clock, log, signal } = deps.context;
  for (;;) {
    try {
      return await start(deps);
    } catch (error) {
      if (!(error instanceof StoreError && error.transient)) throw error;
      log.warn("an output waits for the database", { error });
      await clock.sleep(RETRY_MS, signal).catch(() => {});
      if (signal.aborted) return null;
    }
  }
}
