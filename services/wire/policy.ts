/**
 * The law of a region as its lane holds it: which mechanism rules, at which prices of the retailer,
 * since when and by whose decision. Lies in a lane's memory as the chunks of the SSZ container
 *
 *   Policy = Container {
 *     fromSlot:       uint64      the first slot it rules
 *     mechanism:      uint8       MECHANISM_CODE
 *     retailUcPerWh:  uint32      two's complement, as all prices
 *     feedInUcPerWh:  uint32
 *     lawHash:        Bytes32     what made it law: genesis, or the proposal that was executed
 *   }
 *
 * so its root is hashed from memory as it lies. @chainsafe/ssz is the oracle of the tests.
 */
import { CHUNK_BYTES, merkleRoot } from "../crypto/merkle.ts";
import { bytesEqual } from "../primitives/bytes.ts";
import { assert, GridError } from "../primitives/errors.ts";
import { PRICE_UC_PER_WH_MAX } from "../primitives/limits.ts";
import type { Slot } from "../primitives/units.ts";
import type { Mechanism } from "./genesis.ts";

export type Policy = {
  readonly fromSlot: Slot;
  readonly mechanism: Mechanism;
  readonly retailUcPerWh: number;
  readonly feedInUcPerWh: number;
  readonly lawHash: Uint8Array; // 32 B
};

/** Append only: the number is hashed. */
export const MECHANISM_CODE = {
  "mid-market-rate": 0,
  "uniform-price": 1,
} as const satisfies Record<Mechanism, number>;

export const MECHANISMS = Object.keys(MECHANISM_CODE) as readonly Mechanism[];

const FIELDS = 5;
export const POLICY_BYTES = FIELDS * CHUNK_BYTES;

/** The container's chunks: POLICY_BYTES. */
export function encodePolicy(policy: Policy): Uint8Array {
  assert(isWholePolicy(policy), "a policy has whole numbers in range and a hash");
  const chunks = new Uint8Array(POLICY_BYTES);
  const view = new DataView(chunks.buffer);
  view.setBigUint64(0, BigInt(policy.fromSlot), true);
  view.setUint8(CHUNK_BYTES, MECHANISM_CODE[policy.mechanism]);
  view.setInt32(2 * CHUNK_BYTES, policy.retailUcPerWh, true);
  view.setInt32(3 * CHUNK_BYTES, policy.feedInUcPerWh, true);
  chunks.set(policy.lawHash, 4 * CHUNK_BYTES);
  return chunks;
}

/** Reads what `encodePolicy` wrote; null for anything else. */
export function readPolicy(chunks: Uint8Array): Policy | null {
  if (chunks.length !== POLICY_BYTES) return null;
  const view = new DataView(chunks.buffer, chunks.byteOffset, chunks.byteLength);
  const code = view.getUint8(CHUNK_BYTES);
  const entry = Object.entries(MECHANISM_CODE).find(([, known]) => known === code);
  if (entry === undefined) return null;
  const policy: Policy = {
    fromSlot: Number(view.getBigUint64(0, true)) as Slot,
    mechanism: entry[0] as Mechanism,
    retailUcPerWh: view.getInt32(2 * CHUNK_BYTES, true),
    feedInUcPerWh: view.getInt32(3 * CHUNK_BYTES, true),
    lawHash: chunks.slice(4 * CHUNK_BYTES),
  };
  // What stands between the numbers is hashed too: it must be zeros.
  return isWholePolicy(policy) && bytesEqual(encodePolicy(policy), chunks) ? policy : null;
}

/** @throws GridError bytes_malformed */
export function decodePolicy(bytes: Uint8Array): Policy {
  const policy = readPolicy(bytes);
  if (policy !== null) return policy;
  throw new GridError("bytes_malformed", "not a policy", { what: "policy", offset: 0 });
}

/** SSZ hash_tree_root of a policy's chunks. */
export function policyRoot(chunks: Uint8Array): Uint8Array {
  return merkleRoot(chunks, FIELDS);
}

/** Whether the policy has an encoding at all. */
export function isWholePolicy(policy: Policy): boolean {
  const prices = [policy.retailUcPerWh, policy.feedInUcPerWh];
  return (
    Number.isSafeInteger(policy.fromSlot) &&
    policy.fromSlot >= 0 &&
    Object.hasOwn(MECHANISM_CODE, policy.mechanism) &&
    prices.every((price) => Number.isSafeInteger(price)) &&
    prices.every((price) => Math.abs(price) <= PRICE_UC_PER_WH_MAX) &&
    policy.lawHash.length === CHUNK_BYTES
  );
}
