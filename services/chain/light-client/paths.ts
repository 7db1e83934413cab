/**
 * Where a bill stands in the app hash: the depths and turns of its path, fixed by the schema and
 * never taken from a prover. SSZ, from the leaf upwards:
 *
 *   bill root -> List[Bill, 2^17] = a slot's receipts root
 *   receipts root -> List[Root, 2^24], one per slot cleared since genesis = the lane's receipts
 *   Container {state, receipts, outbox}: four chunks, the last of them zero
 *   -> List[.., 2^10], one per region = lanes
 *   Container {lanes, admission, committee}: four chunks, the last of them zero = app hash
 *
 * A list's root is hash(tree, length), so its tree is a left child.
 */
import { REGIONS_MAX } from "../../primitives/limits.ts";
import { BILLS_PER_SLOT_MAX } from "../../wire/bill.ts";

/** [fork] Slots of one chain: 31 years of minutes, 478 years of quarter hours. */
export const CLEARED_SLOTS_MAX = 16_777_216;

export const BILLS_DEPTH = 17;
export const HISTORY_DEPTH = 24;
export const LANES_DEPTH = 10;
/** Of a lane's outbox, List[Message, 2^40], which stands beside its receipts. */
export const OUTBOX_DEPTH = 40;
/** Siblings from a bill root to its slot's receipts root. */
export const RECEIPTS_PROOF_NODES = BILLS_DEPTH + 1;
/** Siblings from a receipts root to the app hash. */
export const LANES_PROOF_NODES = HISTORY_DEPTH + 1 + 2 + LANES_DEPTH + 1 + 2;

/** Depths and limits are one choice. */
export const PATH_LIMITS = [
  [BILLS_DEPTH, BILLS_PER_SLOT_MAX],
  [HISTORY_DEPTH, CLEARED_SLOTS_MAX],
  [LANES_DEPTH, REGIONS_MAX],
] as const;

/**
 * The place of a bill among all that its region ever issued: slots since genesis times
 * BILLS_PER_SLOT_MAX, plus its place in its slot. `BillProof.leafIndex` is this number.
 */
export function leafIndexOf(place: { readonly slotIndex: number; readonly bill: number }): number {
  return place.slotIndex * BILLS_PER_SLOT_MAX + place.bill;
}

/** The reverse of `leafIndexOf`; null for what is no place. */
export function placeOfLeaf(leafIndex: number): { slotIndex: number; bill: number } | null {
  if (!Number.isSafeInteger(leafIndex) || leafIndex < 0) return null;
  const slotIndex = Math.floor(leafIndex / BILLS_PER_SLOT_MAX);
  if (slotIndex >= CLEARED_SLOTS_MAX) return null;
  return { slotIndex, bill: leafIndex % BILLS_PER_SLOT_MAX };
}

/** Position of the receipts root below the app hash: one binary digit per sibling, lowest first. */
export function lanesPathIndex(place: {
  readonly regionIndex: number;
  readonly slotIndex: number;
}): number {
  const receiptsTurn = 2 ** (HISTORY_DEPTH + 1); // digit 0 before it: left of the list's length
  // Receipts are the second of four chunks: digit 1, right of the state, then 0.
  const regionUnit = 4 * receiptsTurn;
  // Above the region's digits: 0, left of the lanes' number, and 0, 0, the first of four fields.
  return place.slotIndex + receiptsTurn + place.regionIndex * regionUnit;
}
