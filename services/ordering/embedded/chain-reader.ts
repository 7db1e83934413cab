/**
 * The chain as the rest of the house reads it: live state from the application, history from the
 * store. A head is shown only once its block is durable, so no crash can take back what a reader
 * has seen.
 */
import type { ChainReader } from "../../chain/access.ts";
import { decodeEntries, type EntryRecord } from "../../chain/payment-entries.ts";
import { billProof } from "../../chain/proofs.ts";
import { entryKeys, entryOf, proofKey, slotKey, slotKeys } from "../../chain/store-keys.ts";
import { PAGE_ROWS_MAX } from "../../primitives/limits.ts";
import type { Slot } from "../../primitives/units.ts";
import type { Genesis } from "../../wire/genesis.ts";
import { decodeSlotRecord, type SlotRecord } from "../../wire/slot-record.ts";
import type { BlockStore } from "./block-store.ts";
import type { ReadableApplication } from "./chain.ts";
import type { Sequencer } from "./sequencer.ts";

export function createChainReader({
  genesis,
  application,
  store,
  sequencer,
}: {
  genesis: Genesis;
  application: ReadableApplication;
  store: BlockStore;
  sequencer: Sequencer;
}): ChainReader {
  let head = application.head();
  // The first listener of all, so the others already see the new head.
  sequencer.onBlock(() => {
    head = application.head();
  });
  return {
    genesis,
    head: () => head,
    lane: (regionIndex) => application.lane(regionIndex),
    nonce: (address) => application.nonce(address),
    slotRecord: (regionIndex, slot) => slotRecord(store, { regionIndex, slot }),
    slotRecords: (range) => slotRecords(store, range),
    entryRecords: (range) => entryRecords(store, range),
    block: (height) => store.block(height),
    billProof: (request) => proveBill(store, request),
    onBlock: (listener) => sequencer.onBlock(listener),
  };
}

async function slotRecord(
  store: BlockStore,
  { regionIndex, slot }: { regionIndex: number; slot: Slot },
): Promise<SlotRecord | null> {
  const stored = await store.applicationRecord(slotKey(regionIndex, slot));
  return stored === null ? null : decodeSlotRecord(stored);
}

async function slotRecords(
  store: BlockStore,
  range: Parameters<ChainReader["slotRecords"]>[0],
): Promise<SlotRecord[]> {
  const { regionIndex, fromSlot, toSlot } = range;
  const limit = Math.min(range.limit, PAGE_ROWS_MAX);
  if (fromSlot > toSlot || limit <= 0) return [];
  const keys = slotKeys(regionIndex, { fromSlot, toSlot });
  const records = await store.applicationRecords({ ...keys, order: "falling", limit });
  return records.map(({ value }) => decodeSlotRecord(value));
}

async function entryRecords(
  store: BlockStore,
  { regionIndex, beforeHeight, limit: asked }: Parameters<ChainReader["entryRecords"]>[0],
): Promise<EntryRecord[]> {
  const limit = Math.min(asked, PAGE_ROWS_MAX);
  if (beforeHeight <= 0 || limit <= 0) return [];
  const keys = entryKeys(regionIndex, { before: beforeHeight });
  const records = await store.applicationRecords({ ...keys, order: "falling", limit });
  return records.map(({ key, value }) => decodeEntries(entryOf(key)!, value));
}

/** Null where the slot has not cleared, the bill is none of it, or its header is still to come. */
async function proveBill(
  store: BlockStore,
  { regionIndex, slot, leafIndex }: Parameters<ChainReader["billProof"]>[0],
): ReturnType<ChainReader["billProof"]> {
  const record = await slotRecord(store, { regionIndex, slot });
  const isLeaf = Number.isSafeInteger(leafIndex) && leafIndex >= 0;
  if (record === null || !isLeaf || leafIndex >= record.bills.length) return null;
  const next = await store.signedHeader(record.height + 1);
  const storedPath = await store.applicationRecord(proofKey(regionIndex, slot));
  if (next === null || storedPath === null) return null;
  return billProof({ record, storedPath, next, leafIndex });
}
