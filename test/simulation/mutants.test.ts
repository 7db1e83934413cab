/**
 * Method: a simulator is worth what it finds. Each planted bug must be found within a few seeds, on
 * which the code without it passes; and the command that is printed must find it again.
 */
import { expect, test } from "vitest";
import { examine, shrink, slotsOf } from "./examine.ts";
import { MUTANTS } from "./mutants.ts";
import type { Plan } from "./plan.ts";
import { planFromSeed } from "./plan-from-seed.ts";
import { runPlan } from "./run.ts";

const SEEDS_MAX = 12;

test.each(MUTANTS)("found: $name", async ({ mutation, needs }) => {
  for (let seed = 1, tried = 0; tried < SEEDS_MAX; seed++) {
    const plan = planFromSeed({ seed, slots: slotsOf(seed) });
    if (needs !== undefined && !plan.faults.some(({ kind }) => kind === needs)) continue;
    tried++;
    if ((await examine(plan, { runs: 1, mutation })).failure !== null) return;
  }
  expect.unreachable(`not found within ${SEEDS_MAX} seeds`);
});

test("a failing plan is shrunk to what makes it fail", async () => {
  const { mutation } = MUTANTS.find(({ name }) => name.includes("late energy"))!;
  const partition = { kind: "partition", region: 0, fromS: 900, untilS: 2_300 } as const;
  const crash = {
    ...({ kind: "node-crash", afterS: 2_400, at: { write: "oracle", count: 1 } } as const),
    ...({ cut: "process", downS: 5 } as const),
  };
  const plan: Plan = {
    ...planFromSeed({ seed: 1, slots: 4 }),
    faults: [
      { kind: "cut", region: 1, box: 0, atS: 1_000 },
      partition,
      { kind: "duplicate", region: 1, fromS: 100, untilS: 900, share: 0.5 },
      crash,
    ],
  };
  const smaller = await shrink(plan, mutation);
  expect(smaller.faults).toContainEqual(partition);
  expect(smaller.faults.length).toBeLessThanOrEqual(2);
  for (const fault of smaller.faults) {
    const without = { ...smaller, faults: smaller.faults.filter((other) => other !== fault) };
    expect((await runPlan(without, mutation)).violation).toBeNull(); // each of them is needed
  }
  expect(smaller.actions).toEqual([]);
  expect((await runPlan(smaller, mutation)).violation).not.toBeNull();
  expect((await runPlan(smaller)).violation).toBeNull();
});
