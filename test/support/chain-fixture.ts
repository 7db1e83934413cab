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
import { copyLane, genesisLane, type Lane } from "../../services/chain/lane.ts";
import { COUNTER } from "../../services/chain/lane-columns.ts";
import { laneProof } from "../../services/chain/lane-proof.ts";
import { billProofAt, pendingSlotProof, policyProof } from "../../services/chain/proofs.ts";
import { growHistory } from "../../services/chain/receipts-history.ts";
import { slotRoot } from "../../services/chain/slot-root.ts";
import { rootedState } from "../../services/chain/state.ts";
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
  let timeS = startS as UnixSeconds;
  const rules = { genesis, genesisHash: genesisHash(genesis), firstSlot };
  const lanes = genesis.regions.map((_, r) => genesisLane(rules, r));
  const nonces = genesis.regions.map(({ members }) => genesisNonces(members.length));
  const rooted = () => rootedState({ height: blocks.length, timeS, lanes, nonces });
  let state = rooted();
  const paths = genesis.regions.map((): (readonly Uint8Array[])[] => []); // of slots' roots
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
      appHash: state.appHash,
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
      const lane = copyLane(lanes[record.regionIndex]!); // a committed lane never changes
      lanes[record.regionIndex] = lane;
      return growLane(lane, record);
    });
    if (slotRecords.length > 0) state = rooted();
    slotRecords.forEach(({ regionIndex }, i) => {
      const { receiptsLanesProof } = laneProof(state, regionIndex);
      paths[regionIndex]!.push([...grown[i]!, ...receiptsLanesProof]);
    });
    const { appHash } = state;
    const block = { height, timeS, appHash, results: [], slotRecords };
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
  /** The last header, where the last block left the state as that header says. */
  const signedHead = () => {
    const last = blocks.at(-1);
    if (last === undefined || !bytesEqual(last.header.appHash, state.appHash)) return null;
    return { header: last.header, signature: last.signature };
  };
  return {
    genesis,
    firstSlot,
    submitted,
    head: () => ({
      height: blocks.length,
      timeS,
      appHash: state.appHash,
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
      const anchor = anchorOf(regionIndex, slot);
      const record = records[regionIndex]![slot - firstSlot];
      return anchor && billProofAt(record!, anchor, leafIndex);
    },
    slotAnchor: async ({ regionIndex, slot }) => anchorOf(regionIndex, slot),
    policyProof: async (regionIndex) => {
      const signed = signedHead();
      return signed && policyProof(laneProof(state, regionIndex), signed);
    },
    pendingSlotProof: async ({ regionIndex, slot }) => {
      const signed = signedHead();
      const proof = laneProof(state, regionIndex);
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
      return commit(settleRegions({ genesis, slot, height, columns }), (slot + 1) * slotS);
    },
    commitEmpty: () => commit([], timeS),
  };
}

/** Puts a slot into its lane's history; returns the path of its root to the history's. */
function growLane({ columns }: Lane, record: SlotRecord): readonly Uint8Array[] {
  const { counters, historyFrontier: frontier } = columns;
  const length = Number(counters[COUNTER.cleared]);
  const { paths } = growHistory({ frontier, length, leaves: [slotRoot(record)] });
  counters[COUNTER.cleared]! += 1n;
  counters[COUNTER.reported]! += 1n;
  return paths[0]!;
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
