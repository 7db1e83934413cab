/**
 * `npm run sim`: one seed, or many. stdout is the result, stderr is talk; exit code 1 where
 * something is wrong, 2 where the command is.
 */
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { commandOf, type Examined, examine, shrink, slotsOf } from "./examine.ts";
import type { Plan } from "./plan.ts";
import { FAULT_KINDS, planFromSeed } from "./plan-from-seed.ts";

const USAGE = `usage: npm run sim -- --seed N [--slots M] [--plan JSON|FILE] [--log] [--json]
       npm run sim -- --seeds COUNT [--from N] [--slots M] [--json]

--seed N      one run, twice over: it must pass, and both runs must be the same
--seeds COUNT that many seeds, from N on, or from a fresh one
--slots M     slots with faults, 2 to 400; default: 8 to 16, by the seed
--plan        faults and actions instead of the seed's own: {"faults": [...], "actions": [...]}
--log         what happened, line by line, on stderr
--json        the result as JSON
`;

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      ...{ seed: { type: "string" }, seeds: { type: "string" }, from: { type: "string" } },
      ...{ slots: { type: "string" }, plan: { type: "string" } },
      ...{ log: { type: "boolean" }, json: { type: "boolean" }, help: { type: "boolean" } },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const slots = values.slots === undefined ? null : whole("slots", values.slots, [2, 400]);
  if (values.seeds !== undefined) {
    const count = whole("seeds", values.seeds, [1, 1_000_000]);
    // Fresh seeds must differ from run to run: the one thing here that no seed decides.
    const fresh = Math.floor(Math.random() * 2 ** 30);
    const from = values.from === undefined ? fresh : whole("from", values.from, [0, 2 ** 31]);
    return many({ from, count, slots, isJson: values.json === true });
  }
  if (values.seed === undefined) throw new UsageError("name a seed, or how many seeds");
  const seed = whole("seed", values.seed, [0, 2 ** 32]);
  const own = planFromSeed({ seed, slots: slots ?? slotsOf(seed) });
  const plan = values.plan === undefined ? own : { ...own, ...readPlan(values.plan) };
  const examined = await examine(plan, { runs: 2 });
  if (values.log) process.stderr.write(`${examined.outcome.log.join("\n")}\n`);
  return report(examined, { isSeeds: values.plan === undefined, isJson: values.json === true });
}

async function many(parts: {
  readonly from: number;
  readonly count: number;
  readonly slots: number | null;
  readonly isJson: boolean;
}): Promise<number> {
  const startMs = Date.now();
  let failed = 0;
  for (let seed = parts.from; seed < parts.from + parts.count; seed++) {
    const plan = planFromSeed({ seed, slots: parts.slots ?? slotsOf(seed) });
    const examined = await examine(plan, { runs: 1 });
    if (examined.failure !== null) {
      failed++;
      process.stderr.write("\n");
      await report(examined, { isSeeds: true, isJson: parts.isJson });
    }
    const done = seed - parts.from + 1;
    const perS = ((1000 * done) / (Date.now() - startMs)).toFixed(1);
    const progress = `sim: ${done} of ${parts.count} seeds, ${failed} failed, ${perS} a second`;
    if (process.stderr.isTTY) process.stderr.write(`\r${progress}`);
    else if (done % 50 === 0) process.stderr.write(`${progress}\n`);
  }
  if (process.stderr.isTTY) process.stderr.write("\n");
  const seconds = Math.round((Date.now() - startMs) / 1000);
  const { from, count } = parts;
  const text = `${count} seeds from ${from} in ${seconds} s: ${failed} failed`;
  const result = parts.isJson ? JSON.stringify({ from, count, failed, seconds }) : text;
  process.stdout.write(`${result}\n`);
  return failed === 0 ? 0 : 1;
}

async function report(
  { plan, outcome, failure }: Examined,
  { isSeeds, isJson }: { readonly isSeeds: boolean; readonly isJson: boolean },
): Promise<number> {
  const { seed, slots } = plan;
  const { appHash, logHash, counts } = outcome;
  const command = commandOf(plan, isSeeds);
  const smaller = outcome.violation === null ? null : commandOf(await shrink(plan), false);
  if (isJson) {
    const hashes = { appHash, logHash };
    const result = { seed, slots, failure, command, smaller, ...hashes, counts, plan };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } else if (failure === null) {
    const sums = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
    process.stdout.write(`ok seed ${seed}, ${slots} slots: ${sums.join(", ")}\n`);
    process.stdout.write(`app hash ${appHash}\nlog hash ${logHash}\n`);
  } else {
    process.stdout.write(`FAILED seed ${seed}: ${failure}\n${command}\n`);
    if (smaller !== null) process.stdout.write(`smaller: ${smaller}\n`);
  }
  return failure === null ? 0 : 1;
}

function whole(name: string, text: string, [least, most]: readonly [number, number]): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`--${name} ${text}: a whole number from ${least} to ${most}`);
}

/** Faults and actions from a file, or from the command line itself. */
function readPlan(text: string): Partial<Pick<Plan, "faults" | "actions">> {
  const json = existsSync(text) ? readFileSync(text, "utf8") : text;
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch {
    throw new UsageError("--plan: neither a file nor JSON");
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new UsageError("--plan: an object with faults, actions or both");
  }
  const { faults, actions, ...rest } = given as Partial<Plan>;
  for (const [name, list] of Object.entries({ faults, actions })) {
    if (list !== undefined && !Array.isArray(list)) throw new UsageError(`--plan: ${name}: a list`);
  }
  const [stray] = Object.keys(rest).filter((key) => !["seed", "slots", "community"].includes(key));
  if (stray !== undefined) throw new UsageError(`--plan: ${stray} is no part of a plan`);
  for (const { kind } of faults ?? []) {
    if (!FAULT_KINDS.includes(kind)) throw new UsageError(`--plan: there is no fault ${kind}`);
  }
  return { ...(faults && { faults }), ...(actions && { actions }) };
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (failure: unknown) => {
    const isTheirs =
      failure instanceof UsageError || (failure as { code?: string }).code?.startsWith("ERR_PARSE");
    if (!isTheirs) throw failure;
    process.stderr.write(`sim: ${(failure as Error).message}\n${USAGE}`);
    process.exitCode = 2;
  },
);
