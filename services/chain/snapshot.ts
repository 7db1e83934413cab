/**
 * A snapshot: the state of one height as bytes that are the same on every node. Each region's
 * records make a stream; streams stand one after another in chunks, as many whole ones as fit, and
 * a stream too long for one chunk has chunks of its own. The lengths in the metadata fix which
 * bytes stand where, so nothing in a chunk needs to be believed before it is verified.
 *
 *   metadata = [format, global records, roots by region, stream length by region, chunk hashes]
 *   stream   = (key length: 2 B, key, value length: 4 B, value)*   keys rising, big-endian
 *
 * Safe because only the app hash is trusted: the roots must give it, each region's records must
 * give its roots, and no record has a second form (`snapshot-restore.ts`).
 */
import { sha256 } from "../crypto/hash.ts";
import { concatBytes, fromUtf8, uintBytes, utf8 } from "../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { assert, GridError } from "../primitives/errors.ts";
import {
  SNAPSHOT_CHUNK_BYTES_MAX,
  SNAPSHOT_CHUNKS_MAX,
  SNAPSHOT_LANE_BYTES_MAX,
  SNAPSHOT_LANE_RECORDS_MAX,
  SNAPSHOT_METADATA_BYTES_MAX,
  SNAPSHOT_RECORD_BYTES_MAX,
} from "../primitives/limits.ts";
import type { ChunkPlace, Snapshot } from "./abci.ts";
import { admissionRoot } from "./admission.ts";
import { appTree } from "./roots.ts";
import type { Rules } from "./rules.ts";
import type { ChainState } from "./state.ts";
import { globalRecords, regionRecords, type StateRecord } from "./stored-state.ts";

export const SNAPSHOT_FORMAT = 1;

const HASH_BYTES = 32;
const KEY_LENGTH_BYTES = 2;
const VALUE_LENGTH_BYTES = 4;

/** Snapshots as they lie on a disk; the impure side hands them in. */
export type SnapshotSource = {
  list(): readonly Snapshot[]; // whole ones, newest first
  chunk(place: ChunkPlace): Uint8Array | null; // verified; null where it is not there
};
export const NO_SNAPSHOTS: SnapshotSource = { list: () => [], chunk: () => null };

/** The roots that a region's records must give, each 32 bytes. */
export type RegionRoots = {
  readonly state: Uint8Array;
  readonly receipts: Uint8Array;
  readonly nonces: Uint8Array;
};
const ROOTS_PER_REGION = 3;

export type SnapshotMetadata = {
  readonly globals: readonly StateRecord[];
  readonly roots: readonly RegionRoots[];
  readonly streamBytes: readonly number[]; // by region
  readonly chunkHashes: readonly Uint8Array[];
};

/** Bytes of one region in one chunk. */
export type ChunkPart = {
  readonly regionIndex: number;
  readonly from: number; // in the region's stream
  readonly bytes: number;
};

/**
 * The chunks of a state, in order. Each step encodes one region and yields the chunks that are
 * complete with it (often none), so that whoever writes them can let other work in between.
 *
 * @throws GridError capacity_exceeded where a region is beyond what a snapshot may hold
 */
export function* encodeSnapshot(
  rules: Rules,
  state: ChainState,
): Generator<readonly Uint8Array[], Snapshot, void> {
  const streamBytes: number[] = [];
  const chunkHashes: Uint8Array[] = [];
  let waiting: Uint8Array[] = []; // streams of the chunk in the making
  let waitingBytes = 0;
  const sealed = (parts: readonly Uint8Array[]) => {
    const chunk = concatBytes(parts);
    chunkHashes.push(sha256(chunk));
    return chunk;
  };
  for (const [r, lane] of state.lanes.entries()) {
    const stream = encodeStream(regionRecords(r, { lane, nonces: state.nonces[r]! }));
    streamBytes.push(stream.length);
    const ready: Uint8Array[] = [];
    if (waitingBytes > 0 && waitingBytes + stream.length > SNAPSHOT_CHUNK_BYTES_MAX) {
      ready.push(sealed(waiting));
      waiting = [];
      waitingBytes = 0;
    }
    if (stream.length > SNAPSHOT_CHUNK_BYTES_MAX) {
      for (let at = 0; at < stream.length; at += SNAPSHOT_CHUNK_BYTES_MAX) {
        ready.push(sealed([stream.subarray(at, at + SNAPSHOT_CHUNK_BYTES_MAX)]));
      }
    } else {
      waiting.push(stream);
      waitingBytes += stream.length;
    }
    yield ready;
  }
  if (waitingBytes > 0) yield [sealed(waiting)];
  const roots = state.laneRoots.map((lane, r) => ({ ...lane, nonces: state.nonces[r]!.root }));
  const globals = globalRecords(rules, state);
  const metadata = encodeMetadata({ globals, roots, streamBytes, chunkHashes });
  return {
    height: state.height,
    format: SNAPSHOT_FORMAT,
    chunks: chunkHashes.length,
    hash: sha256(metadata),
    metadata,
  };
}

/** Where the bytes of each region stand, by chunk; a function of the streams' lengths alone. */
export function chunkLayout(streamBytes: readonly number[]): readonly (readonly ChunkPart[])[] {
  const chunks: ChunkPart[][] = [];
  let waiting: ChunkPart[] = [];
  let waitingBytes = 0;
  const close = () => {
    if (waitingBytes > 0) chunks.push(waiting);
    waiting = [];
    waitingBytes = 0;
  };
  streamBytes.forEach((bytes, regionIndex) => {
    if (waitingBytes + bytes > SNAPSHOT_CHUNK_BYTES_MAX) close();
    if (bytes > SNAPSHOT_CHUNK_BYTES_MAX) {
      for (let from = 0; from < bytes; from += SNAPSHOT_CHUNK_BYTES_MAX) {
        const part = Math.min(SNAPSHOT_CHUNK_BYTES_MAX, bytes - from);
        chunks.push([{ regionIndex, from, bytes: part }]);
      }
    } else {
      waiting.push({ regionIndex, from: 0, bytes });
      waitingBytes += bytes;
    }
  });
  close();
  return chunks;
}

/** The app hash that the roots give. */
export function appHashOf(roots: readonly RegionRoots[]): Uint8Array {
  return appTree(roots, admissionRoot(roots.map(({ nonces }) => ({ root: nonces })))).appHash;
}

function encodeMetadata(metadata: SnapshotMetadata): Uint8Array {
  const { globals, roots, streamBytes, chunkHashes } = metadata;
  if (chunkHashes.length > SNAPSHOT_CHUNKS_MAX) {
    throw beyond("chunks of a snapshot", SNAPSHOT_CHUNKS_MAX);
  }
  const bytes = encode([
    SNAPSHOT_FORMAT,
    globals.map(({ key, value }) => [key, value]),
    concatBytes(roots.flatMap(({ state, receipts, nonces }) => [state, receipts, nonces])),
    streamBytes,
    concatBytes(chunkHashes),
  ]);
  assert(bytes.length <= SNAPSHOT_METADATA_BYTES_MAX, "metadata within its limits is small");
  return bytes;
}

/**
 * Form only, and that the lengths fit each other; whether the roots are true is for the restore.
 *
 * @throws GridError bytes_malformed
 */
export function decodeMetadata(bytes: Uint8Array, regionCount: number): SnapshotMetadata {
  const refuse = (what: string): never => {
    throw new GridError("bytes_malformed", `no snapshot: ${what}`, { what, offset: 0 });
  };
  if (bytes.length > SNAPSHOT_METADATA_BYTES_MAX) return refuse("metadata beyond its limit");
  const fields = decode(bytes);
  if (!Array.isArray(fields) || fields.length !== 5) return refuse("metadata");
  const [format, globals, roots, streamBytes, hashes] = fields as readonly CodecValue[];
  if (format !== SNAPSHOT_FORMAT) return refuse("another format");
  if (!Array.isArray(globals) || !globals.every(isRecord)) return refuse("global records");
  if (!(roots instanceof Uint8Array) || !(hashes instanceof Uint8Array)) return refuse("hashes");
  if (roots.length !== HASH_BYTES * ROOTS_PER_REGION * regionCount) return refuse("roots");
  const isLength = (value: CodecValue): value is number =>
    typeof value === "number" && value > 0 && value <= SNAPSHOT_LANE_BYTES_MAX;
  if (!Array.isArray(streamBytes) || !streamBytes.every(isLength)) return refuse("lengths");
  if (streamBytes.length !== regionCount) return refuse("lengths");
  const bytesOfAll = streamBytes.reduce((sum: number, length: number) => sum + length, 0);
  if (bytesOfAll > SNAPSHOT_CHUNKS_MAX * SNAPSHOT_CHUNK_BYTES_MAX) return refuse("lengths");
  const chunkHashes = hashesOf(hashes);
  if (chunkHashes.length * HASH_BYTES !== hashes.length) return refuse("chunk hashes");
  if (chunkHashes.length !== chunkLayout(streamBytes).length) return refuse("chunk hashes");
  const nodes = hashesOf(roots);
  return {
    globals: globals.map(([key, value]) => ({ key, value })),
    roots: Array.from({ length: regionCount }, (_, r) => ({
      state: nodes[ROOTS_PER_REGION * r]!,
      receipts: nodes[ROOTS_PER_REGION * r + 1]!,
      nonces: nodes[ROOTS_PER_REGION * r + 2]!,
    })),
    streamBytes,
    chunkHashes,
  };
}

function isRecord(value: CodecValue): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false;
  return typeof value[0] === "string" && value[1] instanceof Uint8Array;
}

function hashesOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.floor(bytes.length / HASH_BYTES) }, (_, i) =>
    bytes.slice(HASH_BYTES * i, HASH_BYTES * (i + 1)),
  );
}

function encodeStream(records: readonly StateRecord[]): Uint8Array {
  if (records.length > SNAPSHOT_LANE_RECORDS_MAX) {
    throw beyond("records of a region in a snapshot", SNAPSHOT_LANE_RECORDS_MAX);
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (const { key, value } of records) {
    if (value.length > SNAPSHOT_RECORD_BYTES_MAX) {
      throw beyond(`bytes of ${key} in a snapshot`, SNAPSHOT_RECORD_BYTES_MAX);
    }
    const name = utf8(key);
    parts.push(uintBytes(name.length, KEY_LENGTH_BYTES), name);
    parts.push(uintBytes(value.length, VALUE_LENGTH_BYTES), value);
    bytes += KEY_LENGTH_BYTES + name.length + VALUE_LENGTH_BYTES + value.length;
  }
  if (bytes > SNAPSHOT_LANE_BYTES_MAX) {
    throw beyond("bytes of a region in a snapshot", SNAPSHOT_LANE_BYTES_MAX);
  }
  return concatBytes(parts);
}

/**
 * @returns records in rising order of their keys; their values are copies
 * @throws GridError bytes_malformed
 */
export function decodeStream(stream: Uint8Array): StateRecord[] {
  const refuse = (offset: number): never => {
    const what = "records of a region";
    throw new GridError("bytes_malformed", `no ${what} at byte ${offset}`, { what, offset });
  };
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  const records: StateRecord[] = [];
  let at = 0;
  const take = (bytes: number) => {
    if (bytes > stream.length - at) refuse(at);
    at += bytes;
    return at - bytes;
  };
  while (at < stream.length) {
    const start = at;
    const keyBytes = view.getUint16(take(KEY_LENGTH_BYTES));
    const keyAt = take(keyBytes);
    const key = textOf(stream.subarray(keyAt, keyAt + keyBytes)) ?? refuse(start);
    const valueBytes = view.getUint32(take(VALUE_LENGTH_BYTES));
    if (valueBytes > SNAPSHOT_RECORD_BYTES_MAX) refuse(start);
    const valueAt = take(valueBytes);
    if (records.length === SNAPSHOT_LANE_RECORDS_MAX) refuse(start);
    const previous = records.at(-1);
    if (previous !== undefined && previous.key >= key) refuse(start);
    records.push({ key, value: stream.slice(valueAt, valueAt + valueBytes) });
  }
  return records;
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return fromUtf8(bytes);
  } catch {
    return null;
  }
}

function beyond(what: string, max: number): GridError {
  return new GridError("capacity_exceeded", `more ${what} than ${max}`, { what, max });
}
