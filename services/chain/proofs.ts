/**
 * Proofs as a node makes them; `light-client/` verifies them. When a slot clears, the path from its
 * root to the app hash after that block is stored beside its record; with the record and the next
 * header that is all that a proof about the slot needs, for ever.
 */
import { type MerkleLevels, proofFromLevels } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import type { BillProof, SlotAnchor, StoredBlock } from "./access.ts";
import type { LaneProof } from "./lane-proof.ts";
import { LANES_PROOF_NODES, leafIndexOf } from "./light-client/paths.ts";
import type {
  AbsenceProof,
  Gap,
  PendingSlotProof,
  PlacedLeaf,
} from "./light-client/verify-absence.ts";
import type { PolicyProof, SlotPolicyProof } from "./light-client/verify-policy.ts";
import type { ReadingProof } from "./light-client/verify-reading.ts";
import { billPlaceProof, receiptsLevels, receiptsProofOf } from "./receipts.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { slotFieldProof } from "./slot-root.ts";
import { proofKey } from "./store-keys.ts";

const NODE_BYTES = 32;

/** From a slot's root to the app hash after the block that cleared it. */
export type ReceiptsPath = {
  readonly regionIndex: number;
  readonly slot: Slot;
  readonly slotIndex: number; // slots of the region cleared before it
  readonly nodes: readonly Uint8Array[]; // LANES_PROOF_NODES
};

export function encodeReceiptsPath(path: ReceiptsPath): Uint8Array {
  assert(path.nodes.length === LANES_PROOF_NODES, "a receipts path has the schema's depth");
  const key = proofKey(path.regionIndex, path.slot);
  return sealRecord(key, [path.slotIndex, concatBytes(path.nodes)]);
}

/** @throws GridError database_corrupt */
export function decodeReceiptsPath(
  place: { readonly regionIndex: number; readonly slot: Slot },
  stored: Uint8Array,
): ReceiptsPath {
  const key = proofKey(place.regionIndex, place.slot);
  const value = openRecord(key, stored);
  const [slotIndex, nodes] = Array.isArray(value) ? (value as unknown[]) : [];
  const isPath = nodes instanceof Uint8Array && nodes.length === NODE_BYTES * LANES_PROOF_NODES;
  if (!isPath || !Number.isSafeInteger(slotIndex) || (slotIndex as number) < 0) {
    return corruptRecord(key, "is no receipts path");
  }
  const path = Array.from({ length: LANES_PROOF_NODES }, (_, i) =>
    nodes.slice(NODE_BYTES * i, NODE_BYTES * (i + 1)),
  );
  return { ...place, slotIndex: slotIndex as number, nodes: path };
}

/**
 * @param parts.record - the slot's record, `parts.storedPath` what stands under its `proofKey`
 * @param parts.next - the block after the one that cleared the slot: its header holds the app hash
 */
export function slotAnchor(parts: {
  readonly record: SlotRecord;
  readonly storedPath: Uint8Array;
  readonly next: Pick<StoredBlock, "header" | "signature">;
}): SlotAnchor {
  const { record, next } = parts;
  const { regionIndex, slot } = record;
  assert(next.header.height === record.height + 1, "the next header proves a block's bills");
  const path = decodeReceiptsPath({ regionIndex, slot }, parts.storedPath);
  const { slotIndex, nodes: lanesProof } = path;
  const { header, signature } = next;
  return { regionIndex, slotIndex, lanesProof, header, signature };
}

/** @param parts.leafIndex - place among the record's bills; the rest as in `slotAnchor` */
export function billProof(
  parts: Parameters<typeof slotAnchor>[0] & { readonly leafIndex: number },
): BillProof {
  return billProofAt(parts.record, slotAnchor(parts), parts.leafIndex);
}

export function billProofAt(
  record: SlotRecord,
  { slotIndex, ...anchor }: SlotAnchor,
  leafIndex: number,
): BillProof {
  return {
    ...anchor,
    leafIndex: leafIndexOf({ slotIndex, bill: leafIndex }),
    receiptsProof: [
      ...receiptsProofOf(record.bills, leafIndex),
      ...slotFieldProof(record, "receipts"),
    ],
  };
}

/** The law that the slot cleared under. */
export function slotPolicyProof(record: SlotRecord, anchor: SlotAnchor): SlotPolicyProof {
  return { ...anchor, policy: record.policy, slotProof: slotFieldProof(record, "policy") };
}

/** A record behind the slot's report, as the oracle kept it. */
export type KeptReading = {
  readonly meterIndex: number;
  readonly record: Uint8Array; // as the meter published it
  readonly salt: Uint8Array; // 32 B
  readonly siblings: readonly Uint8Array[]; // salted leaf -> the report's readings root
};

export function readingProof(
  record: SlotRecord,
  anchor: SlotAnchor,
  { siblings, ...kept }: KeptReading,
): ReadingProof {
  const readingsProof = [...siblings, ...slotFieldProof(record, "readings")];
  return { ...anchor, ...kept, readingsProof };
}

/** Kinds of bill and meters that a slot has no bill for; each meter once for each kind. */
export type AbsenceClaim = {
  readonly kinds: readonly number[]; // BILL_KIND
  readonly meterIndexes: readonly number[];
};

/** @returns null where the slot has a bill of these kinds and meters after all */
export function absenceProof(
  record: SlotRecord,
  anchor: SlotAnchor,
  { kinds, meterIndexes }: AbsenceClaim,
): AbsenceProof | null {
  const levels = receiptsLevels(record.bills);
  const gaps: Gap[] = [];
  for (const kind of kinds) {
    for (const meterIndex of meterIndexes) {
      const gap = gapOf(record, levels, { kind, meterIndex });
      if (gap === null) return null;
      gaps.push(gap);
    }
  }
  const slotProof = slotFieldProof(record, "receipts");
  return { ...anchor, bills: record.bills.length, gaps, slotProof };
}

function gapOf(
  { bills }: SlotRecord,
  levels: MerkleLevels,
  at: { readonly kind: number; readonly meterIndex: number },
): Gap | null {
  const before = firstBillFrom(bills, at);
  if (before < bills.length) {
    const { kind, meterIndex } = bills.at(before)!;
    if (kind === at.kind && meterIndex === at.meterIndex) return null;
  }
  const opened = (index: number): PlacedLeaf | null => {
    const bill = bills.at(index);
    if (bill === undefined) return null;
    const { slot, meterIndex, memberIndex, kind } = bill;
    const place = { slot, meterIndex, memberIndex, kind };
    const receiptsProof = proofFromLevels(levels, index);
    return { place, placeProof: billPlaceProof(bill), receiptsProof };
  };
  return { ...at, index: before, before: opened(before - 1), after: opened(before) };
}

/** Binary search in the leaves' order for the first bill of this kind and meter or beyond. */
function firstBillFrom(
  bills: SlotRecord["bills"],
  at: { readonly kind: number; readonly meterIndex: number },
): number {
  let low = 0;
  let high = bills.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { kind, meterIndex } = bills.at(middle)!;
    if (kind < at.kind || (kind === at.kind && meterIndex < at.meterIndex)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The law in force, proved by the header that holds the state's app hash. */
export function policyProof(lane: LaneProof, signed: SignedHeader): PolicyProof {
  const { regionIndex, policy, stateProof, stateLanesProof: lanesProof } = lane;
  return { regionIndex, policy, stateProof, lanesProof, ...signed };
}

/** That the lane has not cleared a slot. @returns null where it has */
export function pendingSlotProof(
  lane: LaneProof,
  signed: SignedHeader,
  slotIndex: number,
): PendingSlotProof | null {
  const { regionIndex, clearedSlots, historyRoot, receiptsLanesProof: lanesProof } = lane;
  if (slotIndex < clearedSlots) return null;
  return { regionIndex, slotIndex, clearedSlots, historyRoot, lanesProof, ...signed };
}

type SignedHeader = Pick<StoredBlock, "header" | "signature">;
