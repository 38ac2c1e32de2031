/**
 * The kinds of sinks that an endpoint can have, by the scheme of its URL. A new kind is one file and one line here.
 */
import { webhook } from "../webhooks/webhookSink.ts";
import type { Secret } from "./secret.ts";
import type { AddedEndpoint, Sink, SinkDeps, SinkKind } from "./sink.ts";

const KINDS: readonly SinkKind[] = [webhook];

/** Null for a scheme that none has. */
export const sinkKindOf = (url: URL): SinkKind | null =>
  KINDS.find(({ schemes }) => schemes.includes(url.protocol)) ?? null;

/** Null for an endpoint that this version cannot serve: another one added it. */
export function openSink(deps: SinkDeps, endpoint: AddedEndpoint, secrets: readonly Secret[]): Sink | null {
  const kind = sinkKindOf(new URL(endpoint.url.reveal()));
  return kind?.formats.includes(endpoint.format) ? kind.open(deps, endpoint, secrets) : null;
}
