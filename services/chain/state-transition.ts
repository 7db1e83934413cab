/**
 * START HERE. What a block does to the state, as one pure function:
 *
 *   gates       every slot whose gate has closed: its forward auction, over all lanes
 *   delivery    each lane consumes messages that earlier blocks sent it (`message-step.ts`)
 *   signatures  of all transactions, in any order (`admission-facts.ts`)
 *   admission   each transaction in order: judged, then its effect on the draft
 *   due slots   every slot that all regions in the market have reported, in order
 *               (`due-slots.ts`); a region in which a step fails is quarantined
 *   post        what was sent goes into outboxes, and into inboxes for a later block
 *   roots       of what was written; then the app hash
 *
 * What lanes do on their own goes to the executor (`lane-executor.ts`), which cannot be seen in a
 * result: same state and same block give the same bytes. A block without transactions changes no
 * root unless its time has reached the gate of a slot with orders, or messages were in flight.
 */
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import { encodeSlotRecord, type SlotRecord } from "../wire/slot-record.ts";
import type { Block, StoreChange, TransactionResult } from "./abci.ts";
import { encodeNonces, type Nonces, rootedNonces } from "./admission.ts";
import { learnSignatures, type MemberReader } from "./admission-facts.ts";
import type { CertificateCheck } from "./certificates.ts";
import { executeCommitteeOrder } from "./committee-orders.ts";
import { encodeCommittee } from "./committee-state.ts";
import { clearDueSlots } from "./due-slots.ts";
import { encodeForward } from "./forward-state.ts";
import { holdForwardAuctions } from "./forward-step.ts";
import { clearedSlots, encodeLane, type Lane, withReport } from "./lane.ts";
import { type LaneExecutor, type LaneFailure, type RootedLane, valuesOf } from "./lane-executor.ts";
import { encodeMessages } from "./message-state.ts";
import { assertConserved, deliverMessages } from "./message-step.ts";
import { assertShared } from "./outstanding.ts";
import { encodeEntries } from "./payment-entries.ts";
import { executePayment } from "./payments.ts";
import { encodeReceiptsPath } from "./proofs.ts";
import { takesPart } from "./quarantine-state.ts";
import type { LaneRoots } from "./roots.ts";
import type { Rules } from "./rules.ts";
import { slotRoot } from "./slot-root.ts";
import { type ChainState, createDraft, type Draft, dueVersion, stateTree } from "./state.ts";
import {
  admissionKey,
  COMMITTEE_KEY,
  entryKey,
  forwardKey,
  laneKey,
  messagesKey,
  pendingKey,
  proofKey,
  slotKey,
} from "./store-keys.ts";
import { encodePending } from "./stored-state.ts";
import { type Effect, judgeTransaction, limitsFromSlot } from "./transactions.ts";

export type Applied = {
  readonly state: ChainState;
  readonly results: readonly TransactionResult[];
  readonly slotRecords: readonly SlotRecord[]; // by (slot, region)
  readonly laneFailures: readonly LaneFailure[]; // each quarantined its lane
  /** All records that changed but the head's. Encoded when asked for: at commit, and only there. */
  changes(): StoreChange[];
};

/**
 * @param parts.rules - under the chain version that is in force at the block's height
 * @throws InvariantError on a bug that is no single lane's; `state` is untouched then as ever
 */
export function applyBlock(parts: {
  readonly rules: Rules;
  readonly certifies: CertificateCheck;
  readonly members: MemberReader;
  readonly executor: LaneExecutor;
  readonly state: ChainState;
  readonly block: Block;
}): Applied {
  const { rules, certifies, members, executor, state, block } = parts;
  const { height } = block;
  assert(block.height === state.height + 1, "blocks come in order");
  assert(state.height === 0 || block.timeS >= state.timeS, "a block's time never falls");
  assert(rules.version === dueVersion(rules, state, height), "a block has its version's rules");
  const draft = createDraft(state);
  const { timeS } = block;
  holdForwardAuctions(rules, draft, timeS);
  // What was sent to a lane that is out waits for it.
  const regions = rules.regions.flatMap((_, r) => (takesPart(draft.lane(r)) ? [r] : []));
  deliverMessages(draft, regions);
  learnSignatures({ ...parts, transactions: block.transactions });
  const judge = { rules, certifies, members, state: draft, height, timeS, notBeforeS: timeS };
  const results = block.transactions.map((bytes) => {
    const verdict = judgeTransaction(judge, bytes);
    if (verdict.effect !== null) execute(rules, draft, verdict.effect, block);
    return verdict.result;
  });
  const due = clearDueSlots({ rules, executor, draft, height });
  const slotRecords = due.records;
  draft.sealForward();
  draft.sealMessages();
  const before = (r: number) => state.lanes[r]!;
  assertConserved({ before, written: draft.lanes(), records: slotRecords });
  const lanes = state.lanes.map((_, r) => draft.lane(r));
  assertShared({ rules, before: state.lanes, after: lanes, records: slotRecords });
  const rooted = rootLanes({ rules, executor, draft, before: state, records: slotRecords });
  const laneRoots = rootsOf(state, draft, rooted);
  const nonces = noncesOf(state, draft);
  const { committee } = draft;
  const tree = stateTree({ laneRoots, nonces, committee });
  const { appHash } = tree;
  const after: ChainState = {
    ...{ height, timeS, lanes: state.lanes.map((_, r) => draft.lane(r)), laneRoots, nonces },
    ...{ committee, appHash },
  };
  const changes = () => [
    ...stateChanges(state, after, draft),
    ...entryChanges(draft, block),
    ...recordChanges(rules, slotRecords, rooted, (r) => tree.proof(r, "receipts")),
  ];
  return { state: after, results, slotRecords, laneFailures: due.failures, changes };
}

function execute(rules: Rules, draft: Draft, effect: Effect, { height, timeS }: Block): void {
  if (effect.kind === "committee") {
    draft.setCommittee(executeCommitteeOrder(draft, effect.act, height));
    return;
  }
  if (effect.kind === "report") {
    const lane = draft.ownLane(effect.regionIndex);
    draft.setLane(effect.regionIndex, withReport(lane, effect.report));
    return;
  }
  if (effect.kind === "pay") {
    executePayment(draft, effect.payment);
    draft.raiseNonce(effect.place);
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
  for (const record of records) leaves[record.regionIndex]!.push(slotRoot(record));
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

function rootsOf(
  before: ChainState,
  draft: Draft,
  rooted: ReadonlyMap<number, RootedLane>,
): LaneRoots[] {
  return before.laneRoots.map((roots, r) => {
    const lane = rooted.get(r);
    if (lane === undefined) return roots;
    const { stateRoot: state, receiptsRoot: receipts } = lane;
    return { state, receipts, outbox: draft.lane(r).messages.outboxRoot };
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
    if (lane.messages !== before.lanes[r]!.messages) {
      changes.push({ key: messagesKey(r), value: encodeMessages(r, lane.messages) });
    }
    changes.push(...pendingChanges(r, before.lanes[r]!, lane));
  }
  if (after.committee !== before.committee) {
    changes.push({ key: COMMITTEE_KEY, value: encodeCommittee(after.committee) });
  }
  for (const r of draft.nonceColumns().keys()) {
    changes.push({ key: admissionKey(r), value: encodeNonces(r, after.nonces[r]!) });
  }
  return changes;
}

function entryChanges(draft: Draft, { height, timeS }: Block): StoreChange[] {
  return [...draft.entries()].map(([regionIndex, entries]) => ({
    key: entryKey(regionIndex, height),
    value: encodeEntries({ regionIndex, height, timeS, entries }),
  }));
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
