/**
 * Lists that only ever grow, as append-only Merkle trees of which only the left edge (the frontier)
 * is kept: SSZ List[Root, 2^depth]. A lane has two: the roots of all slots that it ever cleared
 * (2^24, `slot-root.ts`), and all messages that it ever sent (2^40, `message-state.ts`). So the app
 * hash commits to every bill of the past, and it does not matter over which blocks slots were
 * spread.
 *
 * frontier[d] is the root of the last complete tree of depth d that has no complete right sibling
 * yet: it counts where digit d of the length is 1. Source: the incremental tree of Ethereum's
 * deposit contract (verified in Park, Zhang & Rosu, 2020).
 */
import { sha256 } from "../crypto/hash.ts";
import { MERKLE_DEPTH_MAX, merkleRoot, mixInLength } from "../crypto/merkle.ts";
import { assert } from "../primitives/errors.ts";
import { HISTORY_DEPTH } from "./light-client/paths.ts";

const NODE_BYTES = 32;
/** ZEROS[d]: root of an all-zero tree of depth d. */
const ZEROS = Array.from({ length: MERKLE_DEPTH_MAX + 1 }, (_, d) =>
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
 * @param parts.frontier - one node per level of the schema's tree, for a list of `length` leaves
 */
export function growHistory(parts: {
  readonly frontier: Uint8Array;
  readonly length: number;
  readonly leaves: readonly Uint8Array[];
}): HistoryGrowth {
  const { frontier, length, leaves } = parts;
  const depth = Math.floor(frontier.length / NODE_BYTES);
  assert(length + leaves.length <= 2 ** depth, "the history has room for what is appended");
  const grown = length + leaves.length;
  const paths = leaves.map((): Uint8Array[] => []);
  // The nodes of one level from index `start` on; all before them are complete and known by edge.
  let start = length;
  let nodes: readonly Uint8Array[] = leaves;
  for (let d = 0; d < depth; d++) {
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
  const root = mixInLength(nodes[0] ?? ZEROS[depth]!, grown);
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

/** Root of the tree of the `length` leaves behind a frontier, below the list's length. */
export function historyTree(frontier: Uint8Array, length: number): Uint8Array {
  assert(length < 2 ** HISTORY_DEPTH, "a full history waits for no slot");
  let node = ZEROS[0]!;
  for (let d = 0; d < HISTORY_DEPTH; d++) {
    const isEdge = Math.floor(length / 2 ** d) % 2 === 1;
    node = isEdge ? sha256(edgeOf(frontier, d), node) : sha256(node, ZEROS[d]!);
  }
  return node;
}

/** SSZ: the length as 32 little-endian bytes. */
export function lengthChunk(length: number): Uint8Array {
  const chunk = new Uint8Array(NODE_BYTES);
  new DataView(chunk.buffer).setBigUint64(0, BigInt(length), true);
  return chunk;
}
