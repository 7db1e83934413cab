/**
 * Who runs the steps of many lanes. A lane executor is given steps that know nothing of each other
 * and answers with their outcomes in the order of the jobs, so that neither the order of execution
 * nor the number of workers can be seen in a result.
 *
 *   open    phase 1 of a slot: limits due, report -> the curve of the lane's orders
 *   close   phase 2 of a slot: fills, bills, balances, receipts root, record
 *   root    end of the block: history of receipts roots, lane state root
 *
 * Safe because a step is a pure function of its job: it never writes to the lane it is given, but
 * to a copy which is its outcome. So a step may be given up and done again anywhere, and one that
 * fails leaves nothing behind. `sequentialExecutor` is the specification of every other executor.
 */
import { clearAtPrices, type RegionPrices } from "../market/coupling.ts";
import { buildCurve, type Curve } from "../market/curve.ts";
import { MIDPOINT_PRO_RATA } from "../market/rules.ts";
import type { RegionClearing } from "../market/witness.ts";
import { type RegionFacts, regionFacts } from "../market/witness-region.ts";
import { assert, InvariantError } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import { membersFirst } from "../settlement/book.ts";
import type { LineTotals } from "../settlement/slot.ts";
import type { LineFlow, SlotRecord } from "../wire/slot-record.ts";
import type { VerifyCertificates } from "./certificates.ts";
import type { HeldSlot } from "./forward-book.ts";
import type { Lane } from "./lane.ts";
import { copyLaneColumns } from "./lane-columns.ts";
import { closeSlot, type MarketAnswer, type Offer, openSlot } from "./lane-phases.ts";
import { type LaneStateParts, laneStateRoot } from "./lane-root.ts";
import { growHistory } from "./receipts-history.ts";
import type { LaneRules, Rules } from "./rules.ts";

export type LaneStep = "open" | "close" | "root";

/** A bug in one lane: an invariant that one of its steps broke. */
export type LaneFailure = {
  readonly regionIndex: number;
  readonly step: LaneStep;
  readonly message: string; // the invariant's
};

export type LaneOutcome<Value> = { readonly value: Value } | { readonly failure: LaneFailure };

export type OpenJob = {
  readonly regionIndex: number;
  readonly lane: Lane; // its next pending report is the slot's
  readonly held: HeldSlot | null; // what was traded forward
};

/** What a lane brings to the market. */
export type Brought = {
  readonly regionIndex: number;
  readonly held: HeldSlot | null;
  readonly curve: Curve | null; // of its orders; null: the region's mechanism has no auction
};

/** What the market answers to a lane that brought a curve. */
export type LaneAnswer = {
  readonly prices: RegionPrices;
  readonly lines: LineTotals;
  readonly flows: readonly LineFlow[];
};

/** What the market needs to know of a lane's fills. */
export type ClearedBook = RegionClearing & { readonly facts: RegionFacts };

export type ClosedLane = {
  readonly regionIndex: number;
  readonly lane: Lane; // after the slot
  readonly record: SlotRecord;
  readonly cleared: ClearedBook | null; // null where it brought no curve
};

/** A slot between its phases. */
export type OpenedSlot = {
  readonly brought: readonly LaneOutcome<Brought>[]; // by job
  /**
   * Phase 2, once, and only where no lane failed in phase 1.
   *
   * @param answers - by job of phase 1; null exactly where the lane brought no curve
   */
  close(answers: readonly (LaneAnswer | null)[]): readonly LaneOutcome<ClosedLane>[];
};

export type RootJob = {
  readonly regionIndex: number;
  readonly lane: LaneStateParts;
  readonly historyLength: number; // slots in its history before this block
  readonly leaves: readonly Uint8Array[]; // receipts roots of this block
};

export type RootedLane = {
  readonly stateRoot: Uint8Array;
  readonly receiptsRoot: Uint8Array; // of the history, with the leaves
  readonly frontier: Uint8Array; // of the history, after the leaves
  readonly paths: readonly (readonly Uint8Array[])[]; // per leaf: siblings, then the length
};

/**
 * What a step broke is an outcome; any other error is thrown. An executor without `senders` or
 * `certificates` leaves signatures to whoever asks for one.
 */
export type LaneExecutor = {
  /** By member transaction: who signed it, null where nobody did. */
  readonly senders?: (transactions: readonly Uint8Array[]) => readonly (Uint8Array | null)[];
  readonly certificates?: VerifyCertificates;
  open(work: {
    readonly rules: Rules;
    readonly slot: Slot;
    readonly height: number;
    readonly jobs: readonly OpenJob[];
  }): OpenedSlot;
  root(work: {
    readonly rules: Rules;
    readonly jobs: readonly RootJob[];
  }): readonly LaneOutcome<RootedLane>[];
};

/** One lane after another, in the order of the jobs. */
export const sequentialExecutor: LaneExecutor = {
  open({ rules, slot, height, jobs }) {
    const opened = jobs.map((job) => attempt(job, "open", () => openLane(rules, slot, job)));
    return {
      brought: opened.map((outcome) => ("failure" in outcome ? outcome : broughtBy(outcome.value))),
      close: (answers) =>
        jobs.map((job, j) => {
          const outcome = opened[j]!;
          assert("value" in outcome, "no lane closes a slot that it could not open");
          const answer = answers[j]!;
          return attempt(job, "close", () => closeLane(rules, height, outcome.value, answer));
        }),
    };
  },
  root: ({ jobs }) => jobs.map((job) => attempt(job, "root", () => rootLane(job))),
};

/** Runs one step of one lane: a broken invariant is its outcome. */
export function attempt<Value>(
  { regionIndex }: { readonly regionIndex: number },
  step: LaneStep,
  run: () => Value,
): LaneOutcome<Value> {
  try {
    return { value: run() };
  } catch (error) {
    if (!(error instanceof InvariantError)) throw error;
    return { failure: { regionIndex, step, message: error.message } };
  }
}

export function failuresOf(outcomes: readonly LaneOutcome<unknown>[]): LaneFailure[] {
  return outcomes.flatMap((outcome) => ("failure" in outcome ? [outcome.failure] : []));
}

/** The values of outcomes of which none failed. */
export function valuesOf<Value>(outcomes: readonly LaneOutcome<Value>[]): Value[] {
  return outcomes.map((outcome) => {
    if ("failure" in outcome) throw laneError(outcome.failure);
    return outcome.value;
  });
}

export function laneError({ regionIndex, step, message }: LaneFailure): InvariantError {
  return new InvariantError(`lane ${regionIndex}, ${step}: ${message}`);
}

/** A lane between the phases: its copy, which the open slot has begun to change. */
export type OpenLane = {
  readonly job: OpenJob;
  readonly lane: Lane;
  readonly offer: Offer;
  readonly curve: Curve | null;
};

/** @param memory - what the lane's copy is made in; by default its own */
export function openLane(
  rules: LaneRules,
  slot: Slot,
  job: OpenJob,
  memory?: SharedArrayBuffer,
): OpenLane {
  const columns = copyLaneColumns(job.lane.columns, memory);
  const lane = { ...job.lane, columns };
  const { regionIndex, held } = job;
  const offer = openSlot({ rules, regionIndex, lane, slot, held });
  return { job, lane, offer, curve: offer.book === null ? null : buildCurve(offer.book.orders) };
}

function broughtBy({ job, curve }: OpenLane): { readonly value: Brought } {
  const { regionIndex, held } = job;
  return { value: { regionIndex, held, curve } };
}

export function closeLane(
  rules: LaneRules,
  height: number,
  { job, lane, offer }: OpenLane,
  answer: LaneAnswer | null,
): ClosedLane {
  const { regionIndex } = job;
  const filled = fill(offer, answer);
  const closed = closeSlot({ rules, regionIndex, lane, offer, answer: filled.answer, height });
  return { regionIndex, ...closed, cleared: filled.cleared };
}

/** The lane's orders at the market's prices, checked against their part of the witness. */
function fill(
  { book }: Offer,
  answer: LaneAnswer | null,
): { readonly answer: MarketAnswer | null; readonly cleared: ClearedBook | null } {
  assert((book === null) === (answer === null), "a book, and nothing else, has an answer");
  if (book === null || answer === null) return { answer: null, cleared: null };
  const { orders } = book;
  const { prices, lines, flows } = answer;
  const { fillWh, ...clearing } = clearAtPrices({ orders, prices });
  const facts = regionFacts({
    orders,
    clearing: { fillWh, ...clearing },
    injectionWh: prices.netInflowWh,
    at: prices.atUcPerWh,
    rationing: MIDPOINT_PRO_RATA.rationing,
  });
  assert(!("condition" in facts), "a lane's fills pass their witness");
  const filled = { ...clearing, fillWh: membersFirst(orders, fillWh), lines, flows };
  return { answer: filled, cleared: { ...clearing, facts } };
}

export function rootLane({ lane, historyLength, leaves }: RootJob): RootedLane {
  const frontier = lane.columns.historyFrontier.slice();
  const { root, paths } = growHistory({ frontier, length: historyLength, leaves });
  return { stateRoot: laneStateRoot(lane), receiptsRoot: root, frontier, paths };
}
