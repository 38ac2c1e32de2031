/** The venue's `/info` and `/exchange` over HTTP, fact by fact. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { signL1Action, signUserSignedAction } from "@nktkas/hyperliquid/signing";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import type { JsonObject } from "../../../src/simulator/contract.ts";
import { START_MS, setUp, USER } from "./harness.ts";

const IP = "10.0.0.1";
const owner = privateKeyToAccount(`0x${"11".repeat(32)}`);
const agent = privateKeyToAccount(`0x${"22".repeat(32)}`);
const OWNER = owner.address.toLowerCase();
const AGENT = agent.address.toLowerCase();

type Fields = { nonce?: number; vaultAddress?: `0x${string}`; expiresAfter?: number };

async function l1Body(
  wallet: PrivateKeyAccount,
  fields: Fields = {},
  isTestnet = false,
): Promise<JsonObject> {
  const action = { type: "cancel", cancels: [{ a: 0, o: 5_000_000_000 }] };
  const { nonce = START_MS, ...rest } = fields;
  const signature = await signL1Action({ wallet, action, nonce, isTestnet, ...rest });
  return { action, nonce, signature: { ...signature }, ...rest };
}

function exchange(options: Parameters<typeof setUp>[0] = {}) {
  const parts = setUp(options);
  parts.venue.agents.set(OWNER, OWNER);
  parts.venue.agents.set(AGENT, OWNER);
  const post = (body: JsonObject) => {
    const { status, body: text } = parts.gateway.http("/exchange", JSON.stringify(body), IP);
    return { status, ...(status === 200 ? JSON.parse(text) : { text }) };
  };
  return { ...parts, post };
}

describe("/info", () => {
  it("answers JSON, and a JSON string stays quoted", () => {
    const { gateway, venue } = setUp();
    venue.answers.set("userAbstraction", "unifiedAccount");
    const reply = gateway.http("/info", '{"type":"userAbstraction"}', IP);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers["content-type"], "application/json");
    assert.equal(reply.body, '"unifiedAccount"');
  });

  it("answers 422 with plain text to a body it cannot deserialise", () => {
    const { gateway } = setUp();
    for (const body of ["", "{", "[]", "7", '{"type":"nothingLikeIt"}', "{}"]) {
      const reply = gateway.http("/info", body, IP);
      assert.equal(reply.status, 422, body);
      assert.equal(reply.body, "Failed to deserialize the JSON body into the target type");
      assert.match(reply.headers["content-type"]!, /^text\/plain/);
    }
  });

  it("answers 429 with the body null and no Retry-After above 1200 weight a minute, and again a minute later", async () => {
    const { gateway, venue, clock } = setUp();
    venue.answers.set("meta", {});
    const ask = (ip = IP) => gateway.http("/info", '{"type":"meta"}', ip);
    for (let turn = 0; turn < 60; turn++) assert.equal(ask().status, 200);
    const refused = ask();
    assert.deepEqual([refused.status, refused.body], [429, "null"]);
    assert.ok(!("retry-after" in refused.headers));
    assert.equal(ask("10.0.0.2").status, 200, "another address has its own budget");
    await clock.advanceBy(60_000);
    assert.equal(ask().status, 200);
  });

  it("debits one more for every 20 rows of a list, 60 for candles, and 60 for userRole", () => {
    const { gateway, venue } = setUp();
    const spend = (type: string) => {
      const before = gateway.weightSpent(IP);
      gateway.http("/info", JSON.stringify({ type }), IP);
      return gateway.weightSpent(IP) - before;
    };
    venue.answers.set("userFills", Array(2000).fill({ time: 1 }));
    venue.answers.set("candleSnapshot", Array(125).fill({}));
    venue.answers.set("userRole", { role: "user" });
    venue.answers.set("clearinghouseState", {});
    venue.answers.set("orderStatus", {});
    venue.answers.set("openOrders", Array(50).fill({}));
    assert.deepEqual(
      ["userFills", "candleSnapshot", "userRole", "clearinghouseState", "orderStatus", "openOrders"].map(
        spend,
      ),
      [120, 22, 60, 2, 2, 20],
    );
  });

  it("debits a request named like what every object inherits as any unknown one", () => {
    const { gateway } = setUp();
    const body = JSON.stringify({ type: "constructor" });
    assert.equal(gateway.http("/info", body, IP).status, 422);
    assert.equal(gateway.weightSpent(IP), 20);
  });

  it("ten full pages of fills in a minute are too many", () => {
    const { gateway, venue } = setUp();
    venue.answers.set("userFillsByTime", Array(2000).fill({ time: 1 }));
    const statuses = Array.from(
      { length: 11 },
      () => gateway.http("/info", '{"type":"userFillsByTime"}', IP).status,
    );
    assert.deepEqual(statuses, [...Array(10).fill(200), 429]);
  });
});

describe("/exchange", () => {
  it("executes what the owner or an agent of the owner signed, for either network", async () => {
    const { venue, post } = exchange();
    assert.equal((await post(await l1Body(owner))).status, "ok");
    assert.equal((await post(await l1Body(agent))).status, "ok");
    assert.equal((await post(await l1Body(owner, { nonce: START_MS + 1 }, true))).status, "ok");
    assert.deepEqual(
      venue.executed.map(({ user }) => user),
      [OWNER, OWNER, OWNER],
    );
  });

  it("takes a signature for the other network for a stranger's", async () => {
    const { post } = exchange({ switches: { network: "mainnet" } });
    const answer = post(await l1Body(owner, {}, true));
    assert.equal(answer.status, "err");
    assert.match(answer.response, /^User or API Wallet 0x[0-9a-f]{40} does not exist\.$/);
    assert.ok(!answer.response.includes(OWNER));
  });

  it("names the recovered address when nobody knows the signer", async () => {
    const { venue, post } = exchange();
    venue.agents.clear();
    assert.equal(post(await l1Body(owner)).response, `User or API Wallet ${OWNER} does not exist.`);
    const body = await l1Body(owner, { nonce: START_MS + 1 });
    const tampered = { ...body, action: { type: "cancel", cancels: [{ a: 0, o: 1 }] } };
    assert.match(post(tampered).response, /does not exist/);
    assert.deepEqual(venue.executed, []);
  });

  it("accepts r and s without leading zeros, as the Python SDK sends them", async () => {
    const { post } = exchange();
    for (let nonce = START_MS, seen = 0; seen < 3; nonce++) {
      const body = await l1Body(owner, { nonce });
      const { r, s, v } = body.signature as { r: string; s: string; v: number };
      const short = { r: r.replace(/^0x0+/, "0x"), s: s.replace(/^0x0+/, "0x"), v };
      if (short.r === r && short.s === s) continue;
      seen++;
      assert.equal(post({ ...body, signature: short }).status, "ok");
    }
  });

  it("moves money by the owner's own key only", async () => {
    const { post } = exchange();
    const action = {
      type: "usdSend",
      signatureChainId: "0xa4b1",
      hyperliquidChain: "Mainnet",
      destination: USER,
      amount: "1",
      time: START_MS,
    } as const;
    const types = {
      "HyperliquidTransaction:UsdSend": ["hyperliquidChain", "destination", "amount", "time"].map((name) => ({
        name,
        type: name === "time" ? "uint64" : "string",
      })),
    };
    const send = async (wallet: PrivateKeyAccount) => {
      const signature = { ...(await signUserSignedAction({ wallet, action, types })) };
      return post({ action, nonce: START_MS, signature });
    };
    assert.equal((await send(owner)).status, "ok");
    assert.equal((await send(agent)).response, `Must deposit before performing actions. User: ${AGENT}`);
  });

  it("passes the time of a dead man's switch and the end of an agent on in the model's time", async () => {
    const { venue, post } = exchange();
    venue.block(START_MS - 5_000, []);
    const action = { type: "scheduleCancel", time: START_MS + 10_000 };
    const signature = { ...(await signL1Action({ wallet: owner, action, nonce: START_MS })) };
    post({ action, nonce: START_MS, signature });
    assert.deepEqual(venue.executed[0]?.action, { type: "scheduleCancel", time: START_MS + 5_000 });
    const agentName = `bot valid_until ${START_MS + 60_000}`;
    const approval = {
      type: "approveAgent",
      hyperliquidChain: "Mainnet",
      signatureChainId: "0x66eee" as const,
      agentAddress: AGENT,
      agentName,
      nonce: START_MS + 1,
    } as const;
    const types = {
      "HyperliquidTransaction:ApproveAgent": [
        { name: "hyperliquidChain", type: "string" },
        { name: "agentAddress", type: "address" },
        { name: "agentName", type: "string" },
        { name: "nonce", type: "uint64" },
      ],
    };
    const signed = await signUserSignedAction({ wallet: owner, action: approval, types });
    post({ action: { ...approval }, nonce: START_MS + 1, signature: { ...signed } });
    assert.equal(venue.executed[1]?.action.agentName, `bot valid_until ${START_MS + 55_000}`);
  });

  it("passes the vault on, and the expiry in the model's time", async () => {
    const { venue, post } = exchange();
    venue.block(START_MS - 5_000, []);
    post(await l1Body(owner, { vaultAddress: USER as `0x${string}`, expiresAfter: START_MS + 1_000 }));
    assert.deepEqual(venue.executed[0]!.options, {
      nonce: START_MS,
      vaultAddress: USER,
      expiresAfter: START_MS - 4_000,
    });
  });

  it("answers 422 to an envelope it cannot deserialise", async () => {
    const { post } = exchange();
    const good = await l1Body(owner);
    for (const bad of [
      {},
      { ...good, nonce: "1" },
      { ...good, nonce: -1 },
      { ...good, action: { cancels: [] } },
      { ...good, signature: { r: "0x", s: "0x1", v: 27 } },
      { ...good, signature: "0x" },
      { ...good, vaultAddress: "0x12" },
    ]) {
      assert.equal(post(bad as JsonObject).status, 422, JSON.stringify(bad));
    }
  });

  it("answers 200 with an error when no key can be recovered", async () => {
    const { post } = exchange();
    const body = { ...(await l1Body(owner)), signature: { r: "0x0", s: "0x1", v: 27 } };
    assert.deepEqual(post(body), { status: "err", response: "Unable to recover signer." });
  });

  it("debits one, and one more for every 40 in a batch", async () => {
    const { post, gateway } = exchange();
    const cancels = Array.from({ length: 85 }, (_, o) => ({ a: 0, o }));
    post({ ...(await l1Body(owner)), action: { type: "cancel", cancels } });
    assert.equal(gateway.weightSpent(IP), 3);
  });
});

describe("nonces", () => {
  const take = async (nonces: number[]) => {
    const { post, venue } = exchange();
    const answers: string[] = [];
    for (const nonce of nonces) {
      const answer = post(await l1Body(owner, { nonce }));
      answers.push(answer.status === "ok" ? "ok" : answer.response);
    }
    return { answers, executed: venue.executed.length };
  };

  it("may not be used twice", async () => {
    const { answers, executed } = await take([START_MS, START_MS + 1, START_MS]);
    assert.deepEqual(answers, ["ok", "ok", `Invalid nonce: duplicate nonce ${START_MS}`]);
    assert.equal(executed, 2);
  });

  it("may come in any order among the 100 highest", async () => {
    const ascending = Array.from({ length: 100 }, (_, index) => START_MS + 10 * index);
    const { answers } = await take([...ascending, START_MS + 5, START_MS + 1, START_MS + 15]);
    assert.deepEqual(answers.slice(0, 100), Array(100).fill("ok"));
    // The first is above the smallest kept and pushes it out; then one below the new smallest is too low.
    assert.equal(answers[100], "ok");
    assert.match(answers[101]!, /^Invalid nonce/);
    assert.equal(answers[102], "ok");
  });

  it("must lie between two days ago and a day ahead", async () => {
    const day = 86_400_000;
    const { answers } = await take([
      START_MS - 2 * day,
      START_MS + day,
      START_MS - 2 * day + 1,
      START_MS + day - 1,
    ]);
    assert.match(answers[0]!, /^Invalid nonce/);
    assert.match(answers[1]!, /^Invalid nonce/);
    assert.deepEqual(answers.slice(2), ["ok", "ok"]);
  });

  it("are counted per signer, so an agent has its own", async () => {
    const { post } = exchange();
    assert.equal(post(await l1Body(owner)).status, "ok");
    assert.equal(post(await l1Body(agent)).status, "ok");
  });
});
