/**
 * The oracle's report: one region's metered energy of one slot, as columns by meter index, with the
 * root of the salted signed readings behind them; and its certificate, an aggregate BLS signature
 * of a quorum of the committee. Enters the chain as transaction type 0x67.
 *
 * Late readings ride in the next report of their region: the slot's own columns stay as published,
 * the difference settles on its own bill line. So nothing receipted is lost or counted twice.
 */
import { sha256 } from "../crypto/hash.ts";
import { concatBytes, utf8 } from "../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import {
  COMMITTEE_MEMBERS_MAX,
  LATE_ENTRIES_PER_REPORT_MAX,
  METERS_PER_REGION_MAX,
  REGIONS_MAX,
  SLOT_ENERGY_WH_MAX,
} from "../primitives/limits.ts";
import type { Slot } from "../primitives/units.ts";

export const REPORT_TRANSACTION_TYPE = 0x67;

/** Where a metered value comes from. Estimates never become actual. */
export const QUALITY = { actual: 0, substituted: 1, estimated: 2, missing: 3 } as const;
export const QUALITY_LETTERS = ["A", "S", "E", "N"] as const;

/** Energy of an earlier slot that was not in that slot's report. */
export type LateEntry = {
  readonly slot: Slot; // before the report's slot, inside the correction window
  readonly meterIndex: number;
  readonly importWh: number; // to add to what that slot already counted
  readonly exportWh: number;
  readonly quality: number;
};

export type Report = {
  readonly configDigest: Uint8Array; // 32 B: which committee, keys and rules this was made under
  readonly regionIndex: number;
  readonly slot: Slot;
  readonly importWh: Uint32Array; // by meter index of the region, 0 where missing
  readonly exportWh: Uint32Array;
  readonly quality: Uint8Array; // QUALITY, by meter index
  readonly readingsRoot: Uint8Array; // 32 B, over `readingLeaf` of the records used, in meter order
  readonly refusedReadings: number; // records refused in this region since its previous report
  readonly late: readonly LateEntry[]; // sorted by (slot, meterIndex), unique
};

export type Certificate = {
  readonly signers: number; // bit i: committee member i signed
  readonly signature: Uint8Array; // 96 B aggregate
};

export type ReportTransaction = {
  readonly report: Report;
  readonly reportBytes: Uint8Array; // what was signed
  readonly certificate: Certificate;
};

export function encodeReport(report: Report): Uint8Array {
  return encode([
    report.configDigest,
    report.regionIndex,
    report.slot,
    packUint32(report.importWh),
    packUint32(report.exportWh),
    report.quality,
    report.readingsRoot,
    report.refusedReadings,
    report.late.map((entry) => [
      entry.slot,
      entry.meterIndex,
      entry.importWh,
      entry.exportWh,
      entry.quality,
    ]),
  ]);
}

/** The bytes committee members sign: domain-separated, and bound to the network by configDigest. */
export function reportStatement(reportBytes: Uint8Array): Uint8Array {
  return concatBytes([utf8("gridlane/report/v1"), sha256(reportBytes)]);
}

export function encodeReportTransaction({
  reportBytes,
  certificate,
}: {
  reportBytes: Uint8Array;
  certificate: Certificate;
}): Uint8Array {
  const body = encode([reportBytes, certificate.signers, certificate.signature]);
  return concatBytes([Uint8Array.of(REPORT_TRANSACTION_TYPE), body]);
}

/**
 * @param bytes - the whole transaction, type byte included
 * @throws GridError bytes_malformed
 */
export function decodeReportTransaction(bytes: Uint8Array): ReportTransaction {
  const envelope = decodeReportEnvelope(bytes);
  return { report: decodeReport(envelope.reportBytes), ...envelope };
}

/** Without the report itself: what its certificate is verified from. */
export type ReportEnvelope = Omit<ReportTransaction, "report">;

/** @throws GridError bytes_malformed */
export function decodeReportEnvelope(bytes: Uint8Array): ReportEnvelope {
  if (bytes[0] !== REPORT_TRANSACTION_TYPE) return fail("type");
  const parts = decode(bytes.subarray(1));
  if (!Array.isArray(parts) || parts.length !== 3) return fail("envelope");
  const [reportBytes, signers, signature] = parts as CodecValue[];
  if (!(reportBytes instanceof Uint8Array)) return fail("report");
  const signersMax = 2 ** COMMITTEE_MEMBERS_MAX - 1;
  const certificate = {
    signers: bounded(signers, signersMax, "signers"),
    signature: sized(signature, 96, "signature"),
  };
  return { reportBytes, certificate };
}

/** @throws GridError bytes_malformed naming the field */
export function decodeReport(bytes: Uint8Array): Report {
  const fields = decode(bytes);
  if (!Array.isArray(fields) || fields.length !== 9) return fail("fields");
  const [digest, region, slot, imports, exports, quality, root, refused, late] =
    fields as CodecValue[];
  const importWh = unpackUint32(imports, "importWh");
  const meters = importWh.length;
  if (meters > METERS_PER_REGION_MAX) return fail("meters");
  const exportWh = unpackUint32(exports, "exportWh");
  if (exportWh.length !== meters) return fail("exportWh");
  const qualityBytes = sized(quality, meters, "quality");
  if (qualityBytes.some((code) => code > QUALITY.missing)) return fail("quality");
  return {
    configDigest: sized(digest, 32, "configDigest"),
    regionIndex: bounded(region, REGIONS_MAX - 1, "regionIndex"),
    slot: bounded(slot, Number.MAX_SAFE_INTEGER, "slot") as Slot,
    importWh,
    exportWh,
    quality: qualityBytes,
    readingsRoot: sized(root, 32, "readingsRoot"),
    refusedReadings: bounded(refused, 0xffff_ffff, "refusedReadings"),
    late: decodeLate(late, meters),
  };
}

function decodeLate(value: CodecValue | undefined, meters: number): LateEntry[] {
  if (!Array.isArray(value) || value.length > LATE_ENTRIES_PER_REPORT_MAX) return fail("late");
  const entries = (value as CodecValue[]).map((item) => {
    if (!Array.isArray(item) || item.length !== 5) return fail("late entry");
    const [slot, meterIndex, importWh, exportWh, quality] = item as CodecValue[];
    return {
      slot: bounded(slot, Number.MAX_SAFE_INTEGER, "late slot") as Slot,
      meterIndex: bounded(meterIndex, meters - 1, "late meter"),
      importWh: bounded(importWh, SLOT_ENERGY_WH_MAX, "late importWh"),
      exportWh: bounded(exportWh, SLOT_ENERGY_WH_MAX, "late exportWh"),
      quality: bounded(quality, QUALITY.estimated, "late quality"),
    };
  });
  for (let i = 1; i < entries.length; i++) {
    const [before, entry] = [entries[i - 1]!, entries[i]!];
    const rises =
      entry.slot > before.slot ||
      (entry.slot === before.slot && entry.meterIndex > before.meterIndex);
    if (!rises) return fail("late order");
  }
  return entries;
}

function packUint32(column: Uint32Array): Uint8Array {
  const out = new Uint8Array(4 * column.length);
  const view = new DataView(out.buffer);
  for (let i = 0; i < column.length; i++) view.setUint32(4 * i, column[i]!);
  return out;
}

function unpackUint32(value: CodecValue | undefined, what: string): Uint32Array {
  if (!(value instanceof Uint8Array) || value.length % 4 !== 0) return fail(what);
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const column = new Uint32Array(Math.floor(value.length / 4));
  for (let i = 0; i < column.length; i++) {
    column[i] = view.getUint32(4 * i);
    if (column[i]! > SLOT_ENERGY_WH_MAX) return fail(what);
  }
  return column;
}

function sized(value: CodecValue | undefined, length: number, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length) return fail(what);
  return value;
}

function bounded(value: CodecValue | undefined, max: number, what: string): number {
  if (typeof value !== "number" || value < 0 || value > max) return fail(what);
  return value;
}

function fail(what: string): never {
  throw new GridError("bytes_malformed", `not a report: ${what}`, { what, offset: 0 });
}
