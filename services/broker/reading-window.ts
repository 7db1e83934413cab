/**
 * Readings of one client on their way to the durable write. All start at once, so that one write
 * takes many; each completes after the one before it, because PUBACKs keep the order of the
 * PUBLISHes (MQTT-4.6.0-2). After a failure nothing later completes well: the connection ends, and
 * the client sends again from there.
 *
 * Callbacks, not promises: everything allocated here lives as long as a disk write, and with ten
 * promises for each reading the collector took a quarter of the broker's time.
 */
type Entry = {
  readonly done: (failure: unknown) => void;
  isSettled: boolean;
  failure: unknown; // null where all is well
};

export class ReadingWindow {
  readonly #entries: Entry[] = []; // arrival order
  #failure: unknown = null;

  get inFlight(): number {
    return this.#entries.length;
  }

  /** Calls `done` with null when `work` and all work before it is done, else with the failure. */
  admit(work: () => Promise<void>, done: (failure: unknown) => void): void {
    const entry: Entry = { done, isSettled: false, failure: null };
    this.#entries.push(entry);
    started(work).then(
      () => this.#settle(entry, null),
      (failure: unknown) => this.#settle(entry, failure ?? new Error("failed without a reason")),
    );
  }

  #settle(entry: Entry, failure: unknown): void {
    entry.isSettled = true;
    entry.failure = failure;
    while (this.#entries[0]?.isSettled === true) {
      const first = this.#entries.shift()!;
      this.#failure ??= first.failure;
      first.done(this.#failure);
    }
  }
}

/** A handler that throws instead of rejecting fails the same way. */
function started(work: () => Promise<void>): Promise<void> {
  try {
    return work();
  } catch (failure) {
    return Promise.reject(failure);
  }
}
