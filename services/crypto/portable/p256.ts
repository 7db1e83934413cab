/** P-256 by @noble/curves. Lengths and the key's form are checked by the door. */
import { p256 } from "@noble/curves/nist.js";
import type { P256Signed } from "../p256.ts";

/** noble refuses high S unless told otherwise: it would refuse every second secure element. */
const RULE = { prehash: true, lowS: false, format: "compact" } as const;

export function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return p256.getPublicKey(secretKey, true);
}

export function sign(input: { message: Uint8Array; secretKey: Uint8Array }): Uint8Array {
  return p256.sign(input.message, input.secretKey, { ...RULE, extraEntropy: false });
}

export function verify({ signature, message, publicKey }: P256Signed): boolean {
  try {
    return p256.verify(signature, message, publicKey, RULE);
  } catch {
    return false;
  }
}

export function registrable(publicKey: Uint8Array): boolean {
  try {
    p256.Point.fromBytes(publicKey);
    return true;
  } catch {
    return false;
  }
}
