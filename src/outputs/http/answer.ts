/** A request as a handler sees it, and its answer. Pure: the page of a Supabase project asks handlers without a server. */
import { HlsyncError } from "../../errors.ts";
import { visibleJson } from "../../runtime/safeText.ts";

export interface HttpRequest {
  path: string;
  query: URLSearchParams;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Empty for GET. */
  body: string;
  /** Aborted when the client leaves before the answer. */
  signal: AbortSignal;
}

export interface Reply {
  status: number;
  /** Content type. */
  type: string;
  body: string | Uint8Array;
  headers?: Record<string, string>;
}

/** What a caller asked for that cannot be: 400, or another status, with one line. */
export class RequestError extends HlsyncError {
  readonly code = "REQUEST";
  readonly status: number;
  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

export const json = (body: unknown, status = 200): Reply => ({
  status,
  type: "application/json; charset=utf-8",
  body: visibleJson(body),
});
export const text = (body: string, status = 200): Reply => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${body}\n`,
});
