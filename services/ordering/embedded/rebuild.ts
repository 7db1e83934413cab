/**
 * Where the first blocks were pruned a damaged state cannot be made again from block 1, but from a
 * snapshot that the node keeps and the blocks after it. The snapshot is verified whole, against the
 * app hash that the chain's own headers tell, before anything in the store is touched.
 */
import type { Snapshot, SnapshotPower, StoreChange } from "../../chain/abci.ts";
import type { SnapshotSource } from "../../chain/snapshot.ts";
import { STATE_KEYS } from "../../chain/store-keys.ts";
import type { BlockStore } from "./block-store.ts";
import type { ApplicationOptions, Opened, ReadableApplication } from "./chain.ts";
import type { EngineState } from "./engine-records.ts";
import { knownAppHash } from "./handshake.ts";
import { corrupt } from "./store-errors.ts";

/**
 * @param what - the damage
 * @returns the application at the snapshot's height; the blocks after it are to be replayed
 * @throws GridError database_corrupt where no kept snapshot will do
 */
export async function rebuildFromSnapshot(
  options: ApplicationOptions,
  what: string,
): Promise<Opened> {
  const { store, snapshots, createApplication } = options;
  const faults: string[] = [];
  for (const snapshot of snapshots?.list() ?? []) {
    const application = createApplication(new Map());
    const restored = await restoreKept({ store, snapshots: snapshots!, snapshot, application });
    if (typeof restored === "string") {
      faults.push(`that of height ${snapshot.height} will not do: ${restored}`);
      continue;
    }
    await store.startRebuild({ ...restored, forget: options.stateKeys ?? STATE_KEYS });
    const rebuiltBecause = `${what}; made again from the snapshot of height ${snapshot.height}`;
    return { application, rebuiltBecause };
  }
  const kept = faults.length === 0 ? "no snapshot is kept" : faults.join("; ");
  const pruned = `the blocks below ${store.base} are not stored`;
  throw corrupt(store.directory, `${what}; ${pruned}, and ${kept}`);
}

type Restored = {
  readonly state: EngineState;
  readonly records: readonly (readonly StoreChange[])[];
};

async function restoreKept({
  store,
  snapshots,
  snapshot,
  application,
}: {
  store: BlockStore;
  snapshots: SnapshotSource;
  snapshot: Snapshot;
  application: ReadableApplication;
}): Promise<Restored | string> {
  const { height } = snapshot;
  const lost = store.damage?.lostHeight ?? Number.POSITIVE_INFINITY;
  if (height < store.base - 1) return "the blocks after it are not all stored";
  if (height > store.height || height >= lost) return "it came after the damage";
  const appHash = await knownAppHash(store, height);
  const header = await store.signedHeader(height);
  if (appHash === null || header === null) return "its app hash is not known";
  const records: (readonly StoreChange[])[] = [];
  const fault = await applySnapshot({
    ...{ application, snapshot, appHash },
    chunkAt: (index) => snapshots.chunk({ height, format: snapshot.format, index }),
    onRecords: async (changes) => void records.push(changes),
  });
  if (fault !== null) return fault;
  const { timeS } = application.head();
  if (timeS !== header.header.timeS) return "it tells another time than the block of its height";
  return { state: { height, timeS, appHash }, records };
}

/** Brings a snapshot into an application at height 0. Returns why it cannot be, or null. */
export async function applySnapshot({
  application,
  snapshot,
  appHash,
  chunkAt,
  onRecords,
}: {
  application: Partial<SnapshotPower>;
  snapshot: Snapshot;
  appHash: Uint8Array;
  chunkAt: (index: number) => Uint8Array | null;
  onRecords: (changes: readonly StoreChange[]) => Promise<void>;
}): Promise<string | null> {
  const offered = application.offerSnapshot?.({ snapshot, appHash });
  if (offered === undefined) return "the application has no snapshots";
  if (offered.result !== "accept") return offered.reason;
  for (let index = 0; index < snapshot.chunks; index++) {
    const chunk = chunkAt(index);
    if (chunk === null) return `chunk ${index} is missing or damaged`;
    const applied = application.applySnapshotChunk?.({ index, chunk, sender: "" });
    if (applied?.result !== "accept") return applied?.reason ?? "";
    await onRecords(applied.changes);
  }
  return null;
}
