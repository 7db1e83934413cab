/**
 * Method: the pool of late energy at its edges: a full report, energy that ages out of the
 * correction window, a column that is already full. Every Wh must come out exactly once.
 */
import { expect, test } from "vitest";
import { LateEnergy } from "../../../services/oracle/late-energy.ts";
import { emptyColumns, fillMeter } from "../../../services/oracle/slot-columns.ts";
import {
  LATE_ENTRIES_PER_REPORT_MAX,
  SLOT_ENERGY_WH_MAX,
} from "../../../services/primitives/limits.ts";
import type { Slot } from "../../../services/primitives/units.ts";
import { QUALITY } from "../../../services/wire/report.ts";

const leaf = new Uint8Array(32).fill(1);
const energy = (importWh: number, exportWh = 0) => ({
  importWh,
  exportWh,
  quality: QUALITY.actual,
  leaf,
});
const at = (slot: number, meterIndex: number) => ({ slot: slot as Slot, meterIndex });
const present = (meters: number, importWh = 0) => {
  const columns = emptyColumns(meters);
  for (let m = 0; m < meters; m++) fillMeter(columns, m, energy(importWh));
  return columns;
};

test("a report carries its maximum, oldest first, and the rest waits", () => {
  const pool = new LateEnergy(0);
  for (let i = LATE_ENTRIES_PER_REPORT_MAX; i >= 0; i--) pool.put(at(100 + i, 7), energy(i));
  expect(pool.size).toBe(LATE_ENTRIES_PER_REPORT_MAX + 1);
  const first = pool.take(100 as Slot, emptyColumns(8));
  expect(first.late).toHaveLength(LATE_ENTRIES_PER_REPORT_MAX);
  expect(first.changes).toHaveLength(LATE_ENTRIES_PER_REPORT_MAX);
  expect(first.late[0]).toMatchObject({ slot: 100, importWh: 0 });
  const second = pool.take(100 as Slot, emptyColumns(8));
  expect(second.late).toMatchObject([{ slot: 100 + LATE_ENTRIES_PER_REPORT_MAX, meterIndex: 7 }]);
  expect(pool.size).toBe(0);
});

test("entries come sorted by slot, then meter", () => {
  const pool = new LateEnergy(0);
  for (const [slot, meter] of [
    [12, 1],
    [11, 9],
    [12, 0],
    [11, 2],
  ] as const) {
    pool.put(at(slot, meter), energy(1));
  }
  const { late } = pool.take(0 as Slot, emptyColumns(10));
  expect(late.map((entry) => [entry.slot, entry.meterIndex])).toEqual([
    [11, 2],
    [11, 9],
    [12, 0],
    [12, 1],
  ]);
});

test("energy out of the window joins its meter's column as an estimate", () => {
  const pool = new LateEnergy(0);
  pool.put(at(9, 0), energy(40, 2));
  pool.put(at(10, 0), energy(5));
  const columns = present(1, 100);
  const { late } = pool.take(10 as Slot, columns);
  expect(late).toMatchObject([{ slot: 10, importWh: 5 }]);
  expect([columns.importWh[0], columns.exportWh[0]]).toEqual([140, 2]);
  expect(columns.quality[0]).toBe(QUALITY.estimated);
  expect(pool.size).toBe(0);
});

test("out of the window and the meter missing: it waits for the meter", () => {
  const pool = new LateEnergy(0);
  pool.put(at(9, 0), energy(40));
  const columns = emptyColumns(1);
  expect(pool.take(10 as Slot, columns)).toMatchObject({ late: [], changes: [] });
  expect(columns.quality[0]).toBe(QUALITY.missing);
  expect(pool.size).toBe(1);
});

test("a column takes no more than a report can carry; the rest waits for the next one", () => {
  const pool = new LateEnergy(0);
  pool.put(at(9, 0), energy(40));
  const columns = present(1, SLOT_ENERGY_WH_MAX - 30);
  const { changes } = pool.take(10 as Slot, columns);
  expect(columns.importWh[0]).toBe(SLOT_ENERGY_WH_MAX);
  expect(changes).toMatchObject([{ table: "late" }]);
  expect([...pool.entries()]).toMatchObject([{ slot: 9, importWh: 10 }]);
  const next = present(1, 1);
  pool.take(10 as Slot, next);
  expect(next.importWh[0]).toBe(11);
});

test("no energy out of the window leaves the column actual", () => {
  const pool = new LateEnergy(0);
  pool.put(at(9, 0), energy(0));
  const columns = present(1, 3);
  pool.take(10 as Slot, columns);
  expect(columns.quality[0]).toBe(QUALITY.actual);
  expect(pool.size).toBe(0);
});
