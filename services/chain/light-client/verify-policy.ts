/**
 * Verifies a region's law. In force: policy -> lane state -> app hash -> header -> signature. Of a
 * cleared slot, so of every bill in it: policy -> slot root -> app hash -> header -> signature.
 *
 * `lawHash` is the genesis hash until the members have executed another law.
 */
import { rootFromProof } from "../../crypto/merkle.ts";
import { encodePolicy, isWholePolicy, type Policy, policyRoot } from "../../wire/policy.ts";
import { type Anchor, type AnchorStep, areNodes, verifyLaneField, verifySlotRoot } from "./core.ts";
import { POLICY_FIELD, SLOT_FIELD, SLOT_PROOF_NODES, STATE_PROOF_NODES } from "./paths.ts";

/** The law in force in the state after the block before the header. */
export type PolicyProof = Anchor & {
  readonly policy: Policy;
  readonly stateProof: readonly Uint8Array[]; // policy root -> the lane's state root
};

/** The law that a slot cleared under. */
export type SlotPolicyProof = Anchor & {
  readonly policy: Policy;
  readonly slotIndex: number; // slots of the lane cleared before it
  readonly slotProof: readonly Uint8Array[]; // policy root -> the slot's root
};

export type PolicyProofStep = "policy" | "state" | AnchorStep;
export type SlotPolicyProofStep = "policy" | "slot" | AnchorStep;

/** @returns null where the proof holds */
export function verifyPolicyProof({
  proof,
  sequencerPublicKey,
}: {
  proof: PolicyProof;
  sequencerPublicKey: Uint8Array;
}): null | { readonly step: PolicyProofStep } {
  if (!isWholePolicy(proof.policy)) return { step: "policy" };
  if (!areNodes(proof.stateProof, STATE_PROOF_NODES)) return { step: "state" };
  const leaf = policyRoot(encodePolicy(proof.policy));
  const root = rootFromProof({ leaf, index: POLICY_FIELD, proof: proof.stateProof });
  const step = verifyLaneField({ root, field: "state", anchor: proof, sequencerPublicKey });
  return step === null ? null : { step };
}

/** @returns null where the proof holds */
export function verifySlotPolicyProof({
  proof,
  sequencerPublicKey,
}: {
  proof: SlotPolicyProof;
  sequencerPublicKey: Uint8Array;
}): null | { readonly step: SlotPolicyProofStep } {
  if (!isWholePolicy(proof.policy)) return { step: "policy" };
  if (!areNodes(proof.slotProof, SLOT_PROOF_NODES)) return { step: "slot" };
  const leaf = policyRoot(encodePolicy(proof.policy));
  const slotRoot = rootFromProof({ leaf, index: SLOT_FIELD.policy, proof: proof.slotProof });
  const { slotIndex } = proof;
  const step = verifySlotRoot({ slotRoot, slotIndex, anchor: proof, sequencerPublicKey });
  return step === null ? null : { step };
}
