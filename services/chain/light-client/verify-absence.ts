/**
 * Verifies that something is not there.
 *
 * No bill: the leaves of a slot rise strictly by (kind, meterIndex, slot), which execution asserts.
 * So a meter has no bill of a kind exactly where two leaves that stand side by side leave no room
 * for one; at an end of the list one leaf and the list's length do. Of those leaves only the place
 * is opened, not the energy or the money. A member is its meters: one gap for each.
 *
 * No slot: a lane's history has one leaf per cleared slot, in order, so a slot beyond its length
 * has not been cleared.
 */
import { merkleRoot, mixInLength, rootFromProof } from "../../crypto/merkle.ts";
import { bytesEqual } from "../../primitives/bytes.ts";
import { METERS_PER_REGION_MAX } from "../../primitives/limits.ts";
import { BILL_KIND, BILLS_PER_SLOT_MAX, type Bill } from "../../wire/bill.ts";
import {
  type Anchor,
  type AnchorStep,
  areNodes,
  isIndex,
  verifyLaneField,
  verifySlotRoot,
} from "./core.ts";
import {
  BILL_PLACE_FIELDS,
  BILL_PLACE_NODES,
  BILLS_DEPTH,
  CLEARED_SLOTS_MAX,
  SLOT_FIELD,
  SLOT_PROOF_NODES,
} from "./paths.ts";

export type BillPlace = Pick<Bill, (typeof BILL_PLACE_FIELDS)[number]>;

/** A bill of which only the place is opened. */
export type PlacedLeaf = {
  readonly place: BillPlace;
  readonly placeProof: readonly Uint8Array[]; // root of the place's fields -> bill root
  readonly receiptsProof: readonly Uint8Array[]; // bill root -> the tree's, below its length
};

/** Where a bill of this kind and meter would stand, were there one. */
export type Gap = {
  readonly kind: number; // BILL_KIND
  readonly meterIndex: number;
  readonly index: number; // of the first leaf that is beyond the gap
  readonly before: PlacedLeaf | null; // at index - 1; null at the beginning of the list
  readonly after: PlacedLeaf | null; // at index; null at the end of the list
};

export type AbsenceProof = Anchor & {
  readonly slotIndex: number; // slots of the lane cleared before it
  readonly bills: number; // how many the slot has
  readonly gaps: readonly Gap[]; // one at least
  readonly slotProof: readonly Uint8Array[]; // root of the slot's receipts -> its slot root
};

export type PendingSlotProof = Anchor & {
  readonly slotIndex: number; // the slot that is not there
  readonly clearedSlots: number; // of the lane, since genesis
  readonly historyRoot: Uint8Array; // of the tree below the list's length
};

export type AbsenceProofStep = "claim" | "gaps" | "receipts" | AnchorStep;
export type PendingSlotProofStep = "claim" | AnchorStep;

/** @returns null where the proof holds */
export function verifyAbsenceProof({
  proof,
  sequencerPublicKey,
}: {
  proof: AbsenceProof;
  sequencerPublicKey: Uint8Array;
}): null | { readonly step: AbsenceProofStep } {
  const { gaps, bills, slotIndex } = proof;
  if (!isIndex(bills, BILLS_PER_SLOT_MAX + 1) || gaps.length === 0) return { step: "claim" };
  if (!gaps.every(isClaim)) return { step: "claim" };
  if (!gaps.every((gap) => isGap(gap, bills))) return { step: "gaps" };
  const receiptsRoot = commonRoot(proof);
  if (receiptsRoot === null || !areNodes(proof.slotProof, SLOT_PROOF_NODES)) {
    return { step: "receipts" };
  }
  const slotRoot = rootFromProof({
    leaf: receiptsRoot,
    index: SLOT_FIELD.receipts,
    proof: proof.slotProof,
  });
  const step = verifySlotRoot({ slotRoot, slotIndex, anchor: proof, sequencerPublicKey });
  return step === null ? null : { step };
}

/** @returns null where the proof holds */
export function verifyPendingSlotProof({
  proof,
  sequencerPublicKey,
}: {
  proof: PendingSlotProof;
  sequencerPublicKey: Uint8Array;
}): null | { readonly step: PendingSlotProofStep } {
  const { slotIndex, clearedSlots, historyRoot } = proof;
  const areSlots =
    isIndex(slotIndex, CLEARED_SLOTS_MAX) && isIndex(clearedSlots, CLEARED_SLOTS_MAX + 1);
  if (!areSlots || slotIndex < clearedSlots || historyRoot.length !== 32) return { step: "claim" };
  const root = mixInLength(historyRoot, clearedSlots);
  const step = verifyLaneField({ root, field: "receipts", anchor: proof, sequencerPublicKey });
  return step === null ? null : { step };
}

function isClaim({ kind, meterIndex }: Gap): boolean {
  const kinds: readonly number[] = Object.values(BILL_KIND);
  return kinds.includes(kind) && isIndex(meterIndex, METERS_PER_REGION_MAX);
}

/** Whether the opened places leave no room, all slots of the meter and kind together. */
function isGap(gap: Gap, bills: number): boolean {
  if (!isIndex(gap.index, bills + 1)) return false;
  if ((gap.before === null) !== (gap.index === 0)) return false;
  if ((gap.after === null) !== (gap.index === bills)) return false;
  return (
    (gap.before === null || isBelow(gap.before.place, gap)) &&
    (gap.after === null || isBelow(gap, gap.after.place))
  );
}

type Order = { readonly kind: number; readonly meterIndex: number };

function isBelow(a: Order, b: Order): boolean {
  return a.kind < b.kind || (a.kind === b.kind && a.meterIndex < b.meterIndex);
}

/** The receipts root that every opened leaf leads to; null where they do not all lead to one. */
function commonRoot({ gaps, bills }: AbsenceProof): Uint8Array | null {
  const none = mixInLength(merkleRoot(new Uint8Array(0), BILLS_PER_SLOT_MAX), 0);
  if (bills === 0) return none;
  const roots = gaps.flatMap(({ before, after, index }) => [
    ...(before === null ? [] : [rootOfLeaf(before, { index: index - 1, bills })]),
    ...(after === null ? [] : [rootOfLeaf(after, { index, bills })]),
  ]);
  const [first] = roots;
  if (first === undefined || first === null) return null;
  return roots.every((root) => root !== null && bytesEqual(root, first)) ? first : null;
}

function rootOfLeaf(
  { place, placeProof, receiptsProof }: PlacedLeaf,
  at: { readonly index: number; readonly bills: number },
): Uint8Array | null {
  const fields = BILL_PLACE_FIELDS.map((field) => place[field]);
  if (!fields.every((value) => Number.isSafeInteger(value) && value >= 0)) return null;
  if (!areNodes(placeProof, BILL_PLACE_NODES)) return null;
  if (!areNodes(receiptsProof, BILLS_DEPTH)) return null;
  const leaf = rootFromProof({ leaf: placeRoot(place), index: 0, proof: placeProof });
  const root = rootFromProof({ leaf, index: at.index, proof: receiptsProof });
  // The length that is hashed is the one that the gap was judged by.
  return mixInLength(root, at.bills);
}

/** Root of the first four fields of a bill, SSZ. */
export function placeRoot(place: BillPlace): Uint8Array {
  const chunks = new Uint8Array(32 * BILL_PLACE_FIELDS.length);
  const view = new DataView(chunks.buffer);
  BILL_PLACE_FIELDS.forEach((field, i) => {
    view.setBigUint64(32 * i, BigInt(place[field]), true);
  });
  return merkleRoot(chunks, BILL_PLACE_FIELDS.length);
}
