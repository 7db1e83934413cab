/**
 * Proofs of bills. When a slot clears, the path from its receipts root to the app hash after that
 * block is stored beside its record; with the record and the next header that is all a proof needs,
 * for ever.
 */
import { concatBytes } from "../primitives/bytes.ts";
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import type { BillProof, StoredBlock } from "./access.ts";
import { LANES_PROOF_NODES, leafIndexOf } from "./light-client/paths.ts";
import { receiptsProofOf } from "./receipts.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { proofKey } from "./store-keys.ts";

const NODE_BYTES = 32;

/** From a slot's receipts root to the app hash after the block that cleared it. */
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
  if (typeof slotIndex !== "number" || !(nodes instanceof Uint8Array)) {
    return corruptRecord(key, "is no receipts path");
  }
  const path = Array.from({ length: LANES_PROOF_NODES }, (_, i) =>
    nodes.slice(NODE_BYTES * i, NODE_BYTES * (i + 1)),
  );
  return { ...place, slotIndex, nodes: path };
}

/**
 * @param parts.record - the slot's record, `parts.storedPath` what stands under its `proofKey`
 * @param parts.next - the block after the one that cleared the slot: its header holds the app hash
 * @param parts.leafIndex - place among the record's bills
 */
export function billProof(parts: {
  readonly record: SlotRecord;
  readonly storedPath: Uint8Array;
  readonly next: Pick<StoredBlock, "header" | "signature">;
  readonly leafIndex: number;
}): BillProof {
  const { record, next, leafIndex } = parts;
  const { regionIndex, slot } = record;
  assert(next.header.height === record.height + 1, "the next header proves a block's bills");
  const path = decodeReceiptsPath({ regionIndex, slot }, parts.storedPath);
  return {
    regionIndex,
    leafIndex: leafIndexOf({ slotIndex: path.slotIndex, bill: leafIndex }),
    receiptsProof: receiptsProofOf(record.bills, leafIndex),
    lanesProof: path.nodes,
    header: next.header,
    signature: next.signature,
  };
}
