/** Method: merging and the live list on worked cases, then the laws of a merge. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeSlots, recentRows, SLOTS_KEPT_MAX } from "../../dashboard/src/model/slots.ts";
import { slotOf } from "./summaries.ts";

test("a fresh slot replaces the known one, and order comes from the slot number", () => {
  const merged = mergeSlots([slotOf(7), slotOf(5)], [slotOf(6), slotOf(5, { tradedWh: 9 })]);
  expect(merged.map((slot) => [slot.slot, slot.tradedWh])).toEqual([
    [5, 9],
    [6, 0],
    [7, 0],
  ]);
});

test("the oldest go when there are more than are kept", () => {
  const many = Array.from({ length: SLOTS_KEPT_MAX }, (_, i) => slotOf(i));
  expect(mergeSlots([], many)).toHaveLength(SLOTS_KEPT_MAX);
  const over = mergeSlots(many, [slotOf(SLOTS_KEPT_MAX)]);
  expect(over).toHaveLength(SLOTS_KEPT_MAX);
  expect(over[0]?.slot).toBe(1);
});

test("a merge is sorted, without doubles, and the same when repeated", () => {
  const lists = fc.array(fc.integer({ min: 0, max: 50 }).map((slot) => slotOf(slot)));
  fc.assert(
    fc.property(lists, lists, (known, fresh) => {
      const merged = mergeSlots(known, fresh);
      const numbers = merged.map((slot) => slot.slot);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      expect(mergeSlots(merged, fresh)).toEqual(merged);
    }),
  );
});

test("rows are newest first, and what is missing between them says so", () => {
  const rows = recentRows([slotOf(1), slotOf(2), slotOf(5)], 3);
  expect(rows).toMatchObject([
    { kind: "cleared", slot: { slot: 5 } },
    { kind: "missing", fromS: 3 * 900, toS: 5 * 900 },
    { kind: "cleared", slot: { slot: 2 } },
    { kind: "cleared", slot: { slot: 1 } },
  ]);
  expect(recentRows([slotOf(1), slotOf(2), slotOf(5)], 1)).toHaveLength(1);
  expect(recentRows([], 5)).toEqual([]);
});
