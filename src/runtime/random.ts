/**
 * Randomness as a parameter. `seededRandom` is reproducible across machines; `systemRandom` is for production.
 * Neither is for secrets.
 */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

export const systemRandom: Random = { next: () => Math.random() };

/** 32-bit FNV-1a of a text: the base of every "decided by hash(seed, subject, attempt)". */
export function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  // One avalanche round, since FNV leaves the high bits of short texts weak.
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** mulberry32: one 32-bit word of state, passes the usual small-generator tests, the same everywhere. */
export function seededRandom(seed: number | string): Random {
  let state = typeof seed === "string" ? hash32(seed) : seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    },
  };
}
