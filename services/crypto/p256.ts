/**
 * ECDSA over NIST P-256 with SHA-256 (FIPS 186-5): the curve of secure elements in meters.
 *
 * Accept set, the same on both engines: the key is 33 bytes, compressed, canonical, on the curve;
 * the signature is 64 bytes, r || s, each in [1, n-1]. High S is accepted, since secure elements do
 * not normalise it, so a signature is NOT a unique identifier: never key a store by it.
 */
import { publicKeyOf, registrable, sign, verify } from "#native/p256.ts";
import { assert } from "../primitives/errors.ts";

export const P256_SECRET_KEY_BYTES = 32;
export const P256_PUBLIC_KEY_BYTES = 33;
export const P256_SIGNATURE_BYTES = 64;

export type P256Signed = {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
};

/** @param secretKey - 32 bytes, big-endian, in [1, n-1]; @returns 33 bytes, compressed */
export function p256PublicKey(secretKey: Uint8Array): Uint8Array {
  assert(secretKey.length === P256_SECRET_KEY_BYTES, "a P-256 secret key has 32 bytes");
  return publicKeyOf(secretKey);
}

/** Deterministic nonce (RFC 6979), S as it falls: 64 bytes, r || s. */
export function signP256(input: {
  readonly message: Uint8Array;
  readonly secretKey: Uint8Array; // 32 bytes
}): Uint8Array {
  assert(input.secretKey.length === P256_SECRET_KEY_BYTES, "a P-256 secret key has 32 bytes");
  return sign(input);
}

/** False for anything malformed; never throws. */
export function verifyP256(signed: P256Signed): boolean {
  return (
    signed.signature.length === P256_SIGNATURE_BYTES &&
    isCompressed(signed.publicKey) &&
    verify(signed)
  );
}

/** Whether a key may enter state: compressed, canonical, on the curve (of prime order). */
export function isRegistrableP256Key(publicKey: Uint8Array): boolean {
  return isCompressed(publicKey) && registrable(publicKey);
}

function isCompressed(publicKey: Uint8Array): boolean {
  if (publicKey.length !== P256_PUBLIC_KEY_BYTES) return false;
  return publicKey[0] === 2 || publicKey[0] === 3;
}
