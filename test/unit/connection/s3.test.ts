/** S3: signatures against published ones and another signer; listing and reading against a server that fails like the real one. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { S3Bucket, s3Place } from "../../../src/connection/s3.ts";
import { encodedPath, encodedQuery, signedHeaders } from "../../../src/connection/s3Signature.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { seededRandom } from "../../../src/runtime/random.ts";

const aws4 = createRequire(import.meta.url)("aws4") as {
  sign(request: object, keys: object): { headers: Record<string, string> };
};

const KEYS = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  sessionToken: null,
};
const signatureOf = ({ authorization, Authorization = authorization }: Record<string, string>) =>
  /Signature=(\w+)$/.exec(Authorization!)?.[1];

describe("signatures of S3", () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
  const host = "examplebucket.s3.amazonaws.com";
  const atMs = Date.UTC(2013, 4, 24);
  const published = [
    [
      { path: "/test.txt", query: {}, headers: { range: "bytes=0-9" } },
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ],
    [
      { path: "/", query: { lifecycle: "" }, headers: {} },
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ],
    [
      { path: "/", query: { "max-keys": "2", prefix: "J" }, headers: {} },
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ],
  ] as const;
  for (const [request, signature] of published)
    it(`as published: ${request.path} ${JSON.stringify(request.query)}`, () => {
      assert.equal(signatureOf(signedHeaders({ host, ...request }, KEYS, "us-east-1", atMs)), signature);
    });

  it("as aws4 makes them, whatever the key, the prefix and the headers hold", () => {
    for (const [path, query, extra] of [
      ["/node_fills_by_block/hourly/20260401/7.lz4", {}, {}],
      ["/a b/(c)/~d/é*'!.lz4", {}, { "x-amz-request-payer": "requester" }],
      [
        "/",
        { "list-type": "2", prefix: "node fills/+&=ü", "continuation-token": "1/x==" },
        { "if-match": '"etag"' },
      ],
    ] as [string, Record<string, string>, Record<string, string>][]) {
      for (const sessionToken of [null, "FwoGZXIvYXdzEXAMPLE=="]) {
        const ours = signedHeaders(
          { host, path, query, headers: extra },
          { ...KEYS, sessionToken },
          "ap-northeast-1",
          atMs,
        );
        const search = encodedQuery(query);
        const { authorization, "x-amz-security-token": _, ...given } = ours;
        const theirs = aws4.sign(
          {
            service: "s3",
            region: "ap-northeast-1",
            host,
            method: "GET",
            path: encodedPath(path) + (search && `?${search}`),
            headers: { ...given, host },
          },
          { ...KEYS, ...(sessionToken ? { sessionToken } : {}) },
        );
        assert.equal(signatureOf(ours), signatureOf(theirs.headers), path);
        assert.ok(authorization);
      }
    }
  });
});

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i * 31));
const ETAG = '"5d41402abc4b2a76b9719d911017c592"';
type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => boolean;

describe("a bucket", () => {
  /** What goes wrong before the right answer. */
  const faults: Answer[] = [];
  const asked: { path: string; headers: IncomingMessage["headers"] }[] = [];
  const keys = ["a/0.lz4", "a/1.lz4", "a/2 &<x>.lz4", "a/3.lz4", "a/4.lz4"];
  const server = createServer((request, response) => {
    const url = new URL(request.url!, "http://s3");
    asked.push({ path: request.url!, headers: request.headers });
    if (faults.shift()?.(request, response, url)) return;
    if (url.searchParams.has("list-type")) {
      const from = Number(url.searchParams.get("continuation-token") ?? 0);
      const xml = (text: string) =>
        text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
      const some = keys
        .filter((key) => key.startsWith(url.searchParams.get("prefix")!))
        .slice(from, from + 2);
      const contents = some.map(
        (key) =>
          `<Contents><Key>${xml(key)}</Key><Size>${CONTENT.length}</Size><ETag>${ETAG.replaceAll('"', "&quot;")}</ETag></Contents>`,
      );
      const more = from + 2 < keys.length;
      response.end(
        `<ListBucketResult>${contents.join("\n")}<IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : ""}</ListBucketResult>`,
      );
      return;
    }
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    response.writeHead(range ? 206 : 200);
    response.end(CONTENT.subarray(Number(range?.[1] ?? 0)));
  });
  let bucket: S3Bucket;
  before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  after(() => server.close());
  const env = () => ({
    AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
  /** What is called when nothing was heard for too long. */
  const waits = new Set<() => void>();
  const afterSilence = (_ms: number, run: () => void) => {
    waits.add(run);
    return () => void waits.delete(run);
  };
  const open = (given: Record<string, string> = env()) =>
    new S3Bucket("hl-mainnet-node-data", {
      send: globalThis.fetch,
      env: given,
      random: seededRandom(1),
      signal: new AbortController().signal,
      clock: { ...systemClock, sleep: async () => {}, after: afterSilence },
    });
  beforeEach(() => {
    faults.length = 0;
    asked.length = 0;
    bucket = open();
  });
  const read = async () => {
    const parts: Buffer[] = [];
    for await (const part of bucket.read({ key: keys[0]!, size: CONTENT.length, etag: ETAG }))
      parts.push(part);
    return Buffer.concat(parts);
  };
  const status =
    (code: number, name = "", headers: Record<string, string> = {}): Answer =>
    (_, response) => {
      response.writeHead(code, headers).end(name && `<Error><Code>${name}</Code></Error>`);
      return true;
    };
  const cutAfter =
    (bytes: number): Answer =>
    (request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
      response.writeHead(request.headers.range ? 206 : 200, { "content-length": CONTENT.length - from });
      response.write(CONTENT.subarray(from, from + bytes), () => response.destroy());
      return true;
    };

  it("is listed to its end, page by page, and every question is signed and paid for by the reader", async () => {
    faults.push(status(503, "SlowDown"));
    assert.deepEqual(
      await bucket.list("a/"),
      keys.map((key) => ({ key, size: CONTENT.length, etag: ETAG })),
    );
    assert.equal(asked.length, 4);
    for (const { headers } of asked) {
      assert.equal(headers["x-amz-request-payer"], "requester");
      assert.match(
        headers.authorization!,
        /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/\d{8}\/ap-northeast-1\/s3/,
      );
    }
  });

  it("gives an object whole, from where a transfer was cut", async () => {
    faults.push(cutAfter(70_000), status(503, "SlowDown"), status(500), cutAfter(1_000));
    assert.ok((await read()).equals(CONTENT));
    const ranges = asked.map(({ headers }) => headers.range);
    assert.equal(ranges[0], undefined);
    assert.ok(
      ranges.slice(1).every((range) => /^bytes=\d+-$/.test(range ?? "")),
      String(ranges),
    );
    assert.ok(asked.every(({ headers }) => headers["if-match"] === ETAG));
  });

  it("gives up a transfer of which nothing is heard, and not while its reader is busy", async () => {
    const hangs: Answer = (_, response) => {
      response.writeHead(200, { "content-length": CONTENT.length });
      response.write(CONTENT.subarray(0, 70_000));
      const beat = setInterval(() => {
        for (const run of [...waits]) run();
      }, 20);
      response.on("close", () => clearInterval(beat));
      return true;
    };
    faults.push(hangs);
    const parts: Buffer[] = [];
    for await (const part of bucket.read({ key: keys[0]!, size: CONTENT.length, etag: ETAG })) {
      parts.push(part);
      assert.equal(waits.size, 0);
    }
    assert.ok(Buffer.concat(parts).equals(CONTENT));
    assert.deepEqual(
      asked.map(({ headers }) => headers.range),
      [undefined, "bytes=70000-"],
    );
  });

  it("also from one that knows no ranges", async () => {
    const whole: Answer = (_, response) => {
      response.end(CONTENT);
      return true;
    };
    faults.push(cutAfter(70_000), whole);
    assert.ok((await read()).equals(CONTENT));
  });

  it("is asked in its own region", async () => {
    faults.push(status(301, "PermanentRedirect", { "x-amz-bucket-region": "eu-west-1" }));
    assert.ok((await read()).equals(CONTENT));
    assert.match(asked[1]!.headers.authorization!, /\/eu-west-1\/s3/);
  });

  it("refuses in one line that says what to do, and holds no secret", async () => {
    for (const [answer, words] of [
      [status(403, "AccessDenied"), /answers 403 AccessDenied: check AWS_ACCESS_KEY_ID/],
      [status(404, "NoSuchKey"), /404 NoSuchKey: there is no such/],
      [status(412, "PreconditionFailed"), /changed while it was read/],
      [status(307, "TemporaryRedirect"), /another region or at another endpoint/],
    ] as const) {
      faults.push(answer);
      await assert.rejects(read(), (error: Error) => {
        assert.match(error.message, words);
        assert.ok(!error.message.includes("\n") && !error.message.includes(KEYS.secretAccessKey));
        return true;
      });
    }
    assert.throws(() => open({}), /set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/);
  });

  it("is given up when it does not come back", async () => {
    for (let i = 0; i < 20; i++) faults.push(status(503, "SlowDown"));
    await assert.rejects(read(), /answers 503 SlowDown/);
    assert.equal(asked.length, 6);
  });

  it("is named by a URL", () => {
    assert.deepEqual(s3Place("s3://hl-mainnet-node-data/node_fills_by_block/hourly/2026"), {
      bucket: "hl-mainnet-node-data",
      prefix: "node_fills_by_block/hourly/2026",
    });
    assert.deepEqual(s3Place("s3://bucket"), { bucket: "bucket", prefix: "" });
    for (const other of ["./s3", "s3:/bucket", "https://bucket", "s3://"]) assert.equal(s3Place(other), null);
  });
});
