/**
 * The readings tree of a report: which signed records stand behind it.
 *
 * Leaf i belongs to the meter with index i: the salted leaf of the newest record of that meter that
 * this report uses, in its own column or as late energy; 32 zero bytes where it uses none. Older
 * records of the meter are committed to through `previousHash` of that one. SSZ list: padded to
 * METERS_PER_REGION_MAX, length mixed in, so a leaf's place in the tree is the meter's index.
 */
import { CHUNK_BYTES, merkleRoot, mixInLength } from "../crypto/merkle.ts";
import { METERS_PER_REGION_MAX } from "../primitives/limits.ts";

export function readingsRoot(leaves: readonly (Uint8Array | undefined)[]): Uint8Array {
  return mixInLength(merkleRoot(leafChunks(leaves), METERS_PER_REGION_MAX), leaves.length);
}

function leafChunks(leaves: readonly (Uint8Array | undefined)[]): Uint8Array {
  const chunks = new Uint8Array(CHUNK_BYTES * leaves.length);
  leaves.forEach((leaf, i) => {
    if (leaf !== undefined) chunks.set(leaf, CHUNK_BYTES * i);
  });
  return chunks;
}
