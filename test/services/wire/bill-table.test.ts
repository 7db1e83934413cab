/** Method: there and back for any bills; any other bytes are refused with a code. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes } from "../../../services/primitives/bytes.ts";
import { GridError } from "../../../services/primitives/errors.ts";
import { BILL_FIELDS, BILLS_PER_SLOT_MAX, type Bill } from "../../../services/wire/bill.ts";
import {
  createBillColumns,
  decodeBills,
  sealBills,
  tableOfBills,
} from "../../../services/wire/bill-table.ts";
import { sampleBill } from "./samples.ts";

const anyBill = fc
  .record({
    ...Object.fromEntries(
      BILL_FIELDS.map((field) => [field, fc.oneof(fc.constant(0), fc.maxSafeInteger())]),
    ),
    amountUc: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  })
  .map((bill) => bill as unknown as Bill);

test("any bills come back, one by one, by member and by column", () => {
  fc.assert(
    fc.property(fc.array(anyBill, { maxLength: 5 }), (bills) => {
      const table = decodeBills(tableOfBills(bills).bytes);
      expect(table.bytes).toEqual(tableOfBills(bills).bytes);
      expect(table).toHaveLength(bills.length);
      expect([...table]).toEqual(bills);
      expect(bills.map((_, i) => table.at(i))).toEqual(bills);
      for (const i of [-1, bills.length, 0.5, Number.NaN]) expect(table.at(i)).toBeUndefined();
      for (const { memberIndex } of bills) {
        const own = bills.flatMap((bill, leafIndex) =>
          bill.memberIndex === memberIndex ? [{ leafIndex, bill }] : [],
        );
        expect(table.ofMember(memberIndex)).toEqual(own);
      }
      bills.forEach((bill, i) => {
        for (const field of BILL_FIELDS) {
          expect(table.column(field).bigintAt(i)).toBe(BigInt(bill[field]));
        }
      });
    }),
  );
});

test("a table at any place of a larger message reads the same", () => {
  const { bytes } = tableOfBills([sampleBill(), { ...sampleBill(), meterIndex: 3 }]);
  for (let shift = 0; shift < 9; shift++) {
    const shifted = concatBytes([new Uint8Array(shift), bytes]).subarray(shift);
    expect([...decodeBills(shifted)]).toEqual([sampleBill(), { ...sampleBill(), meterIndex: 3 }]);
  }
});

test("bytes cut off, added to or changed are refused, or are another table's one form", () => {
  const { bytes } = tableOfBills([sampleBill(), { ...sampleBill(), importWh: 70_000 }]);
  for (let end = 0; end < bytes.length; end++) {
    expect(() => decodeBills(bytes.subarray(0, end))).toThrow(GridError);
  }
  expect(() => decodeBills(concatBytes([bytes, Uint8Array.of(0)]))).toThrow(/trailing/);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = bytes.slice();
      changed[at]! ^= change;
      try {
        expect(tableOfBills([...decodeBills(changed)]).bytes).toEqual(changed);
      } catch (failure) {
        expect(failure).toBeInstanceOf(GridError);
      }
    }),
  );
});

test("as many bills as a receipts tree has leaves, and not one more", () => {
  const columns = createBillColumns(BILLS_PER_SLOT_MAX + 1);
  columns.count = BILLS_PER_SLOT_MAX;
  const { bytes } = sealBills(columns);
  expect(decodeBills(bytes)).toHaveLength(BILLS_PER_SLOT_MAX);
  new DataView(bytes.buffer).setUint32(0, BILLS_PER_SLOT_MAX + 1, true);
  expect(() => decodeBills(bytes)).toThrow(/count/);
  columns.count = BILLS_PER_SLOT_MAX + 1;
  expect(() => sealBills(columns)).toThrow(/receipts tree/);
});
