/**
 * Where things stand in the app hash: depths and turns of every path, fixed by the schema and never
 * taken from a prover. The only place that knows them. SSZ, from the leaves upwards:
 *
 *   bill root -> List[Bill, 2^17] = a slot's receipts
 *   salted reading -> List[Root, 2^16], one per meter of the region = a slot's readings
 *   SlotRoot = Container {receipts, readings, report: Root, policy: Policy}
 *   slot root -> List[SlotRoot, 2^24], one per slot cleared since genesis = the lane's receipts
 *   policy -> LaneState, its last field = the lane's state
 *   Container {state, receipts, outbox}: four chunks, the last of them zero
 *   -> List[.., 2^10], one per region = lanes
 *   Container {lanes, admission, committee}: four chunks, the last of them zero = app hash
 *
 * A list's root is hash(tree, length), so its tree is a left child. An index below is the turns of
 * a path as a number: one binary digit per sibling, the leaf's lowest, 1 where the node is right.
 */
import { METERS_PER_REGION_MAX, REGIONS_MAX } from "../../primitives/limits.ts";
import { BILLS_PER_SLOT_MAX } from "../../wire/bill.ts";

/** [fork] Slots of one chain: 31 years of minutes, 478 years of quarter hours. */
export const CLEARED_SLOTS_MAX = 16_777_216;

export const BILLS_DEPTH = 17;
export const READINGS_DEPTH = 16;
export const HISTORY_DEPTH = 24;
export const LANES_DEPTH = 10;
/** Of a lane's outbox, List[Message, 2^40], which stands beside its receipts. */
export const OUTBOX_DEPTH = 40;

/** Fields of a slot's root, of a lane and of its state: their place is their turn. */
export const SLOT_FIELD = { receipts: 0, readings: 1, report: 2, policy: 3 } as const;
const SLOT_DEPTH = 2;
export const LANE_FIELD = { state: 0, receipts: 1, outbox: 2 } as const;
const LANE_DEPTH = 2;
export const LANE_STATE_FIELDS = 16;
export const POLICY_FIELD = 15;
const LANE_STATE_DEPTH = 4;
/** A bill's first four fields tell its place in the slot; the rest stays closed. */
export const BILL_PLACE_FIELDS = ["slot", "meterIndex", "memberIndex", "kind"] as const;

/** Siblings from a bill root to the root of its slot's receipts, the list's length last. */
export const BILLS_PROOF_NODES = BILLS_DEPTH + 1;
/** Siblings from the root of the four fields of a bill's place to the bill root. */
export const BILL_PLACE_NODES = 3;
/** Siblings from a field to the slot's root. */
export const SLOT_PROOF_NODES = SLOT_DEPTH;
/** Siblings from a bill root to its slot's root. */
export const RECEIPTS_PROOF_NODES = BILLS_PROOF_NODES + SLOT_DEPTH;
/** Siblings from a salted reading to its slot's root. */
export const READINGS_PROOF_NODES = READINGS_DEPTH + 1 + SLOT_DEPTH;
/** Siblings from a policy's root to the lane's state root. */
export const STATE_PROOF_NODES = LANE_STATE_DEPTH;
const APP_DEPTH = 2;
/** Siblings from a field of a lane to the app hash: the lane, the list, its length, the rest. */
export const LANE_PROOF_NODES = LANE_DEPTH + LANES_DEPTH + 1 + APP_DEPTH;
/** Siblings from a slot's root to the app hash. */
export const LANES_PROOF_NODES = HISTORY_DEPTH + 1 + LANE_PROOF_NODES;

/** Depths and limits are one choice. */
export const PATH_LIMITS = [
  [BILLS_DEPTH, BILLS_PER_SLOT_MAX],
  [READINGS_DEPTH, METERS_PER_REGION_MAX],
  [HISTORY_DEPTH, CLEARED_SLOTS_MAX],
  [LANES_DEPTH, REGIONS_MAX],
  [SLOT_DEPTH, Object.keys(SLOT_FIELD).length],
  [LANE_DEPTH, Object.keys(LANE_FIELD).length],
  [LANE_STATE_DEPTH, LANE_STATE_FIELDS],
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

/** A bill root below its slot's root. */
export function receiptsPathIndex(bill: number): number {
  return bill + SLOT_FIELD.receipts * 2 ** BILLS_PROOF_NODES;
}

/** A salted reading below its slot's root. */
export function readingsPathIndex(meterIndex: number): number {
  return meterIndex + SLOT_FIELD.readings * 2 ** (READINGS_DEPTH + 1);
}

/** A field of a region's lane below the app hash. */
export function lanePathIndex(place: {
  readonly regionIndex: number;
  readonly field: keyof typeof LANE_FIELD;
}): number {
  // Above the region's digits: 0, left of the lanes' number, and 0, 0, the first of four fields.
  return LANE_FIELD[place.field] + place.regionIndex * 2 ** LANE_DEPTH;
}

/** A slot's root below the app hash. */
export function lanesPathIndex(place: {
  readonly regionIndex: number;
  readonly slotIndex: number;
}): number {
  const { regionIndex, slotIndex } = place;
  // Between them one digit 0: left of the history's length.
  return slotIndex + lanePathIndex({ regionIndex, field: "receipts" }) * 2 ** (HISTORY_DEPTH + 1);
}
