import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createL1ActionHash, signL1Action, signUserSignedAction } from "@nktkas/hyperliquid/signing";
import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { privateKeyToAccount } from "viem/accounts";
import type { JsonObject } from "../../../src/simulator/contract.ts";
import { l1ActionHash, recoverL1Signer, recoverUserSigner } from "../../../src/simulator/signing.ts";

/** The key of the venue's own published signing vectors. */
const KEY = "0x0123456789012345678901234567890123456789012345678901234567890123";
const wallet = privateKeyToAccount(KEY);
const ADDRESS = wallet.address.toLowerCase();
const VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea";

const order = (extra: JsonObject = {}): JsonObject => ({
  type: "order",
  orders: [{ a: 1, b: true, p: "100", s: "100", r: false, t: { limit: { tif: "Gtc" } }, ...extra }],
  grouping: "na",
});
const trigger = { trigger: { isMarket: true, triggerPx: "103", tpsl: "sl" } };
const plain = { nonce: 0, vaultAddress: null, expiresAfter: null };

/** Published vectors: what is signed, with which source, and the signature (r and s unpadded as the SDK writes them). */
const L1_VECTORS: readonly [string, JsonObject, string | null, "a" | "b", string, string, number][] = [
  [
    "a dummy action",
    { type: "dummy", num: 100000000000 },
    null,
    "a",
    "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
    "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
    27,
  ],
  [
    "a dummy action on testnet",
    { type: "dummy", num: 100000000000 },
    null,
    "b",
    "0x542af61ef1f429707e3c76c5293c80d01f74ef853e34b76efffcb57e574f9510",
    "0x17b8b32f086e8cdede991f1e2c529f5dd5297cbe8128500e00cbaf766204a613",
    28,
  ],
  [
    "a limit order",
    order(),
    null,
    "a",
    "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
    "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e",
    28,
  ],
  [
    "an order with a cloid",
    order({ c: "0x00000000000000000000000000000001" }),
    null,
    "a",
    "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3",
    "0x3c61f667e747404fe7eea8f90ab0e76cc12ce60270438b2058324681a00116da",
    27,
  ],
  [
    "a vault action with a short r",
    { type: "dummy", num: 100000000000 },
    VAULT,
    "a",
    "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239",
    "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c",
    28,
  ],
  [
    "a stop loss",
    order({ t: trigger }),
    null,
    "a",
    "0x98343f2b5ae8e26bb2587daad3863bc70d8792b09af1841b6fdd530a2065a3f9",
    "0x6b5bb6bb0633b710aa22b721dd9dee6d083646a5f8e581a20b545be6c1feb405",
    27,
  ],
  [
    "a schedule cancel with a time",
    { type: "scheduleCancel", time: 123456789 },
    null,
    "b",
    "0x4e4f2dbd4107c69783e251b7e1057d9f2b9d11cee213441ccfa2be63516dc5bc",
    "0x706c656b23428c8ba356d68db207e11139ede1670481a9e01ae2dfcdb0e1a678",
    27,
  ],
  [
    "a sub-account transfer with a short s",
    {
      type: "subAccountTransfer",
      subAccountUser: "0x1d9470d4b963f552e6f671a81619d395877bf409",
      isDeposit: true,
      usd: 10,
    },
    null,
    "b",
    "0xe26574013395ad55ee2f4e0575310f003c5bb3351b5425482e2969fa51543927",
    "0xefb08999196366871f919fd0e138b3a7f30ee33e678df7cfaf203e25f0a4278",
    28,
  ],
];

describe("signatures", () => {
  it("hashes the published order to the published connection id", () => {
    const action = {
      type: "order",
      orders: [{ a: 1, b: true, p: "1800", s: "0.02", r: false, t: { limit: { tif: "Gtc" } } }],
      grouping: "na",
    };
    const hash = l1ActionHash({ ...plain, action, nonce: 1690393044548 });
    assert.equal(bytesToHex(hash), "b8ed9e5a4ea7b2aebdb09fd794221c2599487f6dc8d3bf8f38656ab295f36120");
  });

  for (const [what, action, vaultAddress, source, r, s, v] of L1_VECTORS) {
    it(`recovers the published signer of ${what}`, () => {
      assert.equal(recoverL1Signer({ ...plain, action, vaultAddress }, { r, s, v }, source), ADDRESS);
    });
  }

  it("recovers the published signers of a transfer and a withdrawal", () => {
    const fields = {
      signatureChainId: "0x66eee",
      hyperliquidChain: "Testnet",
      destination: "0x5e9ee1089755c3435139848e47e6635505d5a13a",
      amount: "1",
      time: 1687816341423,
    };
    const transfer = {
      r: "0x637b37dd731507cdd24f46532ca8ba6eec616952c56218baeff04144e4a77073",
      s: "0x11a6a24900e6e314136d2592e2f8d502cd89b7c15b198e1bee043c9589f9fad7",
      v: 27,
    };
    const withdrawal = {
      r: "0x8363524c799e90ce9bc41022f7c39b4e9bdba786e5f9c72b20e43e1462c37cf9",
      s: "0x58b1411a775938b83e29182e8ef74975f9054c8e97ebf5ec2dc8d51bfc893881",
      v: 28,
    };
    assert.equal(recoverUserSigner({ type: "usdSend", ...fields }, transfer), ADDRESS);
    assert.equal(recoverUserSigner({ type: "withdraw3", ...fields }, withdrawal), ADDRESS);
  });

  it("agrees with an independent signer for any numbers, vault and expiry", async () => {
    const seed = 20261101;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          oid: fc.maxSafeNat(),
          nonce: fc.maxSafeNat(),
          vault: fc.boolean(),
          expiresAfter: fc.option(fc.maxSafeNat()),
          testnet: fc.boolean(),
          ntli: fc.integer(),
        }),
        async ({ oid, nonce, vault, expiresAfter, testnet, ntli }) => {
          const action = { type: "cancel", cancels: [{ a: 0, o: oid }], ntli };
          const options = {
            action,
            nonce,
            ...(vault ? { vaultAddress: VAULT as `0x${string}` } : {}),
            ...(expiresAfter === null ? {} : { expiresAfter }),
          };
          const envelope = { action, nonce, vaultAddress: vault ? VAULT : null, expiresAfter };
          assert.equal(`0x${bytesToHex(l1ActionHash(envelope))}`, createL1ActionHash(options));
          const signature = await signL1Action({ wallet, isTestnet: testnet, ...options });
          assert.equal(recoverL1Signer(envelope, signature, testnet ? "b" : "a"), ADDRESS);
        },
      ),
      { numRuns: 50, seed },
    );
  });

  it("depends on the order of the keys", () => {
    const one = l1ActionHash({ ...plain, action: { type: "cancel", cancels: [{ a: 0, o: 1 }] } });
    const other = l1ActionHash({ ...plain, action: { type: "cancel", cancels: [{ o: 1, a: 0 }] } });
    assert.notEqual(bytesToHex(one), bytesToHex(other));
  });

  it("recovers the approver of an unnamed agent, whose name is signed empty and not sent", async () => {
    const action = {
      type: "approveAgent",
      signatureChainId: "0xa4b1",
      hyperliquidChain: "Mainnet",
      agentAddress: VAULT,
      agentName: "",
      nonce: 1,
    } as const;
    const types = {
      "HyperliquidTransaction:ApproveAgent": [
        { name: "hyperliquidChain", type: "string" },
        { name: "agentAddress", type: "address" },
        { name: "agentName", type: "string" },
        { name: "nonce", type: "uint64" },
      ],
    };
    const signature = await signUserSignedAction({ wallet, action, types });
    const { agentName: _, ...sent } = action;
    assert.equal(recoverUserSigner(sent, signature), ADDRESS);
  });

  it("answers null for a signature that recovers nothing, and never throws", () => {
    const action = order();
    for (const bad of [
      { r: "0x0", s: "0x1", v: 27 },
      { r: "zz", s: "0x1", v: 27 },
      { r: "0x1", s: "0x1", v: 99 },
      { r: `0x${"f".repeat(64)}`, s: "0x1", v: 27 },
    ]) {
      assert.equal(recoverL1Signer({ ...plain, action }, bad, "a"), null);
      assert.equal(recoverUserSigner({ type: "usdSend", signatureChainId: "0x1" }, bad), null);
    }
    assert.equal(recoverUserSigner({ type: "order" }, { r: "0x1", s: "0x1", v: 27 }), null);
  });
});
