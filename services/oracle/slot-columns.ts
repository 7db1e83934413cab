/** One region's slot while it fills: columns by meter index, and the leaves of the records used. */
import { assert } from "../primitives/errors.ts";
import { SLOT_ENERGY_WH_MAX } from "../primitives/limits.ts";
import { QUALITY } from "../wire/report.ts";

export type SlotColumns = {
  readonly importWh: Uint32Array;
  readonly exportWh: Uint32Array;
  readonly quality: Uint8Array; // QUALITY.missing until a reading covers the slot
  readonly leaves: (Uint8Array | undefined)[]; // 32 B each
};

/** A slot that no meter has covered yet. */
export function emptyColumns(meters: number): SlotColumns {
  return {
    importWh: new Uint32Array(meters),
    exportWh: new Uint32Array(meters),
    quality: new Uint8Array(meters).fill(QUALITY.missing),
    leaves: new Array(meters).fill(undefined),
  };
}

/** Puts the energy of the one record that covers this slot of this meter. */
export function fillMeter(
  columns: SlotColumns,
  meterIndex: number,
  energy: {
    readonly importWh: number;
    readonly exportWh: number;
    readonly quality: number;
    readonly leaf: Uint8Array;
  },
): void {
  assert(columns.quality[meterIndex] === QUALITY.missing, "a slot of a meter is filled once");
  assert(energy.importWh <= SLOT_ENERGY_WH_MAX, "import of a slot is within its bound");
  assert(energy.exportWh <= SLOT_ENERGY_WH_MAX, "export of a slot is within its bound");
  columns.importWh[meterIndex] = energy.importWh;
  columns.exportWh[meterIndex] = energy.exportWh;
  columns.quality[meterIndex] = energy.quality;
  columns.leaves[meterIndex] = energy.leaf;
}
