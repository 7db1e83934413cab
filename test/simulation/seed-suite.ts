/** Tests of a run of seeds, each under its own name, for one test file's worker. */
import { expect, test } from "vitest";
import { commandOf, examine, slotsOf } from "./examine.ts";
import { planFromSeed } from "./plan-from-seed.ts";

/** Of so many seeds one is run twice: equal seeds, equal bytes. */
const TWICE = 5;

export function testSeeds({ from, to }: { readonly from: number; readonly to: number }): void {
  const seeds = Array.from({ length: to - from + 1 }, (_, i) => ({ seed: from + i }));
  test.each(seeds)("seed $seed", ({ seed }) => testSeed(seed, slotsOf(seed)));
}

export async function testSeed(seed: number, slots: number): Promise<void> {
  const plan = planFromSeed({ seed, slots });
  const { failure } = await examine(plan, { runs: seed % TWICE === 0 ? 2 : 1 });
  expect(failure, commandOf(plan, true)).toBeNull();
}
