/**
 * Registers to interval energy: the difference of two accepted readings, laid over the slots
 * between them. One slot is exact and actual (A). Several share the exact total evenly and are all
 * estimated (E): only the shape is a guess.
 *
 * Invariant: the energies emitted for a meter sum to its last accepted register minus its opening
 * register, whatever was lost, delayed, reordered or repeated, because each accepted reading emits
 * exactly the step from the one accepted before it.
 */
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import type { Reading } from "../wire/reading.ts";
import { QUALITY } from "../wire/report.ts";
import type { RegisterState } from "./registers.ts";

/** The energy of one accepted reading: exact totals over a run of consecutive slots. */
export type Emission = {
  readonly firstSlot: Slot;
  readonly slots: number; // at least 1
  readonly importWh: number; // total over all of them
  readonly exportWh: number;
  readonly quality: number; // QUALITY.actual or QUALITY.estimated, the same for each slot
};

/** What one slot gets of an emission. */
export type SlotEnergy = {
  readonly slot: Slot;
  readonly importWh: number;
  readonly exportWh: number;
  readonly quality: number;
};

/**
 * Oldest slot that the next report may still correct: its end lies at most `correctionWindowS`
 * before that report's slot starts. Never before genesis. It moves with the reports, not with the
 * clock, so energy that waits for an oracle or a chain that was away does not expire meanwhile.
 */
export function correctionFloor(input: {
  readonly nextSlot: Slot; // the region's next report
  readonly genesisSlot: Slot;
  readonly correctionWindowS: number;
  readonly slotS: number;
}): Slot {
  const windowSlots = Math.floor(input.correctionWindowS / input.slotS);
  return Math.max(input.nextSlot - 1 - windowSlots, input.genesisSlot) as Slot;
}

/**
 * The energy between `state` and an accepted `reading`.
 *
 * @param floorSlot - oldest slot that may still be corrected. Energy from before it is laid over
 *   the reading's open slots: a gap longer than the correction window loses shape, not energy.
 */
export function emissionOf(input: {
  readonly state: RegisterState;
  readonly reading: Reading;
  readonly slotS: number;
  readonly floorSlot: Slot;
}): Emission {
  const { state, reading, slotS } = input;
  const spanFirst = Math.floor(state.intervalEndS / slotS);
  const end = Math.floor(reading.intervalEndS / slotS);
  const firstSlot = Math.max(spanFirst, input.floorSlot);
  assert(end > firstSlot, "an accepted reading covers an open slot");
  const importWh = (reading.importWh ?? state.importWh) - state.importWh;
  const exportWh = (reading.exportWh ?? state.exportWh) - state.exportWh;
  assert(importWh >= 0 && exportWh >= 0, "an accepted register never falls");
  return {
    firstSlot: firstSlot as Slot,
    slots: end - firstSlot,
    importWh,
    exportWh,
    quality: end - spanFirst === 1 ? QUALITY.actual : QUALITY.estimated,
  };
}

/** The emission slot by slot, oldest first: sums to its totals exactly. */
export function* slotEnergies(emission: Emission): Generator<SlotEnergy> {
  for (let i = 0; i < emission.slots; i++) {
    yield {
      slot: (emission.firstSlot + i) as Slot,
      importWh: evenShare(emission.importWh, { parts: emission.slots, index: i }),
      exportWh: evenShare(emission.exportWh, { parts: emission.slots, index: i }),
      quality: emission.quality,
    };
  }
}

/** Largest remainder over equal weights: all remainders tie, so the earliest parts get 1 more. */
function evenShare(total: number, at: { readonly parts: number; readonly index: number }): number {
  const base = Math.floor(total / at.parts);
  return base + (at.index < total - base * at.parts ? 1 : 0);
}
