/** secp256k1 by libsecp256k1. Falls back to the portable engine without the addon. */
import { compareBytes, concatBytes, fromHex } from "../../primitives/bytes.ts";
import { assert } from "../../primitives/errors.ts";
import * as portable from "../portable/secp256k1.ts";
import type { RecoverableDigest, RecoverableSignature } from "../secp256k1.ts";
import { secp256k1 } from "./addons.ts";

const accelerator = secp256k1();
const ORDER = fromHex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

export function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  if (accelerator === null) return portable.publicKeyOf(secretKey);
  return accelerator.publicKeyCreate(secretKey, false);
}

export function sign(input: { digest: Uint8Array; secretKey: Uint8Array }): RecoverableSignature {
  // libsecp256k1 derives the nonce from the raw digest, RFC 6979 from the digest mod n: they part
  // where the digest is not below n (2^-128 for a hash), and there the RFC is right.
  if (accelerator === null || compareBytes(input.digest, ORDER) >= 0) return portable.sign(input);
  const { signature, recid } = accelerator.ecdsaSign(input.digest, input.secretKey);
  assert(recid === 0 || recid === 1, "R.x is below n");
  return { r: signature.slice(0, 32), s: signature.slice(32), yParity: recid };
}

/** 65 bytes, uncompressed, or null. */
export function recover(signed: RecoverableDigest): Uint8Array | null {
  if (accelerator === null) return portable.recover(signed);
  try {
    const signature = concatBytes([signed.r, signed.s]);
    return accelerator.ecdsaRecover(signature, signed.yParity, signed.digest, false);
  } catch {
    return null;
  }
}
