/**
 * Bugs in the data of single regions: from a plan, in a slot, one step of a region's lane breaks an
 * invariant. Everything else is the executor that is wrapped.
 *
 * A bug is there or not by (region, slot, height) alone, whoever asks and however often: a restart
 * and a replay from block 1 fail where the first run failed. What repairs one is a new version of
 * the software with a height of activation, above all heights at which a slot was ever begun; so
 * no answer that was given once ever changes.
 */
import type { LaneExecutor, LaneFailure, LaneOutcome } from "../../services/chain/lane-executor.ts";
import { GENESIS_SLOT } from "./community.ts";
import type { Fault } from "./plan.ts";

export type PoisonFault = Extract<Fault, { kind: "poisoned-lane" }>;
export type PoisonedStep = PoisonFault["step"];
/** @param slot - absolute */
type Place = { readonly region: number; readonly slot: number; readonly height: number };

export class Poisons {
  readonly faults: readonly PoisonFault[];
  readonly #repairedFrom = new Map<PoisonFault, number>(); // heights
  #height = 0; // the highest at which a slot was begun

  constructor(faults: readonly PoisonFault[]) {
    this.faults = faults;
  }

  /** The step that breaks there, the earlier one of two; or null. */
  stepAt({ region, slot, height }: Place): PoisonedStep | null {
    const steps = this.faults
      .filter((fault) => fault.region === region && GENESIS_SLOT + fault.slot === slot)
      .filter((fault) => height < (this.#repairedFrom.get(fault) ?? Number.POSITIVE_INFINITY))
      .map(({ step }) => step);
    if (steps.includes("open")) return "open";
    return steps[0] ?? null;
  }

  /** The version that repairs it is installed. Repairs once; a later one changes nothing. */
  repair(fault: PoisonFault): void {
    if (!this.#repairedFrom.has(fault)) this.#repairedFrom.set(fault, this.#height + 1);
  }

  /** First slot (from genesis) that a region can never clear, for want of a repair; or null. */
  lastingSlot(region: number): number | null {
    const slots = this.faults
      .filter((fault) => fault.region === region && !this.#repairedFrom.has(fault))
      .map(({ slot }) => slot);
    return slots.length === 0 ? null : Math.min(...slots);
  }

  executor(inner: LaneExecutor): LaneExecutor {
    return {
      ...inner,
      open: (work) => {
        const { slot, height, jobs } = work;
        this.#height = Math.max(this.#height, height);
        const strike = <Value>(
          step: PoisonedStep,
          outcomes: readonly LaneOutcome<Value>[],
        ): LaneOutcome<Value>[] =>
          outcomes.map((outcome, j) => {
            const { regionIndex } = jobs[j]!;
            if (this.stepAt({ region: regionIndex, slot, height }) !== step) return outcome;
            const failure: LaneFailure = { regionIndex, step, message: "a poisoned lane" };
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
}
