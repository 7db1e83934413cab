/**
 * The socket of ordering: ABCI 2.0's method set, as one type. Ordering knows bytes and heights; an
 * application knows what they mean. Snapshots and vote extensions are separate powers, and an
 * application that lacks them does not have the methods. Source: CometBFT v0.38, spec/abci.
 *
 * Requirements:
 * 1. `info` MUST report the last height whose changes were persisted, and its app hash.
 * 2. `initChain` MUST be idempotent: it comes again if block 1 was never committed.
 * 3. `checkTx`, `prepareProposal` and `processProposal` MUST NOT change what `finalizeBlock` sees.
 * 4. `processProposal` MUST be a pure function of the state before and the block.
 * 5. `finalizeBlock` MUST be deterministic, answer each transaction in order, and persist nothing.
 * 6. `commit` MUST return every change since the last commit; ordering MUST persist them in one
 *    synced batch before it goes on. Called once for each `finalizeBlock`.
 * 7. A block without transactions MUST leave the app hash unchanged unless its time makes
 *    something due, or the application has work left over from earlier blocks; and a run of such
 *    blocks at one time MUST come to an end of that work, since ordering makes them until it does.
 * 8. Ordering MUST NOT make or execute a block of another version than `info().nextVersion`, nor
 *    any where the application does not know that version: it stops before it (`upgrade_required`).
 *
 * Requirements of snapshots (`SnapshotPower`), by which a node joins without all blocks:
 * 9. A snapshot of a height MUST be the same bytes on every node, whatever its history.
 * 10. `listSnapshots` MUST name only snapshots that are whole, newest first, SNAPSHOTS_LISTED_MAX
 *    at most. `loadSnapshotChunk` MUST answer nothing rather than other bytes.
 * 11. `offerSnapshot` comes before block 1 only, with or without `initChain` before it; ordering
 *    MUST have verified the app hash, and nothing else of the snapshot is trusted. Each offer
 *    starts over: what was applied of the one before is forgotten.
 * 12. `applySnapshotChunk` MUST verify each chunk before it is believed and name the one that is
 *    bad, in bounded time and memory for any bytes. Chunks may come in any order, and twice.
 * 13. Until the last chunk is applied `info` MUST answer as if nothing had been offered; after it
 *    `info` MUST report the snapshot's height and the app hash that was trusted.
 * 14. Ordering MUST make the changes of all accepted chunks durable, and MUST NOT start an
 *    application from fewer of them: a restore that was cut short starts over from nothing.
 */
import type { UnixSeconds } from "../primitives/units.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import type { LaneFailure } from "./lane-executor.ts";
import type { NextVersion } from "./versions.ts";

export type Info = {
  readonly lastBlockHeight: number; // 0 before block 1
  readonly lastBlockAppHash: Uint8Array; // empty before initChain
  readonly nextVersion: NextVersion; // CometBFT's app_version
};

export type TransactionResult = {
  readonly code: number; // TRANSACTION_CODE
  readonly info: string; // what and where, for people; not consensus
};

export type Block = {
  readonly height: number;
  readonly timeS: UnixSeconds;
  readonly transactions: readonly Uint8Array[];
};

export type Finalized = {
  readonly results: readonly TransactionResult[]; // same count and order as the transactions
  readonly appHash: Uint8Array; // 32 B
  readonly slotRecords: readonly SlotRecord[]; // what this block cleared, by (slot, region)
  readonly laneFailures: readonly LaneFailure[]; // lanes that this block quarantined, for the alarm
};

/** A key and its new value, or null to delete. Keys are built in `store-keys.ts` only. */
export type StoreChange = { readonly key: string; readonly value: Uint8Array | null };

export type Committed = {
  readonly changes: readonly StoreChange[];
  readonly retainHeight: number; // blocks below may be pruned; 0: keep all
};

export type Application = {
  info(): Info;
  initChain(): { readonly appHash: Uint8Array };
  checkTx(transaction: Uint8Array): TransactionResult;
  prepareProposal(block: Block): { readonly transactions: readonly Uint8Array[] };
  processProposal(block: Block): { readonly accept: boolean; readonly reason: string };
  finalizeBlock(block: Block): Finalized;
  commit(): Committed;
  query(request: { readonly path: string; readonly data: Uint8Array }): {
    readonly code: number; // 0 found, 1 unknown path, 2 nothing there
    readonly value: Uint8Array;
  };
};

/** What a node offers to others. Two snapshots are the same if and only if their hashes are. */
export type Snapshot = {
  readonly height: number;
  readonly format: number; // the application's own
  readonly chunks: number; // at least 1
  readonly hash: Uint8Array; // 32 B
  readonly metadata: Uint8Array; // the application's own; SNAPSHOT_METADATA_BYTES_MAX
};

export type OfferResult =
  | "accept"
  | "abort" // no snapshot can be restored here
  | "reject" // not this one; another may do
  | "reject_format" // none of this format
  | "reject_sender"; // none of whoever sent this one

export type ChunkResult =
  | "accept"
  | "abort"
  | "retry" // this chunk, from somebody else
  | "retry_snapshot" // this snapshot, from its first chunk
  | "reject_snapshot"; // another snapshot: this one cannot lead to the app hash

export type ChunkVerdict = {
  readonly result: ChunkResult;
  readonly reason: string; // for people; empty where accepted
  readonly refetchChunks: readonly number[];
  readonly rejectSenders: readonly string[];
  /** Records that are verified by now: ordering keeps them (13). */
  readonly changes: readonly StoreChange[];
};

export type SnapshotPower = {
  listSnapshots(): readonly Snapshot[];
  loadSnapshotChunk(place: ChunkPlace): { readonly chunk: Uint8Array }; // empty: not there
  offerSnapshot(offer: { readonly snapshot: Snapshot; readonly appHash: Uint8Array }): {
    readonly result: OfferResult;
    readonly reason: string; // for people; empty where accepted
  };
  applySnapshotChunk(part: {
    readonly index: number;
    readonly chunk: Uint8Array;
    readonly sender: string; // who sent it, to be rejected by name
  }): ChunkVerdict;
};

export type ChunkPlace = {
  readonly height: number;
  readonly format: number;
  readonly index: number;
};
