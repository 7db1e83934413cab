/**
 * The slots that a block clears:
 *
 *   catch up   each released lane on its own, slots that the others have cleared without it
 *   front      the lanes in the market together, every slot that all of them have reported
 *
 * A lane whose step breaks an invariant is a bug in that region alone: the slot is cleared again
 * without it, as if it had never taken part, and the lane stays as it was, quarantined. So one
 * region cannot stop the others, and a slot is tried at most as often as there are lanes. What no
 * single lane is to blame for still throws.
 *
 * Lanes in the market have always cleared equally many slots, the front; no lane is ahead of it.
 */
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import type { SlotRecord } from "../wire/slot-record.ts";
import { clearedSlots, reportedSlots } from "./lane.ts";
import type { LaneExecutor, LaneFailure } from "./lane-executor.ts";
import { quarantineOf, setQuarantine, takesPart } from "./quarantine-state.ts";
import type { Rules } from "./rules.ts";
import { clearSlot } from "./slot-step.ts";
import type { Draft } from "./state.ts";

export type DueSlots = {
  readonly records: readonly SlotRecord[]; // by (slot, region)
  readonly failures: readonly LaneFailure[]; // in the order in which they came
};

type Parts = {
  readonly rules: Rules;
  readonly executor: LaneExecutor;
  readonly draft: Draft;
  readonly height: number;
};

/** @throws InvariantError where no single lane is to blame */
export function clearDueSlots(parts: Parts): DueSlots {
  const records: SlotRecord[] = [];
  const failures: LaneFailure[] = [];
  const clear = (slotIndex: number, regions: readonly number[]) => {
    const slot = (parts.rules.firstSlot + slotIndex) as Slot;
    const cleared = clearWithout({ ...parts, slot, regions });
    records.push(...cleared.records);
    failures.push(...cleared.failures);
  };
  catchUp(parts, clear);
  clearFront(parts, clear);
  records.sort((a, b) => a.slot - b.slot || a.regionIndex - b.regionIndex);
  return { records, failures };
}

type Clear = (slotIndex: number, regions: readonly number[]) => void;

/** Oldest first, up to the front: there the lane is in the market again. */
function catchUp({ rules, draft }: Parts, clear: Clear): void {
  const regions = rules.regions.map((_, r) => r);
  const released = regions.filter((r) => isReleased(draft, r));
  if (released.length === 0) return;
  const front = Math.max(...regions.map((r) => clearedSlots(draft.lane(r))));
  for (const r of released) {
    for (let n = 0; n < rules.byVersion.catchUpSlotsPerBlockMax; n++) {
      const cleared = clearedSlots(draft.lane(r));
      if (cleared === front || reportedSlots(draft.lane(r)) === cleared) break;
      clear(cleared, [r]);
      if (!isReleased(draft, r)) break; // it failed again
    }
    if (!isReleased(draft, r) || clearedSlots(draft.lane(r)) < front) continue;
    setQuarantine(draft.ownLane(r).columns, null);
  }
}

function isReleased(draft: Draft, regionIndex: number): boolean {
  return quarantineOf(draft.lane(regionIndex))?.standing === "catching up";
}

function clearFront({ rules, draft }: Parts, clear: Clear): void {
  for (;;) {
    const regions = rules.regions.flatMap((_, r) => (takesPart(draft.lane(r)) ? [r] : []));
    if (regions.length === 0) return; // all are quarantined: reports wait
    const front = clearedSlots(draft.lane(regions[0]!));
    assert(
      regions.every((r) => clearedSlots(draft.lane(r)) === front),
      "lanes in the market have cleared the same slots",
    );
    if (regions.some((r) => reportedSlots(draft.lane(r)) === front)) return;
    clear(front, regions);
  }
}

/** Clears the slot over those of `regions` that come through it. */
function clearWithout(slot: Parts & { readonly slot: Slot; readonly regions: readonly number[] }): {
  readonly records: readonly SlotRecord[];
  readonly failures: readonly LaneFailure[];
} {
  const failures: LaneFailure[] = [];
  let { regions } = slot;
  while (regions.length > 0) {
    const clearing = clearSlot({ ...slot, regions });
    if ("records" in clearing) return { records: clearing.records, failures };
    for (const failure of clearing.failed) {
      failures.push(failure);
      quarantine(slot, failure);
    }
    const failed = new Set(clearing.failed.map(({ regionIndex }) => regionIndex));
    regions = regions.filter((r) => !failed.has(r));
  }
  return { records: [], failures };
}

function quarantine(
  { draft, slot: sinceSlot }: { readonly draft: Draft; readonly slot: Slot },
  { regionIndex, step }: LaneFailure,
): void {
  assert(step !== "root", "a slot has no such step");
  setQuarantine(draft.ownLane(regionIndex).columns, { standing: "quarantined", sinceSlot, step });
}
