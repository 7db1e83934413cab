/**
 * The readings tree of a report: which signed records stand behind it.
 *
 * Leaf i belongs to the meter with index i: the salted leaf of the newest record of that meter that
 * this report uses, in its own column or as late energy; 32 zero bytes where it uses none. Older
 * records of the meter are committed to through `previousHash` of that one. SSZ list: padded to
 * METERS_PER_REGION_MAX, length mixed in, so a leaf's place in the tree is the meter's index.
 */
import { CHUNK_BYTES, merkleProof, merkleRoot, mixInLength } from "../crypto/merkle.ts";
import { assert } from "../primitives/errors.ts";
import { METERS_PER_REGION_MAX } from "../primitives/limits.ts";

/** The leaves by meter, 32 bytes each; zeros for none. */
export function packLeaves(leaves: readonly (Uint8Array | undefined)[]): Uint8Array {
  const packed = new Uint8Array(CHUNK_BYTES * leaves.length);
  leaves.forEach((leaf, i) => {
    if (leaf !== undefined) packed.set(leaf, CHUNK_BYTES * i);
  });
  return packed;
}

export function readingsRoot(packed: Uint8Array): Uint8Array {
  return mixInLength(merkleRoot(packed, METERS_PER_REGION_MAX), leafCount(packed));
}

/** Siblings from the leaf of a meter to the readings root, the list's length last. */
export function readingSiblings(packed: Uint8Array, meterIndex: number): Uint8Array[] {
  assert(meterIndex < leafCount(packed), "a leaf is of one of the meters");
  const length = new Uint8Array(CHUNK_BYTES);
  new DataView(length.buffer).setUint32(0, leafCount(packed), true);
  const path = merkleProof({ chunks: packed, index: meterIndex, limit: METERS_PER_REGION_MAX });
  return [...path, length];
}

function leafCount(packed: Uint8Array): number {
  assert(packed.length % CHUNK_BYTES === 0, "leaves are 32 bytes each");
  return Math.floor(packed.length / CHUNK_BYTES);
}
