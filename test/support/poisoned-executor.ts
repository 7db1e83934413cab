/**
 * A bug in one region's data, as a lane executor: wraps another one and lets chosen steps of chosen
 * lanes fail, as if they had broken an invariant.
 */
import {
  type LaneExecutor,
  type LaneFailure,
  type LaneOutcome,
  sequentialExecutor,
} from "../../services/chain/lane-executor.ts";
import type { Slot } from "../../services/primitives/units.ts";

/** Whether a step of a lane breaks. */
export type Poison = (at: {
  readonly regionIndex: number;
  readonly slot: Slot;
  readonly step: "open" | "close";
  readonly version: number; // of the chain, at the block
}) => boolean;

export function poisonedExecutor(
  isPoisoned: Poison,
  inner: LaneExecutor = sequentialExecutor,
): LaneExecutor {
  return {
    ...inner,
    open(work) {
      const { slot, jobs, rules } = work;
      const strike = <Value>(
        step: "open" | "close",
        outcomes: readonly LaneOutcome<Value>[],
      ): LaneOutcome<Value>[] =>
        outcomes.map((outcome, j) => {
          const { regionIndex } = jobs[j]!;
          const { version } = rules;
          if (!isPoisoned({ regionIndex, slot, step, version })) return outcome;
          const failure: LaneFailure = { regionIndex, step, message: "the lane is poisoned" };
          return { failure };
        });
      const opened = inner.open(work);
      return {
        brought: strike("open", opened.brought),
        close: (answers) => strike("close", opened.close(answers)),
      };
    },
  };
}
