/**
 * Method: kill -9. A child process runs the chain and dies before each step of a block, or at a
 * moment drawn from a seed; its store is opened again here. What it acknowledged must be there,
 * nothing may be there twice, and the rest of the plan must lead to the app hash of a run that
 * nobody disturbed.
 */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { STEPS } from "../../../../services/ordering/embedded/apply.ts";
import { createPrng } from "../../../../services/primitives/prng.ts";
import { addTransaction } from "../../../support/counter-application.ts";
import { startCounterChain } from "../../../support/counter-chain.ts";
import { counterOf, PLAN } from "../../../support/crash-child.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const CHILD = fileURLToPath(new URL("../../../support/crash-child.ts", import.meta.url));

/** Names acknowledged with code 0 before the process ended. */
async function runChild({
  directory,
  storage,
  step,
  block,
  killAfter,
}: {
  directory: string;
  storage: string;
  step: string;
  block: number;
  killAfter: number; // acknowledgements; infinite: it kills itself
}): Promise<{ acknowledged: string[]; signal: string | null }> {
  const args = ["--import", "tsx", CHILD, directory, storage, step, String(block)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    output += text;
    if (output.split("\n").length > killAfter) child.kill("SIGKILL");
  });
  const signal = await new Promise<string | null>((resolve) => {
    child.once("close", (_, by) => resolve(by));
  });
  const lines = output.split("\n").slice(0, -1);
  return { acknowledged: lines.map((line) => /^(\S+) 0$/.exec(line)![1]!), signal };
}

async function finish(directory: string, storage: string, acknowledged: readonly string[]) {
  const chain = await startCounterChain({
    directory: join(directory, "chain"),
    counter: counterOf(directory, storage),
  });
  const counts = new Map(PLAN.map(({ name }) => [name, chain.application.count(name)]));
  for (const name of acknowledged) expect(counts.get(name)).toBeGreaterThan(0);
  for (const { name, amount } of PLAN) expect([0, amount]).toContain(counts.get(name));
  const missing = PLAN.filter(({ name }) => counts.get(name) === 0);
  await Promise.all(
    missing.map(({ name, amount }) => chain.writer.submit(addTransaction(name, amount))),
  );
  const { appHash } = chain.reader.head();
  await chain.close();
  return { appHash, missing: missing.length };
}

let expected: Uint8Array;
beforeAll(async () => {
  const { appHash, missing } = await finish(temporaryDirectory(), "shared", []);
  expect(missing).toBe(PLAN.length);
  expected = appHash;
});

test.each([
  ...STEPS.map((step, i) => ({ storage: "shared", step, block: i + 1 })),
  { storage: "own", step: "write_state", block: 2 },
])("killed before $step of block $block, records $storage", async ({ storage, step, block }) => {
  const directory = temporaryDirectory();
  const killAfter = Number.POSITIVE_INFINITY;
  const { acknowledged, signal } = await runChild({ directory, storage, step, block, killAfter });
  expect(signal).toBe("SIGKILL");
  const { appHash, missing } = await finish(directory, storage, acknowledged);
  expect(missing).toBeGreaterThan(0);
  expect(appHash).toEqual(expected);
});

test.each([1, 2])("killed at a random moment, twice in a row, seed %d", async (seed) => {
  const prng = createPrng(seed);
  const directory = temporaryDirectory();
  const acknowledged: string[] = [];
  for (let run = 0; run < 2; run++) {
    const killAfter = 1 + prng.below(25);
    const common = { directory, storage: "shared", step: "none", block: 0 };
    const child = await runChild({ ...common, killAfter });
    acknowledged.push(...child.acknowledged);
  }
  // The second child submits all from the start, and the application takes an addition twice: only
  // names that the first did not reach may be compared, so what counts is that none is lost.
  const chain = await startCounterChain({ directory: join(directory, "chain") });
  for (const { name, amount } of PLAN) {
    const times = acknowledged.filter((one) => one === name).length;
    const count = chain.application.count(name);
    expect(count % amount).toBe(0);
    expect(Math.round(count / amount)).toBeGreaterThanOrEqual(times);
    expect(Math.round(count / amount)).toBeLessThanOrEqual(2);
  }
  expect(chain.recovery.rebuiltBecause).toBeNull();
  await chain.close();
});
