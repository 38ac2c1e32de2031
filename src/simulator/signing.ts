/**
 * Who signed an action, as the venue finds out. Guarantees: nothing here throws; a signature that recovers no key gives
 * null. A wrong hash recovers *some* address, which is why the venue answers `User or API Wallet 0x… does not exist.`
 * Assumes actions keep the key order in which they arrived as JSON: the hash is over the bytes.
 *
 * L1 actions: keccak256(msgpack(action) ‖ nonce ‖ vault ‖ expiresAfter) inside an EIP-712 `Agent` whose source is `a`
 * on mainnet and `b` on testnet. User-signed actions: EIP-712 over the action's own fields.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/signing
 */
import { encode } from "@msgpack/msgpack";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import type { JsonObject } from "./contract.ts";

/** `r` and `s` may be short: the Python SDK does not pad them. */
export interface Signature {
  r: string;
  s: string;
  v: number;
}

export interface L1Envelope {
  action: JsonObject;
  nonce: number;
  vaultAddress: string | null;
  expiresAfter: number | null;
}

/** The `source` of the phantom agent: `a` mainnet, `b` testnet. */
export type AgentSource = "a" | "b";

const ZERO_ADDRESS = `0x${"0".repeat(40)}`;

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** The connection id of an L1 action. */
export function l1ActionHash({ action, nonce, vaultAddress, expiresAfter }: L1Envelope): Uint8Array {
  return keccak_256(
    concatBytes(
      encode(action),
      uint64(nonce),
      vaultAddress === null
        ? Uint8Array.of(0)
        : concatBytes(Uint8Array.of(1), hexToBytes(vaultAddress.slice(2))),
      expiresAfter === null ? new Uint8Array() : concatBytes(Uint8Array.of(0), uint64(expiresAfter)),
    ),
  );
}

type FieldType = "string" | "uint32" | "uint64" | "bool" | "address" | "bytes" | "bytes32";
type Fields = readonly (readonly [name: string, type: FieldType])[];

function word(type: FieldType, value: unknown): Uint8Array {
  switch (type) {
    case "string":
      return keccak_256(utf8ToBytes(String(value)));
    case "bytes":
      return keccak_256(hexToBytes(String(value).slice(2)));
    case "bytes32":
      return value as Uint8Array;
    case "address":
      return hexToBytes(String(value).slice(2).toLowerCase().padStart(64, "0"));
    case "bool":
      return hexToBytes((value === true ? "1" : "0").padStart(64, "0"));
    default:
      return hexToBytes(
        BigInt(value as number)
          .toString(16)
          .padStart(64, "0"),
      );
  }
}

function structHash(name: string, fields: Fields, values: Record<string, unknown>): Uint8Array {
  const typeText = `${name}(${fields.map(([field, type]) => `${type} ${field}`).join(",")})`;
  return keccak_256(
    concatBytes(
      keccak_256(utf8ToBytes(typeText)),
      ...fields.map(([field, type]) => word(type, values[field])),
    ),
  );
}

const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

function typedDataHash(domainName: string, chainId: number, message: Uint8Array): Uint8Array {
  const domain = keccak_256(
    concatBytes(
      keccak_256(utf8ToBytes(DOMAIN_TYPE)),
      word("string", domainName),
      word("string", "1"),
      word("uint64", chainId),
      word("address", ZERO_ADDRESS),
    ),
  );
  return keccak_256(concatBytes(Uint8Array.of(0x19, 0x01), domain, message));
}

function recover(digest: Uint8Array, { r, s, v }: Signature): string | null {
  try {
    const recovery = v >= 27 ? v - 27 : v;
    const point = new secp256k1.Signature(BigInt(r), BigInt(s), recovery).recoverPublicKey(digest);
    return `0x${bytesToHex(keccak_256(point.toBytes(false).subarray(1)).subarray(12))}`;
  } catch {
    return null;
  }
}

/** Lower-case address that signed an L1 action, or null. */
export function recoverL1Signer(
  envelope: L1Envelope,
  signature: Signature,
  source: AgentSource,
): string | null {
  const agent: Fields = [
    ["source", "string"],
    ["connectionId", "bytes32"],
  ];
  const message = structHash("Agent", agent, { source, connectionId: l1ActionHash(envelope) });
  return recover(typedDataHash("Exchange", 1337, message), signature);
}

const chain = ["hyperliquidChain", "string"] as const;
const nonce = ["nonce", "uint64"] as const;
const time = ["time", "uint64"] as const;
const amount = ["amount", "string"] as const;
const destination = ["destination", "string"] as const;

/** Actions signed as themselves: primary type (after `HyperliquidTransaction:`) and fields, in order. */
const USER_SIGNED: Readonly<Record<string, readonly [primaryType: string, fields: Fields]>> = {
  usdSend: ["UsdSend", [chain, destination, amount, time]],
  spotSend: ["SpotSend", [chain, destination, ["token", "string"], amount, time]],
  withdraw3: ["Withdraw", [chain, destination, amount, time]],
  usdClassTransfer: ["UsdClassTransfer", [chain, amount, ["toPerp", "bool"], nonce]],
  approveAgent: ["ApproveAgent", [chain, ["agentAddress", "address"], ["agentName", "string"], nonce]],
  approveBuilderFee: ["ApproveBuilderFee", [chain, ["maxFeeRate", "string"], ["builder", "address"], nonce]],
  sendAsset: [
    "SendAsset",
    [
      chain,
      destination,
      ["sourceDex", "string"],
      ["destinationDex", "string"],
      ["token", "string"],
      amount,
      ["fromSubAccount", "string"],
      nonce,
    ],
  ],
  tokenDelegate: [
    "TokenDelegate",
    [chain, ["validator", "address"], ["wei", "uint64"], ["isUndelegate", "bool"], nonce],
  ],
  cDeposit: ["CDeposit", [chain, ["wei", "uint64"], nonce]],
  cWithdraw: ["CWithdraw", [chain, ["wei", "uint64"], nonce]],
  userSetAbstraction: ["UserSetAbstraction", [chain, ["user", "address"], ["abstraction", "string"], nonce]],
  userDexAbstraction: ["UserDexAbstraction", [chain, ["user", "address"], ["enabled", "bool"], nonce]],
  userPortfolioMargin: ["UserPortfolioMargin", [chain, ["user", "address"], ["enabled", "bool"], nonce]],
  linkStakingUser: ["LinkStakingUser", [chain, ["user", "address"], ["isFinalize", "bool"], nonce]],
  convertToMultiSigUser: ["ConvertToMultiSigUser", [chain, ["signers", "string"], nonce]],
};

/** Whether actions of this type are signed as themselves, by the account's own key and never by an agent. */
export const isUserSigned = (actionType: string): boolean => Object.hasOwn(USER_SIGNED, actionType);

/** Lower-case address that signed a user-signed action, or null (also for a type that is not user-signed). */
export function recoverUserSigner(action: JsonObject, signature: Signature): string | null {
  const spec = USER_SIGNED[String(action.type)];
  const chainId = Number(action.signatureChainId);
  if (spec === undefined || !Number.isSafeInteger(chainId) || chainId < 0) return null;
  const [primaryType, fields] = spec;
  try {
    // An unnamed agent is signed with the empty name and sent without one.
    const values = { agentName: "", fromSubAccount: "", ...action };
    const message = structHash(`HyperliquidTransaction:${primaryType}`, fields, values);
    return recover(typedDataHash("HyperliquidSignTransaction", chainId, message), signature);
  } catch {
    return null;
  }
}
