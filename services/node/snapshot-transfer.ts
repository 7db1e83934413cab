/**
 * Snapshots between nodes, as files: an export is a kept snapshot's directory, and beside it the
 * blocks that came after; an import begins a chain in an empty data directory with it. Everything
 * is verified on the way in, so it does not matter who carried the files.
 */
import {
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { StoredBlock } from "../chain/access.ts";
import { createApplication } from "../chain/application.ts";
import {
  decodeBody,
  decodeSignedHeader,
  encodeBody,
  encodeSignedHeader,
} from "../ordering/embedded/block.ts";
import {
  type BlockStore,
  inspectBlockStore,
  openBlockStore,
} from "../ordering/embedded/block-store.ts";
import {
  importBlocks,
  importSnapshot,
  type SnapshotAnchor,
} from "../ordering/embedded/import-snapshot.ts";
import { bytesEqual, concatBytes, toHex0x, uintBytes } from "../primitives/bytes.ts";
import { decode, encode } from "../primitives/codec.ts";
import { GridError } from "../primitives/errors.ts";
import { BLOCK_BYTES_MAX } from "../primitives/limits.ts";
import { storeFailure } from "../primitives/store-failure.ts";
import type { Genesis } from "../wire/genesis.ts";
import { headerHash } from "../wire/header.ts";
import {
  type KeptSnapshot,
  readAnchor,
  readChunk,
  readShelf,
  readSnapshot,
  SnapshotWriter,
  snapshotFault,
} from "./snapshot-files.ts";

/** The blocks after the snapshot, one after another: length (4 B), then the encoded block. */
const BLOCKS_FILE = "blocks";
/** Transactions at their limit, their heads, and the signed header. */
const BLOCK_RECORD_BYTES_MAX = BLOCK_BYTES_MAX + 1024 * 1024;
const LENGTH_BYTES = 4;

export type Exported = {
  readonly height: number;
  readonly appHash: string;
  readonly blocks: number | null; // after it; null where the node runs and its blocks are locked
};

/**
 * @param request.height - of a kept snapshot; null: the newest
 * @param request.target - a directory that is empty or not there
 * @throws GridError resource_unknown, snapshot_invalid, argument_invalid
 */
export async function exportSnapshot(request: {
  readonly dataDirectory: string;
  readonly height: number | null;
  readonly target: string;
}): Promise<Exported> {
  const { dataDirectory, target } = request;
  const kept = keptAt(dataDirectory, request.height);
  const { height } = kept.snapshot;
  const fault = snapshotFault(kept);
  if (fault !== null) {
    const message = `the snapshot of height ${height} is damaged (${fault}): export another one`;
    throw new GridError("snapshot_invalid", message, { height, what: fault });
  }
  try {
    mkdirSync(target, { recursive: true });
    if (readdirSync(target).length > 0) {
      const message = `${target} is not empty: name a directory for the snapshot alone`;
      throw new GridError("argument_invalid", message, { argument: "directory", value: target });
    }
    for (const name of readdirSync(kept.directory)) {
      copyFileSync(join(kept.directory, name), join(target, name));
    }
  } catch (failure) {
    throw storeFailure(failure, { directory: target, what: "the export" });
  }
  const appHash = toHex0x(readAnchor(kept).next.header.appHash);
  const blocks = await exportBlocks({ dataDirectory, from: height + 2, target });
  return { height, appHash, blocks };
}

function keptAt(dataDirectory: string, height: number | null): KeptSnapshot {
  const { kept } = readShelf(join(dataDirectory, "snapshots"));
  const found = height === null ? kept[0] : kept.find((one) => one.snapshot.height === height);
  if (found !== undefined) return found;
  const value = height === null ? "the newest" : String(height);
  const heights = kept.map(({ snapshot }) => snapshot.height).join(", ") || "none";
  const message = `no such snapshot (${value}): kept are ${heights}`;
  throw new GridError("resource_unknown", message, { what: "snapshot", value });
}

/** The anchor holds the first block after the snapshot; these are the ones after that. */
async function exportBlocks({
  dataDirectory,
  from,
  target,
}: {
  dataDirectory: string;
  from: number;
  target: string;
}): Promise<number | null> {
  let store: BlockStore;
  try {
    store = await inspectBlockStore({ directory: join(dataDirectory, "chain") });
  } catch (failure) {
    if (failure instanceof GridError && failure.code === "database_locked") return null;
    throw failure;
  }
  const file = join(target, BLOCKS_FILE);
  try {
    const descriptor = openSync(file, "wx");
    try {
      let blocks = 1; // the anchor's
      for (let height = from; height <= store.height; height++, blocks++) {
        const block = await store.block(height);
        if (block !== null) writeAll(descriptor, encodeBlock(block));
      }
      fsyncSync(descriptor);
      return blocks;
    } finally {
      closeSync(descriptor);
    }
  } catch (failure) {
    throw storeFailure(failure, { directory: target, what: "the export" });
  } finally {
    await store.close();
  }
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

function encodeBlock(block: StoredBlock): Uint8Array {
  const record = encode([encodeSignedHeader(block), encodeBody(block.transactions)]);
  return concatBytes([uintBytes(record.length, LENGTH_BYTES), record]);
}

/** @throws GridError bytes_malformed, file_unreadable */
async function* readBlocks(file: string): AsyncGenerator<StoredBlock> {
  const refuse = (what: string): never => {
    throw new GridError("bytes_malformed", `${file}: ${what}`, { what, offset: 0 });
  };
  let held: Uint8Array = new Uint8Array(0);
  for await (const piece of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    held = concatBytes([held, new Uint8Array(piece as Buffer)]);
    for (let length = lengthOf(held); length !== null; length = lengthOf(held)) {
      if (length > BLOCK_RECORD_BYTES_MAX) refuse("a block beyond its limit");
      if (held.length < LENGTH_BYTES + length) break;
      yield decodeBlock(held.subarray(LENGTH_BYTES, LENGTH_BYTES + length), refuse);
      held = held.slice(LENGTH_BYTES + length);
    }
  }
  if (held.length > 0) refuse("its last block is cut off");
}

function lengthOf(bytes: Uint8Array): number | null {
  if (bytes.length < LENGTH_BYTES) return null;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

function decodeBlock(record: Uint8Array, refuse: (what: string) => never): StoredBlock {
  const pair = decode(record);
  const [signed, body] = Array.isArray(pair) && pair.length === 2 ? pair : [null, null];
  if (!(signed instanceof Uint8Array) || !(body instanceof Uint8Array)) return refuse("no block");
  return { ...decodeSignedHeader(signed), transactions: decodeBody(body) };
}

export type Imported = {
  readonly snapshotHeight: number;
  readonly height: number;
  readonly appHash: string; // after `height`
};

/**
 * @param request.source - a snapshot's directory, kept or exported
 * @throws GridError snapshot_invalid, argument_invalid where the data directory holds a chain,
 *   genesis_mismatch, block_rejected, bytes_malformed
 */
export async function importSnapshotDirectory(request: {
  readonly source: string;
  readonly dataDirectory: string;
  readonly genesis: Genesis;
  readonly trustedAppHash: Uint8Array | null;
}): Promise<Imported> {
  const { source, dataDirectory, genesis, trustedAppHash } = request;
  const kept = readSource(source);
  const { snapshot } = kept;
  const anchor = readAnchor(kept);
  const store = await openBlockStore({ directory: join(dataDirectory, "chain") });
  const create = (stored: ReadonlyMap<string, Uint8Array>) =>
    createApplication({ genesis, stored });
  const opening = { genesis, store, createApplication: create };
  try {
    const chunkAt = (index: number) => readChunk(kept, index);
    if (!(await holdsChain(store, anchor))) {
      await importSnapshot({ ...opening, snapshot, anchor, chunkAt, trustedAppHash });
    }
    // On the shelf too, for the day on which this store is damaged.
    const writer = new SnapshotWriter(join(dataDirectory, "snapshots"), snapshot.height);
    for (let index = 0; index < snapshot.chunks; index++) writer.writeChunk(chunkAt(index)!);
    const { clearedSlots } = kept;
    await writer.finish({ snapshot, clearedSlots, regions: genesis.regions.length, anchor });
    await importBlocks({ ...opening, blocks: [anchor.next] });
    const file = join(source, BLOCKS_FILE);
    if (existsSync(file)) await importBlocks({ ...opening, blocks: readBlocks(file) });
    const { height, appHash } = store.state!;
    return { snapshotHeight: snapshot.height, height, appHash: toHex0x(appHash) };
  } finally {
    await store.close();
  }
}

/** Whether an earlier import of the same chain got past the snapshot: then only blocks are new. */
async function holdsChain(store: BlockStore, { signed }: SnapshotAnchor): Promise<boolean> {
  if (store.isImporting) return false;
  const own = await store.signedHeader(signed.header.height);
  return own !== null && bytesEqual(headerHash(own.header), headerHash(signed.header));
}

function readSource(source: string): KeptSnapshot {
  try {
    return readSnapshot(source);
  } catch (failure) {
    if (!(failure instanceof GridError) || failure.code !== "snapshot_invalid") throw failure;
    const message = `${source} holds no snapshot: ${failure.message}`;
    throw new GridError("snapshot_invalid", message, { height: 0, what: failure.message });
  }
}
