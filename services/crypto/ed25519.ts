/**
 * Ed25519 signatures (RFC 8032), verified by the rule of ZIP-215.
 *
 * Consensus rule. RFC 8032 leaves room, and libraries differ on a dozen known cases, so the chain
 * names one rule: ZIP-215, which CometBFT uses too. S must be canonical (below the group order); A
 * and R are decoded even if not canonical or of small order; the equation is the cofactored one,
 * 8*S*B = 8*R + 8*k*A. Its accept set is a fixed fact of the bytes, also in a batch.
 *
 * Two engines, one answer: libsodium checks the cofactorless equation and more besides, so what it
 * accepts, ZIP-215 accepts; what it rejects, @noble/curves decides. A reject therefore costs about
 * a millisecond: whoever feeds untrusted bytes in MUST charge rejects to their sender. Keys pass
 * `isRegistrableEd25519Key` before they enter state, which removes the cases that libraries
 * disagree on.
 */
import { publicKeyOf, registrable, sign, verify } from "#native/ed25519.ts";
import { assert } from "../primitives/errors.ts";

export const ED25519_KEY_BYTES = 32;
export const ED25519_SIGNATURE_BYTES = 64;

export type Ed25519Signed = {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
};

/** @param secretKey - 32 bytes, the seed of RFC 8032 */
export function ed25519PublicKey(secretKey: Uint8Array): Uint8Array {
  assert(secretKey.length === ED25519_KEY_BYTES, "an Ed25519 secret key has 32 bytes");
  return publicKeyOf(secretKey);
}

/** Deterministic: equal inputs give equal 64 bytes. */
export function signEd25519(input: {
  readonly message: Uint8Array;
  readonly secretKey: Uint8Array; // 32 bytes
}): Uint8Array {
  assert(input.secretKey.length === ED25519_KEY_BYTES, "an Ed25519 secret key has 32 bytes");
  return sign(input);
}

/** ZIP-215. False for anything malformed; never throws. */
export function verifyEd25519(signed: Ed25519Signed): boolean {
  if (signed.signature.length !== ED25519_SIGNATURE_BYTES) return false;
  if (signed.publicKey.length !== ED25519_KEY_BYTES) return false;
  return verify(signed);
}

/** Whether a key may enter state: on the curve, canonically encoded, not of small order. */
export function isRegistrableEd25519Key(publicKey: Uint8Array): boolean {
  return publicKey.length === ED25519_KEY_BYTES && registrable(publicKey);
}
