/** Who may read: hosts, origins, tokens. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Asked, isLoopback, judge, type Verdict } from "../../../src/outputs/http/guard.ts";

const TOKEN = "s3cret-token";
const ask = (headers: Asked["headers"], rest: Partial<Asked> = {}): Asked => ({
  method: "GET",
  path: "/api/fills",
  headers: { host: "127.0.0.1:4477", ...headers },
  queryToken: null,
  ...rest,
});
const outcome = (verdict: Verdict): string | number =>
  verdict.type === "refuse" ? verdict.status : verdict.type;
const open = (headers: Asked["headers"], rest?: Partial<Asked>) =>
  outcome(judge(ask(headers, rest), { token: null }));
const closed = (headers: Asked["headers"], rest?: Partial<Asked>) =>
  outcome(judge(ask(headers, rest), { token: TOKEN }));

describe("without a token", () => {
  it("this machine reads under a loopback name", () => {
    for (const host of [
      "127.0.0.1:4477",
      "localhost:4477",
      "LOCALHOST",
      "[::1]:4477",
      "hl.localhost:4477",
      "127.3.2.1",
    ]) {
      assert.equal(open({ host }), "allow", host);
    }
  });

  it("another name for this address is refused: a page may have pointed its own name here", () => {
    for (const host of [
      "evil.example:4477",
      "127.0.0.1.evil.example",
      "10.0.0.5",
      "localhost.evil.example",
      "0.0.0.0",
    ]) {
      assert.equal(open({ host }), 403, host);
    }
    assert.equal(open({ host: undefined }), 400);
  });

  it("a page of another origin is refused, also one on this machine", () => {
    assert.equal(open({ origin: "http://127.0.0.1:4477" }), "allow");
    for (const origin of [
      "https://evil.example",
      "http://127.0.0.1:3000",
      "http://localhost:4477",
      "null",
      "file://",
    ]) {
      assert.equal(open({ origin }), 403, origin);
    }
  });

  it("a request that a page of another site caused is refused; a link to the page itself is not", () => {
    assert.equal(open({ "sec-fetch-site": "same-origin" }), "allow");
    assert.equal(open({ "sec-fetch-site": "none" }), "allow");
    assert.equal(open({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }), 403);
    assert.equal(open({ "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate" }), 403);
    assert.equal(
      open({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, { path: "/" }),
      "allow",
    );
    assert.equal(
      open({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, { path: "/", method: "POST" }),
      403,
    );
  });
});

describe("with a token", () => {
  it("nothing but the probes is read without it, under any name", () => {
    for (const path of ["/", "/api/fills", "/metrics", "/healthz", "/main.js", "/api/events"]) {
      assert.equal(closed({ host: "hl.example.com" }, { path }), 401, path);
    }
    for (const path of ["/livez", "/readyz"]) assert.equal(closed({ host: "10.0.0.5" }, { path }), "allow");
  });

  it("it comes as a header or as the cookie", () => {
    assert.equal(closed({ authorization: `Bearer ${TOKEN}` }), "allow");
    assert.equal(closed({ cookie: `a=b; hlsync_token=${TOKEN}` }), "allow");
    for (const headers of [
      { authorization: "Bearer wrong" },
      { authorization: TOKEN },
      { cookie: `xhlsync_token=${TOKEN}` },
      { cookie: "hlsync_token=" },
    ]) {
      assert.equal(closed(headers), 401, JSON.stringify(headers));
    }
  });

  it("it may come once with the address of the page, to become the cookie", () => {
    assert.equal(closed({}, { path: "/", queryToken: TOKEN }), "login");
    assert.equal(closed({}, { path: "/", queryToken: "wrong" }), 401);
    assert.equal(closed({}, { path: "/api/fills", queryToken: TOKEN }), 401);
  });

  it("a page of another origin is refused even with it", () => {
    assert.equal(closed({ cookie: `hlsync_token=${TOKEN}`, origin: "https://evil.example" }), 403);
  });
});

it("only addresses of this machine count as loopback", () => {
  for (const host of ["127.0.0.1", "127.0.0.53", "::1", "localhost"]) assert.ok(isLoopback(host), host);
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.evil.example", "example.com"])
    assert.ok(!isLoopback(host), host);
});
