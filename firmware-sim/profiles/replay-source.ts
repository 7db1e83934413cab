/**
 * A replay as an energy source: registers between the rows.
 *
 * A register is `round(total)`, linear inside a row; a slot's energy is the difference of two, so
 * the slots of any stretch sum to its registers' difference, to the Wh.
 */
import { assert } from "../../services/primitives/errors.ts";
import type { EnergySource, HomeEnergy } from "./energy-source.ts";
import type { Replay } from "./replay.ts";

/**
 * The replay as an energy source. Homes go to the regions named, each home to at most one.
 *
 * @param regions - `homes` are places in `replay.homes`, in the order of the region's own homes
 */
export function createReplaySource({
  replay,
  slotS,
  regions,
}: {
  replay: Replay;
  slotS: number;
  regions: readonly { readonly id: string; readonly homes: readonly number[] }[];
}): EnergySource {
  const byRegion = new Map(
    regions.map(({ id, homes }) => [id, homes.map((home) => replay.homes[home]!)]),
  );
  const endS = replay.startS + replay.rows * replay.rowS;
  return {
    slotS,
    firstSlot: Math.ceil(replay.startS / slotS),
    endSlot: Math.floor(endS / slotS),
    energyOf: ({ region, home, slot }): HomeEnergy => {
      const measured = byRegion.get(region)?.[home];
      assert(measured !== undefined, "the replay knows the home");
      const from = (slot * slotS - replay.startS) / replay.rowS;
      const to = ((slot + 1) * slotS - replay.startS) / replay.rowS;
      assert(from >= 0 && to <= replay.rows, "the slot is inside the replay");
      return {
        importWh: registerAt(measured.importWh, to) - registerAt(measured.importWh, from),
        exportWh: registerAt(measured.exportWh, to) - registerAt(measured.exportWh, from),
        productionWh:
          registerAt(measured.productionWh, to) - registerAt(measured.productionWh, from),
      };
    },
  };
}

/** The register, integer Wh, `at` rows after the start (with a fraction inside a row). */
export function registerAt(totals: Float64Array, at: number): number {
  const row = Math.floor(at);
  const below = totals[row]!;
  if (row === at) return Math.round(below);
  return Math.round(below + (totals[row + 1]! - below) * (at - row));
}
