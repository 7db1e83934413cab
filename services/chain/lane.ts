/**
 * A lane: one region's partition of state, as a value. A block works on copies; a lane that was
 * committed never changes.
 */
import { sha256 } from "../crypto/hash.ts";
import type { Accounts } from "../ledger/accounts.ts";
import { INSTITUTION } from "../ledger/accounts.ts";
import { assert } from "../primitives/errors.ts";
import type { MicroCents, Slot } from "../primitives/units.ts";
import type { Genesis } from "../wire/genesis.ts";
import { encodePolicy } from "../wire/policy.ts";
import { decodeReport, type Report } from "../wire/report.ts";
import type { LaneView } from "./access.ts";
import { EMPTY_FORWARD, type ForwardState } from "./forward-state.ts";
import {
  COUNTER,
  copyLaneColumns,
  createLaneColumns,
  isRoomEmpty,
  type LaneColumns,
  type LaneSize,
  laneBytes,
  laneColumns,
} from "./lane-columns.ts";
import { PENDING_REPORTS_PER_LANE_MAX } from "./lane-root.ts";
import { CLEARED_SLOTS_MAX } from "./light-client/paths.ts";
import { EMPTY_MESSAGES, type MessageState } from "./message-state.ts";
import { genesisPolicy } from "./policy.ts";
import { isWholeQuarantine, quarantineOf } from "./quarantine-state.ts";
import { isFrontierCanonical } from "./receipts-history.ts";
import type { Rules } from "./rules.ts";
import { corruptRecord, openRecord, sealRecord } from "./sealed-record.ts";
import { laneKey } from "./store-keys.ts";

/** A report on the chain whose slot has not cleared: others lack theirs, or the lane is out. */
export type PendingReport = {
  readonly hash: Uint8Array; // 32 B, SHA-256 of the bytes
  readonly bytes: Uint8Array;
  readonly report: Report;
};

export type Lane = {
  readonly columns: LaneColumns;
  readonly pending: readonly PendingReport[]; // by slot, the next to clear first
  readonly forward: ForwardState;
  readonly messages: MessageState;
};

/** A lane at genesis: default limits are the retailer's prices, so nobody can lose by joining. */
export function genesisLane(
  rules: Pick<Rules, "genesis" | "genesisHash" | "firstSlot">,
  regionIndex: number,
): Lane {
  const { genesis } = rules;
  const region = genesis.regions[regionIndex]!;
  const columns = createLaneColumns(laneSize(genesis, regionIndex));
  region.members.forEach((member, m) => {
    columns.minSellUcPerWh[m] = member.limits?.minSellUcPerWh ?? genesis.feedInUcPerWh;
    columns.maxBuyUcPerWh[m] = member.limits?.maxBuyUcPerWh ?? genesis.retailUcPerWh;
  });
  columns.policy.set(encodePolicy(genesisPolicy(rules, regionIndex)));
  return { columns, pending: [], forward: EMPTY_FORWARD, messages: EMPTY_MESSAGES };
}

export function laneSize(genesis: Genesis, regionIndex: number): LaneSize {
  const region = genesis.regions[regionIndex]!;
  return { memberCount: region.members.length, meterCount: region.meters.length };
}

export function copyLane(lane: Lane): Lane {
  return { ...lane, columns: copyLaneColumns(lane.columns) };
}

export function reportedSlots(lane: Lane): number {
  return Number(lane.columns.counters[COUNTER.reported]!);
}

export function clearedSlots(lane: Lane): number {
  return Number(lane.columns.counters[COUNTER.cleared]!);
}

export function accountsOf({ columns }: Lane): Accounts {
  return { memberUc: columns.memberUc, institutionUc: columns.institutionUc };
}

export function pendingReport(bytes: Uint8Array): PendingReport {
  return { hash: sha256(bytes), bytes, report: decodeReport(bytes) };
}

/** The lane with one more report at the end of its queue. `lane` must be a copy of this block. */
export function withReport(lane: Lane, report: PendingReport): Lane {
  lane.columns.counters[COUNTER.reported]! += 1n;
  return { ...lane, pending: [...lane.pending, report] };
}

/** A lane's record; pending reports, forward market and messages stand in records of their own. */
export function encodeLane(regionIndex: number, { columns }: Lane): Uint8Array {
  return sealRecord(laneKey(regionIndex), new Uint8Array(columns.memory).slice());
}

/** @throws GridError database_corrupt */
export function decodeLane(parts: {
  readonly regionIndex: number;
  readonly stored: Uint8Array;
  readonly size: LaneSize;
  readonly pending: readonly PendingReport[];
  readonly forward: ForwardState;
  readonly messages: MessageState;
}): Lane {
  const key = laneKey(parts.regionIndex);
  const bytes = openRecord(key, parts.stored);
  if (!(bytes instanceof Uint8Array) || bytes.length !== laneBytes(parts.size)) {
    return corruptRecord(key, "has not the size of its region");
  }
  const memory = new SharedArrayBuffer(bytes.length);
  new Uint8Array(memory).set(bytes);
  const { pending, forward, messages } = parts;
  const lane = { columns: laneColumns(memory, parts.size), pending, forward, messages };
  const cleared = clearedSlots(lane);
  const isQueue = pending.length <= PENDING_REPORTS_PER_LANE_MAX && cleared <= CLEARED_SLOTS_MAX;
  if (!isQueue || reportedSlots(lane) - cleared !== pending.length) {
    return corruptRecord(key, "does not match its pending reports");
  }
  if (!isWholeQuarantine(lane.columns)) return corruptRecord(key, "has no known standing");
  // Bytes that no root covers: a lane has one form only.
  const { historyFrontier } = lane.columns;
  if (!isRoomEmpty(lane.columns) || !isFrontierCanonical(historyFrontier, cleared)) {
    return corruptRecord(key, "is not in its only form");
  }
  return lane;
}

/** The committed state, copied. `firstSlot` is the slot that starts at genesis time. */
export function laneView(lane: Lane, firstSlot: Slot): LaneView {
  const { columns } = lane;
  const reported = reportedSlots(lane);
  const balance = (uc: bigint | undefined) => {
    assert(uc !== undefined, "every account has a balance");
    return uc as MicroCents;
  };
  const members = Array.from(columns.memberUc, (_, m) => m);
  return {
    reportedSlot: reported === 0 ? null : ((firstSlot + reported - 1) as Slot),
    clearedSlots: clearedSlots(lane),
    quarantine: quarantineOf(lane),
    limits: members.map((m) => ({
      minSellUcPerWh: columns.minSellUcPerWh[m]!,
      maxBuyUcPerWh: columns.maxBuyUcPerWh[m]!,
    })),
    pendingLimits: members.map((m) => {
      const fromSlot = Number(columns.pendingFromSlot[m]!) as Slot;
      if (fromSlot === 0) return null;
      const minSellUcPerWh = columns.pendingMinSellUcPerWh[m]!;
      const maxBuyUcPerWh = columns.pendingMaxBuyUcPerWh[m]!;
      return { fromSlot, limits: { minSellUcPerWh, maxBuyUcPerWh } };
    }),
    memberBalanceUc: members.map((m) => balance(columns.memberUc[m])),
    retailerBalanceUc: balance(columns.institutionUc[INSTITUTION.retailer]),
    neighboursBalanceUc: balance(columns.institutionUc[INSTITUTION.neighbours]),
    gridOperatorBalanceUc: balance(columns.institutionUc[INSTITUTION.gridOperator]),
    treasuryBalanceUc: balance(columns.institutionUc[INSTITUTION.treasury]),
    settledImportWh: Float64Array.from(columns.settledImportWh, Number),
    settledExportWh: Float64Array.from(columns.settledExportWh, Number),
    forwardOrders: lane.forward.orders,
    forwardPositions: openPositions(lane.forward),
  };
}

function openPositions({ positions, auctions }: ForwardState): LaneView["forwardPositions"] {
  const prices = new Map(auctions.map(({ slot, priceUcPerWh }) => [slot, priceUcPerWh]));
  return positions.map((position) => {
    const priceUcPerWh = prices.get(position.slot);
    assert(priceUcPerWh !== undefined, "a position has its auction's price");
    return { ...position, priceUcPerWh };
  });
}
