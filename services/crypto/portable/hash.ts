/** Hashing by @noble/hashes: no dependency on the platform. The twin of `native/hash.ts`. */
import { hkdf as nobleHkdf } from "@noble/hashes/hkdf.js";
import { hmac as nobleHmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { HkdfInput } from "../hash.ts";

export function sha256Of(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return sha256(parts[0]!);
  const state = sha256.create();
  for (const part of parts) state.update(part);
  return state.digest();
}

export function sha256OfStream(pieces: Iterable<Uint8Array>): Uint8Array {
  const state = sha256.create();
  for (const piece of pieces) state.update(piece);
  return state.digest();
}

export function hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return nobleHmac(sha256, key, message);
}

export function hkdf({ secret, salt, info, length }: HkdfInput): Uint8Array {
  return nobleHkdf(sha256, secret, salt, info, length);
}

export function pairsInto(pairs: Uint8Array, out: Uint8Array): void {
  for (let i = 0; i < out.length; i += 32) {
    out.set(sha256(pairs.subarray(2 * i, 2 * i + 64)), i);
  }
}
