/**
 * Who stands behind which meter of a region: genesis as columns, so that a slot is a linear read.
 * Only grid meters are billed; production and feeder meters pass through the columns.
 */
import type { GenesisRegion } from "../wire/genesis.ts";

export const NO_MEMBER = -1;

export type Roster = {
  readonly memberCount: number;
  readonly meterCount: number;
  readonly memberOfMeter: Int32Array; // NO_MEMBER for a feeder meter
  readonly gridMeters: Uint32Array; // meter indexes that are billed, rising
  /** Places in `gridMeters`, one list per member that has more than one of them. */
  readonly sharedMeters: readonly Uint32Array[];
};

export function createRoster(region: GenesisRegion): Roster {
  const memberOfMeter = Int32Array.from(region.meters, (m) => m.memberIndex ?? NO_MEMBER);
  const gridMeters: number[] = [];
  const placesOf = region.members.map((): number[] => []);
  region.meters.forEach((meter, index) => {
    if (meter.role !== "grid") return;
    placesOf[memberOfMeter[index]!]!.push(gridMeters.length);
    gridMeters.push(index);
  });
  return {
    memberCount: region.members.length,
    meterCount: region.meters.length,
    memberOfMeter,
    gridMeters: Uint32Array.from(gridMeters),
    sharedMeters: placesOf.filter((places) => places.length > 1).map((p) => Uint32Array.from(p)),
  };
}
