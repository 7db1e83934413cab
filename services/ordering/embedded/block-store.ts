/**
 * Blocks, the engine's state and the application's records in one database directory.
 *
 * Safe because a block is one durable batch, its outcome another, and because opening checks that
 * no block or response is missing: LevelDB's recovery of a damaged log drops batches without a
 * word. What can be derived from the blocks is made again; a lost block is named, also at the very
 * end (`tip-file.ts`).
 */
import type { StoreChange } from "../../chain/abci.ts";
import type { StoredBlock } from "../../chain/access.ts";
import { bytesEqual, toHex } from "../../primitives/bytes.ts";
import { encode } from "../../primitives/codec.ts";
import { assert, GridError } from "../../primitives/errors.ts";
import {
  decodeBody,
  decodeSignedHeader,
  encodeBody,
  encodeSignedHeader,
  type SignedHeader,
} from "./block.ts";
import {
  decodeResponse,
  type EngineState,
  encodeMeta,
  encodeRebuild,
  encodeResponse,
  encodeState,
  type Rebuild,
  type Response,
} from "./engine-records.ts";
import {
  APPLICATION,
  applicationKey,
  applicationPart,
  BASE_KEY,
  BLOCK_HEIGHT_KEY,
  bodyKey,
  ENGINE_STATE_KEY,
  FIRST_HEADER_KEY,
  headerKey,
  IMPORT_KEY,
  META_KEY,
  REBUILD_KEY,
  RESPONSES,
  responseKey,
} from "./keys.ts";
import {
  type Change,
  type LevelView,
  type OpenDatabase,
  openSealedLevel,
  type SealedLevel,
} from "./sealed-level.ts";
import { corrupt } from "./store-errors.ts";
import { type Damage, FORMAT, type FoundStore, findStore } from "./store-opening.ts";
import { openTipFile, type TipFile } from "./tip-file.ts";

/** Heights dropped with one commit, so that a late prune does not stall a block. */
export const PRUNED_PER_COMMIT_MAX = 64;

/** Half-open range of the application's own keys. */
export type OwnKeyRange = { readonly gte: string; readonly lt: string };

export type StoreOpening = {
  readonly directory: string;
  /** Default: LevelDB in the directory and a file beside it; a simulated disk comes in here. */
  readonly openDatabase?: OpenDatabase;
  readonly openTip?: typeof openTipFile;
};

/**
 * Opens the database, and creates it where there is none.
 *
 * @throws GridError database_locked, database_corrupt, permission_denied or disk_full
 */
export function openBlockStore({ directory, ...opening }: StoreOpening): Promise<BlockStore> {
  return openStore(directory, "allowed", opening);
}

/**
 * Opens a stopped node's database to look at it: nothing is created, no record is written or
 * mended. (LevelDB itself may fold its log into a table; the records stay the same.)
 *
 * @throws GridError file_unreadable where there is none; database_locked while a node runs;
 *   database_corrupt, also where an earlier rebuild or import was cut short
 */
export function inspectBlockStore({ directory }: { directory: string }): Promise<BlockStore> {
  return openStore(directory, "refused");
}

async function openStore(
  directory: string,
  writes: "allowed" | "refused",
  { openDatabase, openTip = openTipFile }: Omit<StoreOpening, "directory"> = {},
): Promise<BlockStore> {
  const level = await openSealedLevel(directory, {
    createIfMissing: writes === "allowed",
    ...(openDatabase === undefined ? {} : { openDatabase }),
  });
  let tip: TipFile | null = null;
  try {
    const found = await findStore(level, { writes });
    tip = openTip(directory, { writes });
    if (found.height < tip.height && !found.isImporting) {
      const [last, committed] = [found.height, tip.height];
      throw corrupt(directory, `block ${committed} was committed, but the blocks end at ${last}`);
    }
    return new BlockStore(level, tip, found);
  } catch (failure) {
    tip?.close();
    await level.close();
    throw failure;
  }
}

export class BlockStore {
  readonly directory: string;
  readonly #level: SealedLevel;
  readonly #tip: TipFile;
  #genesisHash: Uint8Array | null;
  #isImporting: boolean;
  #firstHeader: number;
  #base: number;
  #height: number; // S
  #state: EngineState | null; // T
  #rebuild: Rebuild | null;
  #damage: Damage | null;

  constructor(level: SealedLevel, tip: TipFile, found: FoundStore) {
    this.directory = level.directory;
    this.#level = level;
    this.#tip = tip;
    this.#genesisHash = found.genesisHash;
    this.#isImporting = found.isImporting;
    this.#firstHeader = found.firstHeader;
    this.#base = found.base;
    this.#height = found.height;
    this.#state = found.state;
    this.#rebuild = found.rebuild;
    this.#damage = found.damage;
  }

  /** Lowest block stored whole; 1 unless blocks were pruned or the chain began with a snapshot. */
  get base(): number {
    return this.#base;
  }

  /** Lowest stored header; 1 unless the chain began with a snapshot. Pruning keeps headers. */
  get firstHeader(): number {
    return this.#firstHeader;
  }

  /** Whether an import of a snapshot into this store was cut short: only that import can go on. */
  get isImporting(): boolean {
    return this.#isImporting;
  }

  /** Highest stored block, 0 for none: S in the handshake table. */
  get height(): number {
    return this.#height;
  }

  /** SHA-256 of the genesis that the store is bound to; null before the first start. */
  get genesisHash(): Uint8Array | null {
    return this.#genesisHash;
  }

  /** Null before the first start on this directory. */
  get state(): EngineState | null {
    return this.#state;
  }

  /**
   * Not null while a replay of many blocks is under way, when the engine's state may lag behind.
   */
  get rebuild(): Rebuild | null {
    return this.#rebuild;
  }

  /** Null where all is well. A start mends it by replay, from block 1 or from a snapshot. */
  get damage(): Damage | null {
    return this.#damage;
  }

  /** Notes that the application's records must be made again. */
  markDamaged(what: string): void {
    this.#damage ??= { what, lostHeight: null };
  }

  /**
   * Binds the store to a network, once.
   *
   * @throws GridError genesis_mismatch where it holds another network's chain
   */
  async bind(genesisHash: Uint8Array): Promise<void> {
    if (this.#genesisHash === null) {
      await this.#level.write([put(META_KEY, encodeMeta({ format: FORMAT, genesisHash }))]);
      this.#genesisHash = genesisHash;
      return;
    }
    if (bytesEqual(this.#genesisHash, genesisHash)) return;
    const [expected, found] = [toHex(this.#genesisHash), toHex(genesisHash)];
    throw new GridError(
      "genesis_mismatch",
      `${this.directory} holds the chain of another genesis: name another directory or genesis`,
      { expected, found },
    );
  }

  /** Block bytes and height, durable when this resolves: before anything is executed. */
  async writeBlock(block: StoredBlock): Promise<void> {
    const { height } = block.header;
    assert(height === this.#height + 1, "blocks are stored in order");
    await this.#level.write([
      put(headerKey(height), encodeSignedHeader(block)),
      put(bodyKey(height), encodeBody(block.transactions)),
      put(BLOCK_HEIGHT_KEY, encode(height)),
    ]);
    this.#height = height;
  }

  /** The answer alone, before the commit of an application that persists elsewhere. */
  async writeResponse(height: number, response: Response): Promise<void> {
    await this.#level.write([put(responseKey(height), encodeResponse(response))]);
  }

  /** Engine state, response and the application's changes in one durable batch. */
  async writeCommit(commit: {
    readonly state: EngineState;
    readonly response: Response | null; // null for the state of genesis
    readonly changes: readonly StoreChange[];
    readonly retainHeight: number; // blocks below may go; 0: keep all
  }): Promise<void> {
    const { state, response } = commit;
    const changes = applicationChanges(commit.changes);
    changes.push(put(ENGINE_STATE_KEY, encodeState(state)));
    if (response !== null) changes.push(put(responseKey(state.height), encodeResponse(response)));
    const until = Math.min(
      commit.retainHeight,
      this.#base + PRUNED_PER_COMMIT_MAX,
      state.height, // the last block always stays
    );
    // Headers stay: they are small, and every bill is proved by one of them.
    for (let height = this.#base; height < until; height++) {
      changes.push(put(bodyKey(height), null), put(responseKey(height), null));
    }
    const base = Math.max(this.#base, until);
    if (base > this.#base) changes.push(put(BASE_KEY, encode(base)));
    await this.#level.write(changes);
    this.#tip.write(this.#height);
    this.#state = state;
    this.#base = base;
  }

  /**
   * Forgets the application's state, so that a replay makes it again: from block 1, when all of its
   * records go, or from a snapshot, when history stays that no stored block could make again.
   *
   * @param state - what takes its place at once; null: that of genesis
   * @param forget - the application's own keys that go
   */
  async startRebuild({
    state,
    records,
    forget,
  }: {
    readonly state: EngineState | null;
    readonly records: readonly (readonly StoreChange[])[]; // of the snapshot, in portions
    readonly forget: readonly OwnKeyRange[] | "everything";
  }): Promise<void> {
    const target = this.#rebuild?.target ?? this.#state;
    const rebuild = { from: state?.height ?? 0, target };
    await this.#level.write([
      put(REBUILD_KEY, encodeRebuild(rebuild)),
      put(ENGINE_STATE_KEY, null),
    ]);
    this.#rebuild = rebuild;
    this.#state = null;
    this.#damage = null;
    // Neither atomic nor synced: cut here, the next start finds the mark and no state.
    if (forget === "everything") {
      await this.#level.clear(APPLICATION);
      await this.#level.clear(RESPONSES);
    } else {
      for (const { gte, lt } of forget) {
        await this.#level.clear({ gte: applicationKey(gte), lt: applicationKey(lt) });
      }
    }
    for (const portion of records) await this.#level.write(applicationChanges(portion));
    if (state === null) return;
    await this.#level.write([put(ENGINE_STATE_KEY, encodeState(state))]);
    this.#state = state;
  }

  async finishRebuild(): Promise<void> {
    await this.#level.write([put(REBUILD_KEY, null)]);
    this.#rebuild = null;
  }

  /** Empties a store that holds no chain, and marks it until `finishImport`. */
  async startImport(genesisHash: Uint8Array): Promise<void> {
    assert(this.#height === 0 || this.#isImporting, "a snapshot comes into an empty store");
    await this.#level.write([put(IMPORT_KEY, encode(1))]);
    this.#isImporting = true;
    await this.#level.clear(APPLICATION);
    await this.#level.write([put(META_KEY, encodeMeta({ format: FORMAT, genesisHash }))]);
    this.#genesisHash = genesisHash;
  }

  /** Verified records of the snapshot, durable when this resolves. */
  async writeImported(records: readonly StoreChange[]): Promise<void> {
    assert(this.#isImporting, "records of a snapshot come while it is imported");
    await this.#level.write(applicationChanges(records));
  }

  /** The chain begins with the header of the snapshot's height; its next block is to be stored. */
  async finishImport(header: SignedHeader, state: EngineState): Promise<void> {
    const { height } = header.header;
    assert(this.#isImporting && state.height === height, "an import ends with its own height");
    await this.#level.write([
      put(headerKey(height), encodeSignedHeader(header)),
      put(BLOCK_HEIGHT_KEY, encode(height)),
      put(FIRST_HEADER_KEY, encode(height)),
      put(BASE_KEY, encode(height + 1)),
      put(ENGINE_STATE_KEY, encodeState(state)),
      put(IMPORT_KEY, null),
    ]);
    this.#isImporting = false;
    this.#height = height;
    this.#firstHeader = height;
    this.#base = height + 1;
    this.#state = state;
  }

  async signedHeader(height: number): Promise<SignedHeader | null> {
    const bytes = await this.#level.get(headerKey(height));
    return bytes === null ? null : decodeSignedHeader(bytes);
  }

  /** Null above the last block, and for one that was pruned. */
  async block(height: number): Promise<StoredBlock | null> {
    if (height < this.#base) return null;
    const signed = await this.signedHeader(height);
    if (signed === null) return null;
    const body = await this.#level.get(bodyKey(height));
    if (body === null) throw corrupt(this.directory, `body of block ${height} is missing`);
    return { ...signed, transactions: decodeBody(body) };
  }

  async response(height: number): Promise<Response | null> {
    const bytes = await this.#level.get(responseKey(height));
    return bytes === null ? null : decodeResponse(bytes);
  }

  /** Reads records of one instant, under the keys of `keys.ts`: for auditors. */
  async atOneInstant<Value>(read: (view: LevelView) => Promise<Value>): Promise<Value> {
    return this.#level.atOneInstant(read);
  }

  /** One record of the application, by its own key. */
  async applicationRecord(key: string): Promise<Uint8Array | null> {
    return this.#level.get(applicationKey(key));
  }

  /** Records of the application in a range of its own keys; `limit` may be infinite. */
  async applicationRecords(
    range: OwnKeyRange & { readonly order: "rising" | "falling"; readonly limit: number },
  ): Promise<{ readonly key: string; readonly value: Uint8Array }[]> {
    const { order, limit } = range;
    const [gte, lt] = [applicationKey(range.gte), applicationKey(range.lt)];
    const records = await this.#level.range({ gte, lt, order, limit });
    return records.map(({ key, value }) => ({ key: applicationPart(key), value }));
  }

  async close(): Promise<void> {
    await this.#level.close();
    this.#tip.close();
  }
}

function applicationChanges(changes: readonly StoreChange[]): Change[] {
  return changes.map(({ key, value }) => put(applicationKey(key), value));
}

function put(key: string, value: Uint8Array | null): Change {
  return { key, value };
}
