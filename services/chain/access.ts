/**
 * How the rest of the house meets the chain, whatever orders it: read the last committed state and
 * stored records, submit a transaction, hear of each committed block. Implemented by `ordering`.
 */
import type { MicroCents, Slot, UnixSeconds } from "../primitives/units.ts";
import type { Genesis } from "../wire/genesis.ts";
import type { Header } from "../wire/header.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import type { Limits } from "../wire/transaction.ts";
import type { TransactionResult } from "./abci.ts";
import type { ForwardOrder, HeldPosition } from "./forward-state.ts";
import type { LaneFailure } from "./lane-executor.ts";
import type { LaneProof } from "./lane-proof.ts";
import type { Anchor } from "./light-client/core.ts";
import type { PendingSlotProof } from "./light-client/verify-absence.ts";
import type { PolicyProof } from "./light-client/verify-policy.ts";
import type { EntryRecord } from "./payment-entries.ts";
import type { Quarantine } from "./quarantine-state.ts";
import type { Upgrade } from "./versions.ts";

export type ChainHead = {
  readonly height: number;
  readonly timeS: UnixSeconds;
  readonly appHash: Uint8Array; // after `height`
  /** Slots cleared since genesis by the regions in the market; one that is out may lag behind. */
  readonly clearedSlots: number;
  readonly lastClearedSlot: Slot | null;
  /** The last slot that every region has cleared: no record up to it is still to come. */
  readonly lastCompleteSlot: Slot | null;
  readonly lanesOut: readonly LaneOut[]; // regions that are not in the market, rising
  readonly chainVersion: number; // of the next block
  readonly committee: CommitteeView;
};

/** A region whose lane was quarantined and is not back in the market. */
export type LaneOut = Quarantine & {
  readonly regionIndex: number;
  readonly clearedSlots: number; // since genesis
};

/** What the committee has ordered. */
export type CommitteeView = {
  readonly nextSequence: number; // of the next order
  readonly upgrades: readonly Upgrade[]; // rising; the last may be still to come
};

/** What a forward auction left of a member's orders, until the slot settles. */
export type OpenPosition = HeldPosition & { readonly priceUcPerWh: number };

/** One region's committed state, copied: the caller may keep it. */
export type LaneView = {
  readonly reportedSlot: Slot | null; // last slot whose report is on the chain, cleared or pending
  readonly clearedSlots: number; // since genesis
  readonly quarantine: Quarantine | null; // null: in the market
  readonly limits: readonly Limits[]; // by member index, in force now
  readonly pendingLimits: readonly ({ readonly fromSlot: Slot; readonly limits: Limits } | null)[];
  readonly memberBalanceUc: readonly MicroCents[];
  readonly retailerBalanceUc: MicroCents;
  readonly neighboursBalanceUc: MicroCents;
  readonly gridOperatorBalanceUc: MicroCents;
  readonly treasuryBalanceUc: MicroCents;
  readonly settledImportWh: Float64Array; // by meter index, cumulative
  readonly settledExportWh: Float64Array;
  readonly forwardOrders: readonly ForwardOrder[]; // by id
  readonly forwardPositions: readonly OpenPosition[]; // by slot, then member
};

/** One committed state to read from. */
export type StateView = {
  head(): ChainHead;
  lane(regionIndex: number): LaneView;
  nonce(address: Uint8Array): number;
  laneProof(regionIndex: number): LaneProof;
};

export type StoredBlock = {
  readonly header: Header;
  readonly signature: Uint8Array; // the sequencer's, over the header
  readonly transactions: readonly Uint8Array[];
};

export type CommittedBlock = {
  readonly height: number;
  readonly timeS: UnixSeconds;
  readonly appHash: Uint8Array; // after this block
  readonly results: readonly TransactionResult[];
  readonly slotRecords: readonly SlotRecord[];
  readonly laneFailures: readonly LaneFailure[]; // lanes that this block quarantined
};

/** Sibling hashes from a bill to the app hash, and where the header that proves it stands. */
export type BillProof = Anchor & {
  /** Among all bills of the region: slots before x BILLS_PER_SLOT_MAX + place in its slot. */
  readonly leafIndex: number;
  readonly receiptsProof: readonly Uint8Array[]; // bill root -> the slot's root
};

/** A cleared slot's root in a signed header; `proofs.ts` makes each kind of proof from it. */
export type SlotAnchor = Anchor & { readonly slotIndex: number };

export type ChainReader = {
  readonly genesis: Genesis;
  head(): ChainHead;
  lane(regionIndex: number): LaneView;
  /** Next nonce of an externally owned account; 0 for an unknown one. */
  nonce(address: Uint8Array): number;
  slotRecord(regionIndex: number, slot: Slot): Promise<SlotRecord | null>;
  /** Newest first, slots in [fromSlot, toSlot], at most `limit`. */
  slotRecords(range: {
    readonly regionIndex: number;
    readonly fromSlot: Slot;
    readonly toSlot: Slot;
    readonly limit: number;
  }): Promise<SlotRecord[]>;
  /**
   * Why balances of a region changed outside of slots: newest first, blocks below `beforeHeight`
   * that have such entries, at most `limit`.
   */
  entryRecords(range: {
    readonly regionIndex: number;
    readonly beforeHeight: number;
    readonly limit: number;
  }): Promise<EntryRecord[]>;
  block(height: number): Promise<StoredBlock | null>;
  billProof(request: {
    readonly regionIndex: number;
    readonly slot: Slot;
    readonly leafIndex: number; // place among the bills of the slot's record
  }): Promise<BillProof | null>;
  /** Null where the slot has not cleared, or its header is still to come. */
  slotAnchor(at: { readonly regionIndex: number; readonly slot: Slot }): Promise<SlotAnchor | null>;
  /** The law in force; null where the header that proves it is still to come. */
  policyProof(regionIndex: number): Promise<PolicyProof | null>;
  /** That a slot has not cleared; null where it has, or where the header is still to come. */
  pendingSlotProof(at: {
    readonly regionIndex: number;
    readonly slot: Slot;
  }): Promise<PendingSlotProof | null>;
  /** Called after each commit, in order. Returns the way to stop. MUST NOT throw. */
  onBlock(listener: (block: CommittedBlock) => void): () => void;
};

export type Submitted = TransactionResult & {
  readonly hash: Uint8Array; // 32 B SHA-256 of the transaction bytes
  readonly height: number; // the block that holds it; 0 where checkTx refused it
};

export type ChainWriter = {
  /** Resolves when the transaction is in a committed (durable) block, or was refused. */
  submit(transaction: Uint8Array): Promise<Submitted>;
};
