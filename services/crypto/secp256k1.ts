/**
 * ECDSA over secp256k1 with address recovery: the signatures of Ethereum wallets.
 *
 * Low S only (EIP-2), so a transaction has one signature and its hash is unique. Deterministic
 * nonces (RFC 6979). Source of the address rule: Ethereum yellow paper, appendix F.
 */
import { publicKeyOf, recover, sign } from "#native/secp256k1.ts";
import { compareBytes, fromHex } from "../primitives/bytes.ts";
import { assert } from "../primitives/errors.ts";
import { keccak256 } from "./hash.ts";

export const ADDRESS_BYTES = 20;
/** floor(n / 2), n the order of the group: the largest S that EIP-2 allows. */
const LOW_S_MAX = fromHex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");

export type RecoverableSignature = {
  readonly r: Uint8Array; // 32 bytes, big-endian
  readonly s: Uint8Array; // 32 bytes, big-endian
  readonly yParity: 0 | 1;
};
export type RecoverableDigest = {
  readonly digest: Uint8Array; // 32 bytes
  readonly r: Uint8Array;
  readonly s: Uint8Array;
  readonly yParity: number; // 0 or 1; anything else recovers nothing
};

/** @param secretKey - 32 bytes, big-endian, in [1, n-1]; @returns the 20-byte address */
export function secp256k1Address(secretKey: Uint8Array): Uint8Array {
  assert(secretKey.length === 32, "a secp256k1 secret key has 32 bytes");
  return addressOf(publicKeyOf(secretKey));
}

export function signSecp256k1(input: {
  readonly digest: Uint8Array;
  readonly secretKey: Uint8Array; // 32 bytes
}): RecoverableSignature {
  assert(input.digest.length === 32, "what is signed is a 32-byte digest");
  assert(input.secretKey.length === 32, "a secp256k1 secret key has 32 bytes");
  return sign(input);
}

/** The signer's address, or null if no key can have made this signature or S is high (EIP-2). */
export function recoverAddress(signed: RecoverableDigest): Uint8Array | null {
  if (signed.s.length !== 32 || compareBytes(signed.s, LOW_S_MAX) > 0) return null;
  return recoverAddressAnyS(signed);
}

/** Without the low-S rule: the EVM's ECRECOVER precompile alone, which EIP-2 left unchanged. */
export function recoverAddressAnyS(signed: RecoverableDigest): Uint8Array | null {
  const { digest, r, s, yParity } = signed;
  if (digest.length !== 32 || r.length !== 32 || s.length !== 32) return null;
  if (yParity !== 0 && yParity !== 1) return null;
  const publicKey = recover({ digest, r, s, yParity });
  return publicKey === null ? null : addressOf(publicKey);
}

/** @param publicKey - 65 bytes, uncompressed */
function addressOf(publicKey: Uint8Array): Uint8Array {
  return keccak256(publicKey.subarray(1)).slice(12);
}
