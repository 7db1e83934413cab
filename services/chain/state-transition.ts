/**
 * START HERE. What a block does to the state, as one pure function:
 *
 *   gates       every slot whose gate has closed: its forward auction, over all lanes
 *   signatures  of all transactions, in any order (`admission-facts.ts`)
 *   admission   each transaction in order: judged, then its effect on the draft
 *   due slots   every slot that all regions have reported, in order (`slot-step.ts`)
 *   roots       of what was written; then the app hash
 *
 * What lanes do on their own goes to the executor (`lane-executor.ts`), which cannot be seen in a
 * result: same state and same block give the same bytes. A block without transactions changes no
 * root unless its time has reached the gate of a slot with orders.
 */
import { assert } from "../primitives/errors.ts";
import type { Slot, UnixSeconds } from "../primitives/units.ts";
import { encodeSlotRecord, type SlotRecord } from "../wire/slot-record.ts";
import type { Block, StoreChange, TransactionResult } from "./abci.ts";
import { encodeNonces, type Nonces, rootedNonces } from "./admission.ts";
import { learnSignatures, type MemberReader } from "./admission-facts.ts";
import type { CertificateCheck } from "./certificates.ts";
import { encodeForward } from "./forward-state.ts";
import { holdForwardAuctions } from "./forward-step.ts";
import { clearedSlots, encodeLane, type Lane, reportedSlots, withReport } from "./lane.ts";
import { type LaneExecutor, laneError, type RootedLane, valuesOf } from "./lane-executor.ts";
import { encodeReceiptsPath } from "./proofs.ts";
import type { LaneRoots } from "./roots.ts";
import type { Rules } from "./rules.ts";
import { clearSlot } from "./slot-step.ts";
import { type ChainState, createDraft, type Draft, stateTree } from "./state.ts";
import { admissionKey, forwardKey, laneKey, pendingKey, proofKey, slotKey } from "./store-keys.ts";
import { encodePending } from "./stored-state.ts";
import { type Effect, judgeTransaction, limitsFromSlot } from "./transactions.ts";

export type Applied = {
  readonly state: ChainState;
  readonly results: readonly TransactionResult[];
  readonly slotRecords: readonly SlotRecord[]; // by (slot, region)
  /** All records that changed but the head's. Encoded when asked for: at commit, and only there. */
  changes(): StoreChange[];
};

/** @throws InvariantError on a bug; `state` is untouched then as ever */
export function applyBlock(parts: {
  readonly rules: Rules;
  readonly certifies: CertificateCheck;
  readonly members: MemberReader;
  readonly executor: LaneExecutor;
  readonly state: ChainState;
  readonly block: Block;
}): Applied {
  const { rules, certifies, members, executor, state, block } = parts;
  assert(block.height === state.height + 1, "blocks come in order");
  assert(state.height === 0 || block.timeS >= state.timeS, "a block's time never falls");
  const draft = createDraft(state);
  const { timeS } = block;
  holdForwardAuctions(rules, draft, timeS);
  learnSignatures({ ...parts, transactions: block.transactions });
  const judge = { rules, certifies, members, state: draft, timeS, notBeforeS: timeS };
  const results = block.transactions.map((bytes) => {
    const verdict = judgeTransaction(judge, bytes);
    if (verdict.effect !== null) execute(rules, draft, verdict.effect, timeS);
    return verdict.result;
  });
  const slotRecords = clearDueSlots({ rules, executor, draft, height: block.height });
  draft.sealForward();
  const rooted = rootLanes({ rules, executor, draft, before: state, records: slotRecords });
  const laneRoots = rootsOf(state, rooted);
  const nonces = noncesOf(state, draft);
  const tree = stateTree(laneRoots, nonces);
  const after: ChainState = {
    height: block.height,
    timeS,
    lanes: state.lanes.map((_, r) => draft.lane(r)),
    laneRoots,
    nonces,
    appHash: tree.appHash,
  };
  const changes = () => [
    ...stateChanges(state, after, draft),
    ...recordChanges(rules, slotRecords, rooted, tree.proof),
  ];
  return { state: after, results, slotRecords, changes };
}

function execute(rules: Rules, draft: Draft, effect: Effect, timeS: UnixSeconds): void {
  if (effect.kind === "report") {
    const lane = draft.ownLane(effect.regionIndex);
    draft.setLane(effect.regionIndex, withReport(lane, effect.report));
    return;
  }
  if (effect.kind === "place order") {
    draft.ownForward(effect.place.regionIndex).place(effect.order);
    draft.raiseNonce(effect.place);
    return;
  }
  if (effect.kind === "cancel order") {
    draft.ownForward(effect.place.regionIndex).cancel(effect.order);
    draft.raiseNonce(effect.place);
    return;
  }
  const { place, limits } = effect;
  const { columns } = draft.ownLane(place.regionIndex);
  columns.pendingFromSlot[place.memberIndex] = BigInt(limitsFromSlot(rules, timeS));
  columns.pendingMinSellUcPerWh[place.memberIndex] = limits.minSellUcPerWh;
  columns.pendingMaxBuyUcPerWh[place.memberIndex] = limits.maxBuyUcPerWh;
  draft.raiseNonce(place);
}

/** All lanes clear a slot together, so they always have cleared equally many. */
function clearDueSlots(parts: {
  readonly rules: Rules;
  readonly executor: LaneExecutor;
  readonly draft: Draft;
  readonly height: number;
}): SlotRecord[] {
  const { rules, draft } = parts;
  const regions = rules.regions.map((_, r) => r);
  const reported = Math.min(...regions.map((r) => reportedSlots(draft.lane(r))));
  const records: SlotRecord[] = [];
  for (let cleared = clearedSlots(draft.lane(0)); cleared < reported; cleared++) {
    const slot = (rules.firstSlot + cleared) as Slot;
    const clearing = clearSlot({ ...parts, slot, regions });
    if ("failed" in clearing) throw laneError(clearing.failed[0]!);
    records.push(...clearing.records);
  }
  return records;
}

/** Roots of each lane that was written, its history grown by the slots that it cleared. */
function rootLanes(parts: {
  readonly rules: Rules;
  readonly executor: LaneExecutor;
  readonly draft: Draft;
  readonly before: ChainState;
  readonly records: readonly SlotRecord[];
}): ReadonlyMap<number, RootedLane> {
  const { rules, executor, draft, before, records } = parts;
  const leaves = before.lanes.map((): Uint8Array[] => []);
  for (const record of records) leaves[record.regionIndex]!.push(record.receiptsRoot);
  const jobs = [...draft.lanes()].map(([regionIndex, lane]) => ({
    regionIndex,
    lane,
    historyLength: clearedSlots(before.lanes[regionIndex]!),
    leaves: leaves[regionIndex]!,
  }));
  const rooted = valuesOf(executor.root({ rules, jobs }));
  jobs.forEach(({ regionIndex }, j) => {
    draft.ownLane(regionIndex).columns.historyFrontier.set(rooted[j]!.frontier);
  });
  return new Map(jobs.map(({ regionIndex }, j) => [regionIndex, rooted[j]!]));
}

function rootsOf(before: ChainState, rooted: ReadonlyMap<number, RootedLane>): LaneRoots[] {
  return before.laneRoots.map((roots, r) => {
    const lane = rooted.get(r);
    return lane === undefined ? roots : { state: lane.stateRoot, receipts: lane.receiptsRoot };
  });
}

function noncesOf(before: ChainState, draft: Draft): Nonces[] {
  const written = draft.nonceColumns();
  return before.nonces.map((nonces, r) => {
    const column = written.get(r);
    return column === undefined ? nonces : rootedNonces(column);
  });
}

function stateChanges(before: ChainState, after: ChainState, draft: Draft): StoreChange[] {
  const changes: StoreChange[] = [];
  for (const [r, lane] of draft.lanes()) {
    changes.push({ key: laneKey(r), value: encodeLane(r, lane) });
    if (lane.forward !== before.lanes[r]!.forward) {
      changes.push({ key: forwardKey(r), value: encodeForward(r, lane.forward) });
    }
    changes.push(...pendingChanges(r, before.lanes[r]!, lane));
  }
  for (const r of draft.nonceColumns().keys()) {
    changes.push({ key: admissionKey(r), value: encodeNonces(r, after.nonces[r]!) });
  }
  return changes;
}

function pendingChanges(regionIndex: number, before: Lane, after: Lane): StoreChange[] {
  const keyOf = (slot: Slot) => pendingKey(regionIndex, slot);
  const gone = before.pending.filter((pending) => !after.pending.includes(pending));
  const come = after.pending.filter((pending) => !before.pending.includes(pending));
  return [
    ...gone.map(({ report }) => ({ key: keyOf(report.slot), value: null })),
    ...come.map((pending) => {
      const key = keyOf(pending.report.slot);
      return { key, value: encodePending(key, pending.bytes) };
    }),
  ];
}

function recordChanges(
  rules: Rules,
  records: readonly SlotRecord[],
  rooted: ReadonlyMap<number, RootedLane>,
  proof: (regionIndex: number) => Uint8Array[],
): StoreChange[] {
  const proofs = new Map(records.map(({ regionIndex: r }) => [r, proof(r)]));
  const used = new Map<number, number>(); // slots of the region met so far in this block
  return records.flatMap((record) => {
    const { regionIndex, slot } = record;
    const at = used.get(regionIndex) ?? 0;
    used.set(regionIndex, at + 1);
    const path = rooted.get(regionIndex)!.paths[at]!;
    const slotIndex = slot - rules.firstSlot;
    const nodes = [...path, ...proofs.get(regionIndex)!];
    return [
      { key: slotKey(regionIndex, slot), value: encodeSlotRecord(record) },
      {
        key: proofKey(regionIndex, slot),
        value: encodeReceiptsPath({ regionIndex, slot, slotIndex, nodes }),
      },
    ];
  });
}
