/** Ed25519 by @noble/curves, whose default rule is ZIP-215. Lengths are checked by the door. */
import { ed25519 } from "@noble/curves/ed25519.js";
import type { Ed25519Signed } from "../ed25519.ts";

export function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(secretKey);
}

export function sign(input: { message: Uint8Array; secretKey: Uint8Array }): Uint8Array {
  return ed25519.sign(input.message, input.secretKey);
}

export function verify({ signature, message, publicKey }: Ed25519Signed): boolean {
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: true });
  } catch {
    return false; // noble throws on some malformed points
  }
}

export function registrable(publicKey: Uint8Array): boolean {
  try {
    return !ed25519.Point.fromBytes(publicKey, false).isSmallOrder();
  } catch {
    return false;
  }
}
