/**
 * A state out of a snapshot that comes in pieces from whoever has them. Trusted is the app hash
 * alone. The metadata's roots must give it, so they are true; a chunk must be the one whose hash
 * the metadata names, else its sender is at fault; a region's records must give the region's roots,
 * and must be the very bytes that this state encodes to, else the snapshot itself is.
 *
 * Safe for any bytes: sizes are known before anything is read, each decoder refuses what has a
 * second form, and no more is held than the regions verified and the parts of one unfinished one.
 */
import { sha256 } from "../crypto/hash.ts";
import { bytesEqual, concatBytes, toHex } from "../primitives/bytes.ts";
import { assert, GridError } from "../primitives/errors.ts";
import type { ChunkResult, ChunkVerdict, OfferResult, Snapshot, StoreChange } from "./abci.ts";
import { clearedSlots } from "./lane.ts";
import { laneStateRoot } from "./lane-root.ts";
import { growHistory } from "./receipts-history.ts";
import type { Rules } from "./rules.ts";
import {
  appHashOf,
  type ChunkPart,
  chunkLayout,
  decodeMetadata,
  decodeStream,
  type RegionRoots,
  SNAPSHOT_FORMAT,
  type SnapshotMetadata,
} from "./snapshot.ts";
import type { ChainState } from "./state.ts";
import { HEAD_KEY } from "./store-keys.ts";
import {
  decodeHead,
  globalRecords,
  loadRegion,
  type RegionState,
  regionRecords,
  type StateRecord,
} from "./stored-state.ts";

export type Offered = {
  readonly result: OfferResult;
  readonly reason: string;
  readonly restore: SnapshotRestore | null; // null unless accepted
};

/** @param appHash - after `snapshot.height`, verified by whoever calls */
export function openRestore(
  rules: Rules,
  { snapshot, appHash }: { readonly snapshot: Snapshot; readonly appHash: Uint8Array },
): Offered {
  const refused = (result: OfferResult, reason: string) => ({ result, reason, restore: null });
  if (snapshot.format !== SNAPSHOT_FORMAT) {
    return refused("reject_format", `format ${snapshot.format}, known is ${SNAPSHOT_FORMAT}`);
  }
  if (!bytesEqual(sha256(snapshot.metadata), snapshot.hash)) {
    return refused("reject_sender", "the hash is not that of the metadata");
  }
  try {
    const metadata = decodeMetadata(snapshot.metadata, rules.genesis.regions.length);
    if (metadata.chunkHashes.length !== snapshot.chunks) {
      const told = metadata.chunkHashes.length;
      return refused("reject", `${snapshot.chunks} chunks, the metadata tells ${told}`);
    }
    const [head, ...others] = metadata.globals;
    if (head?.key !== HEAD_KEY || others.length > 0) return refused("reject", "no head");
    const { height, timeS, appHash: claimed } = decodeHead(rules, head.value);
    if (height !== snapshot.height || height < 1) return refused("reject", `head of ${height}`);
    if (timeS < rules.genesis.genesisTimeS) return refused("reject", `time ${timeS}`);
    const given = appHashOf(metadata.roots);
    if (!bytesEqual(given, appHash) || !bytesEqual(claimed, appHash)) {
      const [found, trusted] = [toHex(given).slice(0, 16), toHex(appHash).slice(0, 16)];
      return refused("reject", `its roots give ${found}, trusted is ${trusted}`);
    }
    const restore = new SnapshotRestore(rules, metadata, { height, timeS, appHash });
    return { result: "accept", reason: "", restore };
  } catch (failure) {
    if (!(failure instanceof GridError)) throw failure;
    return refused("reject", failure.message);
  }
}

type Applied = ChunkVerdict & {
  /** The whole state, with the last chunk. */
  readonly state: ChainState | null;
};

export class SnapshotRestore {
  readonly #rules: Rules;
  readonly #metadata: SnapshotMetadata;
  readonly #head: Pick<ChainState, "height" | "timeS" | "appHash">;
  readonly #layout: readonly (readonly ChunkPart[])[];
  readonly #applied: boolean[];
  readonly #regions: (RegionState | undefined)[];
  /** Streams of regions too long for one chunk, until they are whole. */
  readonly #partial = new Map<number, (Uint8Array | undefined)[]>();

  /** @param metadata - whose roots give the trusted app hash */
  constructor(
    rules: Rules,
    metadata: SnapshotMetadata,
    head: Pick<ChainState, "height" | "timeS" | "appHash">,
  ) {
    this.#rules = rules;
    this.#metadata = metadata;
    this.#head = head;
    this.#layout = chunkLayout(metadata.streamBytes);
    this.#applied = this.#layout.map(() => false);
    this.#regions = metadata.roots.map(() => undefined);
  }

  apply({ index, chunk, sender }: { index: number; chunk: Uint8Array; sender: string }): Applied {
    const parts = this.#layout[index];
    if (parts === undefined) return refusal("abort", `there is no chunk ${index}`);
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    const hash = this.#metadata.chunkHashes[index]!;
    if (chunk.length !== bytes || !bytesEqual(sha256(chunk), hash)) {
      const refetch = { refetchChunks: [index], rejectSenders: sender === "" ? [] : [sender] };
      return { ...refusal("retry", `chunk ${index} is not the one of the snapshot`), ...refetch };
    }
    if (this.#applied[index]) return accepted([], null); // once more: it is known already
    const changes: StoreChange[] = [];
    let at = 0;
    for (const part of parts) {
      const stream = this.#streamOf(part, chunk.subarray(at, at + part.bytes));
      at += part.bytes;
      if (stream === null) continue;
      const records = this.#region(part.regionIndex, stream);
      if (typeof records === "string") {
        const where = `region ${part.regionIndex} in chunk ${index}`;
        return refusal("reject_snapshot", `${where}: ${records}`);
      }
      changes.push(...records);
    }
    this.#applied[index] = true;
    if (!this.#applied.every(Boolean)) return accepted(changes, null);
    const state = this.#state();
    return accepted([...changes, ...globalRecords(this.#rules, state)], state);
  }

  /** A region's whole stream, or null while parts of it are to come. */
  #streamOf({ regionIndex, from, bytes }: ChunkPart, slice: Uint8Array): Uint8Array | null {
    if (bytes === this.#metadata.streamBytes[regionIndex]) return slice;
    const places = this.#layout.filter(([part]) => part?.regionIndex === regionIndex);
    const held = this.#partial.get(regionIndex) ?? places.map(() => undefined);
    held[places.findIndex(([part]) => part?.from === from)] = slice.slice();
    this.#partial.set(regionIndex, held);
    const whole = held.filter((part) => part !== undefined);
    if (whole.length < held.length) return null;
    this.#partial.delete(regionIndex);
    return concatBytes(whole);
  }

  /** The verified records of a region, or what is wrong with them. */
  #region(regionIndex: number, stream: Uint8Array): readonly StateRecord[] | string {
    try {
      const records = decodeStream(stream);
      const stored = new Map(records.map(({ key, value }) => [key, value]));
      const region = loadRegion(this.#rules, stored, regionIndex);
      const found = rootFault(region, this.#metadata.roots[regionIndex]!);
      if (found !== null) return `its records do not give the ${found} root`;
      // What no root covers must still be as every other node has it.
      const canonical = regionRecords(regionIndex, region);
      const isSame = canonical.every(({ key, value }, i) => {
        const other = records[i];
        return other?.key === key && bytesEqual(other.value, value);
      });
      if (!isSame || canonical.length !== records.length) return "its records are not the state's";
      this.#regions[regionIndex] = region;
      return canonical;
    } catch (failure) {
      if (!(failure instanceof GridError)) throw failure;
      return failure.message;
    }
  }

  #state(): ChainState {
    const regions = this.#regions.map((region) => {
      assert(region !== undefined, "all chunks hold all regions");
      return region;
    });
    return {
      ...this.#head,
      lanes: regions.map(({ lane }) => lane),
      laneRoots: this.#metadata.roots.map(({ nonces: _, ...roots }) => roots),
      nonces: regions.map(({ nonces }) => nonces),
    };
  }
}

/** Which of a region's roots its records do not give, or null. */
function rootFault({ lane, nonces }: RegionState, roots: RegionRoots): string | null {
  const receipts = growHistory({
    frontier: lane.columns.historyFrontier,
    length: clearedSlots(lane),
    leaves: [],
  }).root;
  if (!bytesEqual(laneStateRoot(lane), roots.state)) return "state";
  if (!bytesEqual(receipts, roots.receipts)) return "receipts";
  return bytesEqual(nonces.root, roots.nonces) ? null : "nonces";
}

function accepted(changes: readonly StoreChange[], state: ChainState | null): Applied {
  const result = "accept";
  return { result, reason: "", refetchChunks: [], rejectSenders: [], changes, state };
}

function refusal(result: ChunkResult, reason: string): Applied {
  return { result, reason, refetchChunks: [], rejectSenders: [], changes: [], state: null };
}
