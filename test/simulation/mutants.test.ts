/**
 * Method: a simulator is worth what it finds. Each planted bug must be found within a few seeds, on
 * which the code without it passes; and the command that is printed must find it again.
 */
import { expect, test } from "vitest";
import { examine, shrink, slotsOf } from "./examine.ts";
import { MUTANTS } from "./mutants.ts";
import { planFromSeed } from "./plan-from-seed.ts";
import { runPlan } from "./run.ts";

const SEEDS_MAX = 12;

test.each(MUTANTS)("found: $name", async ({ mutation }) => {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const plan = planFromSeed({ seed, slots: slotsOf(seed) });
    if ((await examine(plan, { runs: 1, mutation })).failure !== null) return;
  }
  expect.unreachable(`not found within ${SEEDS_MAX} seeds`);
});

test("a failing plan is shrunk to what makes it fail", async () => {
  const { mutation } = MUTANTS.find(({ name }) => name.includes("late energy"))!;
  const plan = planFromSeed({ seed: 1, slots: slotsOf(1) });
  const smaller = await shrink(plan, mutation);
  expect(smaller.faults.length).toBeLessThan(plan.faults.length);
  expect(smaller.actions).toEqual([]);
  expect((await runPlan(smaller, mutation)).violation).not.toBeNull();
  expect((await runPlan(smaller)).violation).toBeNull();
});
