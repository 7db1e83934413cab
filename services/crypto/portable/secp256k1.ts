/** secp256k1 by @noble/curves. Lengths and the low-S rule are the door's. */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { concatBytes } from "../../primitives/bytes.ts";
import { assert } from "../../primitives/errors.ts";
import type { RecoverableDigest, RecoverableSignature } from "../secp256k1.ts";

export function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return secp256k1.getPublicKey(secretKey, false);
}

export function sign(input: { digest: Uint8Array; secretKey: Uint8Array }): RecoverableSignature {
  const signed = secp256k1.sign(input.digest, input.secretKey, {
    prehash: false,
    lowS: true,
    format: "recovered",
    extraEntropy: false,
  });
  const yParity = signed[0];
  // 2 and 3 mean that R.x overflowed n: a chance of 2^-128.
  assert(yParity === 0 || yParity === 1, "R.x is below n");
  return { r: signed.slice(1, 33), s: signed.slice(33), yParity };
}

/** 65 bytes, uncompressed, or null. */
export function recover({ digest, r, s, yParity }: RecoverableDigest): Uint8Array | null {
  try {
    const signature = concatBytes([Uint8Array.of(yParity), r, s]);
    const compressed = secp256k1.recoverPublicKey(signature, digest, { prehash: false });
    return secp256k1.Point.fromBytes(compressed).toBytes(false);
  } catch {
    return null;
  }
}
