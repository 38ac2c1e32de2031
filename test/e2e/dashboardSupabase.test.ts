/**
 * The dashboard of a Supabase project in a real browser: a folder of files that `hlsync page` wrote, a real PostgreSQL with the
 * project's roles, and no server of hlsync. PostgREST, sign-in and Realtime are stand-ins (test/support/supabaseProject.ts).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { DatabaseStore } from "../../src/store/store.ts";
import { hlsync } from "../support/cli.ts";
import { type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { MEMBER, makeProject, STRANGER, startProjectServer } from "../support/supabase.ts";
import { type Project, startProject } from "../support/supabaseProject.ts";
import { eventually } from "../support/until.ts";
import { ACCOUNT, type MadeAccount, makeAccount } from "./dashboardAccount.ts";
import { launch, noBrowser, tile } from "./dashboardBrowser.ts";

const HIS = `0x${"77".repeat(20)}`;
const USERS = [
  { id: MEMBER, email: "member@example.com", password: "hers" },
  { id: STRANGER, email: "other@example.com", password: "his" },
];
const KEY = "sb_publishable_test";
const TYPES: Record<string, string> = {
  html: "text/html",
  css: "text/css",
  js: "text/javascript",
  svg: "image/svg+xml",
};

/** Any host of files. */
async function serveFolder(folder: string): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const name = request.url === "/" ? "index.html" : request.url!.slice(1);
    const type = TYPES[name.split(".").at(-1)!] ?? "application/json";
    response.writeHead(200, { "content-type": type }).end(readFileSync(join(folder, name)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, server };
}

describe("the dashboard of a Supabase project", { skip: noBrowser }, () => {
  const folder = temporaryFolder();
  let postgres: TestServer;
  let db: TestDatabase;
  let store: DatabaseStore;
  let made: MadeAccount;
  let project: Project;
  let host: { url: string; server: Server };
  let browser: Browser;
  before(async () => {
    postgres = await startProjectServer();
    db = await postgres.newDatabase({ maxConnections: 4 });
    await makeProject(db.database, "old");
    store = db.store;
    const nowMs = Date.now();
    made = await makeAccount(store, { fills: 120, nowMs, seed: 5, spacingMs: 7_200_000 });
    await makeAccount(store, {
      fills: 60,
      nowMs,
      seed: 6,
      spacingMs: 14_400_000,
      account: HIS,
      alias: "his",
    });
    await db.database.query("select hl_internal.set_access('members')");
    await db.database.query("insert into hl_members values ($1, $2)", [MEMBER, ACCOUNT]);
    project = await startProject(db.database, USERS);
    const written = await hlsync(["page", folder.path, project.url, KEY]);
    assert.equal(written.code, 0, written.stderr);
    host = await serveFolder(folder.path);
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    host?.server.closeAllConnections();
    host?.server.close();
    await project?.close();
    await postgres?.stop();
    folder.remove();
  });

  const complaints: string[] = [];
  const asked = new Set<string>();
  async function open(hash = ""): Promise<Page> {
    const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
    page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(`${message.text()} ${message.location().url}`);
    });
    page.on("request", (request) => asked.add(new URL(request.url()).origin));
    await page.goto(`${host.url}/${hash}`);
    return page;
  }
  async function signIn(page: Page, { email, password }: { email: string; password: string }): Promise<void> {
    await page.fill("[name=email]", email);
    await page.fill("[name=password]", password);
    await page.click("[type=submit]");
  }

  it("asks for a sign-in, and says when it is wrong", async () => {
    const page = await open();
    await signIn(page, { email: "member@example.com", password: "wrong" });
    await page.getByText("Invalid login credentials").waitFor();
    assert.equal(await page.locator(".tile").count(), 0);
    complaints.length = 0;
    await page.context().close();
  });

  it("shows a member the figures of SQL, of the own account alone", async () => {
    const page = await open("#overview");
    await signIn(page, USERS[0]!);
    await page.waitForSelector('[data-ready="true"]');
    const [row] = await db.database.query<{ equity: string }>(
      "select round(account_value, 2) as equity from hl_account_now where account_address = $1",
      [ACCOUNT],
    );
    assert.equal(await tile(page, "equity"), row!.equity);
    assert.match(await page.locator(".account").innerText(), /^main · 0x5a5a/);
    assert.doesNotMatch(await page.content(), /0x7777|>his/);
    for (const view of [
      "statistics",
      "positions",
      "orders",
      "orderHistory",
      "funding",
      "ledger",
      "balances",
      "alerts",
      "sync",
    ]) {
      await page.goto(`${host.url}/#${view}`);
      await page.waitForSelector(`.view-${view}`);
      await eventually(
        view,
        () => page.locator("main .empty").allInnerTexts(),
        (texts) => !texts.some((text) => /Reading/.test(text)),
      );
    }
    assert.equal(await page.locator(".tabs a", { hasText: "Webhooks" }).count(), 0);
    assert.deepEqual(complaints, []);
    assert.deepEqual([...asked].sort(), [host.url, project.url].sort());
    await page.context().close();
  });

  it("shows a new fill at once by Realtime, and in time without it", async () => {
    const before = project.taken;
    const live = await open("#fills");
    await signIn(live, USERS[0]!);
    await live.waitForSelector("tbody tr");
    // A page whose channel is taken does not poll: what it shows then came by Realtime.
    await eventually(
      "the channel",
      () => project.taken,
      (taken) => taken > before,
    );
    project.realtime = false;
    const polling = await open("#fills");
    await signIn(polling, USERS[0]!);
    await polling.waitForSelector("tbody tr");
    complaints.length = 0;
    const fill = { ...made.nextFill(Date.now()), price: "4321.0", source: "stream" as const };
    await store.apply({ fills: [fill] });
    project.changed("hl_fills");
    for (const page of [live, polling])
      await eventually(
        "the fill",
        () => page.locator("tbody tr").first().innerText(),
        (text) => text.includes("4,321"),
      );
    await live.context().close();
    await polling.context().close();
    project.realtime = true;
  });

  it("tells who may read nothing what to do, and signs out", async () => {
    const page = await open();
    await signIn(page, USERS[1]!);
    await page.getByText(`hlsync members add ${STRANGER} 0x…`).waitFor();
    await page.getByText("Sign out").click();
    await page.waitForSelector("[name=password]");
    await page.context().close();
  });

  it("takes no secret key", async () => {
    const secret = ["sb_secret_abc", `x.${Buffer.from('{"role":"service_role"}').toString("base64url")}.y`];
    for (const key of secret) {
      const { code, stderr } = await hlsync(["page", folder.path, "https://ref.supabase.co", key]);
      assert.equal(code, 2);
      assert.match(stderr, /this is a secret key/);
      assert.ok(!stderr.includes(key));
    }
  });
});
