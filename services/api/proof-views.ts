/** Proofs as JSON: `wire/proof-answers.ts` says what each field is. */
import type { BillProof } from "../chain/access.ts";
import type { Anchor } from "../chain/light-client/core.ts";
import type {
  AbsenceProof,
  PendingSlotProof,
  PlacedLeaf,
} from "../chain/light-client/verify-absence.ts";
import type { PolicyProof, SlotPolicyProof } from "../chain/light-client/verify-policy.ts";
import type { ReadingProof } from "../chain/light-client/verify-reading.ts";
import { toHex0x } from "../primitives/bytes.ts";
import { assert } from "../primitives/errors.ts";
import type { BillProofAnswer } from "../wire/api.ts";
import { BILL_KIND, type Bill } from "../wire/bill.ts";
import type { Genesis } from "../wire/genesis.ts";
import { encodeHeader } from "../wire/header.ts";
import type { Policy } from "../wire/policy.ts";
import type {
  AbsenceProofAnswer,
  PendingSlotProofAnswer,
  PolicyProofAnswer,
  ReadingProofAnswer,
  SlotPolicyProofAnswer,
} from "../wire/proof-answers.ts";

export function billProofView(genesis: Genesis, bill: Bill, proof: BillProof): BillProofAnswer {
  return {
    bill: { ...bill, amountUc: bill.amountUc.toString() },
    leafIndex: proof.leafIndex,
    receiptsProof: proof.receiptsProof.map(toHex0x),
    ...anchorView(genesis, proof),
  };
}

export function readingProofView(genesis: Genesis, proof: ReadingProof): ReadingProofAnswer {
  const { meterIndex } = proof;
  return {
    kind: "reading",
    ...slotView(genesis, proof),
    meterIndex,
    devicePublicKey: `0x${meterOf(genesis, proof, meterIndex).publicKey}`,
    record: toHex0x(proof.record),
    salt: toHex0x(proof.salt),
    readingsProof: proof.readingsProof.map(toHex0x),
    ...anchorView(genesis, proof),
  };
}

export function policyProofView(genesis: Genesis, proof: PolicyProof): PolicyProofAnswer {
  return {
    kind: "policy",
    policy: policyView(proof.policy),
    stateProof: proof.stateProof.map(toHex0x),
    ...anchorView(genesis, proof),
  };
}

export function slotPolicyProofView(
  genesis: Genesis,
  proof: SlotPolicyProof,
): SlotPolicyProofAnswer {
  return {
    kind: "slot-policy",
    ...slotView(genesis, proof),
    policy: policyView(proof.policy),
    slotProof: proof.slotProof.map(toHex0x),
    ...anchorView(genesis, proof),
  };
}

export function absenceProofView(
  genesis: Genesis,
  memberIndex: number,
  proof: AbsenceProof,
): AbsenceProofAnswer {
  return {
    kind: "absence",
    ...slotView(genesis, proof),
    memberIndex,
    bills: proof.bills,
    slotProof: proof.slotProof.map(toHex0x),
    gaps: proof.gaps.map(({ kind, meterIndex, index, before, after }) => ({
      billKind: kind === BILL_KIND.late ? "late" : "slot",
      meterIndex,
      deviceId: `0x${meterOf(genesis, proof, meterIndex).deviceId}`,
      index,
      before: before && leafView(before),
      after: after && leafView(after),
    })),
    ...anchorView(genesis, proof),
  };
}

export function pendingSlotProofView(
  genesis: Genesis,
  proof: PendingSlotProof,
): PendingSlotProofAnswer {
  return {
    kind: "pending-slot",
    ...slotView(genesis, proof),
    clearedSlots: proof.clearedSlots,
    historyRoot: toHex0x(proof.historyRoot),
    ...anchorView(genesis, proof),
  };
}

function anchorView(genesis: Genesis, proof: Anchor) {
  return {
    region: genesis.regions[proof.regionIndex]!.id,
    regionIndex: proof.regionIndex,
    lanesProof: proof.lanesProof.map(toHex0x),
    header: toHex0x(encodeHeader(proof.header)),
    signature: toHex0x(proof.signature),
    sequencerPublicKey: `0x${genesis.sequencerPublicKey}`,
  };
}

function slotView(genesis: Genesis, { slotIndex }: { readonly slotIndex: number }) {
  return { slot: Math.floor(genesis.genesisTimeS / genesis.slotS) + slotIndex, slotIndex };
}

function policyView(policy: Policy) {
  return { ...policy, lawHash: toHex0x(policy.lawHash) };
}

function leafView({ place, placeProof, receiptsProof }: PlacedLeaf) {
  return {
    ...place,
    placeProof: placeProof.map(toHex0x),
    receiptsProof: receiptsProof.map(toHex0x),
  };
}

function meterOf(genesis: Genesis, { regionIndex }: Anchor, meterIndex: number) {
  const meter = genesis.regions[regionIndex]?.meters[meterIndex];
  assert(meter !== undefined, "a proof is about a meter of genesis");
  return meter;
}
