/**
 * The list of receipts roots of all slots a lane ever cleared, as an append-only Merkle tree: SSZ
 * List[Root, 2^24], of which only the left edge (the frontier) is kept. So the app hash commits to
 * every bill of the past, and it does not matter over which blocks the slots were spread.
 *
 * frontier[d] is the root of the last complete tree of depth d that has no complete right sibling
 * yet: it counts where digit d of the length is 1. Source: the incremental tree of Ethereum's
 * deposit contract (verified in Park, Zhang & Rosu, 2020).
 */
import { sha256 } from "../crypto/hash.ts";
import { merkleRoot, mixInLength } from "../crypto/merkle.ts";
import { assert } from "../primitives/errors.ts";
import { CLEARED_SLOTS_MAX, HISTORY_DEPTH } from "./light-client/paths.ts";

const NODE_BYTES = 32;
/** ZEROS[d]: root of an all-zero tree of depth d. */
const ZEROS = Array.from({ length: HISTORY_DEPTH + 1 }, (_, d) =>
  merkleRoot(new Uint8Array(0), 2 ** d),
);

const ZERO = new Uint8Array(NODE_BYTES);

/** hash_tree_root of a history without slots. */
export const EMPTY_HISTORY_ROOT = mixInLength(ZEROS[HISTORY_DEPTH]!, 0);

export type HistoryGrowth = {
  readonly root: Uint8Array; // hash_tree_root of the whole list
  readonly paths: readonly (readonly Uint8Array[])[]; // per new leaf: siblings, then the length
};

/**
 * Appends leaves. Writes the frontier; leaves it as it is where there are no leaves.
 *
 * @param parts.frontier - HISTORY_DEPTH nodes of a list of `length` leaves, or zeros
 */
export function growHistory(parts: {
  readonly frontier: Uint8Array;
  readonly length: number;
  readonly leaves: readonly Uint8Array[];
}): HistoryGrowth {
  const { frontier, length, leaves } = parts;
  assert(length + leaves.length <= CLEARED_SLOTS_MAX, "the history has room for the slots");
  const grown = length + leaves.length;
  const paths = leaves.map((): Uint8Array[] => []);
  // The nodes of one level from index `start` on; all before them are complete and known by edge.
  let start = length;
  let nodes: readonly Uint8Array[] = leaves;
  for (let d = 0; d < HISTORY_DEPTH; d++) {
    if (start % 2 === 1) {
      nodes = [edgeOf(frontier, d), ...nodes];
      start -= 1;
    }
    paths.forEach((path, i) => {
      const at = Math.floor((length + i) / 2 ** d) - start;
      path.push(nodes[at % 2 === 0 ? at + 1 : at - 1] ?? ZEROS[d]!);
    });
    const count = Math.floor(grown / 2 ** d);
    // An edge that no longer counts is cleared: the frontier is a function of the leaves alone.
    if (leaves.length > 0) setEdge(frontier, d, count % 2 === 1 ? nodes[count - 1 - start]! : ZERO);
    nodes = parents(nodes, d);
    start = Math.floor(start / 2);
  }
  const root = mixInLength(nodes[0] ?? ZEROS[HISTORY_DEPTH]!, grown);
  const lengthNode = lengthChunk(grown);
  return { root, paths: paths.map((path) => [...path, lengthNode]) };
}

function parents(nodes: readonly Uint8Array[], depth: number): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let i = 0; i < nodes.length; i += 2) {
    above.push(sha256(nodes[i]!, nodes[i + 1] ?? ZEROS[depth]!));
  }
  return above;
}

function edgeOf(frontier: Uint8Array, depth: number): Uint8Array {
  return frontier.slice(NODE_BYTES * depth, NODE_BYTES * (depth + 1));
}

/** Whether the nodes that do not count for a list of `length` leaves are zero. */
export function isFrontierCanonical(frontier: Uint8Array, length: number): boolean {
  return Array.from({ length: HISTORY_DEPTH }, (_, d) => d).every((d) => {
    return Math.floor(length / 2 ** d) % 2 === 1 || edgeOf(frontier, d).every((byte) => byte === 0);
  });
}

function setEdge(frontier: Uint8Array, depth: number, node: Uint8Array): void {
  frontier.set(node, NODE_BYTES * depth);
}

/** SSZ: the length as 32 little-endian bytes. */
export function lengthChunk(length: number): Uint8Array {
  const chunk = new Uint8Array(NODE_BYTES);
  new DataView(chunk.buffer).setBigUint64(0, BigInt(length), true);
  return chunk;
}
