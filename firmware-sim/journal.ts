/**
 * The meters' journal: what a fleet must not forget, in one `level` database for the process.
 *
 * Safe at any instant, kill -9 and power loss included:
 * 1. `commit` writes the new states and the still unsigned records of a slot, for all meters, in
 *    one batch with sync. So registers and sequence numbers are durable before anything is signed.
 * 2. Signing is deterministic (RFC 8032, RFC 6979): signed bytes that a power loss took are made
 *    again from the unsigned record, byte for byte. `storeSigned` needs no sync.
 * 3. A record leaves only by `settle`, on the oracle's signed receipt. A deletion that a crash
 *    took back is a record sent once more, and answered with the same receipt.
 *
 * A record is new, then sent (PUBACK seen; remembered in memory only, for after a restart
 * everything unreceipted is sent again), then gone: receipted, or moved to the refused list.
 */
import { Level } from "level";
import { assert, GridError } from "../services/primitives/errors.ts";
import {
  JOURNAL_RECORDS_PER_DEVICE_MAX,
  REFUSED_RECORDS_PER_DEVICE_MAX,
} from "../services/primitives/limits.ts";
import {
  corruptStore,
  type StorePlace,
  storeFailure,
} from "../services/primitives/store-failure.ts";
import { READING_CODE } from "../services/wire/refusals.ts";
import * as codec from "./journal-codec.ts";
import type { MeterState } from "./meter.ts";

type Database = Level<string, Uint8Array>;
/** How a journal's database is opened; it MUST keep LevelDB's promises about batches. */
export type OpenDatabase = (directory: string) => Promise<Database>;

export type JournalRecord = {
  readonly device: string; // device id, hexadecimal
  readonly seq: number;
  readonly slot: number; // the last one it covers
  bytes: Uint8Array;
  state: "unsigned" | "new" | "sent";
};

type Operation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: string };

export type SlotCommit = {
  readonly nextSlot: number;
  readonly states: ReadonlyMap<string, MeterState>;
  readonly records: readonly JournalRecord[]; // unsigned
};

export class Journal {
  readonly directory: string;
  readonly #db: Database;
  readonly #states = new Map<string, MeterState>();
  readonly #records = new Map<string, Map<number, JournalRecord>>(); // by seq, rising
  readonly #refused = new Map<string, Map<number, codec.RefusedRecord>>();
  readonly #counts = new Map<string, Map<number, number>>(); // refusals by code
  #nextSlot: number | null = null;
  #waiting: Operation[] = [];
  #flushing: Promise<void> | null = null;
  #failure: unknown = null; // of a write that nobody waited for

  private constructor(directory: string, db: Database) {
    this.directory = directory;
    this.#db = db;
  }

  /**
   * @param openDatabase - default: LevelDB in the directory; a simulated disk comes in here
   * @throws GridError database_locked, database_corrupt, permission_denied, disk_full
   */
  static async open(
    directory: string,
    openDatabase: OpenDatabase = openLevelDirectory,
  ): Promise<Journal> {
    let db: Database;
    try {
      db = await openDatabase(directory);
    } catch (error) {
      throw storeFailure(error, journalAt(directory));
    }
    const journal = new Journal(directory, db);
    try {
      await journal.#load();
    } catch (error) {
      await db.close();
      const known = storeFailure(error, journalAt(directory));
      if (known instanceof GridError && known.code !== "bytes_malformed") throw known;
      const damage = error instanceof Error ? error.message : String(error);
      throw corruptStore(journalAt(directory), damage, { cause: error });
    }
    return journal;
  }

  async #load(): Promise<void> {
    const fleet = await this.#db.get(codec.FLEET_KEY);
    if (fleet !== undefined) {
      const { version, nextSlot } = codec.decodeFleet(fleet);
      if (version !== codec.JOURNAL_VERSION) {
        throw corruptStore(journalAt(this.directory), `version ${version} is not known here`);
      }
      this.#nextSlot = nextSlot;
    }
    for await (const [key, value] of this.#db.iterator(codec.rangeOf(codec.METER_PREFIX))) {
      this.#states.set(key.slice(codec.METER_PREFIX.length), codec.decodeMeter(value));
    }
    for await (const [key, value] of this.#db.iterator(codec.rangeOf(codec.RECORD_PREFIX))) {
      const { device, seq } = codec.parseSequenceKey(codec.RECORD_PREFIX, key);
      const { slot, signed, bytes } = codec.decodeRecord(value);
      const state = signed ? "new" : "unsigned";
      mapOf(this.#records, device).set(seq, { device, seq, slot, bytes, state });
    }
    for await (const [key, value] of this.#db.iterator(codec.rangeOf(codec.REFUSED_PREFIX))) {
      const { device, seq } = codec.parseSequenceKey(codec.REFUSED_PREFIX, key);
      mapOf(this.#refused, device).set(seq, codec.decodeRefused(value));
    }
    for await (const [key, value] of this.#db.iterator(codec.rangeOf(codec.COUNT_PREFIX))) {
      this.#counts.set(key.slice(codec.COUNT_PREFIX.length), codec.decodeCounts(value));
    }
  }

  /** First slot not committed yet; null before the first start. */
  get nextSlot(): number | null {
    return this.#nextSlot;
  }

  state(device: string): MeterState | null {
    return this.#states.get(device) ?? null;
  }

  /** Unreceipted records of a device, oldest first. */
  records(device: string): readonly JournalRecord[] {
    return [...(this.#records.get(device)?.values() ?? [])];
  }

  recordCount(device: string): number {
    return this.#records.get(device)?.size ?? 0;
  }

  isFull(device: string): boolean {
    return this.recordCount(device) >= JOURNAL_RECORDS_PER_DEVICE_MAX;
  }

  /** The latest refused records of a device, oldest first. */
  refused(device: string): readonly codec.RefusedRecord[] {
    return [...(this.#refused.get(device)?.values() ?? [])];
  }

  /** All refusals of a device, by code. */
  refusals(device: string): ReadonlyMap<number, number> {
    return this.#counts.get(device) ?? new Map();
  }

  /** Durable when it resolves. @throws GridError disk_full, database_corrupt */
  async commit({ nextSlot, states, records }: SlotCommit): Promise<void> {
    const operations: Operation[] = [
      { type: "put", key: codec.FLEET_KEY, value: codec.encodeFleet(nextSlot) },
    ];
    for (const [device, state] of states) {
      const value = codec.encodeMeter(state);
      operations.push({ type: "put", key: codec.METER_PREFIX + device, value });
    }
    for (const record of records) {
      assert(!this.isFull(record.device), "a full journal takes no record");
      mapOf(this.#records, record.device).set(record.seq, record);
      operations.push(putRecord(record));
    }
    for (const [device, state] of states) this.#states.set(device, state);
    this.#nextSlot = nextSlot;
    await this.#write(operations, "sync");
  }

  /** Keeps the signed bytes of records already committed. */
  async storeSigned(records: readonly JournalRecord[]): Promise<void> {
    for (const record of records) record.state = "new";
    await this.#write(records.map(putRecord), "unsynced");
  }

  /** Ends a record on its receipt. Group-committed: `flush` waits until it is written. */
  settle(record: JournalRecord, receipt: { readonly code: number; readonly timeS: number }): void {
    this.#remove(record);
    if (receipt.code !== READING_CODE.accepted) this.#refuse(record, receipt);
  }

  /** Drops a record without a receipt: only for the fault of a meter that loses one. */
  lose(record: JournalRecord): void {
    this.#remove(record);
  }

  #remove({ device, seq }: JournalRecord): void {
    const known = this.#records.get(device)?.delete(seq) ?? false;
    assert(known, "a record ends once");
    this.#enqueue({ type: "del", key: codec.sequenceKey(codec.RECORD_PREFIX, device, seq) });
  }

  #refuse(record: JournalRecord, { code, timeS }: { code: number; timeS: number }): void {
    const { device, seq, slot, bytes } = record;
    const refused = mapOf(this.#refused, device);
    if (refused.size >= REFUSED_RECORDS_PER_DEVICE_MAX) {
      const oldest = refused.keys().next().value as number;
      refused.delete(oldest);
      this.#enqueue({ type: "del", key: codec.sequenceKey(codec.REFUSED_PREFIX, device, oldest) });
    }
    const entry = { slot, code, timeS, bytes };
    refused.set(seq, entry);
    const key = codec.sequenceKey(codec.REFUSED_PREFIX, device, seq);
    this.#enqueue({ type: "put", key, value: codec.encodeRefused(entry) });
    const counts = mapOf(this.#counts, device);
    counts.set(code, (counts.get(code) ?? 0) + 1);
    const value = codec.encodeCounts(counts);
    this.#enqueue({ type: "put", key: codec.COUNT_PREFIX + device, value });
  }

  #enqueue(operation: Operation): void {
    this.#waiting.push(operation);
    this.#flushing ??= this.#drain();
  }

  /** One batch at a time; what arrives meanwhile is the next one. */
  async #drain(): Promise<void> {
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) {
        const operations = this.#waiting;
        this.#waiting = [];
        await this.#write(operations, "unsynced");
      }
    } catch (error) {
      this.#failure ??= error;
    } finally {
      this.#flushing = null;
    }
  }

  /** Resolves when everything settled so far is written. @throws GridError disk_full */
  async flush(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
    if (this.#failure !== null) throw this.#failure;
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#db.close();
    }
  }

  async #write(operations: Operation[], durability: "sync" | "unsynced"): Promise<void> {
    if (operations.length === 0) return;
    try {
      await this.#db.batch(operations, { sync: durability === "sync" });
    } catch (error) {
      throw storeFailure(error, journalAt(this.directory));
    }
  }
}

async function openLevelDirectory(directory: string): Promise<Database> {
  const db: Database = new Level(directory, { valueEncoding: "view" });
  await db.open();
  return db;
}

function putRecord(record: JournalRecord): Operation {
  const { device, seq, slot, bytes } = record;
  return {
    type: "put",
    key: codec.sequenceKey(codec.RECORD_PREFIX, device, seq),
    value: codec.encodeRecord({ slot, signed: record.state !== "unsigned", bytes }),
  };
}

function mapOf<Value>(maps: Map<string, Map<number, Value>>, key: string): Map<number, Value> {
  const known = maps.get(key);
  if (known !== undefined) return known;
  const map = new Map<number, Value>();
  maps.set(key, map);
  return map;
}

function journalAt(directory: string): StorePlace {
  return { directory, what: "the meters' journal" };
}
