/**
 * The policy of a lane: what genesis made law, and the check that execution applies that law and no
 * other. A policy is part of the lane's state, so it is proved to whoever asks, and it changes only
 * between slots.
 */
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import { type Policy, readPolicy } from "../wire/policy.ts";
import type { Lane } from "./lane.ts";
import type { LaneRules, Rules } from "./rules.ts";

/** The law of a region at genesis: its hash is the genesis hash. */
export function genesisPolicy(
  { genesis, genesisHash, firstSlot }: Pick<Rules, "genesis" | "genesisHash" | "firstSlot">,
  regionIndex: number,
): Policy {
  const { retailUcPerWh, feedInUcPerWh } = genesis;
  const { mechanism } = genesis.regions[regionIndex]!;
  return { fromSlot: firstSlot, mechanism, retailUcPerWh, feedInUcPerWh, lawHash: genesisHash };
}

/**
 * The lane's policy for a slot.
 *
 * @throws InvariantError where execution would apply another law than the lane's
 */
export function policyInForce(parts: {
  readonly rules: LaneRules;
  readonly regionIndex: number;
  readonly lane: Lane;
  readonly slot: Slot;
}): Policy {
  const { rules, lane, slot } = parts;
  const policy = readPolicy(lane.columns.policy);
  assert(policy !== null, "a lane holds a policy");
  const { mechanism } = rules.regions[parts.regionIndex]!;
  const { retailUcPerWh, feedInUcPerWh } = rules.retailer;
  assert(policy.fromSlot <= slot, "a policy rules from its first slot on");
  assert(policy.mechanism === mechanism, "a slot clears under its lane's mechanism");
  assert(policy.retailUcPerWh === retailUcPerWh, "the retailer sells at its lane's price");
  assert(policy.feedInUcPerWh === feedInUcPerWh, "the retailer buys at its lane's price");
  return policy;
}
