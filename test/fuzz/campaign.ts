/**
 * One target, many inputs: what it answered, how long the slowest took, how much the hungriest
 * allocated; and for a finding, the line that repeats it.
 *
 * Time and memory are measured around each input. Memory is the growth of the heap and of array
 * buffers while the input was taken; a collection in between hides some of it, never adds.
 */
import fc from "fast-check";
import { cook, type Recipe, recipe } from "./mutate.ts";
import { answerOf, type FuzzTarget, shown } from "./targets.ts";

/** Far above what any input needs: what allocates more does so for what it was promised. */
export const INPUT_MEMORY_BYTES_MAX = 64 * 1024 * 1024;
/** A target that thinks for so long would not have come back, or not soon enough. */
export const INPUT_TIME_MS_MAX = 30_000;

export type Campaign = {
  readonly target: string;
  readonly inputs: number;
  readonly answers: ReadonlyMap<string, number>;
  readonly slowestMs: number;
  readonly hungriestBytes: number;
  readonly finding: string | null; // what was found, with the line that repeats it
};

export function runCampaign(
  target: FuzzTarget,
  {
    inputs,
    seed,
    path,
  }: { readonly inputs: number; readonly seed: number; readonly path?: string },
): Campaign {
  const answers = new Map<string, number>();
  let slowestMs = 0;
  let hungriestBytes = 0;
  const property = fc.property(recipe, (made: Recipe) => {
    const bytes = cook(made, target.seeds);
    const before = allocated();
    const startMs = performance.now();
    const answer = answerOf(target, bytes);
    const tookMs = performance.now() - startMs;
    const grownBytes = allocated() - before;
    slowestMs = Math.max(slowestMs, tookMs);
    hungriestBytes = Math.max(hungriestBytes, grownBytes);
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
    if (grownBytes > INPUT_MEMORY_BYTES_MAX) throw new Error(`allocated ${grownBytes} bytes`);
    if (tookMs > INPUT_TIME_MS_MAX) throw new Error(`took ${Math.round(tookMs)} ms`);
  });
  const replay = path === undefined ? {} : { path, endOnFailure: true };
  const result = fc.check(property, { numRuns: inputs, seed, ...replay });
  const finding = result.failed ? findingOf(target, result) : null;
  return { target: target.name, inputs, answers, slowestMs, hungriestBytes, finding };
}

function allocated(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function findingOf(target: FuzzTarget, result: fc.RunDetails<[Recipe]>): string {
  const [made] = result.counterexample ?? [];
  const input = made === undefined ? "" : shown(cook(made, target.seeds));
  const error = result.errorInstance;
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const { seed, counterexamplePath } = result;
  return [
    `${target.name}: ${why}`,
    `input: ${input}`,
    `again: npm run fuzz -- --target "${target.name}" --seed ${seed} --path ${counterexamplePath}`,
  ].join("\n");
}

/** One line of a table. */
export function campaignLine(campaign: Campaign): string {
  const { target, inputs, slowestMs, hungriestBytes, answers } = campaign;
  const words = [...answers].sort(([, a], [, b]) => b - a).map(([word, n]) => `${word} ${n}`);
  const megabytes = (hungriestBytes / 1_048_576).toFixed(1);
  const figures = [
    String(inputs).padStart(7),
    `${slowestMs.toFixed(1).padStart(7)} ms`,
    `${megabytes.padStart(5)} MiB`,
  ];
  return [target.padEnd(30), ...figures, words.slice(0, 6).join(", ")].join("  ");
}
