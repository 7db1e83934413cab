/**
 * Seeded pseudo-random numbers for simulation: equal seeds give equal sequences on every machine.
 * Not for keys. Source: xoshiro128** 1.1 (Blackman & Vigna, 2018), seeded by splitmix32.
 */
import { assert } from "./errors.ts";

export type Prng = {
  /** Uniform in [0, 2^32). */
  uint32(): number;
  /** Uniform in [0, 1), 32 bits of resolution. */
  unit(): number;
  /** Uniform integer in [0, bound), bound 1 to 2^32; unbiased by rejection. */
  below(bound: number): number;
  /** An independent generator for a named part, so that adding a part shifts no other. */
  fork(label: string): Prng;
};

export function createPrng(seed: number | string): Prng {
  let mix = typeof seed === "number" ? seed >>> 0 : hashLabel(0x9e3779b9, seed);
  const splitmix = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const origin = mix;
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()];
  if ((a | b | c | d) === 0) a = 1;

  const uint32 = () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotateLeft(d, 11);
    return result;
  };
  const prng: Prng = {
    uint32,
    unit: () => uint32() / 4294967296,
    below: (bound) => {
      assert(bound >= 1 && bound <= 4294967296, "a random bound is 1 to 2^32");
      const limit = 4294967296 - (4294967296 % bound);
      for (;;) {
        const value = uint32();
        if (value < limit) return value % bound;
      }
    },
    fork: (label) => createPrng(hashLabel(origin, label)),
  };
  return prng;
}

function rotateLeft(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/** FNV-1a over UTF-16 units, started from `basis`. */
function hashLabel(basis: number, label: string): number {
  let hash = basis >>> 0;
  for (let i = 0; i < label.length; i++) {
    hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash;
}
