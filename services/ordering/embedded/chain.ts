/**
 * Embedded ordering, put together: one sequencer, one LevelDB, the application in the same process.
 * Starting is the handshake (`handshake.ts`); from then on the sequencer makes blocks.
 */
import type { Application, SnapshotPower } from "../../chain/abci.ts";
import type { ChainReader, ChainWriter, StateView } from "../../chain/access.ts";
import type { AuditSource } from "../../chain/audit-source.ts";
import type { SnapshotSource } from "../../chain/snapshot.ts";
import { STATE_KEYS } from "../../chain/store-keys.ts";
import { ed25519PublicKey } from "../../crypto/ed25519.ts";
import { toHex } from "../../primitives/bytes.ts";
import type { Clock } from "../../primitives/clock.ts";
import { GridError } from "../../primitives/errors.ts";
import { type Genesis, genesisHash } from "../../wire/genesis.ts";
import type { ApplicationStorage, Applier, Faults } from "./apply.ts";
import { createStoreAuditSource } from "./audit-source.ts";
import type { BlockStore, OwnKeyRange } from "./block-store.ts";
import { createChainReader } from "./chain-reader.ts";
import { handshake, type Recovery } from "./handshake.ts";
import { rebuildFromSnapshot } from "./rebuild.ts";
import { Sequencer } from "./sequencer.ts";
import { corrupt } from "./store-errors.ts";

/** An application that can also be read, as the market's can. */
export type ReadableApplication = Application &
  Partial<SnapshotPower> & {
    /** The last committed state, as it stays whatever comes after. */
    view(): StateView;
  };

/** The application's records as the last commit left them, by their own keys. */
export type StoredRecords = ReadonlyMap<string, Uint8Array>;

export type EmbeddedChainOptions = {
  readonly genesis: Genesis;
  /** Called once, with what an earlier run left behind (empty on a fresh start). */
  readonly createApplication: (stored: StoredRecords) => ReadableApplication;
  readonly store: BlockStore; // the caller opens and closes it
  readonly sequencerSecretKey: Uint8Array; // 32 B, Ed25519; its public key stands in genesis
  readonly clock: Clock;
  /** Keys of the records that `createApplication` wants; default: the market's STATE_KEYS. */
  readonly stateKeys?: readonly OwnKeyRange[];
  readonly applicationStorage?: ApplicationStorage; // default: shared
  /** Snapshots of this chain that the node keeps: a pruned store that is damaged heals from one. */
  readonly snapshots?: SnapshotSource;
  readonly faults?: Faults;
};

/** What is needed of them to open the application over its store. */
export type ApplicationOptions = Omit<EmbeddedChainOptions, "sequencerSecretKey" | "clock">;

export type EmbeddedChain = {
  readonly reader: ChainReader;
  readonly writer: ChainWriter;
  /** The store as it is, for auditors. */
  readonly audit: AuditSource;
  readonly recovery: Recovery;
  /** Resolves after `stop`; rejects where the chain cannot go on, e.g. on a full disk. */
  readonly ended: Promise<void>;
  /** Finishes the block in the making; what still waits is refused with `stopped`. */
  stop(): Promise<void>;
};

/**
 * @throws GridError argument_invalid where the key is not the one that genesis names,
 *   genesis_mismatch, or database_corrupt where no replay can mend the store
 */
export async function startEmbeddedChain(options: EmbeddedChainOptions): Promise<EmbeddedChain> {
  const { genesis, store, clock, sequencerSecretKey: secretKey } = options;
  requireSequencerKey(genesis, secretKey);
  await store.bind(genesisHash(genesis));
  if (store.isImporting) {
    const what = "an import of a snapshot was cut short: import it again";
    throw corrupt(store.directory, what);
  }
  const { application, applier, recovery } = await openChainState(options);
  const parent = await store.block(store.height);
  const sequencer = new Sequencer({ applier, genesis, secretKey, clock, parent });
  sequencer.start();
  return {
    reader: createChainReader({ genesis, application, store, sequencer }),
    writer: { submit: (transaction) => sequencer.submit(transaction) },
    audit: createStoreAuditSource(store),
    recovery,
    ended: sequencer.ended,
    stop: () => sequencer.stop(),
  };
}

/** The application and the store brought together, ready for the next block. */
export async function openChainState(
  options: ApplicationOptions,
): Promise<{ application: ReadableApplication; applier: Applier; recovery: Recovery }> {
  const { genesis, store, faults, applicationStorage: storage = "shared" } = options;
  const { application, rebuiltBecause } = await openApplication(options);
  const applier: Applier = { application, store, storage, faults };
  return { application, applier, recovery: await handshake({ applier, genesis, rebuiltBecause }) };
}

function requireSequencerKey(genesis: Genesis, secretKey: Uint8Array): void {
  const publicKey = toHex(ed25519PublicKey(secretKey));
  if (publicKey === genesis.sequencerPublicKey) return;
  throw new GridError(
    "argument_invalid",
    `the sequencer's key is ${publicKey}, but genesis names ${genesis.sequencerPublicKey}: ` +
      "use the key file that was made with this genesis",
    { argument: "sequencerSecretKey", value: publicKey },
  );
}

export type Opened = {
  readonly application: ReadableApplication;
  readonly rebuiltBecause: string | null;
};

/**
 * From its records; where those are damaged from nothing, for a replay from block 1, or where the
 * first blocks were pruned from a snapshot, for a replay of the blocks after it.
 */
async function openApplication(options: ApplicationOptions): Promise<Opened> {
  const { store, createApplication, applicationStorage: storage } = options;
  // Between the clearing of a rebuild and its first state, what is there belongs to no state.
  const isCut = store.rebuild !== null && store.state === null;
  let restored: ReadableApplication | null = null;
  if (storage === "own") restored = createApplication(new Map());
  else if (!isCut) restored = await restore(options);
  const { damage } = store;
  const because = store.rebuild === null ? null : "an earlier rebuild was cut short";
  if (damage === null && restored !== null)
    return { application: restored, rebuiltBecause: because };
  const what = damage?.what ?? because ?? "the application's records";
  if (storage === "own") throw corrupt(store.directory, what);
  if (store.base === 1) {
    await store.startRebuild({ state: null, records: [], forget: "everything" });
    return { application: createApplication(new Map()), rebuiltBecause: what };
  }
  return rebuildFromSnapshot(options, what);
}

/** Null where a record is damaged: one of ours by its seal, or by the application's own check. */
async function restore({
  store,
  createApplication,
  stateKeys = STATE_KEYS,
}: ApplicationOptions): Promise<ReadableApplication | null> {
  try {
    const stored = new Map<string, Uint8Array>();
    for (const keys of stateKeys) {
      const range = { ...keys, order: "rising", limit: Number.POSITIVE_INFINITY } as const;
      for (const { key, value } of await store.applicationRecords(range)) stored.set(key, value);
    }
    return createApplication(stored);
  } catch (failure) {
    if (!(failure instanceof GridError) || failure.code !== "database_corrupt") throw failure;
    store.markDamaged((failure as GridError<"database_corrupt">).facts.what);
    return null;
  }
}
