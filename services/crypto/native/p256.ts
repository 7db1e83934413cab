/**
 * P-256 by OpenSSL. Importing a key costs as much as verifying with it, so imported keys are kept,
 * least recently used out first. Signing stays portable: OpenSSL 3.0 has no RFC 6979 nonces.
 */
import { createPublicKey, type KeyObject, verify as opensslVerify } from "node:crypto";
import { concatBytes, fromHex } from "../../primitives/bytes.ts";
import { P256_KEYS_CACHED_MAX } from "../../primitives/limits.ts";
import type { P256Signed } from "../p256.ts";
import * as portable from "../portable/p256.ts";
import { KeyCache } from "./key-cache.ts";

export const publicKeyOf = portable.publicKeyOf;
export const sign = portable.sign;

/** SubjectPublicKeyInfo {ecPublicKey, prime256v1} up to the point, which is compressed here. */
const SPKI_HEAD = fromHex("3039301306072a8648ce3d020106082a8648ce3d030107032200");

const keys = new KeyCache<KeyObject>(P256_KEYS_CACHED_MAX, importKey);

function importKey(publicKey: Uint8Array): KeyObject | null {
  try {
    const der = concatBytes([SPKI_HEAD, publicKey]);
    return createPublicKey({ key: Buffer.from(der.buffer), format: "der", type: "spki" });
  } catch {
    return null;
  }
}

export function verify({ signature, message, publicKey }: P256Signed): boolean {
  const key = keys.get(publicKey);
  if (key === null) return false;
  try {
    return opensslVerify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
  } catch {
    return false;
  }
}

export function registrable(publicKey: Uint8Array): boolean {
  return importKey(publicKey) !== null;
}
