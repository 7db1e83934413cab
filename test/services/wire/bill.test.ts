/** Method: @chainsafe/ssz is the outside truth for the root. */
import { ContainerType, UintBigintType } from "@chainsafe/ssz";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "../../../services/primitives/bytes.ts";
import { BILL_FIELDS, type Bill, billRoot } from "../../../services/wire/bill.ts";
import { sampleBill } from "./samples.ts";

const uint64 = new UintBigintType(8);
const BillContainer = new ContainerType(
  Object.fromEntries(BILL_FIELDS.map((field) => [field, uint64])),
);

function sszRoot(bill: Bill): string {
  const fields = BILL_FIELDS.map((field) => [field, BigInt.asUintN(64, BigInt(bill[field]))]);
  return toHex(BillContainer.hashTreeRoot(Object.fromEntries(fields)));
}

const anyBill = fc
  .record({
    ...Object.fromEntries(BILL_FIELDS.map((field) => [field, fc.maxSafeInteger()])),
    amountUc: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  })
  .map((bill) => bill as unknown as Bill);

test("21 fields, in the order of the container", () => {
  expect(BILL_FIELDS).toHaveLength(21);
  expect(Object.keys(sampleBill()).sort()).toEqual([...BILL_FIELDS].sort());
});

test("the root is SSZ's hash_tree_root, negative money as two's complement", () => {
  expect(toHex(billRoot(sampleBill()))).toBe(sszRoot(sampleBill()));
  fc.assert(
    fc.property(anyBill, (bill) => {
      expect(toHex(billRoot(bill))).toBe(sszRoot(bill));
    }),
  );
});

test("each field moves the root", () => {
  const roots = BILL_FIELDS.map((field) => {
    const bill = sampleBill();
    const value = field === "amountUc" ? bill.amountUc + 1n : bill[field] + 1;
    return toHex(billRoot({ ...bill, [field]: value } as Bill));
  });
  expect(new Set([...roots, toHex(billRoot(sampleBill()))]).size).toBe(22);
});
