/**
 * A process that runs the counter chain and kills itself: arguments are the directory, where the
 * application keeps its records ("shared" or "own"), and the step and the block before which it
 * dies ("none 0": not at all, the parent kills it). Each acknowledgement leaves the process, on
 * stdout, before anything else happens.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { addTransaction } from "./counter-application.ts";
import { startCounterChain } from "./counter-chain.ts";

/** The plan of every crash test: this many names, each added once. */
export const PLAN = Array.from({ length: 60 }, (_, i) => ({ name: `n${i}`, amount: i + 1 }));
const TOGETHER = 3; // submitted at once, so that blocks hold several

export function counterOf(directory: string, storage: string) {
  return storage === "own" ? { ownFile: join(directory, "counter.json") } : {};
}

async function main([directory, storage, step, block]: readonly string[]): Promise<void> {
  let at = 0;
  const chain = await startCounterChain({
    directory: join(directory!, "chain"),
    counter: counterOf(directory!, storage!),
    faults: {
      before: (next) => {
        if (next === "write_block") at++;
        if (next === step && at === Number(block)) process.kill(process.pid, "SIGKILL");
      },
    },
  });
  for (let i = 0; i < PLAN.length; i += TOGETHER) {
    const group = PLAN.slice(i, i + TOGETHER);
    await Promise.all(
      group.map(async ({ name, amount }) => {
        const { code } = await chain.writer.submit(addTransaction(name, amount));
        writeSync(1, `${name} ${code}\n`);
      }),
    );
  }
  await chain.close();
}

if (process.argv[1]?.endsWith("crash-child.ts") === true) await main(process.argv.slice(2));
