/**
 * Verifies a bill in the member's own browser: bill leaf -> receipts -> slot root -> app hash ->
 * header -> the sequencer's signature.
 */
import { rootFromProof } from "../../crypto/merkle.ts";
import { BILL_FIELDS, type Bill, billRoot } from "../../wire/bill.ts";
import type { BillProof } from "../access.ts";
import { type AnchorStep, areNodes, verifySlotRoot } from "./core.ts";
import { placeOfLeaf, RECEIPTS_PROOF_NODES, receiptsPathIndex } from "./paths.ts";

/** Where a proof fails, in the order of checking. */
export type BillProofStep = "bill" | "receipts" | AnchorStep;

const INT64_MAX = 2n ** 63n - 1n;

/** @returns null where the proof holds */
export function verifyBillProof({
  bill,
  proof,
  sequencerPublicKey,
}: {
  bill: Bill;
  proof: BillProof;
  sequencerPublicKey: Uint8Array; // 32 B, from genesis
}): null | { readonly step: BillProofStep } {
  if (!isWholeBill(bill)) return { step: "bill" };
  const place = placeOfLeaf(proof.leafIndex);
  if (place === null || !areNodes(proof.receiptsProof, RECEIPTS_PROOF_NODES)) {
    return { step: "receipts" };
  }
  const slotRoot = rootFromProof({
    leaf: billRoot(bill),
    index: receiptsPathIndex(place.bill),
    proof: proof.receiptsProof,
  });
  const { slotIndex } = place;
  const step = verifySlotRoot({ slotRoot, slotIndex, anchor: proof, sequencerPublicKey });
  return step === null ? null : { step };
}

function isWholeBill(bill: Bill): boolean {
  return BILL_FIELDS.every((field) => {
    if (field !== "amountUc") return Number.isSafeInteger(bill[field]);
    const uc: unknown = bill.amountUc;
    return typeof uc === "bigint" && uc <= INT64_MAX && uc >= -INT64_MAX - 1n;
  });
}
