/** Method: there and back for any report; every field out of its range is refused by name. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "../../../services/primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../../../services/primitives/codec.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import {
  LATE_ENTRIES_PER_REPORT_MAX,
  METERS_PER_REGION_MAX,
  REGIONS_MAX,
  SLOT_ENERGY_WH_MAX,
  TRANSACTION_BYTES_MAX,
} from "../../../services/primitives/limits.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import {
  decodeReport,
  decodeReportTransaction,
  encodeReport,
  encodeReportTransaction,
  type Report,
  reportStatement,
} from "../../../services/wire/report.ts";
import { sampleCertificate, sampleReport } from "./samples.ts";

const anyReport = fc.integer({ min: 1, max: 12 }).chain((meters) => {
  const column = fc.array(fc.nat(SLOT_ENERGY_WH_MAX), { minLength: meters, maxLength: meters });
  const root = fc.uint8Array({ minLength: 32, maxLength: 32 });
  return fc.record({
    configDigest: root,
    regionIndex: fc.nat(REGIONS_MAX - 1),
    slot: fc.maxSafeNat().map((slot) => slot as Slot),
    importWh: column.map((wh) => Uint32Array.from(wh)),
    exportWh: column.map((wh) => Uint32Array.from(wh)),
    quality: fc
      .array(fc.nat(3), { minLength: meters, maxLength: meters })
      .map((codes) => Uint8Array.from(codes)),
    readingsRoot: root,
    refusedReadings: fc.integer({ min: 0, max: 0xffff_ffff }),
    late: fc
      .uniqueArray(fc.tuple(fc.nat(99), fc.nat(meters - 1)), { selector: (at) => at.join() })
      .map((places) => places.sort(([s, m], [t, n]) => s - t || m - n))
      .map((places) =>
        places.map(([slot, meterIndex]) => ({
          slot: slot as Slot,
          meterIndex,
          importWh: slot,
          exportWh: meterIndex,
          quality: slot % 3,
        })),
      ),
  });
});

test("any report comes back, in its transaction too", () => {
  fc.assert(
    fc.property(anyReport, (report: Report) => {
      const reportBytes = encodeReport(report);
      expect(decodeReport(reportBytes)).toEqual(report);
      const certificate = { signers: 0xffff_ffff, signature: new Uint8Array(96).fill(7) };
      const bytes = encodeReportTransaction({ reportBytes, certificate });
      expect(bytes[0]).toBe(0x67);
      expect(decodeReportTransaction(bytes)).toEqual({ report, reportBytes, certificate });
    }),
    { numRuns: 100 },
  );
});

test("the report of a full region with every late entry fits a transaction", () => {
  const full = {
    ...sampleReport(),
    importWh: new Uint32Array(METERS_PER_REGION_MAX).fill(SLOT_ENERGY_WH_MAX),
    exportWh: new Uint32Array(METERS_PER_REGION_MAX),
    quality: new Uint8Array(METERS_PER_REGION_MAX),
    late: Array.from({ length: LATE_ENTRIES_PER_REPORT_MAX }, (_, i) => ({
      slot: (2 ** 40 + i) as Slot,
      meterIndex: METERS_PER_REGION_MAX - 1,
      importWh: SLOT_ENERGY_WH_MAX,
      exportWh: SLOT_ENERGY_WH_MAX,
      quality: 2,
    })),
  };
  const reportBytes = encodeReport(full);
  const certificate = sampleCertificate(reportBytes);
  const bytes = encodeReportTransaction({ reportBytes, certificate });
  expect(bytes.length).toBeLessThanOrEqual(TRANSACTION_BYTES_MAX);
  expect(decodeReportTransaction(bytes).report.late).toHaveLength(LATE_ENTRIES_PER_REPORT_MAX);
});

const column = (count: number, wh = 0) => {
  const bytes = new Uint8Array(4 * count);
  new DataView(bytes.buffer).setUint32(0, wh);
  return bytes;
};
const lateEntry = (slot: number, meter: number, ...rest: number[]) => [slot, meter, ...rest];

test.each<[string, number, CodecValue]>([
  ["configDigest", 0, new Uint8Array(31)],
  ["regionIndex", 1, REGIONS_MAX],
  ["slot", 2, -1],
  ["importWh", 3, new Uint8Array(15)],
  ["importWh", 3, column(4, SLOT_ENERGY_WH_MAX + 1)],
  ["meters", 3, column(METERS_PER_REGION_MAX + 1)],
  ["exportWh", 4, column(3)],
  ["quality", 5, new Uint8Array(5)],
  ["quality", 5, Uint8Array.of(0, 0, 0, 4)],
  ["readingsRoot", 6, null],
  ["refusedReadings", 7, 2 ** 32],
  ["late", 8, null],
  ["late", 8, Array.from({ length: LATE_ENTRIES_PER_REPORT_MAX + 1 }, (_, i) => [i, 0, 0, 0, 0])],
  ["late entry", 8, [lateEntry(1, 2, 3, 4)]],
  ["late slot", 8, [lateEntry(-1, 0, 0, 0, 0)]],
  ["late meter", 8, [lateEntry(1, 4, 0, 0, 0)]],
  ["late importWh", 8, [lateEntry(1, 0, SLOT_ENERGY_WH_MAX + 1, 0, 0)]],
  ["late exportWh", 8, [lateEntry(1, 0, 0, -1, 0)]],
  ["late quality", 8, [lateEntry(1, 0, 0, 0, 3)]],
  ["late order", 8, [lateEntry(2, 0, 0, 0, 0), lateEntry(1, 0, 0, 0, 0)]],
  ["late order", 8, [lateEntry(1, 1, 0, 0, 0), lateEntry(1, 1, 0, 0, 0)]],
])("refused by name: %s", (field, index, value) => {
  const fields = [...(decode(encodeReport(sampleReport())) as CodecValue[])];
  fields[index] = value;
  expect(() => decodeReport(encode(fields))).toThrow(`not a report: ${field}`);
});

test.each<[string, Uint8Array]>([
  ["type", Uint8Array.of(2, ...encode([new Uint8Array(0), 1, new Uint8Array(96)]))],
  ["envelope", Uint8Array.of(0x67, ...encode([1]))],
  ["report", Uint8Array.of(0x67, ...encode([1, 1, new Uint8Array(96)]))],
  ["signers", Uint8Array.of(0x67, ...encode([new Uint8Array(0), 2 ** 32, new Uint8Array(96)]))],
  ["signature", Uint8Array.of(0x67, ...encode([new Uint8Array(0), 1, new Uint8Array(95)]))],
])("refused by name: %s of the transaction", (field, bytes) => {
  expect(() => decodeReportTransaction(bytes)).toThrow(`not a report: ${field}`);
});

test("random bytes are refused with a code and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => decodeReport(bytes)).toThrow(GridError);
      expect(() => decodeReportTransaction(Uint8Array.of(0x67, ...bytes))).toThrow(GridError);
    }),
  );
});

test("the statement is domain-separated and bound to every byte of the report", () => {
  const bytes = encodeReport(sampleReport());
  const statement = toHex(reportStatement(bytes));
  expect(statement.startsWith(Buffer.from("gridlane/report/v1").toString("hex"))).toBe(true);
  expect(toHex(reportStatement(bytes.slice().fill(1, -1)))).not.toBe(statement);
});
