/**
 * BLS12-381 by @noble/curves, which checks curve and subgroup as it decodes and refuses infinity in
 * every pairing. Possession proofs are made and checked here on every machine, because the native
 * binding has no domain tag but the one for messages.
 */
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { expand, extract } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, utf8 } from "../../primitives/bytes.ts";
import type { BlsAggregate } from "../bls.ts";

const MESSAGE_TAG = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
const POSSESSION_TAG = "BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
const scheme = bls12_381.longSignatures;
const { Fr } = bls12_381.fields;

/** L = ceil(1.5 * 255 / 8): enough bytes that the reduction is not biased. */
const KEYGEN_BYTES = 48;

export function secretKeyOf(seed: Uint8Array): Uint8Array {
  let salt = sha256(utf8("BLS-SIG-KEYGEN-SALT-"));
  for (;;) {
    const key = extract(sha256, concatBytes([seed, Uint8Array.of(0)]), salt);
    const bytes = expand(sha256, key, Uint8Array.of(0, KEYGEN_BYTES), KEYGEN_BYTES);
    let scalar = 0n;
    for (const byte of bytes) scalar = (scalar * 256n + BigInt(byte)) % Fr.ORDER;
    if (scalar !== 0n) return Fr.toBytes(scalar);
    salt = sha256(salt);
  }
}

export function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return scheme.getPublicKey(secretKey).toBytes(true);
}

export function sign(input: { message: Uint8Array; secretKey: Uint8Array }): Uint8Array {
  const point = scheme.sign(scheme.hash(input.message, MESSAGE_TAG), input.secretKey);
  return scheme.Signature.toBytes(point);
}

export function aggregate(signatures: readonly Uint8Array[]): Uint8Array {
  return scheme.Signature.toBytes(scheme.aggregateSignatures([...signatures]));
}

export function verifyAggregate({ signature, message, publicKeys }: BlsAggregate): boolean {
  try {
    const keys = publicKeys.map((bytes) => bls12_381.G1.Point.fromBytes(bytes));
    if (keys.some((key) => key.is0())) return false;
    const sum = scheme.aggregatePublicKeys(keys);
    return scheme.verify(signature, scheme.hash(message, MESSAGE_TAG), sum);
  } catch {
    return false;
  }
}

export function provePossession(secretKey: Uint8Array): Uint8Array {
  const hashed = scheme.hash(publicKeyOf(secretKey), POSSESSION_TAG);
  return scheme.Signature.toBytes(scheme.sign(hashed, secretKey));
}

export function verifyPossession(claim: {
  possession: Uint8Array;
  publicKey: Uint8Array;
}): boolean {
  try {
    const hashed = scheme.hash(claim.publicKey, POSSESSION_TAG);
    return scheme.verify(claim.possession, hashed, claim.publicKey);
  } catch {
    return false;
  }
}
