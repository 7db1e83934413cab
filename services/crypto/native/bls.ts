/** BLS12-381 by blst. Falls back to the portable engine without the addon. */
import type { PublicKey } from "@chainsafe/blst";
import { BLS_KEYS_CACHED_MAX } from "../../primitives/limits.ts";
import type { BlsAggregate } from "../bls.ts";
import * as portable from "../portable/bls.ts";
import { blst } from "./addons.ts";
import { KeyCache } from "./key-cache.ts";

const accelerator = blst();

export function secretKeyOf(seed: Uint8Array): Uint8Array {
  if (accelerator === null) return portable.secretKeyOf(seed);
  return accelerator.SecretKey.fromKeygen(seed).toBytes();
}

export function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  if (accelerator === null) return portable.publicKeyOf(secretKey);
  return accelerator.SecretKey.fromBytes(secretKey).toPublicKey().toBytes(true);
}

export function sign(input: { message: Uint8Array; secretKey: Uint8Array }): Uint8Array {
  if (accelerator === null) return portable.sign(input);
  return accelerator.SecretKey.fromBytes(input.secretKey).sign(input.message).toBytes(true);
}

export function aggregate(signatures: readonly Uint8Array[]): Uint8Array {
  if (accelerator === null) return portable.aggregate(signatures);
  return accelerator.aggregateSerializedSignatures([...signatures], true).toBytes(true);
}

/** Keys that passed the infinity and subgroup checks: a committee's keys come back every slot. */
const keys = new KeyCache<PublicKey>(BLS_KEYS_CACHED_MAX, (bytes) => {
  try {
    return accelerator?.PublicKey.fromBytes(bytes, true) ?? null;
  } catch {
    return null;
  }
});

export function verifyAggregate(signed: BlsAggregate): boolean {
  if (accelerator === null) return portable.verifyAggregate(signed);
  const publicKeys: PublicKey[] = [];
  for (const bytes of signed.publicKeys) {
    const key = keys.get(bytes);
    if (key === null) return false;
    publicKeys.push(key);
  }
  try {
    const signature = accelerator.Signature.fromBytes(signed.signature, true, true);
    return accelerator.fastAggregateVerify(signed.message, publicKeys, signature, false);
  } catch {
    return false;
  }
}
