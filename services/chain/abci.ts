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
