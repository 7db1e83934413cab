/**
 * The app hash: SSZ hash_tree_root of
 *
 *   Container {
 *     lanes:     List[Container {state: Root, receipts: Root, outbox: Root}, 2^10]   by region
 *     admission: Root
 *   }
 *
 * `state` is `laneStateRoot`; `receipts` is the root of all slots' receipts roots since genesis
 * (`receipts-history.ts`); `outbox` is the root of all messages that the lane ever sent
 * (`message-state.ts`); `admission` is `admissionRoot`. A part that a later version of the chain
 * brings (the members' law) is absent, not zero.
 */
import { hashPairs, sha256 } from "../crypto/hash.ts";
import { type MerkleLevels, merkleLevels, mixInLength, proofFromLevels } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import { REGIONS_MAX } from "../primitives/limits.ts";
import { lengthChunk } from "./receipts-history.ts";

export type LaneRoots = {
  readonly state: Uint8Array;
  readonly receipts: Uint8Array;
  readonly outbox: Uint8Array;
};

/** Three fields fill up to four chunks. */
const PADDING = new Uint8Array(32);

export type AppTree = {
  readonly appHash: Uint8Array;
  /** Siblings from the receipts root of a region's lane (its history's) to the app hash. */
  proof(regionIndex: number): Uint8Array[];
};

export function appTree(lanes: readonly LaneRoots[], admission: Uint8Array): AppTree {
  const fields = concatBytes(
    lanes.flatMap(({ state, receipts, outbox }) => [state, receipts, outbox, PADDING]),
  );
  const levels: MerkleLevels = merkleLevels(hashPairs(hashPairs(fields)), REGIONS_MAX);
  const lanesRoot = mixInLength(levels[levels.length - 1]!, lanes.length);
  return {
    appHash: sha256(lanesRoot, admission),
    proof: (regionIndex) => [
      lanes[regionIndex]!.state,
      sha256(lanes[regionIndex]!.outbox, PADDING),
      ...proofFromLevels(levels, regionIndex),
      lengthChunk(lanes.length),
      admission,
    ],
  };
}
