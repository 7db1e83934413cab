/**
 * Readings of one client on their way to the durable write. All start at once, so that one write
 * takes many; each completes after the one before it, because PUBACKs keep the order of the
 * PUBLISHes (MQTT-4.6.0-2). After a failure nothing later completes well: the connection ends, and
 * the client sends again from there.
 */
export class ReadingWindow {
  #inFlight = 0;
  #tail: Promise<void> = Promise.resolve();

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Resolves when `work` and all work before it is done; rejects where any of it failed. */
  admit(work: () => Promise<void>): Promise<void> {
    this.#inFlight++;
    const before = this.#tail;
    const own = started(work);
    // Waits for the earlier one first, and is never unhandled while it waits.
    const completed = Promise.all([before, own]).then(() => {});
    this.#tail = completed;
    this.#tail.catch(() => {});
    return completed.finally(() => {
      this.#inFlight--;
    });
  }
}

/** A handler that throws instead of rejecting fails the same way. */
async function started(work: () => Promise<void>): Promise<void> {
  await work();
}
