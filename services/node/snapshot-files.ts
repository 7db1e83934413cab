/**
 * A snapshot as a directory, named by its height:
 *
 *   metadata       what others are offered, and how many slots had cleared
 *   chunk-00000    the chunks, as they are handed to others
 *   anchor         the signed header of the height, and the block after it: its header carries the
 *                  app hash, so the directory alone proves what it holds
 *
 * Written under a temporary name, synced and renamed, so that a directory with a number for a name
 * was once whole; read as if it were not: every file is sealed, or named by its hash.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ChunkPlace, Snapshot } from "../chain/abci.ts";
import type { StoredBlock } from "../chain/access.ts";
import { decodeMetadata } from "../chain/snapshot.ts";
import { sha256 } from "../crypto/hash.ts";
import {
  decodeBody,
  decodeSignedHeader,
  encodeBody,
  encodeSignedHeader,
} from "../ordering/embedded/block.ts";
import type { SnapshotAnchor } from "../ordering/embedded/import-snapshot.ts";
import { bytesEqual, concatBytes } from "../primitives/bytes.ts";
import { type CodecValue, decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import { storeFailure } from "../primitives/store-failure.ts";

const METADATA = "metadata";
const ANCHOR = "anchor";
const SEAL_BYTES = 32;
const PARTIAL = ".partial";

/** A snapshot that is on the disk. */
export type KeptSnapshot = {
  readonly directory: string;
  readonly snapshot: Snapshot;
  readonly clearedSlots: number; // since genesis, at its height
  readonly timeS: number; // of the block of its height
  readonly chunkHashes: readonly Uint8Array[];
};

/** What is no snapshot, and why: left where it is, and never used. */
export type IgnoredSnapshot = { readonly directory: string; readonly why: string };

export type SnapshotShelf = {
  readonly kept: readonly KeptSnapshot[]; // newest first
  readonly ignored: readonly IgnoredSnapshot[];
};

/** All snapshots under a directory; one that does not exist holds none. */
export function readShelf(directory: string): SnapshotShelf {
  const kept: KeptSnapshot[] = [];
  const ignored: IgnoredSnapshot[] = [];
  for (const name of namesIn(directory)) {
    const place = join(directory, name);
    try {
      if (!/^[1-9]\d{0,15}$/.test(name)) throw invalid(0, partialOrStray(name));
      const found = readSnapshot(place);
      if (String(found.snapshot.height) !== name)
        throw invalid(Number(name), "is of another height");
      kept.push(found);
    } catch (failure) {
      if (!(failure instanceof GridError)) throw failure;
      ignored.push({ directory: place, why: failure.message });
    }
  }
  kept.sort((a, b) => b.snapshot.height - a.snapshot.height);
  return { kept, ignored };
}

/** What a run that was cut left behind is named once, and goes. */
export function removePartial(ignored: readonly IgnoredSnapshot[]): void {
  for (const { directory } of ignored) {
    if (directory.endsWith(PARTIAL)) rmSync(directory, { recursive: true, force: true });
  }
}

function partialOrStray(name: string): string {
  return name.endsWith(PARTIAL) ? "was not finished" : "is no snapshot's name";
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw storeFailure(failure, { directory, what: "the snapshots" });
  }
}

/**
 * Its metadata, and that every chunk has a file. The bytes of a chunk are verified when it is read.
 *
 * @throws GridError snapshot_invalid saying what is wrong with it
 */
export function readSnapshot(directory: string): KeptSnapshot {
  const fields = readSealed(directory, METADATA);
  const [height, format, clearedSlots, timeS, metadata, regions] = fields;
  const isWhole = (value: CodecValue | undefined): value is number => typeof value === "number";
  const areNumbers = isWhole(height) && isWhole(format) && isWhole(clearedSlots) && isWhole(timeS);
  if (!areNumbers || !(metadata instanceof Uint8Array) || !isWhole(regions)) {
    throw invalid(0, `${METADATA} is of no known form`);
  }
  const hash = sha256(metadata);
  const chunkHashes = hashesIn(metadata, regions);
  const chunks = chunkHashes.length;
  const snapshot = { height, format, chunks, hash, metadata };
  const names = new Set(namesIn(directory));
  for (let index = 0; index < chunks; index++) {
    if (!names.has(chunkName(index))) throw invalid(height, `${chunkName(index)} is missing`);
  }
  if (!names.has(ANCHOR)) throw invalid(height, `${ANCHOR} is missing`);
  return { directory, snapshot, clearedSlots, timeS, chunkHashes };
}

function hashesIn(metadata: Uint8Array, regions: number): readonly Uint8Array[] {
  try {
    return decodeMetadata(metadata, regions).chunkHashes;
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    throw invalid(0, failure.message);
  }
}

/** The bytes of a chunk, or null where they are not the ones that the metadata names. */
export function readChunk(kept: KeptSnapshot, index: number): Uint8Array | null {
  const hash = kept.chunkHashes[index];
  if (hash === undefined) return null;
  try {
    const bytes = new Uint8Array(readFileSync(join(kept.directory, chunkName(index))));
    return bytesEqual(sha256(bytes), hash) ? bytes : null;
  } catch {
    return null; // whatever keeps it from being read: it is not there
  }
}

export function chunkOf(kept: readonly KeptSnapshot[], place: ChunkPlace): Uint8Array | null {
  const one = kept.find(({ snapshot }) => {
    return snapshot.height === place.height && snapshot.format === place.format;
  });
  return one === undefined ? null : readChunk(one, place.index);
}

/** Reads every chunk: what is wrong with the snapshot, or null. */
export function snapshotFault(kept: KeptSnapshot): string | null {
  const index = kept.chunkHashes.findIndex((_, i) => readChunk(kept, i) === null);
  if (index >= 0) return `${chunkName(index)} is damaged`;
  try {
    readAnchor(kept);
    return null;
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return failure.message;
  }
}

/** @throws GridError snapshot_invalid */
export function readAnchor({ directory, snapshot }: KeptSnapshot): SnapshotAnchor {
  const [signed, next, body] = readSealed(directory, ANCHOR);
  try {
    return {
      signed: decodeSignedHeader(signed as Uint8Array),
      next: {
        ...decodeSignedHeader(next as Uint8Array),
        transactions: decodeBody(body as Uint8Array),
      },
    };
  } catch {
    throw invalid(snapshot.height, `${ANCHOR} is of no known form`);
  }
}

/** Writes one snapshot; nothing stands under its name before `finish`. */
export class SnapshotWriter {
  readonly #directory: string;
  readonly #partial: string;
  #chunks = 0;

  /** @throws GridError disk_full, permission_denied */
  constructor(shelf: string, height: number) {
    this.#directory = join(shelf, String(height));
    this.#partial = join(shelf, `${height}${PARTIAL}`);
    this.#guarded(() => {
      rmSync(this.#partial, { recursive: true, force: true }); // of a run that was cut
      mkdirSync(this.#partial, { recursive: true });
    });
  }

  writeChunk(bytes: Uint8Array): void {
    this.#write(chunkName(this.#chunks++), bytes);
  }

  /** Makes it whole, under its name. */
  async finish(parts: {
    readonly snapshot: Snapshot;
    readonly clearedSlots: number;
    readonly regions: number;
    readonly anchor: SnapshotAnchor;
  }): Promise<KeptSnapshot> {
    const { snapshot, clearedSlots, regions, anchor } = parts;
    const { height, format, metadata } = snapshot;
    const { timeS } = anchor.signed.header;
    const fields = [height, format, clearedSlots, timeS, metadata, regions];
    this.#write(METADATA, sealed(fields));
    this.#write(ANCHOR, sealed(anchorFields(anchor.signed, anchor.next)));
    this.#guarded(() => {
      syncDirectory(this.#partial);
      // One of this height that will not do may stand in the way.
      rmSync(this.#directory, { recursive: true, force: true });
    });
    await rename(this.#partial, this.#directory).catch((failure: unknown) => {
      throw storeFailure(failure, { directory: this.#directory, what: "the snapshots" });
    });
    this.#guarded(() => syncDirectory(join(this.#directory, "..")));
    return readSnapshot(this.#directory);
  }

  async discard(): Promise<void> {
    await rm(this.#partial, { recursive: true, force: true });
  }

  #write(name: string, bytes: Uint8Array): void {
    this.#guarded(() => {
      const descriptor = openSync(join(this.#partial, name), "w");
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (failure) {
      throw storeFailure(failure, { directory: this.#directory, what: "the snapshots" });
    }
  }
}

function anchorFields(signed: SnapshotAnchor["signed"], next: StoredBlock): CodecValue[] {
  return [encodeSignedHeader(signed), encodeSignedHeader(next), encodeBody(next.transactions)];
}

function chunkName(index: number): string {
  return `chunk-${String(index).padStart(5, "0")}`;
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function sealed(value: CodecValue): Uint8Array {
  const payload = encode(value);
  return concatBytes([sha256(payload), payload]);
}

function readSealed(directory: string, name: string): readonly CodecValue[] {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(join(directory, name)));
  } catch {
    throw invalid(0, `${name} cannot be read`);
  }
  const payload = bytes.subarray(SEAL_BYTES);
  if (!bytesEqual(sha256(payload), bytes.subarray(0, SEAL_BYTES))) {
    throw invalid(0, `${name} fails its checksum`);
  }
  const fields = decode(payload);
  if (!Array.isArray(fields)) throw invalid(0, `${name} is of no known form`);
  return fields;
}

function invalid(height: number, what: string): GridError {
  return new GridError("snapshot_invalid", what, { height, what });
}
