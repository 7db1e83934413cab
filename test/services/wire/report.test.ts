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
  REPORT_ROUND_MAX,
  SLOT_ENERGY_WH_MAX,
  TRANSACTION_BYTES_MAX,
} from "../../../services/primitives/limits.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import {
  decodeReport,
  decodeReportHead,
  decodeReportTransaction,
  encodeReport,
  encodeReportTransaction,
  type Report,
  reportStatement,
  statementOf,
  statementParts,
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
    round: fc.nat(REPORT_ROUND_MAX),
    refusals: fc
      .uniqueArray(fc.tuple(fc.nat(31), fc.integer({ min: 1, max: 0xffff_ffff }), root), {
        selector: ([memberIndex]) => memberIndex,
      })
      .map((entries) => entries.sort(([a], [b]) => a - b))
      .map((entries) =>
        entries.map(([memberIndex, count, of]) => ({ memberIndex, count, root: of })),
      ),
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

const [HEAD, BODY] = [0, 1];
const sampleBody = (decode(encodeReport(sampleReport())) as Uint8Array[])[BODY]!;
const refusal = (memberIndex: number, count = 1) => [memberIndex, count, new Uint8Array(32)];

test.each<[string, number, number, CodecValue]>([
  ["configDigest", HEAD, 0, new Uint8Array(31)],
  ["regionIndex", HEAD, 1, REGIONS_MAX],
  ["slot", HEAD, 2, -1],
  ["round", HEAD, 3, REPORT_ROUND_MAX + 1],
  ["importWh", BODY, 0, new Uint8Array(15)],
  ["importWh", BODY, 0, column(4, SLOT_ENERGY_WH_MAX + 1)],
  ["meters", BODY, 0, column(METERS_PER_REGION_MAX + 1)],
  ["exportWh", BODY, 1, column(3)],
  ["quality", BODY, 2, new Uint8Array(5)],
  ["quality", BODY, 2, Uint8Array.of(0, 0, 0, 4)],
  ["readingsRoot", BODY, 3, null],
  ["refusals", BODY, 4, 0],
  ["refusals", BODY, 4, Array.from({ length: 33 }, (_, i) => refusal(i))],
  ["refusal entry", BODY, 4, [[0, 1]]],
  ["refusal member", BODY, 4, [refusal(32)]],
  ["refusal count", BODY, 4, [refusal(0, 0)]],
  ["refusal count", BODY, 4, [refusal(0, 2 ** 32)]],
  ["refusal root", BODY, 4, [[0, 1, new Uint8Array(31)]]],
  ["refusal order", BODY, 4, [refusal(1), refusal(0)]],
  ["refusal order", BODY, 4, [refusal(1), refusal(1)]],
  ["late", BODY, 5, null],
  [
    "late",
    BODY,
    5,
    Array.from({ length: LATE_ENTRIES_PER_REPORT_MAX + 1 }, (_, i) => [i, 0, 0, 0, 0]),
  ],
  ["late entry", BODY, 5, [lateEntry(1, 2, 3, 4)]],
  ["late slot", BODY, 5, [lateEntry(-1, 0, 0, 0, 0)]],
  ["late meter", BODY, 5, [lateEntry(1, 4, 0, 0, 0)]],
  ["late importWh", BODY, 5, [lateEntry(1, 0, SLOT_ENERGY_WH_MAX + 1, 0, 0)]],
  ["late exportWh", BODY, 5, [lateEntry(1, 0, 0, -1, 0)]],
  ["late quality", BODY, 5, [lateEntry(1, 0, 0, 0, 3)]],
  ["late order", BODY, 5, [lateEntry(2, 0, 0, 0, 0), lateEntry(1, 0, 0, 0, 0)]],
  ["late order", BODY, 5, [lateEntry(1, 1, 0, 0, 0), lateEntry(1, 1, 0, 0, 0)]],
])("refused by name: %s", (field, part, index, value) => {
  const parts = [...(decode(encodeReport(sampleReport())) as Uint8Array[])];
  const fields = [...(decode(parts[part]!) as CodecValue[])];
  fields[index] = value;
  parts[part] = encode(fields);
  expect(() => decodeReport(encode(parts))).toThrow(`not a report: ${field}`);
});

test.each<[string, CodecValue]>([
  ["parts", 1],
  ["parts", [new Uint8Array(1)]],
  ["parts", [new Uint8Array(1), 1]],
  ["head", [encode([1, 2, 3]), sampleBody]],
])("refused by name: %s of the whole", (field, value) => {
  expect(() => decodeReport(encode(value))).toThrow(`not a report: ${field}`);
});

test("what is signed tells what it is about in the clear, and hashes the rest", () => {
  const report = sampleReport();
  const bytes = encodeReport(report);
  const { head, bodyHash } = statementParts(bytes);
  const { configDigest, regionIndex, slot, round } = report;
  expect(decodeReportHead(head)).toEqual({ configDigest, regionIndex, slot, round });
  expect(statementOf({ head, bodyHash })).toEqual(reportStatement(bytes));
});

test.each<[string, Uint8Array]>([
  ["type", Uint8Array.of(2, ...encode([new Uint8Array(0), 1, new Uint8Array(96)]))],
  ["envelope", Uint8Array.of(0x67, ...encode([1]))],
  ["report", Uint8Array.of(0x67, ...encode([1, 1, new Uint8Array(96)]))],
  [
    "signers",
    Uint8Array.of(
      0x67,
      ...encode([encode([new Uint8Array(0), new Uint8Array(0)]), 2 ** 32, new Uint8Array(96)]),
    ),
  ],
  [
    "signature",
    Uint8Array.of(
      0x67,
      ...encode([encode([new Uint8Array(0), new Uint8Array(0)]), 1, new Uint8Array(95)]),
    ),
  ],
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
