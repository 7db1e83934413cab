/**
 * Records of the state written as changes. A block that touches few bytes of a record does not
 * write it whole: it writes a change record, the 32-byte chunks that differ, chained to the record
 * that it builds on. A whole record comes again when much of it changed, or after many changes.
 *
 * Safe because a change applies to a record's stored bytes, its seal included: what comes out is
 * byte for byte the whole record, seal and all, so whoever opens it finds any damage. A change that
 * is missing, torn or out of place breaks the chain of seals; one lost from the very end leaves an
 * older whole record, which the app hash gives away.
 */
import { bytesEqual } from "../primitives/bytes.ts";
import type { CodecValue } from "../primitives/codec.ts";
import { CHANGE_SHARE_MIN, CHANGES_PER_RECORD_MAX } from "../primitives/limits.ts";
import type { StoreChange } from "./abci.ts";
import { corruptRecord, openRecord, SEAL_BYTES, sealRecord } from "./sealed-record.ts";
import { changeKey, changeOf, HEAD_KEY, isStateKey } from "./store-keys.ts";

const CHUNK_BYTES = 32;
/** A shorter record is written whole: a change of it would be no shorter. */
const RECORD_BYTES_MIN = 256;

/** A record as it was last written, and the changes that stand behind it in the store. */
type Written = {
  readonly value: Uint8Array; // whole
  readonly changes: number;
  readonly changedBytes: number; // of all these changes
};

/** What is stored of the state, as whole records and as the changes that lead to them. */
export class RecordLog {
  readonly #written = new Map<string, Written>();

  /**
   * @param stored - records by key, changes among them; keys of no state are passed over
   * @throws GridError database_corrupt naming the record whose changes do not fit
   */
  constructor(stored: ReadonlyMap<string, Uint8Array>) {
    // Change keys come after whole records, and the changes of one record in their order.
    const keys = [...stored.keys()].filter(isStateKey).sort();
    const changes = keys.filter((key) => changeOf(key) !== null);
    for (const key of keys) {
      if (changeOf(key) !== null) continue;
      this.#written.set(key, { value: stored.get(key)!, changes: 0, changedBytes: 0 });
    }
    for (const name of changes) {
      const { key } = changeOf(name)!;
      this.#written.set(key, changed(name, stored.get(name)!, this.#written.get(key)));
    }
  }

  /** Whole records by key. */
  records(): Map<string, Uint8Array> {
    return new Map([...this.#written].map(([key, { value }]) => [key, value]));
  }

  /**
   * Whole records in, what is to be stored out: changes where they are shorter. Other keys pass.
   * The bytes of whole records are kept: they must not change.
   */
  write(changes: readonly StoreChange[]): StoreChange[] {
    return changes.flatMap((change) => (isStateKey(change.key) ? this.#write(change) : [change]));
  }

  #write({ key, value }: StoreChange): StoreChange[] {
    const last = this.#written.get(key);
    if (value !== null && last !== undefined) {
      const runs = key === HEAD_KEY ? null : changedRuns(last, value);
      if (runs?.length === 0) return []; // the same bytes: a lane that was copied and not changed
      if (runs !== null) return [this.#change(key, last, value, runs)];
    }
    if (value === null) this.#written.delete(key);
    else this.#written.set(key, { value, changes: 0, changedBytes: 0 });
    const stale = Array.from({ length: last?.changes ?? 0 }, (_, i) => {
      return { key: changeKey(key, i + 1), value: null };
    });
    return [{ key, value }, ...stale];
  }

  #change(key: string, last: Written, value: Uint8Array, runs: readonly Run[]): StoreChange {
    const changes = last.changes + 1;
    const name = changeKey(key, changes);
    const changedBytes = last.changedBytes + bytesOf(runs);
    this.#written.set(key, { value, changes, changedBytes });
    const base = last.value.subarray(0, SEAL_BYTES);
    return { key: name, value: sealRecord(name, [base, runs.flatMap((run) => [...run])]) };
  }
}

/** The record that a stored change leads to. */
function changed(name: string, stored: Uint8Array, last: Written | undefined): Written {
  const { key, number } = changeOf(name)!;
  if (last === undefined) return corruptRecord(name, `changes ${key}, which is missing`);
  if (number !== last.changes + 1) return corruptRecord(name, "does not follow the one before");
  const fields = openRecord(name, stored);
  if (!Array.isArray(fields) || fields.length !== 2) return corruptRecord(name, "is no change");
  const [base, runs] = fields as readonly CodecValue[];
  if (!(base instanceof Uint8Array) || !Array.isArray(runs)) {
    return corruptRecord(name, "is no change");
  }
  if (!bytesEqual(base, last.value.subarray(0, SEAL_BYTES))) {
    return corruptRecord(name, `does not build on the record ${key}`);
  }
  const value = last.value.slice();
  let { changedBytes } = last;
  for (let i = 0; i < runs.length; i += 2) {
    const [offset, run] = [runs[i] as CodecValue, runs[i + 1] as CodecValue | undefined];
    if (typeof offset !== "number" || !(run instanceof Uint8Array)) {
      return corruptRecord(name, "is no change");
    }
    if (offset < 0 || offset + run.length > value.length) {
      return corruptRecord(name, `reaches beyond the record ${key}`);
    }
    value.set(run, offset);
    changedBytes += run.length;
  }
  return { value, changes: number, changedBytes };
}

/** Offset and bytes: neighbouring chunks that differ. */
type Run = readonly [number, Uint8Array];

/** Null where the whole record is to be written. */
function changedRuns({ value: before, changes, changedBytes }: Written, after: Uint8Array) {
  if (before.length !== after.length || after.length < RECORD_BYTES_MIN) return null;
  if (changes >= CHANGES_PER_RECORD_MAX) return null;
  const room = Math.floor(after.length / CHANGE_SHARE_MIN) - changedBytes;
  const runs: Run[] = [];
  let bytes = 0;
  let start = -1;
  for (let at = 0; ; at += CHUNK_BYTES) {
    const isOver = at >= after.length;
    const differs = !isOver && chunkDiffers(before, after, at);
    if (differs && start < 0) start = at;
    if (!differs && start >= 0) {
      const run = after.slice(start, Math.min(at, after.length));
      runs.push([start, run]);
      bytes += run.length;
      start = -1;
    }
    if (bytes + (start < 0 ? 0 : at - start) > room) return null;
    if (isOver) return runs;
  }
}

function chunkDiffers(before: Uint8Array, after: Uint8Array, at: number): boolean {
  const end = Math.min(at + CHUNK_BYTES, after.length);
  for (let i = at; i < end; i++) if (before[i] !== after[i]) return true;
  return false;
}

function bytesOf(runs: readonly Run[]): number {
  return runs.reduce((sum, [, bytes]) => sum + bytes.length, 0);
}

/**
 * Whole records out of stored ones: what two stores must agree in, however each came to write them.
 *
 * @throws GridError database_corrupt
 */
export function wholeRecords(stored: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  return new RecordLog(stored).records();
}
