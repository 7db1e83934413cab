/**
 * One stored block through the application and back onto the disk: the path of a new block and of
 * a replayed one. The order of the steps is what makes a crash harmless at any instant: block on
 * the disk, execute, then the application's changes and the engine's state in one batch.
 */
import type { Application, Finalized } from "../../chain/abci.ts";
import type { StoredBlock } from "../../chain/access.ts";
import { assert } from "../../primitives/errors.ts";
import type { BlockStore } from "./block-store.ts";

/** Instants between which a crash can fall, in their order. */
export const STEPS = [
  "write_block",
  "finalize",
  "write_response",
  "commit",
  "write_state",
  "acknowledge",
] as const;
export type Step = (typeof STEPS)[number];
/** Lets a test stop the process, or fail the disk, right before a step. */
export type Faults = { before(step: Step): void };

/**
 * Where the application keeps its records: `shared` in this store, as the changes of `commit`; or
 * `own`, when `commit` made them durable itself and returned none.
 */
export type ApplicationStorage = "shared" | "own";

export type Applier = {
  readonly application: Application;
  readonly store: BlockStore;
  readonly storage: ApplicationStorage;
  readonly faults: Faults | undefined;
};

/** Executes a stored block and makes the outcome durable. */
export async function applyBlock(applier: Applier, block: StoredBlock): Promise<Finalized> {
  const { application, store, storage, faults } = applier;
  const { height, timeS } = block.header;
  faults?.before("finalize");
  const finalized = execute(applier, block);
  const response = { appHash: finalized.appHash, results: finalized.results };
  faults?.before("write_response");
  // An application that persists on its own could end one ahead of the engine's state. The saved
  // answer lets a restart catch up without executing the block twice.
  if (storage === "own") await store.writeResponse(height, response);
  faults?.before("commit");
  const { changes, retainHeight } = application.commit();
  faults?.before("write_state");
  const state = { height, timeS, appHash: finalized.appHash };
  await store.writeCommit({ state, response, changes, retainHeight });
  return finalized;
}

/** Executes a block that the engine has committed before, for an application that lags behind. */
export async function reapplyBlock(applier: Applier, block: StoredBlock): Promise<Finalized> {
  const finalized = execute(applier, block);
  const { changes } = applier.application.commit();
  const { state } = applier.store;
  assert(state !== null, "a committed block has an engine state");
  await applier.store.writeCommit({ state, response: null, changes, retainHeight: 0 });
  return finalized;
}

function execute({ application }: Applier, block: StoredBlock): Finalized {
  const { header, transactions } = block;
  const finalized = application.finalizeBlock({
    height: header.height,
    timeS: header.timeS,
    transactions,
  });
  assert(finalized.appHash.length === 32, "an app hash has 32 bytes");
  assert(finalized.results.length === transactions.length, "each transaction has one result");
  return finalized;
}
