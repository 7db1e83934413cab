/**
 * A small chain in memory over a test village: real slot records, signed headers, proofs that hold.
 * For tests of whatever reads a chain. Equal options give equal records.
 */
import type {
  ChainReader,
  ChainWriter,
  CommittedBlock,
  StoredBlock,
} from "../../services/chain/access.ts";
import { receiptsProofOf } from "../../services/chain/receipts.ts";
import { signEd25519 } from "../../services/crypto/ed25519.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { merkleProof, merkleRoot } from "../../services/crypto/merkle.ts";
import { concatBytes, utf8 } from "../../services/primitives/bytes.ts";
import type { MicroCents, Slot, UnixSeconds } from "../../services/primitives/units.ts";
import type { Genesis } from "../../services/wire/genesis.ts";
import { type Header, headerSignedBytes } from "../../services/wire/header.ts";
import type { SlotRecord } from "../../services/wire/slot-record.ts";
import {
  type Columns,
  type FixtureRegion,
  fixtureGenesis,
  limitColumns,
  meterSlot,
  settleRegions,
  VILLAGE,
  VILLAGE_START_S,
} from "./village.ts";

export type ChainFixture = ChainReader & {
  readonly genesis: Genesis;
  readonly firstSlot: Slot;
  readonly writer: ChainWriter;
  readonly submitted: Uint8Array[];
  /** Commits one block that clears the next slot of every region. */
  clearSlot(change?: (columns: Columns, regionIndex: number) => void): CommittedBlock;
  /** Commits a block in which no slot was due. */
  commitEmpty(): CommittedBlock;
};

export function createChainFixture({
  regions = VILLAGE,
  startS = VILLAGE_START_S,
  slotS = 900,
}: {
  regions?: readonly FixtureRegion[];
  startS?: number;
  slotS?: number;
} = {}): ChainFixture {
  const sequencerSecret = sha256(utf8("fixture/sequencer"));
  const genesis = fixtureGenesis({ regions, startS, slotS, sequencerSecret });
  const firstSlot = Math.floor(startS / slotS) as Slot;
  const records = genesis.regions.map((): SlotRecord[] => []);
  const balances = genesis.regions.map(({ members }) => members.map(() => 0n as MicroCents));
  const blocks: StoredBlock[] = [];
  const listeners = new Set<(block: CommittedBlock) => void>();
  const submitted: Uint8Array[] = [];
  let appHash: Uint8Array = new Uint8Array(32);
  let timeS = startS as UnixSeconds;
  const clearedSlots = () => records[0]!.length;

  const commit = (slotRecords: SlotRecord[], blockTimeS: number): CommittedBlock => {
    const height = blocks.length + 1;
    timeS = blockTimeS as UnixSeconds;
    const header: Header = {
      chainVersion: 1,
      networkId: genesis.networkId,
      height,
      timeS,
      parentHash: new Uint8Array(32),
      transactionsRoot: new Uint8Array(32),
      appHash,
    };
    const message = headerSignedBytes(header);
    const signature = signEd25519({ message, secretKey: sequencerSecret });
    blocks.push({ header, signature, transactions: [] });
    for (const record of slotRecords) {
      records[record.regionIndex]!.push(record);
      for (const { memberIndex, amountUc } of record.bills) {
        const own = balances[record.regionIndex]!;
        own[memberIndex] = (own[memberIndex]! + amountUc) as MicroCents;
      }
    }
    if (slotRecords.length > 0) appHash = merkleRoot(receiptsRoots(slotRecords), 16);
    const block = { height, timeS, appHash, results: [], slotRecords };
    for (const listener of listeners) listener(block);
    return block;
  };
  return {
    genesis,
    firstSlot,
    submitted,
    head: () => ({
      height: blocks.length,
      timeS,
      appHash,
      clearedSlots: clearedSlots(),
      lastClearedSlot: clearedSlots() === 0 ? null : ((firstSlot + clearedSlots() - 1) as Slot),
    }),
    lane: (regionIndex) => laneView(genesis, regionIndex, balances[regionIndex]!),
    nonce: (address) => address[0]!,
    slotRecord: async (regionIndex, slot) => records[regionIndex]![slot - firstSlot] ?? null,
    slotRecords: async ({ regionIndex, fromSlot, toSlot, limit }) =>
      records[regionIndex]!.filter(({ slot }) => slot >= fromSlot && slot <= toSlot)
        .reverse()
        .slice(0, limit),
    block: async (height) => blocks[height - 1] ?? null,
    billProof: async ({ regionIndex, slot, leafIndex }) => {
      const record = records[regionIndex]![slot - firstSlot];
      const next = blocks[record?.height ?? -1];
      if (record === undefined || next === undefined) return null;
      const sameBlock = records.map((list) => list.find(({ height }) => height === record.height)!);
      return {
        regionIndex,
        leafIndex,
        receiptsProof: receiptsProofOf(record.bills, leafIndex),
        lanesProof: merkleProof({
          chunks: receiptsRoots(sameBlock),
          index: regionIndex,
          limit: 16,
        }),
        header: next.header,
        signature: next.signature,
      };
    },
    // The chain in memory proves bills only: it has no lanes' state.
    slotAnchor: async () => null,
    policyProof: async () => null,
    pendingSlotProof: async () => null,
    onBlock: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    writer: {
      submit: async (transaction) => {
        submitted.push(transaction);
        return { code: 0, info: "", hash: sha256(transaction), height: blocks.length + 1 };
      },
    },
    clearSlot: (change) => {
      const slot = (firstSlot + clearedSlots()) as Slot;
      const columns = genesis.regions.map((_, r) => {
        const metered = meterSlot({ homes: regions[r]!.homes, genesis, regionIndex: r, slot });
        change?.(metered, r);
        return metered;
      });
      const height = blocks.length + 1;
      return commit(settleRegions({ genesis, slot, height, columns }), (slot + 1) * slotS);
    },
    commitEmpty: () => commit([], timeS),
  };
}

function receiptsRoots(records: readonly SlotRecord[]): Uint8Array {
  return concatBytes(records.map((record) => record.receiptsRoot));
}

function laneView(
  genesis: Genesis,
  regionIndex: number,
  memberBalanceUc: readonly MicroCents[],
): ReturnType<ChainReader["lane"]> {
  const { members, meters } = genesis.regions[regionIndex]!;
  const columns = limitColumns(genesis, regionIndex);
  return {
    reportedSlot: null,
    limits: members.map((_, m) => ({
      minSellUcPerWh: columns.minSellUcPerWh[m]!,
      maxBuyUcPerWh: columns.maxBuyUcPerWh[m]!,
    })),
    pendingLimits: members.map(() => null),
    memberBalanceUc: [...memberBalanceUc],
    retailerBalanceUc: 0n as MicroCents,
    neighboursBalanceUc: 0n as MicroCents,
    gridOperatorBalanceUc: 0n as MicroCents,
    treasuryBalanceUc: 0n as MicroCents,
    settledImportWh: new Float64Array(meters.length),
    settledExportWh: new Float64Array(meters.length),
    forwardOrders: [],
    forwardPositions: [],
  };
}
