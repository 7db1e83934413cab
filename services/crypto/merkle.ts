/**
 * Binary Merkle trees over 32-byte chunks, as SSZ's `merkleize(chunks, limit)`: padded with zero
 * hashes to the next power of two of `limit`, so the depth of a proof is fixed by the schema.
 *
 * Safe because leaves are told from nodes by depth alone: a verifier MUST know the depth (the
 * length of the proof) from the schema and not from the prover. Lists mix in their length.
 * Levels are hashed whole by one native call; nothing is allocated per node.
 * Source: Ethereum consensus specifications, ssz/simple-serialize.md and merkle-proofs.md.
 */
import { bytesEqual } from "../primitives/bytes.ts";
import { assert } from "../primitives/errors.ts";
import { hashPairs, hashPairsInto, sha256 } from "./hash.ts";

export const CHUNK_BYTES = 32;
/** Levels of a tree: 2^40 leaves are SSZ's largest list, and an index stays a safe integer. */
export const MERKLE_DEPTH_MAX = 40;

/** ZERO_HASHES[d] is the root of an all-zero tree of depth d. */
const ZERO_HASHES: readonly Uint8Array[] = zeroHashes();

function zeroHashes(): Uint8Array[] {
  const hashes: Uint8Array[] = [new Uint8Array(CHUNK_BYTES)];
  for (let depth = 0; depth < MERKLE_DEPTH_MAX; depth++) {
    hashes.push(sha256(hashes[depth]!, hashes[depth]!));
  }
  return hashes;
}

/** Levels between a leaf and the root for at most `limit` chunks: ceil(log2(limit)), 0 for 0. */
export function merkleDepth(limit: number): number {
  assert(Number.isSafeInteger(limit) && limit >= 0, "a tree's limit is a whole number");
  let depth = 0;
  for (let width = 1; width < limit; width *= 2) depth++;
  assert(depth <= MERKLE_DEPTH_MAX, "a tree has at most 2^40 leaves");
  return depth;
}

function chunkCount(chunks: Uint8Array, limit: number): number {
  assert(chunks.length % CHUNK_BYTES === 0, "chunks are 32 bytes each");
  const count = Math.floor(chunks.length / CHUNK_BYTES);
  assert(count <= limit, "more chunks than the tree's limit");
  return count;
}

/**
 * @param chunks - n * 32 bytes, n at most `limit`
 * @param limit - the largest number of chunks the schema allows; fixes the depth
 */
export function merkleRoot(chunks: Uint8Array, limit: number): Uint8Array {
  const depth = merkleDepth(limit);
  let count = chunkCount(chunks, limit);
  if (count === 0) return ZERO_HASHES[depth]!.slice();
  let level = chunks;
  // Two buffers in turn: hashing must not read what it writes.
  let target = new Uint8Array(halfUp(count) * CHUNK_BYTES);
  let spare = new Uint8Array(halfUp(halfUp(count)) * CHUNK_BYTES);
  for (let d = 0; d < depth; d++) {
    hashLevel({ level, count, zero: ZERO_HASHES[d]!, target });
    count = halfUp(count);
    level = target;
    [target, spare] = [spare, target];
  }
  return level.slice(0, CHUNK_BYTES);
}

function halfUp(count: number): number {
  return Math.floor((count + 1) / 2);
}

type Level = {
  readonly level: Uint8Array;
  readonly count: number; // chunks of `level` in use
  readonly zero: Uint8Array; // stands beside a last chunk without sibling
  readonly target: Uint8Array;
};

function hashLevel({ level, count, zero, target }: Level): void {
  const pairs = Math.floor(count / 2);
  const whole = pairs * CHUNK_BYTES;
  if (pairs > 0) hashPairsInto(level.subarray(0, 2 * whole), target.subarray(0, whole));
  if (count % 2 === 0) return;
  const last = new Uint8Array(2 * CHUNK_BYTES);
  last.set(level.subarray(2 * whole, 2 * whole + CHUNK_BYTES));
  last.set(zero, CHUNK_BYTES);
  hashPairsInto(last, target.subarray(whole, whole + CHUNK_BYTES));
}

/** The root of a list: hash(root || length as a 256-bit little-endian integer). */
export function mixInLength(root: Uint8Array, length: number): Uint8Array {
  assert(root.length === CHUNK_BYTES, "a root has 32 bytes");
  assert(Number.isSafeInteger(length) && length >= 0, "a length is a whole number");
  const chunk = new Uint8Array(CHUNK_BYTES);
  new DataView(chunk.buffer).setBigUint64(0, BigInt(length), true);
  return sha256(root, chunk);
}

/** All levels of a tree, leaves first and without padding: for many proofs of one tree. */
export type MerkleLevels = readonly Uint8Array[];

export function merkleLevels(chunks: Uint8Array, limit: number): MerkleLevels {
  const depth = merkleDepth(limit);
  let count = chunkCount(chunks, limit);
  const levels = [chunks];
  for (let d = 0; d < depth; d++) {
    const target = new Uint8Array(halfUp(count) * CHUNK_BYTES);
    hashLevel({ level: levels[d]!, count, zero: ZERO_HASHES[d]!, target });
    levels.push(target);
    count = halfUp(count);
  }
  return levels;
}

/** The siblings of leaf `index`, from the leaf upwards, in O(depth). */
export function proofFromLevels(levels: MerkleLevels, index: number): Uint8Array[] {
  const depth = levels.length - 1;
  assert(Number.isSafeInteger(index) && index >= 0, "a leaf's index is a whole number");
  assert(index < 2 ** depth, "a leaf's index lies within the tree");
  const proof: Uint8Array[] = [];
  let at = index;
  for (let d = 0; d < depth; d++) {
    const start = (at % 2 === 0 ? at + 1 : at - 1) * CHUNK_BYTES;
    const level = levels[d]!;
    const sibling = start < level.length ? level.slice(start, start + CHUNK_BYTES) : null;
    proof.push(sibling ?? ZERO_HASHES[d]!.slice());
    at = Math.floor(at / 2);
  }
  return proof;
}

/** Siblings bottom-up for the chunk at `index`, which may be one of the padding zeros. */
export function merkleProof(input: {
  readonly chunks: Uint8Array;
  readonly index: number;
  readonly limit: number;
}): Uint8Array[] {
  return proofFromLevels(merkleLevels(input.chunks, input.limit), input.index);
}

export type MerklePath = {
  readonly leaf: Uint8Array; // 32 bytes
  readonly index: number; // in [0, 2^proof.length)
  readonly proof: readonly Uint8Array[]; // siblings from the leaf upwards
};

/** The root that the path leads to. The path must be well-formed. */
export function rootFromProof(path: MerklePath): Uint8Array {
  assert(isWellFormed(path), "a Merkle path has 32-byte nodes and an index within its depth");
  let node: Uint8Array = path.leaf.slice();
  let at = path.index;
  const pair = new Uint8Array(2 * CHUNK_BYTES);
  for (const sibling of path.proof) {
    pair.set(node, at % 2 === 0 ? 0 : CHUNK_BYTES);
    pair.set(sibling, at % 2 === 0 ? CHUNK_BYTES : 0);
    node = hashPairs(pair);
    at = Math.floor(at / 2);
  }
  return node;
}

/** False for anything malformed; never throws. The caller checks `proof.length` (see above). */
export function verifyMerkleProof(path: MerklePath & { readonly root: Uint8Array }): boolean {
  return isWellFormed(path) && bytesEqual(rootFromProof(path), path.root);
}

function isWellFormed({ leaf, index, proof }: MerklePath): boolean {
  if (leaf.length !== CHUNK_BYTES || proof.length > MERKLE_DEPTH_MAX) return false;
  // Higher bits of the index would be ignored: the same leaf would have many valid indexes.
  if (!Number.isSafeInteger(index) || index < 0 || index >= 2 ** proof.length) return false;
  return proof.every((node) => node.length === CHUNK_BYTES);
}
