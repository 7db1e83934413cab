/**
 * What all proofs share: a path of Merkle siblings from something claimed up to the app hash in a
 * header, and the sequencer's signature over that header. Trusts nothing but the sequencer's public
 * key, needs no state and no network, and never throws: whatever is wrong, the answer is a step.
 *
 * Safe because every length and every turn comes from `paths.ts`: a prover chooses siblings only.
 */
import { verifyMerkleProof } from "../../crypto/merkle.ts";
import { type Header, verifyHeader } from "../../wire/header.ts";
import {
  CLEARED_SLOTS_MAX,
  type LANE_FIELD,
  LANE_PROOF_NODES,
  LANES_DEPTH,
  LANES_PROOF_NODES,
  lanePathIndex,
  lanesPathIndex,
} from "./paths.ts";

/** The end of every proof: siblings up to the app hash, and who signed it. */
export type Anchor = {
  readonly regionIndex: number;
  readonly lanesProof: readonly Uint8Array[]; // to the app hash
  readonly header: Header; // its appHash is the state after the block before it
  readonly signature: Uint8Array; // the sequencer's
};

/** The last steps of every proof, in the order of checking. */
export type AnchorStep = "lanes" | "header" | "signature";

/** From the root of a slot that the lane has cleared. @returns null where the proof holds */
export function verifySlotRoot(claim: {
  readonly slotRoot: Uint8Array;
  readonly slotIndex: number; // slots of the lane cleared before it
  readonly anchor: Anchor;
  readonly sequencerPublicKey: Uint8Array; // 32 B, from genesis
}): AnchorStep | null {
  const { slotIndex, anchor } = claim;
  if (!isIndex(slotIndex, CLEARED_SLOTS_MAX) || !isRegion(anchor.regionIndex)) return "lanes";
  const index = lanesPathIndex({ regionIndex: anchor.regionIndex, slotIndex });
  const path = { leaf: claim.slotRoot, index, nodes: LANES_PROOF_NODES };
  return verifyAnchor({ ...claim, path });
}

/** From the root of one of a lane's fields. @returns null where the proof holds */
export function verifyLaneField(claim: {
  readonly root: Uint8Array;
  readonly field: keyof typeof LANE_FIELD;
  readonly anchor: Anchor;
  readonly sequencerPublicKey: Uint8Array;
}): AnchorStep | null {
  const { field, anchor } = claim;
  if (!isRegion(anchor.regionIndex)) return "lanes";
  const index = lanePathIndex({ regionIndex: anchor.regionIndex, field });
  return verifyAnchor({ ...claim, path: { leaf: claim.root, index, nodes: LANE_PROOF_NODES } });
}

function verifyAnchor({
  path,
  anchor,
  sequencerPublicKey,
}: {
  readonly path: { readonly leaf: Uint8Array; readonly index: number; readonly nodes: number };
  readonly anchor: Anchor;
  readonly sequencerPublicKey: Uint8Array;
}): AnchorStep | null {
  const { lanesProof: proof, header, signature } = anchor;
  if (!areNodes(proof, path.nodes)) return "lanes";
  if (!isWholeHeader(header)) return "header";
  const { leaf, index } = path;
  if (!verifyMerkleProof({ leaf, index, proof, root: header.appHash })) return "lanes";
  return verifyHeader({ header, signature, publicKey: sequencerPublicKey }) ? null : "signature";
}

export function areNodes(nodes: readonly Uint8Array[], count: number): boolean {
  return nodes.length === count && nodes.every((node) => node.length === 32);
}

/** Whole, not negative, and below the limit: a higher number would set digits of another path. */
export function isIndex(value: number, limit: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value < limit;
}

function isRegion(index: number): boolean {
  return isIndex(index, 2 ** LANES_DEPTH);
}

/** Whether the header has an encoding at all. */
function isWholeHeader(header: Header): boolean {
  const numbers = [header.chainVersion, header.height, header.timeS];
  const hashes = [header.parentHash, header.transactionsRoot, header.appHash];
  return (
    header.networkId.isWellFormed() &&
    numbers.every((value) => Number.isSafeInteger(value) && value >= 0) &&
    hashes.every((hash) => hash.length === 32)
  );
}
