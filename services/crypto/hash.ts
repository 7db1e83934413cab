/**
 * Hashes: SHA-256 for trees and identifiers, Keccak-256 for Ethereum addresses, HMAC and HKDF.
 *
 * Safe because both engines run the same vectors (FIPS 180-4, RFC 4231, RFC 5869) and a property
 * that they agree. Every result is a fresh, plain Uint8Array that the caller may keep.
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { hkdf, hmac, pairsInto, sha256Of, sha256OfStream } from "#native/hash.ts";
import { assert } from "../primitives/errors.ts";

/** HKDF's own bound: 255 blocks of one hash (RFC 5869, section 2.3). */
export const HKDF_LENGTH_MAX = 255 * 32;

/** SHA-256 of the parts one after another: 32 bytes. Parts of variable length need a length. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return sha256Of(parts);
}

/** SHA-256 of pieces that are made one by one, so that their whole never stands in memory. */
export function sha256Stream(pieces: Iterable<Uint8Array>): Uint8Array {
  return sha256OfStream(pieces);
}

/** Keccak-256 as Ethereum uses it (the padding before FIPS 202): 32 bytes. */
export function keccak256(bytes: Uint8Array): Uint8Array {
  return keccak_256(bytes);
}

/** HMAC-SHA-256 (RFC 2104): 32 bytes. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(key, message);
}

export type HkdfInput = {
  readonly secret: Uint8Array;
  readonly salt: Uint8Array; // may be empty
  readonly info: Uint8Array; // names what the output is for
  readonly length: number; // bytes, 1 to HKDF_LENGTH_MAX
};

/** HKDF-SHA-256, extract and expand (RFC 5869): `length` bytes. */
export function hkdfSha256(input: HkdfInput): Uint8Array {
  const { length } = input;
  assert(Number.isSafeInteger(length) && length > 0, "HKDF gives a whole number of bytes");
  assert(length <= HKDF_LENGTH_MAX, "HKDF gives at most 255 blocks");
  return hkdf(input);
}

/** SHA-256 of each 64-byte pair of `pairs` (n * 64 bytes): n * 32 bytes, in one native call. */
export function hashPairs(pairs: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.floor(pairs.length / 2));
  hashPairsInto(pairs, out);
  return out;
}

/** Like `hashPairs`, into memory of the caller, which MUST NOT overlap the pairs. */
export function hashPairsInto(pairs: Uint8Array, out: Uint8Array): void {
  assert(pairs.length % 64 === 0, "pairs are 64 bytes each");
  assert(out.length * 2 === pairs.length, "each pair gives 32 bytes");
  pairsInto(pairs, out);
}
