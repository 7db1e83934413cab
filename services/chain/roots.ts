/**
 * The app hash: SSZ hash_tree_root of
 *
 *   Container {
 *     lanes:     List[Container {state: Root, receipts: Root, outbox: Root}, 2^10]   by region
 *     admission: Root
 *     committee: Root
 *   }
 *
 * `state` is `laneStateRoot`; `receipts` is the root of all slots' roots since genesis
 * (`receipts-history.ts`); `outbox` is the root of all messages that the lane ever sent
 * (`message-state.ts`); `admission` is `admissionRoot`, `committee` the root of
 * `committee-state.ts`. A part that a later version of the chain brings (the members' law) is
 * absent, not zero.
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
  /** Siblings from one of the roots of a region's lane to the app hash. */
  proof(regionIndex: number, field: keyof LaneRoots): Uint8Array[];
};

/** Siblings from a field of a lane to the lane's root. */
function siblingsIn({ state, receipts, outbox }: LaneRoots, field: keyof LaneRoots): Uint8Array[] {
  if (field === "outbox") return [PADDING, sha256(state, receipts)];
  return [field === "state" ? receipts : state, sha256(outbox, PADDING)];
}

export function appTree(
  lanes: readonly LaneRoots[],
  { admission, committee }: { readonly admission: Uint8Array; readonly committee: Uint8Array },
): AppTree {
  const fields = concatBytes(
    lanes.flatMap(({ state, receipts, outbox }) => [state, receipts, outbox, PADDING]),
  );
  const levels: MerkleLevels = merkleLevels(hashPairs(hashPairs(fields)), REGIONS_MAX);
  const lanesRoot = mixInLength(levels[levels.length - 1]!, lanes.length);
  const beside = sha256(committee, PADDING);
  return {
    appHash: sha256(sha256(lanesRoot, admission), beside),
    proof: (regionIndex, field) => [
      ...siblingsIn(lanes[regionIndex]!, field),
      ...proofFromLevels(levels, regionIndex),
      lengthChunk(lanes.length),
      admission,
      beside,
    ],
  };
}
