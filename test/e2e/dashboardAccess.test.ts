/** Who may read the dashboard, with the whole program: other machines need a token, pages of other origins never may. */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { hlsync, type Running, simulate, start } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { PATIENCE_MS } from "../support/until.ts";
import { launch, noBrowser, openPage } from "./dashboardBrowser.ts";

const ACCOUNT = `0x${"ac".repeat(20)}`;
const PATHS = ["/", "/api/overview", "/api/fills", "/api/events", "/healthz", "/metrics", "/main.js"];

describe("who may read", () => {
  let postgres: TestServer;
  let target: TestDatabase;
  let exchange: Running & { apiUrl: string };

  before(async () => {
    postgres = await startServer("real");
    target = await postgres.newDatabase({ migrated: false });
    exchange = await simulate("--account", ACCOUNT, "--fills-per-second", "2", "--weight", "6000");
  });
  after(async () => {
    await exchange?.stop();
    await target?.close();
    await postgres?.stop();
  });

  const args = (...more: string[]) => [
    ...["run", "--account", ACCOUNT, "--api-url", exchange.apiUrl, "--database", target.url],
    ...["--weight", "6000", ...more],
  ];
  /** Status of a GET, with headers that `fetch` would not send. */
  const ask = (url: string, headers: Record<string, string> = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = request(url, { headers }, (answer) => {
        resolve(answer.statusCode!);
        answer.destroy();
      });
      asked.on("error", reject).end();
    });

  it("needs a token on any address but loopback, makes one when none is set, and logs it nowhere", async () => {
    const program = start(args("--listen", "0.0.0.0:0", "--log-level", "debug"));
    const [, port, token] = await program.line(
      (line) => /^dashboard: http:\/\/<this machine>:(\d+)\/\?token=(\S+)/.exec(line) ?? undefined,
    );
    const url = `http://127.0.0.1:${port}`;
    // Until it is live /healthz says 503, to whoever has the token.
    const giveUpMs = performance.now() + PATIENCE_MS;
    while ((await ask(`${url}/healthz`, { authorization: `Bearer ${token}` })) !== 200)
      assert.ok(performance.now() < giveUpMs, "/healthz");
    for (const path of PATHS) {
      assert.equal(await ask(url + path), 401, path);
      assert.equal(await ask(url + path, { authorization: "Bearer wrong" }), 401, path);
      assert.equal(await ask(url + path, { authorization: `Bearer ${token}` }), 200, path);
    }
    assert.equal(await ask(`${url}/livez`), 200, "a probe holds no secret");
    const { stdout, stderr } = await program.stop();
    assert.equal(stdout.split(token!).length, 2, "shown once");
    assert.ok(!stderr.includes(token!), "in no log");
  });

  it("shows a chosen token to nobody, and asks for one where none could be shown", async () => {
    const program = start(args("--listen", "0.0.0.0:0"), { env: { HLSYNC_TOKEN: "chosen-and-secret" } });
    const [, port] = await program.line(
      (line) => /^dashboard: http:\/\/<this machine>:(\d+)\/\?token=<HLSYNC_TOKEN>$/.exec(line) ?? undefined,
    );
    assert.equal(
      await ask(`http://127.0.0.1:${port}/api/overview`, { authorization: "Bearer chosen-and-secret" }),
      200,
    );
    const { stdout, stderr } = await program.stop();
    assert.ok(!stdout.includes("chosen-and-secret") && !stderr.includes("chosen-and-secret"));
    const refused = await hlsync(args("--listen", "0.0.0.0:0", "--json"));
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /^hlsync: --listen 0\.0\.0\.0:0: set HLSYNC_TOKEN, [^\n]*\n$/m);
  });

  it("is closed to other names and other origins, also in a browser on this machine", async (t) => {
    const program = start(args("--listen", "127.0.0.1:0"));
    const url = await program.line((line) => /^dashboard: (http:\S+)$/.exec(line)?.[1]);
    const { port } = new URL(url);
    assert.equal(await ask(`${url}/api/overview`), 200);
    for (const headers of [
      { host: `attacker.example:${port}` },
      { origin: "https://attacker.example" },
      { origin: "http://127.0.0.1:1" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
    ] as Record<string, string>[]) {
      for (const path of PATHS.slice(1))
        assert.equal(await ask(url + path, headers), 403, JSON.stringify(headers));
    }
    if (noBrowser) t.diagnostic(noBrowser);
    else await assertClosedToOtherPages(url);
    await program.stop();
  });
});

/** A page on another port of this machine tries all that a page can: it reads nothing, and frames nothing. */
async function assertClosedToOtherPages(url: string): Promise<void> {
  const site: Server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><html data-ready=true><title>elsewhere</title>");
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  const browser = await launch();
  try {
    const other = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
    const { page, context } = await openPage(browser, other);
    const outcomes = await page.evaluate(async (target) => {
      const read = (init?: RequestInit) =>
        fetch(`${target}/api/overview`, init).then(
          async (answer) => `read ${(await answer.text()).length}`,
          () => "refused",
        );
      const stream = new Promise<string>((resolve) => {
        const source = new EventSource(`${target}/api/events`);
        source.onmessage = () => resolve("read");
        source.addEventListener("hello", () => resolve("read"));
        source.onerror = () => resolve("refused");
      });
      const script = new Promise<string>((resolve) => {
        const node = document.createElement("script");
        Object.assign(node, {
          src: `${target}/main.js`,
          onload: () => resolve("read"),
          onerror: () => resolve("refused"),
        });
        document.head.append(node);
      });
      const frame = new Promise<string>((resolve) => {
        const node = document.createElement("iframe");
        node.src = target;
        node.onload = () => {
          try {
            resolve(node.contentDocument === null ? "refused" : "read");
          } catch {
            resolve("refused");
          }
        };
        document.body.append(node);
      });
      // Not even a fetch without CORS, whose answer nobody could see.
      return [await read(), await read({ mode: "no-cors" }), await stream, await script, await frame];
    }, url);
    assert.deepEqual(outcomes, ["refused", "refused", "refused", "refused", "refused"]);
    await context.close();
  } finally {
    await browser.close();
    await new Promise((resolve) => site.close(resolve));
  }
}
