/**
 * Method: byte equality with @chainsafe/ssz, an implementation by others, over sizes around powers
 * of two; then the laws of proofs as properties: every leaf proves, nothing else does.
 */
import { ByteVectorType, ListCompositeType, VectorCompositeType } from "@chainsafe/ssz";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sha256 } from "../../../services/crypto/hash.ts";
import {
  MERKLE_DEPTH_MAX,
  merkleDepth,
  merkleLevels,
  merkleProof,
  merkleRoot,
  mixInLength,
  proofFromLevels,
  rootFromProof,
  verifyMerkleProof,
} from "../../../services/crypto/merkle.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { flipBit } from "./vectors.ts";

const Chunk = new ByteVectorType(32);
const SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 127, 128, 129, 1023, 1024, 1025];

function chunksOf(count: number): Uint8Array {
  return new Uint8Array(32 * count).map((_, i) => (i * 2654435761) >>> 13);
}
function rows(chunks: Uint8Array): Uint8Array[] {
  return Array.from({ length: chunks.length / 32 }, (_, i) => chunks.slice(32 * i, 32 * i + 32));
}

test.each(SIZES)("%i chunks: equal to SSZ, as a vector and as a list", (count) => {
  const chunks = chunksOf(count);
  const values = rows(chunks);
  if (count > 0) {
    const Vector = new VectorCompositeType(Chunk, count);
    expect(toHex(merkleRoot(chunks, count))).toBe(toHex(Vector.hashTreeRoot(values)));
  }
  for (const limit of [Math.max(count, 1), 2 * count + 1, 2 ** 20, 2 ** 40]) {
    const List = new ListCompositeType(Chunk, limit);
    const root = mixInLength(merkleRoot(chunks, limit), count);
    expect(toHex(root)).toBe(toHex(List.hashTreeRoot(values)));
  }
});

test.each([
  [0, 0],
  [1, 0],
  [2, 1],
  [3, 2],
  [4, 2],
  [5, 3],
  [2 ** 32 + 1, 33],
  [2 ** MERKLE_DEPTH_MAX, MERKLE_DEPTH_MAX],
])("a limit of %i chunks has depth %i", (limit, depth) => {
  expect(merkleDepth(limit)).toBe(depth);
});

test("the roots do not change the chunks, nor lend their memory", () => {
  const chunks = chunksOf(5);
  const before = chunks.slice();
  merkleRoot(chunks, 8).fill(0);
  expect(chunks).toEqual(before);
  const single = chunks.slice(0, 32);
  merkleRoot(single, 1).fill(0);
  expect(single).toEqual(before.slice(0, 32));
  const empty = merkleRoot(new Uint8Array(), 8);
  merkleRoot(new Uint8Array(), 8).fill(1);
  expect(merkleRoot(new Uint8Array(), 8)).toEqual(empty);
});

test("chunks in shared memory, as lanes keep them, have the same root", () => {
  const chunks = chunksOf(100);
  const shared = new Uint8Array(new SharedArrayBuffer(chunks.length));
  shared.set(chunks);
  expect(merkleRoot(shared, 128)).toEqual(merkleRoot(chunks, 128));
});

test("bounds", () => {
  expect(() => merkleRoot(new Uint8Array(33), 4)).toThrow("32 bytes");
  expect(() => merkleRoot(chunksOf(5), 4)).toThrow("limit");
  expect(() => merkleRoot(chunksOf(1), 2 ** MERKLE_DEPTH_MAX + 1)).toThrow("2^40");
  expect(() => merkleRoot(chunksOf(1), -1)).toThrow("whole number");
  expect(() => merkleRoot(chunksOf(1), 1.5)).toThrow("whole number");
  expect(() => merkleProof({ chunks: chunksOf(3), index: 4, limit: 4 })).toThrow("within");
  expect(() => mixInLength(new Uint8Array(31), 1)).toThrow("32 bytes");
  expect(() => mixInLength(new Uint8Array(32), 2 ** 53)).toThrow("whole number");
  const leaf = new Uint8Array(32);
  expect(() => rootFromProof({ leaf, index: 1, proof: [] })).toThrow("within its depth");
});

const tree = fc
  .record({
    leaves: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), {
      minLength: 1,
      maxLength: 70,
    }),
    slack: fc.integer({ min: 0, max: 100 }),
    at: fc.nat(),
  })
  .map(({ leaves, slack, at }) => {
    const chunks = new Uint8Array(32 * leaves.length);
    leaves.forEach((leaf, i) => {
      chunks.set(leaf, 32 * i);
    });
    const limit = leaves.length + slack;
    return { chunks, limit, index: at % leaves.length, leaf: leaves[at % leaves.length]! };
  });

test("every leaf proves; one bit changed in leaf, index, proof or root refuses it", () => {
  fc.assert(
    fc.property(tree, fc.nat(), ({ chunks, limit, index, leaf }, bit) => {
      const root = merkleRoot(chunks, limit);
      const proof = merkleProof({ chunks, index, limit });
      expect(proof).toHaveLength(merkleDepth(limit));
      expect(verifyMerkleProof({ leaf, index, proof, root })).toBe(true);
      expect(rootFromProof({ leaf, index, proof })).toEqual(root);
      const refused = (change: object) =>
        expect(verifyMerkleProof({ leaf, index, proof, root, ...change })).toBe(false);
      refused({ leaf: flipBit(leaf, bit) });
      refused({ root: flipBit(root, bit) });
      refused({ index: index + 2 ** proof.length });
      proof.forEach((node, i) => {
        refused({ proof: proof.with(i, flipBit(node, bit)) });
      });
    }),
    { numRuns: 150 },
  );
});

test("another index proves only an equal leaf with equal siblings", () => {
  fc.assert(
    fc.property(tree, fc.nat(), ({ chunks, limit, index, leaf }, other) => {
      const at = other % 2 ** merkleDepth(limit);
      const proof = merkleProof({ chunks, index, limit });
      const root = merkleRoot(chunks, limit);
      const there = proofFromLevels(merkleLevels(chunks, limit), at);
      const leafThere = chunks.slice(32 * at, 32 * at + 32);
      const same =
        toHex(leafThere) === toHex(leaf) && there.map(toHex).join() === proof.map(toHex).join();
      expect(verifyMerkleProof({ leaf, index: at, proof, root })).toBe(at === index || same);
    }),
    { numRuns: 150 },
  );
});

test("padding proves as zeros", () => {
  const chunks = chunksOf(5);
  const root = merkleRoot(chunks, 2 ** 20);
  const proof = merkleProof({ chunks, index: 5, limit: 2 ** 20 });
  expect(verifyMerkleProof({ leaf: new Uint8Array(32), index: 5, proof, root })).toBe(true);
  const far = { index: 2 ** 20 - 1, limit: 2 ** 20 };
  const farProof = merkleProof({ chunks, ...far });
  const leaf = new Uint8Array(32);
  expect(verifyMerkleProof({ leaf, index: far.index, proof: farProof, root })).toBe(true);
});

test("an index beyond 2^31 is not cut to 32 bits", () => {
  const chunks = chunksOf(3);
  const limit = 2 ** 40;
  const root = merkleRoot(chunks, limit);
  const proof = merkleProof({ chunks, index: 2, limit });
  const leaf = chunks.slice(64, 96);
  expect(verifyMerkleProof({ leaf, index: 2, proof, root })).toBe(true);
  expect(verifyMerkleProof({ leaf, index: 2 + 2 ** 32, proof, root })).toBe(false);
});

test("malformed paths are refused and never throw", () => {
  const path = { leaf: new Uint8Array(32), index: 0, proof: [], root: new Uint8Array(32) };
  expect(verifyMerkleProof(path)).toBe(true); // the tree of one zero chunk
  const malformed = [
    { leaf: new Uint8Array(31) },
    { root: new Uint8Array(31) },
    { root: new Uint8Array() },
    { index: -1 },
    { index: 0.5 },
    { index: Number.NaN },
    { index: 1 },
    { proof: [new Uint8Array(33)] },
    { proof: [new Uint8Array()] },
  ];
  for (const change of malformed) expect(verifyMerkleProof({ ...path, ...change })).toBe(false);
});

test("a path is at most MERKLE_DEPTH_MAX long, even if it leads to its root", () => {
  const pathOf = (length: number) => {
    const leaf = new Uint8Array(32);
    const proof = Array.from({ length }, () => new Uint8Array(32).fill(1));
    const root = proof.reduce<Uint8Array>((node, sibling) => sha256(node, sibling), leaf);
    return { leaf, index: 0, proof, root };
  };
  expect(verifyMerkleProof(pathOf(MERKLE_DEPTH_MAX))).toBe(true);
  expect(verifyMerkleProof(pathOf(MERKLE_DEPTH_MAX + 1))).toBe(false);
});
