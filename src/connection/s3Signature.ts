/**
 * Signature Version 4 of a GET to S3, in the header. Pure. Guarantees: the secret leaves in no other form than the signature.
 * All headers that are given are signed.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
import { createHash, createHmac } from "node:crypto";

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | null;
}

interface S3Get {
  host: string;
  /** Each segment as it is, not encoded. */
  path: string;
  query: Readonly<Record<string, string>>;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
}

const EMPTY_BODY = createHash("sha256").update("").digest("hex");
const ALGORITHM = "AWS4-HMAC-SHA256";

/** As RFC 3986 has it, which is stricter than `encodeURIComponent`. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

export const encodedPath = (path: string): string => path.split("/").map(encoded).join("/");

export const encodedQuery = (query: S3Get["query"]): string =>
  Object.entries(query)
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");

const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** The headers of the request, `authorization` among them; `host` is signed too, and set by the sender. */
export function signedHeaders(
  { host, path, query, headers }: S3Get,
  { accessKeyId, secretAccessKey, sessionToken }: S3Credentials,
  region: string,
  nowMs: number,
): Record<string, string> {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
  const day = stamp.slice(0, 8);
  const own: Record<string, string> = {
    ...headers,
    "x-amz-content-sha256": EMPTY_BODY,
    "x-amz-date": stamp,
    ...(sessionToken === null ? {} : { "x-amz-security-token": sessionToken }),
  };
  const all = Object.entries({ ...own, host }).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = all.map(([name]) => name).join(";");
  const canonical = [
    "GET",
    encodedPath(path),
    encodedQuery(query),
    ...all.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}`),
    "",
    names,
    EMPTY_BODY,
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  const key = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  const signature = hmac(key, [ALGORITHM, stamp, scope, digest].join("\n")).toString("hex");
  const authorization = `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...own, authorization };
}
