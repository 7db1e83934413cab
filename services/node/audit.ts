/**
 * The auditor: replays a chain from genesis and compares all that a node stored with the outcome.
 *
 * Safe because it believes nothing but genesis. It executes each block with the application itself,
 * on a state of its own, which verifies transactions, certificates, clearing witnesses and sums on
 * the way; stored records only ever stand on the other side of a comparison. It writes nothing.
 */
import { join } from "node:path";
import type { StoreChange } from "../chain/abci.ts";
import { createApplication, type MarketApplication } from "../chain/application.ts";
import { wholeRecords } from "../chain/change-records.ts";
import type { LaneExecutor } from "../chain/lane-executor.ts";
import { type Difference, recordDifference, valueDifference } from "../chain/record-difference.ts";
import {
  changeOf,
  entryOf,
  HEAD_KEY,
  isStateKey,
  placeOfKey,
  STATE_KEYS,
} from "../chain/store-keys.ts";
import type { VersionTable } from "../chain/versions.ts";
import { type BlockStore, inspectBlockStore } from "../ordering/embedded/block-store.ts";
import { corrupt } from "../ordering/embedded/store-errors.ts";
import { requireKnownVersion } from "../ordering/embedded/version-gate.ts";
import { bytesEqual, toHex } from "../primitives/bytes.ts";
import { assert, GridError, InvariantError } from "../primitives/errors.ts";
import { slotAt, type UnixSeconds } from "../primitives/units.ts";
import { type Genesis, genesisHash } from "../wire/genesis.ts";
import type { Header } from "../wire/header.ts";
import { blockDifference } from "./audit-block.ts";
import { type AuditTotals, addBlock, emptyTotals, moneyDifference } from "./audit-totals.ts";

/** Where stored and computed part for the first time. */
export type Divergence = Difference & {
  readonly block: number; // the block that it belongs to; the last one for the state at the end
  readonly region: string | null; // the lane; null where it is no single region's
  readonly record: string; // "block", "response", "engine state", or the key of a record
};

export type AuditReport = {
  readonly networkId: string;
  readonly appHash: string; // of the replay, after the last block that it executed
  readonly totals: Readonly<AuditTotals>;
  /** Written but not executed when the node stopped: checked, with no outcome to compare. */
  readonly unexecutedBlocks: number; // 0 or 1
  readonly divergence: Divergence | null; // null: all is equal
};

export type AuditProgress = {
  readonly height: number;
  readonly blocks: number; // all that are stored
  readonly slots: number; // cleared so far
};

/** What the auditor believes, and how it executes. */
export type AuditRules = {
  readonly genesis: Genesis;
  readonly executor?: LaneExecutor | undefined; // default: one lane after another
  readonly versions?: VersionTable | undefined; // default: those that this software knows
};

/**
 * Audits the chain under a stopped node's data directory.
 *
 * @throws GridError database_locked, database_corrupt (damage that the store's own checksums find),
 *   file_unreadable where there is no chain, genesis_mismatch
 */
export async function auditDirectory(
  request: AuditRules & {
    readonly dataDirectory: string;
    readonly onProgress?: (progress: AuditProgress) => void;
  },
): Promise<AuditReport> {
  const { dataDirectory, genesis, onProgress } = request;
  const store = await inspectBlockStore({ directory: join(dataDirectory, "chain") });
  try {
    requireWhole(store, genesis);
    return await new Auditor(store, request).run(onProgress ?? (() => {}));
  } finally {
    await store.close();
  }
}

function requireWhole(store: BlockStore, genesis: Genesis): void {
  const expected = genesisHash(genesis);
  const found = store.genesisHash;
  if (found === null || !bytesEqual(expected, found)) {
    throw new GridError(
      "genesis_mismatch",
      `${store.directory} holds no chain of this genesis: name the genesis it was started with`,
      { expected: toHex(expected), found: found === null ? "" : toHex(found) },
    );
  }
  if (store.damage !== null) throw corrupt(store.directory, store.damage.what);
  if (store.base !== 1) {
    throw corrupt(
      store.directory,
      `blocks below ${store.base} were pruned: no replay from genesis`,
    );
  }
}

/** Thrown through the walk and caught by `run`: the first divergence ends an audit. */
class Diverged extends Error {
  readonly divergence: Divergence;
  constructor(divergence: Divergence) {
    super("diverged");
    this.divergence = divergence;
  }
}

class Auditor {
  readonly #store: BlockStore;
  readonly #genesis: Genesis;
  readonly #application: MarketApplication;
  readonly #totals = emptyTotals();
  /** The state's records as the replay has them: what the store must hold at the end. */
  readonly #state = new Map<string, Uint8Array>();
  /** Heights at which the replay made entry records, by region, rising. */
  readonly #entryHeights: readonly number[][];
  readonly #clearedSlots: number[]; // by region: a lane that was quarantined may lag behind
  #appHash: Uint8Array;
  #parent: Header | null = null;

  constructor(store: BlockStore, { genesis, executor, versions }: AuditRules) {
    this.#store = store;
    this.#genesis = genesis;
    this.#clearedSlots = genesis.regions.map(() => 0);
    this.#application = createApplication({ genesis, stored: new Map(), executor, versions });
    this.#appHash = this.#application.initChain().appHash;
    this.#entryHeights = genesis.regions.map(() => []);
  }

  async run(onProgress: (progress: AuditProgress) => void): Promise<AuditReport> {
    const blocks = this.#store.height;
    const executed = this.#store.state?.height ?? 0;
    let divergence: Divergence | null = null;
    try {
      for (let height = 1; height <= executed; height++) {
        await this.#block(height, "compare");
        onProgress({ height, blocks, slots: this.#totals.slots });
      }
      await this.#compareEnd();
      for (let height = executed + 1; height <= blocks; height++) {
        await this.#block(height, "execute");
        onProgress({ height, blocks, slots: this.#totals.slots });
      }
    } catch (failure) {
      if (!(failure instanceof Diverged)) throw failure;
      divergence = failure.divergence;
    }
    return {
      networkId: this.#genesis.networkId,
      appHash: toHex(this.#appHash),
      totals: this.#totals,
      unexecutedBlocks: blocks - executed,
      divergence,
    };
  }

  async #block(height: number, outcome: "compare" | "execute"): Promise<void> {
    requireKnownVersion(this.#application);
    const block = await this.#readBlock(height);
    const at = { block: height, region: null, record: "block" };
    const { header, transactions } = block;
    refuse(
      at,
      blockDifference({
        genesis: this.#genesis,
        block,
        height,
        chainVersion: this.#application.info().nextVersion.version,
        parent: this.#parent,
        appHash: this.#appHash,
      }),
    );
    const proposal = { height, timeS: header.timeS, transactions };
    const { accept, reason } = this.#application.processProposal(proposal);
    if (!accept) refuse(at, { field: "proposal", stored: reason, computed: "a valid block" });
    const finalized = this.#execute(height, () => this.#application.finalizeBlock(proposal));
    const { changes } = this.#application.commit();
    addBlock(this.#totals, transactions, finalized);
    this.#appHash = finalized.appHash;
    this.#parent = header;
    if (outcome === "execute") {
      const answered = (await this.#store.response(height)) !== null;
      return answered ? this.#compareResponse(height, finalized) : undefined;
    }
    await this.#compareResponse(height, finalized);
    for (const change of changes) await this.#compareChange(height, change);
    for (const record of finalized.slotRecords) {
      const region = this.#region(record.regionIndex);
      refuse({ ...at, region, record: `slot ${record.slot}` }, moneyDifference(record));
      this.#clearedSlots[record.regionIndex]!++;
    }
  }

  async #readBlock(height: number) {
    const at = { block: height, region: null, record: "block" };
    const block = await decoded(at, () => this.#store.block(height));
    assert(block !== null, "opening found every block");
    return block;
  }

  /** A broken invariant inside the replay is a finding, and says where. */
  #execute<Result>(height: number, work: () => Result): Result {
    try {
      return work();
    } catch (failure) {
      if (!(failure instanceof InvariantError)) throw failure;
      const stored = "a committed block";
      const difference = { field: "invariant", stored, computed: failure.message };
      throw new Diverged({ block: height, region: null, record: "block", ...difference });
    }
  }

  async #compareResponse(
    height: number,
    finalized: { readonly appHash: Uint8Array; readonly results: readonly { code: number }[] },
  ): Promise<void> {
    const at = { block: height, region: null, record: "response" };
    const response = await decoded(at, () => this.#store.response(height));
    const codes = (results: readonly { code: number }[]) => results.map(({ code }) => code);
    const stored = response && { appHash: response.appHash, results: codes(response.results) };
    const computed = { appHash: finalized.appHash, results: codes(finalized.results) };
    refuse(at, valueDifference("", stored, computed));
  }

  /** History is compared at once, state at the end. */
  async #compareChange(height: number, { key, value }: StoreChange): Promise<void> {
    if (isStateKey(key)) {
      if (value === null) this.#state.delete(key);
      else this.#state.set(key, value);
      return;
    }
    const entry = entryOf(key);
    if (entry !== null) this.#entryHeights[entry.regionIndex]!.push(entry.height);
    const stored = await this.#store.applicationRecord(key);
    const difference = recordDifference(this.#genesis, { key, stored, computed: value });
    refuse({ block: height, region: this.#regionOf(key), record: key }, difference);
  }

  /** The state at the end, key by key, and nothing beside it. */
  async #compareEnd(): Promise<void> {
    const { state } = this.#store;
    const head = this.#application.head();
    const block = head.height;
    if (state !== null) {
      const timeS = block === 0 ? this.#genesis.genesisTimeS : head.timeS;
      const computed = { height: block, timeS, appHash: this.#appHash };
      const at = { block, region: null, record: "engine state" };
      refuse(at, valueDifference("", state, computed));
    }
    const [stray] = await this.#store.strayKeys();
    if (stray !== undefined) {
      const difference = { field: "(whole record)", stored: "(something)", computed: "(absent)" };
      throw new Diverged({ block, region: null, record: stray, ...difference });
    }
    const records = new Map<string, Uint8Array>();
    const others: string[] = [];
    await this.#store.eachApplicationKey((key) => {
      if (!isStateKey(key) && !this.#isHistory(key)) others.push(key);
    });
    for (const range of [...STATE_KEYS, ...others.map((key) => ({ gte: key, lt: `${key}\0` }))]) {
      const all = { ...range, order: "rising", limit: Number.POSITIVE_INFINITY } as const;
      for (const { key, value } of await this.#store.applicationRecords(all)) {
        records.set(key, value);
      }
    }
    // Whole records on both sides: when one was written as a change is each node's own affair.
    const replayed = wholeRecords(this.#state);
    const whole = this.#wholeOrRefuse(block, records);
    // The head says what the others come to: the record that is at fault is named before it.
    const names = new Set([...replayed.keys(), ...whole.keys(), ...others]);
    names.delete(HEAD_KEY);
    for (const key of [...[...names].sort(), HEAD_KEY]) {
      const stored = whole.get(key) ?? (isStateKey(key) ? null : (records.get(key) ?? null));
      const computed = replayed.get(key) ?? null;
      const difference = recordDifference(this.#genesis, { key, stored, computed });
      refuse({ block, region: this.#regionOf(key), record: key }, difference);
    }
  }

  /** A record whose changes do not fit it is a finding: named by its field where it shows one. */
  #wholeOrRefuse(block: number, records: ReadonlyMap<string, Uint8Array>) {
    try {
      return wholeRecords(records);
    } catch (failure) {
      if (!(failure instanceof GridError) || failure.code !== "database_corrupt") throw failure;
      const { what: record } = (failure as GridError<"database_corrupt">).facts;
      const key = changeOf(record)?.key ?? record;
      const at = { block, region: this.#regionOf(key) };
      const stored = records.get(key) ?? null;
      const computed = this.#state.get(key) ?? null;
      const base = recordDifference(this.#genesis, { key, stored, computed });
      refuse({ ...at, record: key }, base);
      const difference = { field: "(whole record)", stored: failure.message };
      throw new Diverged({ ...at, record, ...difference, computed: "a change that fits" });
    }
  }

  /** Whether the replay made a record of this key; each was compared when it came. */
  #isHistory(key: string): boolean {
    const entry = entryOf(key);
    if (entry !== null) return isAmong(this.#entryHeights[entry.regionIndex], entry.height);
    const place = placeOfKey(key);
    if (place?.family !== "slot" && place?.family !== "proof") return false;
    const { genesisTimeS, slotS, regions } = this.#genesis;
    if (place.regionIndex >= regions.length) return false;
    const first = slotAt(genesisTimeS as UnixSeconds, slotS);
    const cleared = this.#clearedSlots[place.regionIndex]!;
    return place.slot! >= first && place.slot! < first + cleared;
  }

  #regionOf(key: string): string | null {
    const place = placeOfKey(key);
    return place === null ? null : this.#region(place.regionIndex);
  }

  #region(regionIndex: number): string {
    return this.#genesis.regions[regionIndex]?.id ?? `region ${regionIndex}`;
  }
}

/** @param rising - undefined for a region that there is none of */
function isAmong(rising: readonly number[] | undefined, height: number): boolean {
  let [low, high] = [0, rising?.length ?? 0];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (rising![middle]! < height) low = middle + 1;
    else high = middle;
  }
  return rising?.[low] === height;
}

/** Whole by its checksum and yet of no known form: somebody wrote it so. */
async function decoded<Value>(
  at: Omit<Divergence, keyof Difference>,
  read: () => Promise<Value>,
): Promise<Value> {
  try {
    return await read();
  } catch (failure) {
    if (!(failure instanceof GridError) || failure.code !== "bytes_malformed") throw failure;
    const { message: stored } = failure;
    throw new Diverged({ ...at, field: "encoding", stored, computed: "its canonical form" });
  }
}

function refuse(
  at: Omit<Divergence, keyof Difference>,
  difference: Difference | null,
): asserts difference is null {
  if (difference !== null) throw new Diverged({ ...at, ...difference });
}
