/**
 * Blocks, the engine's state and the application's records in one database directory.
 *
 * Safe because a block is one durable batch, its outcome another, and because opening checks that
 * no block or response is missing: LevelDB's recovery of a damaged log drops batches without a
 * word. What can be derived from the blocks is made again; a lost block is named.
 */
import type { StoreChange } from "../../chain/abci.ts";
import type { StoredBlock } from "../../chain/access.ts";
import { bytesEqual, toHex } from "../../primitives/bytes.ts";
import { decode, encode } from "../../primitives/codec.ts";
import { assert, GridError } from "../../primitives/errors.ts";
import {
  decodeBody,
  decodeSignedHeader,
  encodeBody,
  encodeSignedHeader,
  type SignedHeader,
} from "./block.ts";
import {
  decodeMeta,
  decodeResponse,
  decodeState,
  type EngineState,
  encodeMeta,
  encodeResponse,
  encodeState,
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
  EVERYTHING,
  HEADERS,
  headerKey,
  heightOf,
  type KeyRange,
  META_KEY,
  REBUILD_KEY,
  RESPONSES,
  responseKey,
} from "./keys.ts";
import { type Change, type LevelView, openSealedLevel, type SealedLevel } from "./sealed-level.ts";
import { corrupt } from "./store-errors.ts";

const FORMAT = 1;
/** Heights dropped with one commit, so that a late prune does not stall a block. */
export const PRUNED_PER_COMMIT_MAX = 64;

/** What opening found out of order and a replay from block 1 can mend. */
export type Damage = { readonly what: string };

/** Half-open range of the application's own keys. */
export type OwnKeyRange = { readonly gte: string; readonly lt: string };

/**
 * Opens the database, and creates it where there is none.
 *
 * @throws GridError database_locked, database_corrupt, permission_denied or disk_full
 */
export async function openBlockStore({ directory }: { directory: string }): Promise<BlockStore> {
  const level = await openSealedLevel(directory);
  const store = new BlockStore(level);
  try {
    await store.load();
  } catch (failure) {
    await level.close();
    throw failure;
  }
  return store;
}

/**
 * Opens a stopped node's database to look at it: nothing is created, no record is written or
 * mended. (LevelDB itself may fold its log into a table; the records stay the same.)
 *
 * @throws GridError file_unreadable where there is none; database_locked while a node runs;
 *   database_corrupt, also where an earlier rebuild was cut short
 */
export async function inspectBlockStore({ directory }: { directory: string }): Promise<BlockStore> {
  const level = await openSealedLevel(directory, { createIfMissing: false });
  const store = new BlockStore(level);
  try {
    await store.load({ writes: "refused" });
  } catch (failure) {
    await level.close();
    throw failure;
  }
  return store;
}

export class BlockStore {
  readonly directory: string;
  readonly #level: SealedLevel;
  #rebuild: { readonly target: EngineState | null } | null = null;
  #genesisHash: Uint8Array | null = null;
  #base = 1; // lowest stored block
  #height = 0; // S
  #state: EngineState | null = null; // T
  #damage: Damage | null = null;

  constructor(level: SealedLevel) {
    this.directory = level.directory;
    this.#level = level;
  }

  /** Lowest stored block; 1 unless blocks were pruned. */
  get base(): number {
    return this.#base;
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
   * Not null while a replay from block 1 is under way, when the engine's state may lag behind by
   * many blocks. The target is the state that it must reach again, where that was readable.
   */
  get rebuild(): { readonly target: EngineState | null } | null {
    return this.#rebuild;
  }

  /** Null where all is well. A start mends it by replay from block 1. */
  get damage(): Damage | null {
    return this.#damage;
  }

  /** Reads the engine's own records and looks for gaps. Called once, by `openBlockStore`. */
  async load({ writes }: { readonly writes: "allowed" | "refused" } = { writes: "allowed" }) {
    const meta = await this.#level.get(META_KEY);
    if (meta !== null) {
      const { format, genesisHash } = decodeMeta(meta);
      if (format !== FORMAT) throw corrupt(this.directory, `unknown format ${format}`);
      this.#genesisHash = genesisHash;
    }
    this.#height = (await this.#number(BLOCK_HEIGHT_KEY)) ?? 0;
    this.#base = (await this.#number(BASE_KEY)) ?? 1;
    await this.#checkHeaders();
    const rebuild = await this.#level.get(REBUILD_KEY);
    if (rebuild !== null && writes === "refused") {
      throw corrupt(
        this.directory,
        "a rebuild was cut short: start the node, which goes on with it",
      );
    }
    if (rebuild !== null) this.#rebuild = { target: decodeState(rebuild) };
    await this.#loadState();
    // The clearing itself was cut: what it left over belongs to no state.
    if (this.#rebuild !== null && this.#state === null) await this.#clearFamilies();
  }

  async #number(key: string): Promise<number | null> {
    const value = await this.#level.get(key);
    if (value === null) return null;
    const number = decode(value);
    if (!Number.isSafeInteger(number)) throw corrupt(this.directory, `record ${key} is no number`);
    return number as number;
  }

  /** A lost block cannot be made again: only a backup has it. */
  async #checkHeaders(): Promise<void> {
    const end = await this.#contiguous(HEADERS, "block");
    if (end < this.#height) throw corrupt(this.directory, `block ${end + 1} is missing`);
    if (end > this.#height) throw corrupt(this.directory, "the height of the blocks is stale");
  }

  /** The application's records and the responses can be made again from the blocks. */
  async #loadState(): Promise<void> {
    try {
      const state = await this.#level.get(ENGINE_STATE_KEY);
      if (state !== null) this.#state = decodeState(state);
      if (this.#rebuild !== null) return;
      const committed = this.#state?.height ?? 0;
      const end = await this.#contiguous(RESPONSES, "response");
      if (end < committed) throw corrupt(this.directory, `response ${end + 1} is missing`);
      // A response may stand one ahead of the state (`writeResponse`), and a block too.
      if (end > committed + 1 || this.#height > committed + 1 || (state === null && end > 0)) {
        throw corrupt(this.directory, "the engine's state is stale");
      }
    } catch (failure) {
      if (!(failure instanceof GridError) || failure.code !== "database_corrupt") throw failure;
      this.markDamaged((failure as GridError<"database_corrupt">).facts.what);
    }
  }

  /** Notes that the application's records must be made again. */
  markDamaged(what: string): void {
    this.#damage ??= { what };
  }

  /** Last height of a family that begins at the base; throws at the first gap. */
  async #contiguous(range: KeyRange, what: string): Promise<number> {
    let next = this.#base;
    await this.#level.eachKey(range, (key) => {
      if (heightOf(key) !== next) throw corrupt(this.directory, `${what} ${next} is missing`);
      next++;
    });
    return next - 1;
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
    const changes = commit.changes.map(({ key, value }) => put(applicationKey(key), value));
    changes.push(put(ENGINE_STATE_KEY, encodeState(state)));
    if (response !== null) changes.push(put(responseKey(state.height), encodeResponse(response)));
    const until = Math.min(
      commit.retainHeight,
      this.#base + PRUNED_PER_COMMIT_MAX,
      state.height, // the last block always stays
    );
    for (let height = this.#base; height < until; height++) {
      for (const key of [headerKey, bodyKey, responseKey]) changes.push(put(key(height), null));
    }
    const base = Math.max(this.#base, until);
    if (base > this.#base) changes.push(put(BASE_KEY, encode(base)));
    await this.#level.write(changes);
    this.#state = state;
    this.#base = base;
  }

  /** Forgets everything but the blocks, so that a replay from block 1 makes it again. */
  async startRebuild(): Promise<void> {
    const target = this.#state;
    await this.#level.write([put(REBUILD_KEY, encodeState(target)), put(ENGINE_STATE_KEY, null)]);
    this.#rebuild = { target };
    this.#state = null;
    this.#damage = null;
    await this.#clearFamilies();
  }

  async finishRebuild(): Promise<void> {
    await this.#level.write([put(REBUILD_KEY, null)]);
    this.#rebuild = null;
  }

  /** Unsynced: if it is cut, the marker of `startRebuild` repeats it. */
  async #clearFamilies(): Promise<void> {
    await this.#level.clear(APPLICATION);
    await this.#level.clear(RESPONSES);
  }

  async signedHeader(height: number): Promise<SignedHeader | null> {
    const bytes = await this.#level.get(headerKey(height));
    return bytes === null ? null : decodeSignedHeader(bytes);
  }

  async block(height: number): Promise<StoredBlock | null> {
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

  /** Calls `visit` with each key of the application in rising order. */
  async eachApplicationKey(visit: (key: string) => void): Promise<void> {
    await this.#level.eachKey(APPLICATION, (key) => visit(applicationPart(key)));
  }

  /** Keys that stand for nothing: of no family, or of a block beyond the last. */
  async strayKeys(): Promise<string[]> {
    const single = [META_KEY, BLOCK_HEIGHT_KEY, BASE_KEY, ENGINE_STATE_KEY, REBUILD_KEY];
    const strays: string[] = [];
    await this.#level.eachKey(EVERYTHING, (key) => {
      if (single.includes(key) || (key >= APPLICATION.gte && key < APPLICATION.lt)) return;
      const height = /^[hbr]\/[0-9a-f]{14}$/.test(key) ? heightOf(key) : Number.NaN;
      if (!(height >= this.#base && height <= this.#height)) strays.push(key);
    });
    return strays;
  }

  async close(): Promise<void> {
    await this.#level.close();
  }
}

function put(key: string, value: Uint8Array | null): Change {
  return { key, value };
}
