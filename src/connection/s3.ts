/**
 * Reading a bucket of S3 (or of what speaks like it) that the reader pays for. Guarantees: what passes by itself (5xx, 429, a cut
 * transfer) is asked for again, a bounded number of times, a transfer from where it was cut and of the same object only; a
 * refusal is one line that says what to do; credentials stand in no message. Credentials and region come from the usual
 * environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL_S3`.
 */
import { ConfigError, TransportError } from "../errors.ts";
import { fullJitterMs, REQUEST_BACKOFF } from "../runtime/backoff.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { encodedPath, encodedQuery, type S3Credentials, signedHeaders } from "./s3Signature.ts";

interface S3Object {
  key: string;
  size: number;
  /** Changes with the content. */
  etag: string;
}

interface S3Deps {
  /** `fetch`. */
  send: typeof globalThis.fetch;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  random: Random;
  signal: AbortSignal;
}

const ATTEMPTS = 6;
/** An answer that says nothing for so long, while it is waited for, is given up. */
const SILENCE_MS = 60_000;
/** The venue's buckets. */
const REGIONS: Readonly<Record<string, string>> = { "hl-mainnet-node-data": "ap-northeast-1" };
/** Of an error's text that is looked at. */
const ERROR_TEXT_MAX = 4_096;

/** `s3://bucket/prefix`; null for what is none. */
export function s3Place(text: string): { bucket: string; prefix: string } | null {
  const [, bucket, prefix = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]+)(?:\/(.*))?$/.exec(text) ?? [];
  return bucket === undefined ? null : { bucket, prefix };
}

export class S3Bucket {
  readonly #bucket: string;
  readonly #deps: S3Deps;
  readonly #credentials: S3Credentials;
  #region: string;

  /** Throws `ConfigError` without credentials. */
  constructor(bucket: string, deps: S3Deps) {
    const { env } = deps;
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
    if (!accessKeyId || !secretAccessKey)
      throw new ConfigError(
        `s3://${bucket} is paid for by its reader: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
      );
    this.#bucket = bucket;
    this.#deps = deps;
    this.#credentials = { accessKeyId, secretAccessKey, sessionToken: env.AWS_SESSION_TOKEN || null };
    this.#region = REGIONS[bucket] ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || "us-east-1");
  }

  /** Every object whose key begins with `prefix`. */
  async list(prefix: string): Promise<S3Object[]> {
    const objects: S3Object[] = [];
    for (let token: string | null = null; ; ) {
      const query: Record<string, string> = {
        "list-type": "2",
        prefix,
        ...(token === null ? {} : { "continuation-token": token }),
      };
      const text = await this.#patiently(async () => {
        const { response, silence } = await this.#get("", query, {});
        return silence.during(response.text());
      });
      for (const [, entry = ""] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs))
        objects.push({ key: tag(entry, "Key"), size: Number(tag(entry, "Size")), etag: tag(entry, "ETag") });
      token = tag(text, "IsTruncated") === "true" ? tag(text, "NextContinuationToken") : null;
      if (!token) return objects;
    }
  }

  /** The content of an object as it was listed. */
  async *read({ key, etag, size }: S3Object): AsyncGenerator<Buffer> {
    let at = 0;
    for (let failures = 0; at < size; ) {
      const before = at;
      try {
        const headers = { ...(at > 0 ? { range: `bytes=${at}-` } : {}), "if-match": etag };
        const { response, silence } = await this.#get(key, {}, headers);
        // One that knows no ranges begins anew.
        let passOver = response.status === 206 ? 0 : at;
        for await (const part of silence.between(response.body)) {
          const fresh = part.subarray(Math.min(passOver, part.length));
          passOver -= part.length - fresh.length;
          at += fresh.length;
          if (fresh.length > 0) yield Buffer.from(fresh.buffer, fresh.byteOffset, fresh.length);
        }
        if (at < size)
          throw new TransportError(`s3://${this.#bucket}/${key} ended after ${at} of ${size} bytes`);
      } catch (error) {
        failures = at > before ? 1 : failures + 1;
        await this.#pause(error, failures);
      }
    }
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await work();
      } catch (error) {
        await this.#pause(error, failures);
      }
    }
  }

  /** Waits before the next try; throws what does not pass, or did not. */
  async #pause(error: unknown, failures: number): Promise<void> {
    const { clock, random, signal } = this.#deps;
    signal.throwIfAborted();
    if (error instanceof ConfigError) throw error;
    if (failures >= ATTEMPTS)
      throw error instanceof TransportError
        ? error
        : new TransportError(`s3://${this.#bucket} does not answer: ${(error as Error).message}`, {
            cause: error,
          });
    await clock.sleep(fullJitterMs(random, failures - 1, REQUEST_BACKOFF), signal);
  }

  /** One answer of 200 or 206; a bucket of another region is asked there. */
  async #get(
    key: string,
    query: Record<string, string>,
    headers: Record<string, string>,
    isMoved = false,
  ): Promise<{ response: Response; silence: Silence }> {
    const { env, clock, signal } = this.#deps;
    const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || "";
    const base = new URL(endpoint || `https://${this.#bucket}.s3.${this.#region}.amazonaws.com`);
    // Another endpoint than Amazon's has the bucket in the path.
    const path = `${endpoint ? `/${this.#bucket}` : ""}/${key}`;
    const request = {
      host: base.host,
      path,
      query,
      headers: { ...headers, "x-amz-request-payer": "requester" },
    };
    const search = encodedQuery(query);
    const silence = new Silence(clock);
    const response = await silence.during(
      this.#deps.send(`${base.origin}${encodedPath(path)}${search === "" ? "" : `?${search}`}`, {
        headers: signedHeaders(request, this.#credentials, this.#region, clock.now()),
        redirect: "manual",
        signal: AbortSignal.any([signal, silence.broken]),
      }),
    );
    if (response.status === 200 || response.status === 206) return { response, silence };
    const region = response.headers.get("x-amz-bucket-region");
    const text = (await silence.during(response.text())).slice(0, ERROR_TEXT_MAX);
    if (region !== null && region !== this.#region && !isMoved) {
      this.#region = region;
      return this.#get(key, query, headers, true);
    }
    throw this.#refusal(response.status, tag(text, "Code"), key);
  }

  #refusal(status: number, code: string, key: string): Error {
    const what = `s3://${this.#bucket}/${key} answers ${status}${code === "" ? "" : ` ${code}`}`;
    if (status === 429 || status >= 500) return new TransportError(what, { status });
    const remedy: Record<number, string> = {
      403: "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the clock; the key must be allowed s3:GetObject and s3:ListBucket",
      404: "there is no such bucket or object",
      412: "the object changed while it was read: import again",
    };
    const moved = "it lies in another region or at another endpoint: set AWS_REGION or AWS_ENDPOINT_URL_S3";
    return new ConfigError(
      `${what}: ${status >= 300 && status < 400 ? moved : (remedy[status] ?? "refused")}`,
    );
  }
}

/** Ends a request of which nothing is heard for too long while it is waited for: not while its reader is busy. */
class Silence {
  readonly #clock: Clock;
  readonly #tooLong = new AbortController();
  readonly broken = this.#tooLong.signal;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async during<T>(wait: Promise<T>): Promise<T> {
    const cancel = this.#clock.after(SILENCE_MS, () =>
      this.#tooLong.abort(new TransportError(`nothing was heard for ${SILENCE_MS / 1_000} s`)),
    );
    try {
      return await wait;
    } finally {
      cancel();
    }
  }

  /** The content piece by piece. */
  async *between(body: Response["body"]): AsyncGenerator<Uint8Array> {
    if (body === null) return;
    const reader = body.getReader();
    try {
      for (;;) {
        const next = await this.during(reader.read());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // What is not read to its end is not downloaded either.
      await reader.cancel().catch(() => {});
    }
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Text of the first tag of this name; empty without one. */
function tag(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? "";
  return text.replace(/&(?:(\w+)|#(\d+));/g, (all, word: string | undefined, code: string | undefined) =>
    code === undefined ? (ENTITIES[word!] ?? all) : String.fromCodePoint(Number(code)),
  );
}
