/** Ed25519 by libsodium; what it rejects, or cannot read, the portable engine decides. */
import { bytesEqual } from "../../primitives/bytes.ts";
import type { Ed25519Signed } from "../ed25519.ts";
import * as portable from "../portable/ed25519.ts";
import { sodium } from "./addons.ts";

const accelerator = sodium();

export const registrable = portable.registrable;

export function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return accelerator === null
    ? portable.publicKeyOf(secretKey)
    : expand(secretKey).publicKey.slice();
}

export function sign(input: { message: Uint8Array; secretKey: Uint8Array }): Uint8Array {
  if (accelerator === null) return portable.sign(input);
  const signature = new Uint8Array(64);
  accelerator.crypto_sign_detached(
    signature,
    unshared(input.message),
    expand(input.secretKey).expanded,
  );
  return signature;
}

type KeyPair = { readonly publicKey: Uint8Array; readonly expanded: Uint8Array };

/** By the array itself, so a key is forgotten with its owner; a signer expands its key once. */
const keyPairs = new WeakMap<Uint8Array, KeyPair>();

/** Expanding costs as much as signing. The check guards against an array that was written to. */
function expand(secretKey: Uint8Array): KeyPair {
  const known = keyPairs.get(secretKey);
  if (known !== undefined && bytesEqual(known.expanded.subarray(0, 32), secretKey)) return known;
  const keyPair = { publicKey: new Uint8Array(32), expanded: new Uint8Array(64) };
  accelerator?.crypto_sign_seed_keypair(keyPair.publicKey, keyPair.expanded, unshared(secretKey));
  keyPairs.set(secretKey, keyPair);
  return keyPair;
}

export function verify(signed: Ed25519Signed): boolean {
  return verifyBySodium(signed) || portable.verify(signed);
}

/** libsodium alone: a subset of ZIP-215. `verify` is the rule; tests pin the answers of this. */
export function verifyBySodium({ signature, message, publicKey }: Ed25519Signed): boolean {
  if (accelerator === null) return false;
  return (
    accelerator.crypto_sign_verify_detached(
      unshared(signature),
      unshared(message),
      unshared(publicKey),
    ) === true
  );
}

/** The binding does nothing, without an error, for views of a SharedArrayBuffer: hand it a copy. */
function unshared(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
}
