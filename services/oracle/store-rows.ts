/** Values of the oracle's store: canonical CBOR arrays, read back strictly. */
import type { Emission } from "../metering/intervals.ts";
import type { RegisterState } from "../metering/registers.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import type { Slot, UnixSeconds } from "../primitives/units.ts";

export type RegionRow = {
  readonly nextSlot: Slot; // the slot of the next report
  readonly refusedReadings: number; // since the previous report
};

export type DeviceRow = {
  readonly state: RegisterState;
  readonly lastReceivedS: UnixSeconds; // market time of its last accepted reading
  readonly quality: number; // QUALITY of that reading's energy
};

export type ReadingRow = {
  readonly record: Uint8Array; // as received
  readonly salt: Uint8Array; // 32 B
  readonly emission: Emission;
};

export type LateRow = {
  readonly importWh: number;
  readonly exportWh: number;
  readonly quality: number;
  readonly leaf: Uint8Array; // 32 B, of the record the energy comes from
};

/** Leaves of a report's readings tree by meter, 32 B each, zeros where it used no record. */
export type LeavesRow = { readonly leaves: Uint8Array };

/** One refused record. Kept per region and market day, at most REFUSALS_PER_DAY_MAX of them. */
export type RefusalRow = {
  readonly code: number; // READING_CODE
  readonly deviceId: Uint8Array | null; // 16 B, of the topic; null where the topic names none
  readonly recordHash: Uint8Array; // 32 B, SHA-256 of the payload as received
  readonly timeS: UnixSeconds; // market time
  readonly measured: number | null; // what broke the rule
  readonly bound: number | null; // what it had to keep to
};

export const encodeRegionRow = (row: RegionRow) => encode([row.nextSlot, row.refusedReadings]);

export function decodeRegionRow(bytes: Uint8Array): RegionRow {
  const [nextSlot, refusedReadings] = fields(bytes, "nn", "region");
  return { nextSlot: nextSlot as Slot, refusedReadings: refusedReadings as number };
}

export function encodeDeviceRow({ state, lastReceivedS, quality }: DeviceRow): Uint8Array {
  return encode([
    state.boot,
    state.seq,
    state.recordHash,
    state.importWh,
    state.exportWh,
    state.intervalEndS,
    lastReceivedS,
    quality,
  ]);
}

export function decodeDeviceRow(bytes: Uint8Array): DeviceRow {
  const row = fields(bytes, "nnbnnnnn", "device");
  const number = (i: number) => row[i] as number;
  return {
    state: {
      boot: number(0),
      seq: number(1),
      recordHash: row[2] as Uint8Array,
      importWh: number(3),
      exportWh: number(4),
      intervalEndS: number(5) as UnixSeconds,
    },
    lastReceivedS: number(6) as UnixSeconds,
    quality: number(7),
  };
}

export function encodeReadingRow({ record, salt, emission }: ReadingRow): Uint8Array {
  return encode([
    record,
    salt,
    emission.firstSlot,
    emission.slots,
    emission.importWh,
    emission.exportWh,
    emission.quality,
  ]);
}

export function decodeReadingRow(bytes: Uint8Array): ReadingRow {
  const row = fields(bytes, "bbnnnnn", "reading");
  const number = (i: number) => row[i] as number;
  return {
    record: row[0] as Uint8Array,
    salt: row[1] as Uint8Array,
    emission: {
      firstSlot: number(2) as Slot,
      slots: number(3),
      importWh: number(4),
      exportWh: number(5),
      quality: number(6),
    },
  };
}

export function encodeLateRow(row: LateRow): Uint8Array {
  return encode([row.importWh, row.exportWh, row.quality, row.leaf]);
}

export function decodeLateRow(bytes: Uint8Array): LateRow {
  const [importWh, exportWh, quality, leaf] = fields(bytes, "nnnb", "late energy");
  return {
    importWh: importWh as number,
    exportWh: exportWh as number,
    quality: quality as number,
    leaf: leaf as Uint8Array,
  };
}

export const encodeLeavesRow = ({ leaves }: LeavesRow) => encode([leaves]);

export function decodeLeavesRow(bytes: Uint8Array): LeavesRow {
  const [leaves] = fields(bytes, "b", "row of leaves");
  return { leaves: leaves as Uint8Array };
}

export function encodeRefusalRow(row: RefusalRow): Uint8Array {
  return encode([row.code, row.deviceId, row.recordHash, row.timeS, row.measured, row.bound]);
}

export function decodeRefusalRow(bytes: Uint8Array): RefusalRow {
  const [code, deviceId, recordHash, timeS, measured, bound] = fields(bytes, "n?bn??", "refusal");
  return {
    code: code as number,
    deviceId: deviceId as Uint8Array | null,
    recordHash: recordHash as Uint8Array,
    timeS: timeS as UnixSeconds,
    measured: measured as number | null,
    bound: bound as number | null,
  };
}

export function encodeCounts(counts: ReadonlyMap<number, number>): Uint8Array {
  return encode(new Map<number, CodecValue>(counts));
}

export function decodeCounts(bytes: Uint8Array): Map<number, number> {
  const map = decode(bytes);
  if (!(map instanceof Map)) return fail("counters");
  return new Map(map as Map<number, number>);
}

/** @param shape - one letter a field: n number, b bytes, ? either or null */
function fields(bytes: Uint8Array, shape: string, what: string): readonly CodecValue[] {
  const row = decode(bytes);
  if (!Array.isArray(row) || row.length !== shape.length) return fail(what);
  (row as CodecValue[]).forEach((value, i) => {
    if (shape[i] === "n" && typeof value !== "number") fail(what);
    if (shape[i] === "b" && !(value instanceof Uint8Array)) fail(what);
  });
  return row as CodecValue[];
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a stored ${what}`, { what, offset: 0 });
}
