/**
 * The app hash: SSZ hash_tree_root of
 *
 *   Container {
 *     lanes:     List[Container {state: Root, receipts: Root}, 2^10]   by region
 *     admission: Root
 *   }
 *
 * `state` is `laneStateRoot`; `receipts` is the root of all slots' roots since genesis
 * (`receipts-history.ts`); `admission` is `admissionRoot`. Parts that later versions of the chain
 * bring (the members' law, messages between lanes) are absent, not zero.
 */
import { hashPairs, sha256 } from "../crypto/hash.ts";
import { type MerkleLevels, merkleLevels, mixInLength, proofFromLevels } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import { REGIONS_MAX } from "../primitives/limits.ts";
import { lengthChunk } from "./receipts-history.ts";

export type LaneRoots = { readonly state: Uint8Array; readonly receipts: Uint8Array };

export type AppTree = {
  readonly appHash: Uint8Array;
  /** Siblings from one of the roots of a region's lane to the app hash. */
  proof(regionIndex: number, field: keyof LaneRoots): Uint8Array[];
};

export function appTree(lanes: readonly LaneRoots[], admission: Uint8Array): AppTree {
  const pairs = concatBytes(lanes.flatMap(({ state, receipts }) => [state, receipts]));
  const levels: MerkleLevels = merkleLevels(hashPairs(pairs), REGIONS_MAX);
  const lanesRoot = mixInLength(levels[levels.length - 1]!, lanes.length);
  return {
    appHash: sha256(lanesRoot, admission),
    proof: (regionIndex, field) => [
      lanes[regionIndex]![field === "state" ? "receipts" : "state"],
      ...proofFromLevels(levels, regionIndex),
      lengthChunk(lanes.length),
      admission,
    ],
  };
}
