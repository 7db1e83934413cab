/**
 * A region's state in memory: flat columns on one SharedArrayBuffer, so that a copy is one memory
 * copy, a worker shares it by reference, and a root is hashed from it without gathering.
 *
 * Safe because every column starts on a 32-byte chunk and is padded with zeros to whole chunks,
 * which is how SSZ packs a list of numbers (`lane-root.ts`); numbers are little-endian in both.
 */
import { INSTITUTIONS } from "../ledger/accounts.ts";
import { assert } from "../primitives/errors.ts";
import { HISTORY_DEPTH } from "./light-client/paths.ts";

const CHUNK_BYTES = 32;

/** Slots since genesis whose report is on the chain, and slots cleared. */
export const COUNTER = { reported: 0, cleared: 1 } as const;

export type LaneColumns = {
  readonly memory: SharedArrayBuffer;
  readonly counters: BigUint64Array; // by COUNTER
  readonly memberUc: BigInt64Array; // balances by member
  readonly institutionUc: BigInt64Array; // balances by INSTITUTION
  readonly minSellUcPerWh: Int32Array; // by member, in force
  readonly maxBuyUcPerWh: Int32Array;
  readonly pendingFromSlot: BigUint64Array; // by member; 0: no change is pending
  readonly pendingMinSellUcPerWh: Int32Array; // 0 where none is pending
  readonly pendingMaxBuyUcPerWh: Int32Array;
  readonly settledImportWh: BigUint64Array; // by meter, cumulative
  readonly settledExportWh: BigUint64Array;
  readonly historyFrontier: Uint8Array; // HISTORY_DEPTH nodes of `receipts-history.ts`
};

export type LaneSize = { readonly memberCount: number; readonly meterCount: number };

/** Bytes of a lane's memory. */
export function laneBytes(size: LaneSize): number {
  return columnOffsets(size).end;
}

function columnOffsets({ memberCount, meterCount }: LaneSize) {
  let end = 0;
  const place = (bytes: number) => {
    const start = end;
    end += Math.ceil(bytes / CHUNK_BYTES) * CHUNK_BYTES;
    return start;
  };
  const offsets = {
    counters: place(16),
    memberUc: place(8 * memberCount),
    institutionUc: place(8 * INSTITUTIONS.length),
    minSell: place(4 * memberCount),
    maxBuy: place(4 * memberCount),
    pendingFromSlot: place(8 * memberCount),
    pendingMinSell: place(4 * memberCount),
    pendingMaxBuy: place(4 * memberCount),
    settledImport: place(8 * meterCount),
    settledExport: place(8 * meterCount),
    historyFrontier: place(CHUNK_BYTES * HISTORY_DEPTH),
  };
  return { ...offsets, end };
}

/** Columns over `memory`, which must have `laneBytes(size)` bytes. */
export function laneColumns(memory: SharedArrayBuffer, size: LaneSize): LaneColumns {
  const at = columnOffsets(size);
  assert(memory.byteLength === at.end, "a lane's memory has the size of its region");
  const { memberCount: members, meterCount: meters } = size;
  return {
    memory,
    counters: new BigUint64Array(memory, at.counters, 2),
    memberUc: new BigInt64Array(memory, at.memberUc, members),
    institutionUc: new BigInt64Array(memory, at.institutionUc, INSTITUTIONS.length),
    minSellUcPerWh: new Int32Array(memory, at.minSell, members),
    maxBuyUcPerWh: new Int32Array(memory, at.maxBuy, members),
    pendingFromSlot: new BigUint64Array(memory, at.pendingFromSlot, members),
    pendingMinSellUcPerWh: new Int32Array(memory, at.pendingMinSell, members),
    pendingMaxBuyUcPerWh: new Int32Array(memory, at.pendingMaxBuy, members),
    settledImportWh: new BigUint64Array(memory, at.settledImport, meters),
    settledExportWh: new BigUint64Array(memory, at.settledExport, meters),
    historyFrontier: new Uint8Array(memory, at.historyFrontier, CHUNK_BYTES * HISTORY_DEPTH),
  };
}

export function createLaneColumns(size: LaneSize): LaneColumns {
  return laneColumns(new SharedArrayBuffer(laneBytes(size)), size);
}

/**
 * An independent copy: one memory copy.
 *
 * @param memory - of the same size, where the copy is to be; new memory by default
 */
export function copyLaneColumns(
  columns: LaneColumns,
  memory = new SharedArrayBuffer(columns.memory.byteLength),
): LaneColumns {
  new Uint8Array(memory).set(new Uint8Array(columns.memory));
  return laneColumns(memory, {
    memberCount: columns.memberUc.length,
    meterCount: columns.settledImportWh.length,
  });
}

/** The chunks under a column, its zero padding included. */
export function chunksOf(column: ArrayBufferView): Uint8Array {
  const bytes = Math.ceil(column.byteLength / CHUNK_BYTES) * CHUNK_BYTES;
  return new Uint8Array(column.buffer, column.byteOffset, bytes);
}

const probe = new Uint8Array(new Uint16Array([1]).buffer);
assert(probe[0] === 1, "columns are hashed as they lie: the machine must be little-endian");
