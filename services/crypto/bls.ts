/**
 * BLS signatures over BLS12-381, keys in G1 (48 bytes) and signatures in G2 (96 bytes): many oracle
 * members sign one report, and one 96-byte certificate proves it.
 *
 * Source: draft-irtf-cfrg-bls-signature, the proof-of-possession scheme, ciphersuite
 * BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_ (Ethereum's). Safe because every point that comes in
 * is checked for its subgroup, infinity is refused, and a key joins a committee only with its proof
 * of possession: without it, aggregate verification is forgeable by rogue keys.
 */
import * as engine from "#native/bls.ts";
import { assert } from "../primitives/errors.ts";
import * as portable from "./portable/bls.ts";

export const BLS_SECRET_KEY_BYTES = 32;
export const BLS_PUBLIC_KEY_BYTES = 48;
export const BLS_SIGNATURE_BYTES = 96;

export type BlsSigned = {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
};
export type BlsAggregate = {
  readonly signature: Uint8Array;
  readonly message: Uint8Array; // the same for all
  readonly publicKeys: readonly Uint8Array[]; // each with a verified proof of possession
};

/** KeyGen (draft section 2.3). @param seed - at least 32 secret bytes; @returns 32 bytes */
export function blsSecretKey(seed: Uint8Array): Uint8Array {
  assert(seed.length >= 32, "a BLS seed has at least 32 bytes");
  return engine.secretKeyOf(seed);
}

/** @param secretKey - 32 bytes, big-endian, in [1, r-1]; @returns 48 bytes */
export function blsPublicKey(secretKey: Uint8Array): Uint8Array {
  assert(secretKey.length === BLS_SECRET_KEY_BYTES, "a BLS secret key has 32 bytes");
  return engine.publicKeyOf(secretKey);
}

export function signBls(input: {
  readonly message: Uint8Array;
  readonly secretKey: Uint8Array;
}): Uint8Array {
  assert(input.secretKey.length === BLS_SECRET_KEY_BYTES, "a BLS secret key has 32 bytes");
  return engine.sign(input);
}

/** False for anything malformed, outside its subgroup or at infinity; never throws. */
export function verifyBls({ signature, message, publicKey }: BlsSigned): boolean {
  return verifyBlsAggregate({ signature, message, publicKeys: [publicKey] });
}

/** The sum of signatures that were each verified. At least one; throws on a malformed one. */
export function aggregateBlsSignatures(signatures: readonly Uint8Array[]): Uint8Array {
  assert(signatures.length > 0, "an aggregate has at least one signature");
  return engine.aggregate(signatures);
}

/** FastAggregateVerify (draft section 3.3.4). False for no keys at all; never throws. */
export function verifyBlsAggregate(aggregate: BlsAggregate): boolean {
  if (aggregate.signature.length !== BLS_SIGNATURE_BYTES) return false;
  if (aggregate.publicKeys.length === 0) return false;
  for (const key of aggregate.publicKeys) if (key.length !== BLS_PUBLIC_KEY_BYTES) return false;
  return engine.verifyAggregate(aggregate);
}

/** PopProve (draft section 3.3.2): a signature of the key itself under a tag of its own. */
export function proveBlsPossession(secretKey: Uint8Array): Uint8Array {
  assert(secretKey.length === BLS_SECRET_KEY_BYTES, "a BLS secret key has 32 bytes");
  return portable.provePossession(secretKey);
}

/** PopVerify (draft section 3.3.3). Rare and slow (about 15 ms): once when a key is registered. */
export function verifyBlsPossession(claim: {
  readonly possession: Uint8Array;
  readonly publicKey: Uint8Array;
}): boolean {
  if (claim.possession.length !== BLS_SIGNATURE_BYTES) return false;
  if (claim.publicKey.length !== BLS_PUBLIC_KEY_BYTES) return false;
  return portable.verifyPossession(claim);
}
