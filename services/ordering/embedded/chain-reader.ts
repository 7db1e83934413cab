/**
 * The chain as the rest of the house reads it: live state from the application, history from the
 * store. A head is shown only once its block is durable, so no crash can take back what a reader
 * has seen.
 */
import type { ChainHead, ChainReader, SlotAnchor } from "../../chain/access.ts";
import { decodeEntries, type EntryRecord } from "../../chain/payment-entries.ts";
import { billProofAt, pendingSlotProof, policyProof, slotAnchor } from "../../chain/proofs.ts";
import { entryKeys, entryOf, proofKey, slotKey, slotKeys } from "../../chain/store-keys.ts";
import { bytesEqual } from "../../primitives/bytes.ts";
import { PAGE_ROWS_MAX } from "../../primitives/limits.ts";
import type { Slot } from "../../primitives/units.ts";
import type { Genesis } from "../../wire/genesis.ts";
import { decodeSlotRecord, type SlotRecord } from "../../wire/slot-record.ts";
import type { SignedHeader } from "./block.ts";
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
  let view = application.view();
  // The first listener of all, so the others already see the new state.
  sequencer.onBlock(() => {
    view = application.view();
  });
  return {
    genesis,
    head: () => view.head(),
    lane: (regionIndex) => view.lane(regionIndex),
    nonce: (address) => view.nonce(address),
    slotRecord: (regionIndex, slot) => slotRecord(store, { regionIndex, slot }),
    slotRecords: (range) => slotRecords(store, range),
    entryRecords: (range) => entryRecords(store, range),
    // A block is on the disk before it is executed: until then it is nobody's business.
    block: async (height) => (height > view.head().height ? null : store.block(height)),
    billProof: (request) => proveBill(store, request),
    slotAnchor: async (at) => (await anchorOf(store, at))?.anchor ?? null,
    policyProof: async (regionIndex) => {
      const proof = view.laneProof(regionIndex);
      const signed = await headerOf(store, view.head(), proof.appHash);
      return signed && policyProof(proof, signed);
    },
    pendingSlotProof: async ({ regionIndex, slot }) => {
      const proof = view.laneProof(regionIndex);
      const signed = await headerOf(store, view.head(), proof.appHash);
      const slotIndex = slot - Math.floor(genesis.genesisTimeS / genesis.slotS);
      return signed && pendingSlotProof(proof, signed, slotIndex);
    },
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
  const found = await anchorOf(store, { regionIndex, slot });
  const isLeaf = Number.isSafeInteger(leafIndex) && leafIndex >= 0;
  if (found === null || !isLeaf || leafIndex >= found.record.bills.length) return null;
  return billProofAt(found.record, found.anchor, leafIndex);
}

async function anchorOf(
  store: BlockStore,
  { regionIndex, slot }: { regionIndex: number; slot: Slot },
): Promise<{ record: SlotRecord; anchor: SlotAnchor } | null> {
  const record = await slotRecord(store, { regionIndex, slot });
  if (record === null) return null;
  const next = await store.signedHeader(record.height + 1);
  const storedPath = await store.applicationRecord(proofKey(regionIndex, slot));
  if (next === null || storedPath === null) return null;
  return { record, anchor: slotAnchor({ record, storedPath, next }) };
}

/**
 * The signed header of the state after `head`: that of the next block, or of the head itself where
 * that block changed nothing. Null while the block that would carry it is still to come.
 */
async function headerOf(
  store: BlockStore,
  { height }: ChainHead,
  appHash: Uint8Array,
): Promise<SignedHeader | null> {
  for (const at of [height + 1, height]) {
    const signed = await store.signedHeader(at);
    if (signed !== null && bytesEqual(signed.header.appHash, appHash)) return signed;
  }
  return null;
}
