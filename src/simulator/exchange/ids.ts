/**
 * Identifiers made like the venue's: transaction hashes and trade ids are hashes, so that nothing can be derived from
 * their order. Guarantees: pure functions of their inputs, the same on every machine.
 */
const MASK_64 = (1n << 64n) - 1n;

export const ZERO_HASH = `0x${"0".repeat(64)}`;

function mix32(h: number, value: number): number {
  let x = Math.imul(h ^ value, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * A transaction hash in the venue's shape: ten bytes, 04, the block number, length and number of the action in it, no
 * sub-action, and random bytes (facts §10.1).
 */
export function transactionHash(seed: number, height: number, index: number): string {
  let state = mix32(mix32(mix32(seed, height >>> 0), Math.floor(height / 4294967296)), index);
  let random = "";
  for (let word = 0; word < 6; word++) {
    state = mix32(state, word + 1);
    random += state.toString(16).padStart(8, "0");
  }
  const hex = (value: number, bytes: number) => value.toString(16).padStart(2 * bytes, "0");
  const middle = `04${hex(height >>> 0, 4)}02${hex(index & 0xffff, 2)}00`;
  return `0x${random.slice(0, 20)}${middle}${random.slice(20, 46)}`;
}

/** 50-bit hash of (buyer oid, seller oid), as the venue's docs define `tid`. Never 0, which is the tid of dust. */
export function tradeId(buyerOid: number, sellerOid: number): number {
  const low = mix32(mix32(0x51ed270b, buyerOid >>> 0), sellerOid >>> 0);
  const high = mix32(
    mix32(low, Math.floor(buyerOid / 4294967296)),
    Math.floor(sellerOid / 4294967296) ^ 0x2545f491,
  );
  return (high & 0x3ffff) * 4294967296 + low || 1;
}

/** An address made of a name: for simulated traders, vaults and sub-accounts. */
export function addressOf(seed: number, name: string): string {
  let h = 0xcbf29ce484222325n ^ BigInt(seed >>> 0);
  let text = "";
  for (let part = 0; part < 3; part++) {
    for (let i = 0; i < name.length; i++)
      h = ((h ^ BigInt(name.charCodeAt(i) + part)) * 0x100000001b3n) & MASK_64;
    h = ((h ^ (h >> 29n)) * 0xbf58476d1ce4e5b9n) & MASK_64;
    text += h.toString(16).padStart(16, "0");
  }
  return `0x${text.slice(0, 40)}`;
}
