/**
 * The oracle's durable memory: one LevelDB, a sublevel per table (`store-keys.ts`), one kind of
 * write.
 *
 * Safe because every change goes through `write`, one atomic batch that is on the disk (fsync) when
 * it resolves; so after a crash the store is a prefix of what the process believed. LevelDB's log
 * carries a checksum for each record, and a torn tail is dropped whole.
 */
import { Level } from "level";
import { bytesEqual, toHex } from "../primitives/bytes.ts";
import { GridError } from "../primitives/errors.ts";
import { corruptStore, storeFailure } from "../primitives/store-failure.ts";
import type { Slot } from "../primitives/units.ts";
import * as keys from "./store-keys.ts";
import * as rows from "./store-rows.ts";

/** A key of a table and its new value, or null to delete. */
export type StoreChange = {
  readonly table: keys.Table;
  readonly key: string;
  readonly value: Uint8Array | null;
};

type Sublevel = ReturnType<typeof openSublevel>;
type Database = Level<string, Uint8Array>;

export class OracleStore {
  readonly directory: string;
  readonly #database: Database;
  readonly #tables: Readonly<Record<keys.Table, Sublevel>>;

  constructor(directory: string, database: Database) {
    this.directory = directory;
    this.#database = database;
    const tables = keys.TABLES.map((name) => [name, openSublevel(database, name)]);
    this.#tables = Object.fromEntries(tables) as Record<keys.Table, Sublevel>;
  }

  /**
   * All changes or none, on the disk when it resolves; of two changes of a key the later one holds.
   *
   * @throws GridError disk_full, permission_denied, database_corrupt: nothing more may be written
   */
  async write(changes: readonly StoreChange[]): Promise<void> {
    await this.#guard(() => {
      const batch = this.#database.batch();
      for (const { table, key, value } of changes) {
        const sublevel = this.#tables[table];
        if (value === null) batch.del(key, { sublevel });
        else batch.put(key, value, { sublevel });
      }
      return batch.write({ sync: true });
    });
  }

  async close(): Promise<void> {
    await this.#guard(() => this.#database.close());
  }

  /** The receipt of an accepted record, as it was first given. Reads the disk. */
  receiptOf(record: Parameters<typeof keys.sequenceKey>[0]): Uint8Array | undefined {
    return this.#get("receipt", keys.sequenceKey(record));
  }

  /** The receipt of a refused record, by the hash of its payload. Reads the disk. */
  refusalReceipt(recordHash: Uint8Array): Uint8Array | undefined {
    return this.#get("refused", keys.recordKey(recordHash));
  }

  region(regionIndex: number): rows.RegionRow | undefined {
    const row = this.#get("region", keys.regionKey(regionIndex));
    return row && this.#decoded(row, rows.decodeRegionRow);
  }

  device(deviceId: Uint8Array): rows.DeviceRow | undefined {
    const row = this.#get("device", keys.deviceKey(deviceId));
    return row && this.#decoded(row, rows.decodeDeviceRow);
  }

  /** The accepted record of a meter whose last slot is `slot`, with its salt, unless erased. */
  reading(at: Parameters<typeof keys.meterSlotKey>[0]): rows.ReadingRow | undefined {
    const row = this.#get("reading", keys.meterSlotKey(at));
    return row && this.#decoded(row, rows.decodeReadingRow);
  }

  /** Accepted records of a region whose last slot is `fromSlot` or later, by (slot, meter). */
  async *readingsFrom(at: { regionIndex: number; fromSlot: Slot }) {
    const range = {
      gte: keys.slotKey({ regionIndex: at.regionIndex, slot: at.fromSlot }),
      lt: keys.after(keys.regionKey(at.regionIndex)),
    };
    for await (const [key, value] of this.#tables.reading.iterator(range)) {
      yield { ...keys.slotOfKey(key), row: this.#decoded(value, rows.decodeReadingRow) };
    }
  }

  /** Energy of a region that waits for a report to carry it, by (slot, meter). */
  async *lateEnergy(regionIndex: number) {
    const prefix = keys.regionKey(regionIndex);
    const range = { gte: prefix, lt: keys.after(prefix) };
    for await (const [key, value] of this.#tables.late.iterator(range)) {
      yield { ...keys.slotOfKey(key), row: this.#decoded(value, rows.decodeLateRow) };
    }
  }

  /** The own signed statement about a slot, as the transaction that carries it. */
  report(at: { readonly regionIndex: number; readonly slot: Slot }): Uint8Array | undefined {
    return this.#get("report", keys.slotKey(at));
  }

  /** The leaves behind the report of a slot. */
  leaves(at: { readonly regionIndex: number; readonly slot: Slot }): rows.LeavesRow | undefined {
    const row = this.#get("leaves", keys.slotKey(at));
    return row && this.#decoded(row, rows.decodeLeavesRow);
  }

  /** Log rows of one region and market day, newest first. */
  async *refusals(at: { readonly regionIndex: number; readonly day: number }) {
    const prefix = keys.dayKey(at);
    const range = { gte: prefix, lt: keys.after(prefix), reverse: true };
    for await (const value of this.#tables.refusal.values(range)) {
      yield this.#decoded(value, rows.decodeRefusalRow);
    }
  }

  /** How many records were refused, by code, with or without a log row. */
  refusalCounts(at: { readonly regionIndex: number; readonly day: number }): Map<number, number> {
    const row = this.#get("refusals", keys.dayKey(at));
    return row === undefined ? new Map() : this.#decoded(row, rows.decodeCounts);
  }

  /**
   * Erases raw records and their salts: after it, nobody can open the leaves they are in. Energy,
   * receipts, reports and leaves stay, so that others' records are still proved. Slots MUST be
   * reported already.
   *
   * @returns how many records are gone
   */
  async eraseReadings(range: {
    readonly regionIndex: number;
    readonly meterIndex: number | null; // null: every meter of the region
    readonly toSlot: Slot; // the last slot erased
  }): Promise<number> {
    const { regionIndex, toSlot } = range;
    const from = keys.regionKey(regionIndex);
    const end = keys.after(keys.slotKey({ regionIndex, slot: toSlot }));
    const changes: StoreChange[] = [];
    for await (const key of this.#tables.reading.keys({ gte: from, lt: end })) {
      const { meterIndex } = keys.slotOfKey(key);
      if (range.meterIndex !== null && range.meterIndex !== meterIndex) continue;
      changes.push({ table: "reading", key, value: null });
    }
    await this.write(changes);
    return changes.length;
  }

  /** Waits for the tables; binds a new store to its network, refuses one of another network. */
  async bind(genesisHash: Uint8Array): Promise<void> {
    await Promise.all(Object.values(this.#tables).map((table) => table.open()));
    const found = this.#get("meta", keys.GENESIS_KEY);
    if (found === undefined) {
      await this.write([{ table: "meta", key: keys.GENESIS_KEY, value: genesisHash }]);
    } else if (!bytesEqual(found, genesisHash)) {
      throw new GridError(
        "genesis_mismatch",
        `the oracle's store in ${this.directory} belongs to another network`,
        { expected: toHex(genesisHash), found: toHex(found) },
      );
    }
  }

  #get(table: keys.Table, key: string): Uint8Array | undefined {
    const value = this.#tables[table].getSync(key);
    return value && plain(value);
  }

  #decoded<Row>(bytes: Uint8Array, decodeRow: (bytes: Uint8Array) => Row): Row {
    try {
      return decodeRow(plain(bytes));
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : "unreadable row";
      throw corruptStore(placeOf(this.directory), what, { cause });
    }
  }

  async #guard<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      return await action();
    } catch (failure) {
      throw storeFailure(failure, placeOf(this.directory));
    }
  }
}

/** The store hands out Buffers, whose `slice` shares memory where ours copies. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function placeOf(directory: string) {
  return { directory, what: "the oracle's store" };
}

function openSublevel(database: Database, name: keys.Table) {
  const encodings = { keyEncoding: "utf8", valueEncoding: "view" } as const;
  return database.sublevel<string, Uint8Array>(name, encodings);
}

async function openLevelDirectory(directory: string): Promise<Database> {
  const database: Database = new Level(directory, { valueEncoding: "view" });
  await database.open();
  return database;
}

/**
 * Opens the store of the network that `genesisHash` names, or makes it.
 *
 * @throws GridError database_locked, database_corrupt, permission_denied, disk_full,
 *   genesis_mismatch
 */
export async function openOracleStore(options: {
  readonly directory: string;
  readonly genesisHash: Uint8Array;
  /** Default: LevelDB in the directory; a simulated disk comes in here. */
  readonly openDatabase?: (directory: string) => Promise<Database>;
}): Promise<OracleStore> {
  const { directory, genesisHash, openDatabase = openLevelDirectory } = options;
  let database: Database;
  try {
    database = await openDatabase(directory);
  } catch (failure) {
    throw storeFailure(failure, placeOf(directory));
  }
  const store = new OracleStore(directory, database);
  try {
    await store.bind(genesisHash);
  } catch (failure) {
    await database.close();
    throw failure;
  }
  return store;
}
