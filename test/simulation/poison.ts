/**
 * A lane executor with a bug in one region's data: in a slot the lane's first step breaks an
 * invariant. Everything else is the executor it wraps.
 */
import type { LaneExecutor } from "../../services/chain/lane-executor.ts";
import { GENESIS_SLOT } from "./community.ts";

/** @param poison.slot - counted from genesis */
export function poisonedExecutor(
  executor: LaneExecutor,
  poisons: readonly { readonly region: number; readonly slot: number }[],
): LaneExecutor {
  return {
    ...executor,
    open(work) {
      const opened = executor.open(work);
      const isPoisoned = (regionIndex: number) =>
        poisons.some(({ region, slot }) => {
          return region === regionIndex && GENESIS_SLOT + slot === work.slot;
        });
      return {
        ...opened,
        brought: opened.brought.map((outcome, j) => {
          const { regionIndex } = work.jobs[j]!;
          if (!isPoisoned(regionIndex)) return outcome;
          return { failure: { regionIndex, step: "open", message: "a poisoned lane" } };
        }),
      };
    },
  };
}
