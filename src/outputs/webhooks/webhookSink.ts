/**
 * A webhook: an event as an HTTP request in the endpoint's format, signed with all of its valid secrets, whatever the
 * format.
 */
import { attemptHttp } from "../delivery/httpVerdict.ts";
import type { SinkKind } from "../delivery/sink.ts";
import { BODIES, chatOf, FORMATS, type Format } from "./payload.ts";
import { signedHeaders } from "./signature.ts";

export const webhook: SinkKind = {
  schemes: ["https:", "http:"],
  formats: FORMATS,

  formatOf: (url) => chatOf(url) ?? "standard",
  isChat: (format) => format === "discord" || format === "slack",

  refusal: ({ protocol }, allowPrivate) =>
    protocol === "http:" && !allowPrivate
      ? "plain http lets anybody on the way read along: use https, or --allow-private"
      : null,

  open({ http, clock, aliases, timeoutMs }, { url, allowPrivate, format }, secrets) {
    const render = BODIES[format as Format];
    return {
      deliver(event, id, signal) {
        const { contentType, text } = render(event, id, aliases);
        const headers = { "content-type": contentType, ...signedHeaders(id, text, clock.now(), secrets) };
        const request = { url, headers, body: text, allowPrivate, timeoutMs };
        return attemptHttp(http, clock, request, signal);
      },
    };
  },
};
