/** One thread of `audit-pool.ts`: checks the blocks that it is sent, in their order. */
import { parentPort, workerData } from "node:worker_threads";
import { type CheckContext, type CheckedBytes, checkBlocks } from "./audit-checks.ts";

const context = workerData as CheckContext;
parentPort?.on("message", (blocks: readonly CheckedBytes[]) => {
  parentPort?.postMessage(checkBlocks(context, blocks));
});
parentPort?.postMessage("ready");
