/**
 * A plan put to the test: run, run again where asked, and where something is wrong, a smaller plan
 * that still shows it. What comes out can be printed as one line that reproduces it.
 */
import type { Mutation } from "./market-node.ts";
import type { Plan } from "./plan.ts";
import { type Outcome, runPlan } from "./run.ts";

export type Examined = {
  readonly plan: Plan;
  readonly outcome: Outcome;
  readonly failure: string | null;
};

/** Slots of a seed, where nobody says how many. */
export function slotsOf(seed: number): number {
  return 8 + (seed % 9);
}

export async function examine(
  plan: Plan,
  options: { readonly runs: 1 | 2; readonly mutation?: Mutation } = { runs: 1 },
): Promise<Examined> {
  const outcome = await runPlan(plan, options.mutation);
  const { violation } = outcome;
  if (violation !== null)
    return { plan, outcome, failure: `${violation.what} (${violation.atS} s)` };
  if (options.runs === 1) return { plan, outcome, failure: null };
  return {
    plan,
    outcome,
    failure: firstDifference(outcome, await runPlan(plan, options.mutation)),
  };
}

/** Null where two runs are the same, line by line and hash by hash. */
export function firstDifference(one: Outcome, other: Outcome): string | null {
  if (one.logHash === other.logHash && one.appHash === other.appHash) return null;
  const line = one.log.findIndex((text, i) => text !== other.log[i]);
  const at = line < 0 ? one.log.length : line;
  return `a second run differs at event ${at}: "${one.log[at]}", then "${other.log[at]}"`;
}

/** How many runs a search for a smaller plan may take. */
const SHRINK_RUNS_MAX = 80;

/** Drops faults, then actions, then slots, as long as something is still wrong. */
export async function shrink(plan: Plan, mutation: Mutation = {}): Promise<Plan> {
  let smallest = plan;
  let runs = 0;
  const attempt = async (candidate: Plan): Promise<boolean> => {
    if (runs++ >= SHRINK_RUNS_MAX) return false;
    if ((await runPlan(candidate, mutation)).violation === null) return false;
    smallest = candidate;
    return true;
  };
  for (const fault of plan.faults) {
    await attempt({ ...smallest, faults: smallest.faults.filter((one) => one !== fault) });
  }
  for (let size = plan.actions.length; size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < smallest.actions.length; ) {
      const actions = smallest.actions.filter((_, i) => i < from || i >= from + size);
      if (!(await attempt({ ...smallest, actions }))) from += size;
    }
  }
  for (const slots of [2, 4, 6, 8].filter((fewer) => fewer < plan.slots)) {
    if (await attempt({ ...smallest, slots })) break;
  }
  return smallest;
}

/** The command that runs a plan again; the plan itself is named only where it is not the seed's. */
export function commandOf(plan: Plan, isSeeds: boolean): string {
  const base = `npm run sim -- --seed ${plan.seed} --slots ${plan.slots}`;
  if (isSeeds) return base;
  const { faults, actions } = plan;
  return `${base} --plan '${JSON.stringify({ faults, actions })}'`;
}
