/**
 * A slot's receipts tree: its bills in leaf order, as SSZ List[Bill, 2^17]. Bill roots are hashed
 * level by level over many bills at once; `billRoot` (wire) is the slow twin.
 */
import { hashPairs } from "../crypto/hash.ts";
import {
  type MerkleLevels,
  merkleDepth,
  merkleLevels,
  merkleProof,
  merkleRoot,
  mixInLength,
} from "../crypto/merkle.ts";
import { assert } from "../primitives/errors.ts";
import { BILL_FIELDS, BILLS_PER_SLOT_MAX, type Bill } from "../wire/bill.ts";
import { BILL_PLACE_NODES } from "./light-client/paths.ts";
import { lengthChunk } from "./receipts-history.ts";

const CHUNK_BYTES = 32;
/** A container's fields fill up to the next power of two with zero chunks. */
const BILL_CHUNKS = 2 ** merkleDepth(BILL_FIELDS.length);
const BILL_BYTES = CHUNK_BYTES * BILL_CHUNKS;
/** Bills hashed in one go: 512 KiB of chunks, which stays in a core's cache. */
const BATCH_BILLS = 512;

/** The roots of the bills, packed: 32 bytes each. */
export function billRoots(bills: readonly Bill[]): Uint8Array {
  const roots = new Uint8Array(CHUNK_BYTES * bills.length);
  for (let start = 0; start < bills.length; start += BATCH_BILLS) {
    const batch = bills.slice(start, start + BATCH_BILLS);
    let level = packBills(batch);
    while (level.length > CHUNK_BYTES * batch.length) level = hashPairs(level);
    roots.set(level, CHUNK_BYTES * start);
  }
  return roots;
}

function packBills(bills: readonly Bill[]): Uint8Array {
  const chunks = new Uint8Array(BILL_BYTES * bills.length);
  const view = new DataView(chunks.buffer);
  bills.forEach((bill, b) => {
    const base = BILL_BYTES * b;
    for (let f = 0; f < BILL_FIELDS.length; f++) {
      const value = bill[BILL_FIELDS[f]!];
      const at = base + CHUNK_BYTES * f;
      if (typeof value === "bigint") view.setBigInt64(at, value, true);
      else writeInt64(view, at, value);
    }
  });
  return chunks;
}

/** A safe integer as 64-bit two's complement, without a bigint. */
function writeInt64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  view.setUint32(at, value - high * 0x1_0000_0000, true);
  view.setInt32(at + 4, high, true);
}

/** hash_tree_root of a slot's bills. */
export function receiptsRootOf(bills: readonly Bill[]): Uint8Array {
  assert(bills.length <= BILLS_PER_SLOT_MAX, "a slot's bills fit its receipts tree");
  return mixInLength(merkleRoot(billRoots(bills), BILLS_PER_SLOT_MAX), bills.length);
}

/** Siblings from a bill's root to the receipts root, the length last. */
export function receiptsProofOf(bills: readonly Bill[], index: number): Uint8Array[] {
  assert(index >= 0 && index < bills.length, "a proof is for one of the slot's bills");
  const siblings = merkleProof({ chunks: billRoots(bills), index, limit: BILLS_PER_SLOT_MAX });
  return [...siblings, lengthChunk(bills.length)];
}

/** All levels of the receipts tree, below its length: for many proofs of one slot. */
export function receiptsLevels(bills: readonly Bill[]): MerkleLevels {
  return merkleLevels(billRoots(bills), BILLS_PER_SLOT_MAX);
}

/** Siblings from the root of the fields that tell a bill's place to the bill's root. */
export function billPlaceProof(bill: Bill): Uint8Array[] {
  const fields = packBills([bill]);
  const siblings = merkleProof({ chunks: fields, index: 0, limit: BILL_CHUNKS });
  return siblings.slice(siblings.length - BILL_PLACE_NODES);
}
