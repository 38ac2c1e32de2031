/** What may leave the program: controls are seen or left out, secrets are masked, everything else is as it was. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { errorText, ProtocolError } from "../../../src/errors.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import { createLog } from "../../../src/runtime/log.ts";
import {
  maskSecrets,
  printable,
  visible,
  visibleJson,
  visiblePainted,
} from "../../../src/runtime/safeText.ts";

/** What moves cursors, colors, titles, lines and directions. */
const HOSTILE = [
  "\u001b[2J",
  "\u001b]0;title\u0007",
  "\u009b31m",
  "\u0085",
  "\r",
  "\b",
  "\u0000",
  "\u007f",
  "\u202e",
  "\u2066",
  "\u061c",
  "\u200b",
  "\u2028",
  "\ufeff",
  "\u{e0041}",
];
const RAW = /\p{Cc}|[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

describe("control characters", () => {
  for (const bad of HOSTILE) {
    it(`${JSON.stringify(bad).slice(1, -1)} is shown or left out, never sent`, () => {
      const text = `B${bad}TC ünï 😀 中`;
      for (const out of [visible(text), printable(text), visibleJson({ coin: text }), visiblePainted(text)])
        assert.doesNotMatch(out, RAW);
      assert.deepEqual(JSON.parse(visibleJson({ coin: text })), { coin: text }, "JSON keeps its value");
      assert.match(visible(text), /^B.+TC ünï 😀 中$/);
      assert.equal(visible(visible(text)), visible(text));
    });
  }

  it("breaks become a space, and own colors stay", () => {
    assert.equal(visible("a\r\nb\nc\td"), "a b c d");
    assert.equal(visiblePainted("\u001b[32mgood\u001b[0m \u001b[2J"), "\u001b[32mgood\u001b[0m \\u001b[2J");
  });

  it("an error quotes what was sent as one visible line", () => {
    const error = new ProtocolError("the answer \u001b[2J\r\nis odd: postgres://me:secret@h/db", null);
    assert.equal(error.message, "the answer \\u001b[2J is odd: postgres://me:***@h/db");
    assert.equal(errorText("a\u009bb"), "a\\u009bb");
  });
});

const KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BOT = `123456789:AA${"x".repeat(33)}`;

describe("secrets", () => {
  const masked: Record<string, string> = {
    "postgres://me:pw@host:5432/db": "postgres://me:***@host:5432/db",
    "postgresql://me:p@ss@host/db?sslmode=require": "postgresql://me:***@host/db?sslmode=require",
    "postgres://me:p@s:s@[::1]:5/db": "postgres://me:***@[::1]:5/db",
    "postgres://me:sl/ash@host/db": "postgres://me:***@host/db",
    "postgres://h/db?user=me&password=pw&sslmode=require":
      "postgres://h/db?user=me&password=***&sslmode=require",
    "host=h password=pw user=me": "host=h password=*** user=me",
    "host=h password='p w' user=me": "host=h password=*** user=me",
    "PGPASSWORD=pw psql": "PGPASSWORD=*** psql",
    "smtp://me@x.org:p@w@mail:587?to=a@b": "smtp://me@x.org:***@mail:587?to=a@b",
    "https://user:pw@host/x": "https://user:***@host/x",
    "https://tokentoken@host/x": "https://***@host/x",
    [`telegram://${BOT}@-100123`]: "telegram://123456789:***@-100123",
    "ntfy://tk_abcdefghijklmnopqrstu12345678@ntfy.sh/topic": "ntfy://***@ntfy.sh/topic",
    [`pagerduty://${KEY}`]: "pagerduty://***",
    "apprise://host:8000/notify/key": "apprise://***",
    [`whsec_${KEY}+/=`]: "whsec_***",
    [`https://x.org/hook#whsec_${KEY}`]: "https://x.org/hook#whsec_***",
    [`POST https://api.telegram.org/bot${BOT}/sendMessage failed`]:
      "POST https://api.telegram.org/bot***/sendMessage failed",
    [`token ${BOT}.`]: "token ***.",
    "https://discord.com/api/webhooks/123456789/abc_DEF-ghi?wait=true":
      "https://discord.com/api/webhooks/123456789/***?wait=true",
    "https://discordapp.com/api/webhooks/1/abc/slack": "https://discordapp.com/api/webhooks/1/***/slack",
    [`MTIzNDU2Nzg5MDEyMzQ1Njc4OTA.GabcDe.${"z".repeat(30)}`]: "***",
    "https://hooks.slack.com/services/T000/B000/XXXX": "https://hooks.slack.com/services/***",
    "xoxb-123456789012-abcdefABCDEF": "xoxb-***",
    "http://127.0.0.1:4477/?token=abc.def-1": "http://127.0.0.1:4477/?token=***",
    "/api/events?account=0x1&token=abc&after=5": "/api/events?account=0x1&token=***&after=5",
    "cookie hlsync_token=abc; other=1": "cookie hlsync_token=***; other=1",
    [`Authorization: Bearer ${KEY}`]: "Authorization: Bearer ***",
    "Authorization: Basic dXNlcjpwdw==": "Authorization: Basic ***",
    "X-Api-Key: abcdef1234567890": "X-Api-Key: ***",
    "Set-Cookie: sid=abc; __Host-x=def": "Set-Cookie: ***",
    "AWS_SECRET_ACCESS_KEY=abcd/efg+1": "AWS_SECRET_ACCESS_KEY=***",
    "SUPABASE_SERVICE_ROLE_KEY='a b'": "SUPABASE_SERVICE_ROLE_KEY=***",
    "key eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJzdXBhYmFzZSJ9.abc-def_g": "key ***",
    sb_secret_abcdefghijklmnop: "sb_secret_***",
    "https://ptb.discord.com/api/v10/webhooks/1/aBc-d": "https://ptb.discord.com/api/v10/webhooks/1/***",
    "https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d-e":
      "https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/***",
    [`https://events.pagerduty.com/integration/${"0f".repeat(16)}/enqueue`]:
      "https://events.pagerduty.com/integration/***/enqueue",
    "https://maker.ifttt.com/trigger/x/with/key/abcdEFGH": "https://maker.ifttt.com/trigger/x/with/key/***",
    tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2: "tk_***",
    "https://ntfy.sh/topic?auth=QmVhcmVyIHRr": "https://ntfy.sh/topic?auth=***",
    "https://chat.googleapis.com/v1/spaces/A/messages?key=abc-d&token=def%3D":
      "https://chat.googleapis.com/v1/spaces/A/messages?key=***&token=***",
    "https://api.pushover.net/1/messages.json?token=azGDORePK8gM&user=u":
      "https://api.pushover.net/1/messages.json?token=***&user=u",
    ghp_0123456789abcdefghij0123456789abcdef: "ghp_***",
    sbp_0123456789abcdef0123456789abcdef01234567: "sbp_***",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "aws_secret_access_key = ***",
    "host=h password='a\\'b c' user=me": "host=h password=*** user=me",
    "host=h password=a\\ b user=me": "host=h password=*** user=me",
    "postgres://me:p%40s%2Fs%3Aw@host/db": "postgres://me:***@host/db",
    "/check?url=postgres%3A%2F%2Fme%3Ap%40w%40host%2Fdb": "/check?url=postgres%3A%2F%2Fme%3A***%40host%2Fdb",
    "X-Hub-Token: abcDEF123": "X-Hub-Token: ***",
    "Key (id, password)=(1, hunter2) already exists.": "Key (id, password)=(***) already exists.",
    [`private_key=0x${"ab".repeat(32)}`]: "private_key=***",
    '{"privateKey":"0xabab"}': '{"privateKey":"***"}',
    "-----BEGIN EC PRIVATE KEY-----\nMIIE\n-----END EC PRIVATE KEY-----":
      "-----BEGIN EC PRIVATE KEY-----***-----END EC PRIVATE KEY-----",
    '{"accessToken":"abc","token":"HYPE"}': '{"accessToken":"***","token":"HYPE"}',
    '{"password":"p\\"w","coin":"BTC"}': '{"password":"***","coin":"BTC"}',
  };
  for (const [text, wanted] of Object.entries(masked)) {
    it(`${text.slice(0, 60)} is masked`, () => {
      const neighbours = `before ${text} and after`;
      assert.equal(maskSecrets(text), wanted);
      assert.equal(maskSecrets(neighbours), `before ${wanted} and after`);
      assert.equal(maskSecrets(maskSecrets(text)), maskSecrets(text));
    });
  }

  for (const text of [
    "postgres://me@host/db?application_name=a",
    "http://127.0.0.1:4477/api/fills?account=0x1&coin=@107",
    "https://api.hyperliquid.xyz/info",
    "wss://host:443/ws",
    "fee_token=USDC feeToken=USDC tokens=5",
    '{"token":"USDC","amount":"1.0"}',
    "order 123456789012:0xabcdefabcdefabcdefabcdefabcdefabcdef is open",
    "wrong password (--database, DATABASE_URL)",
    "expected telegram://TOKEN@CHAT or smtp://USER:PASSWORD@HOST:587?to=A@B, pagerduty://ROUTING_KEY",
    "open the address with ?token=…, or send Authorization: Bearer …",
    "a secret whsec_<base64> behind #",
    '{"coin":"HYPE","token":150,"feeToken":"USDC"}',
    "a cookie: none was sent",
    "basic understanding of xoxo",
    "a@b.org wrote c@d.org",
    "Key (account_address, coin)=(0xabc, BTC) already exists.",
    "key=fill:0xabc and auth=none, task-token: not given",
    "/integration/tests of risk-management",
  ]) {
    it(`${text.slice(0, 60)} stays`, () => assert.equal(maskSecrets(text), text));
  }
});

describe("a log line", () => {
  const lines: string[] = [];
  const clock = { now: () => 0 } as Clock;
  for (const json of [false, true]) {
    it(`is one visible line without secrets, ${json ? "as JSON" : "as text"}, whatever it is given`, () => {
      lines.length = 0;
      const log = createLog({ level: "debug", json, clock, sink: (line) => lines.push(line) });
      const round: Record<string, unknown> = {};
      round.self = round;
      const fields = {
        error: new Error("no \u001b[2J\nanswer of https://u:pw@h/ "),
        coin: "B\u202eTC",
        nested: { url: "postgres://u:p@w@h/db", password: "pw", error: new Error("x?token=abc") },
        list: [`whsec_${KEY}`],
        apiKey: "k",
        big: 5n,
        round,
      };
      log.info("said \u009b31m\r\nand https://hooks.slack.com/services/T/B/X", fields);
      log.with({ token: "abc" }).warn("again");
      assert.equal(lines.length, 2);
      for (const line of lines) assert.doesNotMatch(line, RAW);
      const [first = "", second = ""] = lines;
      for (const secret of ["pw", "p@w", KEY, "token=abc", "T/B/X"])
        assert.ok(!first.includes(secret), first);
      assert.match(first, /U?\\u202eTC/);
      assert.match(first, /cannot be written down/);
      assert.ok(!second.includes("abc"), second);
      if (json) assert.equal((JSON.parse(second) as { token: string }).token, "***");
    });
  }
});
