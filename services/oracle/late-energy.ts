/**
 * Energy of one region that was found after its slot's report: it waits here for a later report.
 *
 * A report carries at most LATE_ENTRIES_PER_REPORT_MAX entries, oldest first. What waits so long
 * that its slot leaves the correction window is not lost: the report's own slot takes it in as an
 * estimate, as soon as that meter has a reading there. So every Wh is reported exactly once.
 */
import { LATE_ENTRIES_PER_REPORT_MAX, SLOT_ENERGY_WH_MAX } from "../primitives/limits.ts";
import type { Slot } from "../primitives/units.ts";
import { type LateEntry, QUALITY } from "../wire/report.ts";
import type { SlotColumns } from "./slot-columns.ts";
import type { StoreChange } from "./store.ts";
import { meterSlotKey } from "./store-keys.ts";
import { encodeLateRow, type LateRow } from "./store-rows.ts";

type At = { readonly slot: Slot; readonly meterIndex: number };

export class LateEnergy {
  readonly #regionIndex: number;
  readonly #bySlot = new Map<Slot, Map<number, LateRow>>();

  constructor(regionIndex: number) {
    this.#regionIndex = regionIndex;
  }

  /** Entries that wait. */
  get size(): number {
    let size = 0;
    for (const meters of this.#bySlot.values()) size += meters.size;
    return size;
  }

  *entries(): Generator<At & LateRow> {
    for (const slot of [...this.#bySlot.keys()].sort((a, b) => a - b)) {
      const meters = this.#bySlot.get(slot)!;
      for (const meterIndex of [...meters.keys()].sort((a, b) => a - b)) {
        yield { slot, meterIndex, ...meters.get(meterIndex)! };
      }
    }
  }

  put(at: At, row: LateRow): StoreChange {
    let meters = this.#bySlot.get(at.slot);
    if (meters === undefined) {
      meters = new Map();
      this.#bySlot.set(at.slot, meters);
    }
    meters.set(at.meterIndex, row);
    return { table: "late", key: this.#key(at), value: encodeLateRow(row) };
  }

  /**
   * Takes what the report of a slot can carry. Changes `columns` where energy has left the window.
   *
   * @param floorSlot - oldest slot that the report may correct
   * @returns the report's late entries with the leaves behind them, and the rows to change
   */
  take(floorSlot: Slot, columns: SlotColumns) {
    const late: LateEntry[] = [];
    const leaves = new Map<number, Uint8Array>(); // by meter, of its newest late record
    const changes: StoreChange[] = [];
    for (const { slot, meterIndex, leaf, ...energy } of this.entries()) {
      if (late.length >= LATE_ENTRIES_PER_REPORT_MAX) break;
      if (slot < floorSlot) {
        changes.push(...this.#carry({ slot, meterIndex }, { ...energy, leaf }, columns));
      } else {
        late.push({ slot, meterIndex, ...energy });
        leaves.set(meterIndex, leaf);
        changes.push(this.#remove({ slot, meterIndex }));
      }
    }
    return { late, leaves, changes };
  }

  #carry(at: At, row: LateRow, columns: SlotColumns): StoreChange[] {
    const { meterIndex } = at;
    if (row.importWh === 0 && row.exportWh === 0) return [this.#remove(at)];
    if (columns.quality[meterIndex] === QUALITY.missing) return [];
    const importWh = Math.min(row.importWh, SLOT_ENERGY_WH_MAX - columns.importWh[meterIndex]!);
    const exportWh = Math.min(row.exportWh, SLOT_ENERGY_WH_MAX - columns.exportWh[meterIndex]!);
    columns.importWh[meterIndex]! += importWh;
    columns.exportWh[meterIndex]! += exportWh;
    columns.quality[meterIndex] = QUALITY.estimated;
    const rest = { importWh: row.importWh - importWh, exportWh: row.exportWh - exportWh };
    if (rest.importWh === 0 && rest.exportWh === 0) return [this.#remove(at)];
    return [this.put(at, { ...row, ...rest })];
  }

  #remove(at: At): StoreChange {
    const meters = this.#bySlot.get(at.slot)!;
    meters.delete(at.meterIndex);
    if (meters.size === 0) this.#bySlot.delete(at.slot);
    return { table: "late", key: this.#key(at), value: null };
  }

  #key(at: At): string {
    return meterSlotKey({ regionIndex: this.#regionIndex, ...at });
  }
}
