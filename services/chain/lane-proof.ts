/**
 * What is proved from a lane's state itself and not from a slot it cleared: the law in force, and
 * how many slots have been cleared. Of the last committed state only; whoever wants to keep such a
 * proof keeps its file.
 */
import { merkleProof } from "../crypto/merkle.ts";
import { assert } from "../primitives/errors.ts";
import { type Policy, readPolicy } from "../wire/policy.ts";
import { clearedSlots, type Lane } from "./lane.ts";
import { laneStateFields } from "./lane-root.ts";
import { LANE_STATE_FIELDS, POLICY_FIELD } from "./light-client/paths.ts";
import { historyTree } from "./receipts-history.ts";
import { type ChainState, stateTree } from "./state.ts";

export type LaneProof = {
  readonly appHash: Uint8Array; // that the paths lead to
  readonly regionIndex: number;
  readonly policy: Policy;
  readonly stateProof: readonly Uint8Array[]; // policy root -> state root
  readonly stateLanesProof: readonly Uint8Array[]; // state root -> app hash
  readonly clearedSlots: number;
  readonly historyRoot: Uint8Array; // of the tree below the list's length
  readonly receiptsLanesProof: readonly Uint8Array[]; // receipts root -> app hash
};

export function laneProof(state: ChainState, regionIndex: number): LaneProof {
  const lane = state.lanes[regionIndex];
  assert(lane !== undefined, "a lane is one of the regions'");
  const policy = readPolicy(lane.columns.policy);
  assert(policy !== null, "a lane holds a policy");
  const tree = stateTree(state);
  const cleared = clearedSlots(lane);
  return {
    appHash: state.appHash,
    regionIndex,
    policy,
    stateProof: merkleProof({
      chunks: fieldsOf(lane),
      index: POLICY_FIELD,
      limit: LANE_STATE_FIELDS,
    }),
    stateLanesProof: tree.proof(regionIndex, "state"),
    clearedSlots: cleared,
    historyRoot: historyTree(lane.columns.historyFrontier, cleared),
    receiptsLanesProof: tree.proof(regionIndex, "receipts"),
  };
}

/** A committed lane never changes: its columns are hashed once for all who ask. */
const hashed = new WeakMap<Lane, Uint8Array>();

function fieldsOf(lane: Lane): Uint8Array {
  const fields = hashed.get(lane) ?? laneStateFields(lane);
  hashed.set(lane, fields);
  return fields;
}
