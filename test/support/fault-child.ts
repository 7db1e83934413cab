/**
 * A process that runs the counter chain and meets one fault right before one step of one block:
 * arguments are the directory, the fault, the step, the block, and the length of each name. It goes
 * on as long as it can, and says on stdout what was acknowledged and what it was refused with.
 */
import { chmodSync, closeSync, openSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../services/node/clocks.ts";
import { GridError } from "../../services/primitives/errors.ts";
import { addTransaction } from "./counter-application.ts";
import { startCounterChain } from "./counter-chain.ts";

export const FAULTS = ["none", "kill", "full disk", "permission", "clock"] as const;
export type ChildFault = (typeof FAULTS)[number];

/** This many names, each added once, one after another. */
export const NAMES = 7;
/** Beside the chain's directory, on the same file system. */
export const FILLER = "filler";
const STEP_BACK_S = 86_400;

export function planOf(nameLength: number): { readonly name: string; readonly amount: number }[] {
  return Array.from({ length: NAMES }, (_, i) => {
    return { name: `n${i}`.padEnd(nameLength, "-x1y2z3"), amount: i + 1 };
  });
}

export function chainDirectory(directory: string): string {
  return join(directory, "chain");
}

/** A whole system clock where there is no other: real time, moved to the test network's. */
export function childClock() {
  return systemClock({ onStepBack: () => undefined });
}

const STRIKES: Record<ChildFault, (directory: string) => void> = {
  none: () => undefined,
  kill: () => process.kill(process.pid, "SIGKILL"),
  "full disk": fillDisk,
  permission: (directory) => setMode(directory, { file: 0, directory: 0 }),
  clock: () => {
    const now = Date.now;
    Date.now = () => now() - 1000 * STEP_BACK_S;
  },
};

function fillDisk(directory: string): void {
  const descriptor = openSync(join(directory, FILLER), "w");
  for (let bytes = 1 << 20; bytes >= 1; bytes = bytes >> 1) {
    const block = new Uint8Array(bytes);
    try {
      while (writeSync(descriptor, block) === bytes);
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== "ENOSPC") throw failure;
    }
  }
  closeSync(descriptor);
}

/** Takes or gives the permission to everything in the chain's directory. */
export function setMode(directory: string, mode: { file: number; directory: number }): void {
  const chain = chainDirectory(directory);
  if (mode.directory > 0) chmodSync(chain, mode.directory);
  for (const name of readdirSync(chain)) chmodSync(join(chain, name), mode.file);
  if (mode.directory === 0) chmodSync(chain, mode.directory);
}

async function main([directory, fault, step, block, length]: readonly string[]): Promise<void> {
  let at = 0;
  try {
    const chain = await startCounterChain({
      directory: chainDirectory(directory!),
      clock: childClock(),
      faults: {
        before: (next) => {
          if (next === "write_block") at++;
          if (next === step && at === Number(block)) STRIKES[fault as ChildFault](directory!);
        },
      },
    });
    for (const { name, amount } of planOf(Number(length))) {
      const { code } = await chain.writer.submit(addTransaction(name, amount));
      writeSync(1, `acknowledged ${name.slice(0, 2)} ${code}\n`);
    }
    await chain.close();
    writeSync(1, "ended\n");
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    writeSync(1, `refused ${failure.code}\n`);
    process.exit(0); // the chain cannot go on, and its store is not closed
  }
}

if (process.argv[1]?.endsWith("fault-child.ts") === true) await main(process.argv.slice(2));
