/**
 * What the meters of a fleet measure. Two kinds exist: the physical model (`model.ts`) and the
 * replay of measured homes (`replay.ts`). Both answer for any slot in any order, so that a fleet
 * that restarts goes on where it stopped.
 */

/** Interval energy of one home in one slot, integer Wh, never negative. */
export type HomeEnergy = {
  readonly importWh: number; // drawn from the grid
  readonly exportWh: number; // fed to the grid
  readonly productionWh: number; // of the panels; 0 without panels
};

export type HomeSlot = {
  readonly region: string;
  readonly home: number; // place in the region's homes
  readonly slot: number;
};

export type EnergySource = {
  readonly slotS: number;
  /** First slot with data; null where every slot has some. */
  readonly firstSlot: number | null;
  /** The slot after the last one with data; null where there is no end. */
  readonly endSlot: number | null;
  /** MUST depend on its argument alone. `slot` MUST be in [firstSlot, endSlot). */
  energyOf(at: HomeSlot): HomeEnergy;
};
