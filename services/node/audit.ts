/**
 * The auditor: replays a chain from genesis and compares all that a node stored with the outcome.
 *
 * Safe because it believes nothing but genesis. It executes each block with the application itself,
 * on a state of its own, which verifies transactions, certificates, clearing witnesses and sums on
 * the way; stored records only ever stand on the other side of a comparison. It writes nothing. Its
 * source is a stopped node's directory or somebody else's node (`audit-http.ts`).
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { AuditSource } from "../chain/audit-source.ts";
import { type LaneExecutor, sequentialExecutor } from "../chain/lane-executor.ts";
import { createRules } from "../chain/rules.ts";
import type { VersionTable } from "../chain/versions.ts";
import { createStoreAuditSource } from "../ordering/embedded/audit-source.ts";
import { type BlockStore, inspectBlockStore } from "../ordering/embedded/block-store.ts";
import { corrupt } from "../ordering/embedded/store-errors.ts";
import { bytesEqual, fromHex, toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { AUDIT_WORKERS_MAX } from "../primitives/limits.ts";
import type { AuditHead } from "../wire/audit-page.ts";
import { type Genesis, genesisHash } from "../wire/genesis.ts";
import type { Divergence } from "./audit-finding.ts";
import { NO_POOL, startCheckPool } from "./audit-pool.ts";
import { Auditor, type AuditProgress } from "./audit-run.ts";
import { type AuditStart, genesisStart } from "./audit-start.ts";
import type { AuditTotals } from "./audit-totals.ts";
import { createLaneWorkers, METERS_PARALLEL_MIN } from "./lane-workers.ts";

/** A thread takes about as long to start as this many blocks to check. */
const WORKERS_BLOCKS_MIN = 256;

export type AuditReport = {
  readonly networkId: string;
  readonly fromHeight: number; // 0: from genesis; else the state of this height was trusted
  readonly appHash: string; // of the replay, after the last block that it executed
  readonly totals: Readonly<AuditTotals>;
  /** Written but not executed when the node stopped: checked, with no outcome to compare. */
  readonly unexecutedBlocks: number; // 0 or 1
  readonly divergence: Divergence | null; // null: all is equal
};

export type AuditRequest = {
  readonly genesis: Genesis;
  readonly versions?: VersionTable | undefined; // default: those that this software knows
  /** Who runs lanes; default: threads, or one lane after another for few meters. */
  readonly executor?: LaneExecutor | undefined;
  /** Threads that check signatures ahead; 0: everything on this one. Default: as it pays. */
  readonly workers?: number;
  readonly start?: AuditStart; // default: genesis
  readonly onProgress?: (progress: AuditProgress) => void;
};

/**
 * Audits the chain under a stopped node's data directory.
 *
 * @throws GridError database_locked, database_corrupt (damage that the store's own checksums find),
 *   file_unreadable where there is no chain, genesis_mismatch
 */
export async function auditDirectory(
  request: AuditRequest & { readonly dataDirectory: string },
): Promise<AuditReport> {
  const store = await inspectBlockStore({ directory: join(request.dataDirectory, "chain") });
  try {
    requireGenesis(store.directory, store.genesisHash, request.genesis);
    requireWhole(store);
    return await auditSource({ ...request, source: createStoreAuditSource(store) });
  } finally {
    await store.close();
  }
}

function requireWhole(store: BlockStore): void {
  if (store.damage !== null) throw corrupt(store.directory, store.damage.what);
}

/**
 * Audits whatever the source gives.
 *
 * @throws GridError genesis_mismatch, blocks_pruned, head_moving, and what the source throws
 */
export async function auditSource(
  request: AuditRequest & { readonly source: AuditSource },
): Promise<AuditReport> {
  const { source, genesis, onProgress = () => {} } = request;
  const start = request.start ?? genesisStart(genesis);
  const head = await source.head();
  requireGenesis(source.name, head.genesisHash, genesis);
  requireBlocks(source.name, head, start);
  const blocks = head.blocks - start.height;
  const threads = startThreads(genesis, request.workers ?? workersFor(blocks));
  const { pool } = threads;
  const executor = request.executor ?? threads.executor;
  try {
    const auditor = new Auditor({
      ...{ source, genesis, versions: request.versions, pool, executor, start, head, onProgress },
    });
    const divergence = await auditor.run(head);
    return {
      networkId: genesis.networkId,
      fromHeight: start.height,
      appHash: toHex(auditor.appHash),
      totals: auditor.totals,
      unexecutedBlocks: head.blocks - (head.state?.height ?? 0),
      divergence,
    };
  } finally {
    await threads.stop();
  }
}

function requireGenesis(name: string, found: Uint8Array | null, genesis: Genesis): void {
  const expected = genesisHash(genesis);
  if (found !== null && bytesEqual(expected, found)) return;
  throw new GridError(
    "genesis_mismatch",
    `${name} holds no chain of this genesis: name the genesis it was started with`,
    { expected: toHex(expected), found: found === null ? "" : toHex(found) },
  );
}

function requireBlocks(name: string, { base, blocks, state }: AuditHead, start: AuditStart): void {
  if (base > start.height + 1) {
    const message =
      `${name}: blocks below ${base} were pruned: ` +
      "audit from a snapshot of a height that is not below the one before";
    throw new GridError("blocks_pruned", message, { name, base });
  }
  const executed = state?.height ?? 0;
  if (executed >= start.height && blocks >= executed) return;
  const message = `${name} ends at block ${executed}, before the trusted height ${start.height}`;
  throw new GridError("argument_invalid", message, {
    argument: "from-snapshot",
    value: String(start.height),
  });
}

/** Beside this thread, one for each further core; none for a chain that is sooner done alone. */
function workersFor(blocks: number): number {
  if (blocks < WORKERS_BLOCKS_MIN) return 0;
  return Math.min(availableParallelism() - 1, AUDIT_WORKERS_MAX);
}

/** Threads for both kinds of work: signatures ahead of the replay, and lanes in it. */
function startThreads(genesis: Genesis, workers: number) {
  if (workers === 0) return { pool: NO_POOL, executor: sequentialExecutor, stop: async () => {} };
  const { committee } = createRules(genesis);
  const sequencerPublicKey = fromHex(genesis.sequencerPublicKey);
  const context = { sequencerPublicKey, committeeKeys: committee.publicKeys };
  const pool = startCheckPool({ workers, context });
  const meters = genesis.regions.reduce((sum, region) => sum + region.meters.length, 0);
  // Few meters are sooner settled than shared out: their threads would stand idle.
  const lanes = meters < METERS_PARALLEL_MIN ? null : createLaneWorkers({ workers });
  return {
    pool,
    executor: lanes ?? sequentialExecutor,
    stop: async () => {
      await pool.close();
      await lanes?.stop();
    },
  };
}
