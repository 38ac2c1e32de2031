/** The parts of the webhook bridge that need no database: signatures, bodies, retries, and where a request may go. */
import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterEach, describe, it } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { DeliveryError } from "../../../src/errors.ts";
import { isPublicAddress } from "../../../src/outputs/delivery/addressGuard.ts";
import { createHttpSend, type HttpRequest, privateTarget } from "../../../src/outputs/delivery/httpSend.ts";
import { kindOf, retryAfterMs } from "../../../src/outputs/delivery/httpVerdict.ts";
import { whatNext } from "../../../src/outputs/delivery/retry.ts";
import { isSecret, newSecret, Secret } from "../../../src/outputs/delivery/secret.ts";
import type { AddedEndpoint } from "../../../src/outputs/delivery/sink.ts";
import { deliveryId } from "../../../src/outputs/delivery/sink.ts";
import { openSink, sinkKindOf } from "../../../src/outputs/delivery/sinks.ts";
import { eventText } from "../../../src/outputs/eventText.ts";
import { unknownPattern, wants } from "../../../src/outputs/eventTypes.ts";
import type { OutboxEvent } from "../../../src/outputs/outbox.ts";
import { BODIES } from "../../../src/outputs/webhooks/payload.ts";
import { signedHeaders } from "../../../src/outputs/webhooks/signature.ts";
import { systemClock } from "../../../src/runtime/clock.ts";

const EVENT: OutboxEvent = {
  id: 7,
  key: "fill:0xaa:BTC:1790360256851:1:2:buy",
  type: "fill.created",
  account: `0x${"a".repeat(40)}`,
  timeMs: 1_790_360_256_851,
  source: "stream",
  committedAtMs: 1_790_360_256_900,
  data: { coin: "BTC", side: "buy", size: "0.50", price: "83000.0", value: "41500.00", fee: "18.675" },
};

describe("signatures", () => {
  it("verify with the reference library, whatever the body", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (text, key) => {
        const secret = newSecret();
        const body = JSON.stringify({ text });
        const headers = signedHeaders(deliveryId(key), body, Date.now(), [secret]);
        assert.deepEqual(new Webhook(secret.reveal()).verify(body, headers), { text });
      }),
    );
  });

  it("verify with either secret while one replaces the other", () => {
    const [old, young] = [newSecret(), newSecret()];
    const headers = signedHeaders("msg_1", "{}", Date.now(), [young, old]);
    assert.equal(headers["webhook-signature"]!.split(" ").length, 2);
    for (const secret of [old, young]) new Webhook(secret.reveal()).verify("{}", headers);
    assert.throws(() => new Webhook(newSecret().reveal()).verify("{}", headers));
  });

  it("do not verify for another body, id or time", () => {
    const secret = newSecret();
    const headers = signedHeaders("msg_1", "{}", Date.now(), [secret]);
    const receiver = new Webhook(secret.reveal());
    assert.throws(() => receiver.verify("{ }", headers));
    assert.throws(() => receiver.verify("{}", { ...headers, "webhook-id": "msg_2" }));
    assert.throws(() => receiver.verify("{}", signedHeaders("msg_1", "{}", Date.now() - 600_000, [secret])));
  });

  it("give an event one id, and different events different ones", () => {
    assert.equal(deliveryId(EVENT.key), deliveryId(EVENT.key));
    assert.notEqual(deliveryId(EVENT.key), deliveryId(`${EVENT.key}x`));
    assert.match(deliveryId(EVENT.key), /^msg_[0-9a-f]{32}$/);
  });

  it("rest on secrets of the standard's size, which show themselves to nobody", () => {
    const secret = newSecret();
    assert.ok(isSecret(secret.reveal()));
    assert.equal(Buffer.from(secret.reveal().slice(6), "base64").length, 32);
    for (const text of ["", "whsec_", "whsec_abc", "whsec_§§§§§§§§§§§§§§§§§§§§§§§§", "abc"]) {
      assert.equal(isSecret(text), false);
    }
    const shown = [
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }),
      inspect([secret], { depth: 9 }),
    ];
    for (const text of shown) assert.ok(!text.includes(secret.reveal().slice(6, 20)), text);
  });
});

describe("bodies", () => {
  const body = (format: keyof typeof BODIES, event = EVENT) =>
    JSON.parse(BODIES[format](event, deliveryId(event.key), new Map()).text) as Record<string, unknown>;

  it("are type, timestamp and data in the standard format, decimals untouched", () => {
    assert.deepEqual(body("standard"), {
      type: "fill.created",
      timestamp: "2026-09-25T18:17:36.851Z",
      data: EVENT.data,
    });
  });

  it("are CloudEvents 1.0 with the same id as the webhook", () => {
    const event = body("cloudevents");
    assert.equal(event.specversion, "1.0");
    assert.equal(event.id, deliveryId(EVENT.key));
    assert.equal(event.type, "hlsync.fill.created");
    assert.equal(event.source, `/hlsync/accounts/${EVENT.account}`);
    assert.equal(event.time, "2026-09-25T18:17:36.851Z");
    assert.deepEqual(event.data, EVENT.data);
    const { contentType } = BODIES.cloudevents(EVENT, "msg_1", new Map());
    assert.equal(contentType, "application/cloudevents+json");
  });

  it("are texts for Discord and Slack that mention nobody and break nothing", () => {
    const nasty = { ...EVENT, data: { ...EVENT.data, coin: "@everyone <!channel>\n**x**\u202e" } };
    const discord = body("discord", nasty);
    assert.deepEqual(discord.allowed_mentions, { parse: [] });
    assert.ok(!/\n|\u202e|[^\\]\*\*|[^\\]@everyone/.test(String(discord.content)), String(discord.content));
    const slack = String(body("slack", nasty).text);
    assert.ok(!slack.includes("<!channel>") && slack.includes("&lt;!channel&gt;"));
  });

  it("stay within Discord's limit for any data", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 5000 }),
        fc.constantFrom("fill.created", "alert.fired"),
        (text, type) => {
          const event = { ...EVENT, type, data: { message: text, coin: text, size: text, side: text } };
          assert.ok(String(body("discord", event).content).length <= 2000);
        },
      ),
    );
  });

  it("name the account by its alias, else in short", () => {
    assert.ok(
      eventText(EVENT, new Map([[EVENT.account!, "main"]])).startsWith("main: bought 0.5 BTC at 83000, "),
    );
    assert.ok(eventText(EVENT, new Map()).startsWith("0xaaaa…aaaa: "));
  });

  it("are chosen by exact types and by stars", () => {
    assert.ok(wants(["*"], "fill.created") && wants(["fill.*"], "fill.created"));
    assert.ok(!wants(["fill.*"], "funding.created") && !wants([], "fill.created"));
    assert.equal(unknownPattern(["fill.*", "alert.fired", "*"]), null);
    assert.equal(unknownPattern(["fill.*", "fills"]), "fills");
  });
});

describe("retries", () => {
  const failed = (status: number | null, retryAfterMs: number | null = null) => ({
    kind: status === null ? ("unanswered" as const) : kindOf(status),
    code: status,
    error: "no",
    retryAfterMs,
  });
  const DELAYS = [0, 5_000, 300_000, 1_800_000];

  it("follow the schedule, with jitter that only adds, and end after it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempts, random) => {
          const verdict = whatNext(failed(500), attempts, DELAYS, random);
          if (attempts >= DELAYS.length) return assert.deepEqual(verdict, { kind: "dead" });
          assert.ok(verdict.kind === "retry");
          assert.ok(verdict.delayMs >= DELAYS[attempts]! && verdict.delayMs <= DELAYS[attempts]! * 1.2 + 1);
        },
      ),
    );
  });

  it("are never earlier than Retry-After says, and not later than a day for it", () => {
    assert.deepEqual(whatNext(failed(429, 60_000), 1, DELAYS, 0), { kind: "retry", delayMs: 60_000 });
    assert.deepEqual(whatNext(failed(503, 100), 1, DELAYS, 0), { kind: "retry", delayMs: 5_000 });
    assert.deepEqual(whatNext(failed(429, 1e12), 1, DELAYS, 0), { kind: "retry", delayMs: 86_400_000 });
    assert.equal(retryAfterMs("1.5", 0), 1_500);
    assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:01:00 GMT", 20_000), 40_000);
    assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:01:00 GMT", 90_000), 0);
    assert.equal(retryAfterMs("soon", 0), null);
    assert.equal(retryAfterMs(undefined, 0), null);
  });

  it("stop at 410, and soon when the receiver finds the event wrong", () => {
    assert.deepEqual(whatNext(failed(410), 1, DELAYS, 0), { kind: "gone" });
    assert.equal(whatNext(failed(422), 2, DELAYS, 0).kind, "retry");
    assert.equal(whatNext(failed(422), 3, DELAYS, 0).kind, "dead");
    assert.equal(whatNext(failed(401), 3, DELAYS, 0).kind, "retry");
    assert.equal(whatNext(failed(null), 3, DELAYS, 0).kind, "retry");
  });
});

describe("addresses a delivery may go to", () => {
  it("are public ones only", () => {
    for (const address of ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1", "2001:4860:4860::8888"]) {
      assert.ok(isPublicAddress(address), address);
    }
    for (const address of [
      ...["0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1"],
      ...["172.31.255.255", "192.168.1.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1"],
      ...[
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
      ],
      ...[
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "localhost",
        "",
      ],
    ]) {
      assert.ok(!isPublicAddress(address), address);
    }
  });
});

describe("requests", () => {
  const open: Server[] = [];
  afterEach(() => {
    for (const server of open.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });
  const listen = (handler: RequestListener): Promise<number> =>
    new Promise((resolve) => {
      const server = createServer(handler);
      open.push(server);
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
    });
  const to = (url: string, change: Partial<HttpRequest> = {}): HttpRequest => ({
    url: new Secret(url),
    headers: {},
    body: "{}",
    allowPrivate: true,
    timeoutMs: 5_000,
    ...change,
  });
  const refuses = async (url: string, pattern: RegExp) => {
    const http = createHttpSend({ clock: systemClock });
    await assert.rejects(http.send(to(url, { allowPrivate: false })), (error: Error) => {
      assert.ok(error instanceof DeliveryError);
      assert.match(error.message, pattern);
      assert.ok(!error.message.includes("secret-path"), error.message);
      return true;
    });
    http.close();
  };

  it("to private, link-local, loopback and mapped addresses are refused, in every spelling", async () => {
    for (const host of [
      ...["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0.0.0.0", "169.254.169.254", "10.1.2.3", "[::1]"],
      ...["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[fe80::1]", "[fd00::1]", "[64:ff9b::a00:1]"],
    ]) {
      await refuses(`https://${host}/secret-path`, /private addresses are refused/);
    }
    await refuses("https://localhost/secret-path", /localhost resolves to .*private addresses are refused/);
    await refuses("http://example.com/secret-path", /plain http is refused/);
  });

  it("to private addresses are known beforehand; a name that cannot be resolved now is not", async () => {
    const reason = (url: string, ...addresses: string[]) =>
      privateTarget(new URL(url), async () => {
        if (addresses.length === 0) throw new Error("ENOTFOUND");
        return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
      });
    assert.equal(await reason("https://127.1/x"), "127.0.0.1 is a private address");
    assert.equal(await reason("https://[::ffff:169.254.169.254]/x"), "::ffff:a9fe:a9fe is a private address");
    assert.equal(
      await reason("https://inside.example/x", "10.0.0.1", "fd00::1"),
      "inside.example resolves to 10.0.0.1, fd00::1, which is private",
    );
    assert.equal(await reason("https://outside.example/x", "10.0.0.1", "1.1.1.1"), null);
    assert.equal(await reason("https://unknown.example/x"), null);
    assert.equal(await reason("https://1.1.1.1/x"), null);
  });

  it("do not follow redirects", async () => {
    const paths: (string | undefined)[] = [];
    const port = await listen(({ url }, response) => {
      paths.push(url);
      response.writeHead(302, { location: "/elsewhere" }).end();
    });
    const http = createHttpSend({ clock: systemClock });
    assert.equal((await http.send(to(`http://127.0.0.1:${port}/start`))).status, 302);
    assert.deepEqual(paths, ["/start"]);
    http.close();
  });

  /** A port on every address; by which of them connections came. No TLS behind it: that they arrive is all that is looked at. */
  const arrivals = async () => {
    const arrived: (string | undefined)[] = [];
    const server = createTcpServer((socket) => {
      arrived.push(socket.localAddress);
      socket.destroy();
    });
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "0.0.0.0", () => resolve((server.address() as AddressInfo).port)),
    );
    return { arrived, port, server };
  };

  it("go to the address that was checked, though the name points elsewhere a moment later", async () => {
    const { arrived, port, server } = await arrivals();
    // Allowed at first, then what an attacker would like.
    const answers = ["127.0.0.1", "127.0.0.66", "127.0.0.66"];
    let lookups = 0;
    const http = createHttpSend({
      clock: systemClock,
      lookup: async () => [{ address: answers[lookups++]!, family: 4 }],
      isAllowed: (address) => address === "127.0.0.1",
    });
    const request = to(`https://rebind.example:${port}/x`, { allowPrivate: false });
    await assert.rejects(http.send(request), /rebind\.example: /);
    assert.deepEqual([arrived, lookups], [["127.0.0.1"], 1]);
    await assert.rejects(http.send(request), /resolves to 127\.0\.0\.66: private addresses are refused/);
    assert.deepEqual(arrived, ["127.0.0.1"]);
    http.close();
    server.close();
  });

  it("go to the public one of several addresses, and nowhere when none is public", async () => {
    const { arrived, port, server } = await arrivals();
    let found = ["::ffff:127.0.0.66", "127.0.0.66", "127.0.0.1"];
    const http = createHttpSend({
      clock: systemClock,
      lookup: async () => found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      isAllowed: (address) => address === "127.0.0.1",
    });
    const request = to(`https://several.example:${port}/x`, { allowPrivate: false });
    await assert.rejects(http.send(request));
    assert.deepEqual(arrived, ["127.0.0.1"]);
    found = ["::ffff:127.0.0.66", "127.0.0.66"];
    await assert.rejects(http.send(request), /resolves to ::ffff:127\.0\.0\.66, 127\.0\.0\.66: private/);
    assert.deepEqual(arrived, ["127.0.0.1"]);
    http.close();
    server.close();
  });

  it("end after their timeout, however slowly the answer drips", async () => {
    const port = await listen((_request, response) => {
      response.writeHead(200).write("a");
      const drip = setInterval(() => response.write("a"), 20);
      response.on("close", () => clearInterval(drip));
    });
    const http = createHttpSend({ clock: systemClock });
    await assert.rejects(
      http.send(to(`http://127.0.0.1:${port}/`, { timeoutMs: 150 })),
      /127\.0\.0\.1: no answer within 0\.15 s/,
    );
    http.close();
  });

  it("read no endless answer", async () => {
    const port = await listen((_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(65_536);
      const push = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once("drain", push);
      };
      push();
    });
    const http = createHttpSend({ clock: systemClock });
    assert.equal((await http.send(to(`http://127.0.0.1:${port}/`))).status, 200);
    http.close();
  });

  it("are made again at once when a kept connection was closed just then", async () => {
    let requests = 0;
    const port = await listen((request, response) => {
      requests += 1;
      // The second one on a connection finds it closed.
      if (requests === 2) request.socket.destroy();
      else response.end();
    });
    const http = createHttpSend({ clock: systemClock });
    for (let n = 0; n < 2; n++) assert.equal((await http.send(to(`http://127.0.0.1:${port}/`))).status, 200);
    assert.equal(requests, 3);
    http.close();
  });

  it("say in words why nobody answered", async () => {
    const port = await listen(() => {});
    for (const server of open.splice(0)) server.close();
    const http = createHttpSend({ clock: systemClock });
    await assert.rejects(http.send(to(`http://127.0.0.1:${port}/secret-path`)), {
      message: "127.0.0.1: connection refused",
    });
    http.close();
  });
});

describe("sinks", () => {
  const deps = {
    clock: systemClock,
    aliases: new Map(),
    timeoutMs: 1_000,
    http: { send: () => Promise.reject(new Error("not sent")), close() {} },
  };
  const endpoint = (url: string, format: string) =>
    ({ id: "wh_1", url: new Secret(url), format, allowPrivate: false }) as AddedEndpoint;

  it("are chosen by the scheme of the address", () => {
    assert.equal(
      sinkKindOf(new URL("https://x.example/a"))?.formatOf(new URL("https://x.example/a")),
      "standard",
    );
    assert.equal(
      sinkKindOf(new URL("https://discord.com/api/webhooks/1/2"))?.formatOf(
        new URL("https://discord.com/api/webhooks/1/2"),
      ),
      "discord",
    );
    for (const url of ["ftp://x.example", "nats://x.example", "file:///etc/passwd", "javascript:alert(1)"])
      assert.equal(sinkKindOf(new URL(url)), null, url);
  });

  it("leave what another version added alone", () => {
    assert.notEqual(openSink(deps, endpoint("https://x.example/a", "slack"), []), null);
    assert.equal(openSink(deps, endpoint("https://x.example/a", "protobuf"), []), null);
    assert.equal(openSink(deps, endpoint("nats://x.example", "standard"), []), null);
  });

  it("say why nothing can be delivered in the clear", () => {
    const plain = new URL("http://x.example");
    assert.match(sinkKindOf(plain)!.refusal(plain, false)!, /^plain http/);
    assert.equal(sinkKindOf(plain)!.refusal(plain, true), null);
  });
});
