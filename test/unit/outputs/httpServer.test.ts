/** The server on a real socket: headers, limits, errors in one line. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { ConfigError, StoreError } from "../../../src/errors.ts";
import { json, RequestError, text } from "../../../src/outputs/http/answer.ts";
import {
  type Handler,
  type HttpServer,
  type ServerOptions,
  serve,
} from "../../../src/outputs/http/server.ts";
import { silentLog } from "../../../src/runtime/log.ts";

const TOKEN = "t0ken";

describe("the server", () => {
  let server: HttpServer;
  const answered: string[] = [];
  let streams = 0;
  const routes = new Map<string, Handler>([
    ["GET /", () => text("page")],
    ["GET /api/echo", ({ query }) => json({ say: query.get("say") })],
    ["POST /api/echo", ({ body }) => json({ bytes: body.length })],
    ["GET /api/long", () => json({ text: "x".repeat(50_000) })],
    [
      "GET /api/stream",
      () => ({
        headers: { "content-type": "text/event-stream" },
        takeOver() {
          streams += 1;
        },
      }),
    ],
    [
      "GET /api/bad",
      () => {
        throw new RequestError("limit: expected a number");
      },
    ],
    [
      "GET /api/away",
      () => {
        throw new StoreError("connection refused by secret-host", { transient: true });
      },
    ],
    [
      "GET /api/bug",
      () => {
        throw new Error("secret detail");
      },
    ],
  ]);
  const options = (rest: Partial<ServerOptions> = {}): ServerOptions => ({
    host: "127.0.0.1",
    port: 0,
    policy: { token: null },
    routes,
    log: silentLog,
    onAnswer: (route, status) => answered.push(`${route} ${status}`),
    ...rest,
  });
  before(async () => {
    server = await serve(options());
  });
  after(() => server.stop());

  it("answers exact routes only, and says what a route takes", async () => {
    const echo = await fetch(`${server.url}/api/echo?say=hi`);
    assert.deepEqual(await echo.json(), { say: "hi" });
    assert.equal((await fetch(`${server.url}/api/echo/`)).status, 404);
    assert.equal((await fetch(`${server.url}/../etc/passwd`)).status, 404);
    const wrong = await fetch(`${server.url}/api/long`, { method: "POST", body: "{}" });
    assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "GET"]);
    const head = await fetch(`${server.url}/api/long`, { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    const ofStream = await fetch(`${server.url}/api/stream`, { method: "HEAD" });
    assert.deepEqual([ofStream.status, await ofStream.text(), streams], [200, "", 0]);
    assert.ok(answered.includes("other 404") && answered.includes("GET /api/echo 200"));
  });

  it("answers any target, and sends no control character raw", async () => {
    const asked = (path: string) =>
      new Promise<[number | undefined, string]>((resolve, reject) => {
        const url = new URL(server.url);
        request({ host: url.hostname, port: url.port, path }, async (answer) => {
          let body = "";
          for await (const part of answer) body += String(part);
          resolve([answer.statusCode, body]);
        })
          .on("error", reject)
          .end();
      });
    for (const [path, status] of [
      ["//", 404],
      ["///", 404],
      ["//[", 404],
      ["//evil.example/api/echo", 404],
      ["/%", 404],
      ["*", 400],
      ["x", 400],
      ["http://", 400],
      [`${server.url}/api/echo?say=hi`, 200],
    ] as const)
      assert.equal((await asked(path))[0], status, path);
    const [, shown] = await asked("/api/echo?say=B%C2%9B31m%E2%80%AE");
    assert.equal(shown, '{"say":"B\\u009b31m\\u202e"}');
  });

  it("lets no other origin in and the page out to nobody", async () => {
    const { headers } = await fetch(`${server.url}/`);
    const policy = headers.get("content-security-policy")!;
    assert.match(policy, /default-src 'none'; script-src 'self';/);
    assert.doesNotMatch(policy, /unsafe|https?:/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(headers.get("access-control-allow-origin"), null);
    assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    const foreign = await fetch(`${server.url}/api/echo`, { headers: { origin: "https://evil.example" } });
    assert.equal(foreign.status, 403);
    const preflight = await fetch(`${server.url}/api/echo`, {
      method: "OPTIONS",
      headers: { origin: "https://evil.example" },
    });
    assert.equal(preflight.status, 403);
    assert.equal(preflight.headers.get("access-control-allow-origin"), null);
  });

  it("is not reached under another name", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request(`${server.url}/api/echo`, { headers: { host: "evil.example" } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on("error", reject)
        .end();
    });
    assert.equal(status, 403);
  });

  it("says what was wrong in one line, and nothing of what is inside", async () => {
    for (const [path, status, error] of [
      ["bad", 400, "limit: expected a number"],
      ["away", 503, "the database does not answer"],
      ["bug", 500, "internal error, see the log"],
    ] as const) {
      const answer = await fetch(`${server.url}/api/${path}`);
      assert.deepEqual([answer.status, await answer.json()], [status, { error }]);
    }
  });

  it("reads bodies up to 64 kB", async () => {
    const post = (bytes: number) =>
      fetch(`${server.url}/api/echo`, { method: "POST", body: "x".repeat(bytes) }).catch(() => null);
    assert.deepEqual(await (await post(60_000))?.json(), { bytes: 60_000 });
    const refused = await post(70_000);
    assert.ok(refused === null || refused.status === 413);
  });

  it("compresses long answers for those who can read it", async () => {
    const long = await fetch(`${server.url}/api/long`);
    assert.equal(long.headers.get("content-encoding"), "gzip");
    assert.equal(((await long.json()) as { text: string }).text.length, 50_000);
    const plain = await fetch(`${server.url}/api/long`, { headers: { "accept-encoding": "identity" } });
    assert.equal(plain.headers.get("content-encoding"), null);
  });

  it("turns a token in the page's address into a cookie that pages of other sites cannot use", async () => {
    const guarded = await serve(options({ policy: { token: TOKEN } }));
    try {
      const asked = await fetch(`${guarded.url}/?token=${TOKEN}`, { redirect: "manual" });
      assert.deepEqual([asked.status, asked.headers.get("location")], [303, "/"]);
      const cookie = asked.headers.get("set-cookie")!;
      assert.match(cookie, /HttpOnly; SameSite=Strict/);
      const headers = { cookie: cookie.split(";")[0]! };
      assert.equal((await fetch(`${guarded.url}/api/echo`, { headers })).status, 200);
      assert.equal((await fetch(`${guarded.url}/api/echo`)).status, 401);
    } finally {
      await guarded.stop();
    }
  });

  it("names the option when the port is taken", async () => {
    const port = Number(new URL(server.url).port);
    await assert.rejects(serve(options({ port })), (error: Error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, new RegExp(`^--listen 127\\.0\\.0\\.1:${port} .*taken`));
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  });
});
