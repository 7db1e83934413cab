/**
 * `npm run fuzz -- --inputs 1000000 --seed 7`: hostile inputs to every target in turn, as many as
 * asked, in rounds; progress on stderr, a table on stdout. `--target NAME` takes one target, and
 * `--path` repeats one finding. The first finding of a target ends that target, and the exit code
 * is 1.
 */
import { parseArgs } from "node:util";
import { type Campaign, campaignLine, runCampaign } from "./campaign.ts";
import { TARGETS } from "./targets.ts";

const ROUND_INPUTS = 2000; // per target

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    target: { type: "string" },
    path: { type: "string" },
  },
});

const [inputs, seed] = [Number(values.inputs), Number(values.seed)];
const chosen = TARGETS.filter(({ name }) => values.target === undefined || name === values.target);
if (!Number.isSafeInteger(inputs) || inputs < 1 || !Number.isSafeInteger(seed)) {
  end(2, "fuzz: --inputs and --seed are whole numbers");
} else if (chosen.length === 0) {
  end(2, `fuzz: no such target; there are ${TARGETS.map(({ name }) => name).join(", ")}`);
} else {
  const totals = fuzz();
  for (const campaign of totals.values()) process.stdout.write(`${campaignLine(campaign)}\n`);
  const findings = [...totals.values()].flatMap(({ finding }) => finding ?? []);
  process.stdout.write(`${sumOf(totals)} inputs, ${findings.length} findings, seed ${seed}\n`);
  if (findings.length > 0) end(1, findings.join("\n\n"));
}

function fuzz(): Map<string, Campaign> {
  const totals = new Map<string, Campaign>();
  const startMs = performance.now();
  for (let round = 0; sumOf(totals) < inputs; round++) {
    let taken = 0;
    for (const target of chosen) {
      const left = inputs - sumOf(totals);
      const before = totals.get(target.name);
      if (left <= 0 || (before !== undefined && before.finding !== null)) continue;
      const share = Math.min(ROUND_INPUTS, Math.ceil(inputs / chosen.length), left);
      const { path } = values;
      const made = { inputs: share, seed: seed + round, ...(path === undefined ? {} : { path }) };
      const campaign = runCampaign(target, made);
      if (campaign.finding !== null) process.stderr.write(`\n${campaign.finding}\n`);
      totals.set(target.name, added(before, campaign));
      taken += share;
      progress(sumOf(totals), startMs);
      if (path !== undefined) return totals;
    }
    if (taken === 0) break; // every target has its finding
  }
  process.stderr.write("\n");
  return totals;
}

function added(before: Campaign | undefined, now: Campaign): Campaign {
  if (before === undefined) return now;
  const answers = new Map(before.answers);
  for (const [word, n] of now.answers) answers.set(word, (answers.get(word) ?? 0) + n);
  return {
    ...now,
    answers,
    inputs: before.inputs + now.inputs,
    slowestMs: Math.max(before.slowestMs, now.slowestMs),
    hungriestBytes: Math.max(before.hungriestBytes, now.hungriestBytes),
  };
}

function sumOf(totals: ReadonlyMap<string, Campaign>): number {
  let sum = 0;
  for (const campaign of totals.values()) sum += campaign.inputs;
  return sum;
}

function progress(done: number, startMs: number): void {
  const rate = Math.round((1000 * done) / (performance.now() - startMs));
  const heap = Math.round(process.memoryUsage().heapUsed / 1_048_576);
  process.stderr.write(`\rfuzz: ${done} of ${inputs} inputs, ${rate}/s, heap ${heap} MiB   `);
}

function end(code: number, message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}
