/**
 * Verifies a bill in the member's own browser: bill leaf -> receipts root -> app hash -> header ->
 * the sequencer's signature. Trusts nothing but the sequencer's public key, needs no state and no
 * network, and never throws: whatever is wrong with a proof, the answer names the step.
 */
import { rootFromProof, verifyMerkleProof } from "../../crypto/merkle.ts";
import { BILL_FIELDS, type Bill, billRoot } from "../../wire/bill.ts";
import { type Header, verifyHeader } from "../../wire/header.ts";
import type { BillProof } from "../access.ts";
import {
  LANES_DEPTH,
  LANES_PROOF_NODES,
  lanesPathIndex,
  placeOfLeaf,
  RECEIPTS_PROOF_NODES,
} from "./paths.ts";

/** Where a proof fails, in the order of checking. */
export type BillProofStep = "bill" | "receipts" | "lanes" | "header" | "signature";

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
  const receiptsRoot = rootFromProof({
    leaf: billRoot(bill),
    index: place.bill,
    proof: proof.receiptsProof,
  });
  if (!isRegion(proof.regionIndex) || !areNodes(proof.lanesProof, LANES_PROOF_NODES)) {
    return { step: "lanes" };
  }
  if (!isWholeHeader(proof.header)) return { step: "header" };
  const holds = verifyMerkleProof({
    leaf: receiptsRoot,
    index: lanesPathIndex({ regionIndex: proof.regionIndex, slotIndex: place.slotIndex }),
    proof: proof.lanesProof,
    root: proof.header.appHash,
  });
  if (!holds) return { step: "lanes" };
  const { header, signature } = proof;
  const signed = verifyHeader({ header, signature, publicKey: sequencerPublicKey });
  return signed ? null : { step: "signature" };
}

function isWholeBill(bill: Bill): boolean {
  return BILL_FIELDS.every((field) => {
    if (field !== "amountUc") return Number.isSafeInteger(bill[field]);
    const uc: unknown = bill.amountUc;
    return typeof uc === "bigint" && uc <= INT64_MAX && uc >= -INT64_MAX - 1n;
  });
}

/** Within the tree: a higher number would set digits above the region's. */
function isRegion(index: number): boolean {
  return Number.isSafeInteger(index) && index >= 0 && index < 2 ** LANES_DEPTH;
}

function areNodes(nodes: readonly Uint8Array[], count: number): boolean {
  return nodes.length === count && nodes.every((node) => node.length === 32);
}

/** Whether the header has an encoding at all. */
function isWholeHeader(header: Header): boolean {
  const numbers = [header.chainVersion, header.height, header.timeS];
  const hashes = [header.parentHash, header.transactionsRoot, header.appHash];
  return (
    numbers.every((value) => Number.isSafeInteger(value) && value >= 0) &&
    hashes.every((hash) => hash.length === 32)
  );
}
