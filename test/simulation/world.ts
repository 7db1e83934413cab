/**
 * Simulated time: one queue of events in virtual milliseconds, one event at a time.
 *
 * Deterministic because an event ends only when every promise it set off has come to rest: nothing
 * in the simulation waits for a real timer, socket or disk, so promises alone are left, and Node
 * runs all of them before the next macrotask. Events of one millisecond run in the order of their
 * making. What happens is written to a log whose hash names the run.
 */
import { createHash } from "node:crypto";
import { createPrng, type Prng } from "../../services/primitives/prng.ts";

type Event = { readonly atMs: number; readonly order: number; readonly run: () => void };

export class World {
  readonly prng: Prng; // only for forks: one for each part, so that no part disturbs another
  readonly log: string[] = [];
  readonly #hash = createHash("sha256");
  readonly #heap: Event[] = [];
  #order = 0;
  #nowMs: number;

  constructor(seed: string, startMs: number) {
    this.prng = createPrng(seed);
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `run` once at a time; one already passed means now. Returns the way to cancel it. */
  at(atMs: number, run: () => void): () => void {
    let isCancelled = false;
    const event = {
      atMs: Math.max(atMs, this.#nowMs),
      order: this.#order++,
      run: () => {
        if (!isCancelled) run();
      },
    };
    this.#push(event);
    return () => {
      isCancelled = true;
    };
  }

  after(delayMs: number, run: () => void): () => void {
    return this.at(this.#nowMs + delayMs, run);
  }

  note(line: string): void {
    const text = `${this.#nowMs} ${line}`;
    this.log.push(text);
    this.#hash.update(text).update("\n");
  }

  /** Of everything noted so far. */
  logHash(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Runs events up to a time, or until `isOver` says so after one of them. */
  async run(untilMs: number, isOver: () => boolean): Promise<void> {
    await quiet();
    for (let next = this.#heap[0]; next !== undefined && !isOver(); next = this.#heap[0]) {
      if (next.atMs > untilMs) break;
      this.#pop();
      this.#nowMs = next.atMs;
      next.run();
      await quiet();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) return;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Resolves when no promise has anything left to run. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
