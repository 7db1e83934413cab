/**
 * The executor that spreads the steps of lanes, and the signatures of transactions, over threads.
 * The calling thread works with them and waits for them, so to the application it is as synchronous
 * as one lane after another, and gives the same bytes (`lane-pool.ts` says why).
 *
 * Columns are shared by reference; all else travels as values in shared memory (`lane-packing.ts`).
 * Jobs are taken from one atomic index, the heaviest first (Graham's LPT rule, 1969).
 */
import { senderOf } from "../chain/admission-facts.ts";
import { verifyCertificate } from "../chain/certificates.ts";
import { laneColumns } from "../chain/lane-columns.ts";
import {
  attempt,
  type Brought,
  type ClosedLane,
  closeLane,
  type LaneAnswer,
  type LaneExecutor,
  type LaneOutcome,
  type OpenedSlot,
  type OpenJob,
  type OpenLane,
  openLane,
  type RootedLane,
  rootLane,
  sequentialExecutor,
  valuesOf,
} from "../chain/lane-executor.ts";
import {
  readClosed,
  readCurve,
  readRooted,
  writeAnswer,
  writeOpenJob,
  writeRootJob,
} from "../chain/lane-packing.ts";
import type { LaneRules, Rules } from "../chain/rules.ts";
import {
  readCertified,
  readSenders,
  writeCertificates,
  writeTransactions,
} from "../chain/signature-packing.ts";
import { openSlotRecord } from "../wire/slot-record.ts";
import { createLanePool, type LanePool, type LanePoolOptions } from "./lane-pool.ts";

/** Meters in a phase below which threads cost more than they bring. */
export const METERS_PARALLEL_MIN = 2000;
/** Signatures below which they are verified here. */
const SIGNATURES_PARALLEL_MIN = 16;
/** Signatures of one job: enough that taking it costs nothing beside them. */
const SENDERS_PER_JOB = 32;
const CERTIFICATES_PER_JOB = 4;

/** Threads that are worth having unless somebody says otherwise. */
const WORKERS_AUTO_MAX = 8;

/** @param parts.configured - `lanes.workers` of the node's configuration */
export function laneWorkerCount(parts: {
  readonly configured: number | "auto";
  readonly cores: number;
  readonly meters: number;
}): number {
  const { configured, cores, meters } = parts;
  if (configured !== "auto") return configured;
  return meters < METERS_PARALLEL_MIN ? 0 : Math.min(cores - 1, WORKERS_AUTO_MAX);
}

export type LaneWorkers = LaneExecutor & {
  /** Threads that live. */
  readonly size: number;
  /** Resolves when all threads serve; blocks do not wait for that. */
  ready(): Promise<void>;
  stop(): Promise<void>;
};

export type LaneWorkersOptions = LanePoolOptions & {
  /** Default METERS_PARALLEL_MIN. */
  readonly metersMin?: number;
};

export function createLaneWorkers(options: LaneWorkersOptions): LaneWorkers {
  const pool = createLanePool(options);
  const metersMin = options.metersMin ?? METERS_PARALLEL_MIN;
  const isWorthIt = (rules: Rules, jobs: readonly { readonly regionIndex: number }[]) => {
    if (jobs.length < 2) return false;
    let meters = 0;
    for (const { regionIndex } of jobs) meters += rules.regions[regionIndex]!.roster.meterCount;
    return meters >= metersMin;
  };
  return {
    open(work) {
      if (!isWorthIt(work.rules, work.jobs)) return sequentialExecutor.open(work);
      pool.setRules(sharedRules(work.rules));
      return openOn(pool, work);
    },
    root(work) {
      if (!isWorthIt(work.rules, work.jobs)) return sequentialExecutor.root(work);
      pool.setRules(sharedRules(work.rules));
      return rootOn(pool, work);
    },
    senders(transactions) {
      if (transactions.length < SIGNATURES_PARALLEL_MIN) return transactions.map(senderOf);
      return inBatches(pool, transactions, SENDERS_PER_JOB, {
        parts: { kind: "senders" },
        write: writeTransactions,
        read: readSenders,
        here: (batch) => batch.map(senderOf),
      });
    },
    certificates({ publicKeys, certificates }) {
      const verify = (one: (typeof certificates)[0]) => verifyCertificate(publicKeys, one);
      if (certificates.length < SIGNATURES_PARALLEL_MIN) return certificates.map(verify);
      return inBatches(pool, certificates, CERTIFICATES_PER_JOB, {
        parts: { kind: "certificates", publicKeys },
        write: writeCertificates,
        read: readCertified,
        here: (batch) => batch.map(verify),
      });
    },
    get size() {
      return pool.size;
    },
    ready: () => pool.ready(),
    stop: () => pool.stop(),
  };
}

type OpenWork = Parameters<LaneExecutor["open"]>[0];

function openOn(pool: LanePool, { rules, slot, height, jobs }: OpenWork): OpenedSlot {
  const here = new Map<number, OpenLane>(); // lanes that this thread has opened
  const copies = jobs.map(({ lane }) => new SharedArrayBuffer(lane.columns.memory.byteLength));
  const weights = jobs.map((job) => weightOf(rules, job));
  const openHere = (job: number) => {
    const opened = openLane(rules, slot, jobs[job]!);
    here.set(job, opened);
    return opened;
  };
  const { outcomes: brought, lost } = pool.run<Brought>({
    parts: {
      kind: "open",
      slot,
      height,
      regions: regionsOf(jobs),
      lanes: jobs.map(({ lane }) => lane.columns.memory),
      copies,
    },
    weights,
    write: (sink, j) => {
      const { lane, held } = jobs[j]!;
      writeOpenJob(sink, { report: lane.pending[0] ?? null, held });
    },
    read: (reader, j) => broughtBy(jobs[j]!, readCurve(reader)),
    here: (j) => attempt(jobs[j]!, "open", () => broughtBy(jobs[j]!, openHere(j).curve)),
  });
  const closeHere = (job: number, answer: LaneAnswer | null): LaneOutcome<ClosedLane> =>
    attempt(jobs[job]!, "close", () => {
      return closeLane(rules, height, here.get(job) ?? openHere(job), answer);
    });
  return {
    brought,
    close: (answers) =>
      pool.run<ClosedLane>({
        parts: { kind: "close" },
        weights,
        write: (sink, j) => writeAnswer(sink, answers[j]!),
        read: (reader, j) => {
          const { record, cleared } = readClosed(reader);
          return closedBy(rules, jobs[j]!, { memory: copies[j]!, record, cleared });
        },
        here: (j) => closeHere(j, answers[j]!),
        first: [...here.keys()],
        // The thread that lost such a lane may still be writing to its copy.
        only: lost,
      }).outcomes,
  };
}

function broughtBy({ regionIndex, held }: OpenJob, curve: Brought["curve"]): Brought {
  return { regionIndex, held, curve };
}

/** A lane that a worker has closed: its columns in the copy, the rest as `closeSlot` leaves it. */
function closedBy(
  rules: Rules,
  { regionIndex, lane }: OpenJob,
  closed: {
    readonly memory: SharedArrayBuffer;
    readonly record: Uint8Array;
    readonly cleared: ClosedLane["cleared"];
  },
): ClosedLane {
  const { memberCount, meterCount } = rules.regions[regionIndex]!.roster;
  const columns = laneColumns(closed.memory, { memberCount, meterCount });
  return {
    regionIndex,
    lane: { ...lane, columns, pending: lane.pending.slice(1) },
    record: openSlotRecord(closed.record),
    cleared: closed.cleared,
  };
}

/** Steps grow with meters and with what was traded forward. */
function weightOf(rules: Rules, { regionIndex, held }: OpenJob): number {
  return rules.regions[regionIndex]!.roster.meterCount + (held?.positions.length ?? 0);
}

function regionsOf(jobs: readonly { readonly regionIndex: number }[]): Uint32Array {
  const regions = new Uint32Array(new SharedArrayBuffer(4 * jobs.length));
  regions.set(jobs.map(({ regionIndex }) => regionIndex));
  return regions;
}

type RootWork = Parameters<LaneExecutor["root"]>[0];

function rootOn(pool: LanePool, { rules, jobs }: RootWork): readonly LaneOutcome<RootedLane>[] {
  return pool.run<RootedLane>({
    parts: {
      kind: "root",
      regions: regionsOf(jobs),
      lanes: jobs.map(({ lane }) => lane.columns.memory),
    },
    weights: jobs.map(({ regionIndex }) => rules.regions[regionIndex]!.roster.meterCount),
    write: (sink, j) => {
      const { lane, historyLength, leaves } = jobs[j]!;
      const pendingHashes = lane.pending.map(({ hash }) => hash);
      writeRootJob(sink, { pendingHashes, forwardRoot: lane.forward.root, historyLength, leaves });
    },
    read: readRooted,
    here: (j) => attempt(jobs[j]!, "root", () => rootLane(jobs[j]!)),
  }).outcomes;
}

/** A list of things that are judged one by one, some of them at a time. */
function inBatches<Item, Answer>(
  pool: LanePool,
  items: readonly Item[],
  size: number,
  work: Pick<Parameters<LanePool["run"]>[0], "parts"> & {
    write(sink: Parameters<typeof writeTransactions>[0], batch: readonly Item[]): void;
    read(reader: Parameters<typeof readSenders>[0]): Answer[];
    here(batch: readonly Item[]): Answer[];
  },
): Answer[] {
  const batches: Item[][] = [];
  for (let i = 0; i < items.length; i += size) batches.push(items.slice(i, i + size));
  const { outcomes } = pool.run<Answer[]>({
    parts: work.parts,
    weights: batches.map((batch) => batch.length),
    write: (sink, b) => work.write(sink, batches[b]!),
    read: (reader) => work.read(reader),
    here: (b) => ({ value: work.here(batches[b]!) }),
  });
  return valuesOf(outcomes).flat();
}

/** Rules of lanes with their columns in shared memory, so that each thread's copy is small. */
const shared = new WeakMap<Rules, LaneRules>();

function sharedRules(rules: Rules): LaneRules {
  const known = shared.get(rules) ?? shareRules(rules);
  shared.set(rules, known);
  return known;
}

function shareRules({ regions, lines, retailer, forward }: Rules): LaneRules {
  return {
    regions: regions.map(({ gridMembers: _, ...region }) => {
      const { memberOfMeter, gridMeters } = region.roster;
      const roster = {
        ...region.roster,
        memberOfMeter: new Int32Array(sharedCopy(memberOfMeter)),
        gridMeters: new Uint32Array(sharedCopy(gridMeters)),
      };
      return { ...region, roster };
    }),
    lines,
    retailer,
    forward: { law: forward.law },
  };
}

function sharedCopy(column: Int32Array | Uint32Array): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(column.byteLength);
  new Uint8Array(memory).set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
  return memory;
}
