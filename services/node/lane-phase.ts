/**
 * How the caller and its lane workers share a phase: a phase is some number of jobs, of which each
 * thread takes the next by an atomic index and publishes the outcome by an atomic store.
 *
 * Safe because a job is a pure function of memory that nobody writes to: whoever takes it, however
 * often it is done, the outcome is the same bytes, and the first one published is taken.
 */
import type { MessagePort } from "node:worker_threads";
import type { LaneRules } from "../chain/rules.ts";
import type { Slot } from "../primitives/units.ts";

/** Places of `control`. */
export const CONTROL = { next: 0, settled: 1, length: 2 } as const;

/** Per job in `table`: its state, and in whose memory its outcome lies, and where. */
export const JOB = { state: 0, taker: 1, arena: 2, offset: 3, length: 4 } as const;

/** States of a job; above `caller` those of the workers that took it. */
export const STATE = { returned: -3, failed: -2, done: -1, free: 0, caller: 1 } as const;

/** The state of a job that the worker of this number has taken. */
export function takenBy(worker: number): number {
  return STATE.caller + 1 + worker;
}

export type Phase = {
  readonly control: Int32Array;
  readonly table: Int32Array;
  readonly order: Uint32Array; // jobs, the heaviest first
  readonly input: SharedArrayBuffer; // `lane-packing.ts`, job by job
  readonly offsets: Float64Array; // where a job's input begins
};

/** What differs by kind of phase. */
export type PhaseParts =
  | {
      readonly kind: "open";
      readonly slot: Slot;
      readonly height: number;
      readonly regions: Uint32Array; // by job
      readonly lanes: readonly SharedArrayBuffer[]; // never written
      readonly copies: readonly SharedArrayBuffer[]; // where lanes after the slot are made
    }
  | { readonly kind: "close" } // of the last open phase's lanes
  | {
      readonly kind: "root";
      readonly regions: Uint32Array;
      readonly lanes: readonly SharedArrayBuffer[];
    }
  | { readonly kind: "senders" }
  | { readonly kind: "certificates"; readonly publicKeys: readonly Uint8Array[] };

export type PhaseMessage = Phase & PhaseParts;

/** Caller to worker. */
export type WorkerMessage = { readonly rules: LaneRules } | PhaseMessage;

/** Worker to caller: memory that outcomes will lie in, before the first of them. */
export type ArenaMessage = { readonly arena: number; readonly memory: SharedArrayBuffer };

export type WorkerStart = { readonly port: MessagePort; readonly number: number };

/** Takes the next free job of the phase for `taker`, or null when there is none left. */
export function takeNext({ control, table, order }: Phase, taker: number): number | null {
  for (;;) {
    const at = Atomics.add(control, CONTROL.next, 1);
    if (at >= order.length) return null;
    const job = order[at]!;
    if (take(table, job, taker)) return job;
  }
}

/** Whether this job was free, and is the taker's now. */
export function take(table: Int32Array, job: number, taker: number): boolean {
  const place = JOB.length * job + JOB.state;
  return Atomics.compareExchange(table, place, STATE.free, taker) === STATE.free;
}
