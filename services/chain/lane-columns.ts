/**
 * A region's state in memory: flat columns on one SharedArrayBuffer, so that a copy is one memory
 * copy, a worker shares it by reference, and a root is hashed from it without gathering.
 *
 * Safe because every column starts on a 32-byte chunk and is padded with zeros to whole chunks,
 * which is how SSZ packs a list of numbers (`lane-root.ts`); numbers are little-endian in both.
 *
 * Columns have room for more rows than they hold, so a member or a meter that joins moves nothing:
 * the views become longer. Where the room is used up all columns move once, to a quarter more of
 * it, which is a constant cost a row. Room is zeros, and no root covers it.
 */
import { INSTITUTIONS } from "../ledger/accounts.ts";
import { assert } from "../primitives/errors.ts";
import { POLICY_BYTES } from "../wire/policy.ts";
import { HISTORY_DEPTH } from "./light-client/paths.ts";

const CHUNK_BYTES = 32;

/**
 * Slots since genesis whose report is on the chain, slots cleared, and whether the lane takes part
 * in the market (`quarantine-state.ts`).
 */
export const COUNTER = {
  ...{ reported: 0, cleared: 1 },
  ...{ standing: 2, quarantineSlot: 3, quarantineStep: 4 },
} as const;
const COUNTERS = 5;

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
  readonly policy: Uint8Array; // the law in force, as `wire/policy.ts` lays it out
};

export type LaneSize = { readonly memberCount: number; readonly meterCount: number };

const CAPACITY_MIN = 16;

/** Rows that a column of `rows` has room for: a quarter more at most, by a rule of `rows` alone. */
export function capacityOf(rows: number): number {
  let step = CAPACITY_MIN;
  while (8 * step <= rows) step *= 2; // 4 to 8 steps up to the rows
  return Math.max(CAPACITY_MIN, step * Math.ceil(rows / step));
}

/** Bytes of a lane's memory. */
export function laneBytes(size: LaneSize): number {
  return columnOffsets(size).end;
}

function columnOffsets(size: LaneSize) {
  const memberCount = capacityOf(size.memberCount);
  const meterCount = capacityOf(size.meterCount);
  let end = 0;
  const place = (bytes: number) => {
    const start = end;
    end += Math.ceil(bytes / CHUNK_BYTES) * CHUNK_BYTES;
    return start;
  };
  const offsets = {
    counters: place(8 * COUNTERS),
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
    policy: place(POLICY_BYTES),
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
    counters: new BigUint64Array(memory, at.counters, COUNTERS),
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
    policy: new Uint8Array(memory, at.policy, POLICY_BYTES),
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

/** Columns by rows, which grow; the others have one size for ever. */
const ROWS = [
  ...["memberUc", "minSellUcPerWh", "maxBuyUcPerWh", "pendingFromSlot"],
  ...["pendingMinSellUcPerWh", "pendingMaxBuyUcPerWh", "settledImportWh", "settledExportWh"],
] as const satisfies readonly (keyof LaneColumns)[];

/**
 * The columns with more rows, the new ones zero. In place where there is room, so that the old
 * columns and these share their memory; else in new memory.
 *
 * @param size - no smaller than that of `columns`, which must be a copy of this block
 */
export function growLaneColumns(columns: LaneColumns, size: LaneSize): LaneColumns {
  const members = columns.memberUc.length;
  const meters = columns.settledImportWh.length;
  assert(size.memberCount >= members && size.meterCount >= meters, "a lane never shrinks");
  const hasRoom =
    capacityOf(size.memberCount) === capacityOf(members) &&
    capacityOf(size.meterCount) === capacityOf(meters);
  if (hasRoom) return laneColumns(columns.memory, size);
  const grown = createLaneColumns(size);
  for (const name of [...ROWS, "counters", "institutionUc", "historyFrontier", "policy"] as const) {
    bytesOf(grown[name]).set(bytesOf(columns[name]));
  }
  return grown;
}

/** Whether all that no root covers is zero: room, and the rest of the counters' chunks. */
export function isRoomEmpty(columns: LaneColumns): boolean {
  const all = new Uint8Array(columns.memory);
  const covered = (column: ArrayBufferView, chunked: number) =>
    [column.byteOffset, chunked] as const;
  const spans = [
    covered(columns.counters, columns.counters.byteLength),
    ...[...ROWS, "institutionUc", "historyFrontier", "policy"].map((name) => {
      const column = columns[name as (typeof ROWS)[number]];
      return covered(column, chunksOf(column).length);
    }),
  ].sort(([a], [b]) => a - b);
  let at = 0;
  for (const [start, bytes] of spans) {
    if (all.subarray(at, start).some((byte) => byte !== 0)) return false;
    at = start + bytes;
  }
  return all.subarray(at).every((byte) => byte === 0);
}

function bytesOf(column: ArrayBufferView): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}

/** The chunks under a column, its zero padding included. */
export function chunksOf(column: ArrayBufferView): Uint8Array {
  const bytes = Math.ceil(column.byteLength / CHUNK_BYTES) * CHUNK_BYTES;
  return new Uint8Array(column.buffer, column.byteOffset, bytes);
}

const probe = new Uint8Array(new Uint16Array([1]).buffer);
assert(probe[0] === 1, "columns are hashed as they lie: the machine must be little-endian");
