/**
 * A small chain in memory over a test village: real slot records, signed headers, proofs that hold.
 * For tests of whatever reads a chain. Equal options give equal records.
 */
import type {
  ChainReader,
  ChainWriter,
  CommittedBlock,
  SlotAnchor,
  StoredBlock,
} from "../../services/chain/access.ts";
import { genesisNonces } from "../../services/chain/admission.ts";
import { EMPTY_COMMITTEE } from "../../services/chain/committee-state.ts";
import { genesisLane } from "../../services/chain/lane.ts";
import { type LaneProof, laneProof } from "../../services/chain/lane-proof.ts";
import { HISTORY_DEPTH } from "../../services/chain/light-client/paths.ts";
import type { EntryRecord } from "../../services/chain/payment-entries.ts";
import { billProofAt, pendingSlotProof, policyProof } from "../../services/chain/proofs.ts";
import { growHistory, historyTree } from "../../services/chain/receipts-history.ts";
import { slotRoot } from "../../services/chain/slot-root.ts";
import { type ChainState, rootedState, stateTree } from "../../services/chain/state.ts";
import { signEd25519 } from "../../services/crypto/ed25519.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { bytesEqual, utf8 } from "../../services/primitives/bytes.ts";
import type { MicroCents, Slot, UnixSeconds } from "../../services/primitives/units.ts";
import { type Genesis, genesisHash } from "../../services/wire/genesis.ts";
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
  /** What `entryRecords` reads, rising by height. */
  readonly entries: EntryRecord[];
  /** Commits one block that clears the next slot of every region. */
  clearSlot(change?: (columns: Columns, regionIndex: number) => void): CommittedBlock;
  /** From now on the region clears nothing, as if its lane were quarantined. */
  quarantine(regionIndex: number): void;
  /** Commits a block in which the region clears what it missed, and takes part again. */
  catchUp(regionIndex: number): CommittedBlock;
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
  const entries: EntryRecord[] = [];
  let timeS = startS as UnixSeconds;
  const missed = new Map<number, SlotRecord[]>(); // of regions that are out
  const clearedSlots = () => Math.max(...records.map((own) => own.length));
  const lastOf = (slots: number) => (slots === 0 ? null : ((firstSlot + slots - 1) as Slot));
  // The lanes' state stays that of genesis; their histories grow with the slots.
  const atGenesis = stateOfGenesis(genesis, firstSlot);
  const histories = genesis.regions.map(() => new Uint8Array(32 * HISTORY_DEPTH));
  const laneRoots = [...atGenesis.laneRoots];
  let tree = stateTree(atGenesis);
  const paths = genesis.regions.map((): (readonly Uint8Array[])[] => []); // of slots' roots

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
      appHash: tree.appHash,
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
    const grown = slotRecords.map((record) => {
      const { regionIndex: r, slot } = record;
      const [frontier, length] = [histories[r]!, slot - firstSlot];
      const growth = growHistory({ frontier, length, leaves: [slotRoot(record)] });
      laneRoots[r] = { ...laneRoots[r]!, receipts: growth.root };
      return growth.paths[0]!;
    });
    if (slotRecords.length > 0) tree = stateTree({ ...atGenesis, laneRoots });
    slotRecords.forEach(({ regionIndex }, i) => {
      paths[regionIndex]!.push([...grown[i]!, ...tree.proof(regionIndex, "receipts")]);
    });
    const { appHash } = tree;
    const block = { height, timeS, appHash, results: [], slotRecords, laneFailures: [] };
    for (const listener of listeners) listener(block);
    return block;
  };
  const anchorOf = (regionIndex: number, slot: Slot): SlotAnchor | null => {
    const slotIndex = slot - firstSlot;
    const record = records[regionIndex]![slotIndex];
    const next = blocks[record?.height ?? -1];
    if (record === undefined || next === undefined) return null;
    const lanesProof = paths[regionIndex]![slotIndex]!;
    return { regionIndex, slotIndex, lanesProof, header: next.header, signature: next.signature };
  };
  const proofOfLane = (regionIndex: number): LaneProof => ({
    ...laneProof(atGenesis, regionIndex),
    appHash: tree.appHash,
    stateLanesProof: tree.proof(regionIndex, "state"),
    clearedSlots: clearedSlots(),
    historyRoot: historyTree(histories[regionIndex]!, clearedSlots()),
    receiptsLanesProof: tree.proof(regionIndex, "receipts"),
  });
  /** The last header, where the last block left the state as that header says. */
  const signedHead = () => {
    const last = blocks.at(-1);
    if (last === undefined || !bytesEqual(last.header.appHash, tree.appHash)) return null;
    return { header: last.header, signature: last.signature };
  };
  return {
    genesis,
    firstSlot,
    submitted,
    entries,
    head: () => ({
      height: blocks.length,
      timeS,
      appHash: tree.appHash,
      clearedSlots: clearedSlots(),
      lastClearedSlot: lastOf(clearedSlots()),
      lastCompleteSlot: lastOf(Math.min(...records.map((own) => own.length))),
      lanesOut: [...missed.keys()].map((regionIndex) => ({
        ...{ regionIndex, standing: "quarantined" as const, step: "open" as const },
        sinceSlot: (firstSlot + records[regionIndex]!.length) as Slot,
        clearedSlots: records[regionIndex]!.length,
      })),
      chainVersion: 1,
      committee: { nextSequence: 1, upgrades: [] },
    }),
    lane: (regionIndex) => laneView(genesis, regionIndex, balances[regionIndex]!),
    nonce: (address) => address[0]!,
    slotRecord: async (regionIndex, slot) => records[regionIndex]![slot - firstSlot] ?? null,
    slotRecords: async ({ regionIndex, fromSlot, toSlot, limit }) =>
      records[regionIndex]!.filter(({ slot }) => slot >= fromSlot && slot <= toSlot)
        .reverse()
        .slice(0, limit),
    entryRecords: async ({ regionIndex, beforeHeight, limit }) =>
      entries
        .filter((record) => record.regionIndex === regionIndex && record.height < beforeHeight)
        .reverse()
        .slice(0, limit),
    block: async (height) => blocks[height - 1] ?? null,
    billProof: async ({ regionIndex, slot, leafIndex }) => {
      const anchor = anchorOf(regionIndex, slot);
      const record = records[regionIndex]![slot - firstSlot];
      return anchor && billProofAt(record!, anchor, leafIndex);
    },
    slotAnchor: async ({ regionIndex, slot }) => anchorOf(regionIndex, slot),
    policyProof: async (regionIndex) => {
      const signed = signedHead();
      return signed && policyProof(proofOfLane(regionIndex), signed);
    },
    pendingSlotProof: async ({ regionIndex, slot }) => {
      const signed = signedHead();
      const proof = proofOfLane(regionIndex);
      return signed && pendingSlotProof(proof, signed, slot - firstSlot);
    },
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
      const settled = settleRegions({ genesis, slot, height, columns });
      for (const record of settled) missed.get(record.regionIndex)?.push(record);
      const present = settled.filter(({ regionIndex }) => !missed.has(regionIndex));
      return commit(present, (slot + 1) * slotS);
    },
    quarantine: (regionIndex) => {
      missed.set(regionIndex, []);
    },
    catchUp: (regionIndex) => {
      const height = blocks.length + 1;
      const own = missed.get(regionIndex)!.map((record) => ({ ...record, height }));
      missed.delete(regionIndex);
      return commit(own, timeS);
    },
    commitEmpty: () => commit([], timeS),
  };
}

function stateOfGenesis(genesis: Genesis, firstSlot: Slot): ChainState {
  const rules = { genesis, genesisHash: genesisHash(genesis), firstSlot };
  return rootedState({
    height: 0,
    timeS: genesis.genesisTimeS as UnixSeconds,
    lanes: genesis.regions.map((_, r) => genesisLane(rules, r)),
    nonces: genesis.regions.map(({ members }) => genesisNonces(members.length)),
    committee: EMPTY_COMMITTEE,
  });
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
    clearedSlots: 0,
    quarantine: null,
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
