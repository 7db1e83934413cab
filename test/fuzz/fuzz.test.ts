/**
 * Method: 20,000 hostile inputs over every target (`targets.ts`), from a fixed seed: each is
 * answered by a word or a coded refusal, with bounded memory. `npm run fuzz` takes as many as you
 * like with seeds of your own.
 */
import { expect, test } from "vitest";
import { campaignLine, runCampaign } from "./campaign.ts";
import { answerOf, TARGETS } from "./targets.ts";

const INPUTS = 20_000;
const SEED = 20_240_602;
const share = Math.ceil(INPUTS / TARGETS.length);

test("targets have names of their own", () => {
  expect(new Set(TARGETS.map(({ name }) => name)).size).toBe(TARGETS.length);
});

test.each(TARGETS)("$name takes its valid inputs", (target) => {
  expect(target.seeds.length).toBeGreaterThan(0);
  for (const seed of target.seeds) expect(answerOf(target, seed)).not.toMatch(/malformed|corrupt/);
});

test.each(TARGETS)("$name answers whatever comes", (target) => {
  const campaign = runCampaign(target, { inputs: share, seed: SEED });
  expect(campaign.finding ?? "nothing found").toBe("nothing found");
  process.stdout.write(`${campaignLine(campaign)}\n`);
});
