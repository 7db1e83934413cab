/**
 * Brings one region's reports to the chain, in slot order, one at a time: the chain takes only the
 * next slot of a region. Idempotent: what the chain already has counts as done, so after a crash on
 * either side it goes on from where the chain says it stands.
 */
import type { Submitted } from "../chain/access.ts";
import { assert } from "../primitives/errors.ts";
import type { Slot } from "../primitives/units.ts";
import { TRANSACTION_CODE } from "../wire/refusals.ts";

export type SubmitterOptions = {
  /** The slot whose report the chain wants next of this region. Costly: asked when in doubt. */
  readonly wantedSlot: () => Slot;
  /** Reports of earlier slots than this one are durable here. */
  readonly durableBefore: () => Slot;
  /** The signed report of a durable slot, as a transaction. */
  readonly report: (slot: Slot) => Uint8Array | undefined;
  readonly submit: (transaction: Uint8Array) => Promise<Submitted>;
  readonly onSubmitted: (slot: Slot) => void;
  readonly onRefused: (slot: Slot, answer: Submitted) => void;
};

/** The chain will take these later, unchanged: its time has not come, or its mempool is full. */
const LATER: readonly number[] = [TRANSACTION_CODE.report_premature, TRANSACTION_CODE.mempool_full];
/** The chain has it already, or has not what comes before: ask where it stands. */
const ELSEWHERE: readonly number[] = [
  TRANSACTION_CODE.report_unordered,
  TRANSACTION_CODE.duplicate,
];

export class Submitter {
  readonly #options: SubmitterOptions;
  #next: Slot;
  #refused: Slot | null = null; // told about once
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(options: SubmitterOptions) {
    this.#options = options;
    this.#next = options.wantedSlot();
  }

  /** Submits until the chain has every durable report, or will not take the next one now. */
  run(): Promise<void> {
    if (this.#running === null && this.#next >= this.#options.durableBefore()) {
      return Promise.resolve();
    }
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running?.catch(() => {});
  }

  async #run(): Promise<void> {
    const { durableBefore, report, submit } = this.#options;
    while (!this.#stopped && this.#next < durableBefore()) {
      const slot = this.#next;
      const transaction = report(slot);
      assert(transaction !== undefined, "a report that the chain lacks is in the oracle's store");
      const answer = await submit(transaction);
      this.#settle(slot, answer);
      if (this.#next === slot) return; // the next run tries again
    }
  }

  #settle(slot: Slot, answer: Submitted): void {
    if (answer.code === TRANSACTION_CODE.ok) {
      this.#next = (slot + 1) as Slot;
      this.#options.onSubmitted(slot);
    } else if (ELSEWHERE.includes(answer.code)) {
      this.#next = this.#options.wantedSlot();
    } else if (!LATER.includes(answer.code) && this.#refused !== slot) {
      this.#refused = slot;
      this.#options.onRefused(slot, answer);
    }
  }
}
