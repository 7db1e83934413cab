/**
 * Blocks, the engine's state and the application's records in one LevelDB directory.
 *
 * Safe because every write is one atomic batch with `sync: true` (LevelDB's default survives a
 * crash of the process but not a power cut), because every value is sealed (`sealed.ts`), and
 * because opening checks that no block or response is missing: recovery of a damaged log drops
 * batches without a word. Source: chain notes on persistence; LevelDB, doc/index.md, "Synchronous
 * Writes".
 */
import { readdir } from "node:fs/promises";
import { Level } from "level";
import type { StoreChange, TransactionResult } from "../../chain/abci.ts";
import type { StoredBlock } from "../../chain/access.ts";
import { bytesEqual, toHex } from "../../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../../primitives/codec.ts";
import { assert, GridError } from "../../primitives/errors.ts";
import type { UnixSeconds } from "../../primitives/units.ts";
import {
  decodeBody,
  decodeSignedHeader,
  encodeBody,
  encodeSignedHeader,
  type SignedHeader,
} from "./block.ts";
import {
  APPLICATION,
  applicationKey,
  applicationPart,
  BLOCK_HEIGHT_KEY,
  bodyKey,
  ENGINE_STATE_KEY,
  HEADERS,
  headerKey,
  heightOf,
  type KeyRange,
  META_KEY,
  REBUILD_KEY,
  RESPONSES,
  responseKey,
} from "./keys.ts";
import { seal, unseal } from "./sealed.ts";
import { corrupt, storeError } from "./store-errors.ts";

const FORMAT = 1;
/** Heights dropped with one commit, so that a late prune does not stall a block. */
export const PRUNED_PER_COMMIT_MAX = 64;

/** What the engine last committed: T in the handshake table. */
export type EngineState = {
  readonly height: number; // 0 before block 1
  readonly timeS: UnixSeconds;
  readonly appHash: Uint8Array; // 32 B, after `height`
};
/** What `finalizeBlock` answered, as far as a replay needs it. */
export type Response = {
  readonly appHash: Uint8Array;
  readonly results: readonly TransactionResult[];
};
/** What opening found out of order and a replay from block 1 can mend. */
export type Damage = { readonly what: string };

/** Half-open range of the application's own keys. */
export type OwnKeyRange = { readonly gte: string; readonly lt: string };

type Operation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: string };

/**
 * Opens the database, and creates it where there is none.
 *
 * @throws GridError database_locked, database_corrupt, permission_denied or disk_full
 */
export async function openBlockStore({ directory }: { directory: string }): Promise<BlockStore> {
  await refuseHeadless(directory);
  const level = new Level<string, Uint8Array>(directory, { valueEncoding: "view" });
  try {
    await level.open();
  } catch (failure) {
    throw storeError(failure, directory);
  }
  const store = new BlockStore(directory, level);
  try {
    await store.load();
  } catch (failure) {
    await level.close();
    throw failure;
  }
  return store;
}

/** Without CURRENT LevelDB would start afresh and remove the tables as obsolete. */
async function refuseHeadless(directory: string): Promise<void> {
  const names = await readdir(directory).catch((failure: NodeJS.ErrnoException): string[] => {
    if (failure.code === "ENOENT") return [];
    throw storeError(failure, directory);
  });
  const holdsData = names.some((name) => /^(MANIFEST-\d+|\d+\.(ldb|sst|log))$/.test(name));
  if (holdsData && !names.includes("CURRENT")) throw corrupt(directory, "CURRENT is missing");
}

export class BlockStore {
  readonly directory: string;
  readonly #level: Level<string, Uint8Array>;
  #rebuild: { readonly target: EngineState | null } | null = null;
  #genesisHash: Uint8Array | null = null;
  #base = 1; // lowest stored block
  #height = 0; // S
  #state: EngineState | null = null; // T
  #damage: Damage | null = null;

  constructor(directory: string, level: Level<string, Uint8Array>) {
    this.directory = directory;
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
  async load(): Promise<void> {
    const meta = await this.#get(META_KEY);
    if (meta !== null) {
      const [format, genesisHash] = decode(meta) as CodecValue[];
      if (format !== FORMAT) throw corrupt(this.directory, `unknown format ${format}`);
      this.#genesisHash = genesisHash as Uint8Array;
    }
    const height = await this.#get(BLOCK_HEIGHT_KEY);
    this.#height = height === null ? 0 : (decode(height) as number);
    await this.#checkHeaders();
    const rebuild = await this.#get(REBUILD_KEY);
    if (rebuild !== null) this.#rebuild = { target: decodeState(rebuild) };
    await this.#loadState();
    // The clearing itself was cut: what it left over belongs to no state.
    if (this.#rebuild !== null && this.#state === null) await this.#clearFamilies();
  }

  /** A block lost from the middle cannot be made again: only a backup has it. */
  async #checkHeaders(): Promise<void> {
    const { first, next } = await this.#contiguous(HEADERS, "block");
    if (first !== null) this.#base = first;
    if (next - 1 !== this.#height) {
      throw corrupt(this.directory, `block ${Math.min(next, this.#height)} is missing`);
    }
  }

  /** The application's records and the responses can be made again from the blocks. */
  async #loadState(): Promise<void> {
    try {
      const state = await this.#get(ENGINE_STATE_KEY);
      if (state !== null) this.#state = decodeState(state);
      const { next } = await this.#contiguous(RESPONSES, "response");
      const committed = this.#state?.height ?? 0;
      // A response may stand one ahead of the state: see `writeResponse`.
      const resumes = this.#rebuild !== null && committed === 0;
      if (next - 1 !== committed && next - 2 !== committed && !resumes) {
        throw corrupt(this.directory, `response ${Math.min(next, committed)} is missing`);
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

  /** First height of a family, and the one after its last; throws at the first gap. */
  async #contiguous(range: KeyRange, what: string) {
    let first: number | null = null;
    let next = 1;
    await this.#reading(async () => {
      for await (const key of this.#level.keys({ ...range })) {
        const height = heightOf(key);
        first ??= height;
        if (height !== first && height !== next) {
          throw corrupt(this.directory, `${what} ${next} is missing`);
        }
        next = height + 1;
      }
    });
    return { first: first as number | null, next };
  }

  /**
   * Binds the store to a network, once.
   *
   * @throws GridError genesis_mismatch where it holds another network's chain
   */
  async bind(genesisHash: Uint8Array): Promise<void> {
    if (this.#genesisHash === null) {
      await this.#write([put(META_KEY, encode([FORMAT, genesisHash]))]);
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
    await this.#write([
      put(headerKey(height), encodeSignedHeader(block)),
      put(bodyKey(height), encodeBody(block.transactions)),
      put(BLOCK_HEIGHT_KEY, encode(height)),
    ]);
    this.#height = height;
  }

  /** The answer alone, before the commit of an application that persists elsewhere. */
  async writeResponse(height: number, response: Response): Promise<void> {
    await this.#write([put(responseKey(height), encodeResponse(response))]);
  }

  /** Engine state, response and the application's changes in one durable batch. */
  async writeCommit(commit: {
    readonly state: EngineState;
    readonly response: Response | null; // null for the state of genesis
    readonly changes: readonly StoreChange[];
    readonly retainHeight: number; // blocks below may go; 0: keep all
  }): Promise<void> {
    const { state, response, changes } = commit;
    const operations: Operation[] = changes.map(({ key, value }) =>
      value === null ? { type: "del", key: applicationKey(key) } : put(applicationKey(key), value),
    );
    operations.push(put(ENGINE_STATE_KEY, encodeState(state)));
    if (response !== null)
      operations.push(put(responseKey(state.height), encodeResponse(response)));
    const until = Math.min(
      commit.retainHeight,
      this.#base + PRUNED_PER_COMMIT_MAX,
      state.height, // the last block always stays
    );
    for (let height = this.#base; height < until; height++) {
      for (const key of [headerKey, bodyKey, responseKey]) {
        operations.push({ type: "del", key: key(height) });
      }
    }
    await this.#write(operations);
    this.#state = state;
    this.#base = Math.max(this.#base, until);
  }

  /** Forgets everything but the blocks, so that a replay from block 1 makes it again. */
  async startRebuild(): Promise<void> {
    const target = this.#state;
    const marker = put(REBUILD_KEY, target === null ? encode(null) : encodeState(target));
    await this.#write([marker, { type: "del", key: ENGINE_STATE_KEY }]);
    this.#rebuild = { target };
    this.#state = null;
    this.#damage = null;
    await this.#clearFamilies();
  }

  async finishRebuild(): Promise<void> {
    await this.#write([{ type: "del", key: REBUILD_KEY }]);
    this.#rebuild = null;
  }

  /** Unsynced: if it is cut, the marker of `startRebuild` repeats it. */
  async #clearFamilies(): Promise<void> {
    await this.#reading(async () => {
      await this.#level.clear({ ...APPLICATION });
      await this.#level.clear({ ...RESPONSES });
    });
  }

  async signedHeader(height: number): Promise<SignedHeader | null> {
    const bytes = await this.#get(headerKey(height));
    return bytes === null ? null : decodeSignedHeader(bytes);
  }

  async block(height: number): Promise<StoredBlock | null> {
    const signed = await this.signedHeader(height);
    if (signed === null) return null;
    const body = await this.#get(bodyKey(height));
    if (body === null) throw corrupt(this.directory, `body of block ${height} is missing`);
    return { ...signed, transactions: decodeBody(body) };
  }

  async response(height: number): Promise<Response | null> {
    const bytes = await this.#get(responseKey(height));
    if (bytes === null) return null;
    const [appHash, results] = decode(bytes) as [Uint8Array, [number, string][]];
    return { appHash, results: results.map(([code, info]) => ({ code, info })) };
  }

  /** One record of the application, by its own key. */
  async applicationRecord(key: string): Promise<Uint8Array | null> {
    return this.#get(applicationKey(key));
  }

  /** Records of the application in a range of its own keys; `limit` may be infinite. */
  async applicationRecords(
    range: OwnKeyRange & { readonly order: "rising" | "falling"; readonly limit: number },
  ): Promise<{ readonly key: string; readonly value: Uint8Array }[]> {
    return this.#reading(async () => {
      const entries = this.#level.iterator({
        gte: applicationKey(range.gte),
        lt: applicationKey(range.lt),
        reverse: range.order === "falling",
        limit: range.limit,
      });
      const records = [];
      for await (const [key, stored] of entries) {
        records.push({ key: applicationPart(key), value: this.#unseal(key, stored) });
      }
      return records;
    });
  }

  async close(): Promise<void> {
    await this.#level.close();
  }

  async #get(key: string): Promise<Uint8Array | null> {
    const stored = await this.#reading(() => this.#level.get(key));
    return stored === undefined ? null : this.#unseal(key, stored);
  }

  #unseal(key: string, stored: Uint8Array): Uint8Array {
    const value = unseal(key, stored);
    if (value === null) throw corrupt(this.directory, `record ${key} fails its checksum`);
    return value;
  }

  async #reading<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (failure) {
      throw storeError(failure, this.directory);
    }
  }

  async #write(operations: readonly Operation[]): Promise<void> {
    try {
      await this.#level.batch([...operations], { sync: true });
    } catch (failure) {
      throw storeError(failure, this.directory);
    }
  }
}

function put(key: string, value: Uint8Array): Operation {
  return { type: "put", key, value: seal(key, value) };
}

function encodeState(state: EngineState): Uint8Array {
  return encode([state.height, state.timeS, state.appHash]);
}

function decodeState(bytes: Uint8Array): EngineState | null {
  const fields = decode(bytes);
  if (fields === null) return null;
  const [height, timeS, appHash] = fields as [number, UnixSeconds, Uint8Array];
  return { height, timeS, appHash };
}

function encodeResponse(response: Response): Uint8Array {
  return encode([response.appHash, response.results.map(({ code, info }) => [code, info])]);
}
