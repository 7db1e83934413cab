/**
 * A lane's state root, byte for byte the SSZ hash_tree_root of
 *
 *   LaneState = Container {
 *     reportedSlots:          uint64                 slots since genesis whose report is on chain
 *     clearedSlots:           uint64                 slots since genesis that have cleared
 *     pendingReports:         List[Bytes32, 512]     SHA-256 of reports not cleared yet, by slot
 *     memberUc:               List[uint64, 2^16]     balances, two's complement
 *     institutionUc:          Vector[uint64, 4]      retailer, neighbours, grid operator, treasury
 *     minSellUcPerWh:         List[uint32, 2^16]     two's complement, as all prices
 *     maxBuyUcPerWh:          List[uint32, 2^16]
 *     pendingFromSlot:        List[uint64, 2^16]     0: no change is pending
 *     pendingMinSellUcPerWh:  List[uint32, 2^16]
 *     pendingMaxBuyUcPerWh:   List[uint32, 2^16]
 *     settledImportWh:        List[uint64, 2^16]     cumulative, by meter
 *     settledExportWh:        List[uint64, 2^16]
 *     forward:                ForwardState           `forward-state.ts`
 *   }
 *
 * SSZ packs a list of numbers as its bytes lie in memory, so each list is hashed in place.
 * @chainsafe/ssz is the oracle of the tests. Neither a height nor a time of the chain is hashed.
 */
import { merkleRoot, mixInLength } from "../crypto/merkle.ts";
import { concatBytes } from "../primitives/bytes.ts";
import { MEMBERS_PER_REGION_MAX, METERS_PER_REGION_MAX } from "../primitives/limits.ts";
import type { Lane } from "./lane.ts";
import { chunksOf } from "./lane-columns.ts";

/** [fork] Reports of one region that wait for other regions': five days of quarter hours. */
export const PENDING_REPORTS_PER_LANE_MAX = 512;

const CHUNK_BYTES = 32;
const FIELDS = 13;

/** What of a lane its root is made from. */
export type LaneStateParts = {
  readonly columns: Lane["columns"];
  readonly pending: readonly Pick<Lane["pending"][number], "hash">[];
  readonly forward: Pick<Lane["forward"], "root">;
};

export function laneStateRoot(lane: LaneStateParts): Uint8Array {
  const { columns } = lane;
  const counters = new Uint8Array(2 * CHUNK_BYTES);
  const view = new DataView(counters.buffer);
  view.setBigUint64(0, columns.counters[0]!, true);
  view.setBigUint64(CHUNK_BYTES, columns.counters[1]!, true);
  const members = MEMBERS_PER_REGION_MAX;
  const meters = METERS_PER_REGION_MAX;
  const chunks = concatBytes([
    counters,
    mixInLength(
      merkleRoot(concatBytes(lane.pending.map((p) => p.hash)), PENDING_REPORTS_PER_LANE_MAX),
      lane.pending.length,
    ),
    listRoot(columns.memberUc, members),
    merkleRoot(chunksOf(columns.institutionUc), 1),
    listRoot(columns.minSellUcPerWh, members),
    listRoot(columns.maxBuyUcPerWh, members),
    listRoot(columns.pendingFromSlot, members),
    listRoot(columns.pendingMinSellUcPerWh, members),
    listRoot(columns.pendingMaxBuyUcPerWh, members),
    listRoot(columns.settledImportWh, meters),
    listRoot(columns.settledExportWh, meters),
    lane.forward.root,
  ]);
  return merkleRoot(chunks, FIELDS);
}

type NumberColumn = BigInt64Array | BigUint64Array | Int32Array;

/** hash_tree_root of List[uintN, limit]. The column must be padded to whole chunks. */
export function listRoot(column: NumberColumn, limit: number): Uint8Array {
  const perChunk = Math.floor(CHUNK_BYTES / column.BYTES_PER_ELEMENT);
  const root = merkleRoot(chunksOf(column), Math.ceil(limit / perChunk));
  return mixInLength(root, column.length);
}
