/**
 * The threads behind lane workers, and how a phase runs on them: every thread, the calling one
 * included, takes jobs until none are left; then the caller waits for outcomes that are still out.
 *
 * Safe because jobs are pure: the outcome of one is the same bytes whoever does it. A job that was
 * taken and does not come back (its thread died, or stands still) is done again here; the first
 * outcome counts, and the thread is replaced. Nothing waits without a bound.
 */
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";
import type { LaneOutcome } from "../chain/lane-executor.ts";
import { readFailure } from "../chain/lane-packing.ts";
import type { LaneRules } from "../chain/rules.ts";
import { measureValues, ValueReader, type ValueSink, writeValues } from "../chain/shared-values.ts";
import { assert } from "../primitives/errors.ts";
import {
  type ArenaMessage,
  CONTROL,
  JOB,
  type Phase,
  type PhaseParts,
  STATE,
  take,
  takeNext,
  takenBy,
  type WorkerMessage,
  type WorkerStart,
} from "./lane-phase.ts";

/** How long nothing may come back before what is out is done again here. */
const STALL_MS = 1000;
/** How long a thread may owe a job, which was done elsewhere, before it is replaced. */
const PATIENCE_MS = 10_000;
/** Threads that end before they serve, one after another; then a pool gives up on new ones. */
export const FAILED_STARTS_MAX = 8;

export type PhaseWork<Value> = {
  readonly parts: PhaseParts;
  readonly weights: readonly number[]; // by job
  write(sink: ValueSink, job: number): void; // what a worker needs
  read(reader: ValueReader, job: number): Value; // what it answers
  here(job: number): LaneOutcome<Value>; // the same job on this thread
  readonly first?: readonly number[]; // jobs that this thread is best at
  readonly only?: readonly number[]; // jobs that no other thread can do
};

export type PhaseResult<Value> = {
  readonly outcomes: readonly LaneOutcome<Value>[]; // by job
  readonly lost: readonly number[]; // jobs that a thread took and that were done again here
};

export type LanePool = {
  run<Value>(work: PhaseWork<Value>): PhaseResult<Value>;
  /** What the steps of lanes go by from now on. */
  setRules(rules: LaneRules): void;
  readonly size: number;
  /** Resolves when all threads of now serve, or have ended: phases do not wait for that. */
  ready(): Promise<void>;
  stop(): Promise<void>;
};

type Member = {
  readonly number: number;
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly arenas: Map<number, SharedArrayBuffer>;
  readonly serving: Promise<void>;
  owes: Owed | null;
};

/** A job that a thread took and that was done without it. */
type Owed = { readonly table: Int32Array; readonly job: number; readonly sinceMs: number };

export type LanePoolOptions = {
  readonly workers: number; // threads beside the caller's
  readonly entry?: URL; // what a thread runs; it calls `serveLanes`
  readonly stallMs?: number;
  readonly patienceMs?: number;
  /** Whether the calling thread takes jobs too; the default is that it does. */
  readonly caller?: "works" | "waits";
  /** Hears of a thread that was replaced, or could not be. */
  readonly onReplaced?: (thread: { readonly number: number; readonly why: string }) => void;
};

export function createLanePool(options: LanePoolOptions): LanePool {
  const entry = options.entry ?? new URL("./lane-worker.mjs", import.meta.url);
  const stallMs = options.stallMs ?? STALL_MS;
  const patienceMs = options.patienceMs ?? PATIENCE_MS;
  const callerWorks = options.caller !== "waits" || options.workers === 0;
  const members = new Set<Member>();
  let rules: LaneRules | null = null;
  let numbers = 0;
  let failedStarts = 0;
  let isStopping = false;

  const post = (member: Member, message: WorkerMessage) => member.port.postMessage(message);

  const spawn = () => {
    const { port1: port, port2 } = new MessageChannel();
    const number = numbers++;
    const workerData: WorkerStart = { port: port2, number };
    const worker = new Worker(entry, { workerData, transferList: [port2], execArgv: [] });
    worker.unref();
    failedStarts += 1;
    const serving = new Promise<void>((resolve) => {
      worker.once("message", () => {
        failedStarts = 0;
        resolve();
      });
      worker.once("exit", () => resolve());
    });
    const member: Member = { number, worker, port, arenas: new Map(), serving, owes: null };
    members.add(member);
    let why = "it ended";
    worker.on("error", (error) => {
      why = String(error);
    });
    worker.on("exit", () => replace(member, why));
    if (rules !== null) post(member, { rules });
  };

  const replace = (member: Member, why: string) => {
    if (!members.delete(member) || isStopping) return;
    options.onReplaced?.({ number: member.number, why });
    member.port.close();
    void member.worker.terminate();
    if (failedStarts < options.workers + FAILED_STARTS_MAX) spawn();
  };

  /** Threads that stand still are found here: only a thread that never comes back is replaced. */
  const replaceDebtors = () => {
    for (const member of [...members]) {
      if (member.owes === null) continue;
      const { table, job, sinceMs } = member.owes;
      if (Atomics.load(table, JOB.length * job + JOB.state) < STATE.free) member.owes = null;
      else if (performance.now() - sinceMs >= patienceMs) replace(member, "it stood still");
    }
  };

  const arenaOf = (taker: number, arena: number): SharedArrayBuffer | undefined => {
    for (const member of members) {
      if (takenBy(member.number) !== taker) continue;
      for (;;) {
        const received = receiveMessageOnPort(member.port) as { message: ArenaMessage } | undefined;
        if (received === undefined) break;
        member.arenas.set(received.message.arena, received.message.memory);
      }
      return member.arenas.get(arena);
    }
    return undefined;
  };

  const run = <Value>(work: PhaseWork<Value>): PhaseResult<Value> => {
    const phase = createPhase(work);
    const { table, control } = phase;
    const outcomes: (LaneOutcome<Value> | undefined)[] = work.weights.map(() => undefined);
    const takers = new Int32Array(outcomes.length);
    const lost: number[] = [];
    for (const job of work.only ?? []) take(table, job, STATE.caller);
    for (const member of members) post(member, { ...phase, ...work.parts } as WorkerMessage);
    for (const job of work.only ?? []) outcomes[job] = work.here(job);
    for (const job of work.first ?? []) {
      if (take(table, job, STATE.caller)) outcomes[job] = work.here(job);
    }
    const next = () => (callerWorks ? takeNext(phase, STATE.caller) : null);
    for (let job = next(); job !== null; job = next()) outcomes[job] = work.here(job);
    for (;;) {
      const settled = Atomics.load(control, CONTROL.settled);
      const out = collect({ work, phase, outcomes, takers, arenaOf });
      if (out.length === 0) break;
      if (Atomics.wait(control, CONTROL.settled, settled, stallMs) !== "timed-out") continue;
      for (const job of out) {
        take(table, job, STATE.caller); // where no thread has come to it, none shall
        outcomes[job] = work.here(job);
      }
      lost.push(...out);
    }
    const sinceMs = performance.now();
    for (const member of members) {
      const owed = lost.find((job) => takers[job] === takenBy(member.number));
      if (owed !== undefined) member.owes ??= { table, job: owed, sinceMs };
      // Memory of slot records: from now on theirs alone.
      for (const arena of member.arenas.keys()) if (arena % 2 === 1) member.arenas.delete(arena);
    }
    replaceDebtors();
    return { outcomes: outcomes.map(present), lost };
  };

  for (let w = 0; w < options.workers; w++) spawn();
  return {
    run,
    setRules(next) {
      if (rules === next) return;
      rules = next;
      for (const member of members) post(member, { rules });
    },
    get size() {
      return members.size;
    },
    async ready() {
      await Promise.all([...members].map(({ serving }) => serving));
    },
    async stop() {
      isStopping = true;
      const ending = [...members].map(({ worker }) => worker.terminate());
      for (const { port } of members) port.close();
      members.clear();
      await Promise.all(ending);
    },
  };
}

function present<Value>(outcome: LaneOutcome<Value> | undefined): LaneOutcome<Value> {
  assert(outcome !== undefined, "every job of a phase has its outcome");
  return outcome;
}

/** Takes in what has come back; the jobs that are still out. */
function collect<Value>(parts: {
  readonly work: PhaseWork<Value>;
  readonly phase: Phase;
  readonly outcomes: (LaneOutcome<Value> | undefined)[];
  readonly takers: Int32Array; // by job, who was seen to have it
  arenaOf(taker: number, arena: number): SharedArrayBuffer | undefined;
}): number[] {
  const { work, phase, outcomes, takers } = parts;
  const { table } = phase;
  const out: number[] = [];
  for (let job = 0; job < outcomes.length; job++) {
    if (outcomes[job] !== undefined) continue;
    const base = JOB.length * job;
    const state = Atomics.load(table, base + JOB.state);
    if (state >= STATE.free) {
      takers[job] = state;
      out.push(job);
      continue;
    }
    const memory = parts.arenaOf(table[base + JOB.taker]!, table[base + JOB.arena]!);
    // A thread that met an error, or is gone with its memory: the job is done here.
    if (state === STATE.returned || memory === undefined) {
      outcomes[job] = work.here(job);
      continue;
    }
    const reader = new ValueReader(memory, table[base + JOB.offset]!);
    outcomes[job] =
      state === STATE.failed ? { failure: readFailure(reader) } : { value: work.read(reader, job) };
  }
  return out;
}

function createPhase(work: PhaseWork<unknown>): Phase {
  const { weights } = work;
  const count = weights.length;
  const offsets = new Float64Array(new SharedArrayBuffer(8 * count));
  let bytes = 0;
  for (let job = 0; job < count; job++) {
    offsets[job] = bytes;
    bytes += measureValues((sink) => work.write(sink, job));
  }
  const input = new SharedArrayBuffer(bytes);
  for (let job = 0; job < count; job++) {
    writeValues(input, offsets[job]!, (sink) => work.write(sink, job));
  }
  const order = new Uint32Array(new SharedArrayBuffer(4 * count));
  order.set(weights.map((_, job) => job).sort((a, b) => weights[b]! - weights[a]! || a - b));
  return {
    control: new Int32Array(new SharedArrayBuffer(4 * CONTROL.length)),
    table: new Int32Array(new SharedArrayBuffer(4 * JOB.length * count)),
    order,
    input,
    offsets,
  };
}
