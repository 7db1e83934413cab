/**
 * One lane worker: takes jobs of each phase it is told of, until there are none left, and writes
 * their outcomes to memory of its own. It keeps the lanes it has opened for the phase that closes
 * them; lanes that another thread has opened and not closed are opened again.
 *
 * Safe because nothing it may write to is read by another thread before it is published, and a
 * worker that stops at any instant leaves only jobs that somebody else does.
 */
import { parentPort } from "node:worker_threads";
import { senderOf } from "../chain/admission-facts.ts";
import { verifyCertificate } from "../chain/certificates.ts";
import { EMPTY_FORWARD } from "../chain/forward-state.ts";
import { type LaneColumns, laneColumns } from "../chain/lane-columns.ts";
import {
  attempt,
  closeLane,
  type LaneFailure,
  type LaneOutcome,
  type OpenLane,
  openLane,
  rootLane,
} from "../chain/lane-executor.ts";
import {
  readAnswer,
  readOpenJob,
  readRootJob,
  writeClosed,
  writeCurve,
  writeFailure,
  writeRooted,
} from "../chain/lane-packing.ts";
import type { LaneRules } from "../chain/rules.ts";
import { measureValues, ValueReader, type ValueSink, writeValues } from "../chain/shared-values.ts";
import {
  readCertificates,
  readTransactions,
  writeCertified,
  writeSenders,
} from "../chain/signature-packing.ts";
import { assert } from "../primitives/errors.ts";
import { encodeSlotRecord } from "../wire/slot-record.ts";
import {
  type ArenaMessage,
  CONTROL,
  JOB,
  type Phase,
  type PhaseMessage,
  type PhaseParts,
  STATE,
  take,
  takeNext,
  takenBy,
  type WorkerMessage,
  type WorkerStart,
} from "./lane-phase.ts";

/** Outcomes are put into pieces of memory of this size, or their own where it is larger. */
const ARENA_BYTES = 2 ** 20;

type OpenMessage = Phase & Extract<PhaseParts, { readonly kind: "open" }>;

/**
 * Serves until its thread ends.
 *
 * @param start.beforeJob - called between taking a job and doing it: tests slow a worker down, or
 *   stop it there
 */
export function serveLanes(
  start: WorkerStart & { readonly beforeJob?: (phase: PhaseMessage["kind"], job: number) => void },
): void {
  const { port, number, beforeJob } = start;
  const post = (message: ArenaMessage) => port.postMessage(message);
  const scratch = createArenas({ firstId: 0, post });
  let kept = createArenas({ firstId: 1, post });
  let rules: LaneRules | null = null;
  let opened: { readonly message: OpenMessage; readonly lanes: Map<number, OpenLane> } | null =
    null;

  const doJob = (message: PhaseMessage, job: number) => {
    const reader = new ValueReader(message.input, message.offsets[job]!);
    if (message.kind === "senders") {
      const senders = readTransactions(reader).map(senderOf);
      return { value: (sink: ValueSink) => writeSenders(sink, senders) };
    }
    if (message.kind === "certificates") {
      const { publicKeys } = message;
      const certified = readCertificates(reader).map((c) => verifyCertificate(publicKeys, c));
      return { value: (sink: ValueSink) => writeCertified(sink, certified) };
    }
    assert(rules !== null, "a lane's rules come before its steps");
    if (message.kind === "root") return rootJob(rules, message, job, reader);
    if (message.kind === "open") {
      const lanes = opened!.lanes;
      return openJob(rules, message, job, (lane) => lanes.set(job, lane));
    }
    return closeJob(rules, opened!, job, reader);
  };

  const runPhase = (message: PhaseMessage) => {
    if (message.kind === "open") opened = { message, lanes: new Map() };
    if (message.kind === "close") kept = createArenas({ firstId: kept.lastId() + 2, post });
    else scratch.reset();
    const arenas = message.kind === "close" ? kept : scratch;
    const taker = takenBy(number);
    const run = (job: number) => {
      beforeJob?.(message.kind, job);
      publish(message, { job, taker, arenas, outcome: perform(() => doJob(message, job)) });
    };
    if (message.kind === "close") {
      for (const job of opened?.lanes.keys() ?? []) {
        if (take(message.table, job, taker)) run(job);
      }
    }
    const next = () => takeNext(message, taker);
    for (let job = next(); job !== null; job = next()) run(job);
    if (message.kind === "close") opened = null;
  };

  parentPort?.postMessage("serving");
  port.on("message", (message: WorkerMessage) => {
    if (!("kind" in message)) rules = message.rules;
    else if (message.kind !== "close" || opened !== null) runPhase(message);
  });
}

type Written = LaneOutcome<(sink: ValueSink) => void>;

function openJob(
  rules: LaneRules,
  message: OpenMessage,
  job: number,
  keep: (lane: OpenLane) => void,
): Written {
  const regionIndex = message.regions[job]!;
  const step = attempt({ regionIndex }, "open", () => openHere(rules, message, job));
  if ("failure" in step) return step;
  keep(step.value);
  return { value: (sink) => writeCurve(sink, step.value.curve) };
}

function openHere(rules: LaneRules, message: OpenMessage, job: number): OpenLane {
  const regionIndex = message.regions[job]!;
  const { report, held } = readOpenJob(new ValueReader(message.input, message.offsets[job]!));
  const columns = columnsOf(rules, regionIndex, message.lanes[job]!);
  const lane = { columns, pending: report === null ? [] : [report], forward: EMPTY_FORWARD };
  return openLane(rules, message.slot, { regionIndex, lane, held }, message.copies[job]!);
}

function columnsOf(rules: LaneRules, regionIndex: number, memory: SharedArrayBuffer): LaneColumns {
  const { memberCount, meterCount } = rules.regions[regionIndex]!.roster;
  return laneColumns(memory, { memberCount, meterCount });
}

function closeJob(
  rules: LaneRules,
  opened: { readonly message: OpenMessage; readonly lanes: ReadonlyMap<number, OpenLane> },
  job: number,
  reader: ValueReader,
): Written {
  const { message } = opened;
  const regionIndex = message.regions[job]!;
  const step = attempt({ regionIndex }, "close", () => {
    const lane = opened.lanes.get(job) ?? openHere(rules, message, job);
    const { record, cleared } = closeLane(rules, message.height, lane, readAnswer(reader));
    return { record: encodeSlotRecord(record), cleared };
  });
  if ("failure" in step) return step;
  return { value: (sink) => writeClosed(sink, step.value) };
}

function rootJob(
  rules: LaneRules,
  message: Phase & Extract<PhaseParts, { readonly kind: "root" }>,
  job: number,
  reader: ValueReader,
): Written {
  const regionIndex = message.regions[job]!;
  const { pendingHashes, forwardRoot, historyLength, leaves } = readRootJob(reader);
  const lane = {
    columns: columnsOf(rules, regionIndex, message.lanes[job]!),
    pending: pendingHashes.map((hash) => ({ hash })),
    forward: { root: forwardRoot },
  };
  const step = attempt({ regionIndex }, "root", () =>
    rootLane({ regionIndex, lane, historyLength, leaves }),
  );
  return "failure" in step ? step : { value: (sink) => writeRooted(sink, step.value) };
}

/** Null for an error that is no lane's failure: the caller does the job again, and meets it. */
function perform(run: () => Written): Written | null {
  try {
    return run();
  } catch {
    return null;
  }
}

function publish(
  { table, control }: PhaseMessage,
  done: {
    readonly job: number;
    readonly taker: number;
    readonly arenas: Arenas;
    readonly outcome: Written | null;
  },
): void {
  const { job, taker, arenas, outcome } = done;
  const base = JOB.length * job;
  let state: number = STATE.returned;
  if (outcome !== null) {
    const write = "failure" in outcome ? writer(outcome.failure) : outcome.value;
    const { arena, offset } = arenas.put(write);
    table[base + JOB.taker] = taker;
    table[base + JOB.arena] = arena;
    table[base + JOB.offset] = offset;
    state = "failure" in outcome ? STATE.failed : STATE.done;
  }
  Atomics.store(table, base + JOB.state, state);
  Atomics.add(control, CONTROL.settled, 1);
  Atomics.notify(control, CONTROL.settled);
}

function writer(failure: LaneFailure): (sink: ValueSink) => void {
  return (sink) => writeFailure(sink, failure);
}

type Arenas = {
  put(write: (sink: ValueSink) => void): { readonly arena: number; readonly offset: number };
  reset(): void; // earlier outcomes have been read: their memory may be used again
  lastId(): number;
};

/** Memory for outcomes, handed to the caller piece by piece. Even ids are used again. */
function createArenas({
  firstId,
  post,
}: {
  firstId: number;
  post: (message: ArenaMessage) => void;
}): Arenas {
  const arenas: ArenaMessage[] = [];
  let current = -1;
  let at = 0;
  return {
    put(write) {
      const bytes = measureValues(write);
      while (current < 0 || at + bytes > arenas[current]!.memory.byteLength) {
        current += 1;
        at = 0;
        if (current < arenas.length) continue;
        const memory = new SharedArrayBuffer(Math.max(bytes, ARENA_BYTES));
        const arena = { arena: firstId + 2 * current, memory };
        arenas.push(arena);
        post(arena);
      }
      const place = { arena: arenas[current]!.arena, offset: at };
      at = writeValues(arenas[current]!.memory, at, write);
      return place;
    },
    reset() {
      current = arenas.length === 0 ? -1 : 0;
      at = 0;
    },
    lastId: () => firstId + 2 * Math.max(0, arenas.length - 1),
  };
}
